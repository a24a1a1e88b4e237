import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.decisions.events import Decision
from curation.quick_rounds import QueueMoves, count_moves, queue_moves, quick_offer
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


def decide(project, clock, *item_ids, verdict="label_right"):
    for item_id in item_ids:
        project.decisions.decide([Decision(item_id, verdict)], annotator="ada", now=clock())


def test_a_quick_round_is_due_after_enough_decisions_since_the_newest_run(project, add_run, clock):
    add_run(project, "run-0001", PROBS)
    decide(project, clock, "a")
    assert quick_offer(project, offer_after=2).n_decided == 1
    assert not quick_offer(project, offer_after=2).is_due
    decide(project, clock, "b", "b")
    assert quick_offer(project, offer_after=2).is_due
    add_run(project, "run-0002", PROBS, event=project.decisions.last_event(), quick=QUICK)
    assert quick_offer(project, offer_after=2).n_decided == 0


def test_without_a_run_there_is_nothing_to_offer(project):
    with pytest.raises(RunError, match="Train once"):
        quick_offer(project)


def test_items_that_come_onto_the_first_page_are_counted_and_those_that_climb_far():
    before, after = np.arange(10), np.array([9, 0, 1, 8, 2, 3, 4, 5, 6, 7])
    assert count_moves(before, after, first_page=3, far_ranks=4) == QueueMoves(1, 2)
    assert count_moves(before, before, first_page=3, far_ranks=0) == QueueMoves(0, 0)


def test_an_item_that_was_not_in_the_queue_came_from_behind_its_end():
    assert count_moves(np.array([1, 2]), np.array([5, 1]), first_page=1, far_ranks=1) == QueueMoves(1, 1)
    assert count_moves(np.array([], dtype=int), np.array([3]), first_page=1, far_ranks=9) == QueueMoves(0, 0)


@given(st.permutations(range(12)), st.integers(1, 12))
def test_as_many_come_onto_the_first_page_as_leave_it(order, first_page):
    before, after = np.arange(12), np.array(order)
    moves = count_moves(before, after, first_page=first_page, far_ranks=100)
    assert moves.n_into_first_page == len(set(before[:first_page]) - set(after[:first_page]))


def test_the_line_for_the_reviewer_counts_one_item_as_one():
    assert str(QueueMoves(1, 0)) == "Queue updated, 1 item moved up to the first page."
    assert str(QueueMoves(0, 7)) == "Queue updated, the first page has the same items."


def test_the_moves_between_two_runs_leave_out_what_is_decided(project, add_run, clock):
    add_run(project, "run-0001", {"a": CAT, "b": CAT, "c": (0.3, 0.3, 0.4), "d": DOG})
    add_run(project, "run-0002", {"a": DOG, "b": CAT, "c": (0.1, 0.1, 0.8), "d": CAT}, quick=QUICK)
    moves = queue_moves(project, "run-0001", "run-0002", "loss", first_page=1, far_ranks=1)
    assert moves == QueueMoves(n_into_first_page=1, n_far_up=1)
    decide(project, clock, "a", "d")
    assert queue_moves(project, "run-0001", "run-0002", "loss", first_page=1) == QueueMoves(0, 0)


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
