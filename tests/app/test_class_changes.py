"""What pages and routes do when the classes change under them."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import context
from app.queue_link import query_of
from app.routes import make_routes
from app.tokens import sign
from curation.class_list import ClassEdit
from curation.classes import apply
from curation.queues import QueueQuery
from diagnostics.errors import ProjectError

CLASSES = ("blue", "green", "red")


@pytest.fixture
def client(project):
    token = sign(context.project_key(), "ada", secret=context.TOKEN_SECRET, now=context.now())
    headers = {"Authorization": f"Bearer {token}", "Origin": "http://testserver"}
    return TestClient(Starlette(routes=make_routes()), headers=headers)


def change(project, *what):
    return apply(project, ClassEdit(*what), annotator="ada", now=context.now())


def test_a_page_of_a_queue_that_was_open_shows_the_new_name_in_the_old_order(client, project):
    before = client.get("/api/page?run=run-0001&page=1&size=18").json()["items"]
    change(project, "rename", "red", "<img onerror=alert(1) src=x>")
    after = client.get("/api/page?run=run-0001&page=1&size=18").json()["items"]
    assert after["item_id"] == before["item_id"]
    renamed = {"red": "<img onerror=alert(1) src=x>"}
    for name in ("given_label", "predicted_label", "second_label", "label"):
        assert after[name] == [renamed.get(label, label) for label in before[name]]


def test_a_page_filtered_by_a_class_goes_on_after_its_rename(client, project):
    before = client.get("/api/page?run=run-0001&given=red").json()["items"]["item_id"]
    change(project, "rename", "red", "crimson")
    for name in ("red", "crimson"):
        assert client.get(f"/api/page?run=run-0001&given={name}").json()["items"]["item_id"] == before


def test_a_decision_from_a_page_that_shows_the_old_name_is_taken(client, project):
    item_id = project.items.query("split == 'train' and given_label == 'blue'")["item_id"].iloc[0]
    change(project, "rename", "red", "crimson")
    decision = {"item_id": item_id, "verdict": "label_wrong", "label": "red", "expected_event": 0}
    answer = client.post(
        "/api/decisions", json={"client": "tab", "acts": [{"seq": 1, "queue": "", "decisions": [decision]}]}
    )
    assert answer.json()["states"][item_id]["label"] == "crimson"


def test_a_link_to_a_pair_that_was_merged_shows_all_pairs():
    params = {"pair": ["blue", "red"], "predicted": ["blue"]}
    assert query_of(params, run_id="r", classes=CLASSES).pair == ("blue", "red")
    merged = query_of(params, run_id="r", classes=("green", "red"), former={"blue": "red"})
    assert merged == QueueQuery(run_id="r", predicted="red")


def test_a_link_that_names_one_class_twice_is_refused_when_it_is_opened(project):
    query = query_of({"pair": ["red", "red"]}, run_id="run-0001", classes=CLASSES)
    with pytest.raises(ProjectError, match="'red' twice"):
        context.open_view(query)
