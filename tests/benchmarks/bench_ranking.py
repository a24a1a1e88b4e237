"""How soon each ranking comes upon wrong labels: label quality, the loss and cleanlab's scores of the same predictions.

    python tests/benchmarks/bench_ranking.py DATA_FOLDER [--keep FOLDER] [--run SET=PROJECT ...] [--ablation]

DATA_FOLDER holds the folders cifar10n, clothing_photos and banking77, each with truth.csv (path or id, given_label,
true_label, is_error), which only this script reads. Images are trained with `winnow train` and default options, unless
--run names a project that has been trained already. Texts become TF-IDF features with logistic regression, 5 folds.
No option differs between the sets. --ablation leaves out one signal at a time. What the same signals would give if the
truth weighed them is said, too: no way of weighing them can be expected to do better.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.rank import get_label_quality_scores
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict

from curation.project import Project
from curation.run_folders import read_run
from diagnostics.dynamics import Dynamics, read_dynamics
from diagnostics.label_quality import fit_label_quality
from diagnostics.neighbours import nearest_items
from diagnostics.predictions import OUT_OF_FOLD, Predictions, object_array
from diagnostics.signals import Signals, signals_of
from diagnostics.task import label_codes
from diagnostics.training.crossval import make_folds

IMAGE_SETS = {"cifar10n": "train.csv", "clothing_photos": "train_noisy.csv"}
TEXT_SETS = {"banking77": "train_noisy.csv"}
N_FOLDS, N_COMPONENTS, N_BOOTSTRAP = 5, 256, 200
BINS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Ranked:
    """A set with its predictions, and the truth of the rows that have one."""

    predictions: Predictions
    dynamics: Dynamics | None
    content_hashes: list[str]
    rows: np.ndarray
    is_wrong: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--keep", type=Path, help="folder to keep the trained projects in")
    parser.add_argument("--run", action="append", default=[], metavar="SET=PROJECT")
    parser.add_argument("--only", nargs="*", default=[*IMAGE_SETS, *TEXT_SETS])
    parser.add_argument("--ablation", action="store_true")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    trained = dict(entry.split("=", 1) for entry in options.run)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only:
            folder = (options.keep or Path(scratch)) / name
            if name in TEXT_SETS:
                ranked = text_set(options.data / name)
            else:
                project = Path(trained[name]) if name in trained else train(options.data / name, folder)
                ranked = image_set(options.data / name, project)
            report(name, ranked, ablation=options.ablation)


def train(data: Path, project: Path) -> Path:
    started_s = time.perf_counter()
    winnow("init", project, "--data", data / IMAGE_SETS[data.name], "--images", data / "images.zip")
    winnow("train", project)
    print(f"{data.name}: trained in {time.perf_counter() - started_s:.0f} s", flush=True)
    return project


def winnow(*arguments: object) -> None:
    command = [sys.executable, "-m", "app.cli", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stderr}")


def image_set(data: Path, folder: Path) -> Ranked:
    project = Project.open(folder)
    run = read_run(project, None)
    items = project.items.set_index("item_id").loc[run.predictions.item_ids]
    truth = pd.read_csv(data / "truth.csv").set_index("path")["is_error"]
    known = items["path"].isin(truth.index).to_numpy()
    rows = np.flatnonzero(known)
    is_wrong = truth.loc[items["path"].to_numpy()[rows]].to_numpy(dtype=bool)
    hashes = items["content_hash"].astype(str).tolist()
    return Ranked(run.predictions, read_dynamics(run.folder), hashes, rows, is_wrong)


def text_set(data: Path) -> Ranked:
    """Every fold's model predicts every text; neighbours are sought in one space that no label has moved."""
    items = pd.read_csv(data / TEXT_SETS[data.name])
    truth = pd.read_csv(data / "truth.csv").set_index("id")["is_error"]
    classes = tuple(sorted(items["label"].unique()))
    codes = label_codes(items["label"], classes)
    folds = make_folds(codes, items["text"].tolist(), n_folds=N_FOLDS, seed=0)
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(items["text"])
    started_s = time.perf_counter()
    fold_probs = np.empty((N_FOLDS, len(items), len(classes)), dtype=np.float32)
    for fold in range(N_FOLDS):
        seen = folds != fold
        head = LogisticRegression(C=10, max_iter=200, tol=1e-3).fit(features[seen], codes[seen])
        fold_probs[fold] = head.predict_proba(features)
    print(f"{data.name}: trained in {time.perf_counter() - started_s:.0f} s", flush=True)
    space = TruncatedSVD(N_COMPONENTS, random_state=0).fit_transform(features).astype(np.float16)
    predictions = Predictions(
        item_ids=object_array(items["id"]),
        splits=np.full(len(items), "train", dtype=object),
        folds=folds,
        kinds=np.full(len(items), OUT_OF_FOLD, dtype=object),
        given_labels=object_array(items["label"]),
        pred_probs=fold_probs[folds, np.arange(len(items))],
        embeddings=space,
        classes=classes,
        fold_probs=fold_probs,
        fold_embeddings=space[None],
    )
    is_wrong = truth.loc[items["id"]].to_numpy(dtype=bool)
    return Ranked(predictions, None, items["text"].tolist(), np.arange(len(items)), is_wrong)


