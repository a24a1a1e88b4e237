"""The decision log in SQL: every function works inside a transaction that its caller has opened."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from curation.database import acts, class_changes, events, item_states, log_head, rounds, test_locks
from curation.decisions.events import UNDO, Event, ItemState

N_PER_QUERY = 2_000
EVENT_FIELDS = tuple(field.name for field in fields(Event))
STATE_FIELDS = tuple(field.name for field in fields(ItemState))

_after, _standing, _first = events.alias("after"), events.alias("standing"), events.alias("first")
_given_label = (
    sa.select(_first.c.old_label)
    .where(_first.c.item_id == _after.c.item_id)
    .order_by(_first.c.event)
    .limit(1)
    .scalar_subquery()
)
_STATE_COLUMNS = {
    "item_id": _after.c.item_id,
    "event": _after.c.event,
    "stands": _after.c.stands,
    "given_label": _given_label,
    "label": _after.c.new_label,
    "verdict": _standing.c.verdict,
    "annotator": _standing.c.annotator,
    "decided_at": _standing.c.at,
    "round": _standing.c.round,
    "note": sa.func.coalesce(_standing.c.note, ""),
}
_STATES_AFTER_ACT = item_states.insert().from_select(
    list(_STATE_COLUMNS),
    sa.select(*_STATE_COLUMNS.values())
    .select_from(_after.outerjoin(_standing, _standing.c.event == _after.c.stands))
    .where(_after.c.act == sa.bindparam("act")),
)

# What every decision executes is built once: building a statement and its cache key costs more than SQLite's answer.
_READ_HEAD = sa.select(log_head.c.event, log_head.c.act)
_TAKE_HEAD = _READ_HEAD.with_for_update()
_OPEN_ROUND = sa.select(sa.func.max(rounds.c.number)).where(rounds.c.closed_event.is_(None))
_ACT_OF_CLIENT = sa.select(acts).where(
    acts.c.client_id == sa.bindparam("client_id"), acts.c.client_seq == sa.bindparam("client_seq")
)
_own = acts.alias("own")
_OWN_LAST_ACT = sa.select(sa.func.max(_own.c.act)).where(_own.c.annotator == sa.bindparam("annotator"))
_READ_MOMENT = sa.select(
    log_head.c.event,
    log_head.c.act,
    acts.c.undo_top,
    acts.c.redo_top,
    sa.select(sa.func.coalesce(sa.func.max(class_changes.c.number), 0)).scalar_subquery(),
    _OPEN_ROUND.scalar_subquery(),
).select_from(log_head.outerjoin(acts, acts.c.act == _OWN_LAST_ACT.scalar_subquery()))
_READ_STATES = sa.select(*(item_states.c[name] for name in STATE_FIELDS)).where(
    item_states.c.item_id.in_(sa.bindparam("item_ids", expanding=True))
)
_N_CHANGED = sa.select(sa.func.count()).where(item_states.c.event > sa.bindparam("event"))
_ADD_ACT, _ADD_EVENTS = acts.insert(), events.insert()
_DROP_STATES = item_states.delete().where(
    item_states.c.item_id.in_(sa.select(events.c.item_id).where(events.c.act == sa.bindparam("act")))
)
_MOVE_HEAD = log_head.update().values(event=sa.bindparam("new_event"), act=sa.bindparam("new_act"))


@dataclass(frozen=True, slots=True)
class Head:
    """The last numbers given to an event and to an act."""

    event: int
    act: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What holds around an annotator's next act, read at once.

    event, act : the last numbers given
    undo_top, redo_top : which acts the annotator's next undo and next redo are about; None = there is none
    class_change : the last change of the classes, 0 = none
    round : the open one
    """

    event: int
    act: int
    undo_top: int | None
    redo_top: int | None
    class_change: int
    round: int


def take_head(connection: Connection) -> Head:
    """The last numbers given; until the transaction ends no other writer can give more."""
    return Head(*connection.execute(_TAKE_HEAD).one())


def read_head(connection: Connection) -> Head:
    """The last numbers given, as of this transaction."""
    return Head(*connection.execute(_READ_HEAD).one())


def take_moment(connection: Connection, annotator: str) -> Moment:
    """What holds around an annotator's next act; until the transaction ends no other writer can change it."""
    take_head(connection)
    return read_moment(connection, annotator)


def read_moment(connection: Connection, annotator: str) -> Moment:
    """What holds around an annotator's next act, as of this transaction."""
    return Moment(*connection.execute(_READ_MOMENT, {"annotator": annotator}).one())


def open_round(connection: Connection) -> int:
    """The number of the open round."""
    number: int = connection.execute(_OPEN_ROUND).scalar_one()
    return number


def is_test_unlocked(connection: Connection) -> bool:
    """Whether decisions on test items are taken."""
    newest = sa.select(test_locks.c.unlocked).order_by(test_locks.c.number.desc()).limit(1)
    return bool(connection.execute(newest).scalar())


def act_of_client(connection: Connection, client_id: str, client_seq: int) -> Row[Any] | None:
    """The act that this client has already sent under this number, None if there is none."""
    wanted = {"client_id": client_id, "client_seq": client_seq}
    return connection.execute(_ACT_OF_CLIENT, wanted).one_or_none()


