"""Does the alarm sound when validation rises alone, and keep still when validation and test rise together?

    python tests/benchmarks/bench_agreement.py [--keep FOLDER] [--folds N] [--epochs N]

Two projects on the handwritten digits that ship with Winnow, four runs each. Honest: every run has more training items.
Planted: three of ten validation labels are wrong, and every run has the same training items and more copies of
validation items among them, with the labels of these: what a careless import does. Prints both metrics on validation
and test, the verdict and the alarm.
"""

import argparse
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from curation.agreement import validation_against_test, validation_alarm
from curation.dataset.intake import IntakeSpec, take_in
from curation.project import Project
from curation.rounds import dataset_version, training_items
from data_samples import digits_folder
from diagnostics.progress import ignore_progress
from diagnostics.training.config import TrainConfig
from diagnostics.training.run import train_run

HONEST_TRAIN = (30, 60, 150, 600)
PLANTED_TRAIN, PLANTED_COPIES, WRONG = 200, (0, 50, 100, 150), 0.3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="Leave the projects here.")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    config = TrainConfig(
        folds=options.folds, epochs=options.epochs, lr=0.01, planted=0.0, n_threads=1, label_smoothing=0.0,
        augment="none",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        _show("honest", folder / "honest", [(n, 0) for n in HONEST_TRAIN], config, wrong=0.0)
        _show(
            "planted", folder / "planted", [(PLANTED_TRAIN, n) for n in PLANTED_COPIES], config, wrong=WRONG
        )


def _show(
    name: str, folder: Path, sizes: Sequence[tuple[int, int]], config: TrainConfig, *, wrong: float
) -> None:
    """sizes : of each run, training items and copies of validation items; wrong : the share of validation labels"""
    project_dir = folder / "project"
    project = Project.open(project_dir) if project_dir.is_dir() else _take_in(folder, wrong)
    for number, (n_train, n_copies) in enumerate(sizes, start=1):
        run_id = f"run-{number:04d}"
        if not (project.runs_dir / run_id / "run.json").is_file():
            _train(project, run_id, n_train, n_copies, config)
        alarm = validation_alarm(project)
        print(
            f"{name}, {run_id}: {n_train} + {n_copies} items: {'ALARM' if alarm else 'no alarm'}", flush=True
        )
    found = validation_against_test(project)
    columns = ["run_id", *(f"{split}_{metric}" for metric in found.metrics for split in ("val", "test"))]
    print(found.runs[columns].round(3).to_string(index=False))
    print(found.verdict)
    for metric, of_metric in found.metrics.items():
        print(
            f"{metric}: {of_metric.n_agreeing} of {of_metric.n_steps} steps alike, gap {of_metric.gap_trend}"
        )
    print(alarm.text if (alarm := validation_alarm(project)) else "No alarm.")
    print(flush=True)


def _train(project: Project, run_id: str, n_train: int, n_copies: int, config: TrainConfig) -> None:
    version = dataset_version(project)
    items = training_items(project, version)
    train, rest = items[items["split"] == "train"].head(n_train), items[items["split"] != "train"]
    copies = items[items["split"] == "val"].head(n_copies)
    copies = copies.assign(split="train", item_id="copy of " + copies["item_id"])
    train_run(
        pd.concat([train, copies, rest], ignore_index=True),
        project.task,
        config,
        roots=project.info.roots,
        run_dir=project.runs_dir / run_id,
        cache_dir=project.cache_dir,
        run_id=run_id,
        dataset_version=asdict(version),
        now=datetime.now(UTC),
        on_progress=ignore_progress,
        should_stop=lambda: False,
    )


def _take_in(folder: Path, wrong: float) -> Project:
    digits = digits_folder()
    val = pd.read_csv(digits / "valid.csv")
    rng = np.random.default_rng(0)
    moved = rng.random(len(val)) < wrong
    val.loc[moved, "label"] = (val.loc[moved, "label"] + rng.integers(1, 10, int(moved.sum()))) % 10
    folder.mkdir(parents=True)
    val.to_csv(folder / "val.csv", index=False)
    spec = IntakeSpec(
        data=digits / "train.csv", val=folder / "val.csv", test=digits / "test.csv", images=digits
    )
    return Project.create(
        folder / "project", take_in(spec, on_progress=ignore_progress), now=datetime.now(UTC)
    )


if __name__ == "__main__":
    main()
