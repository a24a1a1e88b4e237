import numpy as np
import pytest

from curation.agreement import validation_against_test, validation_alarm
from curation.dataset.intake import ONE_CLASS_A_ROW
from curation.label_kinds.kind import LabelForm
from curation.reports import compare_runs
from diagnostics.predictions import FOLDER

CLASSES = ("cat", "dog")
SETS = ("cat|dog", "cat")
N = 120


@pytest.fixture
def measured(make_project, add_run):
    """measured({run_id: (share right on validation, on test)}) → a project with these runs of five fold models.

    form : how labels are written; labels : the two that items have in turn
    """

    def make(runs, form=ONE_CLASS_A_ROW, labels=CLASSES):
        rows = [
            (f"{split}{number:03d}", split, labels[number % 2])
            for split in ("val", "test")
            for number in range(N)
        ]
        rows += [("a", "train", labels[0]), ("b", "train", labels[1])]
        project = make_project(rows, classes=CLASSES, label_form=form)
        given = np.array([[name in label.split("|") for name in CLASSES] for _, _, label in rows])
        for run_id, shares in runs.items():
            right = np.concatenate([np.arange(N) < share * N for share in shares] + [[True, True]])
            probs = np.where(given == right[:, None], 0.9, 0.1)
            ids = [item_id for item_id, _, _ in rows]
            add_run(project, run_id, dict(zip(ids, map(tuple, probs), strict=True)))
            _with_folds(project, run_id, probs)
        return project

    return make


def _with_folds(project, run_id, probs):
    """Five models, all of which say the same: what they are unsure of is the items alone."""
    folder = project.runs_dir / run_id / FOLDER
    np.save(folder / "fold_probs.npy", np.stack([probs] * 5).astype(np.float16))
    about = (folder / "predictions.json").read_text()
    (folder / "predictions.json").write_text(about.replace('"pred_probs"', '"pred_probs",\n  "fold_probs"'))


def test_before_four_full_runs_it_is_too_early_to_tell(measured):
    found = validation_against_test(measured({"run-0001": (0.5, 0.5), "run-0002": (0.6, 0.6)}))
    assert "Too few to tell: 2 full runs" in found.verdict
    assert found.runs["val_accuracy"].tolist() == [0.5, 0.6]


def test_runs_that_both_sets_order_alike_are_told_from_their_number_on(measured):
    shares = np.linspace(0.5, 0.9, 6)
    found = validation_against_test(measured({f"run-000{n}": (x, x) for n, x in enumerate(shares, start=1)}))
    assert found.verdict.startswith("Validation and test order the 6 runs alike: rank correlation 1.00")
    assert (found.metrics["accuracy"].n_agreeing, found.metrics["accuracy"].n_steps) == (5, 5)


def test_the_alarm_sounds_when_validation_rises_alone(measured):
    alarm = validation_alarm(measured({"run-0001": (0.6, 0.7), "run-0002": (0.9, 0.7)}))
    assert alarm is not None
    assert (alarm.run_before, alarm.run_after) == ("run-0001", "run-0002")
    assert "rose by 30.0 points" in alarm.text and "did not follow: +0.0 points" in alarm.text


def test_the_alarm_keeps_still_when_test_rises_too_or_nothing_does(measured):
    assert validation_alarm(measured({"run-0001": (0.6, 0.6), "run-0002": (0.9, 0.85)})) is None
    assert validation_alarm(measured({"run-0001": (0.6, 0.6), "run-0002": (0.62, 0.55)})) is None
    assert validation_alarm(measured({"run-0001": (0.6, 0.6)})) is None


def test_a_slow_climb_is_seen_from_the_first_run(measured):
    climb = {f"run-000{n}": (0.6 + 0.04 * n, 0.7) for n in range(1, 6)}
    alarm = validation_alarm(measured(climb))
    assert alarm is not None and alarm.run_before == "run-0001"


def test_sets_are_judged_by_what_their_runs_are_compared_by(measured):
    runs = {"run-0001": (0.75, 0.8), "run-0002": (0.95, 0.8)}
    project = measured(runs, form=LabelForm(separator="|"), labels=SETS)
    found = validation_against_test(project)
    assert list(found.metrics) == list(compare_runs(project).comparison.whole["metric"])
    assert found.runs["val_subset_accuracy"].tolist() == [0.75, 0.95]
    alarm = validation_alarm(project)
    assert alarm is not None
    assert "share of sets right on validation rose by 20.0 points" in alarm.text
