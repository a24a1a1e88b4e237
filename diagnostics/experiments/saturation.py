"""Saturation: what the next labels of each class are worth, from learning curves.

For each class a model is trained again and again with a part of its labels, all labels of most other classes beside it.
The labels that are left weigh so much more that the class counts as much as it does now: without that the curve would
mostly show that a class that is rarer in training is predicted less often, which levels off long before the
information in its labels does. Subsets of one draw are nested. Several classes are thinned out at a time, a fifth of
them at most, each time others together.

Where items have several labels, a label of a class is an item that has it: thinning out leaves whole items out, with
their other labels, and those that are left weigh more with theirs, so that these classes keep their weight, too. As
classes share items there, each is thinned out by itself.

Heads on features draw the curve of every class. Whole models draw those of the classes that were named, or that gain
most by heads, from the same subsets.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.experiments.frame import (
    FULL,
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
from diagnostics.task import BoolArray, IntArray
from diagnostics.training.plan import WEIGHT

SHARES = (0.25, 0.4, 0.63)
N_GROUPS, MAX_WHOLE = 5, 5
MIN_LABELS, MIN_SUPPORT = 20, 5
ONE_POINT = 0.01
HELPS, SATURATED, CANNOT_TELL, TOO_FEW = "more labels help", "saturated", "cannot tell", "too few to judge"
TABLE_COLUMNS = (
    "way", "label", "n_labels", "support", "f1", "gain", "gain_low", "gain_high", "verdict",
)  # fmt: skip
RULE = (
    f"“{HELPS}”: the whole 95 % interval of the gain is above 0. “{SATURATED}”: it is below 1 point. "
    f"“{CANNOT_TELL}”: neither. The gain is extrapolated from trainings on parts of the labels that there are."
)

Curves = Mapping[int, Curve]


@dataclass(frozen=True, slots=True)
class _Part:
    """One training: in draw `draw` these classes keep this share of their labels."""

    draw: int
    share: float
    classes: IntArray


def count(data: ExperimentData, options: Options) -> Trainings:
    """How often it trains: once on everything and once for each share and group of classes, in every draw.

    raises : DataError if there are too few items for a curve, of all classes or of one that was named
    """
    judged, named = judged_classes(data), _named(data, options)
    n_whole = len(named) or _n_by_itself(len(judged))
    n_full = _n_trainings(data, options["full_draws"], n_whole) if options["full"] else 0
    return Trainings(n_quick=_n_trainings(data, options["draws"], len(judged)), n_full=n_full)


def run(data: ExperimentData, trainers: Trainers, options: Options) -> Result:
    """Train on parts of the labels, draw a curve for each class and extrapolate it."""
    n_more: int = options["more"]
    judged = judged_classes(data)
    curves: dict[str, Curves] = {}
    if trainers.quick is not None:
        n_draws: int = options["draws"]
        curves[QUICK] = learning_curves(data, trainers.quick, judged, n_draws=n_draws, n_more=n_more)
    elif trainers.full is None:
        raise DataError(f"The learning curves are those of quick trainings. {trainers.why_no_quick}")
    if trainers.full is not None:
        whole = _named(data, options) or _most_promising(data, judged, curves.get(QUICK))
        n_draws = options["full_draws"]
        curves[FULL] = learning_curves(data, trainers.full, whole, n_draws=n_draws, n_more=n_more)
    table = pd.concat([curves_table(data, found, way) for way, found in curves.items()], ignore_index=True)
    deciding = deciding_rows(table)
    return Result(
        outcome=MEASURED,
        verdict=verdict_of(deciding, n_more),
        why=" ".join(filter(None, (rest_of(deciding), _who_decides(table)))),
        table=table,
        notes=tuple(_notes(data, table, trainers, options)),
        agreement=agreement_of(table),
        facts={"more": n_more, "curves": {way: _all_points(data, found) for way, found in curves.items()}},
    )


def learning_curves(
    data: ExperimentData, trainer: Trainer, classes: Sequence[int], *, n_draws: int, n_more: int
) -> dict[int, Curve]:
    """The curves of some of the classes that have enough labels and validation items, by their positions."""
    counts = data.n_labels()
    sizes = {code: np.array([_n_kept(counts[code], share) for share in (*SHARES, 1.0)]) for code in classes}
    predicted = {
        code: np.zeros((len(SHARES) + 1, n_draws, len(data.ruler)), dtype=np.bool_) for code in classes
    }
    for part in _parts(classes, _n_groups(data, len(classes)), n_draws, data.config.seed):
        said = data.ruler.predicted(trainer(_thinned_out(data, part), seed=part.draw))
        size = (*SHARES, 1.0).index(part.share)
        for code in part.classes:
            predicted[code][size, part.draw] = said[:, code]
    return {
        code: extrapolate_f1(
            data.ruler.space.has(data.ruler.codes, code),
            predicted[code],
            sizes[code],
            n_more=n_more,
            seed=data.config.seed,
        )
        for code in classes
    }


def curves_table(data: ExperimentData, curves: Curves, way: str) -> pd.DataFrame:
    """TABLE_COLUMNS, one row a class, the largest gain first. Heads are to judge all classes: those that they do not
    judge stand at the end, with NaN."""
    classes = data.task.classes
    counts, support = data.n_labels(), data.ruler.support
    rows: list[tuple[object, ...]] = []
    for code, label in enumerate(classes):
        known: tuple[object, ...] = (way, label, int(counts[code]), int(support[code]))
        if code in curves:
            curve = curves[code]
            gain = (curve.gain, curve.gain_low, curve.gain_high)
            rows.append((*known, float(curve.measured[-1]), *gain, _verdict(curve)))
        elif way == QUICK:
            rows.append((*known, *[np.nan] * 4, TOO_FEW))
    table = pd.DataFrame(rows, columns=list(TABLE_COLUMNS))
    return table.sort_values(["gain", "label"], ascending=[False, True], ignore_index=True)


def deciding_rows(table: pd.DataFrame) -> pd.DataFrame:
    """One row a class, the largest gain first: that of whole models where they were trained, else that of heads."""
    by_whole = table.loc[table["way"] == FULL, "label"]
    rows = table[(table["way"] == FULL) | ~table["label"].isin(by_whole)]
    return rows.sort_values(["gain", "label"], ascending=[False, True], ignore_index=True)


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


def agreement_of(table: pd.DataFrame) -> str:
    """Whether heads and whole models contradict each other on the classes that both have judged, a sentence: one says
    that labels help and the other that they do not, or their intervals have nothing in common."""
    ways = {str(way): rows.set_index("label") for way, rows in table.groupby("way")}
    if len(ways) < 2:
        return ""
    quick, full = ways[QUICK], ways[FULL]
    against = [label for label in full.index if _contradict(quick.loc[label], full.loc[label])]
    if not against:
        named = "1 class" if len(full) == 1 else f"{len(full)} classes"
        return f"Heads and whole models do not contradict each other on the {named} that both judged."
    said = "; ".join(
        f"{label}: by heads {_points_text(quick.loc[label])}, by whole models {_points_text(full.loc[label])}"
        for label in against
    )
    return f"Heads and whole models disagree. {said}. Whole models count."


def _contradict(quick: pd.Series, full: pd.Series) -> bool:
    apart = quick["gain_high"] < full["gain_low"] or full["gain_high"] < quick["gain_low"]
    return bool(apart or {quick["verdict"], full["verdict"]} == {HELPS, SATURATED})


def _who_decides(table: pd.DataFrame) -> str:
    whole = table.loc[table["way"] == FULL, "label"].tolist()
    if not whole or not (table["way"] == QUICK).any():
        return ""
    others = "" if set(table["label"]) == set(whole) else ", on the others heads on features"
    return f"Whole models decide on {', '.join(whole)}{others}."


def _gain_text(row: pd.Series) -> str:
    low, high = (100 * row[f"gain_{side}"] for side in ("low", "high"))
    return f"{row['label']} ({100 * row['gain']:+.1f} points of F1, {low:+.1f} to {high:+.1f})"


def _points_text(row: pd.Series) -> str:
    value, low, high = (100 * row[name] for name in ("gain", "gain_low", "gain_high"))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f}, {row['verdict']})"


def _verdict(curve: Curve) -> str:
    if curve.gain_high < ONE_POINT:
        return SATURATED
    return HELPS if curve.gain_low > 0 else CANNOT_TELL


# ------------------------------------------------------------ which classes, which trainings


def judged_classes(data: ExperimentData) -> list[int]:
    """The classes that can be judged, by their positions; raises DataError if there is none."""
    enough = _enough(data)
    if not enough.any():
        raise DataError(
            f"A learning curve needs at least {MIN_LABELS} train and {MIN_SUPPORT} validation items of a class, and no "
            "class has as many."
        )
    return list(np.flatnonzero(enough).tolist())


def _named(data: ExperimentData, options: Options) -> list[int]:
    """The classes that were named; raises DataError for one that cannot be judged."""
    enough = _enough(data)
    named = sorted({data.task.classes.index(label) for label in options["classes"]})
    few = [data.task.classes[code] for code in named if not enough[code]]
    if few:
        raise DataError(
            f"A learning curve needs at least {MIN_LABELS} train and {MIN_SUPPORT} validation items of a class; "
            f"{', '.join(few)} {'has' if len(few) == 1 else 'have'} fewer. Name other classes."
        )
    return named


def _enough(data: ExperimentData) -> BoolArray:
    """(n_classes,), which classes can be judged."""
    enough: BoolArray = (data.n_labels() >= MIN_LABELS) & (data.ruler.support >= MIN_SUPPORT)
    return enough


def _most_promising(data: ExperimentData, judged: Sequence[int], quick: Curves | None) -> list[int]:
    """Those that gain most by heads; without heads, those with the fewest labels."""
    labels = data.n_labels()
    order = sorted(judged, key=lambda code: -quick[code].gain if quick else labels[code])
    return sorted(order[: _n_by_itself(len(judged))])


def _n_by_itself(n_judged: int) -> int:
    """How many classes whole models are trained for if none is named: as many as are thinned out together."""
    return min(MAX_WHOLE, max(1, n_judged // N_GROUPS))


def _n_groups(data: ExperimentData, n_classes: int) -> int:
    """How many lots of some of the classes are thinned out one after the other, so that most others keep theirs."""
    if _share_items(data):
        return n_classes
    return min(n_classes, math.ceil(n_classes * N_GROUPS / len(judged_classes(data))))


def _share_items(data: ExperimentData) -> bool:
    """Whether some items have several of the classes."""
    space, _ = data.coded(data.train_items)
    return bool(space.members.sum(axis=1).max() > 1)


def _n_trainings(data: ExperimentData, n_draws: int, n_classes: int) -> int:
    return n_draws * (1 + len(SHARES) * _n_groups(data, n_classes))


def _parts(classes: Sequence[int], n_groups: int, n_draws: int, seed: int) -> Iterator[_Part]:
    """All trainings: in each draw everything, then each group of classes at each share."""
    for draw in range(n_draws):
        yield _Part(draw, 1.0, np.asarray(classes))
        order = np.random.default_rng([seed, draw]).permutation(classes)
        for group in np.array_split(order, n_groups):
            for share in SHARES:
                yield _Part(draw, share, group)


def _thinned_out(data: ExperimentData, part: _Part) -> pd.DataFrame:
    """The train items with a share of those of some classes, each of which weighs as much more."""
    items, seed = data.train_items, data.config.seed
    if part.share == 1.0:
        return items
    space, codes = data.coded(items)
    kept, weights = np.ones(len(items), dtype=np.bool_), np.ones(len(items))
    for code in part.classes:
        own = np.flatnonzero(space.has(codes, int(code)))
        own = np.random.default_rng([seed, part.draw, int(code)]).permutation(own)
        n_kept = _n_kept(len(own), part.share)
        kept[own[n_kept:]] = False
        weights[own] = len(own) / n_kept
    return items.assign(**{WEIGHT: weights})[kept]


def _n_kept(n_labels: int, share: float) -> int:
    return round(share * n_labels)


# ------------------------------------------------------------ in words


def _notes(data: ExperimentData, table: pd.DataFrame, trainers: Trainers, options: Options) -> list[str]:
    n_more = options["more"]
    notes = [
        RULE,
        f"The next {n_more} labels of one class, all other labels as they are; the class counts in training as "
        "much as it does now. The interval is that of the mean over many such lots of labels; a single lot can "
        "come out differently.",
    ]
    if _share_items(data):
        notes.append(
            "Items can have several labels here: a label of a class is an item that has it. With it its other labels "
            "are left out, too, and those that are left weigh more with theirs; each class was thinned out by itself."
        )
    if trainers.quick is not None:
        notes.append(f"Heads were trained on features of {trainers.quick_features}.{_seen_before(trainers)}")
    elif trainers.why_no_quick:
        notes.append(f"Heads were not tried first. {trainers.why_no_quick}")
    if trainers.full is None:
        notes.append(
            "A quick estimate: heads on fixed features. Whole models can gain more from labels than heads do, as "
            "their features learn too."
        )
    else:
        fewer = options["full_draws"] < options["draws"]
        notes.append(
            f"Whole models were trained in {options['full_draws']} draws, heads in {options['draws']}"
            f"{': their intervals are the wider for it' if fewer else ''}. In both the items that are left of a class "
            "weigh more: networks are shown them more often, so that they take as many steps as on all items."
        )
        if trainers.quick is not None and not options["classes"]:
            notes.append(
                "Whole models were trained for the classes that gain most by heads on the same validation items: "
                "chance has helped to choose them, so that their gain comes out rather too large. Classes that are "
                "named are free of that."
            )
    return [*notes, *_not_judged(table)]


def _seen_before(trainers: Trainers) -> str:
    """What features that were learnt from the labels mean for the curves."""
    if "fold models" not in trainers.quick_features:
        return ""
    return " Those have seen the labels that are left out, so that labels look worth less to heads than they are."


def _not_judged(table: pd.DataFrame) -> list[str]:
    few = table.loc[table["verdict"] == TOO_FEW, "label"].tolist()
    if not few:
        return []
    return [
        f"Not judged, with fewer than {MIN_LABELS} train or {MIN_SUPPORT} validation items: {', '.join(few)}."
    ]


def _all_points(data: ExperimentData, curves: Curves) -> dict[str, dict[str, list[float]]]:
    return {data.task.classes[code]: _points(curve) for code, curve in curves.items()}


def _points(curve: Curve) -> dict[str, list[float]]:
    """A curve as JSON-able lists."""
    names = ("sizes", "measured", "low", "high", "fitted")
    return {name: [float(value) for value in getattr(curve, name)] for name in names}
