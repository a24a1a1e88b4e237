"""Real trainings of the same data with other seeds and folds, kept as what they predict for a large held-out set.

Used by bench_compare.py, which needs many of them; each is trained once and kept as one file in a cache folder, so that
the benchmark can be stopped and goes on where it was. Alone it only trains:

    python tests/benchmarks/calibration_runs.py DATA_FOLDER CACHE_FOLDER [--runs 12] [--set cifar10n]

cifar10n : 1,500 photos with the labels of the annotators, small_cnn by Winnow's own training; 4,500 others held out
cifar10n-long : 5,000 of them for 10 epochs at a fixed learning rate, some minutes a training; 4,500 others held out
digits : 150 of scikit-learn's digits, small_cnn by Winnow's own training; 1,647 others held out
banking77 : 3,000 texts with planted noise, TF-IDF and logistic regression by stochastic gradient descent; 5,505 others
As in a project, the learning rate is what the finder says in the first training, and the others take it over.
Held-out items are measured against their true labels, which no training sees.
"""

import argparse
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier

from diagnostics.image_files import ImageRoot
from diagnostics.predictions import read_predictions
from diagnostics.run_folder import INFO_FILE, read_run_folder
from diagnostics.task import FloatArray, IntArray, Task, label_codes
from diagnostics.training.config import TrainConfig
from diagnostics.training.crossval import make_folds

FOLDS, SINGLE = "folds", "single"
N_FOLDS = 5
SPLIT_SEED = 5


@dataclass(frozen=True)
class CalibrationSet:
    """Items to train on and items to measure on.

    classes, codes : of the held-out items, (n_held_out,) true labels
    train : (run folder, seed, n_folds) → (n_models, n_held_out, n_classes) probabilities of the held-out items
    """

    name: str
    classes: tuple[str, ...]
    codes: IntArray
    train: Callable[[Path, int, int], FloatArray]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--runs", type=int, default=12, help="of each kind and set")
    parser.add_argument("--set", choices=list(SETS), action="append")
    parser.add_argument("--kind", choices=(FOLDS, SINGLE), action="append")
    options = parser.parse_args()
    sets = [open_set(name, options.data, options.cache) for name in options.set or SETS]
    for seed in range(options.runs):
        for found in sets:
            for kind in options.kind or (FOLDS, SINGLE):
                started_s = time.perf_counter()
                probs = trained(found, kind, seed, options.cache)
                accuracy = (probs.mean(axis=0, dtype=np.float32).argmax(axis=1) == found.codes).mean()
                took_s = time.perf_counter() - started_s
                print(f"{found.name} {kind} seed {seed}: accuracy {accuracy:.4f}, {took_s:.0f} s", flush=True)


def open_set(name: str, data: Path, cache: Path) -> CalibrationSet:
    """A set by its name in SETS."""
    return SETS[name](data, cache)


def trained(found: CalibrationSet, kind: str, seed: int, cache: Path) -> FloatArray:
    """(n_models, n_held_out, n_classes) float16 of one training, read from the cache or trained now.

    kind : FOLDS (5 models, each without a fifth of the items) or SINGLE (one model on all items)
    """
    path = cache / found.name / f"{kind}-{seed}.npy"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        probs = found.train(
            cache / found.name / f"{kind}-{seed}", 1000 * (kind == SINGLE) + seed, N_FOLDS * (kind == FOLDS)
        )
        beside = path.with_suffix(".partial.npy")
        np.save(beside, probs.astype(np.float16))
        beside.replace(path)
    kept: FloatArray = np.load(path)
    return kept


# ------------------------------------------------------------ images


def _cifar10n(data: Path, cache: Path) -> CalibrationSet:
    table, root = _photos(data, 6000)
    return _image_set("cifar10n", table, root, cache, n_train=1500, config=TrainConfig(epochs=4, flip=False))


def _cifar10n_long(data: Path, cache: Path) -> CalibrationSet:
    table, root = _photos(data, 9500)
    config = TrainConfig(epochs=10, flip=True, lr=0.006)
    return _image_set("cifar10n-long", table, root, cache, n_train=5000, config=config)


def _photos(data: Path, n: int) -> tuple[pd.DataFrame, ImageRoot]:
    folder = data / "cifar10n"
    truth = pd.read_csv(folder / "truth.csv").sample(n, random_state=SPLIT_SEED, ignore_index=True)
    table = pd.DataFrame({"path": truth["path"], "label": truth["given_label"], "true": truth["true_label"]})
    return table, ImageRoot.at(folder / "images.zip")


