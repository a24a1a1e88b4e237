"""Whether a model became better: two sides on the same items and labels, with intervals and verdicts.

A side is one or more trainings. What is compared is the mean over its trainings, so that the verdict is about the data
and the way to train, not about one lucky seed. The interval of a difference holds both sources of chance: the items it
is measured on (`diagnostics.influence`) and the training (`diagnostics.training_noise`). Its variance is the sum of
both parts, its quantile that of Student's t with Satterthwaite's degrees of freedom (F. E. Satterthwaite, Biometrics
Bulletin 2, 1946).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse, stats

from diagnostics.errors import DataError
from diagnostics.fold_arrays import FoldArray
from diagnostics.influence import CLASS_METRICS, Ratios, divide, mean_of_parts, squares
from diagnostics.measures import AnyMetrics, Measure, classes_measure
from diagnostics.metric_names import METRICS
from diagnostics.metrics import CONFIDENCE
from diagnostics.task import NO_LABEL, FloatArray, IntArray
from diagnostics.training_noise import (
    FOLDS,
    NONE,
    SEEDS,
    TYPICAL,
    Training,
    TrainingNoise,
    in_units,
    influence_of,
    measure_noise,
)

IMPROVED, WORSE, CANNOT_TELL = "improved", "worse", "cannot tell"
FIXED, BROKEN, STILL_WRONG = "fixed", "broken", "still wrong"
ALPHA, POWER, ONE_POINT = 1 - CONFIDENCE, 0.8, 0.01

F1_COLUMNS = (
    "label", "f1_before", "f1_after", "f1_difference", "f1_difference_low", "f1_difference_high", "support",
)  # fmt: skip
WHOLE_COLUMNS = (
    "metric", "before", "after", "difference", "low", "high", "item_se", "training_se",
    "p_value", "p_adjusted", "verdict", "n_needed",
)  # fmt: skip
CLASS_COLUMNS = (
    "label", "support",
    *(f"{metric}_{part}" for metric in CLASS_METRICS for part in ("before", "after", "difference", "low", "high")),
    "p_value", "p_adjusted", "verdict", "n_needed",
)  # fmt: skip
VERDICT_RULE = (
    "A row is called improved or worse when its p-value, corrected by Holm's method over the numbers of all classes "
    f"together, or over the F1 of all classes, is below {ALPHA:.2f}. Intervals are 95 % each and not corrected."
)
SOURCE_TEXTS = {
    FOLDS: "how far the models of the folds are apart",
    SEEDS: "how far the trainings are apart",
    TYPICAL: "how far models are apart in another run, because one model alone does not say",
}


@dataclass(frozen=True, slots=True)
class NoiseInIntervals:
    """What of the noise of training is in the intervals.

    before, after : of each side FOLDS, SEEDS, TYPICAL (of other runs) or NONE
    n_trainings : of each side
    confounded : what else sets the sides apart, in a sentence; "" if nothing does
    """

    before: str
    after: str
    n_trainings: tuple[int, int]
    confounded: str = ""

    @property
    def allows_verdict(self) -> bool:
        return self.is_known and not self.confounded

    @property
    def is_known(self) -> bool:
        return NONE not in (self.before, self.after)

    @property
    def text(self) -> str:
        """In a sentence or two."""
        counts = f"{_count(self.n_trainings[0])} before, {_count(self.n_trainings[1])} after"
        if not self.is_known:
            return (
                f"{counts}. The intervals hold the chance of the items only: one model alone does not say how far "
                "another training would have come out from it. Train in folds or with several seeds."
            )
        words = " and ".join(dict.fromkeys(SOURCE_TEXTS[source] for source in (self.before, self.after)))
        return f"{counts}. The intervals hold the chance of the items and that of training, which comes from {words}."


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides on the same labelled items.

    whole : WHOLE_COLUMNS, one row for accuracy and one for macro F1 (the mean F1 of the classes with a labelled item);
        with several labels an item for subset accuracy (the whole set is right), micro F1 and macro F1.
        low, high : the 95 % interval of the difference; item_se, training_se : the two parts of its standard error;
        p_adjusted : by Holm's method over them; n_needed : the fewest labelled items with which a difference of 1 point
        would be seen with 80 % power, NaN where no number of items does because the training moves the numbers too
        much, or where nothing is known of that
    classes : CLASS_COLUMNS, one row a class. <metric>_low, <metric>_high : the 95 % interval of the difference; the
        verdict is on F1, p_adjusted by Holm's method over all classes that can be judged; n_needed : labelled items
        of this class
    flips : one row an item whose prediction changed: item_id, label, predicted_before, predicted_after,
        change ("fixed": wrong before and right after; "broken": the reverse; "still wrong": another wrong class);
        predictions are those of all models of a side together

    Numbers that are not defined are NaN: precision of a class that nobody predicts.
    """

    n_items: int
    whole: pd.DataFrame
    classes: pd.DataFrame
    verdict: str
    noise: NoiseInIntervals
    flips: pd.DataFrame

    def n_flips(self, change: str) -> int:
        """How many items changed that way."""
        return int((self.flips["change"] == change).sum())

    def of(self, metric: str) -> pd.Series:
        """The row of "accuracy", "macro_f1" or another one of `whole`."""
        return self.whole[self.whole["metric"] == metric].iloc[0]


