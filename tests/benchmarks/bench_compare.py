"""Whether comparisons are honest: how often runs of the same data are called different, and how often a gain is seen.

    python tests/benchmarks/bench_compare.py DATA_FOLDER CACHE_FOLDER [--runs 12] [--set banking77] [--draws 100]

Trains what is not in CACHE_FOLDER yet (calibration_runs.py says what), then draws pairs of sides from the runs and
validation sets from the held-out items. A/A: both sides are trainings of the same data with other seeds and folds, so
every verdict but "cannot tell" is false. Gain: the same, but a random share of the items gets the right class from all
models of the side after, so many that accuracy truly rises by 3 points.

Designs: one run of 5 folds a side; 3 runs of 5 folds a side; 3 trainings of one model a side.

Before that it times one comparison of 50,000 items, 100 classes and 5 models a side.

Intervals: Wilson's, as if the comparisons were independent. They are not, they share runs; the last column is the
standard deviation of the A/A rate over bootstrap samples of the runs.
"""

import argparse
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from calibration_runs import FOLDS, SETS, SINGLE, CalibrationSet, open_set, trained

from diagnostics.compare import CANNOT_TELL, IMPROVED, Comparison, compare_sides
from diagnostics.metrics import Estimate, proportion
from diagnostics.task import FloatArray, IntArray

DESIGNS = {"1 run of 5 folds": (FOLDS, 1), "3 runs of 5 folds": (FOLDS, 3), "3 single models": (SINGLE, 3)}
SIZES = (300, 1000, 2000)
GAIN = 0.03
MAX_DRAWN_SHARE = 0.8
N_BOOTSTRAP = 400


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--set", choices=list(SETS), action="append")
    parser.add_argument("--runs", type=int, default=12, help="of each kind and set")
    parser.add_argument("--draws", type=int, default=100, help="comparisons of each design and size")
    parser.add_argument("--no-training", action="store_true", help="use only the runs that are in the cache")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(f"50,000 items x 100 classes x 5 models a side: {_time_large():.1f} s", flush=True)
    counts = []
    for name in options.set or SETS:
        found = open_set(name, options.data, options.cache)
        for design, (kind, n_trainings) in DESIGNS.items():
            runs = _runs(found, kind, options)
            if len(runs) < 2 * n_trainings:
                print(f"{found.name}, {design} a side: not measured, there are {len(runs)} runs")
                continue
            counts += measure(found, runs, design, n_trainings, options.draws)
    _print_total(pd.DataFrame(counts))


def measure(
    found: CalibrationSet, runs: Sequence[FloatArray], design: str, n_trainings: int, n_draws: int
) -> list[dict[str, object]]:
    """The rates of one set and design for every size of the validation set, printed as they come."""
    rows = []
    for size in SIZES:
        if size > MAX_DRAWN_SHARE * len(found.codes):
            continue
        rng = np.random.default_rng(size)
        started_s = time.perf_counter()
        picks, wholes, families, gains = [], [], [], []
        for _ in range(n_draws):
            pick = rng.choice(len(runs), 2 * n_trainings, replace=False)
            items = rng.choice(len(found.codes), size, replace=False)
            sides = [
                [runs[run][:, items] for run in part] for part in (pick[:n_trainings], pick[n_trainings:])
            ]
            same = compare(found, items, *sides)
            better = compare(found, items, sides[0], with_gain(sides[1], found.codes[items], rng))
            picks.append(pick)
            wholes.append(same.verdict != CANNOT_TELL)
            families.append((same.classes["verdict"] != CANNOT_TELL).any())
            gains.append(better.verdict == IMPROVED)
        row = {
            "set": found.name, "design": design, "runs": len(runs), "items": size, "n": n_draws,
            "whole": sum(wholes), "classes": sum(families), "gain": sum(gains),
            "sd_whole": _sd_over_runs(picks, wholes, len(runs)),
            "sd_classes": _sd_over_runs(picks, families, len(runs)),
        }  # fmt: skip
        rows.append(row)
        print(_line(row), f"{time.perf_counter() - started_s:.0f} s", sep=" | ", flush=True)
    return rows


def compare(
    found: CalibrationSet, items: IntArray, before: Sequence[FloatArray], after: Sequence[FloatArray]
) -> Comparison:
    return compare_sides(items.astype(str).astype(object), found.codes[items], before, after, found.classes)


