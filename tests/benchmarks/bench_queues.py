"""How fast ranked queues are over 10,000, a million and ten million scored rows, and what they hold in memory.

    python tests/benchmarks/bench_queues.py --rows 10000 1000000 10000000 [--folder FOLDER]

The projects are made up: ids, paths, labels, scores and decisions, no pictures. Each step runs in a process of its own:
making the project, making the files that queues are read from ("cold"), and then opening queues over them ("warm").
Memory is what the warm process has above what it had before it opened the project. Of it, `files` are pages of the
mapped files, which the system takes back when it needs the room, and `private` is what the process holds.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

N_CLASSES = 20
N_DECIDED = 20_000
ROWS_AT_ONCE = 1_000_000
CLASSES = tuple(f"class {number:02d}" for number in range(N_CLASSES))
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PAGE = 60


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000])
    parser.add_argument(
        "--folder", type=Path, help="where the projects are made and kept; else a temporary one"
    )
    parser.add_argument("--step", choices=["make", "cold", "warm"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        STEPS[options.step](options.folder, options.rows[0])
        return
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    scratch = options.folder or Path(tempfile.mkdtemp())
    try:
        for n_rows in options.rows:
            print(f"\n{n_rows:,} rows", flush=True)
            for step in STEPS:
                command = [sys.executable, __file__, "--step", step, "--rows", str(n_rows)]
                subprocess.run([*command, "--folder", str(scratch / str(n_rows))], check=True)
    finally:
        if options.folder is None:
            shutil.rmtree(scratch)


# ---------------------------------------------------------------- the project


def make(folder: Path, n_rows: int) -> None:
    """A project with one run: 80 % train, 5 % val, 5 % test, 10 % unlabelled, and N_DECIDED decisions."""
    from curation.dataset.duplicates import leaks_of
    from curation.dataset.intake import Intake
    from curation.dataset.sources import Columns
    from curation.project import ITEMS_FILE, Project
    from diagnostics.image_files import ImageRoot
    from diagnostics.task import ITEM_COLUMNS

    if folder.exists():
        return
    few = {name: ["x"] for name in ITEM_COLUMNS} | {
        "root": [0],
        "source_row": [0],
        "width": [8],
        "height": [8],
    }
    few |= {"split": ["train"], "given_label": [CLASSES[0]]}
    nothing = pd.DataFrame({"source": [], "row": [], "path": [], "code": [], "severity": [], "message": []})
    intake = Intake(
        modality="image",
        items=pd.DataFrame(few),
        findings=nothing,
        leaks=leaks_of(pd.DataFrame(few), None),
        classes=CLASSES,
        roots=(ImageRoot("folder", folder.parent),),
        fingerprint="f" * 64,
        columns=Columns(path="path", label="label"),
        seed=0,
        val_fraction=0.1,
    )
    project = Project.create(folder, intake, now=NOW)
    run_dir = project.runs_dir / "run-0001"
    (run_dir / "predictions").mkdir(parents=True)
    probs = np.lib.format.open_memmap(
        run_dir / "predictions" / "pred_probs.npy", mode="w+", dtype=np.float32, shape=(n_rows, N_CLASSES)
    )
    item_schema, score_schema = (table.schema for table in chunk(0, 1)[:2])
    with (
        pq.ParquetWriter(folder / ITEMS_FILE, item_schema) as items,
        pq.ParquetWriter(run_dir / "scores.parquet", score_schema) as scores,
    ):
        for start in range(0, n_rows, ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, n_rows)
            item_rows, score_rows, probs[start:stop] = chunk(start, stop)
            items.write_table(item_rows)
            scores.write_table(score_rows)
    probs.flush()
    write_info(run_dir, n_rows)
    decide(Project.open(folder), n_rows)


def chunk(start: int, stop: int) -> tuple[pa.Table, pa.Table, np.ndarray]:
    """Items and scores of some rows, whose true class gets a large logit; one label in ten is another one."""
    from diagnostics.scores import confident_thresholds, score_items

    rng = np.random.default_rng(start)
    n = stop - start
    true = rng.integers(0, N_CLASSES, n)
    given = np.where(rng.random(n) < 0.1, rng.integers(0, N_CLASSES, n), true)
    split = rng.choice(4, n, p=[0.8, 0.05, 0.05, 0.1])
    logits = rng.standard_normal((n, N_CLASSES), dtype=np.float32)
    logits[np.arange(n), true] += rng.exponential(4, n).astype(np.float32)
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    codes = np.where(split == 3, -1, given)
    found = score_items(codes, probs, thresholds=confident_thresholds(codes, probs))
    number = pa.array(np.arange(start, stop))
    ids = pc.binary_join_element_wise("item", pc.utf8_lpad(number.cast(pa.string()), 9, "0"), "-")
    names = pa.array(CLASSES, pa.string())
    labels = names.take(pa.array(given, mask=split == 3))
    splits = pa.array(["train", "val", "test", "unlabelled"], pa.string()).take(pa.array(split))
    folders = names.take(pa.array(true))
    constant = {
        "root": np.zeros(n, np.int64),
        "width": np.full(n, 224),
        "height": np.full(n, 224),
        "source_row": np.arange(start + 2, stop + 2),
    }
    texts = {
        "item_id": ids,
        "path": pc.binary_join_element_wise("images", folders, ids, "/"),
        "split": splits,
        "given_label": labels,
        "source": pa.array(["items.csv"] * n, pa.string()),
        "content_hash": pc.binary_join_element_wise(ids, pa.scalar("0" * 50, pa.string()), ""),
    }
    items = pa.table(texts | {name: pa.array(values) for name, values in constant.items()})
    scores = {name: texts[name] for name in ("item_id", "split", "given_label")}
    scores["kind"] = pa.array(["out_of_fold", "mean_of_folds"], pa.string()).take(pa.array((split > 0) * 1))
    scores |= {
        f"{name}_label": names.take(pa.array(getattr(found, name))) for name in ("predicted", "second")
    }
    numbers = (
        "p_given",
        "p_predicted",
        "p_second",
        "loss",
        "confusion",
        "margin",
        "entropy",
        "label_quality",
    )
    scores |= {name: pa.array(getattr(found, name)) for name in numbers}
    return items, pa.table(scores), probs


def write_info(run_dir: Path, n_rows: int) -> None:
    from diagnostics.run_folder import RunInfo, write_run_info
    from diagnostics.training.config import TrainConfig

    info = RunInfo(
        run_id=run_dir.name, created_at=NOW, finished_at=NOW, seconds=1.0, config=TrainConfig(), resolved=TrainConfig(),
        classes=CLASSES, dataset_version={"number": 0, "fingerprint": "f", "event": 0}, device="cpu", n_threads=1,
        versions={}, n_train=n_rows, n_folds=5, in_sample=False, arch="none", pretrained=False,
    )  # fmt: skip
    write_run_info(run_dir, info)


def decide(project: object, n_rows: int) -> None:
    from curation.decisions.events import Decision

    rows = np.random.default_rng(1).choice(n_rows, min(N_DECIDED, n_rows // 10), replace=False)
    ids = [f"item-{row:09d}" for row in rows]
    for number, part in enumerate(np.array_split(np.array(ids), 10)):
        verdict = ("bad_item", "ambiguous", "out_of_scope")[number % 3]
        project.decisions.unlock_test("ada", "a benchmark", NOW)
        wanted = [Decision(str(item_id), verdict) for item_id in part]
        project.decisions.decide(wanted, annotator=("ada", "bob")[number % 2], now=NOW)


# ---------------------------------------------------------------- the steps


def cold(folder: Path, _n_rows: int) -> None:
    from curation.project import Project
    from curation.queues import QueueQuery, open_queue, prepare_queues

    began_s = time.perf_counter()
    project = Project.open(folder)
    len(project.items)
    items_s = time.perf_counter() - began_s
    open_queue(project, QueueQuery()).page(1, PAGE)
    first_s = time.perf_counter() - began_s
    prepare_queues(project)
    all_s = time.perf_counter() - began_s
    n_bytes = sum(path.stat().st_size for path in project.cache_dir.rglob("*") if path.is_file())
    print(
        f"  made once: items {items_s:.1f} s, the first queue {first_s:.1f} s, every ranker {all_s:.1f} s; "
        f"{n_bytes / 1e6:,.0f} MB on disk, peak {peak_mb():,.0f} MB",
        flush=True,
    )


def warm(folder: Path, n_rows: int) -> None:
    import curation.queues as library
    from curation.project import Project
    from curation.yield_meter import queue_yield

    before = memory_mb()
    began_s = time.perf_counter()
    project = Project.open(folder)
    queue = library.open_queue(project, library.QueueQuery())
    queue.page(1, PAGE)
    print(f"  a new process, until its first page: {1000 * (time.perf_counter() - began_s):.0f} ms")
    say_memory("after the first page", before)
    for query in filters(library):
        opened(library, project, query)  # the pages of the files are in memory from here on
    several("first page", [lambda: opened(library, project, library.QueueQuery())] * 15)
    several("page 1,000", [lambda: queue.page(min(1000, len(queue) // PAGE), PAGE)] * 15)
    for query in filters(library):
        shown = ", ".join(f"{name}={value!r}" for name, value in set_in(query, library).items())
        several(f"first page, {shown}", [lambda query=query: opened(library, project, query)] * 7)
    texts = [f"{number:05d}" for number in np.random.default_rng(3).integers(0, 99_999, 7)]
    searches = [library.QueueQuery(search=text) for text in texts]
    several(
        "first page, a text not searched for before",
        [lambda q=q: opened(library, project, q) for q in searches],
    )
    combined = random_queries(library, 20)
    several("first page, 20 random combinations", [lambda q=q: opened(library, project, q) for q in combined])
    several("counts beside every filter", [queue.counts] * 15)
    queues = [library.open_queue(project, query) for query in combined]
    say_memory(f"with {len(queues) + 1} queues open", before)
    several("counts, 20 random combinations", [each.counts for each in queues])
    several("open suspects of each class", [queue.open_suspects] * 7)
    several("confused pairs", [queue.pair_counts] * 7)
    several("yield meter", [lambda: queue_yield(queue)] * 15)
    rows = np.random.default_rng(2).integers(0, n_rows, 50)
    several("position of an item", [lambda row=row: queue.position(f"item-{row:09d}") for row in rows])
    few = [f"item-{row:09d}" for row in rows]
    several("states of 50 items", [lambda: project.decisions.states(few)] * 15)
    say_memory("after all of this", before)


def opened(library: object, project: object, query: object) -> None:
    """Open a queue and read its first page: its length, its items, their states, how many are decided."""
    queue = library.open_queue(project, query)
    queue.page(1, PAGE)
    queue.top_classes(1, PAGE)
    queue.n_decided()
    assert len(queue) + queue.n_left_out >= 0


def filters(library: object) -> list[object]:
    """Each filter alone, and each ranker."""
    rankers = [library.QueueQuery(by=name) for name in library.RANKERS]
    return [
        *rankers,
        library.QueueQuery(given=CLASSES[3]),
        library.QueueQuery(predicted=CLASSES[3]),
        library.QueueQuery(pair=(CLASSES[3], CLASSES[4])),
        library.QueueQuery(splits=("unlabelled",), by="confusion"),
        library.QueueQuery(decided="open"),
        library.QueueQuery(decided="decided"),
        library.QueueQuery(verdict="ambiguous"),
        library.QueueQuery(annotator="bob"),
        library.QueueQuery(search="0123"),
    ]


def random_queries(library: object, n: int) -> list[object]:
    rng = np.random.default_rng(0)

    def pick(*values: object) -> object:
        return values[rng.integers(len(values))]

    return [
        library.QueueQuery(
            splits=pick(("train",), ("train", "val"), ("val", "test")),
            by=pick(*library.RANKERS),
            given=pick(None, *CLASSES[:3]),
            predicted=pick(None, *CLASSES[:3]),
            decided=pick(*library.DECIDED),
            verdict=pick(None, None, "bad_item", "none"),
            annotator=pick(None, None, "ada"),
            search=pick("", "", "", "7", "class 01"),
        )
        for _ in range(n)
    ]


def set_in(query: object, library: object) -> dict[str, object]:
    plain = library.QueueQuery()
    names = [name for name in query.__slots__ if getattr(query, name) != getattr(plain, name)]
    return {name: getattr(query, name) for name in names or ["by"]}


# ---------------------------------------------------------------- measuring


def several(name: str, calls: list[Callable[[], object]]) -> None:
    times_ms = []
    for call in calls:
        began_s = time.perf_counter()
        call()
        times_ms.append(1000 * (time.perf_counter() - began_s))
    p50, p95 = np.percentile(times_ms, [50, 95])
    print(f"  {name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms ({len(times_ms)} times)", flush=True)


def memory_mb() -> dict[str, float]:
    found = psutil.Process().memory_full_info()
    shared = getattr(found, "shared", 0)
    return {"all": found.rss / 1e6, "files": shared / 1e6, "private": (found.rss - shared) / 1e6}


def say_memory(when: str, before: dict[str, float]) -> None:
    now = memory_mb()
    parts = {name: now[name] - before[name] for name in now}
    print(
        f"  memory {when}: {parts['all']:,.0f} MB above an empty process, of it files {parts['files']:,.0f}, "
        f"private {parts['private']:,.0f}",
        flush=True,
    )


def peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


STEPS = {"make": make, "cold": cold, "warm": warm}


if __name__ == "__main__":
    main()