def compare_sides(
    item_ids: np.ndarray,
    codes: IntArray,
    before: Sequence[FoldArray],
    after: Sequence[FoldArray],
    classes: tuple[str, ...],
    *,
    typical_noise: TrainingNoise | None = None,
    shared_noise: TrainingNoise | None = None,
    units: np.ndarray | None = None,
    macro_over: Sequence[str] | None = None,
    confounded: str = "",
    measure: Measure | None = None,
) -> Comparison:
    """Compare trainings with others on the same items and labels; items without a label are left out.

    item_ids, codes : (n_items,); codes are positions in `classes`, or those that the measure knows, -1 = no label
    before, after : one array a training, (n_models, n_items, n_classes) probabilities; a training predicts by the mean
        over its models
    typical_noise : for a side with one model only, what `noise_of` found in other runs on the same items; without it
        the verdict is "cannot tell" then
    shared_noise : of trainings of this kind on the same items, measured on more of them than the sides have, see
        `pooled_noise`; it takes the place of what the sides themselves say
    units : (n_items,), equal values are one unit of chance: copies of one picture, photos of one product
    macro_over : the classes whose mean F1 macro F1 is; all that have a labelled item if not given
    confounded : what else than the thing compared sets the sides apart, in a sentence; no verdict is given then
    measure : of the kind of label, see `diagnostics.label_kinds`; one label an item if not given
    raises : DataError if the arrays do not fit the items, or a side has no training
    """
    _check(item_ids, codes, before, after, classes)
    ruler = _ruler(codes, classes, units, macro_over, measure)
    first, second = (_side(trainings, ruler, typical_noise, shared_noise) for trainings in (before, after))
    noise = NoiseInIntervals(first.source, second.source, (len(before), len(after)), confounded)
    found = _difference(first, second, ruler)
    whole = _whole_table(found, ruler, noise)
    return Comparison(
        n_items=len(ruler.codes),
        whole=whole,
        classes=_class_table(found, ruler, classes, noise),
        verdict=_verdict_of_whole(whole["verdict"]),
        noise=noise,
        flips=_flips(item_ids[ruler.rows], first.together, second.together, ruler),
    )


def noise_of(
    codes: IntArray,
    trainings: Sequence[FoldArray],
    classes: tuple[str, ...],
    *,
    units: np.ndarray | None = None,
    measure: Measure | None = None,
) -> TrainingNoise | None:
    """How far apart trainings of one kind come out on these items; None if there is one model in all.

    codes, trainings, units, measure : as in `compare_sides`
    """
    ruler = _ruler(codes, classes, units, measure=measure)
    read, _ = ruler.read(trainings)
    return measure_noise(read, ruler.codes, ruler.metrics, ruler.units)


