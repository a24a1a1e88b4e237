"""Regularised logistic regression on fixed features: one head a fold, one strength for all of them.

Minimised for each fold, over weights W and biases b (which are not penalised), on standardised features x:

    mean over its training items of -log softmax(W x + b)[label]  +  strength / 2 · |W|²

or what stands in place of the softmax where an item has several labels, see `diagnostics.training.outcomes`

(a weighted mean where items have weights)

by L-BFGS (see `diagnostics.training.lbfgs`). It starts each step from the Hessian's block
diagonal with the class shares p(1 - p) taken out of the mean (Böhning 1992 bounds the Hessian in the same form), and
goes along it to where the slope vanishes, for which the features need not be read again: logits are linear in the step.
Around ten steps reach a gradient of 3e-4, the measure of convergence of scikit-learn's LogisticRegression.

Many heads on parts of the same items share a `HeadSpace`, so that features are read, standardised and decorrelated
once; a turn of the features changes neither the heads nor the penalty.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diagnostics.chunks import chunks_of
from diagnostics.errors import Cancelled
from diagnostics.task import FloatArray, IntArray
from diagnostics.training.lbfgs import Memory, Point
from diagnostics.training.outcomes import Outcome

STRENGTHS = tuple(10 ** (-exponent / 2) for exponent in range(11))
TOLERANCE = 3e-4
PATH_TOLERANCE = 2e-3
MAX_STEPS = 200
ENOUGH_HELD_OUT = 5000
SMALLEST_SHARE = 1e-6
SMALLEST_DEVIATION = 1e-6
SLOPE_LEFT = 0.1
MAX_SEARCHES = 4
ROWS_PER_FEATURE = 16


@dataclass(frozen=True, slots=True)
class HeadSpace:
    """Features made ready once for many heads.

    features : (n_items, n_features) float32, standardised and turned so that they are uncorrelated
    lengths : (n_features,), the variance of each
    """

    features: Tensor
    lengths: Tensor


@dataclass(frozen=True, slots=True)
class HeadFold:
    """What one head learns from and what it predicts.

    read_features : gives (n_items, n_features) of any float type, of every item, when the fold's turn has come; or
        the space that they were brought into before
    train : (n_train,) positions it learns from; held_out : (n_held_out,) labelled positions that it has not seen
    start : where to begin; None = where every class has its share. Of a head in the same space
    """

    read_features: Callable[[], FloatArray] | HeadSpace
    train: IntArray
    held_out: IntArray
    start: Point | None = None


@dataclass(frozen=True, slots=True)
class Heads:
    """What the heads say.

    fold_probs : (n_folds, n_items, n_classes) float32 in [0, 1]; rows sum to 1 if an item has one label
    strength : the chosen one; losses : (n_tried,), mean held-out loss for the first strengths of STRENGTHS
    largest_gradient : over all heads, of the mean loss; at most the tolerance asked for where they converged
    points : where each head ended, in its space
    """

    fold_probs: FloatArray
    strength: float
    losses: tuple[float, ...]
    largest_gradient: float
    points: tuple[Point, ...]


def fit_linear_heads(
    folds: Sequence[HeadFold],
    outcome: Outcome,
    *,
    n_items: int,
    device: torch.device,
    tolerance: float = TOLERANCE,
    strength: float | None = None,
    weights: FloatArray | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_fold: Callable[[int], None] = lambda n_done: None,
) -> Heads:
    """Fit one head a fold and let each predict every item.

    outcome : of all items, read at the positions that the folds name, which must have a label
    strength : of the penalty; None chooses the one of STRENGTHS, from strong to weak, at which the held-out items are
        most likely, over as many folds as together hold out 5,000; it stops when it gets worse
    weights : (n_items,), how much each item counts, 0 or more, relative to the others, in training and where the
        strength is chosen; None = all alike. (n_items, n_outputs) where the loss has a part for each output
    tolerance : the largest component of the gradient of the mean loss, as scikit-learn's `tol`
    should_stop : asked before every fold and strength; a stop raises Cancelled
    on_fold : told how many folds are done
    """
    shares = torch.ones(n_items) if weights is None else torch.from_numpy(weights).float()
    shares = shares.reshape(n_items, -1).to(device)

    def opened(fold: HeadFold) -> _Fit:
        return _Fit(fold, outcome, shares, device)

    tried: dict[int, _Fit] = {}
    losses: list[float] = []
    if strength is None:
        tried = {number: opened(folds[number]) for number in _folds_to_try(folds)}
        strength, losses = _choose_strength(list(tried.values()), should_stop)
    probs = np.empty((len(folds), n_items, outcome.n_outputs), dtype=np.float32)
    points: list[Point] = []
    largest = 0.0
    for number, fold in enumerate(folds):
        if should_stop():
            raise Cancelled("Stopped while training heads.")
        fit = tried.pop(number, None) or opened(fold)
        fit.go_back_to(strength)
        largest = max(largest, fit.descend(strength, tolerance))
        probs[number] = fit.predict()
        points.append(fit.point)
        on_fold(number + 1)
    return Heads(probs, strength, tuple(losses), largest, tuple(points))


def head_space(features: FloatArray, train: IntArray, device: torch.device) -> HeadSpace:
    """Standardise features over some items and turn them to the axes along which those are uncorrelated.

    features : (n_items, n_features) of any float type; train : (n_train,) positions
    """
    every = torch.from_numpy(features).to(device).float()
    lengths, directions = _standardise(every, torch.from_numpy(train).to(device))
    return HeadSpace(every @ directions, lengths)


def _folds_to_try(folds: Sequence[HeadFold]) -> range:
    """The first folds that together hold out enough items for a choice."""
    held_out = np.cumsum([len(fold.held_out) for fold in folds])
    return range(min(len(folds), int(np.searchsorted(held_out, ENOUGH_HELD_OUT)) + 1))


def _choose_strength(fits: Sequence["_Fit"], should_stop: Callable[[], bool]) -> tuple[float, list[float]]:
    """The strength with the smallest held-out loss, and the losses of those that were tried."""
    losses: list[float] = []
    held_out_weight = max(sum(fit.held_out_weight for fit in fits), SMALLEST_SHARE)
    for strength in STRENGTHS:
        if should_stop():
            raise Cancelled("Stopped while training heads.")
        for fit in fits:
            fit.descend(strength, PATH_TOLERANCE)
            fit.remember(strength)
        losses.append(sum(fit.held_out_loss() for fit in fits) / held_out_weight)
        if losses[-1] > min(losses):
            break
    return STRENGTHS[int(np.argmin(losses))], losses


@dataclass(frozen=True, slots=True)
class _Axes:
    """Along which features are uncorrelated. lengths : (n_features,) their variances; directions : (n_features,
    n_features), one a column; None = those of the features themselves"""

    lengths: Tensor
    directions: Tensor | None

    @property
    def deviations(self) -> Tensor:
        """(n_features,), above 1 where the features themselves lie along axes."""
        if self.directions is None:
            return self.lengths.sqrt().clamp_min(1)
        return torch.ones_like(self.lengths)

    def divide(self, weights: Tensor, by: Tensor) -> Tensor:
        """Weights (n_features, n_classes) divided along the axes."""
        if self.directions is None:
            return weights / by
        return self.directions @ ((self.directions.T @ weights) / by)


def _read(
    read: FloatArray | HeadSpace, order: IntArray, n_train: int, device: torch.device
) -> tuple[Tensor, _Axes]:
    """Features in this order, standardised over the first n_train unless they are those of a space."""
    if isinstance(read, HeadSpace):
        return read.features[torch.from_numpy(order).to(device)], _Axes(read.lengths, None)
    features = torch.from_numpy(read[order]).to(device).float()
    return features, _Axes(*_standardise(features, slice(n_train)))


def _standardise(features: Tensor, train: Tensor | slice) -> tuple[Tensor, Tensor]:
    """Bring features, in place, to mean 0 and deviation 1 over the training items, which are these rows.

    returns : the eigenvalues and eigenvectors of their correlations, over enough of them: where a descent starts and
        how it is turned hangs on these, where it ends does not
    """
    features.sub_(features[train].mean(dim=0))
    centred = features[train]
    squares = torch.stack([centred[rows].square().sum(dim=0) for rows in chunks_of(*centred.shape)]).sum(
        dim=0
    )
    features.div_((squares / len(centred)).sqrt().clamp_min(SMALLEST_DEVIATION))
    some = features[train][:: max(1, len(centred) // (ROWS_PER_FEATURE * features.shape[1]))]
    lengths, directions = torch.linalg.eigh((some.T @ some).div_(len(some)))
    return lengths.clamp_min(0), directions


class _Fit:
    """The head of one fold, its standardised features and where it is."""

    def __init__(self, fold: HeadFold, outcome: Outcome, weights: Tensor, device: torch.device) -> None:
        self._outcome = outcome
        read = fold.read_features if isinstance(fold.read_features, HeadSpace) else fold.read_features()
        n_items = len(read.features if isinstance(read, HeadSpace) else read)
        n_train = len(fold.train)
        others = np.setdiff1d(np.arange(n_items), np.concatenate([fold.train, fold.held_out]))
        order = np.concatenate([fold.train, fold.held_out, others])
        self._order = torch.from_numpy(order).to(device)
        self._features, self._axes = _read(read, order, n_train, device)
        self._train = self._features[:n_train]
        self._held_out = self._features[n_train : n_train + len(fold.held_out)]
        self._targets = outcome.targets(self._order[:n_train])
        weights = weights[self._order]
        self._weights = weights[:n_train] / weights[:n_train].mean(dim=1).sum()
        self._held_out_rows = self._order[n_train : n_train + len(fold.held_out)]
        self._held_out_weights = weights[n_train : n_train + len(fold.held_out)]
        shares = (self._weights * self._targets).sum(dim=0) / self._weights.sum(dim=0)
        shares = shares.clamp_min(SMALLEST_SHARE)
        nothing = torch.zeros(self._train.shape[1], outcome.n_outputs, device=device)
        self.point = fold.start or Point(nothing, outcome.start(shares))
        self._known: dict[float, Point] = {}

    @property
    def held_out_weight(self) -> float:
        return float(self._held_out_weights.mean(dim=1).sum())

    def remember(self, strength: float) -> None:
        self._known[strength] = self.point

    def go_back_to(self, strength: float) -> None:
        """To where the path was at this strength, if it was there."""
        self.point = self._known.get(strength, self.point)

    def descend(self, strength: float, tolerance: float) -> float:
        """Go to the minimum from where the head is; returns the largest component of the gradient there."""
        logits = self._logits(self._train)
        probs = self._outcome.probs(logits)
        solve = self._guess_inverse(probs, strength)
        gradient = self._gradient(probs, strength)
        memory = Memory()
        for _ in range(MAX_STEPS):
            if self._largest(gradient) <= tolerance:
                break
            direction = memory.direction(gradient, solve)
            along = torch.addmm(direction.biases, self._train, direction.weights)
            length, probs = self._step_length(logits, along, direction, gradient, strength)
            logits.add_(along, alpha=length)
            self.point = self.point.plus(direction, length)
            before, gradient = gradient, self._gradient(probs, strength)
            memory.add(direction.times(length), gradient.plus(before, -1.0))
        return self._largest(gradient)

    def held_out_loss(self) -> float:
        """Summed over the held-out items with their weights."""
        losses = self._outcome.losses(self._logits(self._held_out), self._held_out_rows)
        return float((self._held_out_weights * losses).sum())

    def predict(self) -> FloatArray:
        """(n_items, n_classes) float32 probabilities of every item."""
        probs = torch.empty(len(self._features), len(self.point.biases), device=self._features.device)
        probs[self._order] = self._outcome.probs(self._logits(self._features))
        predicted: FloatArray = probs.cpu().numpy()
        return predicted

    def _logits(self, features: Tensor) -> Tensor:
        return torch.addmm(self.point.biases, features, self.point.weights)

    def _gradient(self, probs: Tensor, strength: float) -> Point:
        residuals = (probs - self._targets).mul_(self._weights)
        weights = (residuals.T @ self._train).T
        return Point(weights.add(self.point.weights, alpha=strength), residuals.sum(dim=0))

    def _largest(self, gradient: Point) -> float:
        """The largest component of a gradient, as it is for features of deviation 1 at most."""
        return Point(gradient.weights / self._axes.deviations[:, None], gradient.biases).largest

    def _guess_inverse(self, probs: Tensor, strength: float) -> Callable[[Point], Point]:
        """Of the Hessian with p(1 - p) of each class replaced by its mean over the items."""
        weight_of_class = (self._weights * (probs - probs.square())).sum(dim=0).clamp_min(SMALLEST_SHARE)
        curvature = self._axes.lengths[:, None] * weight_of_class + strength

        def solve(point: Point) -> Point:
            return Point(self._axes.divide(point.weights, curvature), point.biases / weight_of_class)

        return solve

    def _step_length(
        self, logits: Tensor, along: Tensor, direction: Point, gradient: Point, strength: float
    ) -> tuple[float, Tensor]:
        """By Newton's method on the slope along the direction; returns also the probabilities there."""
        slope_before = gradient.dot(direction)
        on_targets = float((self._weights * along * self._targets).sum())
        crossing = float((self.point.weights * direction.weights).sum())
        squared = float(direction.weights.square().sum())
        length = 1.0
        for search in range(MAX_SEARCHES):
            probs = self._outcome.probs(torch.add(logits, along, alpha=length))
            slope = (
                float((self._weights * probs * along).sum())
                - on_targets
                + strength * (crossing + length * squared)
            )
            if abs(slope) <= SLOPE_LEFT * abs(slope_before) or search == MAX_SEARCHES - 1:
                break
            spread = float((self._weights * self._outcome.spread(probs, along)).sum())
            length = max(length - slope / (spread + strength * squared), SLOPE_LEFT * length)
        return length, probs
