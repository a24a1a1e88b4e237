"""The test set is gold: never ranked by default, never trained on, changed only when unlocked, and that is logged."""

from datetime import timedelta

import pytest

from curation.decisions.events import Decision
from curation.queues import QueueQuery, open_queue
from curation.rounds import close_round, dataset_version, training_items
from diagnostics.errors import DecisionError


def test_no_queue_has_test_items_unless_they_are_asked_for(project, add_run):
    add_run(project, "run-0001", dict.fromkeys(("a", "b", "v", "t", "u"), (0.5, 0.3, 0.2)))
    assert set(open_queue(project, QueueQuery()).item_ids()) == {"a", "b"}
    assert open_queue(project, QueueQuery(splits=("test",))).item_ids() == ["t"]


@pytest.mark.parametrize(
    "decision",
    [Decision("t", "label_wrong", "cat"), Decision("t", "label_right"), Decision("t", "ambiguous", "dog")],
)
def test_whatever_is_decided_on_a_test_item_it_is_never_trained_on(project, now, decision):
    project.decisions.unlock_test("ada", "beyond doubt", now)
    project.decisions.decide([decision], annotator="ada", now=now)
    close_round(project, "ada", now)
    items = training_items(project, dataset_version(project)).set_index("item_id")
    assert items.loc["t", "split"] == "test"


def test_every_change_of_the_lock_is_logged_with_who_when_and_why(project, now):
    store = project.decisions
    assert store.test_log().empty
    store.unlock_test("ada", "the customer sent corrections", now)
    store.lock_test("bob", now + timedelta(minutes=5))
    store.lock_test("bob", now + timedelta(minutes=6))
    assert store.test_log().astype(object).to_numpy().tolist() == [
        [now + timedelta(minutes=5), False, "bob", ""],
        [now, True, "ada", "the customer sent corrections"],
    ]


def test_a_decision_on_an_unlocked_test_item_is_in_its_history_with_its_person(project, now):
    project.decisions.unlock_test("ada", "beyond doubt", now)
    project.decisions.decide([Decision("t", "label_wrong", "cat")], annotator="bob", now=now)
    (event,) = project.decisions.history("t")
    assert (event.annotator, event.at, event.old_label, event.new_label) == ("bob", now, "fox", "cat")


def test_redoing_a_decision_on_a_test_item_needs_the_lock_open_too(project, now):
    store = project.decisions
    store.unlock_test("ada", "beyond doubt", now)
    store.decide([Decision("t", "label_wrong", "cat")], annotator="ada", now=now)
    store.undo("ada", now)
    store.lock_test("ada", now)
    with pytest.raises(DecisionError, match="gold test set"):
        store.redo("ada", now)
