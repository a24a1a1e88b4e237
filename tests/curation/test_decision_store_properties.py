"""Whatever people do and whenever processes die, the states are the fold of the events and nothing is lost."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.decisions.events import Decision, fold
from curation.project import Project

ITEMS = ("a", "b", "u")
decisions = st.builds(
    Decision,
    st.sampled_from(ITEMS),
    st.sampled_from(["label_wrong", "label_wrong", "label_right", "ambiguous", "bad_item"]),
    note=st.sampled_from(["", "blurred"]),
)
annotators = st.sampled_from(["ada", "bob"])


def decides(annotator: st.SearchStrategy[str]) -> st.SearchStrategy[tuple]:
    """Acts that decide one to three items."""
    return st.tuples(
        st.just("decide"),
        annotator,
        st.lists(decisions, min_size=1, max_size=3, unique_by=lambda each: each.item_id),
        st.sampled_from(["cat", "dog", "fox"]),
    )


acts = st.one_of(decides(annotators), st.tuples(st.sampled_from(["undo", "redo"]), annotators))


def apply(store, act, now):
    """Do one act; a decision that makes no sense on its item is made one that does."""
    kind, annotator, *rest = act
    if kind != "decide":
        return getattr(store, kind)(annotator, now)
    wanted, label = rest
    sensible = []
    for each in wanted:
        if each.verdict == "label_wrong" or (each.verdict == "label_right" and each.item_id == "u"):
            sensible.append(Decision(each.item_id, "label_wrong", label, note=each.note))
        else:
            sensible.append(each)
    return store.decide(sensible, annotator=annotator, now=now)


def states_of(store):
    return store.states(ITEMS)


def undo_everything(store, now):
    while any([store.undo("ada", now) is not None, store.undo("bob", now) is not None]):
        pass


PROPERTY = settings(max_examples=20)


@PROPERTY
@given(sequence=st.lists(acts, max_size=12))
def test_states_are_always_the_fold_of_the_events(make_project, clock, sequence):
    store = make_project().decisions
    for act in sequence:
        apply(store, act, clock())
    events = store.all_events()
    folded = fold(events)
    assert {item_id: state for item_id, state in states_of(store).items() if state.event} == folded
    assert store.state_table().equals(store.state_table(len(events)))
    for n in range(len(events) + 1):
        then = {item_id: state for item_id, state in fold(events[:n]).items() if state.stands is not None}
        table = store.state_table(n).astype(object)
        told = {row.item_id: (row.label, row.verdict, row.event, row.note) for row in table.itertuples()}
        told = {
            key: tuple(None if value != value else value for value in values) for key, values in told.items()
        }
        assert told == {
            item_id: (state.label, state.verdict, state.event, state.note) for item_id, state in then.items()
        }


@PROPERTY
@given(sequence=st.lists(acts, max_size=12))
def test_undoing_everything_gives_back_the_given_labels(make_project, clock, sequence):
    store = make_project().decisions
    for act in sequence:
        apply(store, act, clock())
    undo_everything(store, clock())
    assert all(
        state.verdict is None and state.label == state.given_label for state in states_of(store).values()
    )


@PROPERTY
@given(sequence=st.lists(decides(st.just("ada")), max_size=8))
def test_redoing_everything_gives_the_decisions_again(make_project, clock, sequence):
    store = make_project().decisions
    for act in sequence:
        apply(store, act, clock())
    before = {
        item_id: (state.label, state.verdict, state.note) for item_id, state in states_of(store).items()
    }
    n_steps = 0
    while store.undo("ada", clock()) is not None:
        n_steps += 1
    for _ in range(n_steps):
        assert store.redo("ada", clock()) is not None
    assert store.redo("ada", clock()) is None
    after = {item_id: (state.label, state.verdict, state.note) for item_id, state in states_of(store).items()}
    assert after == before


@PROPERTY
@given(sequence=st.lists(acts, max_size=12))
def test_event_numbers_have_no_gaps_and_verdicts_agree_with_the_given_label(make_project, clock, sequence):
    store = make_project().decisions
    for act in sequence:
        apply(store, act, clock())
    assert [event.event for event in store.all_events()] == list(range(1, store.last_event() + 1))
    for state in states_of(store).values():
        if state.verdict == "label_right":
            assert state.label == state.given_label
        if state.verdict == "label_wrong":
            assert state.label != state.given_label and state.given_label is not None
        if state.verdict == "labelled":
            assert state.given_label is None and state.label is not None


DECIDE_MANY = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from curation.decisions.events import Decision
from curation.project import Project

folder, name, n_items = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = Project.open(folder).decisions
store.last_event()
print("ready", flush=True)
sys.stdin.readline()
for number in range(n_items):
    decision = Decision(f"i{number}", "label_wrong", name, expected_event=0)
    result = store.decide([decision], annotator=name, now=datetime.now(UTC), client_id=name, client_seq=number)
    print(result.event if result.n_changed else "conflict", flush=True)
"""


@pytest.fixture
def decider():
    """decider(project, name, n_items) → a process that gives every item the label `name`, once it is told to start."""
    started = []

    def start(project, name, n_items):
        command = [sys.executable, "-c", DECIDE_MANY, str(project.folder), name, str(n_items)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def begin(process):
    process.stdin.write("\n")
    process.stdin.flush()


def test_two_processes_deciding_at_once_lose_nothing_and_see_every_conflict(make_project, decider):
    n_items = 150
    project = make_project([(f"i{number}", "train", "cat") for number in range(n_items)])
    processes = [decider(project, name, n_items) for name in ("dog", "fox")]
    for process in processes:
        begin(process)
    answers = [process.communicate()[0].split() for process in processes]
    for first, second in zip(*answers, strict=True):
        assert (first == "conflict") != (second == "conflict")
    changed = sorted(int(answer) for given_ in answers for answer in given_ if answer != "conflict")
    assert changed == list(range(1, n_items + 1))
    assert project.decisions.last_event() == n_items


def test_killing_a_process_in_the_middle_of_many_decisions_loses_none_that_was_acknowledged(
    make_project, decider
):
    n_items = 5_000  # more than it can decide before it is killed
    project = make_project([(f"i{number}", "train", "cat") for number in range(n_items)])
    process = decider(project, "dog", n_items)
    begin(process)
    acknowledged = [int(process.stdout.readline()) for _ in range(300)]
    process.kill()
    acknowledged += [int(line) for line in process.stdout.read().split()]
    assert 300 <= len(acknowledged) < n_items
    store = Project.open(project.folder).decisions
    kept = [event.event for event in store.all_events()]
    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) - len(acknowledged) <= 1
    states = store.states([f"i{number}" for number in range(len(acknowledged))])
    assert {state.label for state in states.values()} == {"dog"}
