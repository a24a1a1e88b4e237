"""The decision store: appends what people decide, undoes and redoes it, and says what holds now or held before.

Every act is one transaction and one step of undo. A call returns after its commit (see `curation.database` for what a
commit survives); when it raises, nothing of the act was written.

Labels go in and come out as class names as of now (a name that a class had before will do); the log keeps class keys,
see `curation.class_list`. `all_events` alone tells them as they are kept.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, Row

from curation.class_list import ClassList
from curation.class_log import ClassLog
from curation.database import item_states, reading, test_locks, writing
from curation.decisions import log
from curation.decisions.events import (
    DECIDE,
    KEPT,
    LABELLED,
    REDO,
    STATUS_OF,
    UNDO,
    Decision,
    Event,
    ItemState,
    adds_nothing,
    is_conflict,
    resolve,
)
from curation.decisions.naming import (
    shown_decision,
    shown_event,
    shown_labels,
    shown_state,
    shown_verdicts,
    stored_decision,
)
from curation.item_index import CodeArray, ItemIndex
from diagnostics.errors import DecisionError
from diagnostics.label_kinds import label_kind_of
from diagnostics.label_space import LabelSpace
from diagnostics.task import NO_LABEL, SPLITS, IntArray, RowArray

MAX_PROBLEMS_SHOWN = 20
MAX_COMPARED = 5_000
MAX_BARRED_SHOWN = 3
NOTHING_BARRED: Mapping[str, str] = MappingProxyType({})
LOCKED_TEST = (
    'the set is locked; to change it on purpose unlock it with a reason: winnow decide … --unlock-test "why"'
)

MAY_NOT_JOIN = "cannot join the training set, because it is"

STATE_COLUMNS = (
    "item_id", "label", "verdict", "status", "annotator", "decided_at", "round", "event", "note",
)  # fmt: skip
LOCK_COLUMNS = ("at", "unlocked", "annotator", "reason")
LABEL_COLUMNS = ("item_id", "split", "given_label", "label", "verdict", "status")


@dataclass(frozen=True, slots=True)
class Conflict:
    """An item that was left as it is, because it had changed since the person saw it; both sides in full."""

    item_id: str
    label: str | None
    verdict: str | None
    annotator: str | None
    event: int
    wanted_label: str | None
    wanted_verdict: str | None

    def __str__(self) -> str:
        now = (
            f"{_said(self.verdict, self.label)} by {self.annotator}" if self.annotator else "undecided again"
        )
        return f"{self.item_id}: it is {now}; not made {_said(self.wanted_verdict, self.wanted_label)}"


@dataclass(frozen=True, slots=True)
class ActResult:
    """What an act did. `act` is its number, 0 if there was nothing to write; `event` is the log's last event then.

    n_refused : items that the act left, because of `reason`: it made no sense for them, or they may not be trained on
    """

    act: int
    n_changed: int
    n_already: int
    conflicts: list[Conflict]
    event: int
    n_refused: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The log's last event, and whether a person has an act to take back or to do again."""

    event: int
    can_undo: bool
    can_redo: bool


