"""What the grid asks and sends for items with several labels."""

import shutil

import pytest

from app import context


@pytest.fixture
def project(set_folder, tmp_path, monkeypatch):
    """The project that `client` talks to."""
    shutil.copytree(set_folder, tmp_path / "project")
    monkeypatch.setenv(context.PROJECT_VARIABLE, str(tmp_path / "project"))
    return context.current_project()


def items_of(client, query: str) -> dict[str, dict]:
    columns = client.get(f"/api/page?run=run-0001&{query}").json()["items"]
    return {
        item_id: {name: column[row] for name, column in columns.items()}
        for row, item_id in enumerate(columns["item_id"])
    }


def test_a_page_tells_sets_as_texts_and_which_label_is_suspect(client):
    items = items_of(client, "split=train")
    told = {
        item_id: [
            items[item_id][name] for name in ("given_label", "predicted_label", "suspect", "suspect_label")
        ]
        for item_id in ("00", "01", "02")
    }
    assert told["00"] == ["(none)", "(none)", "", None]
    assert told["01"] == ["(none)", "late", "missing", "late"]
    assert told["02"] == ["paid|torn", "paid", "superfluous", "torn"]


def test_a_blind_item_does_not_tell_what_is_suspect(client):
    items = items_of(client, "split=train&blind=1")
    assert {(each["suspect"], each["suspect_label"], each["given_label"]) for each in items.values()} == {
        ("", None, None)
    }


def test_toggling_is_a_decision_for_a_text_and_back_to_the_given_one_a_confirmation(client, project):
    for seq, label in enumerate(("late", "(none)"), 1):
        decision = {"item_id": "01", "verdict": "label_wrong", "label": label}
        body = {"client": "tab", "acts": [{"seq": seq, "queue": "q", "decisions": [decision]}]}
        answer = client.post("/api/decisions", json=body).json()
        assert answer["states"]["01"]["label"] == label
    assert answer["states"]["01"]["verdict"] == "label_right"


def test_a_class_is_added_to_everything_in_a_filter_that_lacks_it(client, project):
    query = "run=run-0001&split=train"
    lacking = [
        item_id for item_id, each in items_of(client, "split=train").items() if "torn" not in each["label"]
    ]
    preview = client.get(f"/api/bulk?{query}&choice=add&label=torn").json()
    assert (preview["n"], preview["n_change"], preview["n_refused"]) == (12, len(lacking), 12 - len(lacking))
    bulk = {"query": query, "choice": "add", "label": "torn", "expected_n": 12}
    client.post("/api/decisions", json={"client": "tab", "acts": [{"seq": 1, "queue": "q", "bulk": bulk}]})
    states = project.decisions.states(list(items_of(client, "split=train")))
    assert all("torn" in state.label for state in states.values())
    assert {item_id for item_id, state in states.items() if state.verdict} == set(lacking)
