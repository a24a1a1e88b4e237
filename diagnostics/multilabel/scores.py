"""How suspect each item-label pair and each item is, from one chunked pass over the predicted probabilities.

`loss` and `entropy` are high where something is suspect; `margin` and `label_quality` are low there. A suspect pair is
`superfluous` if the item has the label as given, and `missing` if it has not.

An item's label quality is the probability that its whole set is right, the product over its pairs; its suspect label
is that of its worst pair.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from diagnostics.chunks import for_each_chunk, native_rows
from diagnostics.errors import DataError
from diagnostics.multilabel.label_quality import PairQuality
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.signals import PairSignals
from diagnostics.predictions import ObjectArray
from diagnostics.scores import SMALLEST_PROBABILITY
from diagnostics.task import BoolArray, FloatArray, IntArray, RowArray

MISSING, SUPERFLUOUS = "missing", "superfluous"
HALF = 0.5
CHUNK_CELLS = 250_000
NO_CLASS = -1


@dataclass(frozen=True, slots=True)
class Pairs:
    """Some items' pairs; each (n, n_classes).

    targets : the given values; probs : of having the label; quality : of the given values
    thresholds : (n_classes,), from which probability on an item is predicted to have the label
    """

    targets: BoolArray
    probs: FloatArray
    quality: FloatArray
    thresholds: FloatArray

    @property
    def loss(self) -> FloatArray:
        """Binary cross-entropy in nats, in [0, 87.4]."""
        p_given = np.where(self.targets, self.probs, 1 - self.probs)
        loss: FloatArray = -np.log(np.maximum(p_given, SMALLEST_PROBABILITY))
        return loss

    @property
    def margin(self) -> FloatArray:
        """How far the probability is on the given value's side of the threshold, in [-1, 1]."""
        above = self.probs - self.thresholds
        margin: FloatArray = np.where(self.targets, above, -above)
        return margin

    @property
    def entropy(self) -> FloatArray:
        """Of each prediction, in nats, in [0, ln 2]; it asks for no label."""
        entropy = np.zeros(self.probs.shape)
        for p in (self.probs, 1 - self.probs):
            entropy -= p * np.log(np.maximum(p, SMALLEST_PROBABILITY))
        return entropy


@dataclass(frozen=True, slots=True)
class PairScore:
    """A score to rank pairs and items by. ascending : small values are the suspect ones."""

    ascending: bool
    of: Callable[[Pairs], FloatArray]


PAIR_SCORES: dict[str, PairScore] = {
    "label_quality": PairScore(True, lambda pairs: pairs.quality),
    "loss": PairScore(False, lambda pairs: pairs.loss),
    "margin": PairScore(True, lambda pairs: pairs.margin),
    "entropy": PairScore(False, lambda pairs: pairs.entropy),
}


@dataclass(frozen=True, slots=True)
class ItemScores:
    """The scores of n items, (n_items,) each; NaN where a score needs labels and nobody labelled the item.

    loss : mean binary cross-entropy over the classes, in nats; high = suspect
    margin : of the worst pair, in [-1, 1]; low = some value is surely another
    entropy : mean over the classes, in nats, in [0, ln 2]; high = the model cannot decide
    label_quality : the probability that the whole set is right, in [0, 1]; low = suspect
    suspect : the class of the pair with the lowest quality, the first of equals; NO_CLASS (-1) without labels
    """

    loss: FloatArray
    margin: FloatArray
    entropy: FloatArray
    label_quality: FloatArray
    suspect: RowArray


@dataclass(frozen=True, slots=True)
class SuspectPairs:
    """The most suspect pairs, most suspect first, equal ones in the order of the items and classes; (n,) each.

    rows, columns : their items and classes
    values : what they are ordered by; probs : of having the label; quality : of the given value
    """

    rows: RowArray
    columns: RowArray
    values: FloatArray
    probs: FloatArray
    quality: FloatArray

    def at(self, places: IntArray | BoolArray) -> "SuspectPairs":
        """Some of them."""
        return SuspectPairs(**{each.name: getattr(self, each.name)[places] for each in fields(self)})

    def kinds(self, label_sets: LabelSets) -> ObjectArray:
        """(n,) of SUPERFLUOUS where the item has the label as given, and MISSING where it has not."""
        return kinds_of(label_sets.targets[self.rows, self.columns])


def kinds_of(given: BoolArray) -> ObjectArray:
    """What a wrong pair is, by its given value.

    >>> kinds_of(np.array([True, False])).tolist()
    ['superfluous', 'missing']
    """
    return np.where(given, SUPERFLUOUS, MISSING).astype(object)


