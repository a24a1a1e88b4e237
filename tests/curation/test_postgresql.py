"""A project on PostgreSQL: the same as on SQLite, for several people at once, and explained when it fails.

The tests start a server of their own; they are skipped where PostgreSQL is not installed, unless
WINNOW_REQUIRE_POSTGRES=1.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from curation import database
from curation.backends import postgresql
from curation.class_list import RENAME
from curation.classes import ClassEdit, apply
from curation.codebook import read_entry, write_rule
from curation.database import metadata, open_database, reading, writing
from curation.decisions.events import Decision
from curation.migrations.upgrade import config
from curation.notes import notes_at, write_note
from curation.project import Project
from curation.rounds import close_round, rounds_table, training_items, version_now
from diagnostics.errors import ProjectError, StorageError

DEBIAN = Path("/usr/lib/postgresql")
FIRST_WITH_ICU = 150_000
PEOPLE = ("ada", "bob")
ROWS = tuple((name, "train", "cat") for name in ("b", "B", "a-1", "a_1", "ä", "Z", "z"))
PASSWORD_LINE = "host all carol all scram-sha-256\n"


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server on this machine, with the database `labels`, which ada owns."""

    port: int

    def url(self, user: str = "ada", name: str = "labels") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def run(self, *statements: str, name: str = "labels") -> list[tuple]:
        """Run statements as the superuser; the rows of the last one."""
        import psycopg

        with psycopg.connect(self.url("postgres", name), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def schemas(self) -> set[str]:
        return {row[0] for row in self.run("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'winnow%'")}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Thrown away afterwards. From version 15 on its texts sort as in English unless they are told otherwise."""
    programs = _programs()
    if programs is None and os.environ.get("WINNOW_REQUIRE_POSTGRES") != "1":
        pytest.skip("no PostgreSQL on this machine")
    assert programs is not None, "WINNOW_REQUIRE_POSTGRES=1, but there is no initdb"
    folder = Path(tempfile.mkdtemp(prefix="winnow-pg-"))
    as_user = {"user": "postgres"} if os.geteuid() == 0 else {}  # the server refuses to be run by root
    if as_user:
        shutil.chown(folder, "postgres")

    def call(program: str, *arguments: object) -> None:
        line = [programs / program, "-D", folder / "data", *arguments]
        subprocess.run(line, check=True, cwd=folder, stdout=subprocess.DEVNULL, **as_user)

    try:
        call("initdb", "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        access = folder / "data" / "pg_hba.conf"
        access.write_text(PASSWORD_LINE + access.read_text())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        call("pg_ctl", "-w", "-l", folder / "log", "-o", options, "start")
        try:
            started = Server(port)
            ((version,),) = started.run("SHOW server_version_num", name="postgres")
            sorting = "LOCALE_PROVIDER icu ICU_LOCALE 'en'" if int(version) >= FIRST_WITH_ICU else ""
            started.run(
                "CREATE ROLE ada LOGIN",
                "CREATE ROLE bob LOGIN",
                "CREATE ROLE carol LOGIN PASSWORD 'sesame'",
                f"CREATE DATABASE labels OWNER ada TEMPLATE template0 {sorting}",
                name="postgres",
            )
            yield started
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    """Where initdb and pg_ctl are: on the path, or where Debian puts them."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    found_there = (path.parent for path in DEBIAN.glob("*/bin/initdb"))
    return max(found_there, key=lambda folder: float(folder.parent.name), default=None)


@pytest.fixture
def project(make_project, server) -> Project:
    return make_project(database=server.url())


def relabel(item_id: str, label: str = "dog", **more) -> Decision:
    return Decision(item_id, "label_wrong", label, **more)


# ------------------------------------------------------------ the same as on SQLite


def work(project: Project, clock) -> list[object]:
    """Something of everything that a project keeps, and all that can be read of it afterwards."""
    store = project.decisions
    store.decide([relabel(name) for name, _, _ in ROWS], annotator="ada", now=clock())
    store.decide(
        [relabel("a-1", "fox", note="a tail")], annotator="bob", now=clock(), client_id="tab", client_seq=1
    )
    conflict = store.decide([relabel("B", "fox", expected_event=0)], annotator="bob", now=clock())
    again = store.decide([relabel("a-1", "fox")], annotator="bob", now=clock(), client_id="tab", client_seq=1)
    undone = store.undo("ada", clock())
    redone = store.redo("ada", clock())
    write_note(project, "ä", "a note", seen_number=0, annotator="ada", now=clock())
    write_rule(project, ["cat", "dog"], "ears", seen_number=0, annotator="ada", now=clock())
    apply(project, ClassEdit(RENAME, "dog", "hound"), annotator="ada", now=clock())
    store.unlock_test("ada", "typing error", clock())
    closed = close_round(project, "ada", clock())
    store.decide([Decision("Z", "bad_item")], annotator="bob", now=clock())
    version = version_now(project)
    return [
        [conflict, again, undone, redone, closed, version],
        store.state_table(),
        store.state_table(5),
        store.labels_at(store.last_event()),
        store.test_log(),
        store.all_events(),
        store.outlook("ada"),
        [store.history(name) for name, _, _ in ROWS],
        notes_at(project.engine, store.last_event()),
        read_entry(project, ["dog" if "dog" in project.classes.names else "hound", "cat"]),
        rounds_table(project),
        training_items(project, version),
    ]


def test_what_is_done_and_read_is_the_same_as_on_sqlite(make_project, server, clock):
    ticks = [clock() for _ in range(20)]
    on_file, on_server = (
        work(make_project(rows=ROWS, database=url), iter(ticks).__next__) for url in (None, server.url())
    )
    for expected, found in zip(on_file, on_server, strict=True):
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(found, expected)
        else:
            assert found == expected
    assert on_server[1]["item_id"].tolist() == sorted(name for name, _, _ in ROWS)


def test_a_dataset_is_taken_in_decided_on_and_exported_the_same(server, tmp_path, run_winnow):
    rows = "".join(f"{n % 7},{n * 3 % 5},{'ab'[n % 2]}\n" for n in range(40))
    (tmp_path / "rows.csv").write_text("height,width,label\n" + rows)
    (tmp_path / "more.csv").write_text("height,width\n" + "".join(f"{n},{n}\n" for n in range(50, 60)))
    exported = []
    for name, options in (("file", []), ("server", ["--database", server.url()])):
        made = run_winnow(
            "init", tmp_path / name, "--data", tmp_path / "rows.csv", "--unlabelled", tmp_path / "more.csv",
            "--modality", "tabular", *options, "--json",
        )  # fmt: skip
        items = Project.open(tmp_path / name).items["item_id"].tolist()
        patch = pd.DataFrame({"item_id": [items[2], items[-1]], "label": ["b", "a"]})
        patch.to_csv(tmp_path / "patch.csv", index=False)
        run_winnow("decide", tmp_path / name, "--from", tmp_path / "patch.csv", "--as", "ada")
        run_winnow("rounds", tmp_path / name, "--close", "--as", "ada")
        run_winnow("export", tmp_path / name, "--out", tmp_path / f"{name}.csv")
        exported.append(pd.read_csv(tmp_path / f"{name}.csv").drop(columns="decided_at"))
    pd.testing.assert_frame_equal(*exported)
    assert exported[0]["verdict"].value_counts().to_dict() == {"label_wrong": 1, "labelled": 1}
    place = json.loads(made.stdout)["database"]
    assert place["url"] == server.url() and place["schema"] in server.schemas()
    assert not (tmp_path / "server" / "project.db").exists()


def test_init_says_where_the_decisions_are_and_how_they_are_backed_up(server, tmp_path, run_winnow):
    (tmp_path / "rows.csv").write_text(
        "height,label\n" + "".join(f"{n % 5},{'ab'[n % 2]}\n" for n in range(20))
    )
    url = server.url() + "?connect_timeout=5&sslmode=disable"
    data = ["--data", tmp_path / "rows.csv", "--modality", "tabular"]
    told = run_winnow("init", tmp_path / "p", *data, "--database", url).stdout
    schema = Project.open(tmp_path / "p").info.database.schema
    assert f"{url}, schema {schema}." in told
    assert f"pg_dump --schema={schema} '{url}'" in told


def test_the_steps_make_exactly_the_tables_that_the_code_uses(project):
    with project.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    assert [each for each in found if "comment" not in str(each)] == []


def test_a_database_of_the_first_step_is_brought_up_to_date_and_keeps_its_events(server, now):
    place = postgresql.schema_for(server.url(), "old")
    postgresql.make_room(place, "old")
    engine = postgresql.open_engine(place)
    settings = config()
    with engine.begin() as connection:
        settings.attributes |= {"connection": connection, "now": now}
        command.upgrade(settings, "0001")
        at = now.isoformat()
        connection.exec_driver_sql(
            "INSERT INTO acts (act, kind, annotator, at, event, n_changed, n_already, conflicts)"
            f" VALUES (1, 'decide', 'ada', '{at}', 1, 1, 0, '[]')"
        )
    with reading(open_database(place, owner="old")) as connection:
        (act,) = connection.execute(sa.select(database.acts)).all()
        assert (act.annotator, act.n_refused, act.reason, act.conflicts) == ("ada", 0, "", [])
        assert connection.execute(sa.select(database.class_caps)).all() == []


def test_projects_of_one_name_share_a_database_and_no_decision(make_project, server, tmp_path, now):
    first, second = (make_project(database=server.url()) for _ in range(2))
    first.decisions.decide([relabel("a")], annotator="ada", now=now)
    assert (first.decisions.last_event(), second.decisions.last_event()) == (1, 0)


# ------------------------------------------------------------ several at once


def test_two_people_who_write_at_once_lose_nothing_and_number_without_gaps(project, server, now):
    """Each has connections of their own, as two processes have."""
    n_each, errors = 15, []
    barrier = threading.Barrier(len(PEOPLE))

    def review(person: str) -> None:
        try:
            store = Project.open(project.folder).decisions
            barrier.wait()
            for number in range(n_each):
                store.decide(
                    [relabel("a", ("dog", "fox")[number % 2]), relabel("b", ("cat", "fox")[number % 2])],
                    annotator=person,
                    now=now + timedelta(seconds=number),
                    client_id=person,
                    client_seq=number,
                )
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=review, args=(person,)) for person in PEOPLE]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    log = project.decisions.all_events()
    assert [event.event for event in log] == list(range(1, len(log) + 1))
    with reading(project.engine) as connection:
        acts = (
            connection.execute(sa.select(database.acts.c.act).order_by(database.acts.c.act)).scalars().all()
        )
    assert acts == list(range(1, n_each * len(PEOPLE) + 1))
    last = {event.item_id: event for event in log}
    assert {name: state.event for name, state in project.decisions.states(["a", "b"]).items()} == {
        name: last[name].event for name in ("a", "b")
    }