def pooled_noise(
    codes: IntArray,
    sides: Sequence[Sequence[FoldArray]],
    classes: tuple[str, ...],
    *,
    units: np.ndarray | None = None,
    macro_over: Sequence[str] | None = None,
    measure: Measure | None = None,
) -> TrainingNoise | None:
    """What `noise_of` finds within each of several sides, averaged with the degrees of freedom as weights; None if no
    side has two models.

    Trainings are taken to be apart by as much on every side, as in an analysis of variance.
    """
    ruler = _ruler(codes, classes, units, macro_over, measure)
    found = []
    for trainings in sides:
        read, _ = ruler.read(trainings)
        noise = measure_noise(read, ruler.codes, ruler.metrics, ruler.units)
        found += [] if noise is None else [noise]
    if not found:
        return None
    dfs = [noise.df for noise in found]
    return replace(
        found[-1],
        spread=np.average([noise.spread for noise in found], axis=0, weights=dfs),
        by_items=np.average([noise.by_items for noise in found], axis=0, weights=dfs),
        df=float(sum(dfs)),
    )


def f1_differences(
    codes: IntArray,
    before: FloatArray,
    after: FloatArray,
    classes: tuple[str, ...],
    *,
    measure: Measure | None = None,
) -> pd.DataFrame:
    """F1 of each class before and after, and the difference with its 95 % interval: F1_COLUMNS, one row a class.

    codes, measure : as in `compare_sides`; before, after : (n_items, n_classes) probabilities
    One model a side, so that the intervals hold the chance of the items only, see `compare_sides`.
    """
    item_ids = np.arange(len(codes))
    found = compare_sides(item_ids, codes, [before[None]], [after[None]], classes, measure=measure).classes
    renamed = found.rename(columns={"f1_low": "f1_difference_low", "f1_high": "f1_difference_high"})
    return renamed[list(F1_COLUMNS)]


def _check(
    item_ids: np.ndarray,
    codes: IntArray,
    before: Sequence[FoldArray],
    after: Sequence[FoldArray],
    classes: tuple[str, ...],
) -> None:
    if not before or not after:
        raise DataError("A comparison needs at least one training on each side.")
    wanted = (len(item_ids), len(classes))
    found = {probs.shape[1:] for probs in (*before, *after)}
    if len(codes) != len(item_ids) or found != {wanted}:
        raise DataError(
            "A comparison needs the same items and classes, in the same order, on both sides: expected "
            f"{wanted[0]} items and {wanted[1]} classes, found {len(codes)} labels and probabilities of shape "
            f"{', '.join(map(str, sorted(found)))}."
        )


def verdict_text(comparison: Comparison) -> str:
    """The verdict on the whole in words, with the numbers behind it; the verdict ends at the first colon."""
    decided = comparison.whole[comparison.whole["verdict"] != CANNOT_TELL]
    if comparison.verdict != CANNOT_TELL:
        rows = decided.sort_values("metric", ascending=False).to_dict("records")
        return f"{comparison.verdict.capitalize()}: {'; '.join(map(_row_text, rows))}."
    if len(decided):
        both = " and ".join(f"{row['verdict']} in {_row_text(row)}" for row in decided.to_dict("records"))
        return f"Cannot tell: {both}."
    row = comparison.of("macro_f1")
    return f"Cannot tell: {_row_text(row)}. {needed_text(row['n_needed'], comparison)}"


def needed_text(n_needed: float, comparison: Comparison, *, n_items: int | None = None) -> str:
    """What it would take to see a difference of 1 point, where the verdict is "cannot tell".

    n_items : how many items of that kind there are; all if not given
    """
    n_there = comparison.n_items if n_items is None else n_items
    if comparison.noise.confounded:
        return comparison.noise.confounded
    if not comparison.noise.is_known:
        return "With one model on a side nothing is known of the chance in training."
    if not n_there:
        return "There is no labelled item."
    if np.isnan(n_needed):
        return (
            "Trainings differ among themselves by so much that no number of items would show a difference of 1 point; "
            "more trainings (seeds) would."
        )
    if n_needed <= n_there:
        return f"{n_there:,} items are enough to see most differences of 1 point; this one may be smaller."
    rounded = round(n_needed, 2 - len(str(int(n_needed))))
    return (
        f"To see a difference of 1 point, at least {rounded:,.0f} labelled items would be needed; "
        f"there are {n_there:,}."
    )


