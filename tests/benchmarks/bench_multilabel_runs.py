"""How soon wrong items come after a whole training on several labels an item: the sets of bench_multilabel.py, trained
through the same door as a project trains.

    python tests/benchmarks/bench_multilabel_runs.py [--only pictures|texts] [--n-items 3000] [--seeds 1] [--folds 5]
        [--smoothing 0 0.1]

Pictures train the default network on PNG files, once with each label smoothing that is named, else with the default;
texts the default tfidf, which knows none. Printed are the average precision of finding
items with a wrong label by the run's label quality and by its loss, how often the suspect label that the run names is
the wrong one (of the wrong items), micro and macro F1 of the predicted sets against the true ones, and the time.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from bench_label_issues import processor
from bench_multilabel import draw_pictures, draw_texts
from PIL import Image
from sklearn.metrics import average_precision_score, f1_score

from diagnostics.chunks import n_cores
from diagnostics.image_files import ImageRoot
from diagnostics.label_space import LabelSpace, set_space
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.progress import ignore_progress
from diagnostics.run_folder import Run, read_run_folder
from diagnostics.task import Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.run import train_run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=list(SETS))
    parser.add_argument("--n-items", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--smoothing", type=float, nargs="*", default=[], help="of the labels of pictures")
    options = parser.parse_args()
    print(f"{processor()}, {n_cores()} cores, Python {platform.python_version()}")
    for name in SETS if options.only is None else [options.only]:
        smoothings = options.smoothing if name in SMOOTHED and options.smoothing else [None]
        for seed, smoothing in product(range(options.seeds), smoothings):
            config = TrainConfig(seed=seed, folds=options.folds, label_smoothing=smoothing)
            with tempfile.TemporaryDirectory() as folder:
                report(name, options.n_items, config, Path(folder))


def report(name: str, n_items: int, config: TrainConfig, folder: Path) -> None:
    items, true, given = SETS[name](config.seed, n_items, folder)
    classes = tuple(f"class {number:02}" for number in range(true.shape[1]))
    items["label"] = LabelSets(classes, given, np.ones(len(given), dtype=bool)).texts()
    started_s = time.perf_counter()
    run = train(items, Task(MODALITIES[name], "multi", classes), config, folder)
    seconds = time.perf_counter() - started_s
    scores = run.scores
    wrong = (true != given).any(axis=1)
    by_quality, by_loss = (
        average_precision_score(wrong, suspicion) for suspicion in (-scores["label_quality"], scores["loss"])
    )
    space = set_space(classes, scores["predicted_label"])
    predicted = space.targets(space.codes(scores["predicted_label"]))
    print(
        f"{name}, seed {config.seed}: {len(items):,} items, {wrong.sum()} of them wrong, {config.folds} folds, "
        f"{run.info.arch}{smoothed(config)}\n"
        f"  average precision of items: label quality {by_quality:.3f}, loss {by_loss:.3f}\n"
        f"  the suspect label is the wrong one in {hits(run, space, true, given):.1%} of the wrong items\n"
        f"  predicted against true sets: micro F1 {f1_score(true, predicted, average='micro'):.3f}, macro F1 "
        f"{f1_score(true, predicted, average='macro'):.3f}; {seconds:.0f} s",
        flush=True,
    )


def smoothed(config: TrainConfig) -> str:
    return "" if config.label_smoothing is None else f", label smoothing {config.label_smoothing:g}"


def hits(run: Run, space: LabelSpace, true: np.ndarray, given: np.ndarray) -> float:
    wrong = np.flatnonzero((true != given).any(axis=1))
    named = run.scores["second_label"].map(space.classes.index).to_numpy()[wrong]
    return float((true != given)[wrong, named].mean())


def train(items: pd.DataFrame, task: Task, config: TrainConfig, folder: Path) -> Run:
    train_run(
        items,
        task,
        config,
        roots=[ImageRoot("folder", folder)],
        run_dir=folder / "run",
        cache_dir=folder / "cache",
        run_id="run-1",
        dataset_version={"number": 0, "fingerprint": "", "event": 0},
        now=datetime.now(UTC),
        on_progress=ignore_progress,
        should_stop=lambda: False,
    )
    return read_run_folder(folder / "run")


def picture_items(seed: int, n_items: int, folder: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    pictures, true, given = (values[:n_items] for values in draw_pictures(seed))
    names = [f"{number:05}.png" for number in range(len(pictures))]
    for name, picture in zip(names, pictures, strict=True):
        Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8)).save(folder / name)
    return train_items(names, path=names), true, given


def text_items(seed: int, n_items: int, folder: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    texts, true, given = (values[:n_items] for values in draw_texts(seed))
    names = [f"{number:05}" for number in range(len(texts))]
    return train_items(names, path="").assign(text=texts), true, given


def train_items(names: list[str], *, path: list[str] | str) -> pd.DataFrame:
    table = pd.DataFrame({"item_id": names, "path": path, "root": 0, "split": "train"})
    return table.assign(content_hash=names, unit=names)


Made = tuple[pd.DataFrame, np.ndarray, np.ndarray]
SETS: dict[str, Callable[[int, int, Path], Made]] = {"pictures": picture_items, "texts": text_items}
MODALITIES = {"pictures": "image", "texts": "text"}
SMOOTHED = ("pictures",)


if __name__ == "__main__":
    main()
