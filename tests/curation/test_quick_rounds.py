import pytest

from curation.decisions.events import Decision
from curation.reports import compare_runs, labelled_predictions
from curation.rounds import close_round, dataset_version, rounds_table, version_now
from curation.run_folders import allocate_run, list_partial_runs, newest_full_run, read_start
from curation.runs import train_project
from curation.what_if import what_if
from diagnostics.errors import RunError
from diagnostics.run_folder import QuickInfo
from diagnostics.training.config import TrainConfig

QUICK = QuickInfo("the 5 fold models of run-0001", "run-0001", 0.1)
CAT, DOG = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1)
PROBS = {"a": CAT, "b": CAT, "c": CAT, "d": CAT, "v": CAT}


def test_a_quick_run_is_marked_where_runs_are_listed_and_does_not_stand_in_for_a_full_one(project, add_run):
    add_run(project, "run-0001", PROBS)
    add_run(project, "run-0002", PROBS, quick=QUICK)
    assert rounds_table(project)["runs"].tolist() == ["run-0001, run-0002 (quick)"]
    assert newest_full_run(project).info.run_id == "run-0001"
    assert labelled_predictions(project, "val").run_name == "run-0002 (quick)"


def test_full_runs_are_compared_with_full_ones_unless_others_are_named(project, add_run):
    add_run(project, "run-0001", PROBS)
    add_run(project, "run-0002", PROBS, quick=QUICK)
    add_run(project, "run-0003", PROBS)
    add_run(project, "run-0004", PROBS, quick=QUICK)
    found = compare_runs(project)
    assert (found.run_before, found.run_after) == ("run-0001", "run-0003")
    quick = compare_runs(project, after="run-0004")
    assert (quick.name_before, quick.name_after) == ("run-0002 (quick)", "run-0004 (quick)")
    assert compare_runs(project, after="run-0002").run_before == "run-0001"


def test_the_version_of_now_has_the_decisions_of_the_open_round_and_is_what_closing_it_fixes(project, clock):
    project.decisions.decide([Decision("a", "label_wrong", "dog")], annotator="ada", now=clock())
    now = version_now(project)
    assert (now.number, now.event) == (0, project.decisions.last_event())
    assert now.fingerprint != dataset_version(project).fingerprint
    close_round(project, "ada", clock())
    assert dataset_version(project).fingerprint == now.fingerprint == version_now(project).fingerprint


def test_an_unfinished_quick_run_is_known_as_one(project, now):
    allocate_run(project, TrainConfig(), 0, now=now, quick=True)
    assert read_start(project, "run-0001").quick


def test_a_quick_round_that_cannot_be_made_leaves_no_run(project):
    with pytest.raises(RunError, match="Train once"):
        train_project(project, TrainConfig(), quick=True)
    assert list_partial_runs(project) == []


def test_what_if_is_told_by_quick_rounds_alone(project, add_run):
    add_run(project, "run-0001", PROBS)
    with pytest.raises(RunError, match="full run"):
        what_if(project, "run-0001")
