"""An experiment's data on made-up features: no images, no networks, heads in milliseconds."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from diagnostics.experiments.frame import ExperimentData, Trainers, ruler_of
from diagnostics.modalities import Machine
from diagnostics.predictions import SharedEmbeddings
from diagnostics.task import Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.plan import make_plan
from diagnostics.training.quick import Prepared
from diagnostics.training.trainers import quick_trainer

N_HEADS = 3
N_FEATURES = 6


@pytest.fixture(scope="session")
def made_up(tmp_path_factory) -> Callable[..., tuple[ExperimentData, Trainers]]:
    """made_up({class: train items}, ruler={class: items}, distance=) → data and trainers of heads alone.

    Each class is a Gaussian cloud around its own centre, `distance` away from the origin.
    """
    folder = tmp_path_factory.mktemp("features")
    numbers = iter(range(1000))

    def make(
        sizes: Mapping[str, int], *, ruler: Mapping[str, int], distance: float = 2.2
    ) -> tuple[ExperimentData, Trainers]:
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(len(sizes), N_FEATURES))
        centres *= distance / np.linalg.norm(centres, axis=1, keepdims=True)
        rows, features = [], []
        for split, counts in (("train", sizes), ("val", ruler)):
            for centre, (label, n) in zip(centres, counts.items(), strict=True):
                rows += [(f"{split}-{label}-{number:04d}", split, label) for number in range(n)]
                features.append(centre + rng.normal(size=(n, N_FEATURES)))
        items = pd.DataFrame(rows, columns=["item_id", "split", "label"])
        items = items.assign(
            path=items["item_id"], root=0, content_hash=items["item_id"], unit=items["item_id"]
        )
        task = Task("image", "single", tuple(sizes))
        return _experiment(items, np.concatenate(features), task, folder / f"{next(numbers)}.npy")

    return make


@pytest.fixture(scope="session")
def made_up_sets(tmp_path_factory) -> Callable[..., tuple[ExperimentData, Trainers]]:
    """made_up_sets({label text: train items}, ruler={label text: items}, distance=) → data and trainers of heads alone.

    Each class adds its own centre, `distance` away from the origin, to a Gaussian cloud around it.
    """
    folder = tmp_path_factory.mktemp("features-of-sets")
    numbers = iter(range(1000))

    def make(
        sizes: Mapping[str, int], *, ruler: Mapping[str, int], distance: float = 2.2
    ) -> tuple[ExperimentData, Trainers]:
        classes = tuple(sorted({name for label in sizes for name in label.split("|")} - {"(none)"}))
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(len(classes), N_FEATURES))
        centres *= distance / np.linalg.norm(centres, axis=1, keepdims=True)
        rows, features = [], []
        for split, counts in (("train", sizes), ("val", ruler)):
            for label, n in counts.items():
                has = [name in label.split("|") for name in classes]
                rows += [(f"{split}-{label}-{number:04d}", split, label) for number in range(n)]
                features.append(centres[has].sum(axis=0) + rng.normal(size=(n, N_FEATURES)))
        items = pd.DataFrame(rows, columns=["item_id", "split", "label"])
        items = items.assign(
            path=items["item_id"], root=0, content_hash=items["item_id"], unit=items["item_id"]
        )
        path = folder / f"{next(numbers)}.npy"
        return _experiment(items, np.concatenate(features), Task("image", "multi", classes), path)

    return make


def _experiment(items, features, task, path) -> tuple[ExperimentData, Trainers]:
    config = TrainConfig(folds=0, planted=0.0)
    np.save(path, features.astype(np.float16)[None])
    plan = make_plan(items, task, config)
    rows = pd.Index(items["item_id"]).get_indexer(plan.items["item_id"])
    folds, train = plan.folds.copy(), plan.labelled_train
    folds[train] = np.arange(len(train)) % N_HEADS
    prepared = Prepared(
        plan=replace(plan, folds=folds, n_models=N_HEADS),
        shared=SharedEmbeddings(path, rows),
        machine=Machine(torch.device("cpu"), "off", 1),
        source="made-up features",
        base_run=None,
        arch="none",
    )
    ruler = ruler_of(items, task, rule=config.thresholds)
    data = ExperimentData(
        train_items=items[items["split"] == "train"].reset_index(drop=True),
        ruler=ruler,
        task=task,
        config=config,
        single=config,
    )
    heads = quick_trainer(prepared, pd.Index(ruler.item_ids), should_stop=lambda: False)
    return data, Trainers(quick=heads, full=None, quick_features=prepared.source)
