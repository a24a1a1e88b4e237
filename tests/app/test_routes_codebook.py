"""The codebook as a browser asks for it."""

import pytest


def change(client, **body):
    return client.post("/api/codebook", json=body)


def test_a_rule_and_an_exemplar_are_read_back(client, project):
    item_id = project.items["item_id"].iloc[0]
    number = change(client, labels=["red"], rule="Like blood.", number=0).json()["number"]
    change(client, labels=["red"], add=item_id)
    entry = client.get("/api/codebook?label=red").json()
    assert (entry["labels"], entry["rule"], entry["number"], entry["annotator"]) == (
        ["red"],
        "Like blood.",
        number,
        "ada",
    )
    (exemplar,) = entry["exemplars"]
    assert (exemplar["item_id"], set(exemplar)) == (item_id, {"item_id", "label", "path"})
    assert entry["at"].endswith("+00:00")
    assert change(client, labels=["red"], remove=item_id).json()["exemplars"] == []


def test_a_pair_is_one_entry_whatever_its_order(client):
    change(client, labels=["red", "blue"], rule="Not violet.", number=0)
    assert client.get("/api/codebook?pair=blue&pair=red").json()["rule"] == "Not violet."


def test_a_rule_that_was_changed_meanwhile_answers_409_with_the_present_entry(client, bob):
    change(client, labels=["red"], rule="Like blood.", number=0)
    answer = change(bob, labels=["red"], rule="Like wine.", number=0)
    assert (answer.status_code, answer.json()["entry"]["rule"]) == (409, "Like blood.")
    assert "changed meanwhile" in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"labels": "red"},
        {"labels": ["red"]},
        {"labels": ["red"], "rule": "a"},
        {"labels": ["mauve"], "add": "a"},
    ],
)
def test_a_change_that_is_none_is_refused(client, body):
    answer = client.post("/api/codebook", json=body)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)


def test_an_unknown_class_is_refused(client):
    assert "'mauve' is no class" in client.get("/api/codebook?label=mauve").json()["error"]
