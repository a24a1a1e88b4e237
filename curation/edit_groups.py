"""The edits of train items between two dataset versions, in groups: relabels, removals, additions, caps.

What an experiment needs to train without one of them is put together here; what each bought is told by
`diagnostics.experiments.edits`.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from curation.project import Project
from curation.rounds import DatasetVersion, dataset_version, training_items
from diagnostics.experiments.edits import (
    ABOUT,
    ADDITIONS,
    EDIT_COLUMNS,
    RELABELS,
    REMOVALS,
    Edits,
)
from diagnostics.experiments.frame import ExperimentData
from diagnostics.task import are_among


def find_edits(project: Project, version: DatasetVersion, *, since: int = 0) -> Edits:
    """What was changed about the train items from dataset version `since` to this one, in the classes of this one.

    Caps are those that are in force, whenever they were set. An item that was labelled and excluded again, or the
    other way round, counts by what became of it.
    raises : ProjectError if there is no version `since`
    """
    then, now = _both(project, version, since)
    table = pd.concat(
        [_train_labels(then).rename("label_then"), _train_labels(now).rename("label_now")], axis=1
    )
    held_back = pd.Series(True, index=now.loc[now["held_back"], "item_id"]).reindex(
        table.index, fill_value=False
    )
    source = project.items.set_index("item_id")["split"].reindex(table.index)
    was, is_ = table["label_then"].notna(), table["label_now"].notna()
    groups = np.select(
        [
            (was != is_) & (source == "unlabelled"),
            was != is_,
            was & (table["label_then"] != table["label_now"]),
        ],
        [ADDITIONS, REMOVALS, RELABELS],
        default="",
    )
    table = table.assign(group=groups, held_back=held_back)
    edited = table[(table["group"] != "") | table["held_back"]]
    edited = edited.rename_axis("item_id").reset_index()[list(EDIT_COLUMNS)]
    words = "the source" if since == 0 else f"dataset version {since}"
    return Edits(edited, words, _n_validation(then, now))


def with_edits(
    project: Project, version: DatasetVersion, data: ExperimentData, *, since: int
) -> ExperimentData:
    """The data with the edits beside them, and with the train items that only trainings without some edits use."""
    edits = find_edits(project, version, since=since)
    rows = pd.concat(_both(project, version, since)[::-1], ignore_index=True)
    rows = rows[are_among(rows["item_id"], edits.table["item_id"]) & ~rows["item_id"].duplicated()]
    spare = rows[~are_among(rows["item_id"], data.train_items["item_id"])]
    spare = spare[(spare["split"] == "train") & spare["label"].notna()].assign(held_back=False)
    return replace(data, spare_items=spare.reset_index(drop=True), about={**data.about, ABOUT: edits})


def _both(project: Project, version: DatasetVersion, since: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The items then and now, named by the classes of now; then without caps."""
    then = dataset_version(project, since, class_change=version.class_change, cap_change=0)
    return training_items(project, then), training_items(project, version)


def _train_labels(items: pd.DataFrame) -> pd.Series:
    """The labels of the items that are trained on or held back, by item_id."""
    train = items[(items["split"] == "train") & items["label"].notna()]
    return pd.Series(train["label"].to_numpy(dtype=object), index=train["item_id"].to_numpy(dtype=object))


def _n_validation(then: pd.DataFrame, now: pd.DataFrame) -> int:
    before, after = (
        items[items["split"] == "val"].set_index("item_id")["label"].astype(object) for items in (then, now)
    )
    after = after.reindex(before.index)
    changed = (before != after) & ~(before.isna() & after.isna())
    return int(changed.sum())
