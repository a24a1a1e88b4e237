"""The probability that a pair's given value is right: has the item the label, or has it not, as it is given?

As for items with one label (`diagnostics.label_quality`), pairs of which the value was toggled on purpose stand beside
those as given, and a regularised logistic regression learns what tells the two apart. Labels that an item has and
labels that it has not are learnt apart: most of the second are right for the mere reason that they are many. A
superfluous label is planted on an item drawn at random, by classes as often as annotators use them; a missing one by
taking one label from an item. What models say while they are trained depends on the value that they learn: where it is
known, pairs that were toggled in the training of one model stand for all wrong ones, see
`diagnostics.multilabel.planting`. So the qualities of both kinds can be compared. The number of wrong pairs that they
add up to is an upper bound, as `diagnostics.label_quality.wrong_share` has it: the less the model knows, the higher it
is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from diagnostics.chunks import Rows, chunks_of
from diagnostics.label_quality import (
    MAX_FITTED,
    MIN_ITEMS,
    PLANTED_PER_ITEM,
    Planted,
    Weights,
    learn_weights,
    wrong_share,
)
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.signals import PairSignals
from diagnostics.signals import HELD_OUT, MIN_PLANTED, MOVED_BY_LABEL
from diagnostics.task import BoolArray, FloatArray, IntArray

MAX_RATED = 200_000
NOISE_RATES = (1e-5, 0.6)


@dataclass(frozen=True, slots=True)
class PairQuality:
    """How the signals are weighed: of labels that items have, and of labels that they have not.

    Where there was too little to learn from, a side has no weights, and its quality is the held-out probability.
    """

    given: tuple[Weights, ...]
    not_given: tuple[Weights, ...]

    def of(self, signals: PairSignals, rows: Rows) -> FloatArray:
        """(n, n_classes), the probability that each given value is right; NaN for items that nobody labelled."""
        targets, doubts = signals.label_sets.targets[rows], signals.doubts(rows)
        scores = np.full(targets.shape, np.nan)
        for of_kind, known, own in _kinds_of_rows(signals.out_of_fold[rows], doubts):
            names = [signals.names[number] for number in known]
            forms = [_LinearForm.of(weights, names, of_kind) for weights in (self.given, self.not_given)]
            has = targets[own]
            scores[own] = np.where(has, forms[0].intercept, forms[1].intercept)
            for number, *slopes in zip(known, forms[0].slopes, forms[1].slopes, strict=True):
                scores[own] += doubts[own, :, number] * np.where(has, *slopes)
        scores[~signals.label_sets.labelled[rows]] = np.nan
        quality: FloatArray = expit(-scores)
        return quality


@dataclass(frozen=True, slots=True)
class _LinearForm:
    """The log odds that a pair is wrong: intercept + sum of slope × doubt."""

    intercept: float
    slopes: tuple[float, ...]

    @classmethod
    def of(cls, choices: Sequence[Weights], names: Sequence[str], out_of_fold: bool) -> "_LinearForm":
        """By the weights that use most of these signals, of equal ones those of the same kind of item."""
        usable = [weights for weights in choices if set(weights.signals) <= set(names)]
        if not usable:
            return cls(0.0, tuple(float(name == HELD_OUT) for name in names))
        best = max(usable, key=lambda each: (len(each.signals), each.out_of_fold == out_of_fold))
        slopes = dict(zip(best.signals, np.array(best.weights) / np.array(best.scales), strict=True))
        centres = dict(zip(best.signals, best.centres, strict=True))
        return cls(
            best.intercept - sum(slopes[name] * centres[name] for name in best.signals),
            tuple(slopes.get(name, 0.0) for name in names),
        )


def fit_pair_quality(signals: PairSignals, *, verdicts: IntArray | None = None, seed: int = 0) -> PairQuality:
    """Learn how to weigh the signals from a sample of the pairs of train and val; nothing in `signals` is changed.

    verdicts : (n_items, n_classes), LABEL_RIGHT or LABEL_WRONG where a person has decided about a pair, 0 elsewhere
    seed : of the pairs that are drawn
    """
    rng = np.random.default_rng(seed)
    learnt: dict[bool, list[Weights]] = {True: [], False: []}
    for kind in (True, False):
        rows = np.flatnonzero(signals.ranked & (signals.out_of_fold == kind))
        for value, found in learnt.items():
            found += _learn_side(signals, _Side.of(signals.label_sets, rows, value), kind, verdicts, rng)
    return PairQuality(tuple(learnt[True]), tuple(learnt[False]))


@dataclass(frozen=True)
class _Side:
    """All pairs of some items that have one value, numbered by item and class.

    ends : (n_rows,), how many there are up to and with each of the rows
    """

    label_sets: LabelSets
    rows: IntArray
    value: bool
    ends: IntArray

    @classmethod
    def of(cls, label_sets: LabelSets, rows: IntArray, value: bool) -> "_Side":
        n_classes = len(label_sets.classes)
        counts = np.empty(len(rows), dtype=np.int64)
        for part in chunks_of(len(rows), n_classes):
            counts[part] = np.count_nonzero(label_sets.targets[rows[part]] == value, axis=1)
        return cls(label_sets, rows, value, counts.cumsum())

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    @property
    def other(self) -> "_Side":
        return _Side.of(self.label_sets, self.rows, not self.value)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """The rows and classes of up to n different pairs."""
        numbers = rng.choice(len(self), min(n, len(self)), replace=False)
        places = np.searchsorted(self.ends, numbers, side="right")
        rows = self.rows[places]
        columns = np.empty(len(rows), dtype=np.int64)
        for part in chunks_of(len(rows), len(self.label_sets.classes)):
            own = self.label_sets.targets[rows[part]] == self.value
            nth = numbers[part] - (self.ends[places[part]] - own.sum(axis=1))
            columns[part] = (own.cumsum(axis=1) > nth[:, None]).argmax(axis=1)
        return rows, columns


def _learn_side(
    signals: PairSignals, side: _Side, kind: bool, verdicts: IntArray | None, rng: np.random.Generator
) -> list[Weights]:
    """Weights for every set of signals that pairs of this side have; none where there is too little to learn from."""
    if len(side) < MIN_ITEMS:
        return []
    rows, columns = side.draw(MAX_RATED, rng)
    doubts = signals.doubts_at(rows, columns)
    toggled = _toggled(signals, side, columns, rng)
    said = np.zeros(len(rows), dtype=np.int64) if verdicts is None else verdicts[rows, columns]
    learnt = []
    in_training = signals.planted_doubts(side.value)
    moved = [number for number, name in enumerate(signals.names) if name in MOVED_BY_LABEL]
    for used, own in _sets_of_signals(doubts, moved):
        planted = (in_training if np.isin(moved, used).any() else toggled)[:, used]
        planted = planted[~np.isnan(planted).any(axis=1)]
        if len(own) < MIN_ITEMS or len(planted) < (MIN_PLANTED if np.isin(moved, used).any() else 1):
            continue
        names = tuple(signals.names[number] for number in used)
        of_own = doubts[np.ix_(own, used)]
        fitted = own[:MAX_FITTED]
        drawn = Planted(planted, np.ones(len(planted)))
        weights = learn_weights(
            names,
            of_own[:MAX_FITTED],
            said[fitted],
            drawn,
            out_of_fold=kind,
            noise_rates=NOISE_RATES,
        )
        learnt.append(_rated(weights, of_own, planted))
    return learnt


def _rated(weights: Weights, doubts: FloatArray, planted: FloatArray) -> Weights:
    """With the share of wrong pairs as all pairs drawn tell it, which are more than were learnt from."""
    scores, of_planted = (logit(weights.wrong(values)) for values in (doubts, planted))
    few, many = (
        wrong_share(some, of_planted, np.ones(len(planted)), noise_rates=NOISE_RATES)
        for some in (scores[:MAX_FITTED], scores)
    )
    return replace(weights, intercept=weights.intercept + float(logit(many) - logit(few)))


def _sets_of_signals(doubts: FloatArray, moved: Sequence[int]) -> list[tuple[IntArray, IntArray]]:
    """The signals that pairs have, and which pairs; without those that the value moves, and the first alone, too, for
    items that lack the others."""
    known = ~np.isnan(doubts)
    patterns = {tuple(np.flatnonzero(pattern).tolist()) for pattern in np.unique(known, axis=0)} | {(0,)}
    patterns |= {tuple(number for number in pattern if number not in moved) for pattern in patterns}
    return [
        (np.array(pattern), np.flatnonzero(known[:, list(pattern)].all(axis=1)))
        for pattern in sorted(patterns)
        if pattern
    ]


def _toggled(signals: PairSignals, side: _Side, columns: IntArray, rng: np.random.Generator) -> FloatArray:
    """(n_planted, n_signals), the doubts of pairs given the other value, as if they were given this one.

    columns : the classes of pairs of this side, in random order
    """
    n_planted = min(MAX_FITTED, PLANTED_PER_ITEM * len(side))
    if side.value:
        at_random = rng.choice(side.rows, n_planted)
        classes = columns[np.arange(n_planted) % len(columns)]
        free = ~side.label_sets.targets[at_random, classes]
        rows, classes = at_random[free], classes[free]
    else:
        other = side.other
        if not len(other):
            return np.empty((0, len(signals.names)))
        rows, classes = other.draw(n_planted, rng)
    return -signals.doubts_at(rows, classes)


def _kinds_of_rows(
    out_of_fold: BoolArray, doubts: FloatArray
) -> Iterator[tuple[bool, list[int], BoolArray | slice]]:
    """For items of the same kind with the same signals: the kind, numbers of the signals, and which items they are."""
    known = ~np.isnan(doubts[:, 0])
    kinds = np.column_stack([out_of_fold, known])
    for kind in np.unique(kinds, axis=0):
        own = (kinds == kind).all(axis=1)
        yield bool(kind[0]), np.flatnonzero(kind[1:]).tolist(), slice(None) if own.all() else own
