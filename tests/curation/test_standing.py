"""What holds for each row of a run is what the store says, now and at every event before."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.decisions.events import VERDICTS, Decision, fold
from curation.standing import StandingDecisions

ROWS = np.array([6, 0, 2], dtype=np.int32)  # u, a and c of the project's items; the run knows no others
ROW_OF_ITEM = np.array([1, -1, 2, -1, -1, -1, 0, -1], dtype=np.int32)
ALL = np.arange(3, dtype=np.int32)
IDS = ("u", "a", "c")
decision = st.builds(
    Decision,
    st.sampled_from([*IDS, "b"]),
    st.sampled_from(["label_wrong", "bad_item", "ambiguous"]),
    st.sampled_from(["cat", "dog"]),
)
acts = st.one_of(
    st.tuples(st.just("decide"), st.sampled_from(["ada", "bob"]), decision),
    st.tuples(st.sampled_from(["undo", "redo"]), st.sampled_from(["ada", "bob"]), st.none()),
)


def told(standing, classes):
    """Verdict, annotator and label of each row, in words."""
    names = {
        "verdict": (*VERDICTS, None),
        "annotator": (*standing.annotators, None),
        "label": (*classes, None),
    }
    states = standing.of(ALL)
    columns = [[values[code] for code in getattr(states, name)] for name, values in names.items()]
    return list(zip(*columns, strict=True))


@settings(max_examples=30)
@given(sequence=st.lists(acts, max_size=10))
def test_the_columns_are_the_states_now_and_before(make_project, now, sequence):
    project = make_project()
    store = project.decisions
    standing = StandingDecisions(store, ROWS, ROW_OF_ITEM)
    for kind, annotator, wanted in sequence:
        if kind == "decide":
            store.decide([wanted], annotator=annotator, now=now)
        else:
            getattr(store, kind)(annotator, now)
        states = store.states(IDS)
        expected = [(states[key].verdict, states[key].annotator, states[key].label) for key in IDS]
        assert told(standing.now(), store.class_list.names) == expected
        assert standing.now().of(ALL).event.tolist() == [states[key].event for key in IDS]
    events = store.all_events()
    given_labels = store.states(IDS)
    for n in range(len(events) + 1):
        past = fold(events[:n])
        expected = [
            (past[key].verdict, past[key].annotator, past[key].label)
            if key in past
            else (None, None, given_labels[key].given_label)
            for key in IDS
        ]
        assert told(standing.at(n), store.class_list.names) == expected


def test_the_given_labels_and_the_rows_are_those_of_the_run(project):
    standing = StandingDecisions(project.decisions, ROWS, ROW_OF_ITEM)
    assert standing.now().of(ALL).given.tolist() == [-1, 0, 2]
    assert standing.rows_of(["a", "b", "nobody", "u"]).tolist() == [1, -1, -1, 0]
    assert standing.rows_of([]).tolist() == []
