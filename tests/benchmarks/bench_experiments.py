"""Does the class cap recommend where it should, and only there? Is the smallest difference of Seeds the right one?

    python tests/benchmarks/bench_experiments.py
    python tests/benchmarks/bench_experiments.py --seeds 5 --drop 50,75,95
    python tests/benchmarks/bench_experiments.py --only chance --cache CACHE_FOLDER

Two projects of scikit-learn's digits (8 x 8 pixels) under noise that makes them hard to tell apart, both judged by the
same validation items, 100 of each digit. *crowded*: of one digit 50 training items and 15 near copies of each (the same
picture under other noise), of the others 20. *even*: 50 of each. Each is trained once in folds, then the class cap is
tried with heads and with whole models; the digit is named, because in both it is the same. Printed is the verdict, the
numbers, and what was said beforehand of the time that it takes.

How often experiments call equal things different: the class cap and the remedies for imbalance, their trainings all of
the same 150 digits with other seeds, drawn from a pool without putting back, and judged by 500 of the 1,647 other
digits. Every "improved", "worse" or "recommended" is false then. Whole models are those of calibration_runs.py, kept in
--cache; heads are trained on the pixels. Intervals: Wilson's, as if the experiments were independent; they share
trainings.

The smallest difference of Seeds is measured on made-up trainings: items have a difficulty, trainings are better by that
much on all of them, with new items in every draw; at the 5 % level it should be found in 80 % of the draws or a little
more.
"""

import argparse
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from bench_saturation import project_trainer
from calibration_runs import SINGLE, SPLIT_SEED, CalibrationSet, open_set, trained
from PIL import Image
from sklearn.datasets import load_digits

from curation.dataset.intake import IntakeSpec, take_in
from curation.experiments import experiment_cost, make_experiment
from curation.project import Project
from curation.runs import train_project
from diagnostics.compare import ALPHA, IMPROVED, WORSE, compare_sides
from diagnostics.experiments import class_cap, imbalance
from diagnostics.experiments.frame import RECOMMENDED, ExperimentData, Ruler, Trainers
from diagnostics.experiments.seeds import spread_of
from diagnostics.label_space import single_space
from diagnostics.measures import classes_measure
from diagnostics.metrics import proportion
from diagnostics.progress import ignore_progress
from diagnostics.task import FloatArray, IntArray, Task
from diagnostics.training.config import TrainConfig

CROWDING = 8
N_VALIDATION = 100
SIZES = {"crowded": (50, 20, 15), "even": (50, 50, 0)}
NOISE, SIZE_PX = 5.0, 8
SHOWN = [
    "way", "percent", "arm", "n_class", "n_train", "class_f1", "others_f1",
    "class_f1_difference", "class_f1_low", "class_f1_high",
    "others_f1_difference", "others_f1_low", "others_f1_high", "others_f1_p_adjusted",
]  # fmt: skip
N_TRAININGS, N_DRAWS, JITTER = 3, 200, 0.05
N_JUDGED = 500
CAP_OPTIONS = {"class": "9", "drop": (25, 50, 75), "seeds": N_TRAININGS, "margin": 2.0, "full": True}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--drop", default="95")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--only", choices=[*SIZES, "chance", "power"], default=None)
    parser.add_argument("--cache", type=Path, default=None, help="where trainings for `chance` are kept")
    parser.add_argument("--pool", type=int, default=30, help="trainings of each kind for `chance`")
    parser.add_argument("--experiments", type=int, default=200, help="of each kind for `chance`")
    options = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    for name in SIZES:
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                try_cap(Path(folder), name, options)
    if options.only in (None, "chance"):
        with tempfile.TemporaryDirectory() as folder:
            measure_chance(options.cache or Path(folder), options.pool, options.experiments)
    if options.only in (None, "power"):
        for n_items in (300, 2000):
            found, smallest = power(n_items)
            print(
                f"{n_items} items, {N_TRAININGS} trainings a side: a gain of {100 * smallest:.1f} points is found in "
                f"{found:.0%} of {N_DRAWS} draws"
            )


