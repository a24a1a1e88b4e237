"""What people decide is kept, undone and done again; nothing is lost, nothing is applied twice."""

import sqlite3
import threading

import pytest
import sqlalchemy as sa

from curation.database import item_states, reading
from curation.decisions.events import Decision
from curation.project import Project
from diagnostics.errors import DecisionError, ProjectError


def relabel(item_id, label, **more):
    return Decision(item_id, "label_wrong", label, **more)


def label_of(store, item_id):
    return store.states([item_id])[item_id].label


def test_a_decision_changes_the_label_and_names_who_made_it(store, now):
    result = store.decide([relabel("a", "dog", note="ears", rank=7, queue="loss")], annotator="ada", now=now)
    assert (result.n_changed, result.n_already, result.event) == (1, 0, 1)
    state = store.states(["a"])["a"]
    assert (state.label, state.verdict, state.status) == ("dog", "label_wrong", "relabelled")
    assert (state.annotator, state.decided_at, state.round, state.note) == ("ada", now, 1, "ears")
    (event,) = store.history("a")
    assert (event.old_label, event.new_label, event.rank, event.queue) == ("cat", "dog", 7, "loss")


def test_an_item_nobody_decided_on_has_its_given_label_and_no_event(store):
    state = store.states(["a"])["a"]
    assert (state.label, state.verdict, state.status, state.event) == ("cat", None, "kept", 0)


