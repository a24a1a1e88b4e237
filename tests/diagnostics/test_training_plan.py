"""Who is trained on, held out and measured: decided by split and by what belongs together."""

import numpy as np
import pandas as pd
import pytest

from diagnostics.errors import DataError
from diagnostics.predictions import MEAN_OF_FOLDS, OUT_OF_FOLD
from diagnostics.task import Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.plan import (
    HELD_BACK,
    TRAIN_COLUMNS,
    WEIGHT,
    copies_of,
    kinds_of,
    make_plan,
    notes_of,
)

TASK = Task("image", "single", ("cat", "dog"))
CONFIG = TrainConfig(folds=2, planted=0.0)
IDS = tuple("abcdefgh")
SPLITS = ["train"] * 24 + ["val"] * 6 + ["test"] * 6 + ["unlabelled"] * 4


@pytest.fixture
def items() -> pd.DataFrame:
    """40 items of two classes in four splits, each a unit of its own."""
    ids = [f"i{number:02}" for number in range(len(SPLITS))]
    table = pd.DataFrame(
        {
            "item_id": ids,
            "path": ids,
            "root": 0,
            "split": SPLITS,
            "label": ["cat", "dog"] * 20,
            "content_hash": ids,
        }
    )
    return table.assign(unit=table["content_hash"])


@pytest.mark.parametrize("config", [TrainConfig(folds=3, planted=0.2), TrainConfig(folds=0)])
@pytest.mark.parametrize("without", ["", "val"])
def test_no_model_learns_from_a_test_item_or_is_chosen_by_one(items, config, without):
    plan = make_plan(items[items["split"] != without], TASK, config)
    is_test = (plan.items["split"] == "test").to_numpy()
    assert is_test.sum() == 6
    used = [plan.labelled_train, *plan.evaluated, *(planted.positions for planted in plan.planted)]
    used += [plan.trained_on(model) for model in range(plan.n_models)]
    assert not is_test[np.concatenate(used)].any()
    assert (plan.folds[is_test] == -1).all()


def test_items_of_one_unit_are_held_out_by_one_model(items):
    grouped = items.assign(unit=[f"patient {number // 4}" for number in range(len(items))])
    plan = make_plan(grouped, TASK, TrainConfig(folds=3))
    train = plan.items[(plan.items["split"] == "train")].assign(fold=plan.folds[plan.labelled_train])
    assert train.groupby("unit")["fold"].nunique().tolist() == [1] * 6
    assert set(train["fold"]) == {0, 1, 2}


def test_too_few_units_for_the_folds_are_said_to_be_too_few(items):
    with pytest.raises(DataError, match=r"neither copies of one another nor of one group, found 2"):
        make_plan(items.assign(unit=items["label"]), TASK, TrainConfig(folds=5))


@pytest.mark.parametrize("column", TRAIN_COLUMNS[1:])
def test_a_missing_column_is_named(items, column):
    with pytest.raises((DataError, KeyError), match=column):
        make_plan(items.drop(columns=column), TASK, TrainConfig())


def make_items(held_back=()):
    items = pd.DataFrame(
        {"item_id": IDS, "path": IDS, "root": 0, "split": "train", "content_hash": IDS, "unit": IDS}
    )
    return items.assign(label=["cat", "dog"] * 4, **{HELD_BACK: items["item_id"].isin(held_back)})


def test_items_that_are_held_back_are_predicted_by_all_models_and_trained_on_by_none():
    plan = make_plan(make_items(held_back=("a", "c")), TASK, CONFIG)
    trained = {IDS[row] for model in range(2) for row in plan.trained_on(model)}
    assert trained == set(IDS) - {"a", "c"}
    assert kinds_of(plan).tolist() == [
        MEAN_OF_FOLDS if item_id in ("a", "c") else OUT_OF_FOLD for item_id in IDS
    ]
    assert notes_of(plan, CONFIG) == [
        "2 labelled train items are above the cap on their class: predicted, not trained on."
    ]


def test_without_anything_held_back_nothing_is_said_of_it():
    plan = make_plan(make_items(), TASK, CONFIG)
    assert len(plan.labelled_train) == len(IDS)
    assert notes_of(plan, CONFIG) == []


def test_items_that_weigh_more_are_trained_on_more_often_and_so_does_their_class_count(items):
    weighed = items[(items["label"] == "dog") | (items.index < 4)]
    weighed = weighed.assign(**{WEIGHT: np.where(weighed["label"] == "cat", 5.5, 1.0)})
    plan = make_plan(weighed, TASK, TrainConfig(folds=0))
    trained = plan.codes[plan.trained_on(0)]
    assert np.bincount(trained).tolist() == [11, 12]
    assert plan.n_shown(0, TrainConfig(folds=0)) == 23
    assert len(plan.labelled_train) == 14
    plain = make_plan(weighed.drop(columns=WEIGHT), TASK, TrainConfig(folds=0))
    assert plain.trained_on(0).tolist() == plain.labelled_train.tolist()


def test_copies_differ_by_one_at_most_and_an_item_of_no_weight_has_none():
    copies = copies_of(np.array([0.0] * 5 + [1.0] * 5 + [2.3] * 10), seed=3)
    assert copies[:10].tolist() == [0] * 5 + [1] * 5
    assert sorted(copies[10:]) == [2] * 7 + [3] * 3
    assert (copies == copies_of(np.array([0.0] * 5 + [1.0] * 5 + [2.3] * 10), seed=3)).all()
    assert (copies != copies_of(np.array([0.0] * 5 + [1.0] * 5 + [2.3] * 10), seed=4)).any()