def _row_text(row: Mapping[Hashable, Any] | pd.Series) -> str:
    if np.isnan(row["difference"]):
        return f"{METRICS[row['metric']].name} is not defined"
    return (
        f"{METRICS[row['metric']].name} {row['before']:.3f} → {row['after']:.3f}, {row['difference']:+.3f} "
        f"({row['low']:+.3f} to {row['high']:+.3f})"
    )


def _count(n_trainings: int) -> str:
    return "1 training" if n_trainings == 1 else f"{n_trainings} trainings"


# ------------------------------------------------------------ the items and one side


@dataclass(frozen=True)
class _Ruler:
    """What both sides are measured on: the rows of the labelled items, their labels, and which of them are one unit."""

    rows: IntArray
    codes: IntArray
    metrics: AnyMetrics
    units: sparse.csr_array | None
    unit_names: np.ndarray

    def read(self, trainings: Sequence[FoldArray]) -> tuple[list[Training], Any]:
        """What trainings predict for these items, and what all of them predict together."""
        return self.metrics.read(trainings, self.rows, self.codes, self.unit_names)


def _ruler(
    codes: IntArray,
    classes: Sequence[str],
    units: np.ndarray | None,
    macro_over: Sequence[str] | None = None,
    measure: Measure | None = None,
) -> _Ruler:
    rows = np.flatnonzero(codes != NO_LABEL)
    labels = codes[rows]
    asked = np.ones(len(classes), dtype=bool) if macro_over is None else np.isin(classes, macro_over)
    metrics = (measure or classes_measure(tuple(classes)))(labels, asked)
    matrix = None if units is None else _unit_matrix(units[rows])
    return _Ruler(rows, labels, metrics, matrix, rows if units is None else units[rows])


def _unit_matrix(units: np.ndarray) -> sparse.csr_array:
    """(n_units, n_items), 1 where an item belongs to a unit."""
    positions = pd.factorize(units)[0]
    n_items = len(positions)
    n_units = int(positions.max(initial=-1)) + 1
    return sparse.csr_array((np.ones(n_items), (positions, np.arange(n_items))), shape=(n_units, n_items))


@dataclass(frozen=True)
class _Side:
    """One side on the labelled items; arrays (n_columns,).

    totals : (2, n_columns), numerators and denominators, the mean over the trainings
    values : the mean over the trainings
    together : (n_items, …), what all models of the side predict together
    spread, by_items, df : of `values`, see TrainingNoise; spread is 0 if nothing is known
    """

    ratios: list[Ratios]
    totals: FloatArray
    values: FloatArray
    together: Any
    spread: FloatArray
    by_items: FloatArray
    df: float
    source: str


def _side(
    trainings: Sequence[FoldArray],
    ruler: _Ruler,
    typical: TrainingNoise | None,
    shared: TrainingNoise | None,
) -> _Side:
    read, together = ruler.read(trainings)
    ratios = [ruler.metrics.ratios(ruler.codes, training.predicted) for training in read]
    own = shared or measure_noise(read, ruler.codes, ruler.metrics, ruler.units)
    noise = own or typical
    nothing = np.zeros(ruler.metrics.n_columns)
    share = sum(1 / training.n_models for training in read) / len(read) ** 2
    return _Side(
        ratios=ratios,
        totals=np.mean([each.totals() for each in ratios], axis=0),
        values=_mean_of_known([each.values() for each in ratios]),
        together=together,
        spread=noise.spread * share if noise else nothing,
        by_items=noise.by_items * share if noise else nothing,
        df=noise.df if noise else 1.0,
        source=own.source if own else TYPICAL if noise else NONE,
    )


def _mean_of_known(values: Sequence[FloatArray]) -> FloatArray:
    """Element by element the mean of what is not NaN; NaN where nothing is."""
    table = np.array(values)
    return divide(np.nansum(table, axis=0), np.isfinite(table).sum(axis=0).astype(float))


# ------------------------------------------------------------ the difference


