"""What the review screen shows after classes were renamed or merged: queues, bulk acts, codebook, blind check."""

import numpy as np
import pytest

from curation.blind import blind_report
from curation.bulk import apply_bulk, preview_bulk
from curation.class_list import ClassEdit
from curation.classes import apply, undo_last
from curation.codebook import add_exemplar, read_entry, write_rule
from curation.decisions.events import Decision
from curation.item_details import item_details
from curation.queues import QueueQuery, open_queue
from diagnostics.task import NO_LABEL

PROBS = {
    "a": (0.98, 0.01, 0.01),  # cat, predicted cat
    "b": (0.90, 0.06, 0.04),  # dog, predicted cat
    "c": (0.40, 0.25, 0.35),  # fox, predicted cat
    "d": (0.05, 0.60, 0.35),  # cat, predicted dog
}


@pytest.fixture
def ranked(project, add_run):
    add_run(project, "run-0001", PROBS)
    return project


@pytest.fixture
def edit(ranked, now):
    """edit(kind, name, to) changes the classes."""

    def change(kind, name, to=None):
        apply(ranked, ClassEdit(kind, name, to), annotator="ada", now=now)

    return change


def test_suspects_follow_a_merge_and_its_undo(ranked, edit, now):
    query = QueueQuery(by="loss")
    assert open_queue(ranked, query).open_suspects() == {"cat": 1, "dog": 1, "fox": 1}
    edit("merge", "dog", "cat")
    assert open_queue(ranked, query).open_suspects() == {"fox": 1}
    undo_last(ranked, annotator="ada", now=now)
    assert open_queue(ranked, query).open_suspects() == {"cat": 1, "dog": 1, "fox": 1}


def test_the_most_probable_classes_of_a_page_are_positions_in_the_present_classes(ranked, edit):
    edit("rename", "cat", "kitten")
    edit("merge", "dog", "fox")
    queue = open_queue(ranked, QueueQuery(by="loss"))
    ids = queue.item_ids()
    top = dict(zip(ids, queue.top_classes(1, 10), strict=True))
    assert queue.classes == ("kitten", "fox")
    assert [queue.classes[place] for place in top["b"]] == ["kitten", "fox", "fox"]


def test_a_bulk_act_after_a_rename_confirms_and_accepts_under_the_new_name(ranked, edit, now):
    edit("rename", "cat", "kitten")
    queue = open_queue(ranked, QueueQuery(by="loss", predicted="kitten"))
    preview = preview_bulk(queue, ranked.decisions, "accept", label=None)
    assert (preview.n, preview.n_change, preview.n_refused) == (3, 3, 0)
    apply_bulk(queue, ranked.decisions, "accept", label=None, expected_n=3, annotator="ada", now=now)
    states = ranked.decisions.states(["a", "b", "c"])
    assert [(state.verdict, state.label) for state in states.values()] == [
        ("label_right", "kitten"),
        ("label_wrong", "kitten"),
        ("label_wrong", "kitten"),
    ]


def test_what_stands_is_told_in_the_classes_of_now_after_each_change(ranked, edit, now):
    ranked.decisions.decide([Decision("b", "label_wrong", "cat")], annotator="ada", now=now)
    standing = open_queue(ranked, QueueQuery(by="loss")).table.standing
    rows = np.arange(4, dtype=np.int32)
    before = standing.now().of(rows).label.tolist()
    edit("merge", "cat", "fox")
    names = ranked.classes.names
    labels = [names[code] if code != NO_LABEL else None for code in standing.now().of(rows).label]
    expected = [state.label for state in ranked.decisions.states(list("abcd")).values()]
    assert labels == expected == ["fox", "fox", "fox", "fox"]
    undo_last(ranked, annotator="ada", now=now)
    assert standing.now().of(rows).label.tolist() == before


def test_details_of_an_item_have_present_names_and_merged_classes_count_together(ranked, edit):
    edit("rename", "cat", "kitten")
    edit("merge", "dog", "fox")
    details = item_details(ranked, "d", "run-0001")
    assert details.given_label == "kitten"
    assert [(name, round(p, 3)) for name, p in details.probabilities] == [("fox", 0.95), ("kitten", 0.05)]
    assert {each.given_label for each in details.similar} <= {"kitten", "fox"}


def test_a_codebook_entry_stays_with_its_class(ranked, edit, now):
    write_rule(ranked, ["cat"], "Whiskers.", seen_number=0, annotator="ada", now=now)
    add_exemplar(ranked, ["cat", "dog"], "a", annotator="ada", now=now)
    edit("rename", "cat", "kitten")
    assert read_entry(ranked, ["kitten"]).rule == "Whiskers."
    entry = read_entry(ranked, ["dog", "kitten"])
    assert (entry.labels, [each.label for each in entry.exemplars]) == (("dog", "kitten"), ["kitten"])
    assert read_entry(ranked, ["cat"]).labels == ("kitten",)


def test_blind_decisions_are_compared_in_present_names(ranked, edit, now):
    ranked.decisions.decide([Decision("b", "label_wrong", "cat", blind=True)], annotator="ada", now=now)
    assert blind_report(ranked, None, "ada").with_given.blind.value == 0
    edit("merge", "cat", "dog")
    report = blind_report(ranked, None, "ada")
    assert (report.with_given.blind.value, report.with_prediction.blind.value) == (1, 1)
