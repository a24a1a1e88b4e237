"""How long the server takes over the cards of a page of texts or table rows, over a queue of many items.

    python tests/benchmarks/bench_cards.py --project FINISHED_PROJECT --rows 100000

The project, of texts or of table rows, with one finished run that explains its labels, is blown up to that many rows:
items, predictions, scores and explanations are repeated. Pages are asked for one after the other from the top of the
ranked queue, each for the first time; a figure is one request of GET /api/cards, from the call to the answer, without a
network. The first page is told apart: it opens the files, and of rows collects what values each class has.
"""

import argparse
import json
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from bench_review import blown_up
from starlette.applications import Starlette
from starlette.testclient import TestClient

from curation.features import FEATURES_FILE
from curation.project import Project
from curation.runs import list_runs
from diagnostics.explanations import Explanations, read_explanations, write_explanations
from diagnostics.predictions import read_predictions

N_PAGES = 40


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--page", type=int, default=100)
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    scratch = Path(tempfile.mkdtemp())
    try:
        folder = with_explanations(options.project, scratch / "project", options.rows)
        measure(folder, options.page)
    finally:
        shutil.rmtree(scratch)


def with_explanations(source: Path, target: Path, n_rows: int) -> Path:
    """The project blown up, with the explanations of its training items repeated in the same order."""
    folder = blown_up(source, target, n_rows)
    if (source / FEATURES_FILE).exists():
        shutil.copy(source / FEATURES_FILE, folder / FEATURES_FILE)
    run_dir = source / "runs" / list_runs(Project.open(source))[-1].run_id
    explanations = read_explanations(run_dir)
    if explanations is None:
        raise SystemExit(f"{run_dir.name} explains nothing: take a run that does.")
    train = np.flatnonzero(read_predictions(run_dir).splits == "train")
    rows = np.resize(train, n_rows)
    lengths = np.diff(explanations.begins)[rows]
    places = np.concatenate(
        [np.arange(explanations.begins[row], explanations.begins[row + 1]) for row in rows]
    )
    write_explanations(
        folder / "runs" / run_dir.name,
        Explanations(
            begins=np.concatenate([[0], np.cumsum(lengths)]),
            start=np.asarray(explanations.start)[places],
            end=np.asarray(explanations.end)[places],
            effect=np.asarray(explanations.effect)[places],
            parts=explanations.parts,
        ),
    )
    return folder


def measure(folder: Path, page_size: int) -> None:
    from app import context
    from app.routes import make_routes
    from app.tokens import sign

    os.environ[context.PROJECT_VARIABLE] = str(folder)
    run_id = list_runs(context.current_project())[-1].run_id
    token = sign(context.project_key(), "ada", secret=context.TOKEN_SECRET, now=context.now())
    client = TestClient(Starlette(routes=make_routes()), headers={"Authorization": f"Bearer {token}"})
    wall_ms, cpu_ms = [], []
    for number in range(1, N_PAGES + 1):
        query = f"run={run_id}&page={number}&size={page_size}"
        ids = client.get(f"/api/page?{query}").json()["items"]["item_id"]
        started_s, cpu_s = time.perf_counter(), time.process_time()
        answer = client.get("/api/cards", params={"run": run_id, "ids": json.dumps(ids)})
        wall_ms.append(1000 * (time.perf_counter() - started_s))
        cpu_ms.append(1000 * (time.process_time() - cpu_s))
        assert answer.status_code == 200, answer.text
    print(
        f"{len(context.current_project().item_index):,} items, pages of {page_size}, {len(answer.content):,} bytes"
    )
    print(f"  first page {wall_ms[0]:.0f} ms")
    for name, times in (("answered in", wall_ms[1:]), ("CPU of the server", cpu_ms[1:])):
        print(f"  {name}: p50 {np.percentile(times, 50):.1f} ms, p95 {np.percentile(times, 95):.1f} ms")


if __name__ == "__main__":
    main()
