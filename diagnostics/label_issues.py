"""Which labels are probably wrong: confident learning, over probabilities that need not fit into memory.

Source: Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 2021. The issues
and their order are those of `cleanlab.filter.find_label_issues`, its rounding of counts included, except that

- of equal scores the earlier row comes first, and of equal margins or probabilities at a cut the earlier row is an
  issue; cleanlab leaves both to NumPy's unstable sort, whose answer depends on the processor. (The rounding of the
  confident joint has such ties too; there the answer is cleanlab's, by the same call.)
- items without a label are left out, one class or one given class alone has an answer, and so has an empty input;
- rows that are no distribution are refused, and float16 is computed with as float32.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from diagnostics.chunks import chunks_of, copy_rows, for_each_chunk, n_cores, native_rows
from diagnostics.errors import DataError
from diagnostics.scores import ItemScores, class_counts, score_items
from diagnostics.task import NO_LABEL, BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from diagnostics.kernels import Pairs

CountArray = npt.NDArray[np.signedinteger]

FILTERS = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning")

CACHED_CELLS = 120_000
"""Probabilities that a core's second cache holds."""

OUT_OF_REACH = 2.0
SMALLEST_SUM = 1e-100
SMALLEST_THRESHOLD = 2e-6
TOLERANCE = 1e-6
"""How far below its threshold a probability still counts as confident, and below another still as the largest."""


@dataclass(frozen=True, slots=True)
class LabelIssues:
    """The items whose label is probably wrong.

    rows : (n_issues,), their positions, most suspect first
    thresholds : (n_classes,), the mean probability of each class over the items labelled with it; NaN: nobody has it
    confident_joint : (n_classes, n_classes) of int64; how many items given class i are estimated to be of class j;
        row i sums to the number of items given class i
    """

    rows: IntArray
    thresholds: FloatArray
    confident_joint: IntArray


class WrongPairs(NamedTuple):
    """The pairs of a given and another class of which at least one item is wrong, by given class, then by the other.

    others, given, counts : (n_pairs,), the two classes, and how many items of the given class are of the other
    """

    others: IntArray
    given: IntArray
    counts: IntArray


def find_label_issues(
    codes: IntArray,
    pred_probs: FloatArray,
    *,
    filter_by: str = "prune_by_noise_rate",
    rank_by: str = "self_confidence",
    min_examples_per_class: int = 1,
    scores: ItemScores | None = None,
) -> LabelIssues:
    """The label issues of confident learning; `pred_probs` is read once, and again where a row is near a decision.

    codes : (n_items,), positions of the given labels, -1 where there is none
    pred_probs : (n_items, n_classes), out of sample, rows sum to 1; may be memory-mapped
    filter_by : prune_by_noise_rate: for each pair of classes, as many as the joint estimates, by margin;
        prune_by_class: for each given class, as many as the joint estimates, by its probability;
        both: those in both; confident_learning: those counted off the diagonal of the joint
    rank_by : self_confidence, normalized_margin or confidence_weighted_entropy; lowest first
    min_examples_per_class : at least so many items of each class are taken to be right
    scores : what `score_items` gave for the same codes and probabilities, if it was called already
    raises : DataError for what `score_items` refuses, and for unknown names
    """
    _check_names(filter_by, rank_by)
    scores = score_items(codes, pred_probs) if scores is None else scores
    if pred_probs.shape != (len(scores.codes), len(scores.thresholds)):
        raise DataError(
            f"The scores are of {len(scores.codes)} items and {len(scores.thresholds)} classes, the probabilities have "
            f"shape {pred_probs.shape}. Score these probabilities."
        )
    codes, n_classes = scores.codes, pred_probs.shape[1]
    n_items_of = class_counts(codes, n_classes)
    thresholds = scores.class_means
    guesses = _confident_classes(scores, pred_probs, thresholds)
    by_guess = calibrated_joint(_counted_pairs(codes, guesses, n_classes), n_items_of)
    contradicted = _contradicted(scores)
    suspects = contradicted.copy()
    if filter_by == "confident_learning":
        suspects &= (guesses != NO_LABEL) & (guesses != codes)
    if filter_by in ("prune_by_class", "both"):
        suspects &= _lowest_of_class(
            scores, n_items_of, count_wrong(by_guess, n_items_of, min_examples_per_class)
        )
    if filter_by in ("prune_by_noise_rate", "both"):
        wrong = count_wrong_by_pair(by_guess, n_items_of, min_examples_per_class)
        suspects &= _largest_margins(scores, pred_probs, wrong, contradicted)
    rows = np.flatnonzero(suspects)
    order = _stable_order(RANKERS[rank_by](scores, pred_probs, rows))
    return LabelIssues(rows[order], thresholds, by_guess.T)


