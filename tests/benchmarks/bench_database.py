"""How long decisions take to be committed when several processes write to one project at once, and that none is lost.

    python tests/benchmarks/bench_database.py --database postgresql://user@host/name

The sample of digits is taken in twice, with its decisions in SQLite and on PostgreSQL. Each process opens the project
for itself and decides one item an act, each from another place, one act after the other; the processes meet on the same
items. The schema on the server is removed afterwards.
"""

import argparse
import multiprocessing
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np

from curation.database import remove_database
from curation.dataset.intake import IntakeSpec, take_in
from curation.decisions.events import Decision
from curation.project import Project
from data_samples import digits_folder
from diagnostics.progress import ignore_progress


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database", required=True, help="postgresql://user@host/name")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--decisions", type=int, default=300, help="of each process")
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    intake = take_in(IntakeSpec(data=digits_folder() / "train.csv"), on_progress=ignore_progress)
    for name, database in (("SQLite", None), ("PostgreSQL", options.database)):
        for n_processes in options.processes:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch) / "bench"
                project = Project.create(folder, intake, now=datetime.now(UTC), database=database)
                try:
                    print(
                        f"{name}, {n_processes} at once: {measure(project, n_processes, options.decisions)}"
                    )
                finally:
                    project.engine.dispose()
                    remove_database(project.database)


def measure(project: Project, n_processes: int, n_each: int) -> str:
    """Let so many processes decide at once; raises if an event is missing or a number was left out."""
    spawning = multiprocessing.get_context("spawn")
    barrier, answers = spawning.Barrier(n_processes), spawning.Queue()
    places = range(n_processes)
    processes = [
        spawning.Process(target=decide, args=(project.folder, place, n_each, barrier, answers))
        for place in places
    ]
    for process in processes:
        process.start()
    took, changed = zip(*(answers.get() for _ in places), strict=True)
    for process in processes:
        process.join()
    numbers = [event.event for event in project.decisions.all_events()]
    if numbers != list(range(1, sum(changed) + 1)):
        raise RuntimeError(f"{sum(changed)} changes were acknowledged, {len(numbers)} events are there.")
    times_ms = np.concatenate(took) * 1000
    middle, high = np.percentile(times_ms, [50, 95])
    return (
        f"{middle:.1f} ms median, {high:.1f} ms 95th percentile, {times_ms.max():.0f} ms longest; "
        f"{len(numbers)} events, none lost"
    )


def decide(folder: Path, place: int, n_each: int, barrier: Barrier, answers: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    """One process: the seconds that each of its acts took, and how many of them changed something."""
    project = Project.open(folder)
    store, item_ids = project.decisions, project.items["item_id"].tolist()
    annotator = f"annotator {place}"
    store.last_event()
    barrier.wait()
    took, n_changed = [], 0
    for number in range(n_each):
        item_id = item_ids[(number * (place + 1)) % len(item_ids)]
        decision = Decision(item_id, "label_wrong" if number % 2 else "ambiguous", str(number % 10))
        started = time.perf_counter()
        done = store.decide([decision], annotator=annotator, now=datetime.now(UTC))
        took.append(time.perf_counter() - started)
        n_changed += done.n_changed
    answers.put((took, n_changed))


if __name__ == "__main__":
    main()