def score_label_sets(
    signals: PairSignals,
    quality: PairQuality,
    *,
    thresholds: FloatArray | None = None,
    by: str = "label_quality",
    n_pairs: int = 0,
    chunk_rows: int | None = None,
) -> tuple[ItemScores, SuspectPairs]:
    """Score every item, and find the most suspect pairs, in one pass; a few chunks are in memory at a time.

    thresholds : (n_classes,), in [0, 1], see `diagnostics.multilabel.thresholds`; 0.5 if not given
    by, n_pairs : a name of PAIR_SCORES, and how many pairs to return by it; pairs of items that nobody labelled have no
        rank
    raises : DataError for probabilities outside [0, 1], naming row and class
    """
    if by not in PAIR_SCORES:
        raise DataError(f"Pairs can be ranked by {', '.join(PAIR_SCORES)}; found {by!r}.")
    label_sets, pred_probs = signals.label_sets, signals.pred_probs
    n_items, n_classes = pred_probs.shape
    thresholds = np.full(n_classes, HALF) if thresholds is None else thresholds
    loss, margin, entropy, label_quality = (np.full(n_items, np.nan) for _ in range(4))
    found = ItemScores(loss, margin, entropy, label_quality, np.full(n_items, NO_CLASS, np.int32))
    most = _MostSuspect(n_pairs, ascending=PAIR_SCORES[by].ascending)

    def score(rows: slice) -> None:
        probs = native_rows(pred_probs, rows)
        check_probabilities(probs, label_sets.classes, first_row=rows.start)
        of_labelled = label_sets.labelled[rows]
        pairs = Pairs(
            label_sets.targets[rows], probs.astype(np.float64), quality.of(signals, rows), thresholds
        )
        _score_chunk(found, pairs, rows, of_labelled)
        if n_pairs:
            most.offer(PAIR_SCORES[by].of(pairs), pairs, of_labelled, first_row=rows.start)

    for_each_chunk(score, n_items, n_classes, chunk_rows or max(1, CHUNK_CELLS // n_classes))
    return found, most.in_order()


def check_probabilities(probs: FloatArray, classes: Sequence[str], *, first_row: int) -> None:
    """Refuse what is no probability.

    raises : DataError naming the first such row, counted from `first_row`, and class
    """
    if (probs >= 0).all() and (probs <= 1).all():
        return
    row, column = np.argwhere(~((probs >= 0) & (probs <= 1)))[0]
    value = float(probs[row, column])
    what = "no number (NaN)" if np.isnan(value) else f"{value:.4g}"
    raise DataError(
        f"Row {first_row + row}, column {column} ({classes[column]}) of the probabilities is {what}; expected a "
        "probability from 0 to 1 for each class by itself. If these are logits, give their sigmoid."
    )


def _score_chunk(found: ItemScores, pairs: Pairs, rows: slice, labelled: BoolArray) -> None:
    found.entropy[rows] = pairs.entropy.mean(axis=1)
    found.loss[rows] = np.where(labelled, pairs.loss.mean(axis=1), np.nan)
    found.margin[rows] = np.where(labelled, pairs.margin.min(axis=1), np.nan)
    found.label_quality[rows] = pairs.quality.prod(axis=1)
    worst = np.where(labelled[:, None], pairs.quality, 1).argmin(axis=1)
    found.suspect[rows] = np.where(labelled, worst, NO_CLASS)


class _MostSuspect:
    """The n most suspect of all pairs that are offered, whatever the order; safe to use from several threads."""

    def __init__(self, n: int, *, ascending: bool) -> None:
        self._n = n
        self._sign = 1.0 if ascending else -1.0
        self._limit = np.inf
        self._kept = [
            SuspectPairs(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0), np.empty(0), np.empty(0))
        ]
        self._lock = threading.Lock()

    def offer(self, values: FloatArray, pairs: Pairs, labelled: BoolArray, *, first_row: int) -> None:
        """values : (n_rows, n_classes)"""
        suspicion = self._sign * values
        rows, columns = np.nonzero((suspicion <= self._limit) & labelled[:, None])
        offered = SuspectPairs(
            rows=(rows + first_row).astype(np.int32),
            columns=columns.astype(np.int32),
            values=suspicion[rows, columns],
            probs=pairs.probs[rows, columns],
            quality=pairs.quality[rows, columns],
        )
        with self._lock:
            self._kept.append(offered)
            if sum(len(each.rows) for each in self._kept) > 2 * self._n + CHUNK_CELLS:
                self._drop()

    def in_order(self) -> SuspectPairs:
        """What is kept, in order."""
        self._drop()
        kept = self._kept[0]
        kept = kept.at(np.lexsort((kept.columns, kept.rows, kept.values))[: self._n])
        return replace(kept, values=self._sign * kept.values)

    def _drop(self) -> None:
        """All that cannot be among the n any more; what equals the last one stays."""
        names = [each.name for each in fields(SuspectPairs)]
        joined = {name: np.concatenate([getattr(each, name) for each in self._kept]) for name in names}
        kept = SuspectPairs(**joined)
        if len(kept.rows) > self._n > 0:
            self._limit = np.partition(kept.values, self._n - 1)[self._n - 1]
            kept = kept.at(kept.values <= self._limit)
        self._kept = [kept]
