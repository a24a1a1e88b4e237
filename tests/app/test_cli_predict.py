"""winnow predict: another model's predictions by the command line."""

import json

import numpy as np
import pytest

from app import context
from app.cli import MISUSE, USER_ERROR
from app.cli import run as winnow
from curation.decisions.events import LABEL_RIGHT, Decision
from curation.run_folders import list_runs

CLASSES = "blue,green,red"


@pytest.fixture
def probs(empty_project, tmp_path):
    """A file of the probabilities of all items in the order of the project."""
    path = tmp_path / "probs.npy"
    np.save(path, np.random.default_rng(0).dirichlet(np.ones(3), len(empty_project.items)))
    return path


def predict(project, probs, *more: str) -> int:
    return winnow(["predict", str(project.folder), "--import", str(probs), "--classes", CLASSES, *more])


def test_what_is_missing_and_in_sample_is_told_to_programs(empty_project, probs, capsys):
    item_id = empty_project.items.query("split == 'train'")["item_id"].iloc[0]
    empty_project.decisions.decide([Decision(item_id, LABEL_RIGHT)], annotator="ada", now=context.now())
    assert predict(empty_project, probs, "--name", "net", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run_id"] == "run-0001"
    assert told["in_sample"]
    assert told["n_decisions_left_out"] == 1
    assert "neighbours" in told["missing_signals"]
    assert list_runs(empty_project)[0].imported.name == "net"


def test_people_are_told_the_same_in_sentences(empty_project, probs, capsys):
    assert predict(empty_project, probs) == 0
    told = capsys.readouterr().out
    assert "IN SAMPLE" in told
    assert "Label quality without neighbours: no embeddings were imported." in told


def test_what_does_not_fit_is_one_line_and_no_run(empty_project, probs, tmp_path, capsys):
    np.save(probs, np.load(probs) * 2)
    assert predict(empty_project, probs) == USER_ERROR
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "rows are not a distribution over the 3 classes" in line
    assert not list_runs(empty_project)


def test_two_demos_at_once_are_misuse(tmp_path, capsys):
    assert winnow(["demo", str(tmp_path / "demo"), "--text", "--table", "--no-app"]) == MISUSE
    assert "choose one" in capsys.readouterr().err
