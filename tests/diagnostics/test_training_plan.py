"""Which items a model trains on: labelled ones of split train that are not held back."""

import pandas as pd

from diagnostics.predictions import MEAN_OF_FOLDS, OUT_OF_FOLD
from diagnostics.task import Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.plan import HELD_BACK, kinds_of, make_plan, notes_of

TASK = Task("image", "single", ("cat", "dog"))
CONFIG = TrainConfig(folds=2, planted=0.0)
IDS = tuple("abcdefgh")


def make_items(held_back=()):
    items = pd.DataFrame({"item_id": IDS, "path": IDS, "root": 0, "split": "train", "content_hash": IDS})
    return items.assign(label=["cat", "dog"] * 4, **{HELD_BACK: items["item_id"].isin(held_back)})


def test_items_that_are_held_back_are_predicted_by_all_models_and_trained_on_by_none():
    plan = make_plan(make_items(held_back=("a", "c")), TASK, CONFIG)
    trained = {IDS[row] for model in range(2) for row in plan.trained_on(model)}
    assert trained == set(IDS) - {"a", "c"}
    assert kinds_of(plan).tolist() == [
        MEAN_OF_FOLDS if item_id in ("a", "c") else OUT_OF_FOLD for item_id in IDS
    ]
    assert notes_of(plan, TASK, CONFIG) == [
        "2 labelled train items are above the cap on their class: predicted, not trained on."
    ]


def test_without_anything_held_back_nothing_is_said_of_it():
    plan = make_plan(make_items(), TASK, CONFIG)
    assert len(plan.labelled_train) == len(IDS)
    assert notes_of(plan, TASK, CONFIG) == []
