"""Learning one label an item: a softmax over the classes, with the losses of `diagnostics.training.recipe`."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone knows it by
from torch import Tensor

from diagnostics.label_space import LabelSpace
from diagnostics.task import IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import count_classes
from diagnostics.training.outcomes import Outcome, SoftmaxOutcome
from diagnostics.training.recipe import loss_of


class Learning:
    """See `diagnostics.label_kinds.kind.Learning`."""

    def __init__(self, space: LabelSpace) -> None:
        self._n_classes = len(space.classes)

    def loss(self, config: TrainConfig, codes: IntArray, device: torch.device) -> Any:
        return loss_of(config, count_classes(codes, self._n_classes), device)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=1)

    def loss_sum(self, logits: Tensor, codes: Tensor) -> Tensor:
        return F.cross_entropy(logits, codes, reduction="sum")

    def n_right(self, logits: Tensor, codes: Tensor) -> Tensor:
        return (logits.argmax(dim=1) == codes).sum()

    def outcome(self, codes: IntArray, device: torch.device) -> Outcome:
        return SoftmaxOutcome(torch.from_numpy(codes).to(device), self._n_classes)
