"""PostgreSQL by URL: each project's tables are in a schema of their own, so that projects can share a database.

The driver, psycopg, is the extra `postgres`. What a URL does not say comes from where every PostgreSQL client looks
for it: the password from PGPASSWORD or ~/.pgpass, the rest from PGHOST, PGUSER and the like.
"""

import re
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from curation.backends.backend import BUSY_TIMEOUT_MS, LOCKED_REMEDY, WRITES, Backend, Place
from diagnostics.errors import ProjectError

BACKEND, DRIVER = "postgresql", "postgresql+psycopg"
ACCEPTED = (BACKEND, "postgres", DRIVER)
EXAMPLE = "postgresql://user@host/database"
CONNECT_TIMEOUT_S = 10
SILENT_SERVER_MS = 30_000
MAX_NAME_IN_SCHEMA = 40

ALONE_AND_LATEST = (
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "
    "SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 0))"
)
"""How a transaction that writes begins: it waits for the project's other writers, then sees what they have written."""

REMEDIES = {
    "55P03": LOCKED_REMEDY,
    "53100": "Free some space on the server's disk, then try again.",
    "53300": "The server has no connection left; close others, or raise its max_connections.",
    "42501": "Ask for the right to it: CREATE on the database to make a project; to work on one, USAGE on its schema "
    "and ALL on the tables and sequences in it.",
    "25006": "The server takes no writes: it is a standby or set to read only. Give the one that does.",
    "57P01": "The server was shut down or restarted; try again once it is there.",
    "57P02": "The server broke down; try again once it is there.",
    "57P03": "The server is starting or stopping; try again in a moment.",
    "42P01": "A table is missing from the project's schema; restore it from a backup.",
}
"""By SQLSTATE, see the appendix "PostgreSQL Error Codes" of the PostgreSQL manual."""

CONNECTING = ("connect", "resolve host", "closed the")
NOT_CONNECTED = (
    ('database "', "Make the database first, for example with createdb, or correct the URL."),
    ("password", "Put the password into PGPASSWORD or ~/.pgpass (host:port:database:user:password)."),
    ("invalid connection option", "Correct what stands behind the ? of the URL."),
)
UNREACHABLE = "See that the server runs and can be reached from here, and that host, port and user are right."


def schema_for(url: str, project: str) -> Place:
    """A place for the tables of a new project, that no other one has.

    url : postgresql://user@host/database, as a person gives it; project : the project's name
    raises : ProjectError for a URL of something else, with a password, or without a database
    """
    words = re.sub(r"[^a-z0-9]+", "_", project.lower()).strip("_")[:MAX_NAME_IN_SCHEMA]
    return Place(checked_url(url), f"winnow_{words or 'project'}_{uuid.uuid4().hex[:8]}")


def checked_url(url: str) -> URL:
    """The URL of a PostgreSQL database as a project keeps it.

    >>> checked_url("postgres://ada@db.example/labels")
    postgresql://ada@db.example/labels
    """
    try:
        found = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ProjectError(f"The database is given as a URL such as {EXAMPLE}.") from None
    if found.drivername not in ACCEPTED:
        raise ProjectError(
            f"The database is given as a URL such as {EXAMPLE}; found one of {found.drivername}. Without one, "
            "decisions are kept in an SQLite file in the project's folder."
        )
    if found.password is not None or "password" in found.query:
        raise ProjectError(
            "Leave the password out of the URL, which is kept in project.json. Put it into PGPASSWORD or ~/.pgpass "
            "(host:port:database:user:password), for every process that opens the project."
        )
    if not found.database:
        raise ProjectError(f"The URL names no database. It is given as {EXAMPLE}.")
    return found.set(drivername=BACKEND)


def open_engine(place: Place) -> Engine:
    """The engine of a schema; a transaction sees one moment, and a connection that the server dropped is replaced.

    raises : ProjectError if the driver is not installed
    """
    url = place.url.set(drivername=DRIVER)
    try:
        engine = sa.create_engine(
            url,
            isolation_level="REPEATABLE READ",
            pool_pre_ping=True,
            connect_args=_connect_args(url),
        )
    except ImportError as error:
        raise ProjectError(
            f'PostgreSQL needs the package psycopg ({error}). Install it with: pip install "winnow[postgres]"'
        ) from error
    sa.event.listen(engine, "connect", _settings_of(place), insert=True)
    sa.event.listen(engine, "begin", _begin)
    return engine


