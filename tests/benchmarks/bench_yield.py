"""How honest the yield meter is: how often its 95 % intervals hold the truth, on sets whose wrong labels are known.

    python tests/benchmarks/bench_yield.py DATA_FOLDER [--project FINISHED_PROJECT TRUTH_CSV]...

DATA_FOLDER has banking77/, which is ranked by logistic regression on TF-IDF features, out of fold. The newest run of
each project is used as it is; its truth has path and is_error. Queues are reviewed from the top: the whole set, random
parts of it and single classes, ranked by loss or learnt quality, by margin, or at random. Truth is read here only.
"""

import argparse
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from curation.project import Project
from curation.runs import read_run
from curation.yield_meter import (
    MODEL_PRIOR,
    QUALITY_PRIOR,
    Judged,
    Prior,
    Undecided,
    doubt_of,
    estimate_yield,
)
from diagnostics.label_quality import FILE as QUALITY_FILE

N_DECIDED = (25, 50, 100, 200, 400)
PART_SIZES = (300, 1_000, 3_000)
N_PARTS = 60
SMALLEST_CLASS = 60


@dataclass(frozen=True)
class Ranked:
    """Items of one set: their doubt, the scores to rank by (small is suspect), the given label, if it is wrong."""

    name: str
    doubt: np.ndarray
    scores: tuple[np.ndarray, ...]
    given: np.ndarray
    is_wrong: np.ndarray
    prior: Prior = MODEL_PRIOR


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--project", type=Path, nargs=2, action="append", default=[])
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    print(
        "set             queues   decided  queues  held   next 50 held  width / truth  estimate / truth   ms"
    )
    sets = [texts(options.data / "banking77"), *(of_project(*pair) for pair in options.project)]
    for ranked in sets:
        for kind, queues in (("whole", whole), ("parts", parts), ("classes", classes)):
            for n_decided in N_DECIDED:
                review(ranked, kind, queues(ranked), n_decided)


def texts(folder: Path) -> Ranked:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    items = pd.read_csv(folder / "train_noisy.csv")
    is_wrong = pd.read_csv(folder / "truth.csv").set_index("id").loc[items["id"], "is_error"]
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(items["text"])
    codes = pd.factorize(items["label"], sort=True)[0]
    model = LogisticRegression(C=10, max_iter=200)
    probs = cross_val_predict(model, features, codes, cv=5, method="predict_proba")
    rows = np.arange(len(codes))
    p_given = probs[rows, codes]
    probs[rows, codes] = 0
    p_other = probs.max(axis=1)
    scores = (p_given, p_given - p_other)
    return Ranked("banking77", doubt_of(p_given, p_other), scores, codes, is_wrong.to_numpy(dtype=bool))


def of_project(folder: Path, truth_path: Path) -> Ranked:
    """Doubt is as `queue_yield` has it: from the label quality that the run has learnt, else from the probabilities."""
    project = Project.open(folder)
    run = read_run(project)
    scores = run.scores.query("split == 'train'")
    paths = project.items.set_index("item_id").loc[scores["item_id"], "path"].to_numpy()
    truth = pd.read_csv(truth_path).set_index("path")["is_error"]
    known = np.isin(paths, truth.index)
    scores = scores[known]
    p_given, margin = scores["p_given"].to_numpy(), scores["margin"].to_numpy()
    quality = scores["label_quality"].to_numpy()
    learnt = (run.folder / QUALITY_FILE).is_file()
    return Ranked(
        name=project.info.name,
        doubt=doubt_of(quality, 1 - quality) if learnt else doubt_of(p_given, p_given - margin),
        scores=(quality if learnt else p_given, margin),
        given=pd.factorize(scores["given_label"])[0],
        is_wrong=truth.loc[paths[known]].to_numpy(dtype=bool),
        prior=QUALITY_PRIOR if learnt else MODEL_PRIOR,
    )


# ---------------------------------------------------------------- queues, as rows in their order


def whole(ranked: Ranked) -> Iterator[np.ndarray]:
    for score in ranked.scores:
        yield np.argsort(score, kind="stable")
    yield np.random.default_rng(0).permutation(len(ranked.doubt))


def parts(ranked: Ranked) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1)
    orders = list(whole(ranked))[:2]
    for number in range(N_PARTS):
        size = min(PART_SIZES[number % len(PART_SIZES)], len(ranked.doubt) * 7 // 10)
        drawn = rng.choice(len(ranked.doubt), size, replace=False)
        order = orders[number % 2]
        yield order[np.isin(order, drawn)]


def classes(ranked: Ranked) -> Iterator[np.ndarray]:
    order = next(whole(ranked))
    for code in range(ranked.given.max() + 1):
        of_class = order[ranked.given[order] == code]
        if len(of_class) >= SMALLEST_CLASS:
            yield of_class


def review(ranked: Ranked, kind: str, queues: Iterator[np.ndarray], n_decided: int) -> None:
    """Decide on the first items of each queue, and hold the estimate of the rest against the truth."""
    doubt, rows = ranked.doubt, []
    for rows_in_order in queues:
        if len(rows_in_order) < 1.5 * n_decided:
            continue
        decided, left = rows_in_order[:n_decided], rows_in_order[n_decided:]
        judged = Judged(doubt[decided], ranked.is_wrong[decided])
        began_s = time.perf_counter()
        found = estimate_yield(
            judged.is_wrong, judged, Undecided(doubt[left], np.ones(len(left))), prior=ranked.prior
        )
        took_ms = 1000 * (time.perf_counter() - began_s)
        truth, share = ranked.is_wrong[left].sum(), ranked.is_wrong[left[:50]].mean()
        errors, following = found.errors_left, found.next_share
        held = errors.low - 0.5 <= truth <= errors.high + 0.5
        held_next = following.low - 1e-9 <= share <= following.high + 1e-9
        scale = max(truth, 1)
        rows.append((held, held_next, (errors.high - errors.low) / scale, errors.value / scale, took_ms))
    if not rows:
        return
    columns = np.array(rows, dtype=float).T
    shares, middles = columns[:2].mean(axis=1), np.median(columns[2:], axis=1)
    print(
        f"{ranked.name:15} {kind:8} {n_decided:7} {len(rows):7} {shares[0]:6.0%} {shares[1]:13.0%} "
        f"{middles[0]:13.1f} {middles[1]:16.2f} {middles[2]:7.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
