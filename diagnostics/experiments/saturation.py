"""Saturation: what the next labels of each class are worth, from learning curves of heads.

For each class a head is trained again and again with a part of its labels, all labels of most other classes beside it.
The labels that are left weigh so much more that the class counts as much as it does now: without that the curve would
mostly show that a class that is rarer in training is predicted less often, which levels off long before the
information in its labels does. Subsets of one draw are nested. Several classes are thinned out at a time, each
time others together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.experiments.frame import (
    MEASURED,
    QUICK,
    ExperimentData,
    Result,
    Trainer,
    Trainers,
    Trainings,
)
from diagnostics.experiments.options import Options
from diagnostics.learning_curve import Curve, extrapolate_f1
from diagnostics.task import IntArray, label_codes

SHARES = (0.25, 0.4, 0.63)
MAX_GROUPS = 5
MIN_LABELS, MIN_SUPPORT = 20, 5
ONE_POINT = 0.01
HELPS, SATURATED, CANNOT_TELL, TOO_FEW = "more labels help", "saturated", "cannot tell", "too few to judge"
TABLE_COLUMNS = (
    "way", "label", "n_labels", "support", "f1", "gain", "gain_low", "gain_high", "verdict",
)  # fmt: skip
RULE = (
    f"“{HELPS}”: the whole 95 % interval of the gain is above 0. “{SATURATED}”: it is below 1 point. "
    f"“{CANNOT_TELL}”: neither. The gain is extrapolated from heads trained on parts of the labels that there are."
)


@dataclass(frozen=True, slots=True)
class _Part:
    """One training: in draw `draw` these classes keep this share of their labels."""

    draw: int
    share: float
    classes: IntArray


def count(data: ExperimentData, options: Options) -> Trainings:
    """How often it trains: once on everything and once for each share and group of classes, in every draw."""
    judged = _judged(data)
    n_draws: int = options["draws"]
    return Trainings(n_quick=n_draws * (1 + len(SHARES) * min(MAX_GROUPS, len(judged))), n_full=0)


def run(data: ExperimentData, trainers: Trainers, options: Options) -> Result:
    """Train on parts of the labels, draw a curve for each class and extrapolate it."""
    if trainers.quick is None:
        raise DataError(f"The learning curves are those of quick trainings. {trainers.why_no_quick}")
    n_more: int = options["more"]
    curves = learning_curves(data, trainers.quick, n_draws=options["draws"], n_more=n_more)
    table = curves_table(data, curves)
    return Result(
        outcome=MEASURED,
        verdict=verdict_of(table, n_more),
        why=rest_of(table),
        table=table,
        notes=(
            RULE,
            f"The next {n_more} labels of one class, all other labels as they are; the class counts in training as "
            "much as it does now. The interval is that of the mean over many such lots of labels; a single lot can "
            "come out differently.",
            "A quick estimate: heads on fixed features. Whole models can gain more from labels than heads do, as "
            "their features learn too.",
            *_not_judged(table),
        ),
        facts={"more": n_more, "curves": {data.task.classes[code]: _points(c) for code, c in curves.items()}},
    )


def learning_curves(data: ExperimentData, trainer: Trainer, *, n_draws: int, n_more: int) -> dict[int, Curve]:
    """The curve of each class that has enough labels and validation items, by its position in the classes."""
    codes = label_codes(data.train_items["label"], data.task.classes)
    judged = _judged(data)
    counts = np.bincount(codes, minlength=len(data.task.classes))
    sizes = {code: np.array([_n_kept(counts[code], share) for share in (*SHARES, 1.0)]) for code in judged}
    predicted = {
        code: np.zeros((len(SHARES) + 1, n_draws, len(data.ruler)), dtype=np.bool_) for code in judged
    }
    for part in _parts(judged, n_draws, data.config.seed):
        items = _thinned_out(data.train_items, codes, counts, part, data.config.seed)
        chosen = trainer(items, seed=part.draw).mean(axis=0).argmax(axis=1)
        size = (*SHARES, 1.0).index(part.share)
        for code in part.classes:
            predicted[code][size, part.draw] = chosen == code
    return {
        code: extrapolate_f1(
            data.ruler.codes == code, predicted[code], sizes[code], n_more=n_more, seed=data.config.seed
        )
        for code in judged
    }


def curves_table(data: ExperimentData, curves: dict[int, Curve]) -> pd.DataFrame:
    """TABLE_COLUMNS, one row a class, the largest gain first; those that are not judged at the end, with NaN."""
    counts = data.train_items["label"].value_counts()
    support = np.bincount(data.ruler.codes, minlength=len(data.task.classes))
    rows: list[tuple[object, ...]] = []
    for code, label in enumerate(data.task.classes):
        known: tuple[object, ...] = (QUICK, label, int(counts.get(label, 0)), int(support[code]))
        if code in curves:
            curve = curves[code]
            gain = (curve.gain, curve.gain_low, curve.gain_high)
            rows.append((*known, float(curve.measured[-1]), *gain, _verdict(curve)))
        else:
            rows.append((*known, *[np.nan] * 4, TOO_FEW))
    table = pd.DataFrame(rows, columns=list(TABLE_COLUMNS))
    return table.sort_values(["gain", "label"], ascending=[False, True], ignore_index=True)


def verdict_of(table: pd.DataFrame, n_more: int) -> str:
    """The classes that labels help, in a sentence."""
    helped = table[table["verdict"] == HELPS]
    if helped.empty:
        return f"There is no class of which it can be told that {n_more} more labels would help."
    named = "; ".join(_gain_text(row) for _, row in helped.head(3).iterrows())
    classes = "1 class" if len(helped) == 1 else f"{len(helped)} classes"
    return f"{n_more} more labels help {classes} of {len(table)}, most of all {named}."


def rest_of(table: pd.DataFrame) -> str:
    """How many classes there are of each other verdict, in a sentence; "" if there are none."""
    n = table["verdict"].value_counts()
    rest = [
        f"for {n[verdict]} {words}"
        for verdict, words in (
            (SATURATED, "more labels are worth less than 1 point of F1"),
            (CANNOT_TELL, "it cannot be told"),
            (TOO_FEW, "there are too few items to judge"),
        )
        if verdict in n
    ]
    return f"{rest[0][0].upper()}{', '.join(rest)[1:]}." if rest else ""


def _gain_text(row: pd.Series) -> str:
    low, high = (100 * row[f"gain_{side}"] for side in ("low", "high"))
    return f"{row['label']} ({100 * row['gain']:+.1f} points of F1, {low:+.1f} to {high:+.1f})"


def _verdict(curve: Curve) -> str:
    if curve.gain_high < ONE_POINT:
        return SATURATED
    return HELPS if curve.gain_low > 0 else CANNOT_TELL


def _judged(data: ExperimentData) -> list[int]:
    """The classes that can be judged; raises DataError if there is none."""
    classes = data.task.classes
    labels = np.bincount(label_codes(data.train_items["label"], classes), minlength=len(classes))
    support = np.bincount(data.ruler.codes, minlength=len(classes))
    judged = np.flatnonzero((labels >= MIN_LABELS) & (support >= MIN_SUPPORT)).tolist()
    if not judged:
        raise DataError(
            f"A learning curve needs at least {MIN_LABELS} train and {MIN_SUPPORT} validation items of a class, and no "
            "class has as many."
        )
    return list(judged)


def _parts(judged: Sequence[int], n_draws: int, seed: int) -> Iterator[_Part]:
    """All trainings: in each draw everything, then each group of classes at each share."""
    for draw in range(n_draws):
        yield _Part(draw, 1.0, np.asarray(judged))
        order = np.random.default_rng([seed, draw]).permutation(judged)
        for group in np.array_split(order, min(MAX_GROUPS, len(judged))):
            for share in SHARES:
                yield _Part(draw, share, group)


def _thinned_out(
    items: pd.DataFrame, codes: IntArray, counts: IntArray, part: _Part, seed: int
) -> pd.DataFrame:
    """The items with a share of those of some classes, each of which weighs as much more."""
    if part.share == 1.0:
        return items
    kept, weights = np.ones(len(items), dtype=np.bool_), np.ones(len(items))
    for code in part.classes:
        own = np.random.default_rng([seed, part.draw, int(code)]).permutation(np.flatnonzero(codes == code))
        n_kept = _n_kept(counts[code], part.share)
        kept[own[n_kept:]] = False
        weights[own] = counts[code] / n_kept
    return items.assign(weight=weights)[kept]


def _n_kept(n_labels: int, share: float) -> int:
    return round(share * n_labels)


def _not_judged(table: pd.DataFrame) -> list[str]:
    few = table.loc[table["verdict"] == TOO_FEW, "label"].tolist()
    if not few:
        return []
    return [
        f"Not judged, with fewer than {MIN_LABELS} train or {MIN_SUPPORT} validation items: {', '.join(few)}."
    ]


def _points(curve: Curve) -> dict[str, list[float]]:
    """A curve as JSON-able lists."""
    names = ("sizes", "measured", "low", "high", "fitted")
    return {name: [float(value) for value in getattr(curve, name)] for name in names}
