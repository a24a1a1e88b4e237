"""How well each class is recognised, with a 95 % interval on every number."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from diagnostics.errors import DataError
from diagnostics.task import NO_LABEL, FloatArray, IntArray, targets_of

CONFIDENCE = 0.95
MIN_SUPPORT = 10
N_RESAMPLES = 1000

UNDERPERFORMING = "underperforming"
TOO_FEW = "too few to judge"
FINE = ""
UNDERPERFORMING_RULE = (
    "A class is marked as underperforming when the whole 95 % interval of its F1 lies below the macro F1, "
    f"and as too few to judge when it has fewer than {MIN_SUPPORT} items here."
)

CLASS_COLUMNS = (
    "label",
    *(f"{name}{end}" for name in ("precision", "recall", "f1") for end in ("", "_low", "_high")),
    "support",
    "n_predicted",
    "mark",
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, in [0, 1] if nothing else is said, with its 95 % interval; NaN where there is nothing to go by."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Metrics of one set of predictions on one set of labelled items.

    table : one row a class, in the order of the classes, columns CLASS_COLUMNS; NaN where a number is not defined
        (precision of a class nobody predicted, recall of a class nobody has)
    """

    n_items: int
    accuracy: Estimate
    macro_f1: Estimate
    table: pd.DataFrame

    def worst_first(self) -> pd.DataFrame:
        """The table by ascending F1; classes without one come last."""
        return self.table.sort_values(["f1", "label"], na_position="last", ignore_index=True)


def class_report(
    codes: IntArray, predicted: IntArray, classes: tuple[str, ...], *, seed: int = 0
) -> ClassReport:
    """Accuracy, macro F1 and, per class, precision, recall and F1; items without a label are left out.

    codes, predicted : (n_items,), positions in `classes`; -1 in `codes` = no label
    seed : of the bootstrap behind the interval of macro F1

    Intervals: Wilson's score interval for accuracy, precision and recall; for F1 the same on the Jaccard index
    J = TP / (TP + FP + FN), of which F1 = 2 J / (1 + J) is an increasing function; for macro F1 a percentile bootstrap
    over items. Macro F1 is the mean over the classes that occur among the labels or the predictions.
    """
    labelled = codes != NO_LABEL
    counts = confusion_counts(codes[labelled], predicted[labelled], len(classes))
    n_items = int(counts.sum())
    macro = _macro_f1(counts, seed=seed)
    hits = np.diag(counts).astype(float)
    table = class_table(hits, counts.sum(axis=1), counts.sum(axis=0), classes, macro_f1=macro.value)
    return ClassReport(
        n_items=n_items, accuracy=proportion(np.trace(counts), n_items), macro_f1=macro, table=table
    )


def confusion_counts(codes: IntArray, predicted: IntArray, n_classes: int) -> IntArray:
    """How often label i was predicted as j: (n_classes, n_classes); every item must have a label.

    codes, predicted : (n_items,), in [0, n_classes)
    raises : DataError if they are not of the same items

    >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    if codes.shape != predicted.shape:
        raise DataError(f"{len(codes)} labels do not fit {len(predicted)} predictions.")
    flat = np.bincount(codes * n_classes + predicted, minlength=n_classes * n_classes)
    return flat.reshape(n_classes, n_classes).astype(np.int64)


def wilson_interval(successes: FloatArray, trials: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Wilson's 95 % score interval of a proportion (E. B. Wilson, JASA 1927), element by element.

    successes, trials : same shape, 0 <= successes <= trials
    returns : low and high, in [0, 1]; NaN where there are no trials

    >>> low, high = wilson_interval(np.array([8.0]), np.array([10.0]))
    >>> low.round(3), high.round(3)
    (array([0.49]), array([0.943]))
    """
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = successes / trials
        centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
        half = z * np.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def proportion(successes: float, trials: float) -> Estimate:
    """A share with Wilson's 95 % score interval; NaN without trials.

    >>> share = proportion(8, 10)
    >>> share.value, round(share.low, 3), round(share.high, 3)
    (0.8, 0.49, 0.943)
    """
    columns = _with_interval("value", np.array([float(successes)]), np.array([float(trials)]))
    return Estimate(*(float(values[0]) for values in columns.values()))


def share_of_answers(right: FloatArray, asked: FloatArray) -> Estimate:
    """How much is answered right of what is asked of items, as many answers an item as there are.

    right, asked : (n_items,), 0 <= right <= asked
    Wilson's interval at `n_independent` answers, because those of an item are right and wrong together.

    >>> share = share_of_answers(np.repeat([1.0, 0.0], [8, 2]), np.ones(10))
    >>> share.value, round(share.low, 3), round(share.high, 3)
    (0.8, 0.49, 0.943)
    """
    n_asked = float(asked.sum())
    n_effective = n_independent(right, asked)
    return (
        proportion(float(right.sum()) / n_asked * n_effective, n_effective) if n_asked else proportion(0, 0)
    )


