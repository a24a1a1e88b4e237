"""The pace of a person: what is timed, what is a break, and what counts as a change."""

from datetime import timedelta

import sqlalchemy as sa

from curation.decisions.events import Decision
from curation.pace import CHANGING, NEWEST, Decided, Pace, pace_of, read_pace


def decided(now, *acts):
    """Items of acts given as (seconds since the start, number of items, verdict)."""
    return [
        Decided(number, now + timedelta(seconds=at), verdict)
        for number, (at, n_items, verdict) in enumerate(acts, 1)
        for _ in range(n_items)
    ]


def test_an_act_shares_its_time_among_its_items(now):
    acts = [(0, 1, "label_right"), (4, 4, "label_right"), (6, 1, "label_right")]
    assert pace_of(decided(now, *acts)) == Pace(6, 0, 1.0)


def test_breaks_and_the_first_act_are_not_timed(now):
    acts = [(at, 1, "label_right") for at in (0, 2, 4, 6, 8, 10, 131, 133)]
    assert pace_of(decided(now, *acts)).seconds_per_decision == 2.0


def test_too_few_times_are_no_pace(now):
    acts = [(at, 1, "label_right") for at in (0, 2, 4, 6, 8)]
    assert pace_of(decided(now, *acts)) == Pace(5, 0, None)
    assert pace_of([]) == Pace(0, 0, None)


def test_only_what_changes_the_data_is_a_change(now):
    verdicts = ("label_right", "label_wrong", "labelled", "ambiguous", "bad_item", "out_of_scope")
    acts = [(at, 1, verdict) for at, verdict in enumerate(verdicts)]
    assert pace_of(decided(now, *acts)).n_changed == len(CHANGING) == 4


def test_the_last_50_decisions_of_one_person_are_read_and_undoing_is_none(make_project, clock):
    project = make_project([(f"i{number}", "train", "cat") for number in range(60)])
    store = project.decisions
    for number in range(58):
        store.decide([Decision(f"i{number}", "label_wrong", "dog")], annotator="ada", now=clock())
        store.decide([Decision("i59", "ambiguous", note=str(number))], annotator="bob", now=clock())
    store.undo("ada", clock())
    assert read_pace(project.engine, " ada ") == Pace(50, 50, 2.0)
    assert read_pace(project.engine, "bob").n_changed == 0
    assert read_pace(project.engine, "eve") == Pace(0, 0, None)


def test_what_a_person_took_back_or_decided_again_counts_no_more(store, project, clock):
    store.decide([Decision("a", "label_right")], annotator="ada", now=clock())
    store.decide([Decision("b", "bad_item"), Decision("c", "bad_item")], annotator="ada", now=clock())
    store.undo("ada", clock())
    assert read_pace(project.engine, "ada") == Pace(1, 0, None)
    store.decide([Decision("a", "bad_item")], annotator="ada", now=clock())
    assert read_pace(project.engine, "ada") == Pace(1, 1, None)


def test_the_pace_is_read_by_an_index(project):
    query = NEWEST.params(annotator="ada").compile(project.engine, compile_kwargs={"literal_binds": True})
    with project.engine.connect() as connection:
        steps = [row[-1] for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {query}"))]
    assert steps == [
        "SEARCH events USING INDEX ix_events_annotator (annotator=? AND kind=?)",
        "SEARCH item_states USING INDEX sqlite_autoindex_item_states_1 (item_id=?)",
    ]
