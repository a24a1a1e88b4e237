"""`winnow experiment` and `winnow caps`, with made-up trainings."""

import json

import numpy as np
import pytest

from app.cli import run
from app.printing import print_wide_table
from curation import experiments
from diagnostics.experiments import EXPERIMENTS
from diagnostics.experiments.frame import QUICK, Trainers


@pytest.fixture
def quick_trainings(monkeypatch):
    """Trainings that are right on a random three quarters of the items."""

    def trainers(project, version, data, watch, *, full):
        def train(items, *, seed, config=None):
            rng = np.random.default_rng(seed)
            right = rng.random(len(data.ruler)) < 0.75
            codes = np.where(right, data.ruler.codes, (data.ruler.codes + 1) % len(data.ruler.classes))
            return np.eye(len(data.ruler.classes), dtype=np.float32)[codes][None]

        return Trainers(watch.over(QUICK, train), None, quick_features="nothing")

    monkeypatch.setattr(experiments, "_trainers", trainers)


def answer(capsys, *arguments):
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_dry_run_says_what_it_costs_and_trains_nothing(project, capsys):
    assert run(["experiment", "seeds", str(project.folder), "--n", "4", "--dry-run"]) == 0
    assert capsys.readouterr().out == (
        "4 quick trainings (heads on features) and 4 full trainings of 5 models each: about 5 min 0 s, going by "
        "run-0001.\n"
    )
    found = answer(capsys, "experiment", "seeds", project.folder, "--no-full", "--dry-run")
    assert found["cost"]["trainings"] == {"n_quick": 5, "n_full": 0, "n_known": 0, "n_models": 1}
    assert answer(capsys, "experiment", "list", project.folder) == {"experiments": [], "problems": {}}


def test_an_experiment_is_made_listed_shown_and_removed(project, quick_trainings, capsys):
    made = answer(capsys, "experiment", "seeds", project.folder, "--n", 3, "--no-full")
    assert made["experiment"]["experiment_id"] == "exp-0001"
    assert made["experiment"]["verdict"].startswith(
        "The validation set is too small for differences of 1 point"
    )
    assert {row["metric"] for row in made["table"]} == {"accuracy", "macro_f1", "precision", "recall", "f1"}
    assert answer(capsys, "experiment", "show", project.folder, "exp-0001") == made
    assert [
        row["experiment_id"] for row in answer(capsys, "experiment", "list", project.folder)["experiments"]
    ] == ["exp-0001"]
    assert run(["experiment", "show", str(project.folder), "exp-0001"]) == 0
    assert made["experiment"]["verdict"] in capsys.readouterr().out
    assert run(["experiment", "list", str(project.folder)]) == 0
    assert run(["experiment", "remove", str(project.folder), "exp-0001"]) == 0
    capsys.readouterr()
    assert answer(capsys, "experiment", "list", project.folder) == {"experiments": [], "problems": {}}
    jobs = answer(capsys, "jobs", project.folder)["jobs"]
    assert [(job["verb"], job["state"], job["run_id"]) for job in jobs] == [
        ("experiment", "done", "exp-0001")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seeds", "PROJECT", "--n", "1"], "n must lie between 2 and 50, found 1"),
        (["class-cap", "PROJECT", "--class", "blu"], "there is no class 'blu' (did you mean 'blue'?)"),
        (["class-cap", "PROJECT", "--class", "blue"], "`blue` has 6 train items"),
        (["class-cap", "PROJECT", "--drop", "ten"], "drop takes a whole number or several with commas"),
        (["show", "PROJECT", "exp-0009"], "has no experiment 'exp-0009'"),
    ],
)
def test_what_cannot_be_made_says_why(project, capsys, arguments, message):
    filled = [str(project.folder) if part == "PROJECT" else part for part in arguments]
    assert run(["experiment", *filled]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", [*EXPERIMENTS, "list", "show", "remove"])
def test_every_experiment_has_help_with_an_example(name, capsys):
    assert run(["experiment", name, "--help"]) == 0
    assert f"Example: winnow experiment {name}" in " ".join(capsys.readouterr().out.split())


def test_caps_are_set_listed_lifted_and_taken_back(project, capsys):
    found = answer(capsys, "caps", project.folder, "--set", "blue", 2, "--as", "ada", "--reason", "enough")
    assert [(row["class"], row["keep"], row["held_back"], row["reason"]) for row in found["caps"]] == [
        ("blue", 2, 4, "enough")
    ]
    assert run(["caps", str(project.folder)]) == 0
    assert "enough" in capsys.readouterr().out
    assert answer(capsys, "caps", project.folder, "--lift", "blue", "--as", "ada")["caps"] == []
    assert answer(capsys, "caps", project.folder, "--undo", "--as", "bob")["caps"][0]["keep"] == 2
    assert answer(capsys, "caps", project.folder, "--undo", "--as", "bob")["caps"] == []
    assert run(["caps", str(project.folder), "--undo"]) == 1
    assert "no change of the caps to take back" in capsys.readouterr().err
    assert run(["caps", str(project.folder), "--undo", "--lift", "blue"]) == 2


def test_a_wide_table_is_printed_in_parts_that_fit_and_each_says_which_row_it_is(capsys):
    row = {
        "arm": "capped",
        "class f1\ndifference": "+2.0 (-11.5 to +15.6)",
        "verdict": "cannot tell",
        "p": "1",
    }
    row |= {f"others {number}": "+0.3 (-1.7 to +2.2)" for number in range(4)}
    print_wide_table("Numbers", dict.fromkeys(row, "left"), [row, row | {"arm": "control"}], n_keys=1)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert len([line for line in lines if line.startswith("capped")]) == 2
    assert sum(line.count("+0.3 (-1.7 to +2.2)") for line in lines) == 2 * 4
