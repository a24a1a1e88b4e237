"""How soon wrong labels and wrong items come in a dataset with several labels an item, and how fast that is told.

    python tests/benchmarks/bench_multilabel.py [--seeds 3] [--only pictures|texts|speed] [--shape 1000000x100]

Two sets are made, and 8 % of their items get wrong labels; which, the scores are not told:

- pictures: zero to four of scikit-learn's digits in one picture, the labels are the digits in it; of the items chosen a
  third loses a label, a third gets one, a third has one exchanged. Probabilities and nothing else come from a small
  network that did not see the item (five folds).
- texts: 24 topics, each with words of its own and words that it shares with others, one to four topics a text; labels
  are mostly dropped (70 %), seldom added (15 %) or exchanged (15 %), and a third of the topics suffers four times as
  much as the others. Probabilities come from the heads for several labels on TF-IDF features, out of fold.

Printed is the average precision of finding wrong pairs of item and label, and of finding items with one, from the same
probabilities: by Winnow's label quality, by the binary cross-entropy, and by cleanlab's multi-label scores; and for
both libraries the time and memory to score made-up probabilities, in processes of their own. Nothing of it takes a GPU.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_label_issues import MILLION, PeakMemory, processor
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score
from torch import nn

from diagnostics.chunks import n_cores
from diagnostics.multilabel.label_issues import find_pair_issues
from diagnostics.multilabel.label_quality import fit_pair_quality
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.scores import score_label_sets
from diagnostics.multilabel.signals import pair_signals
from diagnostics.multilabel.splits import make_multilabel_folds
from diagnostics.training.heads import HeadFold, fit_linear_heads
from diagnostics.training.outcomes import SigmoidOutcome

WRONG_ITEMS = 0.08
N_FOLDS = 5
CPU = torch.device("cpu")

N_PICTURES, CANVAS, CELL, DIGIT = 3000, 24, 12, 8
N_DIGITS_SHARES = (0.03, 0.07, 0.35, 0.35, 0.2)
DIGIT_SHARES = np.array([16, 14, 12, 11, 10, 9, 8, 8, 6, 6]) / 100
PICTURE_EPOCHS, BATCH = 12, 64

N_TEXTS, N_TOPICS, OWN_WORDS, ALL_WORDS, N_FEATURES = 5000, 24, 25, 500, 120
N_TOPICS_SHARES = (0.04, 0.4, 0.36, 0.14, 0.06)

SPEED_BLOCK = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=[*SETS, "speed"])
    parser.add_argument("--shape", default="1000000x100", help="items x classes of the speed test")
    parser.add_argument("--without-cleanlab", action="store_true", help="in the speed test")
    parser.add_argument("--measure", nargs=2, metavar=("WHO", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.measure is not None:
        print(json.dumps(measure(options.measure[0], Path(options.measure[1]))))
        return
    print(f"{processor()}, {n_cores()} cores, torch {torch.__version__}, Python {platform.python_version()}")
    for name in SETS if options.only is None else [options.only]:
        if name in SETS:
            report_set(name, options.seeds)
    if options.only in (None, "speed"):
        report_speed(options.shape, without_cleanlab=options.without_cleanlab)


def report_set(name: str, n_seeds: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(n_seeds):
        started_s = time.perf_counter()
        true, given, pred_probs = SETS[name](seed)
        wrong = true != given
        print(
            f"\n{name}, seed {seed}: {len(true)} items, {true.shape[1]} labels, {true.sum(axis=1).mean():.2f} a item; "
            f"{wrong.any(axis=1).sum()} wrong items, {(wrong & given).sum()} superfluous and {(wrong & ~given).sum()} "
            f"missing labels; {((pred_probs > 0.5) == true).mean():.1%} of pairs predicted right "
            f"({time.perf_counter() - started_s:.0f} s)",
            flush=True,
        )
        for title, (of_pairs, of_items) in suspicions(given, pred_probs).items():
            scored = (
                np.nan if each is None else average_precision_score(target, each.ravel())
                for target, each in ((wrong.ravel(), of_pairs), (wrong.any(axis=1), of_items))
            )
            found.setdefault(title, []).append(tuple(scored))
    print(f"\n{'average precision, mean of the seeds':48}{'pairs':>16}{'items':>16}")
    for title, values in found.items():
        columns = np.array(values).T
        cells = "".join(f"{cell_of(column):>16}" for column in columns)
        print(f"{title:48}{cells}")


def cell_of(values: np.ndarray) -> str:
    """Mean and the range over the seeds."""
    return "" if np.isnan(values).any() else f"{values.mean():.3f} ±{np.ptp(values) / 2:.3f}"


Suspicion = tuple[np.ndarray | None, np.ndarray | None]


def suspicions(given: np.ndarray, pred_probs: np.ndarray) -> dict[str, Suspicion]:
    """How suspect pairs and items are, high = suspect, by each competitor."""
    label_sets = sets_of(given)
    signals = pair_signals(label_sets, pred_probs)
    quality = fit_pair_quality(signals)
    of_pairs = quality.of(signals, slice(None))
    items, _ = score_label_sets(signals, quality)
    p_given = np.where(given, pred_probs, 1 - pred_probs).astype(np.float64)
    loss = -np.log(np.maximum(p_given, 1e-38))
    return {
        "Winnow: label quality (items: product)": (-of_pairs, -items.label_quality),
        "  items: lowest quality": (None, -of_pairs.min(axis=1)),
        "  items: softmin of quality, 0.1": (None, -softmin(of_pairs)),
        "  items: mean quality": (None, -of_pairs.mean(axis=1)),
        "loss (items: mean)": (loss, loss.mean(axis=1)),
        "  items: largest": (None, loss.max(axis=1)),
        **cleanlab_suspicions(given, pred_probs),
    }


def cleanlab_suspicions(given: np.ndarray, pred_probs: np.ndarray) -> dict[str, Suspicion]:
    from cleanlab.multilabel_classification.rank import (
        get_label_quality_scores,
        get_label_quality_scores_per_class,
    )

    labels = [np.flatnonzero(row).tolist() for row in given]
    ways: dict[str, dict[str, Any]] = {
        "cleanlab: self-confidence (its default)": {},
        "cleanlab: self-confidence, adjusted": {"adjust_pred_probs": True},
        "cleanlab: normalized margin": {"method": "normalized_margin"},
        "cleanlab: confidence-weighted entropy": {"method": "confidence_weighted_entropy"},
    }
    found: dict[str, Suspicion] = {}
    for title, options in ways.items():
        of_pairs = -get_label_quality_scores_per_class(labels, pred_probs, **options)
        found[title] = of_pairs, -get_label_quality_scores(labels, pred_probs, **options)
        by_softmin = get_label_quality_scores(
            labels, pred_probs, aggregator_kwargs={"method": "softmin", "temperature": 0.1}, **options
        )
        found[f"  {title.partition(' ')[2]}, items: softmin 0.1"] = None, -by_softmin
    return found


def softmin(quality: np.ndarray, temperature: float = 0.1) -> np.ndarray:
    weights = np.exp((1 - quality) / temperature)
    return (quality * weights).sum(axis=1) / weights.sum(axis=1)


def sets_of(targets: np.ndarray) -> LabelSets:
    names = tuple(f"class {number}" for number in range(targets.shape[1]))
    return LabelSets(names, targets, np.ones(len(targets), dtype=bool))


def make_pictures(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and given labels, (n, 10), and out-of-fold probabilities."""
    pictures, true, given = draw_pictures(seed)
    folds = folds_of(given, seed)
    pred_probs = np.empty(true.shape, dtype=np.float32)
    for fold in range(N_FOLDS):
        pred_probs[folds == fold] = network_probs(pictures, given, folds, fold)
    return true, given, pred_probs