def read_act(connection: Connection, act: int) -> Row[Any]:
    """One act."""
    return connection.execute(sa.select(acts).where(acts.c.act == act)).one()


def undone_after(connection: Connection, act: int) -> int | None:
    """The act that was undone just before `act` was: the annotator's newest one made on top of it."""
    on_top = sa.select(sa.func.max(acts.c.act)).where(acts.c.undo_below == act)
    return connection.execute(on_top).scalar()


def read_states(connection: Connection, item_ids: Iterable[str]) -> dict[str, ItemState]:
    """The states of those of the items that have events."""
    found = (
        ItemState(*row)
        for chunk in chunks(item_ids)
        for row in connection.execute(_READ_STATES, {"item_ids": chunk})
    )
    return {state.item_id: state for state in found}


def n_changed_since(connection: Connection, event: int) -> int:
    """How many items have events after this one."""
    n: int = connection.execute(_N_CHANGED, {"event": event}).scalar_one()
    return n


def events_of_act(connection: Connection, act: int) -> list[Event]:
    """The events of one act, in order."""
    return _read_events(connection, events.c.act == act)


def items_of_act(connection: Connection, act: int, at_most: int) -> list[str]:
    """The items of the first events of one act."""
    first = sa.select(events.c.item_id).where(events.c.act == act).order_by(events.c.event).limit(at_most)
    return list(connection.execute(first).scalars())


def events_of_item(connection: Connection, item_id: str) -> list[Event]:
    """The events of one item, in order."""
    return _read_events(connection, events.c.item_id == item_id)


def all_events(connection: Connection, up_to_event: int) -> list[Event]:
    """Every event up to this number, in order."""
    return _read_events(connection, events.c.event <= up_to_event)


def surviving(connection: Connection, numbers: Iterable[int | None]) -> dict[int | None, Event | None]:
    """For each decide event the nearest one, itself or below it, whose act is not undone; None if none is left.

    Two people's decisions can lie on one item in any order; so, once both have undone theirs, the given label is back.
    """
    chain: dict[int, Event] = {}
    undone: set[int] = set()
    wanted = {number for number in numbers if number is not None}
    while wanted:
        found = [
            event
            for chunk in chunks(sorted(wanted))
            for event in _read_events(connection, events.c.event.in_(chunk))
        ]
        chain |= {event.event: event for event in found}
        newly = undone_acts(connection, {event.act for event in found})
        undone |= newly
        below = {event.previous for event in found if event.act in newly}
        wanted = {number for number in below if number is not None and number not in chain}
    return {number: _first_done(number, chain, undone) for number in numbers}


def undone_acts(connection: Connection, numbers: Iterable[int]) -> set[int]:
    """Those of the acts that are undone and not done again."""
    latest: dict[int, str] = {}
    for chunk in chunks(sorted(set(numbers))):
        rows = connection.execute(
            sa.select(acts.c.target, acts.c.kind).where(acts.c.target.in_(chunk)).order_by(acts.c.act)
        )
        latest |= {row.target: row.kind for row in rows}
    return {number for number, kind in latest.items() if kind == UNDO}


def append(connection: Connection, act: Mapping[str, Any], new_events: Sequence[Event]) -> None:
    """Write one act: its row, its events, the items' states after them, and the last numbers given."""
    connection.execute(_ADD_ACT, dict(act))
    if new_events:
        connection.execute(
            _ADD_EVENTS, [{name: getattr(event, name) for name in EVENT_FIELDS} for event in new_events]
        )
        _write_states(connection, act["act"])
    connection.execute(_MOVE_HEAD, {"new_event": act["event"], "new_act": act["act"]})


def standing_at(up_to_event: int) -> sa.Subquery:
    """For every item that a decision stands for at this event: the decide event's fields, and the last event."""
    last = (
        sa.select(events.c.item_id, sa.func.max(events.c.event).label("event"))
        .where(events.c.event <= up_to_event)
        .group_by(events.c.item_id)
        .subquery("last")
    )
    after, standing = events.alias("after"), events.alias("standing")
    return (
        sa.select(
            after.c.item_id,
            after.c.event,
            after.c.new_label.label("label"),
            standing.c.verdict,
            standing.c.annotator,
            standing.c.at.label("decided_at"),
            standing.c.round,
            standing.c.note,
        )
        .select_from(
            last.join(after, after.c.event == last.c.event).join(standing, standing.c.event == after.c.stands)
        )
        .subquery("standing_at")
    )


def _read_events(connection: Connection, where: sa.ColumnElement[bool]) -> list[Event]:
    columns = [events.c[name] for name in EVENT_FIELDS]
    rows = connection.execute(sa.select(*columns).where(where).order_by(events.c.event))
    return [Event(*row) for row in rows]


def _first_done(number: int | None, chain: Mapping[int, Event], undone: set[int]) -> Event | None:
    while number is not None and chain[number].act in undone:
        number = chain[number].previous
    return None if number is None else chain[number]


def _write_states(connection: Connection, act: int) -> None:
    """Bring the states of the items that an act has events for up to those events."""
    connection.execute(_DROP_STATES, {"act": act})
    connection.execute(_STATES_AFTER_ACT, {"act": act})


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The values in lists that are short enough for one query."""
    iterator = iter(values)
    while chunk := list(islice(iterator, N_PER_QUERY)):
        yield chunk
