"""Class cap: does a class with many items do as well with fewer, and do the others gain?

For each share k a random k % of the class's train items are left out, against two others: nothing left out, and as many
items left out at random from all classes. What is left out is decided by content and seed, so that items of equal
content go together; each seed is another draw and another training. Where items have several labels those go last
that have others beside the class, or stay, see `diagnostics.class_caps`; so a cap is tried as it will be carried out.

The rule: a cap is recommended only if the class does not get worse and the others get better. "Cannot tell" is no proof
of "not worse": the whole interval of its F1's difference must lie above minus the margin. The others are judged by
their mean F1, corrected over the shares by Holm's method; it must also not be below that of the other draw.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from diagnostics.class_caps import leave_out, rarest_other
from diagnostics.compare import IMPROVED, WORSE, Comparison, holm
from diagnostics.errors import DataError
from diagnostics.experiments.frame import (
    CANNOT_TELL,
    CAP,
    FULL,
    NOT_RECOMMENDED,
    QUICK,
    RECOMMENDED,
    Action,
    ExperimentData,
    Result,
    Trainer,
    Trainers,
    Trainings,
    without,
)
from diagnostics.experiments.options import Options
from diagnostics.task import FloatArray

NOTHING, CAPPED, CONTROL = "nothing left out", "capped", "left out from all classes"
MIN_ITEMS = 20
MANY_TIMES = 1.5
NEARLY = 0.01
ALPHA = 0.05
_DIFFERENCES = ("difference", "low", "high", "verdict")
TABLE_COLUMNS = (
    "way", "label", "percent", "arm", "n_class", "n_train", "class_f1", "others_f1",
    *(f"class_f1_{part}" for part in _DIFFERENCES),
    *(f"others_f1_{part}" for part in _DIFFERENCES), "others_f1_p_adjusted",
    *(f"others_f1_against_control_{part}" for part in _DIFFERENCES),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The class whose cap is worth trying, and why, in a sentence."""

    label: str
    why: str


def count(data: ExperimentData, options: Options) -> Trainings:
    """Each arm of each share once a seed, and once with nothing left out."""
    label = options["class"]
    if label is not None:
        _n_items(data, label)
    n = options["seeds"] * (1 + 2 * len(_shares(options)))
    return Trainings(n_quick=n, n_full=n if options["full"] else 0)


def run(data: ExperimentData, trainers: Trainers, options: Options) -> Result:
    """Train all arms in each way, judge them, and say what follows."""
    label, why, tables = options["class"], "", []
    for way, trainer in trainers.ways():
        whole = _trained(trainer, [data.train_items] * options["seeds"])
        if label is None:
            suggestion = suggest_class(_n_train(data), _mean_f1(data, whole))
            label, why = suggestion.label, suggestion.why
        tables.append(_judged(data, trainer, whole, label, options).assign(way=way))
    table = pd.concat(tables, ignore_index=True)[list(TABLE_COLUMNS)]
    passing = {way: _passing(rows, options["margin"]) for way, rows in table.groupby("way", sort=False)}
    return _result(data, table, passing, str(label), why, trainers, options)


def suggest_class(n_train: Mapping[str, int], f1: Mapping[str, float]) -> Suggestion:
    """Of the classes whose F1 is not below the median of all, the one with most train items.

    n_train, f1 : by class; an F1 that is not defined counts as below
    raises : DataError if no class has MIN_ITEMS train items and such an F1

    >>> suggest_class({"cat": 900, "dog": 40, "fox": 400}, {"cat": 0.9, "dog": 0.5, "fox": 0.8}).label
    'cat'
    """
    known = [value for value in f1.values() if value == value]
    median = float(np.median(known)) if known else np.nan
    able = [name for name, value in f1.items() if value >= median and n_train.get(name, 0) >= MIN_ITEMS]
    if not able:
        raise DataError(
            f"No class with at least {MIN_ITEMS} train items has an F1 above the median. Name one with --class."
        )
    name = max(able, key=lambda each: (n_train[each], each))
    typical = float(np.median([n for n in n_train.values() if n]))
    hardly = "" if n_train[name] >= MANY_TIMES * typical else " That is hardly more than the others have."
    return Suggestion(
        name,
        f"`{name}` was chosen: of the classes whose F1 is not below the median ({median:.2f}) it has most train items "
        f"({n_train[name]:,}; F1 {f1[name]:.2f}).{hardly}",
    )