def draw_pictures(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (n, CANVAS, CANVAS), about 0 to 1, and their true and given labels, (n, 10)."""
    rng = np.random.default_rng(seed)
    digits = load_digits()
    of_digit = [np.flatnonzero(digits.target == digit) for digit in range(10)]
    pictures = rng.normal(0, 0.15, (N_PICTURES, CANVAS, CANVAS)).astype(np.float32)
    true = np.zeros((N_PICTURES, 10), dtype=bool)
    for picture, has in zip(pictures, true, strict=True):
        for cell in rng.permutation(4)[: rng.choice(5, p=N_DIGITS_SHARES)]:
            digit = rng.choice(10, p=DIGIT_SHARES)
            top, left = CELL * np.array(divmod(cell, 2)) + rng.integers(0, CELL - DIGIT + 1, 2)
            picture[top : top + DIGIT, left : left + DIGIT] += digits.images[rng.choice(of_digit[digit])] / 16
            has[digit] = True
    return pictures, true, planted(true, rng, shares=(1 / 3, 1 / 3, 1 / 3), weights=np.ones(10))


def network_probs(pictures: np.ndarray, given: np.ndarray, folds: np.ndarray, fold: int) -> np.ndarray:
    """Of the items that the fold holds out."""
    torch.manual_seed(fold)
    rng = np.random.default_rng(fold)
    network = nn.Sequential(
        *block(1, 16), nn.MaxPool2d(2), *block(16, 32), *block(32, 64),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, given.shape[1]),
    )  # fmt: skip
    train = np.flatnonzero(folds != fold)
    inputs, targets = torch.from_numpy(pictures)[:, None], torch.from_numpy(given).float()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    steps = PICTURE_EPOCHS * -(-len(train) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(PICTURE_EPOCHS):
        for batch in np.array_split(rng.permutation(train), -(-len(train) // BATCH)):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(inputs[batch]), targets[batch]).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        return network(inputs[folds == fold]).sigmoid().numpy()


def block(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()


def make_texts(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True and given labels, (n, N_TOPICS), and out-of-fold probabilities."""
    texts, true, given = draw_texts(seed)
    weighed = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    features = TruncatedSVD(N_FEATURES, random_state=seed).fit_transform(weighed).astype(np.float32)
    folds = folds_of(given, seed)
    parts = [
        HeadFold(lambda: features, np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))
        for fold in range(N_FOLDS)
    ]
    outcome = SigmoidOutcome(torch.from_numpy(given))
    heads = fit_linear_heads(parts, outcome, n_items=N_TEXTS, device=CPU)
    return true, given, heads.fold_probs[folds, np.arange(N_TEXTS)]


