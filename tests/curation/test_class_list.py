"""The classes as a value: folding changes, what names mean, and which changes are refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.class_list import (
    MAX_NAME,
    UNDO,
    ClassChange,
    ClassEdit,
    ClassList,
    change_of,
    fold,
    standing,
)
from diagnostics.errors import ClassError

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
SOURCE = ("cat", "dog", "fox")


def changed(*edits, source=SOURCE):
    """The classes after these edits; "undo" takes the last one back."""
    return fold(source, log_of(*edits, source=source))


def log_of(*edits, source=SOURCE):
    log = []
    for number, edit in enumerate(edits, 1):
        if edit == "undo":
            log.append(ClassChange(number, UNDO, "ada", NOW, target=standing(log)[-1].number))
        else:
            classes = fold(source, log)
            log.append(change_of(classes, ClassEdit(*edit), number=number, annotator="ada", now=NOW))
    return log


def test_an_added_class_comes_after_the_others():
    classes = changed(("add", "ant"))
    assert classes.names == ("cat", "dog", "fox", "ant")
    assert classes.key_of("ant") == "ant"


def test_a_renamed_class_keeps_its_place_and_its_key():
    classes = changed(("rename", "dog", "hound"))
    assert classes.names == ("cat", "hound", "fox")
    assert (classes.key_of("hound"), classes.shown["dog"]) == ("dog", "hound")


def test_a_merged_class_is_shown_as_the_other_one():
    classes = changed(("merge", "cat", "fox"))
    assert classes.names == ("dog", "fox")
    assert classes.shown == {"cat": "fox", "dog": "dog", "fox": "fox"}


def test_merges_and_renames_chain():
    classes = changed(
        ("merge", "cat", "dog"), ("rename", "dog", "pet"), ("add", "ant"), ("merge", "pet", "fox")
    )
    assert classes.names == ("fox", "ant")
    assert [classes.shown[key] for key in ("cat", "dog", "fox")] == ["fox", "fox", "fox"]


def test_a_name_that_was_free_again_gets_another_key():
    classes = changed(("rename", "dog", "hound"), ("add", "dog"))
    assert classes.names == ("cat", "hound", "fox", "dog")
    assert classes.keys == ("cat", "dog", "fox", "dog (2)")
    assert classes.key_of("dog") == "dog (2)"


def test_an_earlier_name_still_means_its_class():
    classes = changed(("rename", "dog", "hound"), ("merge", "hound", "fox"))
    assert classes.current("dog") == classes.current("hound") == "fox"
    assert classes.former_names == {"dog": "fox", "hound": "fox"}
    assert classes.current("cow") is None


def test_a_name_that_was_taken_back_still_means_its_class():
    assert changed(("rename", "dog", "hound"), "undo").current("hound") == "dog"


def test_two_classes_can_swap_their_names():
    classes = changed(("rename", "dog", "x"), ("rename", "cat", "dog"), ("rename", "x", "cat"))
    assert classes.names == ("dog", "cat", "fox")
    assert (classes.key_of("cat"), classes.key_of("dog")) == ("dog", "cat")


def test_undo_takes_back_the_last_change_that_stands():
    classes = changed(("rename", "dog", "hound"), ("add", "ant"), "undo", "undo")
    assert classes == ClassList.of_source(SOURCE)
    assert classes.number == 4
    assert classes.is_plain


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (("add", ""), "needs a name"),
        (("add", "  \u3000 "), "needs a name"),
        (("add", "x" * (MAX_NAME + 1)), "at most 200 characters; found 201"),
        (("add", "a\nb"), "control characters"),
        (("add", "a\x00"), "control characters"),
        (("add", "a\u2028b"), "control characters"),
        (("add", "\u202egod"), "control characters"),
        (("add", "\ud800"), "control characters"),
        (("add", "dog"), "There is a class `dog` already"),
        (("add", " D og"), "differs from the class `dog` only by case or blanks. Use `dog`"),
        (("add", "ｄｏｇ"), "differs from the class `dog` only by case or blanks"),
        (("rename", "dog", "cat"), "already. To make one of the two, merge `dog` into `cat`"),
        (("rename", "dog", "CAT"), "differs from the class `cat`"),
        (("rename", "dog", "dog"), "has this name already"),
        (("rename", "cow", "ox"), "There is no class `cow`. The classes are: cat, dog, fox"),
        (("rename", "dog"), "needs a second name"),
        (("merge", "dog", "cow"), "There is no class `cow`"),
        (("merge", "dog", "dog"), "cannot be merged into itself"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_with_what_to_do(edit, text):
    with pytest.raises(ClassError) as refused:
        changed(edit)
    assert text in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_last_two_classes_are_not_merged():
    with pytest.raises(ClassError, match="only 2 classes"):
        changed(("merge", "cat", "dog"), ("merge", "dog", "fox"))


def test_a_class_that_is_no_more_is_refused_with_what_it_is_now():
    with pytest.raises(ClassError, match="no class `dog` any more; it is now `hound`"):
        changed(("rename", "dog", "hound"), ("merge", "dog", "cat"))


def test_a_change_without_a_person_is_refused():
    with pytest.raises(ClassError, match="names who made it"):
        change_of(ClassList.of_source(SOURCE), ClassEdit("add", "ant"), number=1, annotator=" ", now=NOW)


@pytest.mark.parametrize(
    "name",
    [
        "<img onerror=alert(1) src=x>",
        "\"quoted\" 'twice' `and` \\ back",
        "👩‍🚀 astronaut",
        "قطة",
        "חתול שחור",
        "=1+1",
        "[red]x[/red]",
        "x" * MAX_NAME,
        "ﷺ",
    ],
)
def test_any_other_text_is_a_name(name):
    classes = changed(("add", name), ("rename", "cat", f"{name[:190]} too"))
    assert classes.names == (f"{name[:190]} too", "dog", "fox", name)


def test_case_may_be_put_right_by_a_rename():
    assert changed(("rename", "dog", "Dog")).names == ("cat", "Dog", "fox")


# Draws always make sense: positions are taken modulo what there is, and new names are numbered.
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "rename", "merge", "undo"]), st.integers(0, 50), st.integers(0, 50)),
    max_size=14,
)


def edits_of(steps, source=SOURCE):
    """Edits that are all possible, with the classes after each."""
    log, known = [], []
    for number, (kind, one, other) in enumerate(steps):
        classes = fold(source, log)
        names = classes.names
        name = names[one % len(names)]
        rest = [each for each in names if each != name]
        if kind == "undo" and not standing(log):
            continue
        if kind == "undo":
            log.append(ClassChange(len(log) + 1, UNDO, "ada", NOW, target=standing(log)[-1].number))
        else:
            kind = "add" if kind == "merge" and len(names) == 2 else kind
            to = {"add": None, "rename": f"new {number}", "merge": rest[other % len(rest)]}[kind]
            edit = ClassEdit(kind, f"new {number}" if kind == "add" else name, to)
            log.append(change_of(classes, edit, number=len(log) + 1, annotator="ada", now=NOW))
        known.append(fold(source, log))
    return log, known


@settings(max_examples=60)
@given(steps=STEPS)
def test_taking_every_change_back_gives_the_beginning(steps):
    log, _ = edits_of(steps)
    while pile := standing(log):
        log.append(ClassChange(len(log) + 1, UNDO, "ada", NOW, target=pile[-1].number))
    assert fold(SOURCE, log) == ClassList.of_source(SOURCE)


@settings(max_examples=60)
@given(steps=STEPS)
def test_names_are_unique_every_key_is_shown_and_places_hold(steps):
    log, known = edits_of(steps)
    for change, classes in zip(log, known, strict=True):
        assert len(set(classes.names)) == len(classes.names) >= 2
        assert len(set(classes.keys)) == len(classes.keys)
        assert set(classes.shown.values()) == set(classes.names)
        assert [classes.shown[classes.key_of(name)] for name in classes.names] == list(classes.names)
        assert classes.number == change.number
    for before, after, change in zip(known, known[1:], log[1:], strict=False):
        if change.kind == "rename":
            assert len(before.names) == len(after.names)
            assert sum(one != other for one, other in zip(before.names, after.names, strict=True)) == 1
        if change.kind == "add":
            assert after.names[:-1] == before.names
        if change.kind == "merge":
            gone = before.shown[change.key]
            assert after.names == tuple(name for name in before.names if name != gone)
