"""Edits: each group is judged by what training without it does, on top of the others."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from diagnostics.compare import CANNOT_TELL, IMPROVED
from diagnostics.errors import DataError
from diagnostics.experiments import edits
from diagnostics.experiments.edits import (
    ABOUT,
    ADDITIONS,
    ALL_EDITS,
    CAPS,
    EDIT_COLUMNS,
    NONE_MADE,
    RELABELS,
    REMOVALS,
    TABLE_COLUMNS,
    Edits,
    items_without,
)
from diagnostics.experiments.frame import FULL, MEASURED, QUICK, Trainings

OPTIONS = {"since": 0, "seeds": 2, "full": False}


@pytest.fixture(scope="module")
def edited(made_up):
    """90 items: 30 of a and 30 of b; of 15 more the label was wrong before, 10 were excluded, 5 added, 3 held back."""
    data, trainers = made_up({"a": 60, "b": 30}, ruler={"a": 100, "b": 100}, distance=1.5)
    items = data.train_items
    a, b = (items.loc[items["label"] == label, "item_id"].tolist() for label in "ab")
    rows = [(item_id, "b", "a", RELABELS, False) for item_id in a[:15]]
    rows += [(item_id, "a", None, REMOVALS, False) for item_id in a[15:25]]
    rows += [(item_id, None, "b", ADDITIONS, False) for item_id in b[:5]]
    rows += [(item_id, "a", "a", "", True) for item_id in a[25:28]]
    table = pd.DataFrame(rows, columns=list(EDIT_COLUMNS)).astype({"label_then": object, "label_now": object})
    gone = items["item_id"].isin([*a[15:25], *a[25:28]])
    made = Edits(table, "the source", 2)
    data = replace(
        data, train_items=items[~gone].reset_index(drop=True), spare_items=items[gone], about={ABOUT: made}
    )
    known = {}

    def train(items, *, seed, config=None):
        """Heads that are not trained twice on the same."""
        key = (seed, *items["item_id"], *items["label"])
        if key not in known:
            known[key] = trainers.quick(items, seed=seed)
        return known[key]

    return data, replace(trainers, quick=train), made


def labels_without(data, made, *groups):
    found = items_without(data, made, groups)
    return dict(zip(found["item_id"], found["label"], strict=True))


def test_leaving_a_group_out_undoes_that_group_alone(edited):
    data, _, made = edited
    now = labels_without(data, made)
    assert now == dict(zip(data.train_items["item_id"], data.train_items["label"], strict=True))
    a, b = (made.table.loc[made.table["group"] == group, "item_id"] for group in (RELABELS, ADDITIONS))
    assert labels_without(data, made, RELABELS) == now | dict.fromkeys(a, "b")
    assert labels_without(data, made, ADDITIONS) == {key: now[key] for key in now if key not in set(b)}
    assert len(labels_without(data, made, REMOVALS)) == len(now) + 10
    assert len(labels_without(data, made, CAPS)) == len(now) + 3
    assert len(labels_without(data, made, RELABELS, REMOVALS, ADDITIONS, CAPS)) == len(now) + 8


def test_an_item_that_was_relabelled_and_is_held_back_comes_back_as_it_was_only_if_both_are_undone():
    table = pd.DataFrame([("x", "a", "b", RELABELS, True)], columns=list(EDIT_COLUMNS)).astype(object)
    made = Edits(table.astype({"held_back": bool}), "the source", 0)

    class Nothing:
        train_items = pd.DataFrame({"item_id": ["y"], "label": ["a"]})

    assert labels_without(Nothing, made) == {"y": "a"}
    assert labels_without(Nothing, made, CAPS) == {"y": "a", "x": "b"}
    assert labels_without(Nothing, made, RELABELS) == {"y": "a"}
    assert labels_without(Nothing, made, RELABELS, CAPS) == {"y": "a", "x": "a"}


@pytest.fixture(scope="module")
def result(edited):
    data, trainers, _ = edited
    return edits.run(data, trainers, OPTIONS)


def test_the_relabels_of_wrong_labels_are_the_largest_part(result):
    assert result.outcome == MEASURED
    assert result.facts["largest"] == RELABELS
    assert result.facts["counts"] == {RELABELS: 15, REMOVALS: 10, ADDITIONS: 5, CAPS: 3}
    table = result.table.set_index(["group", "metric"])
    assert table.loc[(RELABELS, "macro_f1"), "difference"] > 0.02
    assert table.loc[(ALL_EDITS, "macro_f1"), "verdict"] in (IMPROVED, CANNOT_TELL)
    assert "As far as a quick estimate can tell, the 33 edits since the source" in result.verdict
    assert "the 15 relabels" in result.why


def test_every_group_has_a_row_for_accuracy_and_macro_f1(result):
    assert list(result.table.columns) == list(TABLE_COLUMNS)
    groups = [ALL_EDITS, RELABELS, REMOVALS, ADDITIONS, CAPS]
    assert result.table["group"].tolist() == [group for group in groups for _ in range(2)]
    np.testing.assert_allclose(
        result.table["with"] - result.table["without"], result.table["difference"], atol=1e-9
    )
    assert len(set(result.table.loc[result.table["metric"] == "accuracy", "with"])) == 1


def test_corrected_validation_labels_are_counted_and_are_no_edit(result):
    assert any("2 validation labels were corrected" in note for note in result.notes)


def test_of_a_group_without_edits_it_is_said_that_none_were_made_and_the_only_group_is_all(edited):
    data, trainers, made = edited
    only = replace(made, table=made.table[made.table["group"] == RELABELS])
    data = replace(data, about={ABOUT: only})
    found = edits.run(data, trainers, OPTIONS).table
    none = found[found["verdict"] == NONE_MADE]
    assert none["group"].tolist() == [REMOVALS, ADDITIONS, CAPS]
    assert none["difference"].isna().all()
    macro = found[found["metric"] == "macro_f1"].set_index("group")["difference"]
    assert macro[ALL_EDITS] == macro[RELABELS]
    assert edits.count(data, OPTIONS) == Trainings(n_quick=4, n_full=0)


def test_whole_models_confirm_the_largest_group_alone(edited):
    data, trainers, _ = edited
    asked = []

    def whole(items, *, seed, config=None):
        asked.append(len(items))
        return trainers.quick(items_without(data, data.about[ABOUT], ()), seed=seed)

    found = edits.run(data, replace(trainers, full=whole), OPTIONS | {"full": True})
    assert edits.count(data, OPTIONS | {"full": True}) == Trainings(n_quick=12, n_full=4)
    full = found.table[found.table["way"] == FULL]
    assert full["group"].tolist() == [RELABELS, RELABELS]
    assert full["difference"].tolist() == [0, 0]
    assert asked == [len(data.train_items)] * 4
    assert "Whole models say of these" in found.why
    assert "on the relabels" in found.agreement
    assert (found.table["way"] == QUICK).sum() == 10


def test_without_edits_nothing_is_started(edited):
    data, _, made = edited
    with pytest.raises(DataError, match="There are no edits of train items"):
        edits.count(replace(data, about={ABOUT: replace(made, table=made.table[:0])}), OPTIONS)