def _digits(data: Path, cache: Path) -> CalibrationSet:
    digits = load_digits()
    folder = cache / "digits" / "images.zip"
    names = [f"{position:04d}.png" for position in range(len(digits.target))]
    if not folder.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder, "w") as archive:
            for name, picture in zip(names, digits.images, strict=True):
                with archive.open(name, "w") as file:
                    Image.fromarray(np.round(picture * 255 / 16).astype(np.uint8)).save(file, format="PNG")
    labels = digits.target.astype(str)
    table = pd.DataFrame({"path": names, "label": labels, "true": labels})
    table = table.sample(frac=1, random_state=SPLIT_SEED, ignore_index=True)
    return _image_set(
        "digits", table, ImageRoot.at(folder), cache, n_train=150, config=TrainConfig(epochs=15)
    )


def _image_set(
    name: str, table: pd.DataFrame, root: ImageRoot, cache: Path, *, n_train: int, config: TrainConfig
) -> CalibrationSet:
    """The first items are trained on. The others are of split test, so that nothing of the training sees them."""
    classes = tuple(sorted(table["true"].unique()))
    split = np.where(np.arange(len(table)) < n_train, "train", "test")
    items = pd.DataFrame(
        {
            "item_id": table["path"],
            "path": table["path"],
            "root": 0,
            "split": split,
            "label": table["label"],
            "content_hash": table["path"],
            "unit": table["path"],
        }
    )
    held_out = table[split == "test"]

    def train(folder: Path, seed: int, n_folds: int) -> FloatArray:
        from diagnostics.training.run import train_run

        train_run(
            items,
            Task("image", "single", classes),
            replace(
                config, seed=seed, folds=n_folds, planted=0.0, n_threads=1, lr=config.lr or _found_lr(folder)
            ),
            roots=[root],
            run_dir=folder,
            cache_dir=cache / name / "arrays",
            run_id=folder.name,
            dataset_version={},
            now=datetime.now(UTC),
            on_progress=lambda progress: None,
            should_stop=lambda: False,
        )
        predictions = read_predictions(folder)
        rows = pd.Index(predictions.item_ids).get_indexer(pd.Index(held_out["path"]))
        probs: FloatArray = np.asarray(predictions.fold_probs)[:, rows]
        return probs

    return CalibrationSet(name, classes, label_codes(held_out["true"], classes), train)


def _found_lr(folder: Path) -> float | None:
    """The learning rate of the first training, None before it."""
    first = folder.with_name(f"{FOLDS}-0")
    return read_run_folder(first).info.resolved.lr if (first / INFO_FILE).is_file() else None


# ------------------------------------------------------------ texts


def _banking77(data: Path, cache: Path) -> CalibrationSet:
    folder = data / "banking77"
    truth = pd.read_csv(folder / "truth.csv").sample(frac=1, random_state=SPLIT_SEED, ignore_index=True)
    classes = tuple(sorted(truth["true_label"].unique()))
    learnt, held_out = truth.iloc[:3000], truth.iloc[3000:]
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit(learnt["text"])
    known, asked = features.transform(learnt["text"]), features.transform(held_out["text"])
    codes = label_codes(learnt["given_label"], classes)

    def train(folder: Path, seed: int, n_folds: int) -> FloatArray:
        folds = np.full(len(codes), -1)
        if n_folds:
            folds = make_folds(codes, learnt["id"].tolist(), n_folds=n_folds, seed=seed)
        probs = np.zeros((n_folds or 1, asked.shape[0], len(classes)))
        for fold in range(n_folds or 1):
            head = SGDClassifier(
                loss="log_loss", alpha=1e-5, max_iter=3, tol=None, random_state=seed * 100 + fold
            )
            head.fit(known[folds != fold], codes[folds != fold])
            probs[fold][:, head.classes_] = head.predict_proba(asked)
        return probs

    return CalibrationSet("banking77", classes, label_codes(held_out["true_label"], classes), train)


SETS: dict[str, Callable[[Path, Path], CalibrationSet]] = {
    "banking77": _banking77,
    "digits": _digits,
    "cifar10n": _cifar10n,
    "cifar10n-long": _cifar10n_long,
}


if __name__ == "__main__":
    main()