def try_cap(folder: Path, name: str, options: argparse.Namespace) -> None:
    """Make the project, train it, run the experiment, print what it says."""
    write_digits(folder / "data", *SIZES[name])
    intake = take_in(IntakeSpec(data=folder / "data"), on_progress=ignore_progress)
    project = Project.create(folder / "project", intake, now=datetime.now(UTC))
    train_project(
        project, TrainConfig(folds=3, planted=0.0, image_size_px=SIZE_PX, n_threads=options.threads)
    )
    chosen = {
        "class": str(CROWDING),
        "drop": tuple(int(part) for part in options.drop.split(",")),
        "seeds": options.seeds,
        "full": True,
    }
    print(f"\n{name}: {experiment_cost(project, 'class-cap', chosen)}")
    began_s = time.perf_counter()
    made = make_experiment(project, "class-cap", chosen)
    print(f"took {time.perf_counter() - began_s:.0f} s; {made.info.outcome}")
    print(made.info.verdict, made.info.why)
    print(made.info.agreement)
    with pd.option_context("display.width", 250, "display.max_columns", None):
        print(made.table[SHOWN].round(3).to_string(index=False))


def write_digits(folder: Path, n_crowding: int, n_others: int, n_copies: int) -> None:
    """Training items of the crowding digit with near copies and of the others, and validation items."""
    digits = load_digits()
    rng = np.random.default_rng(0)
    for label in range(10):
        images = digits.images[digits.target == label]
        images = images[rng.permutation(len(images))]
        held_out, rest = images[:N_VALIDATION], images[N_VALIDATION:]
        chosen = rest[: n_crowding if label == CROWDING else n_others]
        copies = n_copies if label == CROWDING else 0
        train = [image for image in chosen for _ in range(copies + 1)]
        for split, part in (("train", train), ("valid", held_out)):
            for number, image in enumerate(part):
                noisy = image + rng.normal(0, NOISE, image.shape)
                write_image(folder / split / str(label) / f"{number:04d}.png", noisy)


