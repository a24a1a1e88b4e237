"""The project's database: its tables, and how it is opened, read and written.

SQLite by default, PostgreSQL by URL; what differs between them is in `curation.backends`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Dialect, Engine

from curation.backends import BACKENDS
from curation.backends.backend import WRITES, Backend, Place
from curation.backends.postgresql import checked_url, refuse_unusable
from curation.migrations import HEAD
from diagnostics.errors import StorageError


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware time, kept as ISO 8601 text in UTC, so that it reads and sorts the same in every database."""

    impl = sa.String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else _utc_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


@lru_cache(maxsize=256)
def _utc_text(value: datetime) -> str:
    """Cached, because all events of an act carry the same time."""
    if value.tzinfo is None:
        raise ValueError(f"Times must name their zone; found {value!r}.")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


metadata = sa.MetaData()
_upgrading = threading.Lock()  # alembic keeps the running step in module globals
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ID_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Sorts by code point in every database, as SQLite and Python do."""

log_head = sa.Table(
    "log_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("event", _NUMBER, nullable=False),
    sa.Column("act", _NUMBER, nullable=False),
    comment="One row: the last numbers given. Writers take it first, so that numbers follow the order of commits.",
)

acts = sa.Table(
    "acts",
    metadata,
    sa.Column("act", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("event", _NUMBER, nullable=False, comment="the last event once this act was written"),
    sa.Column("target", _NUMBER, comment="the act that this one undoes or does again"),
    sa.Column("undo_below", _NUMBER, comment="of a decide: the annotator's next act to undo after it"),
    sa.Column("undo_top", _NUMBER, comment="the annotator's next act to undo, once this act was written"),
    sa.Column("redo_top", _NUMBER, comment="the annotator's next act to do again, once this act was written"),
    sa.Column("n_changed", sa.Integer, nullable=False),
    sa.Column("n_already", sa.Integer, nullable=False),
    sa.Column("conflicts", sa.JSON, nullable=False),
    sa.Column(
        "n_refused",
        sa.Integer,
        nullable=False,
        server_default="0",
        comment="items that a bulk act makes no sense for",
    ),
    sa.Column("reason", sa.Text, nullable=False, server_default="", comment="why they were left"),
    sa.Column("client_id", sa.String(128)),
    sa.Column("client_seq", _NUMBER),
    sa.UniqueConstraint("client_id", "client_seq", name="uq_acts_client"),
    sa.Index("ix_acts_annotator", "annotator", "act"),
    sa.Index("ix_acts_target", "target"),
    sa.Index("ix_acts_undo_below", "undo_below"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("event", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("act", _NUMBER, sa.ForeignKey("acts.act"), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("item_id", ID_TEXT, nullable=False),
    sa.Column("verdict", sa.String(16), comment="after the event; null = no decision stands"),
    sa.Column("old_label", sa.Text),
    sa.Column("new_label", sa.Text),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("queue", sa.Text, nullable=False),
    sa.Column("rank", sa.Integer),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("stands", _NUMBER, comment="the decide event whose decision stands after this one"),
    sa.Column("previous", _NUMBER, comment="the decide event whose decision stood before"),
    sa.Column(
        "blind",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="the standing decision was made without seeing the labels or what the model says",
    ),
    sa.Index("ix_events_item", "item_id", "event"),
    sa.Index("ix_events_act", "act"),
    sa.Index("ix_events_annotator", "annotator", "kind", "event"),
)

item_states = sa.Table(
    "item_states",
    metadata,
    sa.Column("item_id", ID_TEXT, primary_key=True),
    sa.Column("event", _NUMBER, nullable=False, comment="the item's last event"),
    sa.Column("stands", _NUMBER),
    sa.Column("given_label", sa.Text),
    sa.Column("label", sa.Text),
    sa.Column("verdict", sa.String(16)),
    sa.Column("annotator", sa.Text),
    sa.Column("decided_at", UtcTime),
    sa.Column("round", sa.Integer),
    sa.Column("note", sa.Text, nullable=False),
    comment="The fold of the events, kept up to date in the transaction that appends them.",
)

test_locks = sa.Table(
    "test_locks",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("unlocked", sa.Boolean, nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    comment="Who opened the gold test set to decisions, why and when; the last row is what holds.",
)

item_notes = sa.Table(
    "item_notes",
    metadata,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("item_id", ID_TEXT, nullable=False),
    sa.Column("text", sa.Text, nullable=False, comment='"" = taken away'),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("event", _NUMBER, nullable=False, comment="the log's last event when it was written"),
    sa.Index("ix_item_notes_item", "item_id", "number"),
    comment="What people wrote about items, beside the decisions; an item's newest row is what holds.",
)

codebook_entries = sa.Table(
    "codebook_entries",
    metadata,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("first_label", sa.Text, nullable=False),
    sa.Column(
        "second_label",
        sa.Text,
        nullable=False,
        comment='of a pair, the later in the alphabet; "" = one class',
    ),
    sa.Column("kind", sa.String(8), nullable=False, comment="rule, add or remove"),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("item_id", ID_TEXT, comment="the exemplar that is added or removed"),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Index("ix_codebook_entries_labels", "first_label", "second_label", "number"),
    comment="How a class, or a pair of classes, is to be labelled: the newest rule holds, exemplars come and go.",
)

class_changes = sa.Table(
    "class_changes",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("key", sa.Text, comment="the class that is added, renamed or merged away; null for an undo"),
    sa.Column("name", sa.Text, comment="of an add or a rename: its name from then on"),
    sa.Column("into", sa.Text, comment="of a merge: the key of the class it goes into"),
    sa.Column("target", sa.Integer, comment="of an undo: the change that it takes back"),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    comment="What people made of the source's classes, see curation.class_list. Only appended to.",
)

class_caps = sa.Table(
    "class_caps",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(8), nullable=False, comment="change, or undo of the last change that stands"),
    sa.Column("key", sa.Text, nullable=False, comment="the class"),
    sa.Column("keep", sa.Integer, comment="at most so many of its train items are trained on; null = all"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    comment="How many train items of a class are trained on; a class's newest row is what holds.",
)

test_looks = sa.Table(
    "test_looks",
    metadata,
    sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("place", sa.String(32), nullable=False, comment="the page or the verb"),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    comment="Who looked at a run's results on the gold test set, where and when.",
)

rounds = sa.Table(
    "rounds",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("opened_event", _NUMBER, nullable=False),
    sa.Column("closed_at", UtcTime),
    sa.Column("closed_event", _NUMBER),
    sa.Column("closed_by", sa.Text),
    sa.Column("fingerprint", sa.String(64), comment="of the dataset version that closing fixed"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("verb", sa.String(32), nullable=False),
    sa.Column("argv", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer),
    sa.Column("process_started_at", UtcTime),
    sa.Column("heartbeat_at", UtcTime),
    sa.Column("progress", sa.JSON),
    sa.Column("run_id", sa.Text),
    sa.Column("error", sa.Text, nullable=False),
)


def place_of(path: Path) -> Place:
    """The place of an SQLite file."""
    return Place(URL.create("sqlite", database=str(path)))


def open_database(target: Path | Place, *, owner: str = "", now: datetime | None = None) -> Engine:
    """Open a database and bring its tables up to date.

    target : an SQLite file, or a place
    owner : the project that it must be of, in words, where a place can be of another one
    now : when round 1 opens, if the database is new; the present if not given
    raises : ProjectError on a network mount, for a database of a newer Winnow or of another project; StorageError for
        one that cannot be opened
    """
    place = target if isinstance(target, Place) else place_of(target)
    backend = _backend_of(place.url)
    engine = backend.open_engine(place)
    with explained(engine.url):
        backend.check_owner(engine, place, owner)
        if _revision(engine) != HEAD:
            _upgrade(engine, now or datetime.now(UTC))
    return engine


def make_database(place: Place, *, owner: str, now: datetime) -> None:
    """Make the tables of a new project; if that fails, nothing of them stays.

    raises : as `open_database`
    """
    with explained(place.url):
        _backend_of(place.url).make_room(place, owner)
    try:
        open_database(place, owner=owner, now=now).dispose()
    except BaseException:
        remove_database(place)
        raise


def remove_database(place: Place) -> None:
    """Take away a project's tables on a server. A file stays: it goes with the folder that it is in."""
    with explained(place.url):
        _backend_of(place.url).clear(place)


