"""Experiments of a project: cost before, kept when complete, nothing kept when not, recommendations carried out."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from curation import experiments
from curation.class_caps import caps_at, set_cap
from curation.experiments import (
    apply_action,
    check_experiment,
    experiment_arguments,
    experiment_cost,
    experiment_data,
    find_experiments,
    is_applied,
    list_experiments,
    make_experiment,
    read_experiment,
    remove_experiment,
    start_experiment,
    undo_action,
)
from curation.jobs import running_job
from curation.run_folders import read_run
from diagnostics.errors import Cancelled, ConfigError, DataError, ProjectError, RunError
from diagnostics.experiments.frame import CAP, QUICK, RECOMMENDED, Action, Result, Trainers, Trainings
from diagnostics.experiments.options import ExperimentOption, ExperimentSpec
from diagnostics.predictions import write_predictions
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import FOCAL_LOSS, NO_REMEDY

LEAN = (0.8, 0.1, 0.1)
REAL_TRAINERS = experiments._trainers
TABLE = pd.DataFrame({"way": [QUICK], "value": [0.5]})


def count(data, options):
    return Trainings(n_quick=options["n"], n_full=options["n"] if options["full"] else 0)


def run(data, trainers, options):
    for seed in range(options["n"]):
        trainers.quick(data.train_items, seed=seed)
    action = Action(CAP, "Cap `cat` at 1 train item", {"class": "cat", "keep": 1})
    return Result(
        RECOMMENDED, "It helps.", TABLE, notes=("A note.",), action=action, facts={"n": options["n"]}
    )


@pytest.fixture
def spec(monkeypatch):
    """An experiment `guess` that trains n times and recommends a cap; nothing is really trained."""
    found = ExperimentSpec(
        "guess", "Guess", "What would help?", "nowhere",
        {
            "n": ExperimentOption(int, "trainings", 2, low=1, high=9),
            "class": ExperimentOption(str, "the class", None, is_class=True, none_means="any"),
            "full": ExperimentOption(bool, "whole models too", False),
        },
    )  # fmt: skip
    monkeypatch.setattr(ExperimentSpec, "load", lambda self: SimpleNamespace(count=count, run=run))
    monkeypatch.setitem(experiments.EXPERIMENTS, "guess", found)
    monkeypatch.setattr(experiments, "_trainers", fake_trainers)
    return found


def fake_trainers(project, version, data, watch, *, full):
    def train(items, *, seed, config=None):
        return np.full((1, len(data.ruler), len(data.ruler.classes)), 1 / len(data.ruler.classes))

    return Trainers(quick=watch.over(QUICK, train), full=None)


@pytest.fixture
def trained(project, add_run):
    """The project with one full run."""
    add_run(project, "run-0001", dict.fromkeys(("a", "b", "c", "d", "v"), LEAN))
    return project


def test_a_finished_experiment_is_kept_and_read_back_without_models(trained, spec, now):
    made = make_experiment(trained, "guess", {"n": 3}, now=now)
    assert made.info.experiment_id == "exp-0001"
    found = read_experiment(trained, "exp-0001")
    assert found.info == made.info
    assert found.info.options == {"n": 3, "class": None, "full": False}
    assert (found.info.outcome, found.info.verdict, found.info.notes) == (
        RECOMMENDED,
        "It helps.",
        ("A note.",),
    )
    assert found.info.dataset_version["number"] == 0
    assert found.info.seconds_each.keys() <= {QUICK}
    pd.testing.assert_frame_equal(found.table, TABLE)
    assert pd.read_csv(found.folder / "table.csv")["value"].tolist() == [0.5]
    assert json.loads((found.folder / "experiment.json").read_text())["format_version"] == 1


def test_experiments_are_numbered_listed_newest_first_and_removed(trained, spec, now):
    for _ in range(3):
        make_experiment(trained, "guess", {}, now=now)
    remove_experiment(trained, "exp-0002")
    assert [found.info.experiment_id for found in list_experiments(trained)] == ["exp-0003", "exp-0001"]
    with pytest.raises(RunError, match=r"no experiment 'exp-0002'\. It has: exp-0003, exp-0001"):
        read_experiment(trained, "exp-0002")


def test_one_that_cannot_be_read_hides_no_other_and_can_be_removed(trained, spec, now):
    for _ in range(4):
        make_experiment(trained, "guess", {}, now=now)
    folder = trained.folder / "experiments"
    (folder / "exp-0001" / "experiment.json").unlink()
    (folder / "exp-0002" / "experiment.json").write_text("{}")
    (folder / "exp-0003" / "experiment.json").write_text('["half a li')
    found = find_experiments(trained)
    assert [each.info.experiment_id for each in found.made] == ["exp-0004"]
    assert list(found.problems) == ["exp-0003", "exp-0002", "exp-0001"]
    assert "Remove the experiment (exp-0003) and make it again." in found.problems["exp-0003"]
    for experiment_id in found.problems:
        remove_experiment(trained, experiment_id)
    assert find_experiments(trained).problems == {}


def test_the_cost_is_known_before_and_says_so_when_it_is_not(project, trained, spec):
    cost = experiment_cost(trained, "guess", {"n": 2, "full": True})
    assert str(cost) == (
        "2 quick trainings (heads on features) and 2 full trainings: about 1 s, going by run-0001."
    )


def test_without_a_run_the_time_is_unknown(project, spec):
    cost = experiment_cost(project, "guess", {"full": True})
    assert cost.seconds is None
    assert str(cost).endswith("how long is unknown: nothing has been trained here yet.")


def test_a_stop_between_trainings_keeps_nothing(trained, spec):
    with pytest.raises(Cancelled, match="was stopped"):
        make_experiment(trained, "guess", {}, should_stop=lambda: True)
    assert list_experiments(trained) == []
    assert not any((trained.folder / "experiments" / "partial").iterdir())


def test_progress_counts_trainings_and_says_what_is_left(trained, spec):
    told = []
    make_experiment(trained, "guess", {"n": 2}, on_progress=told.append)
    assert [progress.detail for progress in told] == [f"quick training {n} of 2" for n in (1, 2, 2, 2)]
    assert (told[0].done, told[-1].done) == (0, told[-1].total)
    assert told[-1].metrics["seconds_left"] == 0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gues", {}, "There is no experiment 'gues'"),
        ("guess", {"m": 2}, "it has no option 'm'"),
        ("guess", {"n": 10}, "n must lie between 1 and 9, found 10"),
        ("guess", {"n": "two"}, "n must be a whole number, found 'two'"),
        ("guess", {"n": True}, "n must be a whole number, found True"),
        ("guess", {"class": "cats"}, r"there is no class 'cats' \(did you mean 'cat'\?\)"),
    ],
)
def test_options_that_cannot_be_used_say_why(project, spec, name, options, message):
    with pytest.raises(ConfigError, match=message):
        check_experiment(project, name, options)


def test_an_experiment_waits_for_a_training_and_a_training_for_it(trained, spec):
    with running_job(trained, "train", ["train"]), pytest.raises(ProjectError, match=r"\(train\) is running"):
        start_experiment(trained, "guess", {})
    with (
        running_job(trained, "experiment", ["experiment"]),
        pytest.raises(ProjectError, match=r"\(experiment\) is running"),
        running_job(trained, "train", ["train"]),
    ):
        pass


def test_the_arguments_of_the_job_are_those_of_the_command_line(project):
    options = {"class": "cat", "drop": (25, 50), "full": True, "margin": None}
    assert experiment_arguments(project, "class-cap", options) == [
        "experiment", "class-cap", str(project.folder), "--class", "cat", "--drop", "25,50", "--full",
    ]  # fmt: skip


def test_what_is_recommended_is_applied_with_its_reason_and_taken_back(trained, spec, now):
    made = make_experiment(trained, "guess", {}, now=now)
    assert not is_applied(trained, made.info)
    apply_action(trained, "exp-0001", annotator="ada", now=now)
    assert caps_at(trained) == {"cat": 1}
    assert is_applied(trained, made.info)
    assert len(experiment_data(trained).train_items) == 3
    undo_action(trained, "exp-0001", annotator="ada", now=now)
    assert caps_at(trained) == {}
    assert not is_applied(trained, made.info)


def test_another_cap_on_the_class_is_not_the_one_that_was_recommended(trained, spec, now):
    made = make_experiment(trained, "guess", {}, now=now)
    set_cap(trained, "cat", 1, annotator="ada", now=now)
    assert not is_applied(trained, made.info)


def test_runs_that_differ_in_the_seed_alone_count_as_trainings(trained):
    folder = trained.runs_dir / "run-0001"
    assert experiment_data(trained).known_seeds == ()
    said = np.full((2, 5, 3), 1 / 3, dtype=np.float16)
    write_predictions(folder, replace(read_run(trained, "run-0001").predictions, fold_probs=said))
    assert experiment_data(trained).known_seeds == ()
    values = json.loads((folder / "run.json").read_text())
    values["dataset_version"]["fingerprint"] = trained.info.fingerprint
    (folder / "run.json").write_text(json.dumps(values))
    assert experiment_data(trained).known_seeds == (0,)


def test_heads_are_tried_where_the_newest_run_has_a_remedy_that_heads_cannot_have(
    project, add_run, spec, monkeypatch
):
    config = TrainConfig(folds=2, imbalance=FOCAL_LOSS)
    add_run(project, "run-0001", dict.fromkeys("abcdv", LEAN), config=config)
    inputs = []

    def no_features(asked):
        inputs.append(asked)
        raise RunError("There are no features.")

    monkeypatch.setattr(experiments, "_trainers", REAL_TRAINERS)
    monkeypatch.setattr("diagnostics.training.quick.prepare_quick", no_features)
    with pytest.raises(RunError, match="no features"):
        make_experiment(project, "guess", {})
    (asked,) = inputs
    assert asked.config == replace(config, imbalance=NO_REMEDY)


def test_without_labelled_validation_items_there_is_no_ruler(make_project):
    project = make_project(rows=(("a", "train", "cat"), ("b", "train", "dog")))
    with pytest.raises(DataError, match="judged by the labelled validation items, and there are none"):
        experiment_data(project)


def test_what_a_killed_experiment_left_is_removed_by_the_next_job(trained, spec):
    left = [trained.folder / "experiments" / "partial" / "exp-0004", trained.cache_dir / ".training-x"]
    for folder in left:
        folder.mkdir(parents=True)
    with running_job(trained, "experiment", ["experiment"]) as job:
        make_experiment(trained, "guess", {}, job=job)
    assert not any(folder.exists() for folder in left)