def n_independent(right: FloatArray, asked: FloatArray) -> float:
    """How many independent answers would tell a share as well as these, in [0, all that are asked].

    right, asked : as for `share_of_answers`
    L. Kish's effective sample size (Survey Sampling, 1965), of a ratio whose variance is that of its linear part
    between items (W. G. Cochran, Sampling Techniques, 1977, chapter 6); as many as items where all answers are alike.

    >>> n_independent(np.array([4.0, 0.0, 4.0, 4.0]), np.full(4, 4.0))
    4.0
    """
    n_asked = float(asked.sum())
    share = float(right.sum()) / n_asked if n_asked else 0.0
    variance = float(np.square(right - share * asked).sum()) / max(n_asked, 1.0) ** 2
    if variance == 0:
        return float(np.count_nonzero(asked))
    return min(share * (1 - share) / variance, n_asked)


def difference_of_proportions(first: Estimate, second: Estimate) -> Estimate:
    """The first share minus the second, of independent samples, in [-1, 1], with its 95 % interval.

    first, second : as `proportion` gives them; NaN if either is
    Method 10 of R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics in
    Medicine 17 (1998): the square-and-add of the two Wilson intervals, without continuity correction.

    >>> difference = difference_of_proportions(proportion(56, 70), proportion(48, 80))
    >>> round(difference.value, 4), round(difference.low, 4), round(difference.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    value = first.value - second.value
    low = value - np.hypot(first.value - first.low, second.high - second.value)
    high = value + np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, float(np.maximum(low, -1)), float(np.minimum(high, 1)))


def class_table(
    hits: FloatArray, support: IntArray, n_predicted: IntArray, classes: tuple[str, ...], *, macro_f1: float
) -> pd.DataFrame:
    """One row a class, CLASS_COLUMNS, from counts, (n_classes,) each.

    hits : items that have the label and are predicted to; support : that have it; n_predicted : that are predicted to
    macro_f1 : what marks are relative to
    """
    union = support + n_predicted - hits
    columns: dict[str, object] = {"label": list(classes)}
    columns |= _with_interval("precision", hits, n_predicted.astype(float))
    columns |= _with_interval("recall", hits, support.astype(float))
    jaccard = _with_interval("f1", hits, union)
    columns |= {name: 2 * values / (1 + values) for name, values in jaccard.items()}
    columns |= {"support": support, "n_predicted": n_predicted}
    table = pd.DataFrame(columns)
    table["mark"] = [
        _mark(n_items, high, macro_f1)
        for n_items, high in zip(table["support"], table["f1_high"], strict=True)
    ]
    return table[list(CLASS_COLUMNS)]


def _with_interval(name: str, successes: FloatArray, trials: FloatArray) -> dict[str, FloatArray]:
    value = np.divide(successes, trials, out=np.full(len(trials), np.nan), where=trials > 0)
    low, high = wilson_interval(successes, trials)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _macro_f1(counts: IntArray, *, seed: int) -> Estimate:
    n_items = int(counts.sum())
    if n_items == 0:
        return Estimate(np.nan, np.nan, np.nan)
    rows, columns = np.nonzero(counts)
    cell_counts = counts[rows, columns]
    value = _macro_f1_of_cells(cell_counts[None, :], rows, columns, len(counts))[0]
    rng = np.random.default_rng(seed)
    resampled = rng.multinomial(n_items, cell_counts / n_items, size=N_RESAMPLES)
    macro = _macro_f1_of_cells(resampled, rows, columns, len(counts))
    low, high = np.quantile(macro, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(value), float(low), float(high))


def _macro_f1_of_cells(
    cell_counts: IntArray, rows: IntArray, columns: IntArray, n_classes: int
) -> FloatArray:
    """Macro F1 of several confusion matrices that share their non-empty cells, given as (n_matrices, n_cells)."""
    given = targets_of(rows, n_classes).astype(float)
    taken_for = targets_of(columns, n_classes).astype(float)
    weights = cell_counts.astype(float)
    hits = weights @ (given * taken_for)
    total = weights @ (given + taken_for)
    f1 = np.divide(2.0 * hits, total, out=np.zeros(total.shape), where=total > 0)
    macro: FloatArray = f1.sum(axis=1) / (total > 0).sum(axis=1)
    return macro


def _mark(support: int, f1_high: float, macro_f1: float) -> str:
    if support < MIN_SUPPORT:
        return TOO_FEW
    return UNDERPERFORMING if f1_high < macro_f1 else FINE
