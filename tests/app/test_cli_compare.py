"""`winnow compare` and `winnow train --seeds` in this process, on runs with made-up probabilities."""

import json

import pytest
import typer

from app.cli import run
from app.commands.runs import train
from diagnostics.compare import CLASS_COLUMNS, WHOLE_COLUMNS


def test_a_comparison_is_told_with_its_verdict_its_noise_and_its_ruler(project, add_run, capsys):
    add_run(project, "run-0002", seed=1, number=1)
    assert run(["compare", str(project.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "cannot tell"
    assert told["text"].startswith("Cannot tell: macro F1")
    assert (told["before"]["trainings"], told["after"]["trainings"]) == (["run-0001"], ["run-0002"])
    assert told["noise"]["before"] == "none"
    assert tuple(told["whole"][0]) == WHOLE_COLUMNS
    assert tuple(told["classes"][0]) == CLASS_COLUMNS
    assert told["whole"][0]["n_needed"] is None


def test_a_comparison_begins_with_the_verdict(project, add_run, capsys):
    add_run(project, "run-0002", seed=1, number=1)
    assert run(["compare", str(project.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Cannot tell: macro F1")
    assert lines[2] == "Both sides are measured on the labels of dataset version 0."
    assert lines[-1].startswith("A row is called improved or worse when its p-value, corrected by Holm")


@pytest.mark.parametrize("options", [{"quick": True}, {"resume": "run-0001"}])
def test_several_seeds_are_for_full_trainings_that_go_on_by_themselves(project, options):
    with pytest.raises(typer.BadParameter, match="--seeds is for full trainings"):
        train(project.folder, seeds=2, **options)
