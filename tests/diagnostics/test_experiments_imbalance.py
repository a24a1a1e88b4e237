"""Imbalance: a remedy is recommended where it helps, and only by whole models."""

from dataclasses import replace

import numpy as np
import pytest

from diagnostics.errors import ConfigError
from diagnostics.experiments import imbalance
from diagnostics.experiments.frame import CANNOT_TELL, FULL, NOT_RECOMMENDED, QUICK, RECOMMENDED, Trainings
from diagnostics.experiments.imbalance import MACRO_F1, RARE_F1, TABLE_COLUMNS, with_remedy
from diagnostics.training.config import TrainConfig

OPTIONS = {"seeds": 2, "full": True}
SIZES = {"a": 400, "b": 400, "c": 20, "d": 12}
RULER = {"a": 150, "b": 150, "c": 150, "d": 150}


def whole_models_that(trainers, remedies_that_help):
    """Whole models that learn as heads do with weights; without a remedy that helps they learn as heads without."""

    def train(items, *, seed, config=None):
        name = "oversample" if config.imbalance in remedies_that_help else "none"
        return trainers.quick(items, seed=seed, config=TrainConfig(imbalance=name))

    return replace(trainers, full=train)


@pytest.fixture(scope="module")
def data_and_trainers(made_up):
    """Heads that are not trained twice on the same."""
    data, trainers = made_up(SIZES, ruler=RULER, distance=1.6)
    known = {}

    def train(items, *, seed, config=None):
        key = (seed, config and config.imbalance)
        if key not in known:
            known[key] = trainers.quick(items, seed=seed, config=config)
        return known[key]

    return data, replace(trainers, quick=train)


@pytest.fixture(scope="module")
def result(data_and_trainers):
    data, trainers = data_and_trainers
    return imbalance.run(data, whole_models_that(trainers, ["oversample", "focal_loss"]), OPTIONS)


def rows_of(result, way, metric):
    table = result.table
    return table[(table["way"] == way) & (table["metric"] == metric)].set_index("imbalance")


def test_what_helps_is_recommended_with_the_option_to_use(result):
    assert result.outcome == RECOMMENDED
    assert result.verdict.startswith(
        ("Use --imbalance oversample for", "Use --imbalance focal_loss for"),
    )
    assert sorted(result.facts["helping"][FULL]) == ["focal_loss", "oversample"]
    assert result.agreement.startswith("Heads and whole models agree")


def test_the_whole_and_the_rare_classes_stand_in_the_table(result):
    assert list(result.table.columns) == list(TABLE_COLUMNS)
    assert result.facts["rare_classes"] == ["d", "c"]
    own = result.table[(result.table["way"] == FULL) & (result.table["imbalance"] == "oversample")]
    assert own["metric"].tolist() == ["accuracy", MACRO_F1, RARE_F1, "F1", "F1"]
    assert own["label"].tolist() == ["", "", "", "d", "c"]
    assert own["n_labels"].tolist() == [832, 832, 32, 12, 20]
    np.testing.assert_allclose(own["after"] - own["before"], own["difference"], atol=1e-9)


def test_what_heads_cannot_tell_is_said_and_has_no_numbers(result):
    quick = result.table[result.table["way"] == QUICK].set_index("imbalance")
    assert quick.loc["focal_loss", "verdict"] == "not available in the quick estimate"
    assert quick.loc["weighted_sampling", "verdict"] == "as weighted_loss in the quick estimate"
    assert np.isnan(quick.loc["focal_loss", "difference"])


def test_a_remedy_that_changes_nothing_is_not_called_better(result):
    full = rows_of(result, FULL, MACRO_F1)
    assert full.loc[["weighted_loss", "weighted_sampling"], "difference"].tolist() == [0, 0]
    assert set(full.loc[["weighted_loss", "weighted_sampling"], "verdict"]) == {CANNOT_TELL}


def test_heads_alone_recommend_nothing(data_and_trainers):
    data, trainers = data_and_trainers
    found = imbalance.run(data, trainers, OPTIONS | {"full": False})
    assert found.outcome == CANNOT_TELL
    assert found.agreement == ""
    assert found.verdict == "By heads alone oversampling helps: train whole models to confirm it."
    assert found.why.startswith("Oversampling changes macro F1 by +")


def test_that_heads_and_whole_models_disagree_is_said(data_and_trainers):
    data, trainers = data_and_trainers
    found = imbalance.run(data, whole_models_that(trainers, []), OPTIONS)
    assert found.outcome == CANNOT_TELL or found.outcome == NOT_RECOMMENDED
    assert found.agreement.startswith("Heads and whole models disagree: by heads")
    assert found.agreement.endswith("by whole models no remedy is shown to help. Whole models count.")


def test_remedies_that_a_model_does_not_have_are_named(data_and_trainers):
    data, trainers = data_and_trainers
    whole = whole_models_that(trainers, [])

    def estimator(items, *, seed, config=None):
        if config.imbalance == "focal_loss":
            raise ConfigError("Focal loss is not available in tfidf.")
        return whole.full(items, seed=seed, config=config)

    found = imbalance.run(data, replace(trainers, full=estimator), OPTIONS)
    focal = rows_of(found, FULL, "accuracy").loc["focal_loss"]
    assert focal["verdict"] == "this model cannot be trained so"
    assert np.isnan(focal["difference"])


def test_equal_classes_have_no_rare_ones(made_up):
    data, _ = made_up({"a": 30, "b": 30}, ruler={"a": 10, "b": 10})
    assert imbalance.rare_classes(data) == []


def test_the_cost_counts_heads_for_those_that_can_be_told_apart(data_and_trainers):
    data, _ = data_and_trainers
    assert imbalance.count(data, OPTIONS) == Trainings(n_quick=6, n_full=10)
    assert imbalance.count(data, OPTIONS | {"full": False}) == Trainings(n_quick=6, n_full=0)


def test_every_remedy_goes_with_what_the_project_trains_with():
    config = TrainConfig(label_smoothing=0.2, imbalance="oversample")
    assert with_remedy(config, "focal_loss").label_smoothing == 0
    assert with_remedy(config, "weighted_loss").label_smoothing == 0.2
    focal = TrainConfig(imbalance="focal_loss", focal_gamma=1.0)
    assert with_remedy(focal, "none").focal_gamma == 2.0
    assert with_remedy(focal, "focal_loss").focal_gamma == 1.0
