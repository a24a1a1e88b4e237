"""The Experiments page: what it costs before, what was found after, and what is recommended applied and taken back."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import app
from app.figures import class_cap_figure, seeds_figure
from curation import experiments
from curation.class_caps import caps_at
from curation.experiments import list_experiments, make_experiment
from curation.jobs import list_jobs
from diagnostics.experiments import seeds
from diagnostics.experiments.class_cap import CAPPED, CONTROL, NOTHING, TABLE_COLUMNS
from diagnostics.experiments.frame import CAP, FULL, RECOMMENDED, Action, Result, Trainers, Trainings
from diagnostics.experiments.options import ExperimentSpec

MAIN = Path(app.__file__).with_name("main.py")


def opened(page: str) -> AppTest:
    return AppTest.from_file(str(MAIN), default_timeout=120).run().switch_page(f"views/{page}.py").run()


def texts(at: AppTest) -> str:
    return "\n".join(str(element.value) for kind in (at.caption, at.markdown) for element in kind)


def cap_table() -> pd.DataFrame:
    rows = [
        {"arm": NOTHING, "percent": 0, "class_f1": 0.9, "others_f1": 0.7},
        {"arm": CAPPED, "percent": 50, "class_f1": 0.9, "others_f1": 0.75},
        {"arm": CONTROL, "percent": 50, "class_f1": 0.88, "others_f1": 0.69},
    ]
    for row in rows:
        row |= {"way": FULL, "label": "blue", "n_class": 3, "n_train": 9}
        for name in ("class_f1", "others_f1"):
            row |= {f"{name}_difference": 0.01, f"{name}_low": -0.01, f"{name}_high": 0.03}
            row[f"{name}_verdict"] = "cannot tell"
    return pd.DataFrame(rows).reindex(columns=list(TABLE_COLUMNS))


@pytest.fixture
def recommended(project, monkeypatch):
    """The project with a finished class cap that recommends one."""
    result = Result(
        RECOMMENDED,
        "A cap of 3 train items on `blue` is recommended.",
        cap_table(),
        why="It does no harm.",
        notes=("Nine items decide.",),
        action=Action(CAP, "Cap `blue` at 3 train items", {"class": "blue", "keep": 3}),
    )
    made = SimpleNamespace(count=lambda *_: Trainings(1, 1), run=lambda *_: result)
    with monkeypatch.context() as patched:
        patched.setattr(ExperimentSpec, "load", lambda self: made)
        patched.setattr(experiments, "_trainers", lambda *_, **__: Trainers(None, None))
        make_experiment(project, "class-cap", {"class": "blue"})
    return project


def press(at, label):
    button = next(button for button in at.button if button.label == label)
    return button.click().run()


def test_the_cost_stands_beside_the_one_main_button(project):
    at = opened("experiments")
    assert "5 full trainings of 5 models each" in texts(at)
    assert [button.label for button in at.button if button.label.startswith("Start")] == ["Start seeds"]
    assert "Begin with Seeds" in texts(at)


def test_the_cost_follows_the_options(project):
    at = opened("experiments")
    box = next(box for box in at.checkbox if box.label == "Train whole models")
    assert "full training" not in texts(box.uncheck().run())


def test_what_cannot_be_made_is_said_instead_of_a_button(project):
    at = opened("experiments")
    at.button_group[0].set_value("class-cap").run()
    assert "Class cap" not in [button.label for button in at.button]
    next(box for box in at.selectbox if box.label == "Class").select("blue").run()
    assert any("has 6 train items" in warning.value for warning in at.warning)
    assert not any(button.label.startswith("Start") for button in at.button)


def test_classes_for_whole_models_are_chosen_from_the_classes(project):
    at = opened("experiments")
    at.button_group[0].set_value("saturation").run()
    box = next(box for box in at.multiselect if box.label == "Classes for whole models")
    assert box.options == list(project.classes.names)
    assert any("A learning curve needs at least 20 train" in warning.value for warning in at.warning)


def test_the_button_starts_a_background_job_with_these_options(project, monkeypatch):
    started = []
    monkeypatch.setattr(experiments, "start_job", lambda *arguments, **_: started.append(arguments))
    press(opened("experiments"), "Start seeds")
    assert started[0][1:] == (
        "experiment",
        ["experiment", "seeds", str(project.folder), "--n", "5", "--points", "1.0", "--full"],
    )
    assert list_jobs(project) == []


def test_a_result_shows_its_verdict_first_and_its_recommendation_is_applied_and_taken_back(recommended):
    at = opened("experiments")
    assert "A cap of 3 train items on “blue” is recommended" in texts(at)
    assert "It does no harm" in texts(at)
    assert "Nine items decide" in texts(at)
    assert "Class: blue · Left out (%): 25, 50, 75" in texts(at).replace("\\", "")
    at = press(at, "Cap “blue” at 3 train items")
    assert caps_at(recommended) == {"blue": 3}
    assert "3 are only predicted · exp\\-0001" in texts(at)
    at = press(at, "Undo: Cap “blue” at 3 train items")
    assert caps_at(recommended) == {}
    at = press(at, "Take back: train on all items of “blue”")
    assert caps_at(recommended) == {"blue": 3}
    press(at, "Lift")
    assert caps_at(recommended) == {}


def test_a_folder_that_cannot_be_read_is_named_beside_the_others(recommended):
    broken, bare = (recommended.folder / "experiments" / name for name in ("exp-0002", "exp-0003"))
    broken.mkdir()
    shutil.copytree(recommended.folder / "experiments" / "exp-0001", bare)
    info = (bare / "experiment.json").read_text().replace("exp-0001", "exp-0003")
    (bare / "experiment.json").write_text(info)
    (bare / "table.parquet").unlink()
    at = opened("experiments")
    assert texts(at).count("It does no harm") == 2
    first, second = (error.value for error in at.error)
    assert "exp\\-0002" in first and "is missing" in first
    assert "Remove the experiment" in second
    at.button(key="remove_exp-0002").click().run()
    assert not broken.exists()


def test_a_result_can_be_removed(recommended):
    press(opened("experiments"), "Remove")
    assert list_experiments(recommended) == []


def test_the_class_cap_figure_has_an_interval_a_share_and_a_line_a_question():
    figure = class_cap_figure(cap_table().assign(label="<b>"))
    assert [trace.name for trace in figure.data] == [
        "&lt;b&gt; itself",
        "the other classes",
        "the others, left out from all classes",
    ]
    assert figure.data[0].y.tolist() == pytest.approx([1.0])
    assert figure.data[0].error_y.array.tolist() == pytest.approx([2.0])
    assert figure.data[0].error_y.arrayminus.tolist() == pytest.approx([2.0])


def test_the_seeds_figure_leaves_out_what_is_not_defined():
    rows = [("accuracy", "", 0.9, 0.01), ("f1", "cat", 0.8, 0.02), ("f1", "dog", float("nan"), float("nan"))]
    table = pd.DataFrame(rows, columns=["metric", "label", "mean", "sd"]).reindex(
        columns=list(seeds.TABLE_COLUMNS)
    )
    figure = seeds_figure(table)
    assert list(figure.data[0].y) == ["cat", "<b>Accuracy</b>"]
    assert list(figure.data[0].error_x.array) == [0.02, 0.01]
