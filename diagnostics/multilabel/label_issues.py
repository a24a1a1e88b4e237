"""Which item-label pairs are probably wrong: confident learning, each class against the rest.

A class is a problem of its own with two answers, has and has not, of probability p and 1 - p, to which confident
learning is applied as in `diagnostics.label_issues`. The issues are those of
`cleanlab.multilabel_classification.filter.find_multilabel_issues_per_class`, except that of equal probabilities at a
cut the earlier item is an issue. The probabilities are read three times and need not fit into memory.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from diagnostics.chunks import for_each_chunk, native_rows, native_type
from diagnostics.errors import DataError
from diagnostics.label_issues import (
    FILTERS,
    TOLERANCE,
    calibrated_joint,
    confident_limits,
    count_wrong,
    count_wrong_by_pair,
)
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.scores import check_probabilities
from diagnostics.task import BoolArray, FloatArray, IntArray, RowArray

N_BINS = 512


@dataclass(frozen=True, slots=True)
class PairIssues:
    """The pairs whose given value is probably wrong, the least probable value first.

    rows, columns : (n_issues,), their items and classes
    thresholds : (n_classes, 2), the mean probability of not having, and of having, a label over the items given so;
        NaN: none are
    confident_joint : (n_classes, 2, 2) of int64; how many items given so (has not, has) are estimated to be so
    """

    rows: RowArray
    columns: RowArray
    thresholds: FloatArray
    confident_joint: IntArray

    def mask(self, n_items: int) -> BoolArray:
        """(n_items,), which items have such a pair."""
        found = np.zeros(n_items, dtype=bool)
        found[self.rows] = True
        return found


def find_pair_issues(
    label_sets: LabelSets,
    pred_probs: FloatArray,
    *,
    filter_by: str = "prune_by_noise_rate",
    chunk_rows: int | None = None,
) -> PairIssues:
    """The pair issues of confident learning.

    pred_probs : (n_items, n_classes), each in [0, 1], out of sample; may be memory-mapped
    filter_by : confident_learning: pairs confidently of the other value; any other name of
        `diagnostics.label_issues.FILTERS`: of each class and value as many as the joint estimates, least probable first
    raises : DataError for shapes that do not fit, probabilities outside [0, 1], and unknown names
    """
    if filter_by not in FILTERS:
        raise DataError(f"filter_by must be one of {', '.join(FILTERS)}; found {filter_by!r}.")
    pairs = _Pairs(label_sets, pred_probs, chunk_rows)
    n_items_of, sums = pairs.counted_and_summed()
    means = np.divide(sums, n_items_of, out=np.full(sums.shape, np.nan), where=n_items_of > 0)
    thresholds = means.astype(native_type(pred_probs)).astype(np.float64)
    limits = np.array([confident_limits(each, np.dtype(native_type(pred_probs))) for each in thresholds])
    counts, histogram = pairs.guessed(limits.reshape(-1, 2))
    joints = np.array([calibrated_joint(*each) for each in zip(counts, n_items_of, strict=True)])
    joints = joints.reshape(-1, 2, 2)
    n_wanted = np.array([_n_wanted(*each, filter_by) for each in zip(joints, n_items_of, strict=True)])
    rows, columns = pairs.lowest(n_wanted.reshape(-1, 2), histogram, limits, filter_by)
    return PairIssues(rows, columns, thresholds, joints.transpose(0, 2, 1))


def _n_wanted(by_guess: IntArray, n_items_of: IntArray, filter_by: str) -> IntArray:
    """(2,), how many pairs of one class given 0, and given 1, are to be found."""
    by_pair = np.zeros(2, dtype=np.int64)
    wrong = count_wrong_by_pair(by_guess, n_items_of, 1)
    by_pair[wrong.given] = wrong.counts
    by_class = count_wrong(by_guess, n_items_of, 1)
    choices = {
        "prune_by_noise_rate": by_pair,
        "prune_by_class": by_class,
        "both": np.minimum(by_pair, by_class),
        "confident_learning": n_items_of,
    }
    return choices[filter_by]


@dataclass(frozen=True)
class _Chunk:
    """Some items' pairs, (n, n_classes) each; of items that nobody labelled no pair is `given`.

    given : whether the pair is given as not having the label, and as having it
    p : of the two values
    """

    given: tuple[BoolArray, BoolArray]
    p: tuple[FloatArray, FloatArray]

    def contradicted(self, value: int) -> BoolArray:
        """The pairs given this value of which the other one is clearly more probable."""
        p_given, p_other = self.p[value] + self.p[value].dtype.type(TOLERANCE), self.p[1 - value]
        ahead = p_given <= p_other if value == 1 else p_given < p_other
        return self.given[value] & ahead & ~self.predicted(value)

    def predicted(self, value: int) -> BoolArray:
        """Where this value is the more probable one, of equal ones that of not having the label."""
        has: BoolArray = self.p[1] > self.p[0]
        return has if value == 1 else ~has

    def confident(self, value: int, limits: FloatArray) -> BoolArray:
        """Where a pair is confidently of this value; where it could be either, the more probable one counts."""
        reached = [self.p[each] >= limits[:, each] for each in (0, 1)]
        return reached[value] & (~reached[1 - value] | self.predicted(value))


@dataclass(frozen=True)
class _Pairs:
    """All pairs of the labelled items, read a chunk at a time by several threads."""

    label_sets: LabelSets
    pred_probs: FloatArray
    chunk_rows: int | None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def counted_and_summed(self) -> tuple[IntArray, FloatArray]:
        """(n_classes, 2) each: how many items are given 0 and 1, and the sum of the probabilities of that value."""

        counts, sums = np.zeros((len(self.label_sets.classes), 2), dtype=np.int64), {}

        def add(rows: slice) -> None:
            chunk = self._read(rows)
            p_given = [np.where(chunk.given[value], chunk.p[value], 0) for value in (0, 1)]
            sums[rows.start] = np.column_stack([each.sum(axis=0, dtype=np.float64) for each in p_given])
            with self.lock:
                counts[...] += np.column_stack([given.sum(axis=0) for given in chunk.given])

        self._for_each(add)
        total = sum((sums[start] for start in sorted(sums)), start=np.zeros(counts.shape))
        return counts, total

    def guessed(self, limits: FloatArray) -> tuple[FloatArray, IntArray]:
        """How many pairs are confidently 0 and 1, by given value: (n_classes, guess, given value); and how many of the
        contradicted ones lie in each bin of their probability: (n_classes, given value, N_BINS)."""
        counts = np.zeros((len(self.label_sets.classes), 2, 2), dtype=np.int64)
        histogram = np.zeros((len(self.label_sets.classes), 2, N_BINS), dtype=np.int64)

        def count(rows: slice) -> None:
            chunk = self._read(rows)
            for given in (0, 1):
                places, columns = np.nonzero(chunk.contradicted(given))
                bins = _bins(chunk.p[given][places, columns])
                confident = [
                    (chunk.confident(guess, limits) & chunk.given[given]).sum(axis=0) for guess in (0, 1)
                ]
                with self.lock:
                    counts[:, :, given] += np.column_stack(confident)
                    histogram[:, given] += _histogram(columns, bins, len(histogram))

        self._for_each(count)
        return counts.astype(np.float64), histogram

    def lowest(
        self, n_wanted: IntArray, histogram: IntArray, limits: FloatArray, filter_by: str
    ) -> tuple[RowArray, RowArray]:
        """Rows and columns of the contradicted pairs with the lowest probabilities, so many of each class and value.

        confident_learning: only of those that are confidently of the other value
        """
        last_bins = (histogram.cumsum(axis=2) < n_wanted[:, :, None]).sum(axis=2)
        last_bins[n_wanted == 0] = -1
        found: dict[int, list[_Found]] = {}

        def collect(rows: slice) -> None:
            chunk = self._read(rows)
            found[rows.start] = []
            for given in (0, 1):
                asked = chunk.contradicted(given)
                if filter_by == "confident_learning":
                    asked &= chunk.confident(1 - given, limits)
                places, columns = np.nonzero(asked)
                p_given = chunk.p[given][places, columns]
                near = _bins(p_given) <= last_bins[columns, given]
                found[rows.start].append(
                    _Found(
                        (places[near] + rows.start).astype(np.int32),
                        columns[near].astype(np.int32),
                        np.full(np.count_nonzero(near), given, dtype=np.int8),
                        p_given[near],
                    )
                )

        self._for_each(collect)
        return _lowest([each for start in sorted(found) for each in found[start]], n_wanted)

    def _for_each(self, work: Callable[[slice], None]) -> None:
        n_items, n_classes = self.pred_probs.shape
        for_each_chunk(work, n_items, n_classes, self.chunk_rows)

    def _read(self, rows: slice) -> _Chunk:
        has = native_rows(self.pred_probs, rows)
        check_probabilities(has, self.label_sets.classes, first_row=rows.start)
        targets, labelled = self.label_sets.targets[rows], self.label_sets.labelled[rows, None]
        return _Chunk((~targets & labelled, targets), (1 - has, has))


@dataclass(frozen=True)
class _Found:
    """Pairs, (n,) each: items, classes, given values and the probabilities of these."""

    rows: RowArray
    columns: RowArray
    given: npt.NDArray[np.int8]
    p_given: FloatArray


def _lowest(found: list[_Found], n_wanted: IntArray) -> tuple[RowArray, RowArray]:
    if not found:
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32)
    rows, columns, given, p_given = (
        np.concatenate([getattr(each, name) for each in found])
        for name in ("rows", "columns", "given", "p_given")
    )
    group = columns.astype(np.int64) * 2 + given
    order = np.lexsort((rows, p_given, group))
    begins = np.searchsorted(group[order], group[order])
    order = order[np.arange(len(order)) - begins < n_wanted.ravel()[group[order]]]
    order = order[np.lexsort((columns[order], rows[order], p_given[order]))]
    return rows[order], columns[order]


def _histogram(columns: IntArray, bins: IntArray, n_classes: int) -> IntArray:
    """(n_classes, N_BINS), how many there are of each class in each bin."""
    flat = np.bincount(columns * N_BINS + bins, minlength=n_classes * N_BINS)
    return flat.reshape(n_classes, N_BINS)


def _bins(p_given: FloatArray) -> IntArray:
    """The bin of a contradicted value's probability, which is at most a half; smaller ones are in earlier bins."""
    bins: IntArray = np.minimum(p_given * (2 * N_BINS), N_BINS - 1).astype(np.int64)
    return bins
