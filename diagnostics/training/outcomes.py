"""What linear heads are to say of each item: which one label it has, or each of any number of labels."""

from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F  # noqa: N812 - the name everyone knows it by
from torch import Tensor


class Outcome(Protocol):
    """What the heads are to say of each item, and how their logits say it."""

    @property
    def n_outputs(self) -> int:
        """How many logits an item has."""

    def targets(self, rows: Tensor) -> Tensor:
        """(n, n_outputs), the probabilities that would be right."""

    def start(self, shares: Tensor) -> Tensor:
        """(n_outputs,) the biases at which the probabilities are these shares."""

    def probs(self, logits: Tensor) -> Tensor:
        """(n, n_outputs)."""

    def losses(self, logits: Tensor, rows: Tensor) -> Tensor:
        """(n, 1) or (n, n_outputs) of items that have a label; those of an item add up, and the slope of their sum in
        the logits is probabilities minus targets."""

    def spread(self, probs: Tensor, along: Tensor) -> Tensor:
        """(n, 1) or (n, n_outputs), the curvature of the losses along a direction of the logits."""


@dataclass(frozen=True, slots=True)
class SoftmaxOutcome:
    """Each item has one of n_outputs labels; codes : (n_items,), read at labelled items only."""

    codes: Tensor
    n_outputs: int

    def targets(self, rows: Tensor) -> Tensor:
        return F.one_hot(self.codes[rows], self.n_outputs).float()

    def start(self, shares: Tensor) -> Tensor:
        return shares.log()

    def probs(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=1)

    def losses(self, logits: Tensor, rows: Tensor) -> Tensor:
        return F.cross_entropy(logits, self.codes[rows], reduction="none")[:, None]

    def spread(self, probs: Tensor, along: Tensor) -> Tensor:
        weighted = probs * along
        return (weighted * along).sum(dim=1, keepdim=True) - weighted.sum(dim=1, keepdim=True).square()


@dataclass(frozen=True, slots=True)
class SigmoidOutcome:
    """Each item has any of n_outputs labels; has : (n_items, n_outputs) of bool, read at labelled items only.

    In place of the cross-entropy of one label stands the sum over the classes of the binary cross-entropy of a sigmoid.
    All classes have one strength of the penalty: many have too few labels to choose one of their own.
    """

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