def _stable_order(values: FloatArray) -> IntArray:
    """As a stable argsort of values of at least 0, which have the order of their bits: those of float32 are sorted with
    their place behind them as one number each, which takes a tenth of the time.

    >>> _stable_order(np.array([0.5, 0.25, 0.5], dtype=np.float32))
    array([1, 0, 2])
    """
    if values.dtype != np.float32:
        return np.argsort(values, kind="stable")
    numbered = ((values + np.float32(0)).view(np.int32).astype(np.int64) << 32) | np.arange(len(values))
    numbered.sort()
    return numbered & np.iinfo(np.uint32).max


def _check_names(filter_by: str, rank_by: str) -> None:
    for option, found, known in (("filter_by", filter_by, FILTERS), ("rank_by", rank_by, tuple(RANKERS))):
        if found not in known:
            raise DataError(f"{option} must be one of {', '.join(known)}; found {found!r}.")


def _confident_classes(scores: ItemScores, pred_probs: FloatArray, thresholds: FloatArray) -> IntArray:
    """The class that each labelled item confidently is, (n_items,); -1 where it is none, or has no label.

    A class is confident where its probability reaches its threshold; where several are, the most probable counts. Only
    where the most probable is not confident itself, and the second could be, is the row read again.
    """
    from diagnostics.kernels import UNCLEAR, first_two_above, guess_classes

    limits = confident_limits(thresholds, scores.p_given.dtype)
    guesses = np.empty_like(scores.predicted)
    guess_classes(scores.codes, scores.predicted, scores.p_predicted, scores.p_second, limits, guesses)
    unclear = np.flatnonzero(guesses == UNCLEAR)

    def read_again(places: slice) -> None:
        rows = unclear[places]
        first, n_above = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
        first_two_above(native_rows(pred_probs, rows), limits, first, n_above)
        several = np.where(n_above > 1, scores.predicted[rows], NO_LABEL)
        guesses[rows] = np.where(n_above == 1, first, several)

    for_each_chunk(read_again, len(unclear), pred_probs.shape[1])
    return guesses


def confident_limits(thresholds: FloatArray, dtype: np.dtype[np.floating]) -> FloatArray:
    """From which probability on a class is confident; out of reach for a class nobody has. In cleanlab's precision."""
    nobody = np.isnan(thresholds)
    known = np.where(nobody, OUT_OF_REACH, thresholds).astype(np.float64 if nobody.any() else dtype)
    limits = np.maximum(known, SMALLEST_THRESHOLD) - TOLERANCE
    return limits.astype(np.float64)


def _counted_pairs(codes: IntArray, guesses: IntArray, n_classes: int) -> CountArray:
    from diagnostics.kernels import count_pairs

    counts = np.zeros((n_classes + 1, n_classes), dtype=np.int32)
    count_pairs(guesses, codes, counts)
    return counts[:n_classes]


def calibrated_joint(counts: CountArray, n_items_of: IntArray) -> IntArray:
    """The confident joint (equation 1), scaled so that each column sums to the number of items given that class.

    At least one item of each class counts as what it is given as. A row is a guess here and a column a given class, for
    the sake of the sum over all: halves are common, its last bit decides how they are rounded, and cleanlab adds up so.

    counts : (n_classes, n_classes), how many items are confidently each class, by given class
    returns : (n_classes, n_classes) of int64
    """
    n_classes = len(counts)
    is_counted = counts != 0
    np.fill_diagonal(is_counted, True)
    places = np.flatnonzero(is_counted)
    rows, columns = np.divmod(places, n_classes)
    scaled = np.maximum(counts.ravel()[places], rows == columns).astype(np.float64)
    scaled /= np.bincount(columns, scaled, n_classes)[columns]
    scaled *= n_items_of[columns]
    table: FloatArray = np.zeros((n_classes, n_classes))
    table[rows, columns] = scaled
    scaled /= max(float(np.sum(table)), SMALLEST_SUM)
    scaled *= n_items_of.sum()
    joint: IntArray = table.view(np.int64)
    joint[rows, columns] = scaled.round()
    _make_up_sums(joint, scaled, rows, columns)
    return joint


