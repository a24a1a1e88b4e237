"""How often the intervals of the saturation experiment hold what more labels really bring, where that is known.

    python tests/benchmarks/bench_saturation.py --worlds 20

Each world is a set of made-up classes, every one a mixture of Gaussian clouds, some labels perhaps drawn by lot. The
experiment sees the train labels and 400 validation items, and trains as a project does. The truth is what training anew
with so many more labels of one class does to its F1 on 8,000 other items, for each of several draws of those labels.
"""

import argparse
import os
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats

from diagnostics.experiments.frame import QUICK, ExperimentData, Ruler, Trainer
from diagnostics.experiments.saturation import (
    HELPS,
    SATURATED,
    curves_table,
    judged_classes,
    learning_curves,
)
from diagnostics.label_space import single_space
from diagnostics.measures import classes_measure
from diagnostics.metrics import class_report
from diagnostics.modalities import Machine
from diagnostics.predictions import SharedEmbeddings
from diagnostics.task import FloatArray, IntArray, Task, label_codes
from diagnostics.training.config import TrainConfig
from diagnostics.training.heads import HeadFold, fit_linear_heads
from diagnostics.training.outcomes import SoftmaxOutcome
from diagnostics.training.plan import make_plan
from diagnostics.training.quick import Prepared
from diagnostics.training.trainers import quick_trainer

CLASSES = ("a", "b", "c", "d", "e")
SIZES = ((120, 60, 200, 40, 90), (300, 80, 150, 50, 25))
N_FEATURES, N_CLOUDS, N_FOLDS = 24, 3, 5
N_VALIDATION, N_TRUTH, N_TRUE_DRAWS = 400, 8000, 10


