"""Notes beside decisions: the newest holds, nobody's is written over unseen, nothing is lost."""

import pytest

from curation.decisions.events import Decision
from curation.export import patch_table
from curation.notes import MAX_NOTE, note_history, notes_at, read_notes, write_note
from diagnostics.errors import DecisionError, StaleTextError


@pytest.fixture
def write(project, clock):
    """write(item_id, text, seen_number=, by=) → the note that holds."""

    def make(item_id, text, seen_number=0, by="ada"):
        return write_note(project, item_id, text, seen_number=seen_number, annotator=by, now=clock())

    return make


def text_of(project, item_id):
    return {key: note.text for key, note in read_notes(project.engine, [item_id]).items()}.get(item_id)


def test_the_newest_note_holds_and_the_earlier_ones_are_kept(project, write):
    first = write("a", "  blurred?\n")
    second = write("a", "blurred, two cats", first.number, by="bob")
    assert (first.text, text_of(project, "a")) == ("blurred?", "blurred, two cats")
    assert [(note.text, note.annotator) for note in note_history(project.engine, "a")] == [
        ("blurred?", "ada"),
        ("blurred, two cats", "bob"),
    ]
    assert second.number > first.number
    assert text_of(project, "b") is None


def test_a_note_that_someone_else_changed_meanwhile_is_not_written_over(project, write):
    write("a", "blurred")
    with pytest.raises(StaleTextError, match="a: its note was changed meanwhile"):
        write("a", "sharp", 0, by="bob")
    assert text_of(project, "a") == "blurred"


def test_the_same_note_again_writes_nothing(project, write):
    assert write("a", "blurred") == write("a", "blurred")
    assert len(note_history(project.engine, "a")) == 1
    assert write("b", "").number == 0
    assert note_history(project.engine, "b") == []


def test_a_note_can_be_taken_away(project, write):
    write("a", "", write("a", "blurred").number)
    assert text_of(project, "a") == ""
    assert notes_at(project.engine, 0) == {}


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("x" * (MAX_NOTE + 1), "at most 2,000 characters"),
        ("a\tb", r"'\\t'"),
        ("a\x00", r"'\\x00'"),
        ("\ud800", "ud800"),
    ],
)
def test_a_text_that_is_too_long_or_not_plain_is_refused(project, write, text, refused):
    with pytest.raises(DecisionError, match=refused):
        write("a", text)
    assert note_history(project.engine, "a") == []


def test_a_note_on_an_unknown_item_is_refused(write):
    with pytest.raises(DecisionError, match="no such item"):
        write("A1", "blurred")


def test_a_note_is_as_of_an_event(project, write, now):
    first = write("a", "before")
    project.decisions.decide([Decision("a", "bad_item")], annotator="ada", now=now)
    write("a", "after", first.number)
    assert (notes_at(project.engine, 0), notes_at(project.engine, 1)) == ({"a": "before"}, {"a": "after"})


def test_the_patch_has_a_note_where_the_decision_has_none(project, write, now):
    write("a", "beside")
    write("b", "beside")
    write("c", "without a decision")
    decisions = [
        Decision("a", "bad_item"),
        Decision("b", "bad_item", note="with it"),
        Decision("d", "bad_item"),
    ]
    project.decisions.decide(decisions, annotator="ada", now=now)
    table = patch_table(project, project.decisions.last_event())
    assert dict(zip(table["id"], table["note"], strict=True)) == {"a": "beside", "b": "with it", "d": ""}
