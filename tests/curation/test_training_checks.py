"""What the training checks are told of a run of a project."""

from dataclasses import replace

import pytest

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
