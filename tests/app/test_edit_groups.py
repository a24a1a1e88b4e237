"""The part of the Rounds page on what each group of edits bought."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import context
from curation import experiments
from curation.decisions.events import Decision
from curation.edits_overview import edits_overview
from curation.experiments import make_experiment
from curation.rounds import close_round, dataset_version
from diagnostics.experiments.edits import ADDITIONS, RELABELS
from diagnostics.experiments.frame import QUICK, Trainers


def shown() -> AppTest:
    def page():
        from app import context
        from app.widgets.edit_groups import edit_groups

        edit_groups(context.current_project())

    return AppTest.from_function(page, default_timeout=60).run()


def texts(at: AppTest) -> str:
    return "\n".join(str(each.value) for kind in (at.caption, at.markdown, at.warning) for each in kind)


@pytest.fixture
def edited(project):
    """Two train items relabelled and one unlabelled item added, in a closed round."""
    items = project.items
    train = items.loc[items["split"] == "train", "item_id"].tolist()
    labels = project.decisions.labels_at(0).set_index("item_id")["given_label"]
    new = {"blue": "green", "green": "red", "red": "blue"}
    decisions = [Decision(item_id, "label_wrong", label=new[labels[item_id]]) for item_id in train[:2]]
    added = items.loc[items["split"] == "unlabelled", "item_id"].iloc[0]
    decisions.append(Decision(added, "labelled", label="red"))
    project.decisions.decide(decisions, annotator="ada", now=context.now())
    close_round(project, "ada", context.now())
    return project


@pytest.fixture
def asked(edited, monkeypatch):
    """An experiment that says what the edits bought, by trainings that learn nothing."""
    monkeypatch.setattr(experiments, "_trainers", _guessing)
    make_experiment(edited, "edits", {"seeds": 2})
    return edited


def _guessing(project, version, data, watch, **_):
    def train(items, *, seed, config=None):
        rng = np.random.default_rng(seed)
        return rng.dirichlet(np.ones(len(data.task.classes)), size=(2, len(data.ruler)))

    return Trainers(quick=watch.over(QUICK, train), full=None, quick_features="made-up features")


def test_without_edits_it_says_what_to_do(project):
    at = shown()
    assert not at.exception
    assert "no relabels" in texts(at)
    assert "Decide on train items in Review and close the round." in texts(at)
    assert not at.button


def test_edits_are_counted_and_the_cost_of_asking_stands_beside_the_button(edited):
    at = shown()
    assert not at.exception
    assert "2 relabels, no removals, 1 addition, no items held back by caps" in texts(at).replace("\\", "")
    assert at.button(key="ask_edits").label == "Estimate what each group bought"
    assert "Cost: 12 quick trainings" in texts(at).replace("\\", "")


def test_what_was_found_is_shown_and_full_training_is_offered(asked):
    at = shown()
    assert not at.exception
    assert "As far as a quick estimate can tell, the 3 edits since the source" in texts(at).replace("\\", "")
    assert at.button(key="ask_edits").label == "Confirm the largest by full training"


def test_after_another_round_the_old_answer_is_called_old_and_a_new_one_offered(asked):
    close_round(asked, "ada", context.now())
    at = shown()
    assert "That was on dataset version 1" in texts(at)
    assert at.button(key="ask_edits").label == "Estimate what each group bought"


def test_the_overview_counts_edits_by_group(edited):
    found = edits_overview(edited)
    assert found.edits.counts()[RELABELS] == 2
    assert found.edits.counts()[ADDITIONS] == 1
    assert (found.experiment, found.is_current, found.problem) == (None, False, "")
    assert dataset_version(edited).number == 1