def draw_texts(seed: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Texts, and their true and given labels, (n, N_TOPICS)."""
    rng = np.random.default_rng(seed)
    topic_words = np.array([rng.choice(ALL_WORDS, OWN_WORDS, replace=False) for _ in range(N_TOPICS)])
    popularity = 1 / np.arange(1, N_TOPICS + 1) ** 0.7
    true = np.zeros((N_TEXTS, N_TOPICS), dtype=bool)
    texts = []
    for has in true:
        topics = rng.choice(
            N_TOPICS, rng.choice(5, p=N_TOPICS_SHARES), replace=False, p=popularity / popularity.sum()
        )
        has[topics] = True
        words = [rng.choice(topic_words[topic], rng.integers(2, 7)) for topic in topics]
        words.append(rng.integers(0, ALL_WORDS, rng.integers(3, 9)))
        texts.append(" ".join(f"w{word}" for word in np.concatenate(words)))
    suffering = np.where(np.arange(N_TOPICS) % 3 == 0, 4.0, 1.0)
    return texts, true, planted(true, rng, shares=(0.7, 0.15, 0.15), weights=suffering)


def folds_of(given: np.ndarray, seed: int) -> np.ndarray:
    units = [str(row) for row in range(len(given))]
    return make_multilabel_folds(sets_of(given), units, n_folds=N_FOLDS, seed=seed)


def planted(
    true: np.ndarray, rng: np.random.Generator, *, shares: tuple[float, float, float], weights: np.ndarray
) -> np.ndarray:
    """Labels of which WRONG_ITEMS of the items lost one, got one, or had one exchanged.

    shares : of the items chosen, to which each happens; weights : of the classes, how often their labels are lost
    """
    given = true.copy()
    chance = np.maximum((true * weights).max(axis=1), 0.3)
    items = rng.choice(len(true), round(WRONG_ITEMS * len(true)), replace=False, p=chance / chance.sum())
    for row in items:
        has, has_not = np.flatnonzero(true[row]), np.flatnonzero(~true[row])
        what = rng.choice(3, p=shares) if len(has) else 1
        if what != 1:
            given[row, rng.choice(has, p=weights[has] / weights[has].sum())] = False
        if what != 0:
            given[row, rng.choice(has_not)] = True
    return given


SETS: dict[str, Callable[[int], tuple[np.ndarray, np.ndarray, np.ndarray]]] = {
    "pictures": make_pictures,
    "texts": make_texts,
}


def report_speed(shape: str, *, without_cleanlab: bool) -> None:
    n_items, n_classes = (int(number) for number in shape.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        make_predictions(Path(folder), n_items, n_classes)
        print(f"\n{shape} float32, mapped from disk: pair quality, item scores, label issues of every class")
        for who in ["Winnow"] if without_cleanlab else ["Winnow", "cleanlab"]:
            command = [sys.executable, __file__, "--measure", who, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            seconds = "".join(f"  {name} {value:.1f} s" for name, value in found["seconds"].items())
            print(
                f"  {who:9}{sum(found['seconds'].values()):8.1f} s {found['memory'] / MILLION:8,.0f} MB above the "
                f"input  {found['n_issues']:,} label issues{seconds}",
                flush=True,
            )


def make_predictions(folder: Path, n_items: int, n_classes: int) -> None:
    rng = np.random.default_rng(0)
    probs = np.lib.format.open_memmap(folder / "probs.npy", "w+", np.float32, (n_items, n_classes))
    targets = np.lib.format.open_memmap(folder / "targets.npy", "w+", np.bool_, (n_items, n_classes))
    for start in range(0, n_items, SPEED_BLOCK):
        rows = slice(start, min(start + SPEED_BLOCK, n_items))
        drawn = rng.random((2, rows.stop - start, n_classes), dtype=np.float32)
        has = drawn[0] < 0.03
        logits = np.where(has, 2.5, -4.5) + 1.5 * rng.standard_normal(has.shape, dtype=np.float32)
        probs[rows] = 1 / (1 + np.exp(-logits))
        targets[rows] = np.where(has, drawn[1] >= 0.05, drawn[1] < 0.001)


def measure(who: str, folder: Path) -> dict[str, Any]:
    """After a warm-up on a small array."""
    score = {"Winnow": score_with_winnow, "cleanlab": score_with_cleanlab}[who]
    rng = np.random.default_rng(0)
    score(rng.random((200, 3)) < 0.3, rng.random((200, 3)).astype(np.float32))
    targets = np.load(folder / "targets.npy")
    probs = np.load(folder / "probs.npy", mmap_mode="r")
    with PeakMemory() as peak:
        seconds, n_issues = score(targets, probs)
    return {"seconds": seconds, "memory": peak.n_bytes, "n_issues": n_issues}


def score_with_winnow(targets: np.ndarray, probs: np.ndarray) -> tuple[dict[str, float], int]:
    label_sets = sets_of(targets)
    seconds, watch = {}, Watch()
    signals = pair_signals(label_sets, probs)
    quality = fit_pair_quality(signals)
    seconds["fit"] = watch.lap_s()
    score_label_sets(signals, quality, n_pairs=100_000)
    seconds["score"] = watch.lap_s()
    issues = find_pair_issues(label_sets, probs)
    seconds["issues"] = watch.lap_s()
    return seconds, len(issues.rows)


def score_with_cleanlab(targets: np.ndarray, probs: np.ndarray) -> tuple[dict[str, float], int]:
    from cleanlab.multilabel_classification import get_label_quality_scores
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class

    labels = [np.flatnonzero(row).tolist() for row in targets]
    seconds, watch = {}, Watch()
    get_label_quality_scores(labels, probs)
    seconds["score"] = watch.lap_s()
    found = find_multilabel_issues_per_class(labels, probs)
    seconds["issues"] = watch.lap_s()
    return seconds, int(np.count_nonzero(found))


class Watch:
    def __init__(self) -> None:
        self._started_s = time.perf_counter()

    def lap_s(self) -> float:
        before, self._started_s = self._started_s, time.perf_counter()
        return self._started_s - before


if __name__ == "__main__":
    main()