def test_everything_that_one_transaction_reads_is_of_one_moment(project, now):
    count = sa.select(sa.func.count()).select_from(database.events)
    with reading(project.engine) as connection:
        before = connection.execute(count).scalar()
        Project.open(project.folder).decisions.decide([relabel("a")], annotator="bob", now=now)
        assert connection.execute(count).scalar() == before == 0
    assert project.decisions.last_event() == 1


def test_a_writer_sees_what_the_one_before_it_wrote_also_without_taking_the_head(project, now):
    """The second waits for the first although it touches other tables, as on SQLite."""
    other, seen = Project.open(project.folder), []

    def look() -> None:
        with writing(other.engine) as connection:
            seen.append(connection.execute(sa.select(sa.func.count()).select_from(database.events)).scalar())

    with writing(project.engine) as connection:
        connection.execute(sa.select(1))
        thread = threading.Thread(target=look)
        thread.start()
        row = {"act": 1, "kind": "decide", "annotator": "ada", "at": now, "event": 1, "n_changed": 1}
        connection.execute(database.acts.insert(), row | {"n_already": 0, "conflicts": []})
        event = {"event": 1, "act": 1, "kind": "decide", "item_id": "a", "annotator": "ada", "at": now}
        connection.execute(database.events.insert(), event | {"round": 1, "queue": "", "note": ""})
        assert seen == []
    thread.join()
    assert seen == [1]


