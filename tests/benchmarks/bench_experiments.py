"""Does the class cap recommend where it should, and only there? Is the smallest difference of Seeds the right one?

    python tests/benchmarks/bench_experiments.py
    python tests/benchmarks/bench_experiments.py --seeds 5 --drop 50,75,95

Two projects of scikit-learn's digits (8 x 8 pixels) under noise that makes them hard to tell apart, both judged by the
same validation items, 100 of each digit. *crowded*: of one digit 50 training items and 15 near copies of each (the same
picture under other noise), of the others 20. *even*: 50 of each. Each is trained once in folds, then the class cap is
tried with heads and with whole models; the digit is named, because in both it is the same. Printed is the verdict, the
numbers, and what was said beforehand of the time that it takes.

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
from PIL import Image
from sklearn.datasets import load_digits

from curation.dataset.intake import IntakeSpec, take_in
from curation.experiments import experiment_cost, make_experiment
from curation.project import Project
from curation.runs import train_project
from diagnostics.compare import ALPHA, compare_sides
from diagnostics.experiments.frame import Ruler
from diagnostics.experiments.seeds import spread_of
from diagnostics.label_space import single_space
from diagnostics.measures import classes_measure
from diagnostics.progress import ignore_progress
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--drop", default="95")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--only", choices=[*SIZES, "power"], default=None)
    options = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    for name in SIZES:
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                try_cap(Path(folder), name, options)
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
