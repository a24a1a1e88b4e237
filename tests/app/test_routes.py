import json
import struct
import time

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import context
from app.grid import assets_url
from app.routes import MAX_BODY_BYTES, make_routes
from app.tokens import sign
from curation.run_removal import remove_run


def decide(client, item_id, verdict="label_wrong", label="red", *, seq=1, **more):
    decision = {"item_id": item_id, "verdict": verdict, "label": label} | more
    act = {"seq": seq, "queue": "test", "decisions": [decision]}
    return client.post("/api/decisions", json={"client": "tab", "acts": [act]})


def item_of(project, split, label=None):
    items = project.items[project.items["split"] == split]
    return (items if label is None else items[items["given_label"] == label])["item_id"].iloc[0]


def test_a_page_has_the_most_suspect_items_first(client, project):
    page = client.get("/api/page?run=run-0001&by=loss&page=1&size=5").json()
    losses = [-p for p in page["items"]["p_given"]]
    assert losses == sorted(losses, reverse=True)
    assert (page["total"], page["n_pages"], len(page["items"]["item_id"])) == (18, 4, 5)


def test_a_page_beyond_the_last_is_the_last(client):
    assert client.get("/api/page?run=run-0001&page=99&size=5").json()["page"] == 4


def test_a_quick_round_is_started_once_and_its_failure_told_with_the_changes(client, project):
    def news():
        url = "/api/changes?run=run-0001&page=1&size=5&since=0"
        return client.get(url).json()["news"]

    assert (news()["job"], news()["problem"]) == ("", "")
    assert client.post("/api/quick_round", json={}).json() == {"job": "job-0001"}
    assert news()["job"]
    assert "one at a time" in client.post("/api/quick_round", json={}).json()["error"]
    until = time.monotonic() + 120
    while news()["job"]:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert "could not be updated" in news()["problem"], "a run without weights has no features to give"


def test_thumbnails_come_in_one_answer_in_the_order_asked_for(client, project):
    ids = project.items["item_id"].iloc[[3, 1]].tolist()
    data = client.get("/api/thumbs", params={"ids": json.dumps(ids)}).content
    count, first, second = struct.unpack("<3I", data[:12])
    assert count == 2
    assert len(data) == 12 + first + second
    assert data[12:14] == b"\xff\xd8"


def test_the_full_picture_is_the_file_itself(client, project):
    item_id = project.items["item_id"].iloc[0]
    answer = client.get("/api/image", params={"id": item_id})
    assert answer.content == project.read_image(item_id)
    assert answer.headers["content-type"] == "image/png"


def test_a_decision_is_committed_and_the_answer_is_its_state(client, project):
    item_id = item_of(project, "train", "blue")
    state = decide(client, item_id).json()["states"][item_id]
    assert (state["status"], state["label"], state["annotator"]) == ("relabelled", "red", "ada")
    assert project.decisions.states([item_id])[item_id].label == "red"


def test_an_act_that_is_sent_again_is_applied_once(client, project):
    item_id = item_of(project, "train", "blue")
    decide(client, item_id, seq=7)
    decide(client, item_id, seq=7)
    assert project.decisions.last_event() == 1


def test_a_refused_act_says_why_and_the_next_one_is_applied(client, project):
    item_id = item_of(project, "train", "blue")
    acts = [
        {"seq": 1, "decisions": [{"item_id": "nobody", "verdict": "label_right"}]},
        {"seq": 2, "decisions": [{"item_id": item_id, "verdict": "ambiguous"}]},
    ]
    answer = client.post("/api/decisions", json={"client": "tab", "acts": acts}).json()
    assert "nobody" in answer["results"][0]["error"]
    assert answer["states"][item_id]["status"] == "unsure"


def test_a_test_item_is_locked_until_it_is_unlocked(client, project):
    item_id = item_of(project, "test", "blue")
    assert "gold test set" in decide(client, item_id).json()["results"][0]["error"]
    project.decisions.unlock_test("ada", "a label is beyond doubt wrong", context.now())
    assert decide(client, item_id, seq=2).json()["results"][0]["error"] == ""


