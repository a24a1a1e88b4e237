"""What people decided leaves the project completely, safely and the same way every time."""

import csv
import json
import string
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.class_caps import set_cap
from curation.decisions.events import Decision
from curation.export import CURATED_COLUMNS, PATCH_COLUMNS, export_curated, shown_paths, write_table
from curation.patches import read_patch
from curation.runs import read_run
from curation.spreadsheet import is_winnow_export, undo_safe
from diagnostics.errors import ProjectError, RunError
from diagnostics.image_files import ImageRoot

PROBS = {"a": (0.98, 0.01, 0.01), "b": (0.9, 0.06, 0.04), "u": (0.2, 0.2, 0.6)}


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def decided(project, add_run, now):
    add_run(project, "run-0001", PROBS)
    decisions = [
        Decision("a", "label_wrong", "dog", note="=ears"),
        Decision("b", "label_right"),
        Decision("c", "ambiguous"),
        Decision("d", "bad_item"),
        Decision("u", "labelled", "fox"),
    ]
    project.decisions.decide(decisions, annotator="ada", now=now)
    return project


def test_every_item_is_written_in_source_order_with_its_decision(decided, tmp_path):
    written = export_curated(decided, tmp_path / "curated.csv")
    rows = rows_of(tmp_path / "curated.csv")
    assert tuple(rows[0]) == CURATED_COLUMNS
    told = [
        (row["id"], row["split"], row["label"], row["given_label"], row["status"], row["verdict"])
        for row in rows
    ]
    assert told == [
        ("a", "train", "dog", "cat", "relabelled", "label_wrong"),
        ("b", "train", "dog", "dog", "kept", "label_right"),
        ("c", "train", "fox", "fox", "unsure", "ambiguous"),
        ("d", "train", "cat", "cat", "excluded", "bad_item"),
        ("v", "val", "dog", "dog", "kept", ""),
        ("t", "test", "fox", "fox", "kept", ""),
        ("u", "train", "fox", "", "added", "labelled"),
        ("w", "unlabelled", "", "", "kept", ""),
    ]
    assert (rows[0]["annotator"], rows[0]["decided_at"], rows[0]["round"]) == (
        "ada",
        "2026-11-01T09:00:00+00:00",
        "1",
    )
    assert written.statuses == {"kept": 4, "relabelled": 1, "added": 1, "excluded": 1, "unsure": 1}


def test_scores_are_written_with_every_digit_and_left_blank_where_there_are_none(decided, tmp_path):
    export_curated(decided, tmp_path / "curated.csv")
    rows = {row["id"]: row for row in rows_of(tmp_path / "curated.csv")}
    scores = read_run(decided).scores
    assert float(rows["b"]["loss"]) == scores.set_index("item_id").loc["b", "loss"]
    assert (rows["u"]["loss"], rows["u"]["predicted_label"]) == ("", "fox")
    assert (rows["w"]["predicted_label"], rows["w"]["entropy"]) == ("", "")


def test_without_a_run_the_scores_are_blank_and_a_run_that_is_named_must_exist(project, tmp_path):
    assert export_curated(project, tmp_path / "curated.csv").run_id is None
    assert rows_of(tmp_path / "curated.csv")[0]["loss"] == ""
    with pytest.raises(RunError, match="no run 'run-0007'"):
        export_curated(project, tmp_path / "curated.csv", run_id="run-0007")


def test_exporting_twice_gives_the_same_bytes(decided, tmp_path):
    names = ("curated.csv", "curated.csv.manifest.json", "patch.csv")
    export_curated(decided, tmp_path / names[0], patch=tmp_path / names[2])
    first = [(tmp_path / name).read_bytes() for name in names]
    export_curated(decided, tmp_path / names[0], patch=tmp_path / names[2])
    assert [(tmp_path / name).read_bytes() for name in names] == first


def test_the_manifest_says_what_the_export_is_made_of(decided, tmp_path):
    export_curated(decided, tmp_path / "curated.csv")
    manifest = json.loads((tmp_path / "curated.csv.manifest.json").read_text())
    assert (manifest["fingerprint"], manifest["event"]) == (decided.info.fingerprint, 5)
    assert manifest["run"]["run_id"] == "run-0001"
    assert manifest["items"]["total"] == 8
    assert manifest["items"]["by_split"]["train"] == {
        "kept": 1,
        "relabelled": 1,
        "unsure": 1,
        "excluded": 1,
        "added": 1,
    }
    assert manifest["test"] == {"touched": False, "decisions": 0, "unlocked": False}


def test_the_patch_holds_the_changes_alone(decided, tmp_path):
    export_curated(decided, tmp_path / "curated.csv", patch=tmp_path / "patch.csv")
    rows = rows_of(tmp_path / "patch.csv")
    assert tuple(rows[0]) == PATCH_COLUMNS
    assert [row["id"] for row in rows] == ["a", "b", "c", "d", "u"]
    assert rows[0]["note"] == "'=ears"