def report(name: str, ranked: Ranked, *, ablation: bool) -> None:
    started_s = time.perf_counter()
    near = nearest_items(ranked.predictions, ranked.content_hashes)
    signals = signals_of(ranked.predictions, dynamics=ranked.dynamics, near=near)
    signals_s = time.perf_counter() - started_s
    learnt = fit_label_quality(signals)
    quality = learnt.of(signals)[ranked.rows]
    all_s = time.perf_counter() - started_s
    print(
        f"\n{name}: {len(ranked.rows)} items, {ranked.is_wrong.sum()} wrong labels ({ranked.is_wrong.mean():.1%})"
    )
    print(f"signals in {signals_s:.1f} s, weights and quality in {all_s - signals_s:.1f} s")
    for weights in learnt.weights:
        told = ", ".join(f"{s} {w:.2f}" for s, w in zip(weights.signals, weights.weights, strict=True))
        print(f"  {'out of fold' if weights.out_of_fold else 'seen by none'}: {told}")
    for signal, reason in learnt.missing.items():
        print(f"  missing {signal}: {reason}")
    suspicions = competitors(ranked) | {"label quality": 1 - quality}
    print(table_of(suspicions, ranked.is_wrong).to_string(float_format="%.4f"))
    print_gain(suspicions, ranked.is_wrong)
    print_calibration(1 - quality, ranked.is_wrong)
    print_ceiling(signals, ranked, 1 - quality)
    if ablation:
        print_ablation(signals, ranked)


def competitors(ranked: Ranked) -> dict[str, np.ndarray]:
    """High = suspect."""
    codes = label_codes(ranked.predictions.given_labels, ranked.predictions.classes)[ranked.rows]
    probs = np.asarray(ranked.predictions.pred_probs, dtype=np.float64)[ranked.rows]
    probs /= probs.sum(axis=1, keepdims=True)
    suspicions = {"loss": -np.log(probs[np.arange(len(codes)), codes].clip(1e-12))}
    for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        for adjusted in (False, True):
            if method == "confidence_weighted_entropy" and adjusted:
                continue  # cleanlab refuses it
            scores = get_label_quality_scores(codes, probs, method=method, adjust_pred_probs=adjusted)
            suspicions[f"cleanlab {method}{', adjusted' if adjusted else ''}"] = -scores
    return suspicions


def table_of(suspicions: Mapping[str, np.ndarray], is_wrong: np.ndarray) -> pd.DataFrame:
    draws = np.random.default_rng(0).integers(0, len(is_wrong), (N_BOOTSTRAP, len(is_wrong)))
    rows = {}
    for name, suspicion in suspicions.items():
        order = is_wrong[np.argsort(-suspicion, kind="stable")]
        again = [average_precision_score(is_wrong[draw], suspicion[draw]) for draw in draws]
        low, high = np.quantile(again, [0.025, 0.975])
        first = max(1, int(np.ceil(0.01 * len(order))))
        rows[name] = {
            "average precision": average_precision_score(is_wrong, suspicion),
            "low": low,
            "high": high,
            "precision at 1 %": order[:first].mean(),
            "at noise rate": order[: is_wrong.sum()].mean(),
        }
    return pd.DataFrame(rows).T


def print_gain(suspicions: Mapping[str, np.ndarray], is_wrong: np.ndarray) -> None:
    """Over the best competitor, with an interval from drawing the items again, both rankings on the same draws."""
    ours = suspicions["label quality"]
    others = {name: values for name, values in suspicions.items() if values is not ours}
    best = max(others, key=lambda name: average_precision_score(is_wrong, others[name]))
    rng = np.random.default_rng(1)
    gains = []
    for _ in range(N_BOOTSTRAP):
        draw = rng.integers(0, len(is_wrong), len(is_wrong))
        gains.append(
            average_precision_score(is_wrong[draw], ours[draw])
            - average_precision_score(is_wrong[draw], others[best][draw])
        )
    gain = average_precision_score(is_wrong, ours) - average_precision_score(is_wrong, others[best])
    low, high = np.quantile(gains, [0.025, 0.975])
    print(f"gain over the best of the others, {best}: {gain:+.4f} ({low:+.4f} to {high:+.4f})")


def print_calibration(suspicion: np.ndarray, is_wrong: np.ndarray) -> None:
    print(f"wrong labels expected {suspicion.sum():.0f}, true {is_wrong.sum()}")
    for low, high in pairwise(BINS):
        inside = (suspicion >= low) & ((suspicion < high) | (high == BINS[-1]))
        if inside.any():
            said, true = suspicion[inside].mean(), is_wrong[inside].mean()
            print(f"  {low:.2f} to {high:.2f}: {inside.sum():6d} items, said {said:.3f}, true {true:.3f}")


def print_ceiling(signals: Signals, ranked: Ranked, suspicion: np.ndarray) -> None:
    """Over the items with the same signals as most: the truth of four fifths weighs those of a fifth."""
    doubts = signals.doubts(ranked.rows, signals.codes[ranked.rows])
    patterns, numbers = np.unique(~np.isnan(doubts), axis=0, return_inverse=True)
    most = np.bincount(numbers.ravel()).argmax()
    known, is_wrong = numbers.ravel() == most, ranked.is_wrong[numbers.ravel() == most]
    inputs = doubts[np.ix_(known, patterns[most])]
    by_truth = cross_val_predict(LogisticRegression(), inputs, is_wrong, cv=5, method="predict_proba")
    print(
        f"{known.sum()} items with the same signals: label quality "
        f"{average_precision_score(is_wrong, suspicion[known]):.4f}, the same signals weighed by the truth "
        f"{average_precision_score(is_wrong, by_truth[:, 1]):.4f}"
    )


def print_ablation(signals: Signals, ranked: Ranked) -> None:
    for name in signals.names:
        without = replace(signals, missing={**signals.missing, name: "left out"})
        quality = fit_label_quality(without).of(without)[ranked.rows]
        print(f"without {name}: {average_precision_score(ranked.is_wrong, 1 - quality):.4f}")


if __name__ == "__main__":
    main()
