"""What the grid is told of texts."""

import json
import shutil

import pytest

from app import context
from curation.project import Project


@pytest.fixture
def project(text_folder, tmp_path, monkeypatch) -> Project:
    shutil.copytree(text_folder, tmp_path / "project")
    monkeypatch.setenv(context.PROJECT_VARIABLE, str(tmp_path / "project"))
    return context.current_project()


def cards_of(client, ids, **params):
    return client.get("/api/cards", params={"run": "run-0001", "ids": json.dumps(ids)} | params)


def test_cards_come_in_the_order_asked_for_with_their_marks(client, project):
    stop, send = cards_of(client, ["03", "02"]).json()
    assert stop["text"] == "stop me my card 1"
    assert send == {
        "text": "send me my card 1", "cut": False, "marks": [[0, 4, 1.0]], "about": "send", "say_about": False,
        "run_id": "run-0001", "blind": False,
    }  # fmt: skip


def test_a_long_text_is_cut_unless_the_whole_is_asked_for(client, project):
    (cut,) = cards_of(client, ["00"]).json()
    (whole,) = cards_of(client, ["00"], whole="1").json()
    assert (cut["cut"], cut["text"][-1], whole["cut"]) == (True, "…", False)
    assert whole["text"].startswith(cut["text"][:-1])


def test_an_item_to_be_decided_blind_has_no_marks_until_it_is_decided(client, project):
    ids = project.items["item_id"].tolist()[:1]
    (card,) = cards_of(client, ids, blind="1").json()
    assert (card["marks"], card["about"], card["blind"]) == (None, None, True)
    decision = {"item_id": ids[0], "verdict": "label_right", "blind": True}
    client.post("/api/decisions", json={"client": "tab", "acts": [{"seq": 1, "decisions": [decision]}]})
    assert cards_of(client, ids, blind="1").json()[0]["marks"] == [[0, 4, 1.0]]


@pytest.mark.parametrize(("ids", "status"), [(["nobody"], 400), ("a", 400), ([1], 400), (["a"] * 301, 400)])
def test_what_is_no_list_of_known_items_is_refused(client, ids, status):
    answer = cards_of(client, ids)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_cards_need_a_token(client):
    assert client.get("/api/cards?run=run-0001&ids=[]", headers={"Authorization": ""}).status_code == 401