def _make_up_sums(joint: IntArray, counts: FloatArray, rows: IntArray, columns: IntArray) -> None:
    """Move the numbers nearest to the next one by one until each column has the sum again that it had before rounding.

    joint : (n_classes, n_classes), rounded
    counts, rows, columns : (n_places,), what it was before where it was not 0, and where, row by row, ascending

    >>> joint = np.array([[0, 2], [1, 1]])
    >>> _make_up_sums(joint, np.array([0.4, 2.0, 1.3, 1.4]), *np.divmod(np.arange(4), 2))
    >>> joint
    array([[1, 2],
           [1, 1]])
    """
    n_classes = len(joint)
    rounded = joint[rows, columns]
    rests = counts - rounded
    sums, rounded_sums = (np.bincount(columns, values, n_classes) for values in (counts, rounded))
    missing = (sums.round() - rounded_sums).astype(np.int64)
    off = np.flatnonzero(missing)
    by_column = np.argsort(columns, kind="stable")
    starts, stops = (np.searchsorted(columns[by_column], off, side=side) for side in ("left", "right"))
    column_rests = np.empty(n_classes)
    for column, start, stop in zip(off.tolist(), starts.tolist(), stops.tolist(), strict=True):
        mine = by_column[start:stop]
        column_rests[:] = 0
        column_rests[rows[mine]] = rests[mine]
        order, n_missing = np.argsort(column_rests), missing[column]
        moved = order[-n_missing:] if n_missing > 0 else order[:-n_missing]
        joint[moved, column] += np.sign(n_missing)


def count_wrong(by_guess: IntArray, n_items_of: IntArray, min_examples_per_class: int) -> IntArray:
    """How many items of each given class are wrong, so that enough stay."""
    n_right = np.maximum(by_guess.diagonal(), min_examples_per_class)
    n_wrong: IntArray = np.maximum(n_items_of - n_right, 0)
    n_wrong[~_can_lose(n_items_of, min_examples_per_class)] = 0
    return n_wrong


def count_wrong_by_pair(by_guess: IntArray, n_items_of: IntArray, min_examples_per_class: int) -> WrongPairs:
    """How many items of each given class are of each other class.

    What a class lacks to `min_examples_per_class` right items is taken from all its pairs alike, rounded down.
    """
    others, given = np.divmod(np.flatnonzero(by_guess != 0), len(by_guess))
    n_short = np.maximum(min_examples_per_class - by_guess.diagonal(), 0)
    n_pairs = np.maximum(np.bincount(given, minlength=len(by_guess)) - 1, 1)
    counts = (by_guess[others, given] - (n_short / n_pairs)[given]).astype(np.int64)
    wanted = (others != given) & (counts > 0) & _can_lose(n_items_of, min_examples_per_class)[given]
    by_given = np.flatnonzero(wanted)[np.argsort(given[wanted], kind="stable")]
    return WrongPairs(others[by_given], given[by_given], counts[by_given])


def _can_lose(n_items_of: IntArray, min_examples_per_class: int) -> BoolArray:
    enough: BoolArray = n_items_of > max(min_examples_per_class, 1)
    return enough


def _contradicted(scores: ItemScores) -> BoolArray:
    """Where another class is clearly more probable than the given one; only such an item can be an issue."""
    from diagnostics.kernels import find_contradicted

    contradicted = np.empty(len(scores.codes), dtype=bool)
    tolerance = scores.p_given.dtype.type(TOLERANCE)
    find_contradicted(
        scores.codes, scores.predicted, scores.p_predicted, scores.p_given, tolerance, contradicted
    )
    return contradicted


def _lowest_of_class(scores: ItemScores, n_items_of: IntArray, n_lowest: IntArray) -> BoolArray:
    """The `n_lowest` items of each given class to which it has the lowest probability."""
    order = np.lexsort((scores.p_given, scores.codes))[len(scores.codes) - n_items_of.sum() :]
    places = np.arange(len(order)) - np.repeat(np.cumsum(n_items_of) - n_items_of, n_items_of)
    lowest = np.zeros(len(scores.codes), dtype=bool)
    lowest[order] = places < np.repeat(n_lowest, n_items_of)
    return lowest


