"""The pages of a project whose items have several labels: each shows them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import app
from app import context
from curation.project import Project
from curation.reports import class_thresholds


@pytest.fixture
def project(set_folder, tmp_path, monkeypatch) -> Project:
    shutil.copytree(set_folder, tmp_path / "project")
    monkeypatch.setenv(context.PROJECT_VARIABLE, str(tmp_path / "project"))
    monkeypatch.setattr(context, "remembered_name", lambda: "ada")
    return context.current_project()


def opened(page: str) -> AppTest:
    at = AppTest.from_file(str(Path(app.__file__).with_name("main.py")), default_timeout=120).run()
    at = at.switch_page(f"views/{page}.py").run()
    assert not at.exception
    assert not at.error
    return at


@pytest.mark.parametrize(
    "page", ["data", "train", "performance", "review", "rounds", "experiments", "export"]
)
def test_a_page_is_drawn_without_a_word_on_what_it_lacks(project, page):
    assert not [box.value for box in opened(page).info if "several" in box.value]


def test_performance_shows_sets_pairs_and_thresholds(project):
    at = opened("performance")
    assert [metric.label for metric in at.metric][:3] == ["Sets right", "Micro F1", "Macro F1"]
    thresholds = class_thresholds(project, "run-0001")
    shown = at.dataframe[0].value.set_index("label")["threshold"].to_dict()
    assert shown == dict(thresholds.values)
    assert any("chosen on 60 labelled validation items" in caption.value for caption in at.caption)
    at.selectbox(key="one_class_val").select("paid").run()
    both, missed, added, neither = (metric.value for metric in at.metric[-4:])
    assert (both, missed, added, neither) == ("30", "0", "0", "30")


def test_two_runs_are_compared_on_whole_sets_and_each_class(project, add_run):
    rng = np.random.default_rng(1)
    n_classes = len(project.task.classes)
    add_run(project, "run-0002", pred_probs=rng.uniform(size=(len(project.items), n_classes)))
    at = opened("rounds")
    assert [metric.label for metric in at.metric][:5] == [
        "Sets right",
        "Micro F1",
        "Macro F1",
        "Fixed",
        "Broken",
    ]
    assert not [box.value for box in at.info if "so far" in box.value]


def test_the_queue_can_be_narrowed_to_what_may_be_missing(project):
    at = opened("review")
    at.query_params["mixed"] = "1"
    del at.query_params["suspect_label"]
    suspect = at.run().selectbox(key="review_suspect")
    assert suspect.options == [
        "Any",
        "Missing (1)",
        "Superfluous (1)",
        "late (1)",
        "late missing (1)",
        "torn (1)",
        "torn superfluous (1)",
    ]
    suspect.set_value(("missing", "late")).run()
    assert (at.query_params["suspect"], at.query_params["suspect_label"]) == ("missing", "late")


def test_review_goes_from_one_suspect_class_to_the_next(project):
    at = opened("review")
    assert at.query_params["suspect_label"] == "late"
    assert any(text.value == "**late**: 1 of 1 suspects open (1 missing)" for text in at.markdown)
    at.button(key="next_class").click().run()
    assert at.query_params["suspect_label"] == "torn"
    at.button(key="mix_classes").click().run()
    assert "suspect_label" not in at.query_params and "mixed" in at.query_params


def test_two_classes_at_once_are_said_and_can_be_let_go(project):
    at = opened("review")
    for name, value in (("given", "late"), ("given_with", "paid")):
        at.query_params[name] = value
    del at.query_params["suspect_label"]
    at.run()
    assert "Only items that are labelled with **paid**, too" in [text.value for text in at.markdown]
    at.button(key="review_drop_given_with").click().run()
    assert "given_with" not in at.query_params and at.query_params["given"] == "late"
