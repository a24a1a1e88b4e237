"""One item in full and notes, as a browser asks for them."""

import pytest

from app import context


@pytest.fixture
def item_id(project):
    return project.items.loc[project.items["split"] == "train", "item_id"].iloc[0]


def note(client, item_id, text, number=0):
    return client.post("/api/note", json={"id": item_id, "text": text, "number": number})


def details(client, item_id):
    return client.get("/api/item", params={"run": "run-0001", "id": item_id}).json()


def test_an_item_is_told_in_full(client, project, item_id):
    note(client, item_id, "blurred")
    found = details(client, item_id)
    assert set(found) == {
        "item_id", "path", "split", "given_label", "label", "predicted_label", "probabilities",
        "similar", "history", "note", "note_number",
    }  # fmt: skip
    assert (found["width"], found["height"], found["note"]) == (16, 12, "blurred")
    assert sorted(name for name, _ in found["probabilities"]) == sorted(project.task.classes)
    assert found["history"][0]["at"].endswith("+00:00")


def test_an_unknown_item_is_a_clear_error(client):
    answer = client.get("/api/item", params={"run": "run-0001", "id": "nobody"})
    assert (answer.status_code, "nobody: no such item" in answer.json()["error"]) == (400, True)


def test_a_note_is_shown_on_the_page_and_in_changes(client, project, item_id):
    number = note(client, item_id, "blurred").json()["number"]
    items = client.get("/api/page?run=run-0001").json()["items"]
    place = items["item_id"].index(item_id)
    assert (items["note"][place], items["note_number"][place]) == ("blurred", number)
    assert set(items["note"]) == {"blurred", ""}
    decision = {"item_id": item_id, "verdict": "ambiguous"}
    client.post("/api/decisions", json={"client": "tab", "acts": [{"seq": 1, "decisions": [decision]}]})
    state = client.get("/api/changes?run=run-0001&since=0").json()["states"][item_id]
    assert (state["note"], state["note_number"], state["verdict"]) == ("blurred", number, "ambiguous")


def test_a_note_that_was_changed_meanwhile_answers_409_with_the_present_one(client, bob, item_id):
    number = note(client, item_id, "blurred").json()["number"]
    answer = note(bob, item_id, "sharp")
    assert (answer.status_code, answer.json()["note"], answer.json()["number"]) == (409, "blurred", number)
    assert "changed meanwhile" in answer.json()["error"]
    assert note(bob, item_id, "sharp", number).json()["note"] == "sharp"


def test_a_note_that_is_sent_again_is_kept_once(client, item_id):
    assert note(client, item_id, "blurred").json() == note(client, item_id, "blurred").json()
    assert len(details(client, item_id)["history"]) == 1


@pytest.mark.parametrize(
    "body", [{}, {"id": "a", "text": 1, "number": 0}, {"id": "a", "text": "b", "number": True}, []]
)
def test_a_note_that_is_none_is_refused(client, body):
    assert client.post("/api/note", json=body).status_code == 400


def test_a_note_with_control_characters_is_refused(client, item_id):
    answer = note(client, item_id, "a\x07b")
    assert (answer.status_code, "control character" in answer.json()["error"]) == (400, True)
    assert context.current_project().decisions.last_event() == 0
