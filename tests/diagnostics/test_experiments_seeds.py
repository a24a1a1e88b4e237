"""Seeds: how far numbers move, and what a validation set can show."""

import numpy as np
import pytest

from diagnostics.experiments import seeds
from diagnostics.experiments.frame import FULL, QUICK, Ruler, Trainers, Trainings
from diagnostics.label_space import single_space
from diagnostics.measures import classes_measure

OPTIONS = {"n": 4, "points": 1.0, "full": True}
CLASSES = ("cat", "dog")


def ruler_with(n_items):
    codes = np.arange(n_items) % 2
    ids = np.array([f"i{n}" for n in range(n_items)], dtype=object)
    return Ruler(ids, codes, single_space(CLASSES), classes_measure(CLASSES))


def trainings_with(ruler, shares, *, seed=0):
    """One training a share, right on that share of the items, each on its own random ones."""
    rng = np.random.default_rng(seed)
    found = []
    for share in shares:
        right = rng.permutation(len(ruler)) < round(share * len(ruler))
        predicted = np.where(right, ruler.codes, 1 - ruler.codes)
        found.append(np.eye(2, dtype=np.float32)[predicted][None])
    return found


def smallest(ruler, shares):
    return float(seeds.spread_of(ruler, trainings_with(ruler, shares)).smallest_difference()[0])


def test_the_table_has_mean_deviation_and_error_of_every_number():
    ruler = ruler_with(100)
    spread = seeds.spread_of(ruler, trainings_with(ruler, (0.80, 0.84, 0.88)))
    table = seeds.spread_table(ruler, spread, chased=0.01)
    accuracy = table[table["metric"] == "accuracy"].iloc[0]
    assert accuracy["mean"] == pytest.approx(0.84)
    assert accuracy["sd"] == pytest.approx(0.04)
    assert accuracy["se"] == pytest.approx(0.04 / np.sqrt(3))
    assert accuracy["n_trainings"] == 3
    assert len(table) == 2 + 3 * len(CLASSES)
    assert set(table["label"]) == {"", *CLASSES}


def test_more_items_and_steadier_trainings_show_smaller_differences():
    assert smallest(ruler_with(4000), (0.8,) * 4) < smallest(ruler_with(400), (0.8,) * 4) / 2
    steady, jumpy = (0.8, 0.801, 0.799, 0.8), (0.7, 0.8, 0.9, 0.75)
    assert smallest(ruler_with(1000), steady) < smallest(ruler_with(1000), jumpy)


def test_the_smallest_difference_is_the_one_that_so_many_items_show():
    ruler = ruler_with(600)
    spread = seeds.spread_of(ruler, trainings_with(ruler, (0.8,) * 4))
    found = float(spread.smallest_difference()[0])
    assert spread.n_needed(found, np.array([600.0] * spread.metrics.n_columns))[0] == pytest.approx(
        600, abs=1
    )


def test_where_training_moves_a_number_too_much_no_number_of_items_is_enough():
    ruler = ruler_with(1000)
    spread = seeds.spread_of(ruler, trainings_with(ruler, (0.6, 0.9, 0.7, 0.8)))
    assert np.isnan(spread.n_needed(0.01, np.array([1000.0] * spread.metrics.n_columns))[0])


def test_trainings_that_are_there_are_not_made_again(made_up):
    data, _ = made_up({"a": 30, "b": 30}, ruler={"a": 20, "b": 20})
    known = type(data)(data.train_items, data.ruler, data.task, data.config, data.single, known_seeds=(0, 7))
    assert seeds.count(known, OPTIONS) == Trainings(n_quick=4, n_full=2, n_known=2)
    assert seeds.seeds_of(known, 4) == [0, 7, 1, 2]
    assert seeds.count(known, OPTIONS | {"full": False}) == Trainings(n_quick=4, n_full=0)


def test_whole_models_decide_and_a_disagreement_is_said(made_up):
    data, trainers = made_up({"a": 40, "b": 40}, ruler={"a": 100, "b": 100})

    def shaky(items, *, seed, config=None):
        return trainings_with(data.ruler, (0.7 + 0.05 * seed,), seed=seed)[0]

    result = seeds.run(data, Trainers(trainers.quick, shaky), OPTIONS)
    assert result.facts["decided_by"] == FULL
    assert set(result.table["way"]) == {QUICK, FULL}
    assert result.agreement.startswith("Heads and whole models disagree")
    assert result.verdict == "The validation set is too small for differences of 1 point of accuracy."
    assert "training moves it too much" in result.why
