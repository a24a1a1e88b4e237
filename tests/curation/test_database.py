"""Opening a database: made up to date once, refused on network mounts, explained when it fails."""

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from curation import database
from curation.backends import sqlite
from curation.backends.sqlite import network_filesystem, remedy_for
from curation.database import metadata, open_database, reading, writing
from curation.migrations import HEAD
from curation.migrations.upgrade import config
from diagnostics.errors import ProjectError

MOUNTS = [("/", "ext4"), ("/home", "nfs4"), ("/home/ada/local", "xfs"), ("/mnt/nas", "cifs")]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/p/project.db", None),
        ("/home/bob/p/project.db", "nfs4"),
        ("/home/ada/local/p/project.db", None),
        ("/mnt/nas/project.db", "cifs"),
        ("/mnt/nas2/project.db", None),
        ("/homework/project.db", None),
    ],
)
def test_a_network_mount_is_known_by_the_longest_mount_point(path, kind):
    assert network_filesystem(Path(path), MOUNTS) == kind


def test_a_database_on_a_network_mount_is_refused_and_postgresql_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "network_filesystem", lambda path, mounts: "nfs4")
    with pytest.raises(ProjectError, match=r"network mount \(nfs4\).*PostgreSQL"):
        open_database(tmp_path / "project.db")
    assert list(tmp_path.iterdir()) == []


def test_a_new_database_has_round_1_open_and_no_events(tmp_path, now):
    engine = open_database(tmp_path / "project.db", now=now)
    with reading(engine) as connection:
        (row,) = connection.execute(sa.select(database.rounds)).all()
    assert (row.number, row.opened_at, row.opened_event, row.closed_event) == (1, now, 0, None)


@pytest.mark.parametrize("name", ["what?x=1", "a%20b", "a#b@c:d", "two words"])
def test_a_folder_may_have_any_name(name, tmp_path):
    (tmp_path / name).mkdir()
    open_database(tmp_path / name / "project.db")
    assert (tmp_path / name / "project.db").is_file()


def test_the_pragmas_hold_on_every_connection(tmp_path):
    engine = open_database(tmp_path / "project.db")
    with reading(engine) as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 10_000, "foreign_keys": 1}


def test_the_steps_make_exactly_the_tables_that_the_code_uses(tmp_path):
    engine = open_database(tmp_path / "project.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_step_is_the_one_that_opening_expects():
    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


def test_a_database_of_the_first_step_is_brought_up_to_date_and_keeps_its_events(tmp_path, now):
    path = tmp_path / "project.db"
    _make_at_first_step(path, now)
    engine = open_database(path)
    with reading(engine) as connection:
        (event,) = connection.execute(sa.select(database.events)).all()
        (act,) = connection.execute(sa.select(database.acts)).all()
        (state,) = connection.execute(sa.select(database.item_states)).all()
        notes = connection.execute(sa.select(database.item_notes)).all()
    assert (event.item_id, event.new_label, event.annotator, event.blind) == ("a", "dog", "ada", False)
    assert (act.n_changed, act.n_refused, act.reason) == (1, 0, "")
    assert (state.label, state.event, notes) == ("dog", 1, [])


def _make_at_first_step(path, now):
    """A database as the first step made it, with one decision in it."""
    settings = config()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        settings.attributes |= {"connection": connection, "now": now}
        command.upgrade(settings, "0001")
        at = now.isoformat()
        for statement in (
            "INSERT INTO acts (act, kind, annotator, at, event, n_changed, n_already, conflicts)"
            f" VALUES (1, 'decide', 'ada', '{at}', 1, 1, 0, '[]')",
            "INSERT INTO events (event, act, kind, item_id, verdict, old_label, new_label, annotator, at,"
            " round, queue, note, stands)"
            f" VALUES (1, 1, 'decide', 'a', 'label_wrong', 'cat', 'dog', 'ada', '{at}', 1, '', '', 1)",
            "INSERT INTO item_states (item_id, event, stands, given_label, label, verdict, annotator, decided_at,"
            f" round, note) VALUES ('a', 1, 1, 'cat', 'dog', 'label_wrong', 'ada', '{at}', 1, '')",
            "UPDATE log_head SET event = 1, act = 1",
        ):
            connection.execute(sa.text(statement))
    engine.dispose()


def test_a_database_of_a_newer_winnow_is_refused(tmp_path):
    engine = open_database(tmp_path / "project.db")
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ProjectError, match="newer Winnow"):
        open_database(tmp_path / "project.db")


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path):
    (tmp_path / "project.db").write_bytes(b"no database at all, but long enough to be one" * 100)
    with pytest.raises(ProjectError, match="damaged or is no SQLite file"):
        open_database(tmp_path / "project.db")


def test_two_openings_at_once_make_the_tables_once(tmp_path):
    errors = []

    def make():
        try:
            open_database(tmp_path / "project.db")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_errors_that_a_person_cannot_put_right_stay_as_they_are():
    assert remedy_for(sqlite3.OperationalError("no such table: events")) is None