def test_one_who_has_waited_too_long_is_told_so_and_nothing_is_written(project, monkeypatch, now):
    monkeypatch.setattr(postgresql, "BUSY_TIMEOUT_MS", 50)
    late = Project.open(project.folder).decisions
    late.last_event()
    with (
        writing(project.engine),
        pytest.raises(StorageError, match=r"Nothing was saved. Another process has held it"),
    ):
        late.decide([relabel("a")], annotator="bob", now=now)
    assert late.last_event() == 0


def test_a_server_that_was_away_is_found_again(project, server, now):
    project.decisions.decide([relabel("a")], annotator="ada", now=now)
    server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'winnow'")
    assert project.decisions.last_event() == 1
    with (
        pytest.raises(StorageError, match=r"Nothing was saved. The server was shut down"),
        writing(project.engine),
    ):
        server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'winnow'")
        project.decisions.last_event()


# ------------------------------------------------------------ what is refused, and how it is told


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("labels", r"URL such as postgresql://"),
        ("mysql://ada@db/labels", r"found one of mysql"),
        ("postgresql://ada:sesame@db/labels", r"Leave the password out.*PGPASSWORD or ~/.pgpass"),
        ("postgresql://db/labels?password=sesame", r"Leave the password out"),
        ("postgresql://ada@db", r"names no database"),
        ("postgresql://ada@db:port/labels", r"URL such as postgresql://"),
    ],
)
def test_a_url_that_will_not_do_is_refused_without_repeating_a_password(url, text):
    with pytest.raises(ProjectError, match=text) as caught:
        postgresql.schema_for(url, "cats")
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "name", "text"),
    [
        ("ada", "nothing", r'"nothing" does not exist. Nothing was saved. Make the database first'),
        (
            "bob",
            "labels",
            r"on 127.0.0.1: bob may not make a schema.*GRANT CREATE ON DATABASE \"labels\" TO \"bob\"",
        ),
        ("carol", "labels", r"Put the password into PGPASSWORD or ~/.pgpass"),
        ("eve", "labels", r'role "eve" does not exist. Nothing was saved. See that'),
    ],
    ids=["no such database", "no right", "no password", "no such user"],
)
def test_a_database_that_cannot_take_a_project_is_refused_before_anything_is_read(user, name, text, server):
    with pytest.raises(ProjectError, match=text):
        database.refuse_server(server.url(user, name))


