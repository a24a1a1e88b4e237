"""How long importing another model's predictions takes, and what it holds in memory.

    python tests/benchmarks/bench_import.py [--rows 1000000] [--classes 100] [--folder FOLDER]

The project is made up: items of one class each, no pictures. The array is memory-mapped, its rows and columns are in
another order than the project's. Memory is the most that the importing process holds above what it had before; the
pages of mapped files, which the system takes back when it needs the room, are not counted.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="where everything is made and kept; else a temporary one")
    parser.add_argument("--step", choices=["make", "bring"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        (make if options.step == "make" else bring)(options.folder, options.rows, options.classes)
        return
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as scratch:
        for step in ("make", "bring"):
            command = [sys.executable, __file__, "--step", step, "--rows", str(options.rows)]
            command += ["--classes", str(options.classes), "--folder", str(options.folder or scratch)]
            subprocess.run(command, check=True)


def make(folder: Path, n_rows: int, n_classes: int) -> None:
    """A project without runs, 80 % train, and the array with the names of its rows and columns."""
    from curation.dataset.duplicates import LEAK_COLUMNS
    from curation.dataset.findings import FINDING_COLUMNS
    from curation.dataset.intake import Intake
    from curation.dataset.sources import Columns
    from curation.project import Project
    from diagnostics.image_files import ImageRoot

    if (folder / "project").exists():
        return
    rng = np.random.default_rng(0)
    classes = tuple(f"class {code:03d}" for code in range(n_classes))
    ids = [f"item-{row:08d}" for row in range(n_rows)]
    codes = rng.integers(0, n_classes, n_rows)
    items = pd.DataFrame(
        {
            "item_id": ids,
            "path": ids,
            "root": 0,
            "split": np.where(np.arange(n_rows) < 0.8 * n_rows, "train", "val"),
            "given_label": np.array(classes)[codes],
            "source": "items.csv",
            "source_row": np.arange(2, n_rows + 2),
            "content_hash": ids,
            "group": None,
            "unit": ids,
            "width": 8,
            "height": 8,
        }
    ).astype({"group": "str"})
    intake = Intake(
        modality="image",
        items=items,
        findings=pd.DataFrame(columns=list(FINDING_COLUMNS)),
        leaks=pd.DataFrame(columns=list(LEAK_COLUMNS)),
        classes=classes,
        roots=(ImageRoot("folder", folder),),
        fingerprint="f" * 64,
        columns=Columns(path="path", label="label"),
        seed=0,
        val_fraction=0.2,
    )
    Project.create(folder / "project", intake, now=NOW)
    order, columns = rng.permutation(n_rows), rng.permutation(n_classes)
    probs = np.lib.format.open_memmap(
        folder / "probs.npy", mode="w+", dtype=np.float32, shape=(n_rows, n_classes)
    )
    for start in range(0, n_rows, 50_000):
        rows = order[start : start + 50_000]
        logits = rng.standard_normal((len(rows), n_classes), dtype=np.float32)
        logits[np.arange(len(rows)), codes[rows]] += rng.exponential(6, len(rows))
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs[start : start + 50_000] = (exp / exp.sum(axis=1, keepdims=True))[:, columns]
    probs.flush()
    (folder / "ids.txt").write_text("\n".join(ids[row] for row in order) + "\n")
    (folder / "classes.txt").write_text("\n".join(classes[code] for code in columns) + "\n")


def bring(folder: Path, n_rows: int, n_classes: int) -> None:
    """Import the array; what is asked of the project for the first time is asked before."""
    from curation.imported_predictions import ImportSpec, import_predictions
    from curation.project import Project

    project = Project.open(folder / "project")
    project.item_index.rows_of(["item-00000000"])
    before = private_bytes()
    largest, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            largest[0] = max(largest[0], private_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    stages: dict[str, float] = {}
    began_s = time.perf_counter()
    spec = ImportSpec(
        probs=folder / "probs.npy",
        classes=str(folder / "classes.txt"),
        ids=folder / "ids.txt",
        out_of_fold=True,
    )
    import_predictions(
        project,
        spec,
        now=NOW,
        on_progress=lambda progress: stages.setdefault(progress.stage, time.perf_counter() - began_s),
    )
    took_s = time.perf_counter() - began_s
    done.set()
    watching.join()
    begun = ", ".join(f"{stage} from {at_s:.1f} s" for stage, at_s in stages.items())
    size = n_rows * n_classes * 4
    print(
        f"{n_rows:,} × {n_classes} ({size / 1e6:,.0f} MB): {took_s:.1f} s ({begun}); at most "
        f"{(largest[0] - before) / 1e6:,.0f} MB above the {before / 1e6:,.0f} MB before"
    )


def private_bytes() -> int:
    found = psutil.Process().memory_info()
    return int(found.rss - found.shared)


if __name__ == "__main__":
    main()
