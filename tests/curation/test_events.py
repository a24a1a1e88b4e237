"""Decisions as values: what a verdict means on an item, and what events fold into."""

from dataclasses import replace

import pytest

from curation.decisions.events import (
    STATUS_OF,
    VERDICTS,
    Decision,
    Event,
    ItemState,
    decision_for_label,
    fold,
    is_already,
    is_conflict,
    resolve,
)
from diagnostics.errors import DecisionError

CLASSES = {"cat", "dog", "fox"}
CAT = ItemState("a", "cat", "cat")
NOW_FOX = ItemState("a", "cat", "fox", verdict="label_wrong", annotator="ada", event=3, stands=3)
NO_LABEL = ItemState("u", None, None)


def resolved(state, verdict, label=None):
    found = resolve(Decision(state.item_id, verdict, label), state, CLASSES)
    return found.verdict, found.label


def test_another_label_makes_the_given_one_wrong():
    assert resolved(CAT, "label_wrong", "dog") == ("label_wrong", "dog")


def test_wrong_with_the_same_label_means_right():
    assert resolved(CAT, "label_wrong", "cat") == ("label_right", "cat")


def test_going_back_to_the_given_label_means_right():
    assert resolved(NOW_FOX, "label_wrong", "cat") == ("label_right", "cat")


def test_confirming_a_corrected_label_says_that_the_given_one_is_wrong():
    assert resolved(NOW_FOX, "label_right") == ("label_wrong", "fox")


def test_a_label_for_an_item_without_one_is_labelled():
    assert resolved(NO_LABEL, "label_wrong", "dog") == ("labelled", "dog")


def test_excluding_keeps_the_label():
    assert resolved(NOW_FOX, "bad_item") == ("bad_item", "fox")


@pytest.mark.parametrize(
    ("state", "verdict", "label", "text"),
    [
        (CAT, "label_wrong", None, "needs the right label"),
        (CAT, "label_wrong", "dgo", "unknown class 'dgo'"),
        (CAT, "ambiguous", "dgo", "unknown class 'dgo'"),
        (CAT, "label_right", "dog", "but it has 'cat'"),
        (CAT, "wrong", "dog", "unknown verdict 'wrong'"),
        (NO_LABEL, "label_right", None, "without a label"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(state, verdict, label, text):
    with pytest.raises(DecisionError, match=text):
        resolve(Decision(state.item_id, verdict, label), state, CLASSES)


@pytest.mark.parametrize(
    ("state", "label", "verdict"),
    [(CAT, "cat", "label_right"), (CAT, "dog", "label_wrong"), (NO_LABEL, "dog", "labelled")],
)
def test_a_label_alone_says_which_verdict_it_is(state, label, verdict):
    decision = decision_for_label(state, label)
    assert (decision.verdict, decision.label, decision.expected_event) == (verdict, label, state.event)


def test_every_verdict_has_a_status():
    assert {STATUS_OF[verdict] for verdict in VERDICTS} == {
        "kept",
        "relabelled",
        "added",
        "excluded",
        "unsure",
    }


def test_an_item_that_changed_underneath_is_a_conflict():
    asked = Decision("a", "label_wrong", "dog", expected_event=0)
    assert is_conflict(asked, resolve(asked, NOW_FOX, CLASSES), NOW_FOX)


def test_two_people_saying_the_same_are_no_conflict():
    asked = Decision("a", "label_wrong", "fox", expected_event=0)
    found = resolve(asked, NOW_FOX, CLASSES)
    assert not is_conflict(asked, found, NOW_FOX)
    assert is_already(found, NOW_FOX)


def test_confirming_a_label_that_is_no_longer_there_is_a_conflict():
    asked = Decision("a", "label_right", expected_event=0)
    assert is_conflict(asked, resolve(asked, NOW_FOX, CLASSES), NOW_FOX)


def test_a_new_note_is_a_change():
    assert not is_already(Decision("a", "label_wrong", "fox", note="blurred"), NOW_FOX)


def test_events_fold_into_what_holds_last(now):
    def event(number, kind, verdict, old, new, stands, previous):
        return Event(
            number, number, kind, "a", verdict, old, new, "ada", now, 1, stands=stands, previous=previous
        )

    log = [
        event(1, "decide", "label_wrong", "cat", "dog", 1, None),
        event(2, "decide", "bad_item", "dog", "dog", 2, 1),
        event(3, "undo", "label_wrong", "dog", "dog", 1, 2),
        event(4, "undo", None, "dog", "cat", None, 1),
    ]
    told = [
        (fold(log[:n])["a"].verdict, fold(log[:n])["a"].label, fold(log[:n])["a"].event) for n in (1, 2, 3, 4)
    ]
    assert told == [
        ("label_wrong", "dog", 1),
        ("bad_item", "dog", 2),
        ("label_wrong", "dog", 3),
        (None, "cat", 4),
    ]


def test_naming_the_label_that_somebody_else_gave_meanwhile_is_no_conflict_whatever_verdict_comes_of_it():
    state = replace(NOW_FOX, event=5)
    asked = Decision("a", "label_wrong", "fox", expected_event=0)
    assert not is_conflict(asked, resolve(asked, state, CLASSES), state)
    confirmed = ItemState("a", "cat", "cat", verdict="label_right", event=5, stands=5)
    asked = Decision("a", "label_wrong", "cat", expected_event=0)
    assert not is_conflict(asked, resolve(asked, confirmed, CLASSES), confirmed)