def test_a_server_that_is_away_is_told_with_its_address():
    with pytest.raises(StorageError, match=r"labels on 127.0.0.1.*refused.*See that the server runs"):
        database.refuse_server("postgresql://ada@127.0.0.1:1/labels")


def test_the_command_line_refuses_a_server_that_is_away_in_one_line(tmp_path, run_winnow):
    url = "postgresql://ada@127.0.0.1:1/labels"
    answer = run_winnow("init", tmp_path / "p", "--data", tmp_path, "--database", url, check=False)
    assert (answer.returncode, answer.stderr.count("\n")) == (1, 1)
    assert "See that the server runs" in answer.stderr


def test_a_missing_driver_is_told_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ProjectError, match=r'pip install "winnow\[postgres\]"'):
        database.refuse_server("postgresql://ada@db/labels")


def test_a_password_comes_from_the_environment_and_is_kept_nowhere(make_project, server, monkeypatch, now):
    server.run("GRANT CREATE ON DATABASE labels TO carol")
    monkeypatch.setenv("PGPASSWORD", "sesame")
    project = make_project(database=server.url("carol"))
    project.decisions.decide([relabel("a")], annotator="carol", now=now)
    assert "sesame" not in (project.folder / "project.json").read_text()
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(StorageError, match=r"Put the password into PGPASSWORD"):
        Project.open(project.folder).decisions.last_event()


def test_one_who_may_only_read_is_told_what_to_ask_for(project, server, now):
    schema = project.info.database.schema
    theirs = replace(project.info.database, url=postgresql.checked_url(server.url("bob")))
    with pytest.raises(ProjectError, match=r"may not be used by you. Ask for the right"):
        open_database(theirs, owner=project.info.owner)
    server.run(
        f"GRANT USAGE ON SCHEMA {schema} TO bob", f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO bob"
    )
    engine = open_database(theirs, owner=project.info.owner)
    with (
        pytest.raises(StorageError, match=r"permission denied.*Nothing was saved. Ask for the right"),
        writing(engine) as connection,
    ):
        connection.execute(database.rounds.delete())


def test_the_schema_of_another_project_or_none_is_refused(make_project, server):
    mine, other = (make_project(database=server.url()) for _ in range(2))
    with pytest.raises(
        ProjectError, match=rf"belongs to another project.*: Winnow project {other.info.name},"
    ):
        open_database(other.info.database, owner=mine.info.owner)
    server.run(f"DROP SCHEMA {mine.info.database.schema} CASCADE")
    with pytest.raises(ProjectError, match=r"does not exist, so.*Restore it from a backup"):
        Project.open(mine.folder).decisions.last_event()
    assert mine.info.database.schema not in server.schemas()


def test_a_failure_half_way_leaves_neither_folder_nor_schema(make_project, server, monkeypatch, tmp_path):
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    before = server.schemas()
    monkeypatch.setattr(database, "_upgrade", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_project(database=server.url())
    assert server.schemas() == before
    assert not list(tmp_path.glob("*project*"))


def test_a_project_opens_again_as_it_was_made(project, server):
    opened = Project.open(project.folder)
    assert opened.info == project.info
    assert json.loads((project.folder / "project.json").read_text())["database"] == {
        "url": server.url(),
        "schema": project.info.database.schema,
    }
