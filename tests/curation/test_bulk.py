"""One choice for a whole queue: what it means, what is left and why, once only, undone in one step."""

import numpy as np
import pytest

from curation.bulk import CHOICES, apply_bulk, meant_by, preview_bulk
from curation.decisions.events import VERDICTS, Decision, ItemState, resolve
from curation.queues import QueueQuery, open_queue
from diagnostics.errors import DecisionError

PROBS = {
    "a": (0.98, 0.01, 0.01),  # cat, predicted cat
    "b": (0.90, 0.06, 0.04),  # dog, predicted cat
    "c": (0.40, 0.25, 0.35),  # fox, predicted cat
    "d": (0.05, 0.60, 0.35),  # cat, predicted dog
    "t": (0.10, 0.10, 0.80),  # fox, predicted fox
    "u": (0.48, 0.47, 0.05),  # no label, predicted cat
    "w": (0.10, 0.20, 0.70),  # no label, predicted fox
}
TRAIN = QueueQuery(by="entropy")
UNLABELLED = QueueQuery(by="entropy", splits=("unlabelled",))


@pytest.fixture
def ranked(project, add_run):
    add_run(project, "run-0001", PROBS)
    return project


@pytest.fixture
def act(ranked, now):
    """act(query, choice, label=, expected_n=, seq=) by ada → the result."""

    def apply(query, choice, *, label=None, expected_n=None, seq=None):
        queue = open_queue(ranked, query)
        return apply_bulk(
            queue,
            ranked.decisions,
            choice,
            label=label,
            expected_n=len(queue) if expected_n is None else expected_n,
            annotator="ada",
            now=now,
            shown_in="all",
            client_id=None if seq is None else "tab",
            client_seq=seq,
        )

    return apply


def preview(project, query, choice, label=None):
    return preview_bulk(open_queue(project, query), project.decisions, choice, label=label)


def told(project, *item_ids):
    states = project.decisions.states(item_ids)
    return [(states[item_id].verdict, states[item_id].label) for item_id in item_ids]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("right", [("label_right", "cat"), ("label_right", "dog")]),
        ("accept", [("label_right", "cat"), ("label_wrong", "cat")]),
        ("class", [("label_wrong", "fox"), ("label_wrong", "fox")]),
        ("exclude", [("bad_item", "cat"), ("bad_item", "dog")]),
        ("unsure", [("ambiguous", "cat"), ("ambiguous", "dog")]),
        ("scope", [("out_of_scope", "cat"), ("out_of_scope", "dog")]),
    ],
)
def test_each_choice_means_one_verdict_for_every_item(ranked, act, choice, expected):
    result = act(TRAIN, choice, label="fox" if choice == "class" else None)
    assert told(ranked, "a", "b") == expected
    assert result.n_changed == 4
    assert ranked.decisions.history("a")[0].queue == "all"


def test_an_item_without_a_label_gets_one_and_cannot_be_confirmed(ranked, act):
    assert act(UNLABELLED, "accept").n_changed == 2
    assert told(ranked, "u", "w") == [("labelled", "cat"), ("labelled", "fox")]
    ranked.decisions.undo("ada", ranked.info.created_at)
    result = act(UNLABELLED, "right", seq=1)
    assert (result.n_changed, result.n_refused) == (0, 2)
    assert "has no given label to confirm" in result.reason
    assert told(ranked, "u", "w") == [(None, None), (None, None)]


def test_a_bulk_act_is_one_step_of_undo(ranked, act, now):
    act(TRAIN, "accept")
    assert ranked.decisions.undo("ada", now).n_changed == 4
    assert told(ranked, "a", "b", "c", "d") == [(None, "cat"), (None, "dog"), (None, "fox"), (None, "cat")]
    assert ranked.decisions.redo("ada", now).n_changed == 4


def test_the_rank_of_each_item_is_kept(ranked, act):
    act(TRAIN, "exclude")
    ranks = {item_id: ranked.decisions.history(item_id)[0].rank for item_id in "abcd"}
    assert ranks == {"c": 1, "d": 2, "b": 3, "a": 4}