class World:
    """Clouds that items are drawn from, and a trainer on them."""

    def __init__(self, seed: int, sizes: tuple[int, ...], noise: float) -> None:
        self.rng = np.random.default_rng(seed)
        self.sizes, self.noise = np.array(sizes), noise
        distance = self.rng.uniform(0.35, 0.55)
        centres = self.rng.normal(size=(len(sizes), 1, N_FEATURES))
        self.centres = distance * (centres + 0.8 * self.rng.normal(size=(len(sizes), N_CLOUDS, N_FEATURES)))
        self.codes = np.repeat(np.arange(len(sizes)), sizes)
        self.features = self.draw(self.codes)

    def draw(self, codes: IntArray) -> FloatArray:
        clouds = self.rng.integers(0, N_CLOUDS, len(codes))
        return (self.centres[codes, clouds] + self.rng.normal(size=(len(codes), N_FEATURES))).astype(
            np.float32
        )

    def noisy(self, codes: IntArray) -> IntArray:
        wrong = self.rng.random(len(codes)) < self.noise
        return np.where(wrong, self.rng.integers(0, len(self.sizes), len(codes)), codes)

    def held_out(self, n: int) -> tuple[IntArray, FloatArray]:
        codes = np.repeat(np.arange(len(self.sizes)), np.round(n * self.sizes / self.sizes.sum()).astype(int))
        return codes, self.draw(codes)

    def trainer(self, features: FloatArray, held_out: FloatArray) -> Trainer:
        """Heads on the rows that item ids name."""

        def train(items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
            rows = items["item_id"].to_numpy(dtype=int)
            values = np.concatenate([features[rows], held_out])
            fold = np.random.default_rng(seed).permutation(len(rows)) % N_FOLDS
            parts = [
                HeadFold(lambda: values, np.flatnonzero(fold != k), np.flatnonzero(fold == k))
                for k in range(N_FOLDS)
            ]
            codes = np.concatenate([label_codes(items["label"], CLASSES), np.full(len(held_out), -1)])
            weights = items["weight"].to_numpy() if "weight" in items else np.ones(len(rows))
            weights = np.concatenate([weights, np.ones(len(held_out))])
            outcome = SoftmaxOutcome(torch.from_numpy(codes), len(CLASSES))
            heads = fit_linear_heads(
                parts, outcome, n_items=len(codes), device=torch.device("cpu"), weights=weights
            )
            return heads.fold_probs[:, len(rows) :]

        return train


def project_trainer(
    features: FloatArray,
    labels: IntArray,
    held_out: FloatArray,
    codes: IntArray,
    classes: tuple[str, ...],
    folder: Path,
) -> Trainer:
    """The quick trainer of a project with these train and validation items; their ids are numbers in this order.

    folder : where the features are kept
    """
    n_train, n = len(labels), len(labels) + len(codes)
    items = pd.DataFrame({"item_id": np.arange(n).astype(str), "label": np.array(classes)[[*labels, *codes]]})
    items = items.assign(
        path=items["item_id"],
        root=0,
        split=np.where(np.arange(n) < n_train, "train", "val"),
        content_hash=items["item_id"],
        unit=items["item_id"],
    )
    plan = make_plan(items, Task("image", "single", classes), TrainConfig(folds=0, planted=0.0))
    rows = plan.items["item_id"].astype(int).to_numpy()
    folds = np.where(rows < n_train, np.random.default_rng(0).permutation(n) % N_FOLDS, -1)
    np.save(folder / "features.npy", np.concatenate([features, held_out])[None])
    prepared = Prepared(
        plan=replace(plan, folds=folds, n_models=N_FOLDS),
        shared=SharedEmbeddings(folder / "features.npy", rows),
        machine=Machine(torch.device("cpu"), "off", 1),
        source="made-up features",
        base_run=None,
        arch="none",
    )
    trainer = quick_trainer(prepared, pd.Index(items["item_id"][n_train:]), should_stop=lambda: False)

    def train(items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
        return trainer(items.assign(item_id=items["item_id"].astype(str)), seed=seed, config=config)

    return train


def items_of(codes: IntArray, weights: FloatArray | None = None) -> pd.DataFrame:
    items = pd.DataFrame({"item_id": np.arange(len(codes)), "label": np.array(CLASSES)[codes]})
    return items if weights is None else items.assign(weight=weights)


def f1_of(probs: FloatArray, codes: IntArray) -> FloatArray:
    predicted = probs.mean(axis=0).argmax(axis=1).astype(np.int64)
    return class_report(codes, predicted, CLASSES).table["f1"].to_numpy(dtype=float)


def study(seed: int, sizes: tuple[int, ...], noise: float, *, n_draws: int, n_more: int) -> pd.DataFrame:
    """One row a class: what the experiment said, and the truth."""
    world = World(seed, sizes, noise)
    labels = world.noisy(world.codes)
    codes, held_out = world.held_out(N_VALIDATION)
    task = Task("image", "single", CLASSES)
    ids = np.arange(len(codes)).astype(object)
    ruler = Ruler(ids, codes, single_space(CLASSES), classes_measure(CLASSES))
    config = TrainConfig(seed=seed)
    data = ExperimentData(items_of(labels), ruler, task, config, config)
    with tempfile.TemporaryDirectory() as folder:
        trainer = project_trainer(world.features, labels, held_out, codes, CLASSES, Path(folder))
        judged = judged_classes(data)
        curves = learning_curves(data, trainer, judged, n_draws=n_draws, n_more=n_more)
    table = curves_table(data, curves, QUICK).set_index("label")
    return table.join(_truth(world, labels, n_more)).dropna().assign(noise=noise)


def _truth(world: World, labels: IntArray, n_more: int) -> pd.DataFrame:
    """Columns truth, truths: the mean gain over the draws of labels and the gain of each."""
    codes, held_out = world.held_out(N_TRUTH)
    counts = np.bincount(labels, minlength=len(CLASSES))
    plain = world.trainer(world.features, held_out)
    now = np.mean([f1_of(plain(items_of(labels), seed=k), codes) for k in range(N_TRUE_DRAWS)], axis=0)
    gains: dict[str, list[float]] = {}
    for code, label in enumerate(CLASSES):
        found = []
        for draw in range(N_TRUE_DRAWS):
            more = np.full(n_more, code)
            features = np.concatenate([world.features, world.draw(more)])
            all_labels = np.concatenate([labels, world.noisy(more)])
            weights = np.where(all_labels == code, counts[code] / (counts[code] + n_more), 1.0)
            trainer = world.trainer(features, held_out)
            found.append(f1_of(trainer(items_of(all_labels, weights), seed=draw), codes)[code])
        gains[label] = [float(value - now[code]) for value in found]
    return pd.DataFrame({"truths": gains}).assign(truth=lambda table: table["truths"].map(np.mean))


def report(table: pd.DataFrame, title: str) -> None:
    each = table.explode("truths")
    held = (table["gain_low"] <= table["truth"]) & (table["truth"] <= table["gain_high"])
    held_each = (each["gain_low"] <= each["truths"]) & (each["truths"] <= each["gain_high"])
    sure = stats.binomtest(int(held.sum()), len(held)).proportion_ci()
    helped, saturated = (table[table["verdict"] == verdict] for verdict in (HELPS, SATURATED))
    print(
        f"{title}: {held.mean():.3f} of {len(held)} intervals hold the mean gain ({sure.low:.3f} to {sure.high:.3f}), "
        f"{held_each.mean():.3f} the gain of one draw; "
        f"mean width {100 * (table['gain_high'] - table['gain_low']).mean():.1f} points, bias "
        f"{100 * (table['gain'] - table['truth']).mean():+.2f}, root mean square error "
        f"{100 * np.sqrt(((table['gain'] - table['truth']) ** 2).mean()):.2f}. “{HELPS}” {len(helped)} times, true "
        f"gain above 0 in {(helped['truth'] > 0).sum()}; “{SATURATED}” {len(saturated)} times, true gain below 1 point "
        f"in {(saturated['truth'] < 0.01).sum()}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first world")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--more", type=int, default=50)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began_s, tables = time.monotonic(), []
    for number in range(arguments.first, arguments.first + arguments.worlds):
        sizes, noise = SIZES[number % 2], 0.1 * (number // 2 % 2)
        found = study(number, sizes, noise, n_draws=arguments.draws, n_more=arguments.more)
        tables.append(found)
        report(pd.concat(tables), f"{len(tables)} worlds, {time.monotonic() - began_s:.0f} s")
    table = pd.concat(tables)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    report(table, "All")
    for noise, rows in table.groupby("noise"):
        report(rows, f"{100 * float(noise):.0f} % of the labels drawn by lot")
    for few, rows in table.groupby(table["n_labels"] < 2 * arguments.more):
        report(rows, f"{'Fewer' if few else 'No fewer'} than {2 * arguments.more} labels")


if __name__ == "__main__":
    main()