@dataclass(frozen=True)
class _Difference:
    """After minus before in every column, see `Metrics`; arrays (n_columns,).

    items : the variance that the sample of items gives it; training : that of the training, 0 if it is not known
    training_at_least : the same less its own standard error, not below 0
    df : degrees of freedom of items + training
    step : about how far one item moves it
    correction : added to the half width of its interval, because it can only take values so far apart: half a step, by
        the number of trainings. That is half of A. L. Edwards's continuity correction of McNemar's test (Psychometrika
        13, 1948); with it the tail for 8 to 12 changed items is that of the exact test
    """

    before: FloatArray
    after: FloatArray
    items: FloatArray
    training: FloatArray
    training_at_least: FloatArray
    df: FloatArray
    step: FloatArray
    correction: FloatArray

    @property
    def value(self) -> FloatArray:
        return self.after - self.before

    @property
    def se(self) -> FloatArray:
        return np.sqrt(self.items + self.training)

    @property
    def p_values(self) -> FloatArray:
        """Two-sided, of no difference; NaN where a number is not defined."""
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = np.maximum(np.abs(self.value) - self.correction, 0) / self.se
            found: FloatArray = 2 * stats.t.sf(distance, self.df)
        return found

    def interval(self) -> tuple[FloatArray, FloatArray]:
        half = stats.t.ppf((1 + CONFIDENCE) / 2, self.df) * self.se + self.correction
        return np.clip(self.value - half, -1, 1), np.clip(self.value + half, -1, 1)

    def n_needed(self, part: slice, n_items: int | IntArray, alpha: float) -> FloatArray:
        """Items with which the test at this level sees a difference of 1 point with 80 % power; NaN if none do.

        The noise of training is taken at the low end of what it may be: few models tell little about it.
        part : of the columns; n_items : how many items of that kind there are
        The variance of an item is what it is here, and what a point more of changed items adds.
        """
        df = self.df[part]
        reach = stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(POWER, df)
        room = (ONE_POINT / reach) ** 2 - self.training_at_least[part]
        possible = (room > 0) & (np.asarray(n_items) > 0)
        of_one_item = self.items[part] * n_items + ONE_POINT * (self.step[part] * n_items) ** 2
        return np.where(possible, np.ceil(of_one_item / np.where(possible, room, 1)), np.nan)


def _difference(before: _Side, after: _Side, ruler: _Ruler) -> _Difference:
    """The variance of the items is the larger of two: at the observed numbers, and if both sides were alike.

    The second is that of swapping the sides item by item at random, a test of McNemar's kind; where few items changed
    the first is too small. It is never less than what one changed item makes.
    """
    denominators = _harmonic_mean(*(side.totals[1] for side in (before, after)))
    step = ruler.metrics.one_item(denominators)
    swapped = squares(_swaps(before, after, denominators, ruler))
    observed = squares(sparse.csr_array(_influence(after, ruler) - _influence(before, ruler)))
    items = np.maximum(np.maximum(swapped, observed), step**2)
    training = np.maximum(before.spread + after.spread - before.by_items - after.by_items, 0)
    at_training = before.spread**2 / before.df + after.spread**2 / after.df
    at_items = items**2 / max(1, len(ruler.codes))
    doubt = at_items + at_training
    df = np.divide((items + training) ** 2, doubt, out=np.ones(len(items)), where=doubt > 0)
    at_least = np.maximum(training - np.sqrt(2 * at_training), 0)
    correction = step / (2 * min(len(before.ratios), len(after.ratios)))
    return _Difference(
        before.values, after.values, items, training, at_least, np.maximum(df, 1), step, correction
    )


def _swaps(before: _Side, after: _Side, denominators: FloatArray, ruler: _Ruler) -> sparse.csr_array:
    """(n_units, n_columns): swapping the sides in a unit changes the sign of its part of the difference."""
    alike = ruler.metrics.with_macro(divide(*(before.totals + after.totals)))
    parts = [
        mean_of_parts([each.around(alike, denominators) for each in side.ratios]) for side in (before, after)
    ]
    return in_units(sparse.csr_array(parts[1] - parts[0]), ruler.units)


def _influence(side: _Side, ruler: _Ruler) -> sparse.csr_array:
    return mean_of_parts([influence_of(each, ruler.units) for each in side.ratios])


