"""Rounds fix dataset versions, and a version stays what it was."""

import pytest

from curation.decisions.events import Decision
from curation.rounds import (
    close_round,
    current_round,
    dataset_version,
    list_rounds,
    rounds_table,
    training_items,
)
from diagnostics.errors import ProjectError


def decide(project, now, *decisions):
    return project.decisions.decide([Decision(*each) for each in decisions], annotator="ada", now=now)


def labels(project, number=None):
    items = training_items(project, dataset_version(project, number))
    return items.astype(object).where(items.notna(), None).set_index("item_id")


def test_round_1_is_open_from_the_start_and_version_0_is_the_source(project):
    assert current_round(project).number == 1
    version = dataset_version(project)
    assert (version.number, version.event, version.fingerprint) == (0, 0, project.info.fingerprint)
    assert labels(project)["label"].tolist() == ["cat", "dog", "fox", "cat", "dog", "fox", None, None]


def test_closing_a_round_fixes_a_version_and_opens_the_next_one(project, now):
    decide(project, now, ("a", "label_wrong", "dog"))
    closed = close_round(project, "ada", now)
    assert (closed.number, closed.closed_event, closed.closed_by) == (1, 1, "ada")
    assert (current_round(project).number, current_round(project).opened_event) == (2, 1)
    assert dataset_version(project).number == 1
    assert labels(project, 1)["label"]["a"] == "dog"


def test_the_next_run_trains_on_the_last_closed_round_not_on_open_decisions(project, now):
    decide(project, now, ("a", "label_wrong", "dog"))
    assert labels(project)["label"]["a"] == "cat"


def test_a_version_stays_what_it_was_whatever_is_decided_later(project, now):
    decide(project, now, ("a", "label_wrong", "dog"), ("b", "bad_item"))
    close_round(project, "ada", now)
    before = labels(project, 1)
    project.decisions.undo("ada", now)
    decide(project, now, ("c", "label_wrong", "cat"))
    close_round(project, "ada", now)
    assert labels(project, 1).equals(before)
    assert labels(project, 2)["label"].to_dict() | {"u": None, "w": None} == {
        "a": "cat", "b": "dog", "c": "cat", "d": "cat", "v": "dog", "t": "fox", "u": None, "w": None,
    }  # fmt: skip


def test_excluded_items_leave_and_unlabelled_items_with_a_label_join_the_training(project, now):
    decide(
        project,
        now,
        ("b", "out_of_scope"),
        ("u", "labelled", "fox"),
        ("v", "label_wrong", "cat"),
        ("w", "ambiguous"),
    )
    close_round(project, "ada", now)
    found = labels(project, 1)
    assert "b" not in found.index
    assert tuple(found.loc["u", ["split", "label"]]) == ("train", "fox")
    assert tuple(found.loc["v", ["split", "label"]]) == ("val", "cat")
    assert tuple(found.loc["w", ["split", "label"]]) == ("unlabelled", None)


def test_an_item_a_person_is_unsure_about_keeps_its_label_in_training(project, now):
    decide(project, now, ("a", "ambiguous"))
    close_round(project, "ada", now)
    assert labels(project, 1)["label"]["a"] == "cat"


def test_equal_training_data_have_equal_fingerprints(project, now):
    decide(project, now, ("a", "label_right"))
    close_round(project, "ada", now)
    assert dataset_version(project, 1).fingerprint == dataset_version(project, 0).fingerprint
    decide(project, now, ("a", "label_wrong", "dog"))
    close_round(project, "ada", now)
    project.decisions.undo("ada", now)
    close_round(project, "ada", now)
    prints = [dataset_version(project, number).fingerprint for number in (1, 2, 3)]
    assert prints[0] == prints[2] != prints[1]


def test_a_version_that_is_not_closed_yet_is_refused(project):
    with pytest.raises(ProjectError, match=r"no dataset version 1; it has 0 to 0"):
        dataset_version(project, 1)


def test_closing_names_who_closed(project, now):
    with pytest.raises(ProjectError, match="annotator is empty"):
        close_round(project, " ", now)


def test_the_table_counts_decisions_that_stand_and_names_the_runs_on_each_version(project, now, add_run):
    add_run(project, "run-0001", {"a": (1, 0, 0)}, version=0)
    decide(project, now, ("a", "label_wrong", "dog"), ("b", "bad_item"))
    decide(project, now, ("c", "label_wrong", "dog"))
    project.decisions.undo("ada", now)
    close_round(project, "ada", now)
    add_run(project, "run-0002", {"a": (1, 0, 0)}, version=1)
    table = rounds_table(project)
    assert table[["round", "version", "decisions", "runs"]].to_numpy().tolist() == [
        [1, 0, 2, "run-0001"],
        [2, 1, 0, "run-0002"],
    ]
    assert table["closed"].notna().tolist() == [True, False]
    assert len(list_rounds(project)) == 2


def test_an_unsure_item_with_another_label_makes_other_training_data_and_another_fingerprint(project, clock):
    project.decisions.decide([Decision("a", "ambiguous")], annotator="ada", now=clock())
    close_round(project, "ada", clock())
    project.decisions.decide([Decision("a", "ambiguous", "dog")], annotator="ada", now=clock())
    close_round(project, "ada", clock())
    before, after = dataset_version(project, 1), dataset_version(project, 2)
    assert before.fingerprint == project.info.fingerprint
    assert after.fingerprint != before.fingerprint