def make_room(place: Place, owner: str) -> None:
    """Make the schema of a new project."""
    engine = open_engine(place)
    try:
        with engine.begin() as connection:
            schema = _quoted(place.schema)
            connection.execute(sa.schema.CreateSchema(place.schema))
            connection.exec_driver_sql(f"COMMENT ON SCHEMA {schema} IS {_literal(owner)}")
    finally:
        engine.dispose()


def check_owner(engine: Engine, place: Place, owner: str) -> None:
    """Raise ProjectError unless the schema is there, is of this project, and may be used."""
    query = sa.text(
        "SELECT obj_description(oid, 'pg_namespace'), has_schema_privilege(oid, 'USAGE') "
        "FROM pg_namespace WHERE nspname = :schema"
    )
    with engine.connect() as connection:
        found = connection.execute(query, {"schema": place.schema}).one_or_none()
    where = f"{_named(engine.url)}, schema {place.schema},"
    if found is None:
        raise ProjectError(
            f"{where} does not exist, so the project's decisions are not there. Restore it from a backup, or correct "
            "database in project.json."
        )
    marked, may_use = found
    if marked != owner:
        raise ProjectError(
            f"{where} belongs to another project. It is marked: {marked}. Expected: {owner}. "
            "Correct database in project.json."
        )
    if not may_use:
        raise ProjectError(f"{where} may not be used by you. {REMEDIES['42501']}")


def clear(place: Place) -> None:
    """Drop the schema and all that is in it."""
    engine = open_engine(place)
    try:
        with engine.begin() as connection:
            connection.execute(sa.schema.DropSchema(place.schema, cascade=True, if_exists=True))
    finally:
        engine.dispose()


def refuse_unusable(url: str) -> None:
    """Raise unless a project can be made in this database now.

    raises : ProjectError as `schema_for` and `open_engine`, or if the right to make a schema is missing; DBAPIError if
        it cannot be reached
    """
    engine = open_engine(Place(checked_url(url)))
    query = "SELECT current_user, has_database_privilege(current_database(), 'CREATE')"
    try:
        with engine.connect() as connection:
            user, may_create = connection.exec_driver_sql(query).one()
    finally:
        engine.dispose()
    if not may_create:
        database = _quoted(str(engine.url.database))
        raise ProjectError(
            f"{_named(engine.url)}: {user} may not make a schema in it. Let its owner run: "
            f"GRANT CREATE ON DATABASE {database} TO {_quoted(user)}"
        )


def remedy_for(error: BaseException) -> str | None:
    """What to do about an error of the driver, None if it is not one that a person can put right.

    >>> remedy_for(OSError('connection failed: FATAL: database "labels" does not exist'))
    'Make the database first, for example with createdb, or correct the URL.'
    """
    if known := REMEDIES.get(getattr(error, "sqlstate", None) or ""):
        return known
    text = str(error).lower()
    if not any(part in text for part in CONNECTING):
        return None
    return next((remedy for part, remedy in NOT_CONNECTED if part in text), UNREACHABLE)


def _connect_args(url: URL) -> dict[str, Any]:
    """How to connect, as far as the URL does not say it: give up on a server that does not answer."""
    wanted = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": SILENT_SERVER_MS,
        "application_name": "winnow",
    }
    return {name: value for name, value in wanted.items() if name not in url.query}


def _settings_of(place: Place) -> Any:
    """What every new connection begins with, before SQLAlchemy asks which schema is the present one."""

    def set_up(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.autocommit = True
        with connection.cursor() as cursor:
            if place.schema:
                cursor.execute("SELECT set_config('search_path', %s, false)", (_quoted(place.schema),))
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", (str(BUSY_TIMEOUT_MS),))
        connection.autocommit = False

    return set_up


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get(WRITES, False):
        connection.exec_driver_sql(ALONE_AND_LATEST)


def _named(url: URL) -> str:
    return f"PostgreSQL database {url.database}" + (f" on {url.host}" if url.host else "")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


POSTGRESQL = Backend(
    name=BACKEND,
    open_engine=open_engine,
    make_room=make_room,
    check_owner=check_owner,
    clear=clear,
    named=_named,
    remedy_for=remedy_for,
)
