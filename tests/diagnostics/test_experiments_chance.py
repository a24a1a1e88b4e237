"""Trainings of the same data are not called different: class cap and imbalance on trainings that differ by seed alone.

The benchmark `bench_experiments.py --only chance` measures the same on digits, with whole models too.
"""

import numpy as np
import pytest

from diagnostics.compare import ALPHA, IMPROVED, WORSE
from diagnostics.experiments import class_cap, imbalance
from diagnostics.experiments.frame import RECOMMENDED, Trainers

SIZES = {"a": 60, "b": 40, "c": 20}
N_POOL, N_EXPERIMENTS, N_SEEDS = 16, 12, 3
CAP = {"class": "a", "drop": (50,), "seeds": N_SEEDS, "margin": 2.0, "full": True}


class Pool:
    """A trainer that trains nothing: it hands out trainings of the same data, each once, whatever it is given."""

    def __init__(self, trainings, rng):
        self.left = [trainings[number] for number in rng.permutation(len(trainings))]

    def __call__(self, items, *, seed, config=None):
        return self.left.pop()


@pytest.fixture(scope="module")
def pool(made_up):
    """Data of classes that are hard to tell apart, and trainings of them with many seeds."""
    data, trainers = made_up(SIZES, ruler=dict.fromkeys(SIZES, 100), distance=1.2)
    return data, [trainers.quick(data.train_items, seed=seed) for seed in range(N_POOL)]


def test_trainings_of_the_pool_differ(pool):
    data, trainings = pool
    accuracies = {np.mean(data.ruler.predicted(one).argmax(axis=1) == data.ruler.codes) for one in trainings}
    assert len(accuracies) > N_POOL / 4


def test_a_class_cap_that_changes_nothing_is_hardly_ever_called_a_change(pool):
    data, trainings = pool
    rng = np.random.default_rng(0)
    said, recommended = [], []
    for _ in range(N_EXPERIMENTS):
        found = class_cap.run(data, Trainers(None, Pool(trainings, rng)), CAP)
        arms = found.table[found.table["arm"] == class_cap.CAPPED]
        said.append(
            (arms["others_f1_p_adjusted"] < ALPHA).any()
            or arms["class_f1_verdict"].isin((IMPROVED, WORSE)).any()
        )
        recommended.append(found.outcome == RECOMMENDED)
    assert np.mean(said) <= 2 * ALPHA
    assert not any(recommended)


def test_remedies_that_change_nothing_are_hardly_ever_called_a_change(pool):
    data, trainings = pool
    rng = np.random.default_rng(1)
    said = []
    for _ in range(N_EXPERIMENTS):
        table = imbalance.run(data, Trainers(None, Pool(trainings, rng)), {"seeds": N_SEEDS}).table
        macro = table.loc[table["metric"] == imbalance.MACRO_F1, "verdict"]
        said.append(macro.isin((IMPROVED, WORSE)).any())
    assert np.mean(said) <= 2 * ALPHA
