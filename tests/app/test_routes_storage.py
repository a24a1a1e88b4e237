"""What the browser is told when the store cannot save: 503, so that it stops taking decisions; nothing is lost."""

import sqlite3

import pytest
import sqlalchemy as sa


def relabel(client, item_id):
    decision = {"item_id": item_id, "verdict": "label_wrong", "label": "red"}
    return client.post(
        "/api/decisions", json={"client": "tab", "acts": [{"seq": 1, "decisions": [decision]}]}
    )


@pytest.fixture
def item_id(project):
    items = project.items
    return items.loc[(items["split"] == "train") & (items["given_label"] == "blue"), "item_id"].iloc[0]


@pytest.fixture
def with_pragma(project):
    """with_pragma(statement) → every new connection of the project's database begins with it."""
    listeners = []

    def begin_with(statement):
        def listen(connection, _entry):
            connection.execute(statement)

        sa.event.listen(project.engine, "connect", listen)
        listeners.append(listen)
        project.engine.dispose()

    yield begin_with
    for listener in listeners:
        sa.event.remove(project.engine, "connect", listener)
    project.engine.dispose()


def test_a_locked_database_answers_503_and_the_same_act_is_saved_once_it_is_free(
    client, project, item_id, with_pragma
):
    assert project.decisions.last_event() == 0
    with_pragma("PRAGMA busy_timeout=20")
    holder = sqlite3.connect(project.database_path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answer = relabel(client, item_id)
    assert answer.status_code == 503
    assert "locked" in answer.json()["error"] and "Nothing was saved" in answer.json()["error"]
    holder.execute("ROLLBACK")
    holder.close()
    assert relabel(client, item_id).status_code == 200
    assert project.decisions.last_event() == 1


@pytest.mark.parametrize(
    ("pragma", "text"),
    [("PRAGMA query_only=ON", "Make the file"), ("PRAGMA max_page_count=1", "Free some space")],
    ids=["read-only", "disk full"],
)
def test_a_store_that_cannot_write_answers_503_with_what_to_do(
    client, project, item_id, with_pragma, pragma, text
):
    with sqlite3.connect(project.database_path) as connection:
        connection.execute("VACUUM")
    with_pragma(pragma)
    note = "x" * 20_000
    decision = {"item_id": item_id, "verdict": "label_wrong", "label": "red", "note": note}
    acts = [{"seq": 1, "decisions": [decision]}]
    answer = client.post("/api/decisions", json={"client": "tab", "acts": acts})
    assert (answer.status_code, text in answer.json()["error"]) == (503, True)
    assert project.decisions.last_event() == 0
    assert client.get("/api/page?run=run-0001").status_code == 200


def test_what_was_sent_wrongly_stays_400(client):
    assert client.get("/api/page?run=run-9999").status_code == 400
