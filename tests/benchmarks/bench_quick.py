"""Seconds of a quick round: heads of five folds, all scores, the new queue; beside scikit-learn's LogisticRegression.

    python tests/benchmarks/bench_quick.py
    python tests/benchmarks/bench_quick.py --items 50000 --features 512 --classes 20 --no-oracle
    python tests/benchmarks/bench_quick.py --items 50000 --of texts
    python tests/benchmarks/bench_quick.py --items 50000 --of rows

A project is made up whose one full run has features of five fold models for every item; its classes overlap, and 10 %
of the labels are drawn by lot. Timed is what `winnow train PROJECT --quick` does once Python and torch have started, to
the first page of the new queue, files written and read. scikit-learn fits the same five folds on the same standardised
features in float32, at the strength that the round chose, with its own tolerance and on the same cores; it neither
chooses a strength nor predicts.

With --of texts or rows the items are made-up texts or rows, and there is no run before: their features are their own.
The first round makes them and looks for what is near; the next ones find both again. The first round after a full run
also trains, once the new queue can be opened, the heads that the what-if table compares with.
"""

import argparse
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression

from curation.dataset.duplicates import leaks_of
from curation.dataset.findings import FINDING_COLUMNS
from curation.dataset.intake import Intake, IntakeSpec, take_in
from curation.dataset.sources import Columns
from curation.decisions.events import Decision
from curation.project import Project
from curation.queues import QueueQuery, open_queue
from curation.runs import read_run, train_project
from curation.what_if import what_if
from diagnostics.chunks import n_cores
from diagnostics.dynamics import Dynamics, write_dynamics
from diagnostics.image_files import ImageRoot
from diagnostics.neighbours import nearest_items, write_near_items
from diagnostics.predictions import Predictions, object_array, pick_embeddings, write_predictions
from diagnostics.progress import ignore_progress
from diagnostics.run_folder import SCORES_FILE, Run, RunInfo, write_run_info, write_table
from diagnostics.scores import scores_table
from diagnostics.task import ITEM_COLUMNS
from diagnostics.training.config import TrainConfig
from diagnostics.training.device import package_versions, pick_device

N_FOLDS = 5
N_DECISIONS = 25
WRONG_SHARE = 0.1
VALIDATION_SHARE = 0.1
LATENT = 64
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-oracle", action="store_true", help="leave scikit-learn out")
    parser.add_argument(
        "--of", choices=sorted(OWN_FEATURES), help="items with features of their own, no run before"
    )
    options = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {n_cores()} cores, torch {torch.__version__}, {pick_device()}; "
        f"{options.items:,} items, {options.features} features, {options.classes} classes, {N_FOLDS} folds"
    )
    with tempfile.TemporaryDirectory() as scratch:
        if options.of:
            project = project_of(Path(scratch), options.of, options.items, options.classes)
        else:
            project = make_project(Path(scratch), options.items, options.features, options.classes)
        for number in range(options.rounds):
            decide_some(project, number)
            timed_round(project)
        if not (options.no_oracle or options.of):
            timed_oracle(read_run(project, "run-0001"), read_run(project))


def timed_round(project: Project) -> None:
    """The new queue is there, for the app too, before the what-if table is made."""
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    taken: dict[str, float] = {}

    def open_first(project: Project, run_id: str, **options: Any) -> pd.DataFrame:
        queue = open_queue(project, QueueQuery(run_id=run_id, by="loss", decided="open"))
        queue.page(1, 60)
        taken["s"], taken["cpu_s"] = time.perf_counter() - started_s, time.process_time() - started_cpu_s
        return what_if(project, run_id, **options)

    with patch("curation.runs.what_if", open_first):
        run_id = train_project(project, TrainConfig(), quick=True)
    total_s, info = time.perf_counter() - started_s, read_run(project, run_id).info
    print(
        f"{run_id}: heads, scores and files {info.seconds:.2f} s; to the first page of the new queue "
        f"{taken['s']:.2f} s, {taken['cpu_s']:.1f} s of CPU; with the what-if table {total_s:.2f} s; "
        f"strength {info.quick and info.quick.strength:.3g}"
    )


