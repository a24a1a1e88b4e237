"""How well suspect labels of short texts are found, by each model and by quick rounds, and how long that takes.

    python tests/benchmarks/bench_text.py --data FOLDER [--arch tfidf awd_lstm] [--threads N]

FOLDER holds train_noisy.csv (id, text, label), truth.csv (id, is_error) and test.csv (id, text, label). The truth is
only scored with: average precision of the training texts in the order of the loss, of the margin and of the label
quality. Beside them stands the baseline: TF-IDF of words and pairs and scikit-learn's logistic regression, five folds.
Quick rounds are made twice, the second time on labels that were shuffled: they must then know nothing.
"""

import argparse
import hashlib
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from diagnostics.predictions import OUT_OF_FOLD
from diagnostics.progress import ignore_progress
from diagnostics.run_folder import Run, read_run_folder
from diagnostics.scores import score_items
from diagnostics.task import FloatArray, Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.crossval import make_folds
from diagnostics.training.quick import QuickInputs, train_quick_run
from diagnostics.training.run import train_run

VERSION = {"number": 0, "fingerprint": "benchmark", "event": 0}
N_FOLDS = 5


class Stopwatch:
    """Seconds since it was made, and of CPU, of this process and those that it started and that have ended."""

    def __init__(self) -> None:
        self.began = os.times()

    def __str__(self) -> str:
        now = os.times()
        cpu_s = sum(now[:4]) - sum(self.began[:4])
        return f"{now.elapsed - self.began.elapsed:.1f} s, {cpu_s:.1f} s of CPU"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--arch", nargs="*", default=["tfidf"])
    parser.add_argument("--folds", type=int, default=N_FOLDS)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--baseline", action="store_true")
    options = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    items, is_error = read_items(options.data)
    task = Task("text", "single", tuple(sorted(items["label"].dropna().unique())))
    print(
        f"{len(is_error):,} training texts, {len(task.classes)} classes, {is_error.mean():.1%} wrong labels"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if options.baseline:
            baseline(items, task, is_error)
        quick(items, task, is_error, folder, "quick round")
        shuffled = items.copy()
        train = (items["split"] == "train").to_numpy()
        shuffled.loc[train, "label"] = np.random.default_rng(0).permutation(items.loc[train, "label"])
        quick(shuffled, task, is_error, folder, "quick round, labels shuffled")
        for arch in options.arch:
            config = TrainConfig(
                arch=arch,
                folds=options.folds,
                n_threads=options.threads,
                epochs=None if arch == "tfidf" else options.epochs,
                lr=None if arch == "tfidf" else options.lr,
            )
            whole(items, task, is_error, folder, config)


def read_items(data: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Training and test texts as training takes them, and what is wrong, by item_id."""
    parts = [
        pd.read_csv(data / f"{name}.csv").assign(split=split)
        for name, split in (("train_noisy", "train"), ("test", "test"))
    ]
    table = pd.concat(parts, ignore_index=True).rename(columns={"id": "item_id"})
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in table["text"]]
    table = table.assign(path="", root=0, content_hash=hashes, unit=hashes)
    return table, pd.read_csv(data / "truth.csv").set_index("id")["is_error"].astype(bool)


def baseline(items: pd.DataFrame, task: Task, is_error: pd.Series) -> None:
    watch = Stopwatch()
    train = items[items["split"] == "train"]
    codes = pd.Index(task.classes).get_indexer(pd.Index(train["label"])).astype(np.int64)
    folds = make_folds(codes, train["unit"].tolist(), n_folds=N_FOLDS, seed=0)
    counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(train["text"])
    probs = np.zeros((len(train), len(task.classes)))
    for fold in range(N_FOLDS):
        model = LogisticRegression(C=10, max_iter=200).fit(counts[folds != fold], codes[folds != fold])
        probs[folds == fold] = model.predict_proba(counts[folds == fold])
    scores = score_items(codes, probs)
    found = {"loss": -scores.loss, "margin": scores.margin}
    print_precision("baseline", found, is_error.loc[train["item_id"]], watch)


def quick(items: pd.DataFrame, task: Task, is_error: pd.Series, folder: Path, name: str) -> None:
    watch = Stopwatch()
    by_id = items.set_index("item_id")
    inputs = QuickInputs(
        items=items, task=task, config=TrainConfig(folds=N_FOLDS), base=None, content_of=by_id["content_hash"],
        unit_of=by_id["unit"], roots=(), cache_dir=folder / "cache", on_progress=ignore_progress,
        should_stop=lambda: False,
    )  # fmt: skip
    home = folder / name.replace(" ", "-")
    now = datetime.now(UTC)
    train_quick_run(inputs, run_dir=home, home=home, run_id=name, dataset_version=VERSION, now=now)
    print_run(name, read_run_folder(home), is_error, watch)


def whole(items: pd.DataFrame, task: Task, is_error: pd.Series, folder: Path, config: TrainConfig) -> None:
    watch = Stopwatch()
    home = folder / config.arch.replace("/", "-")
    train_run(
        items, task, config, roots=[], run_dir=home, cache_dir=folder / "cache", run_id=config.arch,
        dataset_version=VERSION, now=datetime.now(UTC), on_progress=ignore_progress, should_stop=lambda: False,
    )  # fmt: skip
    print_run(f"{config.arch}, {config.folds} folds", read_run_folder(home), is_error, watch)


def print_run(name: str, run: Run, is_error: pd.Series, watch: Stopwatch) -> None:
    of_train = run.scores[(run.predictions.kinds == OUT_OF_FOLD) & run.scores["item_id"].isin(is_error.index)]
    found = {
        "loss": -of_train["loss"].to_numpy(),
        "margin": of_train["margin"].to_numpy(),
        "label quality": of_train["label_quality"].to_numpy(),
    }
    print_precision(name, found, is_error.loc[of_train["item_id"]], watch)
    for split in ("train", "test"):
        rows = run.scores[(run.predictions.splits == split)]
        print(f"    accuracy on {split}: {(rows['predicted_label'] == rows['given_label']).mean():.3f}")


def print_precision(name: str, found: dict[str, FloatArray], is_error: pd.Series, watch: Stopwatch) -> None:
    shown = ", ".join(
        f"{score} {average_precision_score(is_error.to_numpy(), -values):.3f}"
        for score, values in found.items()
    )
    print(f"{name}: average precision by {shown}; {watch}", flush=True)


if __name__ == "__main__":
    main()
