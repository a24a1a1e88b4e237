"""What the training checks are told of a run of a project."""

from dataclasses import replace

import pytest

from curation.dataset.intake import ONE_CLASS_A_ROW
from curation.label_kinds.kind import LabelForm
from curation.runs import read_run
from curation.training_checks import training_facts, training_findings
from diagnostics.training.config import TrainConfig

PROBS = dict.fromkeys("abcdvt", (0.8, 0.1, 0.1))
FOUND = TrainConfig()
TAKEN_OVER = replace(FOUND, lr=0.004)


@pytest.mark.parametrize(
    ("config", "by_hand"), [(FOUND, False), (TAKEN_OVER, False), (replace(FOUND, lr=0.1), True)]
)
def test_a_rate_that_an_earlier_run_found_is_not_set_by_hand(project, add_run, config, by_hand):
    add_run(project, "run-0001", PROBS, config=FOUND, resolved=TAKEN_OVER)
    add_run(project, "run-0002", PROBS, config=config, resolved=replace(config, lr=config.lr or 0.004))
    assert training_facts(project, read_run(project, "run-0002")).lr_by_hand is by_hand


def test_counts_are_those_of_the_items_that_the_run_learnt_from_and_is_measured_on(project, add_run):
    add_run(project, "run-0001", PROBS)
    counts = training_facts(project, read_run(project)).counts
    assert counts[["train", "val", "test"]].to_numpy().tolist() == [[2, 0, 0], [1, 1, 0], [1, 0, 1]]


def test_every_check_says_something_of_a_run_without_curves(project, add_run):
    add_run(project, "run-0001", PROBS)
    findings = training_findings(project)
    assert sorted(finding.code for finding in findings) == [f"WD{number:03}" for number in range(1, 15)]
    assert {finding.outcome for finding in findings if finding.code == "WD001"} == {"skipped"}


@pytest.mark.parametrize(
    ("label_form", "expected"), [(ONE_CLASS_A_ROW, ""), (LabelForm(separator="|"), "Weighted loss")]
)
def test_a_loss_weighted_by_label_has_a_scale_of_its_own_and_one_weighted_by_class_has_not(
    make_project, add_run, label_form, expected
):
    project = make_project(label_form=label_form)
    config = replace(FOUND, imbalance="weighted_loss")
    add_run(project, "run-0001", PROBS, config=config)
    assert training_facts(project, read_run(project)).own_scale == expected


def test_counts_of_sets_are_those_of_items_that_have_a_class(set_project, add_run):
    probs = {"a": (0.9, 0.9, 0.1), "b": (0.1, 0.9, 0.1), "c": (0.1, 0.1, 0.1), "d": (0.9, 0.9, 0.9)}
    add_run(set_project, "run-0001", probs | {"v": (0.9, 0.1, 0.9), "t": (0.1, 0.1, 0.9)})
    facts = training_facts(set_project, read_run(set_project))
    counts = facts.counts[["train", "val", "test", "val_hits"]]
    assert counts.to_numpy().tolist() == [[2, 1, 0, 1], [3, 1, 0, 0], [1, 0, 1, 0]]
    assert facts.n_items == {"train": 4, "val": 1, "test": 1}
    assert (facts.accuracy.value, facts.micro_f1.value) == (0.0, 0.5)
    assert sorted(finding.code for finding in training_findings(set_project))[-1] == "WD014"
