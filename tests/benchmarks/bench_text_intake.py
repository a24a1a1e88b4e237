"""How fast texts are taken in, looked through for near copies, and searched.

python tests/benchmarks/bench_text_intake.py --n 100000 --words 12
python tests/benchmarks/bench_text_intake.py --n 1000000 --words 12 --search-only
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
import pandas as pd
import psutil

from curation.dataset.intake import IntakeSpec, take_in
from curation.item_index import ItemIndex, open_items
from curation.modalities.text import TEXT
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


def index_alone(data: Path) -> ItemIndex:
    """The index of these texts, as a project has it, without looking for near copies."""
    texts = pd.read_csv(data)
    start = time.perf_counter()
    items = texts.rename(columns={"id": "item_id", "label": "given_label"}).assign(
        path="", split="train", content_hash="", group=None, unit=""
    )
    path = data.with_name("items.parquet")
    items.astype("str").to_parquet(path, index=False)
    index = open_items(path, ["a", "b"], data.with_name("cache"), searched=TEXT.searched)
    print(f"indexed: {len(index):,} texts in {time.perf_counter() - start:.1f} s")
    return index


def measure_search(index: ItemIndex, search: str) -> None:
    times = []
    for _ in range(N_SEARCHES):
        start = time.perf_counter()
        found = index.with_text(search)
        times.append(time.perf_counter() - start)
    print(f"search for {search!r} in {len(index):,} texts: {found.sum():,} found, ", end="")
    print(f"median {1000 * median(times):.0f} ms, slowest {1000 * max(times):.0f} ms")


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
    parser.add_argument(
        "--search-only", action="store_true", help="measure the search alone, of made-up texts"
    )
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores, ", end="")
    print(f"{psutil.virtual_memory().total / 2**30:.0f} GB, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        data = options.data or Path(name) / "texts.csv"
        if options.data is None:
            make_texts(data, options.n, options.words)
        if options.search_only:
            measure_search(index_alone(data), options.search)
            return
        start = time.perf_counter()
        intake = take_in(
            IntakeSpec(data, test=options.test, unlabelled=options.unlabelled), on_progress=ignore_progress
        )
        taken_s = time.perf_counter() - start
        project = Project.create(Path(name) / "project", intake, now=datetime.now(UTC))
        print(f"taken in: {len(intake.items):,} texts in {taken_s:.1f} s, {len(intake.findings)} findings")
        print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")
        measure_search(project.item_index, options.search)


if __name__ == "__main__":
    main()
