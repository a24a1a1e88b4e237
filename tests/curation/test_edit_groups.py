"""Which edits were made between two dataset versions, in groups."""

import pytest

from curation.class_caps import set_cap
from curation.decisions.events import BAD_ITEM, LABEL_WRONG, LABELLED, Decision
from curation.edit_groups import find_edits, with_edits
from curation.experiments import experiment_data
from curation.rounds import close_round, dataset_version
from diagnostics.experiments.edits import ADDITIONS, CAPS, RELABELS, REMOVALS
from diagnostics.experiments.edits import items_without as without


def decide(project, clock, *decisions):
    for item_id, verdict, label in decisions:
        project.decisions.decide([Decision(item_id, verdict, label=label)], annotator="ada", now=clock())
    close_round(project, "ada", clock())


@pytest.fixture
def edited(project, clock):
    """Round 1: a is relabelled, b excluded, u added and the validation item v put right. Round 2: c is relabelled."""
    decide(
        project,
        clock,
        ("a", LABEL_WRONG, "dog"),
        ("b", BAD_ITEM, None),
        ("u", LABELLED, "fox"),
        ("v", LABEL_WRONG, "cat"),
    )
    decide(project, clock, ("c", LABEL_WRONG, "dog"))
    return project


def groups_of(edits):
    return dict(zip(edits.table["item_id"], edits.table["group"], strict=True))


def test_edits_since_the_source_are_told_apart(edited):
    found = find_edits(edited, dataset_version(edited))
    assert groups_of(found) == {"a": RELABELS, "b": REMOVALS, "c": RELABELS, "u": ADDITIONS}
    assert (found.n_validation, found.since) == (1, "the source")
    assert found.counts() == {RELABELS: 2, REMOVALS: 1, ADDITIONS: 1, CAPS: 0}


def test_edits_of_the_last_round_alone(edited):
    found = find_edits(edited, dataset_version(edited), since=1)
    assert groups_of(found) == {"c": RELABELS}
    assert (found.n_validation, found.since) == (0, "dataset version 1")


def test_without_decisions_there_are_no_edits(project):
    assert find_edits(project, dataset_version(project)).table.empty


def test_an_item_that_a_cap_keeps_out_is_an_edit_of_caps_whatever_its_label(edited, clock):
    set_cap(edited, "dog", 1, annotator="ada", now=clock())
    found = find_edits(edited, dataset_version(edited))
    held_back = found.table[found.table["held_back"]]
    assert held_back["item_id"].isin(["a", "c"]).all()
    assert found.counts()[CAPS] == len(held_back) == 1


def test_trainings_without_the_edits_know_the_items_as_they_were(edited, clock):
    set_cap(edited, "dog", 1, annotator="ada", now=clock())
    version = dataset_version(edited)
    data = with_edits(edited, version, experiment_data(edited, version), since=0)
    assert set(data.spare_items["item_id"]) >= {"b"}
    assert set(data.spare_items["item_id"]).isdisjoint(data.train_items["item_id"])
    source = without(data, data.about["edits"], (RELABELS, REMOVALS, ADDITIONS, CAPS))
    assert dict(zip(source["item_id"], source["label"], strict=True)) == {
        "a": "cat",
        "b": "dog",
        "c": "fox",
        "d": "cat",
    }
    known = {*data.train_items["item_id"], *data.spare_items["item_id"]}
    assert set(source["item_id"]) <= known