def left_out(items: pd.DataFrame, n: int, *, seed: int, salt: str = "") -> list[str]:
    """The ids of at most n items, drawn by content and seed; a smaller n gives some of the same.

    items : columns item_id, content_hash; items of equal content are drawn together
    """
    found: list[int] = []
    for group in _in_turn(items, seed, salt):
        if len(found) + len(group) > n:
            break
        found += group
    return items["item_id"].iloc[found].tolist()


def left_out_of_class(data: ExperimentData, label: str, n: int, *, seed: int) -> list[str]:
    """The ids of at most n train items of a class, drawn by content and seed and by what else they have, see
    `diagnostics.class_caps`."""
    items = data.train_items
    space, codes = data.coded(items)
    place = space.classes.index(label)
    own, rarest = np.flatnonzero(space.has(codes, place)), rarest_other(space, codes, place)
    groups = [own[group].tolist() for group in _in_turn(items.iloc[own], seed)]
    groups.sort(key=lambda group: -rarest[group].min())
    floors = np.full(len(space.classes), len(own) - n)
    return items["item_id"].iloc[leave_out(space, codes, groups, place, n=n, floors=floors)].tolist()


def _in_turn(items: pd.DataFrame, seed: int, salt: str = "") -> list[list[int]]:
    """The positions of items of equal content, in the order in which seed and content put them."""
    turns = np.array(
        [hashlib.sha256(f"{salt}{seed}:{each}".encode()).hexdigest() for each in items["content_hash"]]
    )
    order = np.lexsort((items["item_id"].to_numpy(dtype=str), turns))
    starts = np.flatnonzero(turns[order][1:] != turns[order][:-1]) + 1
    return [group.tolist() for group in np.split(order, starts)]


# ------------------------------------------------------------ training


def _shares(options: Options) -> list[int]:
    return sorted(set(options["drop"]))


def _n_train(data: ExperimentData) -> dict[str, int]:
    return dict(zip(data.ruler.classes, data.n_labels().tolist(), strict=True))


def _n_items(data: ExperimentData, label: str) -> int:
    n = _n_train(data)[label]
    if n < MIN_ITEMS:
        raise DataError(
            f"`{label}` has {n} train items; leaving some out tells something from {MIN_ITEMS} on. Name another class."
        )
    return n


def _trained(trainer: Trainer, subsets: Sequence[pd.DataFrame]) -> list[FloatArray]:
    return [trainer(items, seed=seed) for seed, items in enumerate(subsets)]


def _mean_f1(data: ExperimentData, trainings: Sequence[FloatArray]) -> dict[str, float]:
    ruler, metrics = data.ruler, data.ruler.metrics
    values = [
        metrics.ratios(ruler.codes, each.predicted).values()[metrics.columns("f1")]
        for each in ruler.read(trainings)
    ]
    return dict(zip(ruler.classes, np.mean(values, axis=0).tolist(), strict=True))


def _judged(
    data: ExperimentData, trainer: Trainer, whole: list[FloatArray], label: str, options: Options
) -> pd.DataFrame:
    """TABLE_COLUMNS but `way`, one row an arm."""
    n_class, n_train = _n_items(data, label), len(data.train_items)
    arms = [
        (percent, *_arms(data, label, n_class - _n_kept(n_class, percent), options["seeds"]))
        for percent in _shares(options)
    ]
    trained = [(_trained(trainer, capped), _trained(trainer, control)) for _, capped, control in arms]
    compared = _comparer(data, [whole, *(by_capped for by_capped, _ in trained)], label)
    to_control = _comparer(data, [by_control for _, by_control in trained], label)
    rows = [_row(label, 0, NOTHING, n_class, n_train) | _before(compared(whole, trained[0][0]), label)]
    for (percent, capped, control), (by_capped, by_control) in zip(arms, trained, strict=True):
        against = _differences(
            "others_f1_against_control", to_control(by_control, by_capped).of("macro_f1"), ""
        )
        sizes = _row(label, percent, CAPPED, *_mean_counts(data, capped, label))
        rows.append(sizes | _after(compared(whole, by_capped), label) | against)
        sizes = _row(label, percent, CONTROL, *_mean_counts(data, control, label))
        rows.append(sizes | _after(to_control(whole, by_control), label))
    table = pd.DataFrame(rows).reindex(columns=list(TABLE_COLUMNS[1:]))
    capped_rows = table["arm"] == CAPPED
    p_values = table.loc[capped_rows, "others_f1_p_adjusted"].to_numpy(dtype=float)
    table.loc[capped_rows, "others_f1_p_adjusted"] = holm(p_values)
    return table