def _harmonic_mean(first: FloatArray, second: FloatArray) -> FloatArray:
    return 2 * first * second / np.maximum(first + second, 1)


# ------------------------------------------------------------ tables and verdicts


def _whole_table(found: _Difference, ruler: _Ruler, noise: NoiseInIntervals) -> pd.DataFrame:
    names = ruler.metrics.whole
    whole = slice(0, len(names))
    low, high = found.interval()
    p_values = found.p_values[whole]
    adjusted = holm(p_values)
    n_needed = found.n_needed(whole, len(ruler.codes), ALPHA / len(names))
    table = pd.DataFrame(
        {
            "metric": names,
            "before": found.before[whole],
            "after": found.after[whole],
            "difference": found.value[whole],
            "low": low[whole],
            "high": high[whole],
            "item_se": np.sqrt(found.items[whole]),
            "training_se": np.sqrt(found.training[whole]) if noise.is_known else np.nan,
            "p_value": p_values,
            "p_adjusted": adjusted,
            "verdict": _verdicts(found.value[whole], adjusted, noise),
            "n_needed": n_needed if noise.is_known else np.nan,
        }
    )
    return table[list(WHOLE_COLUMNS)]


def _class_table(
    found: _Difference, ruler: _Ruler, classes: tuple[str, ...], noise: NoiseInIntervals
) -> pd.DataFrame:
    support = ruler.metrics.support(ruler.codes)
    columns: dict[str, object] = {"label": list(classes), "support": support}
    low, high = found.interval()
    for metric in CLASS_METRICS:
        own = ruler.metrics.columns(metric)
        parts = {
            "before": found.before,
            "after": found.after,
            "difference": found.value,
            "low": low,
            "high": high,
        }
        columns |= {f"{metric}_{part}": values[own] for part, values in parts.items()}
    f1 = ruler.metrics.columns("f1")
    adjusted = holm(found.p_values[f1])
    n_judged = max(1, int(np.isfinite(adjusted).sum()))
    columns |= {
        "p_value": found.p_values[f1],
        "p_adjusted": adjusted,
        "verdict": _verdicts(found.value[f1], adjusted, noise),
        "n_needed": found.n_needed(f1, support, ALPHA / n_judged) if noise.is_known else np.nan,
    }
    return pd.DataFrame(columns)[list(CLASS_COLUMNS)]


def holm(p_values: FloatArray) -> FloatArray:
    """P-values corrected for their number (S. Holm, Scandinavian Journal of Statistics 6, 1979); NaN stays NaN.

    >>> holm(np.array([0.01, 0.04, np.nan, 0.03]))
    array([0.03, 0.06,  nan, 0.06])
    """
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    n_left = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * n_left))
    return adjusted


def _verdicts(differences: FloatArray, adjusted: FloatArray, noise: NoiseInIntervals) -> list[str]:
    sure = (adjusted < ALPHA) & noise.allows_verdict
    is_up, is_down = sure & (differences > 0), sure & (differences < 0)
    return [
        IMPROVED if up else WORSE if down else CANNOT_TELL for up, down in zip(is_up, is_down, strict=True)
    ]


def _verdict_of_whole(verdicts: pd.Series) -> str:
    """What is said of one of the numbers holds unless another says the opposite."""
    said = set(verdicts) - {CANNOT_TELL}
    return str(said.pop()) if len(said) == 1 else CANNOT_TELL


def _flips(item_ids: np.ndarray, before: Any, after: Any, ruler: _Ruler) -> pd.DataFrame:
    metrics, codes = ruler.metrics, ruler.codes
    changed = ~metrics.same(before, after)
    is_right, was_right = metrics.right(codes, after), metrics.right(codes, before)
    kinds = np.where(is_right, FIXED, np.where(was_right, BROKEN, STILL_WRONG))
    return pd.DataFrame(
        {
            "item_id": item_ids[changed],
            "label": metrics.label_texts(codes[changed]),
            "predicted_before": metrics.texts(before[changed]),
            "predicted_after": metrics.texts(after[changed]),
            "change": kinds[changed],
        }
    )