def _largest_margins(
    scores: ItemScores, pred_probs: FloatArray, wrong: WrongPairs, contradicted: BoolArray
) -> BoolArray:
    """For each pair of classes, as many items of the given class as are wrong, by p(other) - p(given).

    The margin to the predicted class is known from the scores, and no other margin is larger than that to the second.
    So once the pairs have had their offers of predicted items, most rows need not be read. Of the others the
    `contradicted` ones come first; no margin of the rest is above TOLERANCE but by rounding, so that they can enter
    only where a heap is not full, or holds as small ones. Each thread looks for the pairs of its own given classes.
    """
    from diagnostics.kernels import offer_predicted, offer_rows, rows_that_may_enter

    n_items, n_classes = pred_probs.shape
    pairs = _empty_pairs(wrong, n_classes, scores.p_given.dtype)
    codes, predicted = scores.codes, scores.predicted
    of_others = np.flatnonzero((predicted != codes) & (codes != NO_LABEL))

    def offer(turn: int) -> None:
        is_mine = np.append(np.arange(n_classes) % n_cores() == turn, False)
        offer_predicted(of_others, is_mine, codes, predicted, scores.p_predicted, scores.p_given, pairs)
        offer_all(contradicted, is_mine)
        is_mine[:-1] &= pairs.floors <= 2 * TOLERANCE
        if is_mine.any():
            offer_all(~contradicted, is_mine)

    def offer_all(is_candidate: BoolArray, is_mine: BoolArray) -> None:
        rows = np.empty(min(n_items, max(1, CACHED_CELLS // n_classes)), dtype=np.int64)
        probs = np.empty((len(rows), n_classes), dtype=pairs.margins.dtype)
        start = 0
        while start < n_items:
            n_found, start = rows_that_may_enter(
                start, is_candidate, is_mine, codes, scores.p_second, scores.p_given, pairs.floors, rows
            )
            found = rows[:n_found]
            copy_rows(pred_probs, found, probs)
            offer_rows(probs, found, codes, predicted, scores.p_given, pairs)

    with ThreadPoolExecutor(n_cores()) as pool:
        list(pool.map(offer, range(n_cores())))
    largest = np.zeros(n_items, dtype=bool)
    largest[pairs.kept[pairs.kept != NO_LABEL]] = True
    return largest


def _empty_pairs(wrong: WrongPairs, n_classes: int, dtype: np.dtype[np.floating]) -> "Pairs":
    from diagnostics.kernels import Pairs

    n_places = wrong.counts
    has_pair = np.bincount(wrong.given, minlength=n_classes) > 0
    return Pairs(
        starts=np.searchsorted(wrong.given, np.arange(n_classes + 1)),
        others=wrong.others,
        heap_starts=np.concatenate([[0], np.cumsum(n_places)]),
        n_kept=np.zeros(len(n_places), dtype=np.int64),
        entries=np.full(len(n_places), -np.inf, dtype=dtype),
        floors=np.where(has_pair, -np.inf, np.inf).astype(dtype),
        margins=np.empty(n_places.sum(), dtype=dtype),
        kept=np.full(n_places.sum(), NO_LABEL),
    )


def _weighted_entropy(scores: ItemScores, pred_probs: FloatArray, rows: IntArray) -> FloatArray:
    """log(1 + x) / x of x = normalised entropy / probability of the given class, in (0, 1]; low = suspect."""
    from scipy.special import xlogy

    quality = np.empty(len(rows))
    for part in chunks_of(len(rows), pred_probs.shape[1]):
        probs = native_rows(pred_probs, rows[part])
        entropy = -np.sum(xlogy(probs, probs), axis=1) / np.log(pred_probs.shape[1])
        weighted = entropy / np.maximum(scores.p_given[rows[part]], TOLERANCE)
        quality[part] = np.log(weighted + 1) / np.maximum(weighted, TOLERANCE)
    return quality


Ranking = Callable[[ItemScores, FloatArray, IntArray], FloatArray]

RANKERS: dict[str, Ranking] = {
    "self_confidence": lambda scores, _, rows: scores.p_given[rows],
    "normalized_margin": lambda scores, _, rows: (scores.p_given[rows] - scores.p_best_other[rows] + 1) / 2,
    "confidence_weighted_entropy": _weighted_entropy,
}
