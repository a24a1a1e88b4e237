import pytest

from curation.decisions.events import Decision
from curation.reports import compare_runs, labelled_predictions
from curation.rounds import close_round
from diagnostics.compare import BROKEN, FIXED
from diagnostics.errors import RunError

CAT, DOG, FOX = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)
FIRST = {"a": CAT, "b": CAT, "c": FOX, "d": CAT, "v": CAT, "t": FOX, "u": CAT}


def test_a_split_is_measured_against_its_labels(project, add_run):
    add_run(project, "run-0001", FIRST)
    found = labelled_predictions(project, "train")
    assert list(found.item_ids) == ["a", "b", "c", "d"]
    assert found.class_report().accuracy.value == 0.75
    assert not found.in_sample


def test_predictions_of_a_model_that_saw_the_items_are_marked(project, add_run):
    add_run(project, "run-0001", FIRST, kind="in_sample")
    assert labelled_predictions(project, "train").in_sample
    assert not labelled_predictions(project, "val").in_sample


def test_items_that_came_after_the_run_are_counted_and_left_out(project, add_run):
    add_run(project, "run-0001", {name: probs for name, probs in FIRST.items() if name != "d"})
    found = labelled_predictions(project, "train")
    assert found.n_without_prediction == 1
    assert list(found.item_ids) == ["a", "b", "c"]


def test_a_corrected_validation_label_counts_once_its_round_is_closed_and_for_old_runs_too(
    project, add_run, clock
):
    add_run(project, "run-0001", FIRST)
    project.decisions.decide([Decision("v", "label_wrong", "cat")], annotator="ada", now=clock())
    assert labelled_predictions(project, "val").class_report().accuracy.value == 0.0
    close_round(project, "ada", clock())
    found = labelled_predictions(project, "val", "run-0001")
    assert found.class_report().accuracy.value == 1.0
    assert found.version == 1


def test_an_excluded_item_is_not_measured(project, add_run, clock):
    add_run(project, "run-0001", FIRST)
    project.decisions.decide([Decision("b", "bad_item")], annotator="ada", now=clock())
    close_round(project, "ada", clock())
    assert list(labelled_predictions(project, "train").item_ids) == ["a", "c", "d"]


def test_there_is_no_report_on_items_without_labels(project, add_run):
    add_run(project, "run-0001", FIRST)
    with pytest.raises(RunError, match="only train, val, test have labels"):
        labelled_predictions(project, "unlabelled")


def test_a_report_before_the_first_run_says_how_to_get_one(project):
    with pytest.raises(RunError, match="winnow train"):
        labelled_predictions(project, "val")


def test_two_runs_are_compared_item_by_item_on_the_same_labels(project, add_run, clock):
    add_run(project, "run-0001", FIRST)
    close_round(project, "ada", clock())
    add_run(project, "run-0002", FIRST | {"b": DOG, "c": CAT}, version=1)
    found = compare_runs(project, "train")
    assert (found.run_before, found.run_after) == ("run-0001", "run-0002")
    assert dict(zip(found.comparison.flips["item_id"], found.comparison.flips["change"], strict=True)) == {
        "b": FIXED,
        "c": BROKEN,
    }
    assert found.comparison.accuracy_difference == 0.0


def test_the_run_before_is_the_newest_on_an_earlier_version(project, add_run, clock):
    add_run(project, "run-0001", FIRST)
    add_run(project, "run-0002", FIRST)
    close_round(project, "ada", clock())
    add_run(project, "run-0003", FIRST, version=1)
    add_run(project, "run-0004", FIRST, version=1)
    assert compare_runs(project).run_before == "run-0002"
    assert compare_runs(project, before="run-0001", after="run-0003").run_before == "run-0001"


def test_the_first_run_has_nothing_to_be_compared_with(project, add_run):
    add_run(project, "run-0001", FIRST)
    with pytest.raises(RunError, match="nothing to compare run-0001 with"):
        compare_runs(project)