def timed_oracle(base: Run, quick: Run) -> None:
    predictions = quick.predictions
    names = {name: code for code, name in enumerate(predictions.classes)}
    codes = np.array([names[label] for label in predictions.given_labels])
    train = predictions.splits == "train"
    taken_s, n_steps = 0.0, []
    for fold in range(N_FOLDS):
        rows = np.flatnonzero(train & (predictions.folds != fold))
        features = np.asarray(base.predictions.fold_embeddings[fold], dtype=np.float32)[rows]
        features = (features - features.mean(axis=0)) / features.std(axis=0)
        strength = quick.info.quick.strength
        model = LogisticRegression(C=1 / (strength * len(rows)), max_iter=1000)
        started_s = time.perf_counter()
        model.fit(features, codes[rows])
        taken_s += time.perf_counter() - started_s
        n_steps.append(int(model.n_iter_[0]))
    print(
        f"scikit-learn, the same five folds at that strength: {taken_s:.1f} s, steps {n_steps}; "
        f"{taken_s / quick.info.seconds:.1f} times the quick round's heads, scores and files"
    )


def project_of(folder: Path, kind: str, n_items: int, n_classes: int) -> Project:
    """Items of which each class has its own words or numbers; 10 % of the labels are drawn by lot."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, n_classes, n_items)
    table = OWN_FEATURES[kind](codes, n_classes, rng)
    wrong = rng.random(n_items) < WRONG_SHARE
    codes[wrong] = rng.integers(0, n_classes, wrong.sum())
    table["label"] = [f"class {code:03}" for code in codes]
    table.insert(0, "id", [f"{number:08}" for number in range(n_items)])
    table.to_csv(folder / "items.csv", index=False)
    spec = IntakeSpec(data=folder / "items.csv", val_fraction=VALIDATION_SHARE)
    return Project.create(folder / "project", take_in(spec, on_progress=ignore_progress), now=NOW)


def _texts(codes: np.ndarray, n_classes: int, rng: np.random.Generator) -> pd.DataFrame:
    """20 words each: 4 of 40 that the class likes, 16 of 20,000 that all use, few of them often."""
    own = rng.integers(0, 20_000, (n_classes, 40))
    said = own[codes[:, None], rng.integers(0, 40, (len(codes), 4))]
    common = np.minimum(rng.zipf(1.3, (len(codes), 16)), 20_000)
    return pd.DataFrame({"text": [" ".join(f"w{word}" for word in row) for row in np.hstack([said, common])]})


def _rows(codes: np.ndarray, n_classes: int, rng: np.random.Generator) -> pd.DataFrame:
    """30 numbers around those of the class."""
    values = rng.normal(size=(n_classes, 30))[codes] + 2 * rng.normal(size=(len(codes), 30))
    return pd.DataFrame(values, columns=[f"x{number}" for number in range(30)])


OWN_FEATURES = {"texts": _texts, "rows": _rows}


def make_project(folder: Path, n_items: int, n_features: int, n_classes: int) -> Project:
    rng = np.random.default_rng(0)
    classes = tuple(f"class {number:03}" for number in range(n_classes))
    codes = rng.integers(0, n_classes, n_items)
    centres = rng.normal(size=(n_classes, LATENT)) * 0.4
    latent = (centres[codes] + rng.normal(size=(n_items, LATENT))).astype(np.float32)
    wrong = rng.random(n_items) < WRONG_SHARE
    codes[wrong] = rng.integers(0, n_classes, wrong.sum())
    splits = np.where(rng.random(n_items) < VALIDATION_SHARE, "val", "train").astype(object)
    labels = object_array([classes[code] for code in codes])
    project = Project.create(folder / "project", _intake(labels, splits, classes, folder), now=NOW)
    _write_base(project, latent, codes, labels, splits, n_features)
    return project


def _intake(labels: np.ndarray, splits: np.ndarray, classes: tuple[str, ...], folder: Path) -> Intake:
    n_items = len(labels)
    columns = {
        "item_id": [f"{number:08}.png" for number in range(n_items)],
        "path": [f"{number:08}.png" for number in range(n_items)],
        "root": 0,
        "split": splits,
        "given_label": labels,
        "source": "items.csv",
        "source_row": range(n_items),
        "content_hash": [f"{number:032x}" for number in range(n_items)],
        "width": 8,
        "height": 8,
        "group": None,
        "unit": [f"{number:032x}" for number in range(n_items)],
    }
    texts = dict.fromkeys(("item_id", "path", "split", "given_label", "source", "content_hash"), "str")
    items = pd.DataFrame(columns).astype(texts)[[*ITEM_COLUMNS, "width", "height"]]
    return Intake(
        modality="image",
        items=items,
        leaks=leaks_of(items, None),
        findings=pd.DataFrame(columns=list(FINDING_COLUMNS)),
        classes=classes,
        roots=(ImageRoot("folder", folder),),
        fingerprint="f" * 64,
        columns=Columns(path="path", label="label"),
        seed=0,
        val_fraction=VALIDATION_SHARE,
    )


def _write_base(
    project: Project,
    latent: np.ndarray,
    codes: np.ndarray,
    labels: np.ndarray,
    splits: np.ndarray,
    n_features: int,
) -> None:
    """The full run: each model sees the latent values through rectified units of its own. What training said of the
    items is drawn by lot."""
    rng = np.random.default_rng(1)
    n_items = len(labels)
    features = np.empty((N_FOLDS, n_items, n_features), dtype=np.float16)
    for model in range(N_FOLDS):
        weights = rng.normal(size=(LATENT, n_features)).astype(np.float32) / np.sqrt(LATENT)
        noise = rng.normal(size=(n_items, n_features)).astype(np.float32)
        features[model] = np.maximum(0, latent @ weights + noise / 2)
    train = splits == "train"
    folds = np.where(train, np.arange(n_items) % N_FOLDS, -1)
    kinds = object_array(np.where(train, "out_of_fold", "mean_of_folds"))
    pred_probs = np.full((n_items, len(project.task.classes)), 0.5 / (len(project.task.classes) - 1))
    pred_probs[np.arange(n_items), codes] = 0.5
    predictions = Predictions(
        item_ids=object_array(project.items["item_id"]),
        splits=splits,
        folds=folds,
        kinds=kinds,
        given_labels=labels,
        pred_probs=pred_probs.astype(np.float32),
        embeddings=pick_embeddings(features, kinds, folds),
        classes=project.task.classes,
        fold_probs=rng.dirichlet(np.ones(len(project.task.classes)), (N_FOLDS, n_items)).astype(np.float16),
        fold_embeddings=features,
    )
    run_dir = project.runs_dir / "run-0001"
    write_predictions(run_dir, predictions)
    write_near_items(run_dir, nearest_items(predictions, None))
    planted = np.flatnonzero(train)[::50]
    said = rng.dirichlet(np.ones(len(project.task.classes)), n_items)
    models = (folds[planted] + 1) % N_FOLDS
    write_dynamics(run_dir, Dynamics(said, planted, (codes[planted] + 1) % 2, models, said[planted]))
    write_table(run_dir / SCORES_FILE, scores_table(predictions))
    info = RunInfo(
        run_id="run-0001", created_at=NOW, finished_at=NOW, seconds=1.0, config=TrainConfig(), resolved=TrainConfig(),
        classes=project.task.classes,
        dataset_version={"number": 0, "fingerprint": "f", "event": 0, "class_change": 0},
        device="cpu", n_threads=1, versions=package_versions(), n_train=int(train.sum()), n_folds=N_FOLDS,
        in_sample=False, arch="small_cnn", pretrained=False,
    )  # fmt: skip
    write_run_info(run_dir, info)


def decide_some(project: Project, number: int) -> None:
    """A person's decisions between two rounds: items of the next stretch get another class."""
    classes = project.task.classes
    train = project.items["item_id"][project.items["split"] == "train"]
    ids = train.iloc[number * N_DECISIONS : (number + 1) * N_DECISIONS]
    decisions = [Decision(item_id, "label_wrong", classes[number % len(classes)]) for item_id in ids]
    project.decisions.decide(decisions, annotator="ada", now=datetime.now(UTC))


if __name__ == "__main__":
    main()
