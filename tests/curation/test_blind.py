"""The blind slice: who gets which items blind, and numbers that can be checked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from curation.blind import blind_report, hidden_in, hidden_items
from curation.bulk import apply_bulk, preview_bulk
from curation.decisions.events import Decision
from curation.queues import QueueQuery, open_queue
from diagnostics.metrics import difference_of_proportions, proportion

IDS = [f"i{number:03d}" for number in range(400)]


@pytest.fixture
def many(make_project):
    return make_project([(item_id, "train", "cat") for item_id in IDS])


def hidden(project, share, annotator="ada"):
    return {
        item_id
        for item_id, hide in zip(IDS, hidden_items(project, annotator, IDS, share), strict=True)
        if hide
    }


# ---------------------------------------------------------------- which items


def test_about_the_share_is_hidden_always_the_same_and_more_of_them_with_a_larger_share(many):
    some, more = hidden(many, 0.2), hidden(many, 0.5)
    assert 50 <= len(some) <= 110
    assert some < more
    assert hidden(many, 0.2) == some
    assert (hidden(many, 0), hidden(many, 1)) == (set(), set(IDS))
    assert hidden_items(many, "ada", [], 0.5).tolist() == []


def test_other_people_and_other_data_get_other_items(many):
    other = replace(many.info, fingerprint="0" * 64)
    assert hidden(many, 0.5) != hidden(many, 0.5, "bob")
    before = hidden(many, 0.5)
    many.info = other
    assert hidden(many, 0.5) != before


def test_what_one_has_decided_is_not_hidden_from_oneself_even_after_undo(many, now):
    first, second = sorted(hidden(many, 1))[:2]
    many.decisions.decide([Decision(first, "ambiguous")], annotator="ada", now=now)
    many.decisions.undo("ada", now)
    many.decisions.decide([Decision(second, "ambiguous")], annotator="bob", now=now)
    assert hidden(many, 1) == set(IDS) - {first}
    assert hidden(many, 1, "bob") == set(IDS) - {second}


def test_a_long_list_is_asked_about_at_once(make_project, now):
    ids = [f"i{number}" for number in range(2_500)]
    project = make_project([(item_id, "train", "cat") for item_id in ids])
    project.decisions.decide([Decision("i7", "ambiguous")], annotator="ada", now=now)
    found = hidden_items(project, "ada", ids, 1.0)
    assert np.flatnonzero(~found).tolist() == [7]


def test_a_choice_for_a_whole_queue_leaves_the_hidden_items(many, add_run, now):
    add_run(many, "run-0001", dict.fromkeys(IDS, (0.2, 0.7, 0.1)))
    queue = open_queue(many, QueueQuery(blind=0.3))
    left = hidden_in(many, queue, "ada")
    assert {item_id for item_id, hide in zip(queue.item_ids(), left, strict=True) if hide} == hidden(
        many, 0.3
    )
    seen = preview_bulk(queue, many.decisions, "accept", label=None, hidden=left)
    assert (seen.n_change, seen.n_refused) == (400 - left.sum(), left.sum())
    assert "blind sample" in seen.reason
    how = {"label": None, "expected_n": 400, "annotator": "ada", "now": now, "hidden": left}
    done = apply_bulk(queue, many.decisions, "accept", **how)
    assert (done.n_changed, done.n_refused, done.reason) == (seen.n_change, seen.n_refused, seen.reason)
    assert set(many.decisions.state_table()["item_id"]) == set(IDS) - hidden(many, 0.3)


# ---------------------------------------------------------------- what comes of it

ROWS = [
    *((f"s{number}", "train", "cat") for number in range(4)),
    *((f"b{number}", "train", "cat") for number in range(4)),
    ("t0", "test", "fox"),
    ("t1", "test", "fox"),
    ("u0", "unlabelled", None),
]
CAT, DOG, FOX = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)


@pytest.fixture
def reviewed(make_project, add_run, now):
    """Ada decides s0-s3 with everything shown and the others blind; the model predicts dog for 1 and 3, else cat."""
    project = make_project(ROWS)
    probs = {f"{group}{number}": DOG if number % 2 else CAT for group in "sb" for number in range(4)}
    add_run(project, "run-0001", probs | {"t0": FOX, "t1": CAT, "u0": DOG})
    store = project.decisions
    store.unlock_test("ada", "to measure", now)
    others = [Decision("b0", "label_wrong", "dog"), Decision("b1", "ambiguous")]
    store.decide(others, annotator="bob", now=now)
    shown = [Decision(f"s{number}", "label_right") for number in range(3)] + [Decision("s3", "bad_item")]
    blind = [
        Decision("b0", "label_wrong", "dog", blind=True),
        Decision("b1", "label_wrong", "dog", blind=True),
        Decision("b2", "label_right", blind=True),
        Decision("b3", "ambiguous", blind=True),
        Decision("t0", "label_right", blind=True),
        Decision("t1", "label_wrong", "cat", blind=True),
        Decision("u0", "labelled", "dog", blind=True),
    ]
    store.decide(shown, annotator="ada", now=now)
    store.decide(blind, annotator="ada", now=now)
    return project


def test_decisions_are_counted_and_only_those_that_say_a_label_are_compared(reviewed):
    report = blind_report(reviewed, "run-0001", "ada")
    assert (report.n_blind, report.n_shown) == (7, 4)
    assert (report.with_given.n_blind, report.with_given.n_shown) == (5, 3)
    assert (report.with_prediction.n_blind, report.with_prediction.n_shown) == (6, 3)


def test_agreement_blind_against_shown_with_the_given_label_and_the_prediction(reviewed):
    report = blind_report(reviewed, "run-0001", "ada")
    # b2 and t0 of b0, b1, b2, t0, t1 say the given label; s0, s1 and s2 all do
    assert report.with_given.blind == proportion(2, 5)
    assert report.with_given.shown == proportion(3, 3)
    assert report.with_given.difference == difference_of_proportions(proportion(3, 3), proportion(2, 5))
    assert report.with_given.difference.value == pytest.approx(0.6)
    assert report.with_given.difference.low == pytest.approx(-0.0720, abs=1e-4)
    assert report.with_given.difference.high == pytest.approx(0.8823, abs=1e-4)
    # all but b0 say what the model says: b1 dog, b2 cat, t0 fox, t1 cat, u0 dog; of the shown ones s0 and s2
    assert report.with_prediction.blind == proportion(5, 6)
    assert report.with_prediction.shown == proportion(2, 3)


def test_accuracy_on_the_gold_test_set_is_of_blind_decisions(reviewed):
    report = blind_report(reviewed, "run-0001", "ada")
    assert (report.n_gold, report.gold) == (2, proportion(1, 2))


def test_agreement_with_what_another_person_said_before(reviewed, now):
    """Bob had said dog of b0, as Ada does blind, and had no label for b1; what he says later does not count."""
    reviewed.decisions.decide([Decision("b2", "label_wrong", "fox")], annotator="bob", now=now)
    report = blind_report(reviewed, "run-0001", "ada")
    assert (report.n_others, report.others) == (1, proportion(1, 1))


def test_the_first_decision_counts_and_undone_ones_do_not(reviewed, now):
    store = reviewed.decisions
    store.decide([Decision("b0", "label_wrong", "fox")], annotator="ada", now=now)
    assert blind_report(reviewed, "run-0001", "ada").with_given.blind == proportion(2, 5)
    store.undo("ada", now)
    store.undo("ada", now)
    report = blind_report(reviewed, "run-0001", "ada")
    assert (report.n_blind, report.n_shown, report.n_gold) == (0, 4, 0)
    store.redo("ada", now)
    assert blind_report(reviewed, "run-0001", "ada").n_blind == 7


def test_who_decided_nothing_has_nothing_to_estimate_from(reviewed):
    report = blind_report(reviewed, "run-0001", "eve")
    assert (report.n_blind, report.n_shown, report.n_gold) == (0, 0, 0)
    assert np.isnan([report.gold.value, report.with_given.difference.low]).all()
