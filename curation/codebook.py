"""The codebook: how a class, or two classes that are confused, are to be labelled; a rule and exemplars for each.

Entries are appended: the newest rule holds, and exemplars are those that were added and not removed since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from curation.database import codebook_entries, reading, writing
from curation.decisions import log
from curation.free_text import checked_text
from curation.project import Project
from diagnostics.errors import DecisionError, StaleTextError

MAX_RULE = 4_000
MAX_EXEMPLARS = 12
RULE: Final = "rule"
ADD: Final = "add"
REMOVE: Final = "remove"


@dataclass(frozen=True, slots=True)
class Exemplar:
    """An item that shows how a class is meant, with the label it has now."""

    item_id: str
    label: str | None
    path: str


@dataclass(frozen=True, slots=True)
class CodebookEntry:
    """What holds for one class, or for a pair of classes in alphabetical order.

    rule, number : "" and 0 if none was written; number is the rule's, for `write_rule`
    annotator, at : who wrote the rule and when
    exemplars : at most MAX_EXEMPLARS, in the order they were added
    """

    labels: tuple[str, ...]
    rule: str = ""
    number: int = 0
    annotator: str | None = None
    at: datetime | None = None
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True, slots=True)
class _Held:
    """The fold of the rows of one entry; exemplars are item ids."""

    rule: str
    number: int
    annotator: str | None
    at: datetime | None
    exemplars: tuple[str, ...]


def read_entry(project: Project, labels: Sequence[str]) -> CodebookEntry:
    """What the codebook says of one class or of a pair, in whatever order.

    raises : DecisionError for an unknown class, or a pair of one class
    """
    key = _key(project, labels)
    with reading(project.engine) as connection:
        held = _held(connection, key)
    return _entry(project, key, held)


def write_rule(
    project: Project, labels: Sequence[str], rule: str, *, seen_number: int, annotator: str, now: datetime
) -> CodebookEntry:
    """Write the rule of a class or a pair; "" takes it away. Writing again what holds already writes nothing.

    seen_number : the number of the rule that the person saw, 0 = none
    raises : StaleTextError if another rule holds by now; DecisionError for a text or a class that is refused
    """
    key = _key(project, labels)
    rule = checked_text(rule, what="A rule", at_most=MAX_RULE)
    with writing(project.engine) as connection:
        log.take_head(connection)
        held = _held(connection, key)
        if held.rule != rule and held.number != seen_number:
            raise StaleTextError(
                f"The rule of {' and '.join(labels)} was changed meanwhile, so yours was not kept. Read it again."
            )
        if held.rule != rule:
            _append(connection, key, RULE, annotator, now, rule=rule)
    return read_entry(project, labels)


def add_exemplar(
    project: Project, labels: Sequence[str], item_id: str, *, annotator: str, now: datetime
) -> CodebookEntry:
    """Show an item as an exemplar of a class or a pair; one that is shown already stays as it is.

    raises : DecisionError for an unknown item or class, or if there are MAX_EXEMPLARS already
    """
    key = _key(project, labels)
    project.decisions.states([item_id])
    with writing(project.engine) as connection:
        log.take_head(connection)
        shown = _held(connection, key).exemplars
        if item_id not in shown and len(shown) >= MAX_EXEMPLARS:
            raise DecisionError(
                f"{' and '.join(labels)} has {len(shown)} exemplars already, which is the most. Remove one first."
            )
        if item_id not in shown:
            _append(connection, key, ADD, annotator, now, item_id=item_id)
    return read_entry(project, labels)


def remove_exemplar(
    project: Project, labels: Sequence[str], item_id: str, *, annotator: str, now: datetime
) -> CodebookEntry:
    """No longer show an item as an exemplar; one that is not shown is left.

    raises : DecisionError for an unknown class
    """
    key = _key(project, labels)
    with writing(project.engine) as connection:
        log.take_head(connection)
        if item_id in _held(connection, key).exemplars:
            _append(connection, key, REMOVE, annotator, now, item_id=item_id)
    return read_entry(project, labels)


def _key(project: Project, labels: Sequence[str]) -> tuple[str, ...]:
    """The class keys of an entry as they are stored: one, or two in alphabetical order. A rename so keeps the entry."""
    classes = project.classes
    keys = [classes.key_of(label) for label in labels]
    if strange := [label for label, key in zip(labels, keys, strict=True) if key not in classes.shown]:
        raise DecisionError(f"{strange[0]!r} is no class. The classes are: {', '.join(classes.names[:50])}.")
    if len(keys) not in (1, 2) or len(set(keys)) != len(keys):
        raise DecisionError(
            f"A codebook entry is about one class or two different ones; found {', '.join(labels) or 'none'}."
        )
    return tuple(sorted(str(key) for key in keys))


def _held(connection: Connection, key: tuple[str, ...]) -> _Held:
    first, second = (*key, "")[:2]
    columns = codebook_entries.c
    rows = connection.execute(
        sa.select(codebook_entries)
        .where(columns.first_label == first, columns.second_label == second)
        .order_by(columns.number)
    ).all()
    rules = [row for row in rows if row.kind == RULE]
    shown: dict[str, None] = {}
    for row in rows:
        if row.kind == ADD:
            shown[row.item_id] = None
        elif row.kind == REMOVE:
            shown.pop(row.item_id, None)
    if not rules:
        return _Held("", 0, None, None, tuple(shown))
    newest = rules[-1]
    return _Held(newest.rule, newest.number, newest.annotator, newest.at, tuple(shown))


def _append(
    connection: Connection,
    key: tuple[str, ...],
    kind: str,
    annotator: str,
    now: datetime,
    *,
    rule: str = "",
    item_id: str | None = None,
) -> None:
    first, second = (*key, "")[:2]
    values = {"first_label": first, "second_label": second, "kind": kind, "rule": rule, "item_id": item_id}
    connection.execute(codebook_entries.insert(), values | {"annotator": annotator, "at": now})


def _entry(project: Project, key: tuple[str, ...], held: _Held) -> CodebookEntry:
    states = project.decisions.states(held.exemplars)
    rows = project.decisions.rows_of(held.exemplars)
    paths = project.items["path"].iloc[rows].tolist()
    exemplars = tuple(
        Exemplar(item_id, states[item_id].label, path)
        for item_id, path in zip(held.exemplars, paths, strict=True)
    )
    labels = tuple(sorted(project.classes.shown[name] for name in key))
    return CodebookEntry(labels, held.rule, held.number, held.annotator, held.at, exemplars)
