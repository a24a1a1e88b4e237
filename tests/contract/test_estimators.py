"""Models that are fitted at once have no learning rate; trainings of other seeds and experiments must do without it."""

from datetime import UTC, datetime

import pytest

from curation.dataset.intake import take_in
from curation.experiments import make_experiment
from curation.project import Project
from curation.replicates import replicates_of, train_seeds
from curation.run_folders import found_lr
from curation.runs import read_run
from curation.training_checks import training_findings
from diagnostics.progress import ignore_progress
from tests.contract.samples import SAMPLES

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """A project of texts with two trainings of the same thing."""
    folder = tmp_path_factory.mktemp("estimators")
    (folder / "data").mkdir()
    spec = SAMPLES["text"].data(folder / "data")
    made = Project.create(folder / "project", take_in(spec, on_progress=ignore_progress), now=NOW)
    assert train_seeds(made, SAMPLES["text"].config, 2, now=lambda: NOW) == ["run-0001", "run-0002"]
    return made


def test_trainings_of_other_seeds_belong_together_without_a_learning_rate(project):
    first = read_run(project, "run-0001").info
    assert first.resolved.lr is None
    assert found_lr(project, SAMPLES["text"].config) is None
    assert [info.config.seed for info in replicates_of(project, first)] == [0, 1]
    assert train_seeds(project, SAMPLES["text"].config, 2, now=lambda: NOW) == ["run-0001", "run-0002"]


def test_an_experiment_fits_whole_models_and_heads(project):
    found = make_experiment(project, "seeds", {"n": 3, "full": True}, now=NOW)
    assert set(found.table["way"]) == {"quick", "full"}
    assert found.info.verdict


def test_the_training_doctor_asks_for_no_curves_of_them(project):
    of_curves = {finding.code: finding for finding in training_findings(project) if finding.code <= "WD006"}
    assert of_curves
    assert {finding.outcome for finding in of_curves.values()} == {"not applicable"}
