"""What is sent of an item that a person is to decide blind: nothing that tells its label or what the model says."""

import json

import pytest

QUERY = "run=run-0001&blind=0.5&size=60"


@pytest.fixture
def page(client):
    return client.get(f"/api/page?{QUERY}").json()["items"]


def blind_places(items):
    return [place for place, blind in enumerate(items["blind"]) if blind]


def test_a_blind_item_comes_without_anything_that_tells(page):
    places = blind_places(page)
    assert 0 < len(places) < 18
    told = {
        name: {json.dumps(page[name][place]) for place in places}
        for name in page
        if name not in ("item_id", "rank", "split", "event")
    }
    nothing = (
        "path", "kind", "given_label", "predicted_label", "p_given", "p_predicted", "second_label", "p_second",
        "label", "top", "verdict", "annotator",
    )  # fmt: skip
    assert {name: told[name] for name in nothing} == {name: {"null"} for name in nothing}
    assert (told["reason"], told["note"], told["status"]) == ({'""'}, {'""'}, {'"kept"'})


def test_the_other_items_come_in_full(page):
    shown = [place for place, blind in enumerate(page["blind"]) if not blind]
    assert all(page[name][place] for name in ("path", "label", "top", "reason") for place in shown)


def test_without_a_blind_share_nothing_is_hidden(client):
    assert not any(client.get("/api/page?run=run-0001").json()["items"]["blind"])


def test_an_item_is_shown_once_it_is_decided(client, page):
    item_id = page["item_id"][blind_places(page)[0]]
    decision = {"item_id": item_id, "verdict": "label_wrong", "label": "red", "blind": True}
    client.post("/api/decisions", json={"client": "tab", "acts": [{"seq": 1, "decisions": [decision]}]})
    items = client.get(f"/api/page?{QUERY}").json()["items"]
    place = items["item_id"].index(item_id)
    assert (items["blind"][place], items["label"][place]) == (False, "red")


def test_what_others_decide_about_a_hidden_item_is_not_told(client, bob, page):
    place = blind_places(page)[0]
    item_id = page["item_id"][place]
    decision = {"item_id": item_id, "verdict": "bad_item"}
    bob.post("/api/decisions", json={"client": "bobs", "acts": [{"seq": 1, "decisions": [decision]}]})
    items = client.get(f"/api/page?{QUERY}").json()["items"]
    assert [items[name][place] for name in ("verdict", "status", "annotator", "event")] == [
        None,
        "kept",
        None,
        1,
    ]
    assert client.get(f"/api/changes?{QUERY}&since=0").json()["states"] == {}


def test_the_details_of_a_hidden_item_are_refused_until_it_is_decided(client, page):
    item_id = page["item_id"][blind_places(page)[0]]
    answer = client.get("/api/item", params={"run": "run-0001", "id": item_id, "blind": "0.5"})
    assert (answer.status_code, "Decide it first" in answer.json()["error"]) == (403, True)


def test_a_choice_for_the_whole_queue_leaves_hidden_items(client, page):
    n_blind = len(blind_places(page))
    preview = client.get(f"/api/bulk?{QUERY}&choice=exclude").json()
    assert (preview["n_refused"], preview["n_change"]) == (n_blind, 18 - n_blind)
    bulk = {"query": "run=run-0001&blind=0.5", "choice": "exclude", "expected_n": 18}
    acts = [{"seq": 1, "queue": "all", "bulk": bulk}]
    (result,) = client.post("/api/decisions", json={"client": "tab", "acts": acts}).json()["results"]
    assert (result["n_refused"], result["n_changed"]) == (n_blind, 18 - n_blind)
