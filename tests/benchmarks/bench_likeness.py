"""Does likeness to a class find what predictions miss? The unlabelled items of a project whose true labels are known.

    python tests/benchmarks/bench_likeness.py FINISHED_PROJECT UNLABELLED_TRUTH_CSV

The truth has path and true_label and is read here only. For each class: how many unlabelled items are truly of it and
predicted as another one, and how many of these are among the first 50 of the queue that is most like its known items;
beside that, how many 50 items drawn at random hold. Classes that the advice sends to that queue are marked.
"""

import argparse
import os
import platform
import time
from pathlib import Path

import pandas as pd

from curation.advice import class_advice
from curation.project import Project
from curation.queues import QueueQuery, ranked_table
from curation.run_folders import newest_full_run

FIRST = 50


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("project", type=Path)
    parser.add_argument("truth", type=Path)
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    project = Project.open(options.project)
    run = newest_full_run(project)
    if run is None:
        raise SystemExit("The project has no full run.")
    truth = pd.read_csv(options.truth).set_index("path")["true_label"]
    started = time.perf_counter()
    advised = {line.label for line in class_advice(project, run.info.run_id) if _sends_to_queue(line.actions)}
    print(f"advice for {len(project.task.classes)} classes: {time.perf_counter() - started:.2f} s")
    rows = [
        _measured(project, run.info.run_id, label, truth) | {"advised": "yes" if label in advised else ""}
        for label in project.task.classes
    ]
    table = pd.DataFrame(rows)
    print(table.round(1).to_string(index=False))
    for name, part in (("all classes", table), ("advised", table[table["advised"] == "yes"])):
        found, missed, at_random = part["found"].sum(), part["missed"].sum(), part["at_random"].sum()
        print(f"{name}: {found} of {missed} missed items in the first {FIRST}; at random {at_random:.1f}")


def _sends_to_queue(actions: tuple) -> bool:
    return any("like" in dict(action.params) for action in actions)


def _measured(project: Project, run_id: str, label: str, truth: pd.Series) -> dict[str, object]:
    ranked = ranked_table(project, QueueQuery(run_id=run_id, splits=("unlabelled",), like=label))
    labels = truth.reindex(ranked["path"]).to_numpy()
    missed = (labels == label) & (ranked["predicted_label"] != label).to_numpy()
    return {
        "class": label,
        "truly": int((labels == label).sum()),
        "missed": int(missed.sum()),
        "found": int(missed[:FIRST].sum()),
        "at_random": missed.sum() * min(1.0, FIRST / len(ranked)),
    }


if __name__ == "__main__":
    main()
