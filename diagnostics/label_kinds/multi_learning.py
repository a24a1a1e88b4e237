"""Learning several labels an item: a sigmoid for each class, and the mean of their binary cross-entropies."""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone knows it by
from torch import Tensor, nn

from diagnostics.label_space import LabelSpace
from diagnostics.multilabel.imbalance import positive_weights
from diagnostics.task import IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import FOCAL_LOSS, WEIGHTED_LOSS
from diagnostics.training.outcomes import Outcome, SigmoidOutcome

HALF = 0.5


class SetLoss(nn.Module):
    """The mean binary cross-entropy over items and classes of what labels mean.

    members : (n_labels, n_classes) of 0 and 1
    smoothing : the share of each that is spread over both. The usual 0.1 finds more wrong labels than 0, see
        tests/benchmarks/bench_multilabel_runs.py --smoothing 0 0.1
    positive : (n_classes,), what each label that an item has weighs against those that it has not; None = the same
    gamma : above 0 the focal loss of Lin et al. (Focal Loss for Dense Object Detection, 2017), without class weights
    """

    def __init__(
        self, members: Tensor, *, smoothing: float, gamma: float, positive: Tensor | None = None
    ) -> None:
        super().__init__()
        self._members = members
        self._positive = positive
        self._smoothing = smoothing
        self._gamma = gamma

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        targets = self._members[codes]
        smoothed = targets * (1 - self._smoothing) + self._smoothing * HALF
        losses = F.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
        if self._gamma:
            probs = logits.sigmoid()
            losses = losses * (targets - probs).abs() ** self._gamma
        if self._positive is None:
            return losses.mean()
        weights = 1 + targets * (self._positive - 1)
        return (losses * weights).sum() / weights.sum()


class Learning:
    """See `diagnostics.label_kinds.kind.Learning`."""

    def __init__(self, space: LabelSpace) -> None:
        self._space = space
        self._members = torch.from_numpy(space.members).float()

    def loss(self, config: TrainConfig, codes: IntArray, device: torch.device) -> SetLoss:
        gamma, positive = config.focal_gamma if config.imbalance == FOCAL_LOSS else 0.0, None
        if config.imbalance == WEIGHTED_LOSS:
            n_have = np.count_nonzero(self._space.targets(codes), axis=0)
            positive = torch.from_numpy(positive_weights(n_have, len(codes))).float().to(device)
        return SetLoss(self._members.to(device), smoothing=config.smoothing, gamma=gamma, positive=positive)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def loss_sum(self, logits: Tensor, codes: Tensor) -> Tensor:
        targets = self._members.to(logits.device)[codes]
        return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=1).sum()

    def n_right(self, logits: Tensor, codes: Tensor) -> Tensor:
        targets = self._members.to(logits.device)[codes]
        return ((logits >= 0) == (targets > 0)).float().mean(dim=1).sum()

    def outcome(self, codes: IntArray, device: torch.device) -> Outcome:
        return SigmoidOutcome(torch.from_numpy(self._space.targets(codes)).to(device))