@dataclass(frozen=True, slots=True)
class _Change:
    """One item's new standing decision: the state before, and what goes into the event."""

    before: ItemState
    decision: Decision
    standing: Event | None = None


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong with a decision; `found` is not among what `known` gives."""

    what: str
    text: str
    found: str | None = None
    known: Callable[[], Sequence[str]] = tuple

    def __str__(self) -> str:
        near = _did_you_mean(self.found, self.known()) if self.found is not None else ""
        return f"{self.what}: {self.text}{near}"


@dataclass(frozen=True, slots=True)
class _KnownLabels:
    """The labels that an item can have. names : of the classes"""

    names: frozenset[str]
    members: Callable[[str], tuple[str, ...]]

    def __contains__(self, label: object) -> bool:
        return label in self.names or (isinstance(label, str) and self.names.issuperset(self.members(label)))


@dataclass(frozen=True, slots=True)
class _Author:
    annotator: str
    now: datetime
    client_id: str | None
    client_seq: int | None


class DecisionStore:
    """The decisions of one project. Safe to use from several threads and from several processes at once.

    items : the items by row and by id
    class_log : the classes that there are
    barred : the items that may not join the training set because they are like a held-out one, and how; see
        `curation.dataset.duplicates.barred_by`
    """

    def __init__(
        self,
        engine: Engine,
        items: ItemIndex,
        class_log: ClassLog,
        *,
        barred: Mapping[str, str] = NOTHING_BARRED,
    ) -> None:
        self.barred = barred
        self._engine = engine
        self._items = items
        self._class_log = class_log
        self._named: tuple[ClassList, npt.NDArray[Any]] | None = None

    @property
    def class_list(self) -> ClassList:
        """The classes as they are now."""
        return self._class_log.now()

    def label_space(self, classes: ClassList) -> LabelSpace:
        """What labels can be in the names of these classes, those that the source gives among them."""
        kind = label_kind_of(classes.kind.key)
        return kind.space(classes.names, self._given_names(classes)[:-1].tolist())

    def given_places(self, classes: ClassList, labels: LabelSpace) -> RowArray:
        """The number in `labels` of each label of the source, and at the end -1 for none."""
        places: RowArray = labels.codes(self._given_names(classes).tolist()).astype(np.int32)
        return places

    def given_codes(self, rows: RowArray) -> CodeArray:
        """The label that the source gave the items in these rows, positions in `given_places`."""
        codes: CodeArray = self._items.given[rows]
        return codes

    # ------------------------------------------------------------ writing

    def decide(
        self,
        decisions: Sequence[Decision],
        *,
        annotator: str,
        now: datetime,
        client_id: str | None = None,
        client_seq: int | None = None,
        n_refused: int = 0,
        reason: str = "",
        leave_barred: bool = False,
    ) -> ActResult:
        """Apply decisions as one act: one transaction, one step of undo.

        A decision that changes nothing is counted in `n_already`, unless it is a blind second opinion; one whose item
        has changed since `expected_event` is left out and reported in `conflicts`. The same (client_id, client_seq)
        again gives the first answer and writes nothing.

        n_refused, reason : what the caller has left out and why; kept, so that the answer can be given again
        leave_barred : leave items out, too, that would join the training set and may not, instead of raising
        raises : DecisionError listing everything wrong with any of them; then none is applied
        """
        author = _author(annotator, now, client_id, client_seq)
        with writing(self._engine) as connection:
            moment = log.take_moment(connection, author.annotator)
            if (repeated := _repeated(connection, author)) is not None:
                return repeated
            classes = self._class_log.known_at(moment.class_change, connection)
            decisions = [shown_decision(decision, classes) for decision in decisions]
            resolved, states = self._checked(connection, decisions, classes)
            barred = [self._barred(decision) for decision in resolved]
            told = [problem for problem in barred if problem is not None]
            if told and not leave_barred:
                raise _refusal(told, len(decisions))
            kept = [place for place, problem in enumerate(barred) if problem is None]
            changes, n_already, conflicts = _sorted_out(
                [decisions[place] for place in kept],
                [resolved[place] for place in kept],
                [states[place] for place in kept],
                classes,
                author.annotator,
            )
            act = _decide_row(moment, len(changes))
            act |= {
                "n_refused": n_refused + len(told),
                "reason": "; ".join(filter(None, [reason, _few(told)])),
            }
            return _append(connection, moment, author, act, changes, n_already, conflicts)

    def undo(
        self, annotator: str, now: datetime, *, client_id: str | None = None, client_seq: int | None = None
    ) -> ActResult | None:
        """Take back one's last act that is not undone; None if there is none.

        An item that someone else, or a later act, has changed since is left and reported in `conflicts`.
        """
        return self._step(UNDO, _author(annotator, now, client_id, client_seq))

    def redo(
        self, annotator: str, now: datetime, *, client_id: str | None = None, client_seq: int | None = None
    ) -> ActResult | None:
        """Do again what one undid last; None if there is nothing, or one has decided something else since."""
        return self._step(REDO, _author(annotator, now, client_id, client_seq))

    def unlock_test(self, annotator: str, reason: str, now: datetime) -> None:
        """Let decisions on test items through from now on; who, why and when are kept."""
        if not reason.strip():
            raise DecisionError("Unlocking the gold test set needs a reason; it is kept with the project.")
        self._set_lock(True, _author(annotator, now, None, None), reason.strip())

    def lock_test(self, annotator: str, now: datetime) -> None:
        """Refuse decisions on test items again."""
        self._set_lock(False, _author(annotator, now, None, None), "")

    # ------------------------------------------------------------ reading

    def test_unlocked(self) -> bool:
        """Whether decisions on test items are taken."""
        with reading(self._engine) as connection:
            return log.is_test_unlocked(connection)

    def test_log(self) -> pd.DataFrame:
        """Who unlocked and locked the gold test set, when and why, the newest first: LOCK_COLUMNS."""
        columns = [test_locks.c[name] for name in LOCK_COLUMNS]
        with reading(self._engine) as connection:
            found = connection.execute(sa.select(*columns).order_by(test_locks.c.number.desc())).all()
        return pd.DataFrame.from_records([tuple(row) for row in found], columns=list(LOCK_COLUMNS))

    def last_event(self) -> int:
        """The number of the last event, 0 before the first."""
        with reading(self._engine) as connection:
            return log.read_head(connection).event

    def states(self, item_ids: Sequence[str]) -> dict[str, ItemState]:
        """What holds now for each of these items, decided or not.

        raises : DecisionError for an unknown item
        """
        rows = self._known_rows(item_ids)
        with reading(self._engine) as connection:
            return self._states(connection, item_ids, rows, self._class_log.now(connection))

    def _states(
        self, connection: Connection, item_ids: Sequence[str], rows: IntArray, classes: ClassList
    ) -> dict[str, ItemState]:
        stored = log.read_states(connection, item_ids)
        return {
            item_id: shown_state(stored.get(item_id) or self._untouched(item_id, row), classes)
            for item_id, row in zip(item_ids, rows, strict=True)
        }

    def changed_since(self, event: int) -> tuple[int, dict[str, ItemState]]:
        """The last event, and the present states of the items that have events after `event`."""
        columns = [item_states.c[name] for name in log.STATE_FIELDS]
        with reading(self._engine) as connection:
            last = log.read_head(connection).event
            if last == event:
                return last, {}
            rows = connection.execute(sa.select(*columns).where(item_states.c.event > event))
            classes = self._class_log.now(connection)
            return last, {row.item_id: shown_state(ItemState(*row), classes) for row in rows}

    def n_changed_since(self, event: int) -> int:
        """How many items have events after `event`."""
        with reading(self._engine) as connection:
            return log.n_changed_since(connection, event)

    def changed_among(self, item_ids: Sequence[str], event: int) -> dict[str, ItemState]:
        """The present states of those of the items that have events after `event`."""
        with reading(self._engine) as connection:
            states = log.read_states(connection, item_ids)
            classes = self._class_log.now(connection)
        return {
            item_id: shown_state(state, classes) for item_id, state in states.items() if state.event > event
        }

    def outlook(self, annotator: str) -> Outlook:
        """How far the log is, and what this person can take back or do again, all of the same moment."""
        return self.outlook_on(annotator, ())[0]

    def outlook_on(self, annotator: str, item_ids: Sequence[str]) -> tuple[Outlook, dict[str, ItemState]]:
        """`outlook` and the `states` of these items, all of the same moment, for less than the two apart."""
        rows = self._known_rows(item_ids)
        with reading(self._engine) as connection:
            moment = log.read_moment(connection, annotator.strip())
            classes = self._class_log.known_at(moment.class_change, connection)
            states = self._states(connection, item_ids, rows, classes)
        return Outlook(moment.event, moment.undo_top is not None, moment.redo_top is not None), states

    def state_table(
        self, up_to_event: int | None = None, *, classes: ClassList | None = None
    ) -> pd.DataFrame:
        """One row for each item that a decision stands for, now or at an event: STATE_COLUMNS, sorted by item_id.

        classes : whose names to use; those of now if not given
        """
        names = [name for name in STATE_COLUMNS if name != "status"]
        source = item_states if up_to_event is None else log.standing_at(up_to_event)
        query = sa.select(*(source.c[name] for name in names)).order_by(source.c.item_id)
        if up_to_event is None:
            query = query.where(item_states.c.stands.is_not(None))
        with reading(self._engine) as connection:
            found = connection.execute(query).all()
            classes = classes or self._class_log.now(connection)
        table = pd.DataFrame.from_records([tuple(row) for row in found], columns=names)
        table["decided_at"] = pd.to_datetime(table["decided_at"], utc=True)
        if not classes.is_plain:
            rows = self.rows_of(table["item_id"].tolist())
            given = self._given_names(classes)[self._items.given[rows]]
            table["label"] = shown_labels(table["label"], classes)
            table["verdict"] = shown_verdicts(table["verdict"], table["label"], given)
        table["status"] = table["verdict"].map(STATUS_OF)
        texts = dict.fromkeys(("item_id", "label", "verdict", "status", "annotator", "note"), "str")
        return table.astype({**texts, "round": "int64", "event": "int64"})[list(STATE_COLUMNS)]

    def labels_at(self, event: int, *, classes: ClassList | None = None) -> pd.DataFrame:
        """The label of every item at an event, in source order: LABEL_COLUMNS; a missing label is null.

        An excluded item keeps its label here and has status "excluded".
        classes : whose names to use, for the given labels too; those of now if not given
        """
        classes = classes or self._class_log.now()
        decided = self.state_table(event, classes=classes)
        rows = self.rows_of(decided["item_id"].tolist())
        given = self._given_names(classes)[self._items.given]
        columns = {
            "label": given.copy(),
            "verdict": np.full(len(given), None, dtype=object),
            "status": np.full(len(given), KEPT, dtype=object),
        }
        for name, values in columns.items():
            found = decided[name].astype(object)
            values[rows] = found.where(found.notna(), None).to_numpy()
        items = self._items.frame
        table = pd.DataFrame(
            {"item_id": items["item_id"], "split": items["split"], "given_label": given} | columns
        )
        return table.astype(dict.fromkeys(LABEL_COLUMNS, "str"))[list(LABEL_COLUMNS)]

    def rows_of(self, item_ids: Sequence[str]) -> IntArray:
        """The row of each item in the item table, -1 for an unknown one."""
        return self._items.rows_of(item_ids)

    def history(self, item_id: str) -> list[Event]:
        """Everything that happened to an item, oldest first."""
        self._known_rows([item_id])
        with reading(self._engine) as connection:
            classes = self._class_log.now(connection)
            return [shown_event(event, classes) for event in log.events_of_item(connection, item_id)]

    def first_answer(self, client_id: str | None, client_seq: int | None) -> ActResult | None:
        """What this client was answered when it sent this number, None if it has not."""
        if client_id is None or client_seq is None:
            return None
        with reading(self._engine) as connection:
            row = log.act_of_client(connection, client_id, client_seq)
        return None if row is None else _result_of(row)

    def locked_test(self, n_test: int, n_decisions: int) -> DecisionError:
        """The refusal of decisions of which `n_test` are on items of the locked gold test set."""
        return _refusal([_locked(n_test)], n_decisions)

    def items_of_act(self, act: int, *, at_most: int) -> list[str]:
        """The first items that an act has events for."""
        with reading(self._engine) as connection:
            return log.items_of_act(connection, act, at_most)

    def all_events(self, up_to_event: int | None = None) -> list[Event]:
        """The whole log, or its beginning up to an event; labels are class keys."""
        with reading(self._engine) as connection:
            last = log.read_head(connection).event if up_to_event is None else up_to_event
            return log.all_events(connection, last)

    # ------------------------------------------------------------ checks

    def _checked(
        self, connection: Connection, decisions: Sequence[Decision], classes: ClassList
    ) -> tuple[list[Decision], list[ItemState]]:
        """The decisions resolved, in names, and the present state of each one's item as stored.

        raises : DecisionError listing all that is wrong
        """
        item_ids = [decision.item_id for decision in decisions]
        rows = self.rows_of(item_ids)
        stored = log.read_states(connection, item_ids)
        problems = [
            _Problem(item_id, "is decided more than once in one act") for item_id in _repeats(item_ids)
        ]
        resolved, states = [], []
        known = _KnownLabels(frozenset(classes.names), classes.kind.members)
        for decision, row in zip(decisions, rows.tolist(), strict=True):
            if row < 0:
                problems.append(self._no_such_item(decision.item_id))
                continue
            state = stored.get(decision.item_id) or self._untouched(decision.item_id, row)
            try:
                resolved.append(resolve(decision, shown_state(state, classes), known))
                states.append(state)
            except DecisionError as error:
                wrong = None if decision.label in known else decision.label
                problems.append(_Problem(decision.item_id, str(error), wrong, lambda: classes.names))
        if locked := self._locked_test_items(connection, rows[rows >= 0]):
            problems.append(locked)
        if problems:
            raise _refusal(problems, len(decisions))
        return resolved, states

    def _barred(self, resolved: Decision) -> _Problem | None:
        """Why a decision may not be kept, None if it may: it would train on what validation or test hold out."""
        like = self.barred.get(resolved.item_id) if resolved.verdict == LABELLED else None
        return None if like is None else _Problem(resolved.item_id, f"{MAY_NOT_JOIN} {like}")

    def _locked_test_items(self, connection: Connection, rows: IntArray) -> "_Problem | None":
        n_test = int(np.count_nonzero(self._items.split[rows] == SPLITS.index("test")))
        if n_test == 0 or log.is_test_unlocked(connection):
            return None
        return _locked(n_test)

    # ------------------------------------------------------------ items

    def _known_rows(self, item_ids: Sequence[str]) -> IntArray:
        rows = self.rows_of(item_ids)
        unknown = [item_id for item_id, row in zip(item_ids, rows.tolist(), strict=True) if row < 0]
        if unknown:
            raise _refusal([self._no_such_item(item_id) for item_id in unknown], len(item_ids))
        return rows

    def _no_such_item(self, item_id: str) -> _Problem:
        return _Problem(item_id, "no such item", item_id, lambda: self._items.ids_near(item_id))

    def _untouched(self, item_id: str, row: int) -> ItemState:
        code = self._items.given[row]
        given = None if code == NO_LABEL else self._items.labels.names[code]
        return ItemState(item_id, given, given)

    def _given_names(self, classes: ClassList) -> npt.NDArray[Any]:
        """The labels that the source gives in these names, in the order of their numbers, and at the end None."""
        if self._named is None or self._named[0] is not classes:
            names = classes.names_of(self._items.labels.names)
            self._named = classes, np.array([*names.values(), None], dtype=object)
        return self._named[1]

    # ------------------------------------------------------------ steps

    def _step(self, kind: str, author: _Author) -> ActResult | None:
        with writing(self._engine) as connection:
            moment = log.take_moment(connection, author.annotator)
            if (repeated := _repeated(connection, author)) is not None:
                return repeated
            target = moment.undo_top if kind == UNDO else moment.redo_top
            if target is None:
                return None
            done = log.events_of_act(connection, target)
            item_ids = [event.item_id for event in done]
            if locked := self._locked_test_items(connection, self._known_rows(item_ids)):
                raise _refusal([locked], len(item_ids))
            classes = self._class_log.known_at(moment.class_change, connection)
            stored = log.read_states(connection, item_ids)
            changes, conflicts = _step_changes(connection, kind, done, stored, classes)
            act = _step_row(connection, kind, target)
            return _append(connection, moment, author, act, changes, 0, conflicts)

    def _set_lock(self, unlocked: bool, author: _Author, reason: str) -> None:
        with writing(self._engine) as connection:
            log.take_head(connection)
            if not unlocked and not log.is_test_unlocked(connection):
                return
            row = {"unlocked": unlocked, "annotator": author.annotator, "reason": reason, "at": author.now}
            connection.execute(test_locks.insert(), row)


def _locked(n_test: int) -> _Problem:
    return _Problem(f"{n_test} of them are items of the gold test set", LOCKED_TEST)


def _few(problems: Sequence[_Problem]) -> str:
    more = len(problems) - MAX_BARRED_SHOWN
    shown = "; ".join(map(str, problems[:MAX_BARRED_SHOWN]))
    return f"{shown}; and {more} more" if more > 0 else shown


def _sorted_out(
    decisions: Sequence[Decision],
    resolved: Sequence[Decision],
    stored: Sequence[ItemState],
    classes: ClassList,
    annotator: str,
) -> tuple[list[_Change], int, list[Conflict]]:
    changes, n_already, conflicts = [], 0, []
    for asked, decision, before in zip(decisions, resolved, stored, strict=True):
        state = shown_state(before, classes)
        if is_conflict(asked, decision, state):
            conflicts.append(_conflict(state, decision.verdict, decision.label))
        elif adds_nothing(decision, state, annotator):
            n_already += 1
        else:
            changes.append(_Change(before, stored_decision(decision, before, classes)))
    return changes, n_already, conflicts


def _step_changes(
    connection: Connection,
    kind: str,
    done: Sequence[Event],
    states: dict[str, ItemState],
    classes: ClassList,
) -> tuple[list[_Change], list[Conflict]]:
    """What undoing or redoing these events changes: only items on which they, or what was before them, stand now."""
    below = log.surviving(connection, [event.previous for event in done])
    changes, conflicts = [], []
    for event in done:
        state, before = states[event.item_id], below[event.previous]
        number_before = before.event if before is not None else None
        expected, standing = (event.event, before) if kind == UNDO else (number_before, event)
        verdict = standing.verdict if standing is not None else None
        label = standing.new_label if standing is not None else state.given_label
        if state.stands == expected:
            blind = standing is not None and standing.blind
            changes.append(
                _Change(state, Decision(event.item_id, verdict or "", label, blind=blind), standing)
            )
        else:
            conflicts.append(_conflict(shown_state(state, classes), verdict, classes.name_of(label)))
    return changes, conflicts


def _decide_row(moment: log.Moment, n_changes: int) -> dict[str, Any]:
    if n_changes == 0:
        return {"kind": DECIDE, "undo_top": moment.undo_top, "redo_top": moment.redo_top}
    return {"kind": DECIDE, "undo_below": moment.undo_top, "undo_top": moment.act + 1, "redo_top": None}


def _step_row(connection: Connection, kind: str, target: int) -> dict[str, Any]:
    undo_top: int | None
    redo_top: int | None
    if kind == UNDO:
        undo_top, redo_top = log.read_act(connection, target).undo_below, target
    else:
        undo_top, redo_top = target, log.undone_after(connection, target)
    return {"kind": kind, "target": target, "undo_top": undo_top, "redo_top": redo_top}


def _append(
    connection: Connection,
    moment: log.Moment,
    author: _Author,
    act: dict[str, Any],
    changes: Sequence[_Change],
    n_already: int,
    conflicts: list[Conflict],
) -> ActResult:
    """Write the act and its events; an act that changes nothing is written only if it must be remembered."""
    if not changes and act["kind"] == DECIDE and author.client_id is None:
        return ActResult(0, 0, n_already, conflicts, moment.event, act["n_refused"], act["reason"])
    new_events = [
        _event(number, moment.act + 1, act["kind"], change, author, moment.round)
        for number, change in enumerate(changes, moment.event + 1)
    ]
    result = ActResult(moment.act + 1, len(changes), n_already, conflicts, moment.event + len(changes))
    row = {
        "target": None,
        "undo_below": None,
        "n_refused": 0,
        "reason": "",
        **act,
        "act": result.act,
        "annotator": author.annotator,
        "at": author.now,
        "event": result.event,
        "n_changed": result.n_changed,
        "n_already": n_already,
        "conflicts": [asdict(conflict) for conflict in conflicts],
        "client_id": author.client_id,
        "client_seq": author.client_seq,
    }
    log.append(connection, row, new_events)
    return replace(result, n_refused=row["n_refused"], reason=row["reason"])


def _event(number: int, act: int, kind: str, change: _Change, author: _Author, round_number: int) -> Event:
    decision, before = change.decision, change.before
    stands = number if kind == DECIDE else (change.standing.event if change.standing else None)
    return Event(
        event=number,
        act=act,
        kind=kind,
        item_id=before.item_id,
        verdict=decision.verdict or None,
        old_label=before.label,
        new_label=decision.label,
        annotator=author.annotator,
        at=author.now,
        round=round_number,
        queue=decision.queue,
        rank=decision.rank,
        note=decision.note,
        stands=stands,
        previous=before.stands,
        blind=decision.blind,
    )


def _author(annotator: str, now: datetime, client_id: str | None, client_seq: int | None) -> _Author:
    name = annotator.strip()
    if not name:
        raise DecisionError("Every decision names who made it; the annotator is empty.")
    if (client_id is None) != (client_seq is None):
        raise DecisionError(
            "A client names itself and numbers its acts: client_id and client_seq go together."
        )
    return _Author(name, now, client_id, client_seq)


def _repeated(connection: Connection, author: _Author) -> ActResult | None:
    if author.client_id is None or author.client_seq is None:
        return None
    row = log.act_of_client(connection, author.client_id, author.client_seq)
    return None if row is None else _result_of(row)


def _result_of(row: Row[Any]) -> ActResult:
    conflicts = [Conflict(**conflict) for conflict in row.conflicts]
    return ActResult(row.act, row.n_changed, row.n_already, conflicts, row.event, row.n_refused, row.reason)


def _conflict(state: ItemState, wanted_verdict: str | None, wanted_label: str | None) -> Conflict:
    return Conflict(
        item_id=state.item_id,
        label=state.label,
        verdict=state.verdict,
        annotator=state.annotator,
        event=state.event,
        wanted_label=wanted_label,
        wanted_verdict=wanted_verdict,
    )


def _said(verdict: str | None, label: str | None) -> str:
    shown = "no label" if label is None else f"`{label}`"
    return shown if verdict is None else f"{verdict.replace('_', ' ')} with {shown}"


def _refusal(problems: Sequence[_Problem], n_decisions: int) -> DecisionError:
    shown = "; ".join(str(problem) for problem in problems[:MAX_PROBLEMS_SHOWN])
    more = f"; and {len(problems) - MAX_PROBLEMS_SHOWN} more" if len(problems) > MAX_PROBLEMS_SHOWN else ""
    n_problems = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    of = "1 decision" if n_decisions == 1 else f"{n_decisions} decisions"
    return DecisionError(f"Nothing was applied: {n_problems} in {of}. {shown}{more}.")


def _did_you_mean(found: str, known: Sequence[str]) -> str:
    """The known text nearest to `found`; of very many known ones, only those that begin or end like it."""
    candidates = known
    if len(candidates) > MAX_COMPARED:
        head, tail = found[:6].lower(), found[-6:].lower()
        alike = (text for text in candidates if text[:6].lower() == head or text[-6:].lower() == tail)
        candidates = list(islice(alike, MAX_COMPARED))
    near = difflib.get_close_matches(found, candidates, n=1, cutoff=0.6)
    if near:
        return f" (did you mean {near[0]!r}?)"
    return f" (known: {', '.join(candidates)})" if len(candidates) <= MAX_PROBLEMS_SHOWN else ""


def _repeats(item_ids: Sequence[str]) -> list[str]:
    if len(set(item_ids)) == len(item_ids):
        return []
    return [item_id for item_id, n in Counter(item_ids).items() if n > 1]
