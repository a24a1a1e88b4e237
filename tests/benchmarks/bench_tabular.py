"""Planted label errors in table rows: how many does each model find, how well does it predict, how long does it take.

    python tests/benchmarks/bench_tabular.py
    python tests/benchmarks/bench_tabular.py --sets digits mixed --models gradient_boosting quick --seeds 1 2 3

The sets are those that come with scikit-learn, one that its make_classification makes, and one of numbers, categories
(one of them with 900 values) and dates with missing values, made here from a formula. A tenth of the labels, drawn at
random, becomes another class. Every model is run as the application runs it, with five folds. Printed are means over
the seeds: the average precision of the planted errors by Winnow's label quality, by loss and margin of the out-of-fold
probabilities, and by cleanlab's three scores of the same; the accuracy of these probabilities on the true labels, and,
of quick rounds, on labels that were shuffled, beside the share of the commonest class; seconds by the clock and of CPU;
of what share of the items the run says which features matter; and in what share of the rows with a right and with a
planted label a value is called unusual for its class.
"""

import argparse
import hashlib
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn.datasets
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score

from diagnostics.explanations import read_explanations
from diagnostics.label_space import single_space
from diagnostics.progress import ignore_progress
from diagnostics.rows.unusual import class_values, unusual_values
from diagnostics.run_folder import Run, read_run_folder
from diagnostics.task import FEATURE_PREFIX, Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.quick import QuickInputs, train_quick_run
from diagnostics.training.run import train_run

NOISE = 0.1
FOLDS = 5
QUICK = "quick"
MODELS = ("gradient_boosting", "tabular_net", QUICK)
CLEANLAB = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
N_JUDGED = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{processor()}, {options.threads} threads; scikit-learn {sklearn.__version__}")
    for name in options.sets:
        items, codes = SETS[name]()
        n_features = sum(column.startswith(FEATURE_PREFIX) for column in items)
        print(f"\n{name}: {len(items):,} rows, {n_features} features, {codes.max() + 1} classes")
        print(f"  a value is unusual in {unusual_shares(items, codes, options.seeds)}")
        for model in options.models:
            found = pd.DataFrame(
                [measure(items, codes, model, seed, options.threads) for seed in options.seeds]
            )
            print(f"  {model:18}" + "  ".join(f"{key} {value:.3f}" for key, value in found.mean().items()))


def measure(
    items: pd.DataFrame, codes: np.ndarray, model: str, seed: int, n_threads: int
) -> dict[str, float]:
    given, wrong = planted(codes, seed)
    run, seconds, cpu_s, explained = trained(items, given, model, seed, n_threads)
    probs = np.asarray(run.predictions.pred_probs, dtype=np.float64)
    own = probs[np.arange(len(given)), given]
    others = probs.copy()
    others[np.arange(len(given)), given] = -1
    suspicion = {
        "quality": -run.scores["label_quality"].to_numpy(),
        "loss": -own,
        "margin": others.max(axis=1) - own,
    } | {f"cleanlab {method}": -get_label_quality_scores(given, probs, method=method) for method in CLEANLAB}
    found = {f"AP {name}": average_precision_score(wrong, values) for name, values in suspicion.items()}
    found["accuracy"] = float((probs.argmax(axis=1) == codes).mean())
    if model == QUICK:
        shuffled = np.random.default_rng(seed).permutation(codes)
        said = trained(items, shuffled, model, seed, n_threads)[0].predictions.pred_probs
        found["shuffled"] = float((np.asarray(said).argmax(axis=1) == shuffled).mean())
        found["commonest"] = float(np.bincount(codes).max() / len(codes))
    return found | {"seconds": seconds, "CPU s": cpu_s, "explained": explained}