def test_an_unlabelled_copy_of_a_test_item_is_left_and_the_pair_told(leaky_project, client):
    copy, test_item = leaky_project.leaks[["item_id", "other_id"]].iloc[1]
    answer = decide(client, copy, "labelled").json()
    (result,) = answer["results"]
    assert (result["error"], result["n_changed"], result["n_refused"]) == ("", 0, 1)
    assert result["reason"].startswith(f"{copy}: cannot join the training set")
    assert f"the same image as {test_item} (test)" in result["reason"]
    assert answer["states"][copy]["status"] == "kept"


def test_an_item_that_changed_underneath_is_reported_and_left(client, project):
    item_id = item_of(project, "train", "blue")
    decide(client, item_id, label="green")
    answer = decide(client, item_id, label="red", seq=2, expected_event=0).json()
    assert item_id in answer["results"][0]["conflicts"][0]
    assert answer["states"][item_id]["label"] == "green"


def test_undo_and_redo_are_steps_of_ones_own(client, project):
    item_id = item_of(project, "train", "blue")
    decide(client, item_id)
    undone = client.post("/api/undo", json={"client": "tab", "seq": 2}).json()
    assert (undone["can_undo"], undone["can_redo"]) == (False, True)
    assert project.decisions.states([item_id])[item_id].label == "blue"
    client.post("/api/redo", json={"client": "tab", "seq": 3})
    assert project.decisions.states([item_id])[item_id].label == "red"


def test_an_undo_that_is_sent_again_takes_back_one_act(client, project):
    ids = project.items.loc[project.items["split"] == "train", "item_id"].iloc[:2]
    for seq, item_id in enumerate(ids, start=1):
        decide(client, item_id, "ambiguous", None, seq=seq)
    for _ in range(2):
        client.post("/api/undo", json={"client": "tab", "seq": 3})
    assert len(project.decisions.state_table()) == 1


@pytest.mark.parametrize("path", ["/api/page?run=run-0001", "/api/thumbs?ids=[]", "/api/image?id=a"])
def test_nothing_is_served_without_a_token(client, path):
    answer = client.get(path, headers={"Authorization": ""})
    assert answer.status_code == 401
    assert "Reload" in answer.json()["error"]


