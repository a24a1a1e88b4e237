"""Heads for items with several labels: a logistic regression for each class, on the same features.

In place of the cross-entropy of one label stands the sum over the classes of the binary cross-entropy of a sigmoid. All
classes have one strength of the penalty, that at which the held-out sets are most likely: many classes have too few
labels to choose one of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone knows it by
from torch import Tensor

from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.task import FloatArray
from diagnostics.training.heads import TOLERANCE, HeadFold, Heads, fit_linear_heads


@dataclass(frozen=True, slots=True)
class SeveralLabels:
    """Each item has any of n_outputs labels; has : (n_items, n_outputs) of bool, read at labelled items only."""

    has: Tensor

    @property
    def n_outputs(self) -> int:
        return self.has.shape[1]

    def targets(self, rows: Tensor) -> Tensor:
        return self.has[rows].float()

    def start(self, shares: Tensor) -> Tensor:
        return shares.logit(eps=1e-6)

    def probs(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def losses(self, logits: Tensor, rows: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, self.targets(rows), reduction="none")

    def spread(self, probs: Tensor, along: Tensor) -> Tensor:
        return (probs - probs.square()) * along.square()


def fit_set_heads(
    folds: Sequence[HeadFold],
    label_sets: LabelSets,
    *,
    device: torch.device,
    tolerance: float = TOLERANCE,
    strength: float | None = None,
    weights: FloatArray | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_fold: Callable[[int], None] = lambda n_done: None,
) -> Heads:
    """Fit one head a fold and let each predict every item: `fold_probs` are in [0, 1], rows do not sum to 1.

    label_sets : of all items, read at the positions that the folds name, which somebody must have labelled
    the others : see `diagnostics.training.heads.fit_linear_heads`
    """
    return fit_linear_heads(
        folds,
        SeveralLabels(torch.from_numpy(label_sets.targets).to(device)),
        n_items=len(label_sets),
        device=device,
        tolerance=tolerance,
        strength=strength,
        weights=weights,
        should_stop=should_stop,
        on_fold=on_fold,
    )