def trained(
    items: pd.DataFrame, given: np.ndarray, model: str, seed: int, n_threads: int
) -> tuple[Run, float, float, float]:
    """The run, its seconds by the clock and of CPU, and the share of its items that it explains."""
    task = Task("tabular", "single", tuple(f"class {code}" for code in range(given.max() + 1)))
    labelled = items.assign(label=np.array(task.classes)[given])
    about = {"run_id": "run", "dataset_version": {"number": 0}, "now": datetime.now(UTC)}
    config = TrainConfig(
        arch="auto" if model == QUICK else model, folds=FOLDS, seed=seed, n_threads=n_threads
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache_dir = Path(scratch) / "run", Path(scratch)
        started_s, started_cpu_s = time.perf_counter(), time.process_time()
        if model == QUICK:
            by_id = items.set_index("item_id")
            inputs = QuickInputs(
                items=labelled,
                task=task,
                config=config,
                base=None,
                content_of=by_id["content_hash"],
                unit_of=by_id["unit"],
                roots=(),
                cache_dir=cache_dir,
                on_progress=ignore_progress,
                should_stop=lambda: False,
            )
            train_quick_run(inputs, run_dir=folder, home=folder, **about)
        else:
            train_run(
                labelled,
                task,
                config,
                roots=(),
                run_dir=folder,
                cache_dir=cache_dir,
                on_progress=ignore_progress,
                should_stop=lambda: False,
                **about,
            )
        seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
        run = read_run_folder(folder)
        run.scores, run.predictions.pred_probs  # noqa: B018 - read while the folder is there
        explanations = read_explanations(folder)
        explained = 0.0 if explanations is None else float((np.diff(explanations.begins) > 0).mean())
    return run, seconds, cpu_s, explained


def unusual_shares(items: pd.DataFrame, codes: np.ndarray, seeds: list[int]) -> str:
    """Judged on at most N_JUDGED rows a seed."""
    right, wrong = [], []
    for seed in seeds:
        given, bad = planted(codes, seed)
        classes = tuple(f"class {code}" for code in range(codes.max() + 1))
        labels = np.array(classes, dtype=object)[given]
        rows = np.random.default_rng(seed).permutation(len(items))[:N_JUDGED]
        known = class_values(items, given, single_space(classes))
        own = labels[rows].tolist()
        found = unusual_values(known, items.iloc[rows], own, counted_labels=own)
        marked = np.array([bool(words) for words in found])
        right.append(marked[~bad[rows]].mean())
        wrong.append(marked[bad[rows]].mean())
    return f"{np.mean(right):.0%} of the rows with their own label, {np.mean(wrong):.0%} of those with a planted one"


def planted(codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels given, and which of them are wrong."""
    rng = np.random.default_rng(seed)
    n_classes = int(codes.max()) + 1
    wrong = rng.random(len(codes)) < NOISE
    return np.where(wrong, (codes + rng.integers(1, n_classes, len(codes))) % n_classes, codes), wrong


def as_items(features: pd.DataFrame) -> pd.DataFrame:
    ids = [f"row-{number:06}" for number in range(len(features))]
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in ids]
    items = pd.DataFrame({"item_id": ids, "path": "", "root": 0, "split": "train"})
    return pd.concat(
        [items.assign(content_hash=hashes, unit=hashes), features.add_prefix(FEATURE_PREFIX)], axis=1
    )


def bundled(load: Callable[..., tuple[np.ndarray, np.ndarray]]) -> tuple[pd.DataFrame, np.ndarray]:
    values, codes = load(return_X_y=True)
    names = [f"column {number}" for number in range(values.shape[1])]
    return as_items(pd.DataFrame(values.astype(float), columns=names)), codes.astype(np.int64)


def made(n: int = 5_000, n_features: int = 20) -> tuple[pd.DataFrame, np.ndarray]:
    values, codes = sklearn.datasets.make_classification(
        n,
        n_features,
        n_informative=n_features // 2,
        n_redundant=n_features // 5,
        n_classes=5,
        n_clusters_per_class=2,
        class_sep=1.5,
        flip_y=0,
        random_state=0,
    )
    names = [f"column {number}" for number in range(n_features)]
    return as_items(pd.DataFrame(values, columns=names)), codes.astype(np.int64)


def mixed(n: int = 3_000, n_classes: int = 4) -> tuple[pd.DataFrame, np.ndarray]:
    """Sales whose channel depends on price, town, article, weekday and season, and, in places, on two of them together;
    that much is left to chance that nobody could get more than about two thirds right.
    """
    rng = np.random.default_rng(0)
    price, weight, age = np.exp(rng.normal(3, 1, n)), rng.gamma(2, 2, n), rng.uniform(0, 60, n)
    town = rng.choice(40, n, p=rng.dirichlet(np.ones(40)))
    article, colour = rng.integers(0, 900, n), rng.choice(["red", "green", "blue", "grey"], n)
    day = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1500, n), unit="D"))
    score = rng.normal(0, 1, (40, n_classes))[town] + rng.normal(0, 0.7, (900, n_classes))[article]
    score[:, 0] += 1.5 * np.log(price) - 4.5
    score[:, 1] += 2 * ((colour == "red") & (weight > 4))
    score[:, 2] += 2 * (day.dt.day_of_week >= 5) + 2 * ((age > 30) & (colour == "blue"))
    score[:, 3] += 2 * np.sin(day.dt.month / 12 * 2 * np.pi)
    codes = (2 * score + rng.gumbel(size=score.shape)).argmax(axis=1)
    features = pd.DataFrame({"price": price, "weight": weight, "age": age, "town": town, "article": article})
    features = features.astype({"town": str, "article": str}).assign(colour=colour, day=day)
    for name, share in {"price": 0.1, "weight": 0.1, "age": 0.1, "town": 0.1, "day": 0.05}.items():
        features[name] = features[name].mask(rng.random(n) < share)
    return as_items(features), codes.astype(np.int64)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


SETS: dict[str, Callable[[], tuple[pd.DataFrame, np.ndarray]]] = {
    "breast_cancer": lambda: bundled(sklearn.datasets.load_breast_cancer),
    "wine": lambda: bundled(sklearn.datasets.load_wine),
    "iris": lambda: bundled(sklearn.datasets.load_iris),
    "digits": lambda: bundled(sklearn.datasets.load_digits),
    "made": made,
    "mixed": mixed,
}

if __name__ == "__main__":
    main()