def test_a_curated_csv_replays_as_a_patch_too(decided, make_project, tmp_path, now):
    export_curated(decided, tmp_path / "curated.csv")
    other = make_project()
    other.decisions.decide(read_patch(other, tmp_path / "curated.csv"), annotator="bob", now=now)
    columns = ["item_id", "label", "verdict", "status"]
    assert other.decisions.state_table()[columns].equals(decided.decisions.state_table()[columns])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_what_could_be_a_formula_is_made_safe_and_numbers_stay_numbers(make_project, tmp_path, start):
    project = make_project([(f"{start}1", "train", f"{start}x"), ("b", "train", "dog")], [f"{start}x", "dog"])
    export_curated(project, tmp_path / "curated.csv")
    row = rows_of(tmp_path / "curated.csv")[0]
    assert (row["id"], row["label"]) == (f"'{start}1", f"'{start}x")
    write_table(pd.DataFrame({"margin": [-0.5], "label": ["-x"]}), tmp_path / "ranked.csv")
    assert (tmp_path / "ranked.csv").read_text() == "margin,label\n-0.5,'-x\n"


def test_a_file_that_is_no_export_is_never_overwritten(decided, tmp_path):
    source = tmp_path / "train.csv"
    source.write_text("path,label\na.png,cat\n")
    for arguments in ({"out": source}, {"out": tmp_path / "curated.csv", "patch": source}):
        with pytest.raises(ProjectError, match="not overwritten"):
            export_curated(decided, **arguments)
    with pytest.raises(ProjectError, match="not overwritten"):
        write_table(pd.DataFrame({"rank": [1]}), source)
    assert source.read_text() == "path,label\na.png,cat\n"


def test_the_export_of_another_project_is_not_overwritten(decided, make_project, tmp_path):
    export_curated(decided, tmp_path / "curated.csv")
    other = make_project()
    other.info = replace(other.info, fingerprint="0" * 64)
    with pytest.raises(ProjectError, match="was not exported from"):
        export_curated(other, tmp_path / "curated.csv")


def test_a_folder_that_is_not_there_is_a_clear_error(project, tmp_path):
    with pytest.raises(ProjectError, match="its folder does not exist"):
        export_curated(project, tmp_path / "nowhere" / "curated.csv")


def test_images_in_several_folders_are_shown_relative_to_the_one_that_holds_them_all(project, tmp_path):
    items = project.items.assign(root=[0, 0, 0, 0, 0, 0, 1, 1])
    within = (ImageRoot("folder", tmp_path / "data"), ImageRoot("folder", tmp_path / "data" / "pool"))
    assert shown_paths(items, within).iloc[[0, -1]].tolist() == ["img/a.png", "pool/img/w.png"]
    beside = (ImageRoot("folder", tmp_path / "data"), ImageRoot("folder", tmp_path / "pool"))
    assert shown_paths(items, beside).iloc[[0, -1]].tolist() == ["data/img/a.png", "pool/img/w.png"]
    zipped = (ImageRoot("zip", tmp_path / "data.zip"), ImageRoot("folder", tmp_path / "pool"))
    assert shown_paths(items, zipped).iloc[[0, -1]].tolist() == ["img/a.png", "img/w.png"]


nasty = st.text(st.sampled_from("=+-@'\",;\t\r\n \\é😀" + string.ascii_letters), min_size=1, max_size=8)


@settings(max_examples=15)
@given(data=st.data())
def test_ids_labels_and_notes_come_back_exactly_and_a_patch_gives_the_same_states(
    make_project, tmp_path, now, data
):
    classes = data.draw(st.lists(nasty, min_size=2, max_size=4, unique=True))
    names = data.draw(st.lists(nasty, min_size=1, max_size=6, unique=True))
    labels = [data.draw(st.sampled_from(classes)) for _ in names]
    rows = [(name, "train", label) for name, label in zip(names, labels, strict=True)]
    project, fresh = make_project(rows, classes), make_project(rows, classes)
    for name in data.draw(st.lists(st.sampled_from(names), max_size=6)):
        verdict = data.draw(st.sampled_from(["label_wrong", "label_right", "ambiguous", "bad_item"]))
        label = data.draw(st.sampled_from(classes)) if verdict == "label_wrong" else None
        decision = Decision(name, verdict, label, note=data.draw(nasty))
        project.decisions.decide([decision], annotator=data.draw(nasty).strip() or "ada", now=now)
    for path in ("out.csv", "out.csv.manifest.json", "patch.csv"):
        (tmp_path / path).unlink(missing_ok=True)
    export_curated(project, tmp_path / "out.csv", patch=tmp_path / "patch.csv")
    read = rows_of(tmp_path / "out.csv")
    assert is_winnow_export(read[0])
    assert [undo_safe(row["id"]) for row in read] == names
    assert [undo_safe(row["given_label"]) for row in read] == labels
    fresh.decisions.decide(read_patch(fresh, tmp_path / "patch.csv"), annotator="bob", now=now)
    columns = ["item_id", "label", "verdict", "status", "note"]
    assert fresh.decisions.state_table()[columns].equals(project.decisions.state_table()[columns])


def test_items_above_a_cap_are_written_unless_they_are_asked_to_be_left_out(project, now, tmp_path):
    set_cap(project, "cat", 1, annotator="ada", now=now)
    whole = export_curated(project, tmp_path / "all.csv")
    fewer = export_curated(project, tmp_path / "fewer.csv", leave_out_capped=True)
    assert (whole.n_items, fewer.n_items) == (len(project.items), len(project.items) - 1)
    manifest = json.loads((tmp_path / "fewer.csv.manifest.json").read_text())
    assert manifest["caps"] == {"change": 1, "at_most": {"cat": 1}, "items_above": 1, "left_out": True}