def with_gain(
    side: Sequence[FloatArray], codes: IntArray, rng: np.random.Generator, gain: float = GAIN
) -> list[FloatArray]:
    """The same trainings, but every item is put right in all of them with a chance that adds `gain` to the accuracy."""
    accuracy = np.mean([(run.mean(axis=0, dtype=np.float32).argmax(axis=1) == codes).mean() for run in side])
    right = rng.random(len(codes)) < gain / (1 - accuracy)
    truth = np.eye(side[0].shape[2], dtype=np.float16)[codes]
    return [np.where(right[None, :, None], truth[None], run) for run in side]


def _time_large(n_items: int = 50_000, n_classes: int = 100, n_models: int = 5) -> float:
    """Seconds for one comparison of made-up probabilities, 90 % of the predictions right."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, n_classes, n_items)
    sides = []
    for _ in range(2):
        probs = rng.random((n_models, n_items, n_classes), dtype=np.float32).astype(np.float16) / 2
        for model in range(n_models):
            said = np.where(rng.random(n_items) < 0.9, codes, rng.integers(0, n_classes, n_items))
            probs[model, np.arange(n_items), said] += 0.5
        sides.append([probs])
    started_s = time.perf_counter()
    compare_sides(np.arange(n_items), codes, *sides, tuple(map(str, range(n_classes))))
    return time.perf_counter() - started_s


def _runs(found: CalibrationSet, kind: str, options: argparse.Namespace) -> list[FloatArray]:
    seeds = range(options.runs)
    if options.no_training:
        seeds = [seed for seed in seeds if (options.cache / found.name / f"{kind}-{seed}.npy").is_file()]
    return [trained(found, kind, seed, options.cache) for seed in seeds]


def _sd_over_runs(picks: Sequence[IntArray], outcomes: Sequence[bool], n_runs: int) -> float:
    """Standard deviation of the rate when the runs are drawn anew; a comparison counts as often as all of its runs."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(n_runs, np.full(n_runs, 1 / n_runs), size=N_BOOTSTRAP)
    weights = np.stack([drawn[:, pick].prod(axis=1) for pick in picks], axis=1)
    weights = weights[weights.sum(axis=1) > 0]
    return float(((weights @ np.array(outcomes, dtype=float)) / weights.sum(axis=1)).std())


def _line(row: dict[str, object]) -> str:
    parts = [
        f"{row['set']}, {row['design']} a side, {row['runs']} runs, {row['items']} items, n = {row['n']}"
    ]
    for name, title in (("whole", "A/A wholes"), ("classes", "A/A class families"), ("gain", "gain seen")):
        parts.append(f"{title} {_rate(row[name], row['n'])}")
    parts.append(f"sd over runs {100 * row['sd_whole']:.1f}, {100 * row['sd_classes']:.1f} %")
    return " | ".join(parts)


def _rate(n_of: object, n: object) -> str:
    share: Estimate = proportion(float(str(n_of)), int(str(n)))
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f}–{100 * share.high:.1f})"


def _print_total(counts: pd.DataFrame) -> None:
    """Over all sizes, by set and design, and over everything; gains where there were 2,000 items."""
    print("\n| set | design | A/A comparisons | wholes with a verdict | class families with a verdict |")
    print("|---|---|---|---|---|")
    sums = counts.groupby(["set", "design"], sort=False)[["n", "whole", "classes"]].sum().reset_index()
    everything = pd.DataFrame([{"set": "all", "design": "all", **sums[["n", "whole", "classes"]].sum()}])
    for row in pd.concat([sums, everything]).to_dict("records"):
        rates = " | ".join(_rate(row[name], row["n"]) for name in ("whole", "classes"))
        print(f"| {row['set']} | {row['design']} | {row['n']} | {rates} |")
    print(
        "\n| set | design | validation items | comparisons with a true gain of 3 points | called improved |"
    )
    print("|---|---|---|---|---|")
    largest = counts[counts["items"] == counts.groupby("set")["items"].transform("max")]
    for row in largest.to_dict("records"):
        print(
            f"| {row['set']} | {row['design']} | {row['items']} | {row['n']} | {_rate(row['gain'], row['n'])} |"
        )


if __name__ == "__main__":
    main()
