"""How fast texts are taken in, looked through for near copies, and searched.

python tests/benchmarks/bench_text_intake.py --n 1000000 --words 12
python tests/benchmarks/bench_text_intake.py --data train.csv --test test.csv --unlabelled unlabelled.csv
"""

import argparse
import csv
import os
import platform
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from curation.dataset.intake import IntakeSpec, take_in
from curation.project import Project
from diagnostics.progress import ignore_progress

N_VOCABULARY = 20_000
N_SEARCHES = 7
SYLLABLES = [
    "ka",
    "lo",
    "mi",
    "ter",
    "ran",
    "su",
    "ven",
    "pol",
    "di",
    "gra",
    "he",
    "fu",
    "sti",
    "no",
    "wa",
    "bel",
]


def make_texts(path: Path, n: int, n_words: int) -> None:
    """n texts of words that are as unevenly common as those of a language (Zipf), with two labels."""
    rng = np.random.default_rng(0)
    vocabulary = ["".join(rng.choice(SYLLABLES, rng.integers(1, 5))) for _ in range(N_VOCABULARY)]
    weights = 1 / np.arange(1, N_VOCABULARY + 1)
    words = np.array(vocabulary, dtype=object)[
        rng.choice(N_VOCABULARY, (n, n_words), p=weights / weights.sum())
    ]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        writer.writerows(
            (f"t{row}", " ".join(text), "ab"[row % 2]) for row, text in enumerate(words.tolist())
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=12)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--unlabelled", type=Path)
    parser.add_argument("--search", default="sti no")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores, ", end="")
    print(f"{psutil.virtual_memory().total / 2**30:.0f} GB, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        data = options.data or Path(name) / "texts.csv"
        if options.data is None:
            make_texts(data, options.n, options.words)
        start = time.perf_counter()
        intake = take_in(
            IntakeSpec(data, test=options.test, unlabelled=options.unlabelled), on_progress=ignore_progress
        )
        taken_s = time.perf_counter() - start
        project = Project.create(Path(name) / "project", intake, now=datetime.now(UTC))
        n = len(project.item_index)
        print(f"taken in: {n:,} texts in {taken_s:.1f} s, {len(intake.findings)} findings")
        print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")
        times = []
        for _ in range(N_SEARCHES):
            start = time.perf_counter()
            found = project.item_index.with_text(options.search)
            times.append(time.perf_counter() - start)
        print(
            f"search for {options.search!r}: {found.sum():,} found, median {1000 * median(times):.0f} ms, ",
            end="",
        )
        print(f"slowest {1000 * max(times):.0f} ms")


if __name__ == "__main__":
    main()
