"""One item in full: probabilities, training items like it, and its history with its notes."""

from dataclasses import replace

import numpy as np
import pytest

from curation.decisions.events import Decision
from curation.item_details import MAX_PROBABILITIES, item_details
from curation.notes import write_note
from diagnostics.errors import DecisionError
from diagnostics.predictions import read_predictions, write_predictions

PROBS = {
    "a": (0.05, 0.60, 0.35),
    "b": (0.90, 0.06, 0.04),
    "c": (0.40, 0.25, 0.35),
    "d": (0.98, 0.01, 0.01),
    "v": (0.20, 0.70, 0.10),
}


@pytest.fixture
def ranked(project, add_run):
    """Items a, b, c, d of one fold; a points like d, less like b, away from c; v like c."""
    add_run(project, "run-0001", PROBS)
    run_dir = project.runs_dir / "run-0001"
    predictions = read_predictions(run_dir)
    vectors = np.array([[1, 0], [1, 1], [-1, 0], [2, 0], [-3, 0]], dtype=np.float16)
    write_predictions(run_dir, replace(predictions, embeddings=vectors))
    return project


def test_an_item_has_its_classes_most_probable_first_and_its_labels(ranked):
    details = item_details(ranked, "a", "run-0001")
    assert [name for name, _ in details.probabilities] == ["dog", "fox", "cat"]
    assert [p for _, p in details.probabilities] == pytest.approx([0.60, 0.35, 0.05])
    assert (details.given_label, details.label, details.predicted_label) == ("cat", "cat", "dog")
    assert (details.path, details.split) == ("img/a.png", "train")


def test_an_item_is_told_without_reading_the_predictions_of_all(ranked, monkeypatch):
    def refuse(_run_dir):
        raise AssertionError("the predictions of all items were read")

    monkeypatch.setattr("diagnostics.run_folder.read_predictions", refuse)
    assert len(item_details(ranked, "a", "run-0001").similar) == 3


def test_the_most_similar_training_items_come_first_with_the_labels_they_have_now(ranked, now):
    ranked.decisions.decide([Decision("d", "label_wrong", "fox")], annotator="ada", now=now)
    similar = item_details(ranked, "a", "run-0001").similar
    assert [(one.item_id, one.label, one.given_label, one.similarity) for one in similar] == [
        ("d", "fox", "cat", 1.0),
        ("b", "dog", "dog", 0.7071),
        ("c", "fox", "fox", -1.0),
    ]
    assert item_details(ranked, "v", "run-0001").similar[0].item_id == "c"


def test_an_item_that_the_run_does_not_know_has_no_predictions(ranked):
    details = item_details(ranked, "u", "run-0001")
    assert (details.predicted_label, details.probabilities, details.similar) == (None, [], [])
    assert (details.given_label, details.split) == (None, "unlabelled")


def test_the_history_has_decisions_undo_and_notes_in_order(ranked, clock):
    ranked.decisions.decide([Decision("a", "label_wrong", "dog", note="ears")], annotator="ada", now=clock())
    written = write_note(ranked, "a", "look again", seen_number=0, annotator="bob", now=clock())
    ranked.decisions.undo("ada", clock())
    details = item_details(ranked, "a", "run-0001")
    assert [(entry.event, entry.kind, entry.annotator, entry.note) for entry in details.history] == [
        (1, "decide", "ada", "ears"),
        (1, "note", "bob", "look again"),
        (2, "undo", "ada", ""),
    ]
    assert [(entry.verdict, entry.old_label, entry.new_label) for entry in details.history] == [
        ("label_wrong", "cat", "dog"),
        (None, None, None),
        (None, "dog", "cat"),
    ]
    assert (details.note, details.note_number) == ("look again", written.number)


def test_at_most_50_classes_are_told(make_project, add_run):
    classes = [f"class {number:02d}" for number in range(60)]
    project = make_project([("a", "train", "class 00")], classes)
    add_run(project, "run-0001", {"a": np.linspace(1, 2, 60) / 90})
    probabilities = item_details(project, "a", "run-0001").probabilities
    assert len(probabilities) == MAX_PROBABILITIES
    assert probabilities[0][0] == "class 59"


def test_an_unknown_item_is_refused(ranked):
    with pytest.raises(DecisionError, match="A1: no such item"):
        item_details(ranked, "A1", "run-0001")