def test_what_is_so_already_is_counted_and_not_written(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    result = store.decide([relabel("a", "dog"), relabel("b", "fox")], annotator="bob", now=now)
    assert (result.n_changed, result.n_already) == (1, 1)
    assert len(store.history("a")) == 1


def test_an_act_that_changes_nothing_is_no_step_of_undo(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    store.undo("ada", now)
    assert not store.outlook("ada").can_undo


def test_everything_wrong_is_told_together_and_nothing_is_applied(store, now):
    wrong = [
        relabel("A1", "dog"),
        relabel("a", "dgo"),
        relabel("b", "fox"),
        Decision("u", "label_right"),
        Decision("t", "bad_item"),
    ]
    with pytest.raises(DecisionError) as refused:
        store.decide(wrong, annotator="ada", now=now)
    for part in (
        "A1: no such item",
        "did you mean 'dog'?",
        "without a label",
        "1 of them are items of the gold test",
    ):
        assert part in str(refused.value)
    assert store.last_event() == 0


def test_an_item_twice_in_one_act_is_refused(store, now):
    with pytest.raises(DecisionError, match="more than once"):
        store.decide([relabel("a", "dog"), relabel("a", "fox")], annotator="ada", now=now)


def test_a_decision_without_a_name_is_refused(store, now):
    with pytest.raises(DecisionError, match="annotator is empty"):
        store.decide([relabel("a", "dog")], annotator="  ", now=now)


def test_test_items_are_locked_until_someone_unlocks_them_with_a_reason(store, now):
    with pytest.raises(DecisionError, match="unlock"):
        store.decide([relabel("t", "dog")], annotator="ada", now=now)
    with pytest.raises(DecisionError, match="reason"):
        store.unlock_test("ada", " ", now)
    store.unlock_test("ada", "the customer sent corrections", now)
    store.decide([relabel("t", "dog")], annotator="ada", now=now)
    store.lock_test("ada", now)
    assert label_of(store, "t") == "dog"
    with pytest.raises(DecisionError, match="unlock"):
        store.undo("ada", now)


def test_undo_gives_back_the_given_label_and_redo_takes_it_away_again(store, now):
    store.decide([relabel("a", "dog"), relabel("b", "fox")], annotator="ada", now=now)
    assert store.undo("ada", now).n_changed == 2
    assert (label_of(store, "a"), label_of(store, "b")) == ("cat", "dog")
    assert store.redo("ada", now).n_changed == 2
    assert (label_of(store, "a"), label_of(store, "b")) == ("dog", "fox")
    assert store.redo("ada", now) is None


def test_undo_survives_a_restart(project, now):
    project.decisions.decide([relabel("a", "dog")], annotator="ada", now=now)
    project.decisions.decide([relabel("a", "fox")], annotator="ada", now=now)
    for label in ("dog", "cat"):
        again = Project.open(project.folder).decisions
        again.undo("ada", now)
        assert label_of(again, "a") == label
    again = Project.open(project.folder).decisions
    again.redo("ada", now)
    again.redo("ada", now)
    assert label_of(again, "a") == "fox"


def test_undo_takes_back_ones_own_acts_only(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    store.decide([relabel("b", "fox")], annotator="bob", now=now)
    store.undo("ada", now)
    assert (label_of(store, "a"), label_of(store, "b")) == ("cat", "fox")
    assert store.undo("ada", now) is None


def test_an_item_someone_else_changed_since_is_left_and_reported(store, now):
    store.decide([relabel("a", "dog"), relabel("b", "fox")], annotator="ada", now=now)
    store.decide([relabel("a", "fox")], annotator="bob", now=now)
    result = store.undo("ada", now)
    assert result.n_changed == 1
    assert str(result.conflicts[0]) == "a: it is label wrong with `fox` by bob; not made `cat`"
    assert (label_of(store, "a"), label_of(store, "b")) == ("fox", "dog")


def test_once_both_have_undone_theirs_the_given_label_is_back(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    store.decide([relabel("a", "fox")], annotator="bob", now=now)
    store.undo("ada", now)
    store.undo("bob", now)
    assert label_of(store, "a") == "cat"


def test_a_new_decision_ends_what_could_be_done_again(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    store.undo("ada", now)
    assert store.outlook("ada").can_redo
    store.decide([relabel("b", "fox")], annotator="ada", now=now)
    assert not store.outlook("ada").can_redo


def test_an_item_that_changed_since_it_was_seen_is_not_overwritten(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    result = store.decide(
        [relabel("a", "fox", expected_event=0), relabel("b", "fox", expected_event=0)],
        annotator="bob",
        now=now,
    )
    assert result.n_changed == 1
    (conflict,) = result.conflicts
    assert (conflict.item_id, conflict.label, conflict.annotator, conflict.wanted_label) == (
        "a",
        "dog",
        "ada",
        "fox",
    )
    assert label_of(store, "a") == "dog"


def test_the_same_act_sent_again_is_answered_and_not_applied_again(store, now):
    first = store.decide([relabel("a", "dog")], annotator="ada", now=now, client_id="tab", client_seq=1)
    store.undo("ada", now)
    again = store.decide([relabel("a", "dog")], annotator="ada", now=now, client_id="tab", client_seq=1)
    assert again == first
    assert label_of(store, "a") == "cat"


def test_a_conflict_sent_again_is_still_a_conflict(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    ask = [relabel("a", "fox", expected_event=0)]
    first = store.decide(ask, annotator="bob", now=now, client_id="tab", client_seq=1)
    store.undo("ada", now)
    again = store.decide(ask, annotator="bob", now=now, client_id="tab", client_seq=1)
    assert again == first
    assert again.conflicts[0].wanted_label == "fox"


def test_an_undo_sent_again_takes_back_one_step_only(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    store.decide([relabel("a", "fox")], annotator="ada", now=now)
    for _ in range(2):
        store.undo("ada", now, client_id="tab", client_seq=9)
    assert label_of(store, "a") == "dog"


def test_states_can_be_read_as_they_were(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    store.decide([Decision("a", "out_of_scope"), relabel("u", "fox")], annotator="ada", now=now)
    store.undo("ada", now)
    then = store.state_table(3).set_index("item_id")
    assert then["status"].to_dict() == {"a": "excluded", "u": "added"}
    assert store.state_table().set_index("item_id")["label"].to_dict() == {"a": "dog"}
    at_start = store.labels_at(0).set_index("item_id")["label"]
    assert at_start["a"] == "cat"
    assert at_start.isna().sum() == 2


def test_what_changed_since_an_event_is_told_with_its_state(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    store.decide([relabel("b", "fox")], annotator="ada", now=now)
    last, changed = store.changed_since(1)
    assert (last, list(changed), changed["b"].label) == (2, ["b"], "fox")
    assert store.changed_since(2) == (2, {})


def test_unknown_items_are_named_with_the_nearest_one(make_project):
    store = make_project([("img/03.png", "train", "cat"), ("img/04.png", "train", "dog")]).decisions
    with pytest.raises(DecisionError, match=r"img/O3\.png: no such item \(did you mean 'img/03\.png'\?\)"):
        store.states(["img/O3.png"])


def test_a_locked_database_is_a_clear_error_and_nothing_is_acknowledged(project, store, now, monkeypatch):
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    holder = sqlite3.connect(project.database_path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(ProjectError, match=r"database is locked.*Nothing was saved"):
        store.decide([relabel("a", "dog")], annotator="ada", now=now)
    holder.execute("ROLLBACK")
    assert store.last_event() == 0


def test_a_full_disk_is_a_clear_error_and_nothing_is_acknowledged(project, store, now):
    with store._engine.connect() as connection:
        n_pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={n_pages}")
    ask = [relabel("a", "dog", note="x" * 100_000)]
    with pytest.raises(ProjectError, match=r"full.*Free some space"):
        store.decide(ask, annotator="ada", now=now)
    assert store.last_event() == 0


def test_threads_deciding_at_once_lose_nothing(make_project, now):
    n_threads, n_each = 4, 25
    rows = [(f"i{number}", "train", "cat") for number in range(n_threads * n_each)]
    store = make_project(rows).decisions

    def decide(thread):
        for number in range(thread, len(rows), n_threads):
            store.decide([relabel(f"i{number}", "dog")], annotator=f"p{thread}", now=now)

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.last_event() == len(store.state_table()) == len(rows)
    with reading(store._engine) as connection:
        numbers = connection.execute(sa.select(item_states.c.event)).scalars().all()
    assert sorted(numbers) == list(range(1, len(rows) + 1))


def test_that_a_decision_was_made_blind_is_kept_through_undo_and_redo(store, now):
    store.decide([relabel("a", "dog", blind=True)], annotator="ada", now=now)
    store.undo("ada", now)
    store.redo("ada", now)
    assert [(event.kind, event.blind) for event in store.history("a")] == [
        ("decide", True),
        ("undo", False),
        ("redo", True),
    ]


def test_a_blind_second_opinion_is_kept_also_where_it_agrees(store, now):
    store.decide([relabel("a", "dog")], annotator="ada", now=now)
    blind = relabel("a", "dog", blind=True)
    assert store.decide([blind], annotator="bob", now=now).n_changed == 1
    assert store.decide([blind], annotator="bob", now=now).n_already == 1
    assert store.decide([relabel("a", "dog")], annotator="ada", now=now).n_already == 1
    assert [event.annotator for event in store.history("a")] == ["ada", "bob"]