def test_what_is_so_already_is_counted(ranked, act, now):
    ranked.decisions.decide([Decision("b", "label_wrong", "cat")], annotator="bob", now=now)
    assert preview(ranked, TRAIN, "accept").n_already == 1
    result = act(TRAIN, "accept")
    assert (result.n_changed, result.n_already) == (3, 1)
    assert ranked.decisions.states(["b"])["b"].annotator == "bob"


def test_a_queue_of_another_length_applies_nothing(ranked, act):
    with pytest.raises(DecisionError, match=r"shows 4 items now, not 5\. Look again"):
        act(TRAIN, "accept", expected_n=5)
    assert ranked.decisions.last_event() == 0


def test_items_that_changed_after_the_event_of_the_query_are_left(ranked, act, now):
    store = ranked.decisions
    store.decide([Decision("a", "ambiguous")], annotator="bob", now=now)
    as_of = store.last_event()
    store.decide([Decision("b", "label_wrong", "fox"), Decision("d", "bad_item")], annotator="bob", now=now)
    query = QueueQuery(by="entropy", as_of_event=as_of)
    seen = preview(ranked, query, "exclude")
    assert (seen.n, seen.n_change, seen.n_already, seen.n_conflicts) == (4, 2, 1, 1)
    result = act(query, "exclude")
    assert (result.n_changed, result.n_already) == (2, 1)
    assert [conflict.item_id for conflict in result.conflicts] == ["b"]
    assert told(ranked, "a", "b") == [("bad_item", "cat"), ("label_wrong", "fox")]


def test_the_same_number_again_gives_the_first_answer_and_writes_nothing(ranked, act):
    open_ones = QueueQuery(by="entropy", splits=("train", "unlabelled"), decided="open")
    first = act(open_ones, "right", seq=7)
    assert (first.n_changed, first.n_refused) == (4, 2)
    event = ranked.decisions.last_event()
    assert act(open_ones, "right", expected_n=6, seq=7) == first
    assert ranked.decisions.last_event() == event


def test_the_gold_test_set_is_refused_until_it_is_unlocked(ranked, act, now):
    query = QueueQuery(splits=("test",))
    for refused in (lambda: preview(ranked, query, "right"), lambda: act(query, "right")):
        with pytest.raises(DecisionError, match="1 of them are items of the gold test set"):
            refused()
    ranked.decisions.unlock_test("ada", "beyond doubt", now)
    assert act(query, "right").n_changed == 1


@pytest.mark.parametrize(
    ("choice", "label", "text"),
    [
        ("maybe", None, "no choice 'maybe'"),
        ("class", "cow", "'cow' is none of: cat"),
        ("class", None, "needs a class"),
        ("add", "cat", "An item has one class here"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused(ranked, act, choice, label, text):
    with pytest.raises(DecisionError, match=text):
        act(TRAIN, choice, label=label)
    with pytest.raises(DecisionError, match=text):
        preview(ranked, TRAIN, choice, label)


@pytest.mark.parametrize("choice", CHOICES)
def test_the_preview_counts_what_applying_does(ranked, act, now, choice):
    store = ranked.decisions
    store.decide([Decision("a", "label_right"), Decision("c", "bad_item")], annotator="bob", now=now)
    store.decide([Decision("u", "labelled", "dog")], annotator="bob", now=now)
    query = QueueQuery(by="entropy", splits=("train", "unlabelled"), as_of_event=2)
    seen = preview(ranked, query, choice, "dog")
    done = act(query, choice, label="dog")
    counts = (done.n_changed, done.n_already, done.n_refused, len(done.conflicts), done.reason)
    assert (seen.n_change, seen.n_already, seen.n_refused, seen.n_conflicts, seen.reason) == counts
    assert seen.n == sum(counts[:4]) == 6


def test_a_meaning_is_what_the_store_would_make_of_it():
    classes = ("cat", "dog")
    names = [*classes, None]
    for source in (-1, 0, 1):
        state = ItemState("x", names[source], names[source])
        for choice in ("accept", "class"):
            arrays = {
                name: np.array([code], dtype=np.int32)
                for name, code in (("given", source), ("source", source))
            }
            meant = meant_by(choice, **arrays, predicted=np.array([1], dtype=np.int32), label=1)
            found = resolve(Decision("x", "label_wrong", "dog"), state, set(classes))
            assert VERDICTS[meant.verdict[0]] == found.verdict
            assert names[meant.label[0]] == found.label
