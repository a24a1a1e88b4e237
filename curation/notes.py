"""Notes: what people write about items beside their decisions. Rows are appended; an item's newest one holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from curation.database import item_notes, reading, writing
from curation.decisions import log
from curation.free_text import checked_text
from curation.project import Project
from diagnostics.errors import StaleTextError

MAX_NOTE = 2_000


@dataclass(frozen=True, slots=True)
class Note:
    """A note on an item; "" says that an earlier one was taken away. `event` is the log's last event at that time."""

    number: int
    item_id: str
    text: str
    annotator: str
    at: datetime
    event: int


_COLUMNS = [item_notes.c[name] for name in Note.__slots__]
_NEWEST = sa.select(*_COLUMNS).where(
    item_notes.c.number.in_(
        sa.select(sa.func.max(item_notes.c.number))
        .where(item_notes.c.item_id.in_(sa.bindparam("item_ids", expanding=True)))
        .group_by(item_notes.c.item_id)
    )
)


def write_note(
    project: Project, item_id: str, text: str, *, seen_number: int, annotator: str, now: datetime
) -> Note:
    """Put a note on an item, or take it away with "". Writing again what holds already writes nothing.

    seen_number : the number of the note that the person saw, 0 = none
    returns : the note that holds, once it is committed
    raises : StaleTextError if another note holds by now; DecisionError for an unknown item or a text that is refused
    """
    text = checked_text(text, what="A note", at_most=MAX_NOTE)
    project.decisions.states([item_id])
    with writing(project.engine) as connection:
        event = log.take_head(connection).event
        present = _newest(connection, [item_id]).get(item_id)
        if (present.text if present else "") == text:
            return present or Note(0, item_id, "", annotator, now, event)
        if (present.number if present else 0) != seen_number:
            raise StaleTextError(
                f"{item_id}: its note was changed meanwhile, so yours was not kept. Read it again."
            )
        values = {"item_id": item_id, "text": text, "annotator": annotator, "at": now, "event": event}
        written = item_notes.insert().values(values).returning(item_notes.c.number)
        number = connection.execute(written).scalar_one()
    return Note(number, item_id, text, annotator, now, event)


def read_notes(engine: Engine, item_ids: Iterable[str]) -> dict[str, Note]:
    """The notes that hold on those of the items that ever had one; the text is "" where it was taken away."""
    with reading(engine) as connection:
        return _newest(connection, item_ids)


def note_history(engine: Engine, item_id: str) -> list[Note]:
    """Every note that an item had, oldest first."""
    query = sa.select(*_COLUMNS).where(item_notes.c.item_id == item_id).order_by(item_notes.c.number)
    with reading(engine) as connection:
        return [Note(*row) for row in connection.execute(query)]


def notes_at(engine: Engine, event: int) -> dict[str, str]:
    """The text of every item's note as it was after an event, where there was one."""
    newest = (
        sa.select(sa.func.max(item_notes.c.number))
        .where(item_notes.c.event <= event)
        .group_by(item_notes.c.item_id)
    )
    query = sa.select(item_notes.c.item_id, item_notes.c.text).where(item_notes.c.number.in_(newest))
    with reading(engine) as connection:
        return {row.item_id: row.text for row in connection.execute(query) if row.text}


def _newest(connection: Connection, item_ids: Iterable[str]) -> dict[str, Note]:
    found = (
        Note(*row)
        for chunk in log.chunks(item_ids)
        for row in connection.execute(_NEWEST, {"item_ids": chunk})
    )
    return {note.item_id: note for note in found}
