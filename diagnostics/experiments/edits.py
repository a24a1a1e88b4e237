"""Edits: what each group of edits bought, found by leaving one group out at a time.

The same training is made with all edits, with none of them, and with all but one group. What a group bought is the
difference between all edits and all but it: what it adds on top of the others. Groups can overlap in what they bring,
so their differences need not add up to that of all together. Every training is judged by the validation labels of now;
corrected validation labels are no training edit, they move the ruler.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from diagnostics.compare import IMPROVED, WORSE
from diagnostics.errors import DataError
from diagnostics.experiments.families import corrected_together, points_text
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
from diagnostics.task import FloatArray

ABOUT = "edits"
RELABELS, REMOVALS, ADDITIONS, CAPS = "relabels", "removals", "additions", "caps"
ALL_EDITS, NO_EDITS = "all edits", "no edits"
GROUPS = {
    RELABELS: "train labels changed",
    REMOVALS: "train items excluded, or taken in again",
    ADDITIONS: "unlabelled items that were labelled",
    CAPS: "train items held back by a class cap",
}
_COUNTED = {
    RELABELS: ("relabel", "relabels"),
    REMOVALS: ("removal", "removals"),
    ADDITIONS: ("addition", "additions"),
    CAPS: ("item held back by a cap", "items held back by caps"),
}
NONE_MADE = "none made"
EDIT_COLUMNS = ("item_id", "label_then", "label_now", "group", "held_back")
TABLE_COLUMNS = (
    "way", "group", "what", "n_edits", "metric", "without", "with", "difference", "low", "high",
    "p_adjusted", "verdict", "n_needed", "classes_improved", "classes_worse",
)  # fmt: skip


@dataclass(frozen=True)
class Edits:
    """What was changed about the train items between two dataset versions.

    table : EDIT_COLUMNS, one row an item. label_then, label_now : null where it is not in training, caps apart;
        group : RELABELS, REMOVALS or ADDITIONS, "" if only held back; held_back : a cap keeps it out now
    since : the earlier version, in words
    n_validation : validation labels that were corrected or validation items excluded in between
    """

    table: pd.DataFrame
    since: str
    n_validation: int

    @property
    def validation_text(self) -> str:
        """The corrections of validation labels in a sentence."""
        n = self.n_validation
        if n == 0:
            return f"No validation label was corrected since {self.since}."
        labels = "1 validation label was" if n == 1 else f"{n:,} validation labels were"
        return f"{labels} corrected or excluded since {self.since}: they move the ruler, not the training."

    def counts(self) -> dict[str, int]:
        """How many edits of each group there are."""
        n = self.table["group"].value_counts()
        return {name: int(n.get(name, 0)) for name in GROUPS} | {CAPS: int(self.table["held_back"].sum())}

    def made(self) -> list[str]:
        """The groups that have edits."""
        return [name for name, n in self.counts().items() if n]


def counted(group: str, n: int) -> str:
    """So many edits of a group, in words.

    >>> counted("relabels", 1), counted("caps", 0)
    ('1 relabel', 'no items held back by caps')
    """
    one, many = _COUNTED[group]
    if n == 1:
        return f"1 {one}"
    return f"{n:,} {many}" if n else f"no {many}"


def count(data: ExperimentData, options: Options) -> Trainings:
    """All edits, none of them, and all but each group, once a seed; in full all edits and all but the largest group.

    raises : DataError if there are no edits
    """
    edits = _edits(data)
    seeds: int = options["seeds"]
    return Trainings(
        n_quick=seeds * len(_variants(edits)),
        n_full=2 * seeds if options["full"] else 0,
    )


def run(data: ExperimentData, trainers: Trainers, options: Options) -> Result:
    """Train with all edits, without each group and without any, and compare."""
    edits, seeds = _edits(data), options["seeds"]
    if trainers.quick is None:
        raise DataError(
            f"What each group of edits bought is first told by quick trainings. {trainers.why_no_quick}"
        )
    trained = _train(data, trainers.quick, edits, _variants(edits), seeds)
    table = difference_table(data, edits, trained).assign(way=QUICK)
    largest = largest_group(table, edits)
    if trainers.full is not None:
        trained = _train(data, trainers.full, edits, {ALL_EDITS: [], largest: [largest]}, seeds)
        confirmed = difference_table(data, edits, trained).assign(way=FULL)
        table = pd.concat([table, confirmed[confirmed["group"] == largest]], ignore_index=True)
    table = table[list(TABLE_COLUMNS)]
    return Result(
        outcome=MEASURED,
        verdict=_verdict(table, edits),
        why=_why(table, edits, largest),
        table=table,
        notes=tuple(_notes(data, edits, trainers)),
        agreement=_agreement(table, largest),
        facts={"counts": edits.counts(), "since": edits.since, "largest": largest,
               "n_validation": edits.n_validation},
    )  # fmt: skip


def items_without(data: ExperimentData, edits: Edits, groups: Collection[str]) -> pd.DataFrame:
    """The train items with all edits but those of some groups: columns item_id, label."""
    labels = pd.Series(
        data.train_items["label"].to_numpy(dtype=object), index=data.train_items["item_id"].to_numpy()
    )
    table = edits.table
    undone = table["group"].isin(groups).to_numpy()
    changed = pd.Series(
        np.where(undone, table["label_then"], table["label_now"]), index=table["item_id"].to_numpy()
    )
    if CAPS not in groups:
        changed[table["held_back"].to_numpy()] = None
    found = pd.concat([labels.drop(changed.index, errors="ignore"), changed]).dropna()
    return pd.DataFrame({"item_id": found.index.to_numpy(dtype=object), "label": found.to_numpy()})


def difference_table(
    data: ExperimentData, edits: Edits, trained: Mapping[str, Sequence[FloatArray]]
) -> pd.DataFrame:
    """TABLE_COLUMNS but `way`, a row a number of all classes together (accuracy, macro F1; with several labels an item
    subset accuracy, micro and macro F1) for all edits and for each group, or one: "none made".

    trained : trainings without the edits of each group, by its name; without any, by NO_EDITS; with all, by ALL_EDITS.
        Groups without trainings get no row

    p_adjusted is corrected by Holm's method over the groups.
    """
    ruler, rows = data.ruler, []
    noise, metrics = ruler.pooled_noise(list(trained.values())), ruler.metrics.whole
    counts = edits.counts()
    for group in (NO_EDITS, *GROUPS):
        name = ALL_EDITS if group == NO_EDITS else group
        n_edits = len(edits.table) if group == NO_EDITS else counts[group]
        row = {"group": name, "what": GROUPS.get(name, "together"), "n_edits": n_edits}
        if not n_edits:
            rows.append(row | {"metric": "", "verdict": NONE_MADE})
        elif without := trained.get(group) or (trained.get(NO_EDITS) if edits.made() == [group] else None):
            found = ruler.compare(without, trained[ALL_EDITS], shared_noise=noise)
            classes = {
                f"classes_{verdict}": ", ".join(
                    found.classes.loc[found.classes["verdict"] == verdict, "label"]
                )
                for verdict in (IMPROVED, WORSE)
            }
            rows += [row | classes | _numbers(found.of(metric), metric) for metric in metrics]
    table = pd.DataFrame(rows).reindex(columns=list(TABLE_COLUMNS[1:]))
    texts = ["metric", "classes_improved", "classes_worse"]
    table[texts] = table[texts].fillna("")
    is_group = table["group"] != ALL_EDITS
    corrected = corrected_together(table[is_group], metrics)
    return pd.concat([table[~is_group], corrected], ignore_index=True)


def largest_group(table: pd.DataFrame, edits: Edits) -> str:
    """The group with the largest difference in macro F1, up or down."""
    own = table[(table["metric"] == "macro_f1") & table["group"].isin(edits.made())]
    return str(own["group"].iloc[int(own["difference"].abs().argmax())])


# ------------------------------------------------------------ training


def _edits(data: ExperimentData) -> Edits:
    edits = data.about.get(ABOUT)
    if not isinstance(edits, Edits) or edits.table.empty:
        raise DataError(
            "There are no edits of train items to tell anything of. Relabel, exclude or add some in Review and close "
            "the round."
        )
    return edits


def _variants(edits: Edits) -> dict[str, list[str]]:
    """Which groups are left out of each training; a group that is the only one is left out by leaving out all."""
    made = edits.made()
    single = {name: [name] for name in made} if len(made) > 1 else {}
    return {ALL_EDITS: [], NO_EDITS: made} | single


def _train(
    data: ExperimentData, trainer: Trainer, edits: Edits, variants: Mapping[str, list[str]], n_seeds: int
) -> dict[str, list[FloatArray]]:
    return {
        name: [trainer(items_without(data, edits, groups), seed=seed) for seed in range(n_seeds)]
        for name, groups in variants.items()
    }


def _numbers(found: pd.Series, metric: str) -> dict[str, Any]:
    columns = ("difference", "low", "high", "verdict", "n_needed")
    return {
        "metric": metric,
        "without": found["before"],
        "with": found["after"],
        "p_adjusted": found["p_value"],
        **{column: found[column] for column in columns},
    }


# ------------------------------------------------------------ what it says


def _verdict(table: pd.DataFrame, edits: Edits) -> str:
    together = _macro_f1(table, QUICK, ALL_EDITS)
    return (
        f"As far as a quick estimate can tell, the {len(edits.table):,} edits since {edits.since} together change "
        f"macro F1 on validation by {points_text(together.iloc[0])}."
    )


def _why(table: pd.DataFrame, edits: Edits, largest: str) -> str:
    own, full = (_macro_f1(table, way, largest) for way in (QUICK, FULL))
    text = (
        f"The largest part is that of the {counted(largest, edits.counts()[largest])}: {points_text(own.iloc[0])} on "
        "top of the others."
    )
    return text if full.empty else f"{text} Whole models say of these {points_text(full.iloc[0])}."


def _macro_f1(table: pd.DataFrame, way: str, group: str) -> pd.DataFrame:
    """The one row, or none."""
    return table[(table["way"] == way) & (table["group"] == group) & (table["metric"] == "macro_f1")]


def _agreement(table: pd.DataFrame, largest: str) -> str:
    said = {way: _macro_f1(table, way, largest)["verdict"].tolist() for way in (QUICK, FULL)}
    if not said[FULL]:
        return ""
    quick, full = said[QUICK][0], said[FULL][0]
    if quick == full:
        return f"Heads and whole models agree on the {largest}: {full}."
    return (
        f"Heads and whole models disagree on the {largest}: by heads {quick}, by whole models {full}. Whole models "
        "count."
    )


def _notes(data: ExperimentData, edits: Edits, trainers: Trainers) -> list[str]:
    return [
        f"A quick estimate: heads on features of {trainers.quick_features}. Whole models learn features from the "
        "labels too, so edits can mean more or less to them.",
        "What a group bought is the difference it makes on top of all other edits; the parts need not add up to the "
        "whole. Verdicts on groups are corrected over them (Holm).",
        f"{edits.validation_text} Every number is against the {len(data.ruler):,} validation labels of now.",
    ]
