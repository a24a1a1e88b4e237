import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from PIL import Image

from curation.dataset.findings import FINDING_COLUMNS, count_findings
from curation.dataset.intake import IntakeSpec, take_in
from curation.project import Project, refuse_occupied
from curation.rounds import TRAINING_COLUMNS, dataset_version, training_items
from diagnostics.errors import ProjectError
from diagnostics.progress import ignore_progress

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def intake(tmp_path):
    for number in range(8):
        folder = tmp_path / "photos" / ("cat" if number % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number * 20, 0, 0)).save(folder / f"{number}.png")
    return take_in(IntakeSpec(tmp_path / "photos"), on_progress=ignore_progress)


def test_a_project_opens_as_it_was_made(intake, tmp_path):
    made = Project.create(tmp_path / "project", intake, now=NOW)
    opened = Project.open(tmp_path / "project")
    assert opened.info == made.info
    assert opened.info.fingerprint == intake.fingerprint
    pd.testing.assert_frame_equal(opened.items, intake.items, check_dtype=False)
    assert opened.task.classes == ("cat", "dog")


def test_a_folder_that_is_no_project_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(ProjectError, match=r"not a Winnow project.*winnow init"):
        Project.open(tmp_path)


def test_a_project_of_a_newer_winnow_is_refused(intake, tmp_path):
    path = Project.create(tmp_path / "project", intake, now=NOW).folder / "project.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))
    with pytest.raises(ProjectError, match=r"format 99.*Install a newer Winnow"):
        Project.open(tmp_path / "project")


def test_a_project_is_not_made_where_something_is(intake, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("precious")
    with pytest.raises(ProjectError, match="not empty"):
        Project.create(tmp_path / "full", intake, now=NOW)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "precious"
    Project.create(tmp_path / "project", intake, now=NOW)
    with pytest.raises(ProjectError, match="is a project already"):
        refuse_occupied(tmp_path / "project")


def test_an_empty_folder_becomes_the_project(intake, tmp_path):
    (tmp_path / "empty").mkdir()
    assert Project.create(tmp_path / "empty", intake, now=NOW).folder == tmp_path / "empty"


def test_a_failure_half_way_leaves_nothing_behind(intake, tmp_path, monkeypatch):
    def full_disk(*_args, **_kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr("curation.project.make_database", full_disk)
    with pytest.raises(OSError, match="No space left"):
        Project.create(tmp_path / "project", intake, now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_images_are_read_from_where_they_were(intake, tmp_path):
    project = Project.create(tmp_path / "project", intake, now=NOW)
    assert project.read_image("cat/1.png") == (tmp_path / "photos" / "cat" / "1.png").read_bytes()
    with pytest.raises(ProjectError, match=r"no item 'eel/1.png'"):
        project.read_image("eel/1.png")


def test_data_that_has_moved_is_said_with_what_to_do(intake, tmp_path):
    project = Project.create(tmp_path / "project", intake, now=NOW)
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    with pytest.raises(ProjectError, match=r"cannot be read from .*photos.*has moved"):
        project.read_image("cat/1.png")


def test_counts_have_every_class_and_every_split(intake, tmp_path):
    counts = Project.create(tmp_path / "project", intake, now=NOW).counts()
    assert list(counts["label"]) == ["cat", "dog"]
    assert list(counts.columns) == ["label", "train", "val", "test", "unlabelled"]
    assert int(counts[["train", "val"]].to_numpy().sum()) == 8


@pytest.mark.parametrize("part", ["items.parquet", "findings.parquet", "project.db"])
def test_a_project_that_lacks_a_part_is_refused_and_not_filled_up(part, intake, tmp_path):
    """An empty database in place of a lost one would hide that decisions are gone."""
    folder = Project.create(tmp_path / "project", intake, now=NOW).folder
    (folder / part).unlink()
    with pytest.raises(ProjectError, match=f"lacks {part}.*backup"):
        Project.open(folder)
    assert not (folder / part).exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": "x"}', '{"format_version": 1}'])
def test_a_damaged_description_of_a_project_is_refused(text, intake, tmp_path):
    folder = Project.create(tmp_path / "project", intake, now=NOW).folder
    (folder / "project.json").write_text(text)
    with pytest.raises(ProjectError, match=r"project.json (is not readable JSON|does not have the fields)"):
        Project.open(folder)


def test_round_1_opens_when_the_project_is_made(intake, tmp_path):
    project = Project.create(tmp_path / "project", intake, now=NOW)
    rounds = pd.read_sql("SELECT number, opened_at FROM rounds", project.engine)
    assert rounds.to_dict("records") == [{"number": 1, "opened_at": NOW.isoformat(timespec="microseconds")}]


def test_a_project_of_an_older_winnow_opens_as_it_was(intake, tmp_path):
    """Before there were texts and rows: no content in project.json, the sizes among the other columns, older codes."""
    folder = Project.create(tmp_path / "project", intake, now=NOW).folder
    values = json.loads((folder / "project.json").read_text())
    del values["content"]
    (folder / "project.json").write_text(json.dumps(values))
    items = pd.read_parquet(folder / "items.parquet")
    before = ["item_id", "path", "root", "split", "given_label", "source", "source_row", "content_hash"]
    items[[*before, "width", "height", "group", "unit"]].to_parquet(folder / "items.parquet", index=False)
    row = (
        "duplicate_image",
        "note",
        "photos",
        0,
        "cat/1.png",
        "cat/1.png",
        "The same image occurs 2 times.",
        "",
    )
    pd.DataFrame([row], columns=list(FINDING_COLUMNS)).to_parquet(folder / "findings.parquet", index=False)
    opened = Project.open(folder)
    assert (opened.info.content, opened.modality.nouns) == ((), "images")
    counts = count_findings(opened.findings, opened.modality.checks).set_index("code")["n"]
    assert counts["duplicate_item"] == counts.sum() == 1
    trained_on = training_items(opened, dataset_version(opened))
    assert list(trained_on) == list(TRAINING_COLUMNS)
