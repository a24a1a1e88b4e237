"""The log of class changes in the database: read when another change was made, appended to in a transaction."""

import threading
from collections.abc import Sequence
from dataclasses import asdict, fields

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from curation.class_list import ClassChange, ClassList, fold
from curation.database import class_changes, reading
from curation.label_kinds.kind import LabelKind
from curation.label_kinds.single import ONE_LABEL
from diagnostics.errors import ProjectError

FIELDS = tuple(field.name for field in fields(ClassChange))
_LAST = sa.select(sa.func.max(class_changes.c.number))


class ClassLog:
    """The classes of one project, now and after any change. Safe to use from several threads and processes.

    source : the classes that the source has, in order; kind : how many of them an item has
    """

    def __init__(self, engine: Engine, source: Sequence[str], kind: LabelKind = ONE_LABEL) -> None:
        self._engine = engine
        self._source = tuple(source)
        self._kind = kind
        self._known: list[ClassChange] = []
        self._lists = {0: fold(self._source, [], kind)}
        self._lock = threading.Lock()

    def now(self, connection: Connection | None = None) -> ClassList:
        """The classes as they are, as of the transaction of `connection` if one is open.

        Asks the database for the number of the last change, and for more only if there is one that is not known yet.
        """
        if connection is None:
            with reading(self._engine) as own:
                return self.now(own)
        last = connection.execute(_LAST).scalar() or 0
        return self.known_at(last, connection)

    def at(self, number: int) -> ClassList:
        """The classes after change `number`; 0 = as the source has them.

        raises : ProjectError if there is no such change
        """
        if number in self._lists:
            return self._lists[number]
        with reading(self._engine) as connection:
            last = connection.execute(_LAST).scalar() or 0
            if not 0 <= number <= last:
                raise ProjectError(
                    f"There is no class change {number}; the project has {last}. "
                    "If its database came from a backup, restore the runs from the same one."
                )
            return self.known_at(number, connection)

    def known_at(self, number: int, connection: Connection) -> ClassList:
        """The classes after change `number`, which this transaction has seen."""
        if number not in self._lists:
            found = fold(self._source, self._changes(connection, number), self._kind)
            with self._lock:
                self._lists[number] = found
        return self._lists[number]

    def changes(self, connection: Connection | None = None) -> list[ClassChange]:
        """Every change, in order."""
        if connection is None:
            with reading(self._engine) as own:
                return self.changes(own)
        return self._changes(connection, self.now(connection).number)

    def _changes(self, connection: Connection, number: int) -> list[ClassChange]:
        """The changes up to this one; those known already are not read again."""
        with self._lock:
            known = len(self._known)
            if known < number:
                columns = [class_changes.c[name] for name in FIELDS]
                newer = class_changes.c.number > known
                query = sa.select(*columns).where(newer).order_by(class_changes.c.number)
                self._known += [ClassChange(*row) for row in connection.execute(query)]
            return self._known[:number]


def append(connection: Connection, change: ClassChange) -> None:
    """Write one change; its transaction must hold the log's head, so that numbers have no gaps."""
    connection.execute(class_changes.insert(), asdict(change))
