"""`winnow classes`: lists, previews, changes and takes back; and what is trained after a change."""

import json

import pytest

from app import context
from app.cli import run
from curation.decisions.events import Decision
from curation.project import Project
from curation.queues import QueueQuery, ranked_table
from curation.reports import labelled_predictions
from curation.runs import read_run, train_project
from diagnostics.training.config import TrainConfig


def told(capsys, *arguments):
    """The JSON document that a command line prints."""
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def classes_of(folder):
    return Project.open(folder).task.classes


def test_classes_are_listed_with_their_items_and_decisions(project, capsys):
    item_id = project.items.query("split == 'train' and given_label == 'blue'")["item_id"].iloc[0]
    project.decisions.decide([Decision(item_id, "label_wrong", "red")], annotator="ada", now=context.now())
    run(["classes", str(project.folder), "--rename", "red", "crimson", "--as", "ada"])
    capsys.readouterr()
    assert run(["classes", str(project.folder)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["name", "key", "train", "val", "test", "decisions"]
    assert lines[2] == ["blue", "5", "4", "3", "0"]
    assert lines[4] == ["crimson", "red", "7", "4", "3", "1"]
    assert lines[5][:6] == ["Last", "change:", "rename", "`red`", "to", "`crimson`"]
    document = told(capsys, "classes", project.folder)
    assert document["class_change"] == 1
    assert document["names"] == ["blue", "green", "crimson"]
    assert document["classes"][2] == {
        "name": "crimson", "key": "red", "train": 7, "val": 4, "test": 3, "unlabelled": 0, "given": 13, "decisions": 1,
    }  # fmt: skip
    assert (document["last_change"]["kind"], document["last_change"]["annotator"]) == ("rename", "ada")


def test_a_dry_run_says_what_would_happen_and_changes_nothing(project, capsys):
    assert run(["classes", str(project.folder), "--merge", "red", "blue", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("13 items are labelled `red` (train 6, val 4, test 3), 0 decisions name it;")
    assert "Nothing was changed" in output
    document = told(capsys, "classes", project.folder, "--add", "ant", "--dry-run")
    assert (document["dry_run"], document["change"], document["preview"]["n_classes"]) == (True, None, 4)
    assert classes_of(project.folder) == ("blue", "green", "red")


def test_changes_are_made_and_taken_back(project, capsys):
    folder = project.folder
    assert told(capsys, "classes", folder, "--add", "<b>")["names"] == ["blue", "green", "red", "<b>"]
    merged = told(capsys, "classes", folder, "--merge", "red", "blue", "--as", "ada")
    assert merged["names"] == ["blue", "green", "<b>"]
    assert merged["change"]["annotator"] == "ada"
    assert told(capsys, "classes", folder, "--undo", "--dry-run")["names"] == ["blue", "green", "<b>"]
    assert told(capsys, "classes", folder, "--undo")["undone"]["kind"] == "merge"
    assert run(["classes", str(folder), "--undo"]) == 0
    assert "Taken back: add `<b>`." in capsys.readouterr().out
    assert classes_of(folder) == ("blue", "green", "red")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--add", "red"), 1, "There is a class `red` already."),
        (("--add", ""), 1, "needs a name"),
        (("--rename", "cow", "ox"), 1, "There is no class `cow`. The classes are: blue, green, red."),
        (("--merge", "red", "red"), 1, "into itself"),
        (("--undo",), 1, "no change of the classes to take back"),
        (("--undo", "--dry-run"), 1, "no change of the classes to take back"),
        (("--add", "x", "--undo"), 2, "one of --add, --rename, --merge and --undo"),
        (("--add", "x", "--rename", "red", "y"), 2, "one of --add, --rename, --merge and --undo"),
        (("--dry-run",), 2, "--dry-run goes with"),
        (("--rename", "red"), 2, "requires 2 arguments"),
    ],
)
def test_what_cannot_be_done_is_one_line_on_stderr(project, capsys, arguments, code, text):
    assert run(["classes", str(project.folder), *arguments]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert text in output.err
    assert project.classes.number == 0


def test_the_next_training_has_the_classes_of_now_and_says_so(project, capsys):
    config = TrainConfig(arch="small_cnn", epochs=1, folds=0)
    run(["classes", str(project.folder), "--merge", "red", "blue"])
    run(["classes", str(project.folder), "--rename", "green", "verdant"])
    run(["classes", str(project.folder), "--add", "violet"])
    run_id = train_project(project, config)
    info = read_run(project, run_id).info
    assert info.classes == ("blue", "verdant", "violet")
    assert info.dataset_version["class_change"] == 3
    assert run(["classes", str(project.folder), "--undo"]) == 1
    assert f"in use by {run_id}" in capsys.readouterr().err
    run(["classes", str(project.folder), "--merge", "violet", "blue"])
    assert labelled_predictions(project, "val", run_id).classes == ("blue", "verdant")
    for each in ("run-0001", run_id):
        ranked = ranked_table(project, QueueQuery(run_id=each))
        assert set(ranked["predicted_label"]) | set(ranked["given_label"]) <= {"blue", "verdant"}
        assert len(ranked) == 18