def refuse_server(url: str) -> None:
    """Raise if no project can be made in the PostgreSQL database of this URL now.

    raises : ProjectError for a URL that will not do, without the driver or the right to make a schema; StorageError if
        it cannot be reached or there is no such database
    """
    with explained(checked_url(url)):
        refuse_unusable(url)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes, alone; committed when the block ends, and only then is anything done.

    raises : StorageError if the database is locked, full, read-only or cannot be reached; then nothing was written
    """
    with explained(engine.url), engine.connect() as connection:
        connection.execution_options(**{WRITES: True})
        with connection.begin():
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One transaction that reads: everything inside sees the same moment."""
    with explained(engine.url), engine.connect() as connection:
        yield connection


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn what a person can put right about the database into a StorageError."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        backend = _backend_of(url)
        remedy = None if error.orig is None else backend.remedy_for(error.orig)
        if remedy is None:
            raise
        said = str(error.orig).partition("\n")[0].rstrip(".")
        raise StorageError(f"{backend.named(url)}: {said}. Nothing was saved. {remedy}") from error


def _backend_of(url: URL) -> Backend:
    return BACKENDS[url.get_backend_name()]


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return revision


def _upgrade(engine: Engine, now: datetime) -> None:
    from curation.migrations.upgrade import upgrade

    with _upgrading, writing(engine) as connection:
        upgrade(connection, now)