def _arms(
    data: ExperimentData, label: str, n: int, n_seeds: int
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """For each seed the items without n of the class, and without as many of all classes."""
    items = data.train_items
    out = [left_out_of_class(data, label, n, seed=seed) for seed in range(n_seeds)]
    capped = [without(items, ids) for ids in out]
    control = [
        without(items, left_out(items, len(ids), seed=seed, salt="all classes "))
        for seed, ids in enumerate(out)
    ]
    return capped, control


def _comparer(
    data: ExperimentData, alike: Sequence[list[FloatArray]], label: str
) -> Callable[[list[FloatArray], list[FloatArray]], Comparison]:
    """Compares two sides; macro F1 is the mean F1 of the other classes.

    alike : sides whose trainings are apart by about as much, of which the noise of training is taken: leaving out items
        of all classes makes trainings more restless than a cap does
    """
    others = tuple(name for name in data.ruler.classes if name != label)
    noise = data.ruler.pooled_noise(alike, macro_over=others)
    return partial(data.ruler.compare, shared_noise=noise, macro_over=others)


def _n_kept(n_class: int, percent: int) -> int:
    return n_class - round(n_class * percent / 100)


def _mean_counts(data: ExperimentData, subsets: Sequence[pd.DataFrame], label: str) -> tuple[int, int]:
    """How many items have the class, and how many there are."""
    of_class = [np.count_nonzero(data.has(items, label)) for items in subsets]
    return round(float(np.mean(of_class))), round(float(np.mean([len(items) for items in subsets])))


def _row(label: str, percent: int, arm: str, n_class: int, n_train: int) -> dict[str, Any]:
    return {"label": label, "percent": percent, "arm": arm, "n_class": n_class, "n_train": n_train}


def _before(found: Comparison, label: str) -> dict[str, Any]:
    own, others = _own(found, label), found.of("macro_f1")
    return {"class_f1": own["f1_before"], "others_f1": others["before"]}


def _after(found: Comparison, label: str) -> dict[str, Any]:
    own, others = _own(found, label), found.of("macro_f1")
    return {
        "class_f1": own["f1_after"],
        "others_f1": others["after"],
        **_differences("class_f1", own, "f1_"),
        **_differences("others_f1", others, ""),
        "others_f1_p_adjusted": others["p_value"],
    }


def _own(found: Comparison, label: str) -> pd.Series:
    return found.classes[found.classes["label"] == label].iloc[0]


def _differences(name: str, row: pd.Series, prefix: str) -> dict[str, Any]:
    numbers = {f"{name}_{part}": row[f"{prefix}{part}"] for part in ("difference", "low", "high")}
    return numbers | {f"{name}_verdict": row["verdict"]}


# ------------------------------------------------------------ what follows


def _passing(table: pd.DataFrame, margin: float) -> pd.DataFrame:
    """The capped arms of one way that the rule lets through, the largest gain of the others first."""
    capped = table[table["arm"] == CAPPED]
    keeps = (capped["class_f1_low"] > -margin / 100) & (capped["class_f1_verdict"] != WORSE)
    gain = (
        (capped["others_f1_verdict"] == IMPROVED)
        & (capped["others_f1_p_adjusted"] < ALPHA)
        & (capped["others_f1_difference"] > 0)
    )
    beside = (capped["others_f1_against_control_difference"] > 0) & (
        capped["others_f1_against_control_verdict"] != WORSE
    )
    found = capped[keeps & gain & beside]
    return found.sort_values(["others_f1_difference", "percent"], ascending=[False, True])


def _result(
    data: ExperimentData,
    table: pd.DataFrame,
    passing: Mapping[Any, pd.DataFrame],
    label: str,
    why: str,
    trainers: Trainers,
    options: Options,
) -> Result:
    deciding = FULL if FULL in passing else QUICK
    rows = table[(table["way"] == deciding) & (table["arm"] == CAPPED)]
    margin: float = options["margin"]
    found = passing[deciding]
    n_class = _n_items(data, label)
    action = None
    if found.empty:
        outcome, verdict = NOT_RECOMMENDED, f"No cap on `{label}` is recommended."
        because = _against(rows, label, margin)
    else:
        keep = _n_kept(n_class, int(found.iloc[0]["percent"]))
        because = _gain(found.iloc[0], n_class, margin)
        outcome, verdict = RECOMMENDED, f"A cap of {keep:,} train items on `{label}` is recommended."
        action = Action(CAP, f"Cap `{label}` at {keep:,} train items", {"class": label, "keep": keep})
    if deciding == QUICK and not found.empty:
        outcome, action = CANNOT_TELL, None
        verdict = f"By heads alone a cap of {keep:,} train items on `{label}` helps: train whole models to confirm it."
    return Result(
        outcome=outcome,
        verdict=verdict,
        why=because,
        table=table,
        notes=tuple(_notes(data, why, trainers, margin) + _notes_on_others(data, rows, label)),
        agreement=_agreement(passing),
        action=action,
        facts={"class": label, "n_class": n_class, "decided_by": deciding, "margin_points": margin},
    )


def _gain(row: pd.Series, n_class: int, margin: float) -> str:
    return (
        f"With {row['n_class']:,} of {n_class:,} train items (nothing else changed) its F1 changes by "
        f"{_points(row, 'class_f1')}, which lies above -{margin:g}; the mean F1 of the other classes rises by "
        f"{_points(row, 'others_f1')}, and is {_points(row, 'others_f1_against_control')} above that with as many "
        "items left out at random from all classes."
    )


def _against(rows: pd.DataFrame, label: str, margin: float) -> str:
    """What stands against a cap, for the share at which the others gain most."""
    best = rows.sort_values("others_f1_difference", ascending=False).iloc[0]
    reasons = []
    if best["class_f1_verdict"] == WORSE:
        reasons.append(f"`{label}` itself gets worse ({_points(best, 'class_f1')} F1)")
    elif not best["class_f1_low"] > -margin / 100:
        reasons.append(
            f"it is not shown that `{label}` keeps its F1: {_points(best, 'class_f1')} reaches below -{margin:g} points"
        )
    certain = best["others_f1_verdict"] == IMPROVED and best["others_f1_p_adjusted"] < ALPHA
    if best["others_f1_verdict"] == WORSE:
        reasons.append(f"the other classes get worse ({_points(best, 'others_f1')} mean F1)")
    elif not certain:
        reasons.append(f"the other classes are not shown to gain ({_points(best, 'others_f1')} mean F1)")
    if not best["others_f1_against_control_difference"] > 0:
        reasons.append("leaving out as many items at random from all classes does the others no less good")
    most = "Of what was tried" if len(rows) == 1 else "Where the others gain most"
    return f"{most}, at {best['percent']} % left out: {'; '.join(reasons)}."


def _points(row: pd.Series, name: str) -> str:
    value, low, high = (100 * row[f"{name}_{part}"] for part in ("difference", "low", "high"))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _agreement(passing: Mapping[Any, pd.DataFrame]) -> str:
    if len(passing) < 2:
        return ""
    said = {way: not rows.empty for way, rows in passing.items()}
    if said[QUICK] == said[FULL]:
        return f"Heads and whole models agree: {'a cap helps' if said[FULL] else 'no cap is shown to help'}."
    words = {True: "a cap helps", False: "no cap is shown to help"}
    return (
        f"Heads and whole models disagree: by heads {words[said[QUICK]]}, by whole models {words[said[FULL]]}. "
        "Whole models count."
    )


def _notes(data: ExperimentData, why: str, trainers: Trainers, margin: float) -> list[str]:
    notes = [why] if why else []
    notes.append(
        f'"Not worse" means here that the whole 95 % interval of the F1 of the class lies above -{margin:g} points; '
        f"{len(data.ruler):,} validation items decide."
    )
    if trainers.full is not None:
        notes.append(
            "A whole model that is trained on fewer items takes fewer steps, too, as it would after the cap; with as "
            "many left out from all classes it takes as few."
        )
    if trainers.quick is not None:
        notes.append(
            f"Heads are trained on features of {trainers.quick_features}: those have seen the items that are left out."
            if "fold models" in trainers.quick_features
            else f"Heads are trained on features of {trainers.quick_features}."
        )
    elif trainers.why_no_quick:
        notes.append(f"Heads were not tried first. {trainers.why_no_quick}")
    return notes


def _notes_on_others(data: ExperimentData, rows: pd.DataFrame, label: str) -> list[str]:
    """What it means for a cap that items of the class have other classes, too; nothing if none has."""
    space, codes = data.coded(data.train_items)
    place = space.classes.index(label)
    n_with_others = int((rarest_other(space, codes, place)[space.has(codes, place)] <= len(codes)).sum())
    if not n_with_others:
        return []
    notes = [
        f"{n_with_others:,} train items of `{label}` have other labels, too. They are left out last, and stay where "
        f"one of these would be left with fewer items than `{label}`."
    ]
    n_class = _n_items(data, label)
    for percent, n_there in zip(rows["percent"], rows["n_class"], strict=True):
        wanted = _n_kept(n_class, percent)
        if n_there - wanted > NEARLY * n_class:
            notes.append(f"At {percent} % left out {n_there:,} items stay for that reason, not {wanted:,}.")
    return notes
