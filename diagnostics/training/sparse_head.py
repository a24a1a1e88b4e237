"""Regularised multinomial logistic regression on sparse features, such as counts of words.

Minimised, over weights W and biases b (which are not penalised), on features x as they are:

    weighted mean over the training items of -log softmax(W x + b)[label]  +  strength / 2 · |W|²

by L-BFGS (see `diagnostics.training.lbfgs`), each step of which starts from the Hessian's diagonal with the class
shares p(1 - p) taken out of the mean and goes to where the slope along it vanishes; the features are read twice a step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone knows it by
from torch import Tensor

from diagnostics.errors import Cancelled
from diagnostics.task import FloatArray, IntArray
from diagnostics.training.lbfgs import Memory, Point

TOLERANCE = 2e-4
PATH_TOLERANCE = 5e-4
MAX_STEPS = 150
SMALLEST_SHARE = 1e-6
SLOPE_LEFT = 0.1
MAX_SEARCHES = 4
INVERSE_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)  # of the summed loss, scikit-learn's C


@dataclass(frozen=True, slots=True)
class SparseHead:
    """A fitted head: weights (n_features, n_classes) and biases (n_classes,), float32."""

    weights: FloatArray
    biases: FloatArray

    def logits(self, features: Any) -> FloatArray:
        """(n, n_classes) of a scipy matrix (n, n_features)."""
        logits: FloatArray = np.asarray(features @ self.weights) + self.biases
        return logits


def fit_sparse_head(
    features: Any,
    codes: IntArray,
    n_classes: int,
    *,
    weights: FloatArray,
    strength: float,
    should_stop: Callable[[], bool] = lambda: False,
    start: SparseHead | None = None,
    tolerance: float = TOLERANCE,
) -> SparseHead:
    """Fit a head.

    features : (n, n_features) scipy CSR, float32; codes : (n,); weights : (n,), how much each item counts
    start : where to begin; None = where every class has its share
    tolerance : the largest component of the gradient
    should_stop : asked before every step; a stop raises Cancelled
    """
    fit = _Fit(features, codes, n_classes, weights, start)
    fit.descend(strength, tolerance, should_stop)
    return fit.head


def choose_strength(
    features: Any,
    codes: IntArray,
    n_classes: int,
    *,
    weights: FloatArray,
    train: IntArray,
    held_out: IntArray,
    should_stop: Callable[[], bool] = lambda: False,
    inverse_strengths: Sequence[float] = INVERSE_STRENGTHS,
) -> tuple[float, SparseHead]:
    """The strength, of a few from strong to weak, at which held-out items are most likely; stops when it gets worse.

    train, held_out : (n,) positions of `features`, both with labels
    returns : the strength for all of the items, and the head at it, of the training items alone
    """
    fit = _Fit(features[train], codes[train], n_classes, weights[train], None)
    aside, shares = features[held_out], weights[held_out]
    found: list[tuple[float, float, SparseHead]] = []
    for inverse in inverse_strengths:
        fit.descend(1 / (inverse * len(train)), PATH_TOLERANCE, should_stop)
        logits = torch.from_numpy(fit.head.logits(aside)).float()
        losses = F.cross_entropy(logits, torch.from_numpy(codes[held_out]), reduction="none").numpy()
        found.append((float(shares @ losses), inverse, fit.head))
        if found[-1][0] > min(loss for loss, _, _ in found):
            break
    _, inverse, head = min(found, key=lambda one: one[0])
    return 1 / (inverse * len(codes)), head


class _Fit:
    """A head on its way, with the features in both orders."""

    def __init__(
        self,
        features: Any,
        codes: IntArray,
        n_classes: int,
        weights: FloatArray,
        start: SparseHead | None,
    ) -> None:
        self._rows = features.tocsr()
        self._columns = features.T.tocsr()
        self._squares = self._columns.multiply(self._columns).tocsr()
        self._codes = torch.from_numpy(codes)
        self._n_classes = n_classes
        self._shares = torch.from_numpy(np.asarray(weights / weights.sum(), dtype=np.float32))[:, None]
        targets = F.one_hot(self._codes, n_classes).float()
        self._targets = targets
        common = (self._shares * targets).sum(dim=0).clamp_min(SMALLEST_SHARE).log()
        empty = torch.zeros(features.shape[1], n_classes)
        self._point = (
            Point(empty, common)
            if start is None
            else Point(torch.from_numpy(start.weights), torch.from_numpy(start.biases))
        )

    @property
    def head(self) -> SparseHead:
        return SparseHead(self._point.weights.numpy(), self._point.biases.numpy())

    def descend(self, strength: float, tolerance: float, should_stop: Callable[[], bool]) -> None:
        """Go to the minimum from where the head is."""
        logits = self._times(self._point)
        probs = logits.softmax(dim=1)
        gradient = self._gradient(probs, strength)
        solve = self._guess_inverse(probs, strength)
        memory = Memory()
        for _ in range(MAX_STEPS):
            if gradient.largest <= tolerance:
                return
            if should_stop():
                raise Cancelled("Training was stopped.")
            direction = memory.direction(gradient, solve)
            along = self._times(direction)
            length, probs = self._step_length(logits, along, direction, gradient, strength)
            logits.add_(along, alpha=length)
            self._point = self._point.plus(direction, length)
            before, gradient = gradient, self._gradient(probs, strength)
            memory.add(direction.times(length), gradient.plus(before, -1.0))

    def _times(self, point: Point) -> Tensor:
        return torch.from_numpy(self._rows @ point.weights.numpy()).add_(point.biases)

    def _gradient(self, probs: Tensor, strength: float) -> Point:
        residuals = (probs - self._targets).mul_(self._shares)
        weights = torch.from_numpy(self._columns @ residuals.numpy())
        return Point(weights.add_(self._point.weights, alpha=strength), residuals.sum(dim=0))

    def _guess_inverse(self, probs: Tensor, strength: float) -> Callable[[Point], Point]:
        of_class = (self._shares * (probs - probs.square())).sum(dim=0).clamp_min(SMALLEST_SHARE)
        of_feature = torch.from_numpy(np.asarray(self._squares @ self._shares.numpy()))
        curvature = of_feature * of_class + strength

        def solve(point: Point) -> Point:
            return Point(point.weights / curvature, point.biases / of_class)

        return solve

    def _step_length(
        self, logits: Tensor, along: Tensor, direction: Point, gradient: Point, strength: float
    ) -> tuple[float, Tensor]:
        """By Newton's method on the slope along the direction; returns also the probabilities there."""
        slope_before = gradient.dot(direction)
        on_targets = float((self._shares * along * self._targets).sum())
        crossing = float((self._point.weights * direction.weights).sum())
        squared = float(direction.weights.square().sum())
        length = 1.0
        for search in range(MAX_SEARCHES):
            probs = torch.add(logits, along, alpha=length).softmax(dim=1)
            weighted = probs * along
            expected = weighted.sum(dim=1)
            slope = (
                float((self._shares[:, 0] * expected).sum())
                - on_targets
                + strength * (crossing + length * squared)
            )
            if abs(slope) <= SLOPE_LEFT * abs(slope_before) or search == MAX_SEARCHES - 1:
                break
            spread = float((self._shares[:, 0] * ((weighted * along).sum(dim=1) - expected.square())).sum())
            length = max(length - slope / (spread + strength * squared), SLOPE_LEFT * length)
        return length, probs