def test_a_forged_token_is_refused(client):
    forged = sign(context.project_key(), "eve", secret=b"guess", now=context.now())
    assert (
        client.get("/api/page?run=run-0001", headers={"Authorization": f"Bearer {forged}"}).status_code == 401
    )


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", ""])
def test_a_decision_from_another_site_is_refused(client, project, origin):
    answer = client.post("/api/decisions", json={"client": "tab", "acts": []}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert project.decisions.last_event() == 0


def test_a_request_that_another_site_made_is_refused(client):
    assert client.get("/api/thumbs?ids=[]", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_body_that_is_too_large_is_refused(client):
    assert client.post("/api/decisions", content=b" " * (MAX_BODY_BYTES + 1)).status_code == 413


@pytest.mark.parametrize(
    "body", ["", "[]", '{"client": 1}', '{"client": "tab", "acts": [{"seq": "1"}]}', "{"]
)
def test_a_body_that_is_no_batch_is_refused_with_what_was_expected(client, body):
    answer = client.post("/api/decisions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_an_unknown_item_has_no_picture(client):
    assert client.get("/api/thumbs", params={"ids": '["nobody"]'}).status_code == 404
    assert client.get("/api/image", params={"id": "nobody"}).status_code == 400


def test_a_link_to_an_unknown_class_says_which_are_known(client):
    error = client.get("/api/page?run=run-0001&given=mauve").json()["error"]
    assert "mauve" in error
    assert "blue, green, red" in error


def test_only_modules_of_the_grid_are_served_as_files(client):
    assert client.get(f"{assets_url()}/grid.js").headers["content-type"].startswith("text/javascript")
    assert client.get(f"{assets_url()}/__init__.py").status_code == 404
    assert client.get(f"{assets_url()}/../routes.py").status_code == 404


# ---------------------------------------------------------------- what changed elsewhere


def test_a_page_tells_the_last_event_the_pace_and_the_most_probable_classes(client, project):
    decide(client, item_of(project, "train", "blue"))
    page = client.get("/api/page?run=run-0001&size=3").json()
    assert page["event"] == 1
    assert page["pace"] == {"n_recent": 1, "n_changed": 1, "seconds_per_decision": None}
    names = project.task.classes
    assert [names[top[0]] for top in page["items"]["top"]] == page["items"]["predicted_label"]
    assert [names[top[1]] for top in page["items"]["top"]] == page["items"]["second_label"]


def test_changes_are_the_new_states_of_the_items_of_that_page_alone(client, project):
    first, *_, last = client.get("/api/page?run=run-0001&size=18").json()["items"]["item_id"]
    decide(client, first)
    decide(client, last, seq=2)
    changes = client.get("/api/changes?run=run-0001&page=1&size=5&since=0").json()
    assert list(changes["states"]) == [first]
    assert changes["states"][first]["label"] == "red"
    assert (changes["event"], changes["n_decided"], changes["can_undo"], changes["can_redo"]) == (
        2, 2, True, False,
    )  # fmt: skip
    assert client.get("/api/changes?run=run-0001&page=1&size=5&since=1").json()["states"] == {}


def test_an_undo_elsewhere_is_a_change(client, project):
    item_id = client.get("/api/page?run=run-0001&size=1").json()["items"]["item_id"][0]
    decide(client, item_id)
    project.decisions.undo("ada", context.now())
    changes = client.get("/api/changes?run=run-0001&since=1").json()
    assert changes["states"][item_id]["verdict"] is None
    assert (changes["n_decided"], changes["can_redo"]) == (0, True)


@pytest.mark.parametrize("since", ["-1", "x", "1.5"])
def test_changes_since_no_event_are_refused(client, since):
    answer = client.get(f"/api/changes?run=run-0001&since={since}")
    assert (answer.status_code, "since must be" in answer.json()["error"]) == (400, True)


def test_the_answer_to_a_decision_tells_the_last_event_the_pace_and_what_was_so_already(client, project):
    item_id = item_of(project, "train", "blue")
    decide(client, item_id)
    answer = decide(client, item_id, seq=2).json()
    assert (answer["results"][0]["n_changed"], answer["results"][0]["n_already"]) == (0, 1)
    assert answer["event"] == 1


def test_undo_tells_the_states_it_left(client, project):
    item_id = item_of(project, "train", "blue")
    decide(client, item_id)
    answer = client.post("/api/undo", json={"client": "tab", "seq": 2}).json()
    assert (answer["n_changed"], answer["event"]) == (1, 2)
    assert answer["states"][item_id]["label"] == "blue"


def test_that_a_decision_was_made_blind_is_kept(client, project):
    item_id = item_of(project, "train", "blue")
    decide(client, item_id, blind=True)
    assert project.decisions.history(item_id)[0].blind is True


@pytest.mark.parametrize(
    "wrong", [{"blind": "yes"}, {"label": 3}, {"rank": "1"}, {"expected_event": True}, {"note": 1}]
)
def test_a_decision_with_a_field_of_the_wrong_kind_is_refused(client, project, wrong):
    assert decide(client, item_of(project, "train", "blue"), **wrong).status_code == 400
    assert project.decisions.last_event() == 0


# ---------------------------------------------------------------- one choice for a whole queue


def bulk(client, query, choice, expected_n, *, label=None, seq=1):
    act = {"seq": seq, "queue": "all", "bulk": {"query": query, "choice": choice, "label": label}}
    act["bulk"]["expected_n"] = expected_n
    return client.post("/api/decisions", json={"client": "tab", "acts": [act]})


def test_a_choice_for_a_whole_queue_is_one_act_and_one_step_of_undo(client, project):
    query = "split=train&given=blue&run=run-0001&as_of=0"
    preview = client.get(f"/api/bulk?{query}&choice=class&label=red").json()
    assert preview == {
        "n": 6, "n_change": 6, "n_already": 0, "n_refused": 0, "n_conflicts": 0, "reason": "",
    }  # fmt: skip
    answer = bulk(client, query, "class", 6, label="red").json()
    assert answer["results"] == [
        {
            "seq": 1, "n_changed": 6, "n_already": 0, "n_refused": 0, "reason": "", "conflicts": [],
            "n_conflicts": 0, "error": "",
        }
    ]  # fmt: skip
    assert (answer["states"], answer["event"]) == ({}, 6)
    undone = client.post("/api/undo", json={"client": "tab", "seq": 2}).json()
    assert (undone["n_changed"], len(undone["states"])) == (6, 6)


def test_a_bulk_act_that_is_sent_again_is_applied_once(client, project):
    query = "decided=open&run=run-0001"
    first = bulk(client, query, "right", 18).json()["results"]
    again = bulk(client, query, "right", 18).json()["results"]
    assert again == first
    assert project.decisions.last_event() == 18


def test_a_bulk_act_on_a_queue_that_is_not_what_was_seen_tells_so_and_the_next_act_goes_on(client, project):
    wrong = {"seq": 1, "bulk": {"query": "run=run-0001", "choice": "right", "expected_n": 3}}
    unknown = {"seq": 2, "bulk": {"query": "run=run-0001&given=mauve", "choice": "right", "expected_n": 3}}
    item_id = item_of(project, "train", "blue")
    single = {"seq": 3, "decisions": [{"item_id": item_id, "verdict": "ambiguous"}]}
    answer = client.post("/api/decisions", json={"client": "tab", "acts": [wrong, unknown, single]}).json()
    assert "18 items now, not 3" in answer["results"][0]["error"]
    assert "mauve" in answer["results"][1]["error"]
    assert answer["results"][2]["n_changed"] == 1
    assert project.decisions.last_event() == 1


def test_at_most_20_conflicts_are_told_in_full(client, project):
    project.decisions.unlock_test("ada", "beyond doubt", context.now())
    ids = project.items["item_id"].head(25).tolist()
    acts = [{"item_id": item_id, "verdict": "ambiguous"} for item_id in ids]
    client.post("/api/decisions", json={"client": "other", "acts": [{"seq": 1, "decisions": acts}]})
    late = [{"item_id": item_id, "verdict": "bad_item", "expected_event": 0} for item_id in ids]
    answer = client.post(
        "/api/decisions", json={"client": "tab", "acts": [{"seq": 1, "decisions": late}]}
    ).json()
    (result,) = answer["results"]
    assert (len(result["conflicts"]), result["n_conflicts"], result["n_changed"]) == (20, 25, 0)


@pytest.mark.parametrize(
    "more", [{"bulk": {}}, {"bulk": {"query": 1, "choice": "right", "expected_n": 1}}, {}]
)
def test_an_act_that_is_neither_single_nor_bulk_is_refused(client, more):
    answer = client.post("/api/decisions", json={"client": "tab", "acts": [{"seq": 1, **more}]})
    assert (answer.status_code, "expected_n" in answer.json()["error"]) == (400, True)


def test_a_text_with_half_a_character_is_refused_and_nothing_is_kept(client, project):
    item_id = item_of(project, "train", "blue")
    for act in ({"item_id": "\ud800"}, {"item_id": item_id, "note": "\ud800"}):
        decision = {"verdict": "bad_item"} | act
        body = json.dumps({"client": "tab", "acts": [{"seq": 1, "decisions": [decision]}]})
        answer = client.post("/api/decisions", content=body)
        assert (answer.status_code, "half a character" in answer.json()["error"]) == (400, True)
    note = client.post("/api/note", content=json.dumps({"id": "\ud800", "text": "a", "number": 0}))
    assert (note.status_code, "no such item" in note.json()["error"]) == (400, True)
    assert project.decisions.last_event() == 0


def test_the_first_page_is_also_found_by_its_name(client):
    answer = client.get("/data?search=cat", follow_redirects=False)
    assert answer.is_redirect
    assert answer.headers["location"].endswith("/?search=cat")


def test_a_queue_whose_run_was_removed_says_so_and_asks_for_the_page_to_be_drawn_anew(
    client, project, add_run
):
    add_run(project, "run-0002")
    assert client.get("/api/page?run=run-0002").status_code == 200
    remove_run(project, "run-0002", annotator="ada", now=context.now())
    answer = client.get("/api/page?run=run-0002")
    assert (answer.status_code, "run-0002 was removed" in answer.json()["error"]) == (410, True)
    assert client.get("/api/page?run=run-0009").status_code == 400


def test_behind_a_path_every_route_is_below_it(client):
    behind = TestClient(Starlette(routes=make_routes("/labels/cats")), headers=client.headers)
    assert behind.get("/labels/cats/api/page?run=run-0001").status_code == 200
    assert behind.get(f"/labels/cats{assets_url()}/grid.js").status_code == 200
    moved = behind.get("/labels/cats/data", follow_redirects=False)
    assert moved.headers["location"].endswith("/labels/cats/")
    for path in ("/api/page?run=run-0001", f"{assets_url()}/grid.js"):
        assert behind.get(path).status_code == 404