def write_image(path: Path, image: np.ndarray) -> None:
    """image : (8, 8) around [0, 16]"""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.clip(image * 15.9, 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(path)


class Pool:
    """A trainer that trains nothing: it hands out trainings of the same data, each once, whatever it is given."""

    def __init__(self, trainings: list[FloatArray], items: IntArray, rng: np.random.Generator) -> None:
        self.left = [trainings[number] for number in rng.permutation(len(trainings))]
        self.items = items

    def __call__(self, items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
        return np.asarray(self.left.pop()[:, self.items], dtype=np.float32)


def measure_chance(cache: Path, n_pool: int, n_experiments: int) -> None:
    """Print how often experiments on equal trainings come to a verdict."""
    found = open_set("digits", cache, cache)
    pools = {
        "heads": pool_of_heads(n_pool),
        "whole models": [trained(found, SINGLE, seed, cache) for seed in range(n_pool)],
    }
    for kind, pool in pools.items():
        rng = np.random.default_rng(0)
        false = pd.DataFrame([false_verdicts(found, pool, rng) for _ in range(n_experiments)])
        for name in false:
            rate = proportion(int(false[name].sum()), len(false))
            print(
                f"{kind}: {name} in {rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%}) of {len(false)}",
                flush=True,
            )


def pool_of_heads(n: int) -> list[FloatArray]:
    """Heads on the pixels of the digits that `calibration_runs` trains on, with n seeds."""
    digits = load_digits()
    order = pd.RangeIndex(len(digits.target)).to_series().sample(frac=1, random_state=SPLIT_SEED).to_numpy()
    train, held_out = order[:150], order[150:]
    pixels = (digits.data / 16).astype(np.float32)
    classes = tuple(map(str, range(10)))
    labels, codes = digits.target[train], digits.target[held_out]
    with tempfile.TemporaryDirectory() as folder:
        trainer = project_trainer(pixels[train], labels, pixels[held_out], codes, classes, Path(folder))
        items = pd.DataFrame({"item_id": np.arange(len(train)), "label": np.array(classes)[labels]})
        return [trainer(items, seed=seed) for seed in range(n)]


def false_verdicts(
    found: CalibrationSet, pool: list[FloatArray], rng: np.random.Generator
) -> dict[str, bool]:
    """Which verdicts one class cap and one experiment on imbalance give for trainings of the same data."""
    chosen = np.sort(rng.choice(len(found.codes), N_JUDGED, replace=False))
    data = made_up_data(found, chosen)
    capped = class_cap.run(data, Trainers(None, Pool(pool, chosen, rng)), CAP_OPTIONS)
    arms = capped.table[capped.table["arm"] == class_cap.CAPPED]
    remedies = imbalance.run(data, Trainers(None, Pool(pool, chosen, rng)), {"seeds": N_TRAININGS}).table
    said = {
        "class cap, the others in one comparison": is_said(arms["others_f1_verdict"].iloc[:1]),
        "class cap, the others over all shares": (arms["others_f1_p_adjusted"] < ALPHA).any(),
        "class cap, the class itself over all shares": is_said(arms["class_f1_verdict"]),
        "class cap, recommended": capped.outcome == RECOMMENDED,
    }
    for metric in (imbalance.ACCURACY, imbalance.MACRO_F1, imbalance.RARE_F1):
        said[f"imbalance, {metric} over all remedies"] = is_said(
            remedies.loc[remedies["metric"] == metric, "verdict"]
        )
    one = remedies[(remedies["metric"] == imbalance.CLASS_F1) & (remedies["imbalance"] == "oversample")]
    return said | {"imbalance, F1 of single classes in one comparison": is_said(one["verdict"])}


def is_said(verdicts: pd.Series) -> bool:
    return bool(verdicts.isin((IMPROVED, WORSE)).any())


def made_up_data(found: CalibrationSet, chosen: IntArray) -> ExperimentData:
    """Train items of classes of different sizes, of which nothing is learnt, and a ruler of held-out items."""
    labels = np.repeat(found.classes, np.linspace(20, 60, len(found.classes)).astype(int))
    ids = pd.Series(np.arange(len(labels)).astype(str))
    items = pd.DataFrame({"item_id": ids, "label": labels, "content_hash": ids, "unit": ids})
    ruler = Ruler(
        chosen.astype(str).astype(object),
        found.codes[chosen],
        single_space(found.classes),
        classes_measure(found.classes),
    )
    config = TrainConfig(folds=0, planted=0.0)
    return ExperimentData(items, ruler, Task("image", "single", found.classes), config, config)


def power(n_items: int) -> tuple[float, float]:
    """How often a gain of the smallest difference is found, and that difference."""
    rng = np.random.default_rng(0)
    ids, codes, classes = np.arange(n_items).astype(str).astype(object), np.arange(n_items) % 2, ("a", "b")
    ruler = Ruler(ids, codes, single_space(classes), classes_measure(classes))

    def train(difficulty: np.ndarray, gain: float = 0.0) -> np.ndarray:
        right = difficulty + rng.normal(0, JITTER, n_items) < 0.85 + gain
        return np.eye(2, dtype=np.float32)[np.where(right, ruler.codes, 1 - ruler.codes)][None]

    smallest, found = [], []
    for _ in range(N_DRAWS):
        difficulty = rng.random(n_items)
        before = [train(difficulty) for _ in range(N_TRAININGS)]
        smallest.append(float(spread_of(ruler, before).smallest_difference()[0]))
    gain = float(np.median(smallest))
    for _ in range(N_DRAWS):
        difficulty = rng.random(n_items)
        sides = [[train(difficulty, extra) for _ in range(N_TRAININGS)] for extra in (0.0, gain)]
        row = compare_sides(ruler.item_ids, ruler.codes, *sides, ruler.classes).of("accuracy")
        found.append(row["p_value"] < ALPHA and row["difference"] > 0)
    return float(np.mean(found)), gain


if __name__ == "__main__":
    main()
