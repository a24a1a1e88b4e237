"""How fast the review screen is, in headless Chromium, over queues of thousands and of a million rows.

    python tests/benchmarks/bench_review.py --project FINISHED_PROJECT --rows 10000 1000000

The project, with one finished run, is blown up to each number of rows: items, predictions and scores are repeated, the
pictures are the project's own. Every figure is measured in the browser, from the key's event to the frame in which its
effect is painted, or to the moment in which the browser has the server's word that the decision is committed.
"""

import argparse
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from curation.database import open_database
from curation.project import DATABASE_FILE, FINDINGS_FILE, INFO_FILE, ITEMS_FILE, Project
from curation.runs import list_runs
from diagnostics.predictions import Predictions, object_array, read_predictions, write_predictions
from diagnostics.run_folder import HISTORY_FILE, SCORES_FILE, write_table
from diagnostics.run_folder import INFO_FILE as RUN_FILE
from diagnostics.scores import scores_table

N_FEATURES = 16
N_KEYS = 120
N_TURNS = 12
N_OTHERS = 20
PER_SECOND = 2
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]

PROBE = """
(root) => {
  const list = root.querySelector('.tiles');
  const probe = window.probe = {keys: [], painted: [], committed: []};
  const painted = (into) => requestAnimationFrame(() => setTimeout(() => into(performance.now()), 0));
  root.addEventListener('keydown', (event) => probe.keys.push(event.timeStamp), true);
  new MutationObserver(() => painted((now) => probe.painted.push(now)))
    .observe(list, {subtree: true, attributes: true, attributeFilter: ['data-status']});
  root.addEventListener('committed', () => probe.committed.push(performance.now()));
  probe.turned = () => new Promise((done) => {
    const started = {ids: [...list.querySelectorAll('.tile')].map((tile) => tile.title).join()};
    root.addEventListener('keydown', (event) => { started.at = event.timeStamp; }, {capture: true, once: true});
    const look = () => {
      const tiles = [...list.querySelectorAll('.tile')];
      const ready = tiles.map((tile) => tile.title).join() !== started.ids &&
        tiles.every((tile) => tile.querySelector('.picture img')?.complete);
      if (started.at !== undefined && ready) painted((now) => done(now - started.at));
      else requestAnimationFrame(look);
    };
    look();
  });
  probe.said = (text) => new Promise((done) => {
    const message = root.querySelector('.message');
    const start = performance.now();
    const look = () => {
      if (message.textContent.includes(text)) painted((now) => done(now - start));
      else requestAnimationFrame(look);
    };
    look();
  });
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    for n_rows in options.rows:
        with tempfile.TemporaryDirectory() as scratch:
            folder = blown_up(options.project, Path(scratch) / "project", n_rows)
            with served(folder) as (address, process):
                print(f"\n{n_rows:,} rows", flush=True)
                measure(address, process, folder, options.chromium)


# ---------------------------------------------------------------- the project


def blown_up(source: Path, target: Path, n_rows: int) -> Path:
    """A copy of the project with its training items and their predictions repeated up to n_rows."""
    project = Project.open(source)
    run_dir = project.runs_dir / list_runs(project)[-1].run_id
    predictions = read_predictions(run_dir)
    train = np.flatnonzero(predictions.splits == "train")
    rows = np.resize(train, n_rows)
    ids = object_array([f"{item_id}#{number}" for number, item_id in enumerate(predictions.item_ids[rows])])
    in_items = pd.Index(project.items["item_id"]).get_indexer(pd.Index(predictions.item_ids[rows]))
    items = project.items.iloc[in_items].assign(item_id=ids).reset_index(drop=True)
    target.mkdir()
    for name in (INFO_FILE, FINDINGS_FILE):
        shutil.copy(source / name, target / name)
    items.to_parquet(target / ITEMS_FILE, index=False)
    open_database(target / DATABASE_FILE).dispose()
    rng = np.random.default_rng(0)
    pred_probs = predictions.pred_probs[rows] + rng.random((n_rows, 1), dtype=np.float32) * 1e-3
    pred_probs /= pred_probs.sum(axis=1, keepdims=True)
    repeated = Predictions(
        item_ids=ids,
        splits=predictions.splits[rows],
        folds=predictions.folds[rows],
        kinds=predictions.kinds[rows],
        given_labels=predictions.given_labels[rows],
        pred_probs=pred_probs,
        embeddings=np.asarray(predictions.embeddings[:, :N_FEATURES])[rows],
        classes=predictions.classes,
    )
    new_dir = target / "runs" / run_dir.name
    write_predictions(new_dir, repeated)
    write_table(new_dir / SCORES_FILE, scores_table(repeated))
    for name in (HISTORY_FILE, RUN_FILE):
        shutil.copy(run_dir / name, new_dir / name)
    return target


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "app.cli", "app", str(folder), "--port", str(port), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)


# ---------------------------------------------------------------- the browser


def measure(address: str, process: psutil.Process, folder: Path, chromium: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name, visit in VISITS:
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.set_default_timeout(120_000)
            visit(page, address, process, folder, name)
            page.context.close()
        browser.close()


def opened(page: Any, address: str, query: str = "mixed=1") -> float:
    """Open Review and put the probe in; milliseconds until the first page's pictures are there."""
    started_s = time.perf_counter()
    page.goto(f"{address}/review?{query}")
    page.wait_for_function(
        "() => { const find = (root) => [...root.querySelectorAll('*')].flatMap((each) => each.shadowRoot ? "
        "[...each.shadowRoot.querySelectorAll('.tile .picture'), ...find(each.shadowRoot)] : []); "
        "const all = find(document); "
        "return all.length > 0 && all.every((each) => each.querySelector('img')?.complete); }"
    )
    took_ms = 1000 * (time.perf_counter() - started_s)
    page.locator(".grid-root").evaluate(PROBE)
    return took_ms


def visit_cold(page: Any, address: str, _process: psutil.Process, _folder: Path, name: str) -> None:
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    print(f"  {name}, this server's first: {opened(page, address):.0f} ms")
    first = {
        name: next(each for each in answers if f"/api/{name}" in each.url) for name in ("page", "thumbs")
    }
    n_bytes = {name: len(answer.body()) for name, answer in first.items()}
    print(f"  bytes of a page of 60: {n_bytes['page']:,} and {n_bytes['thumbs']:,} of thumbnails")


def visit_cold_again(page: Any, address: str, _process: psutil.Process, _folder: Path, name: str) -> None:
    print(f"  {name}, a new browser: {opened(page, address):.0f} ms")


def visit_keys(page: Any, address: str, process: psutil.Process, _folder: Path, name: str) -> None:
    opened(page, address)
    report(f"{name} painted", *typed(page, N_KEYS, "painted"))
    report(f"{name} committed", *typed(page, N_KEYS, "committed"))


def typed(page: Any, n_keys: int, until: str) -> Sequence[list[float]]:
    """Milliseconds from each of so many keys, pressed one by one, to the first such event after it."""
    page.evaluate(
        "() => { for (const list of ['keys', 'painted', 'committed']) window.probe[list].length = 0; }"
    )
    times = []
    for number in range(n_keys):
        page.keyboard.press(str(number % 9 + 1))
        page.wait_for_function(
            f"(n) => window.probe.{until}.length && window.probe.{until}.at(-1) > window.probe.keys.at(-1)",
            arg=number,
        )
        times.append(
            page.evaluate(
                f"() => window.probe.{until}.find((at) => at > window.probe.keys.at(-1)) - window.probe.keys.at(-1)"
            )
        )
        page.wait_for_timeout(40)
        if number % 50 == 49:
            turn(page, "PageDown")
    return [times]


def turn(page: Any, key: str) -> float:
    page.evaluate("() => { window.turning = window.probe.turned(); }")
    page.keyboard.press(key)
    took_ms: float = page.evaluate("() => window.turning")
    return took_ms


def visit_pages(page: Any, address: str, _process: psutil.Process, _folder: Path, name: str) -> None:
    opened(page, address)
    page.wait_for_timeout(800)
    prefetched = []
    for _ in range(N_TURNS):
        prefetched.append(turn(page, "PageDown"))
        page.wait_for_timeout(600)
    report(f"{name} of 60, prefetched", prefetched)
    report(f"{name} of 60, not prefetched", [jump(page, 20 + 7 * n) for n in range(N_TURNS)])
    page.get_by_label("Items on a page").select_option("300")
    page.wait_for_timeout(2500)
    report(f"{name} of 300, not prefetched", [jump(page, 10 + 3 * n) for n in range(6)])


def jump(page: Any, number: int) -> float:
    field = page.get_by_label("Go to page").first
    field.fill(str(number))
    page.evaluate("() => { window.turning = window.probe.turned(); }")
    field.press("Enter")
    took_ms: float = page.evaluate("() => window.turning")
    page.wait_for_timeout(600)
    return took_ms


def visit_bulk(page: Any, address: str, _process: psutil.Process, folder: Path, name: str) -> None:
    """About 10,000 items: everything if there are no more, else the class whose size comes nearest."""
    items = Project.open(folder).items
    counts = items["given_label"].value_counts()
    given = (counts - 10_000).abs().idxmin()
    few = len(items) <= 10_000
    opened(page, address, "mixed=1" if few else f"given={given}")
    n_items = len(items) if few else int(counts[given])
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+a")
    page.keyboard.press("n")
    page.locator("dialog.ask").wait_for()
    page.evaluate("() => { window.saying = window.probe.said(' changed'); }")
    page.keyboard.press("Enter")
    print(f"  {name} of {n_items:,} items: {page.evaluate('() => window.saying'):.0f} ms committed and shown")
    page.evaluate("() => { window.saying = window.probe.said('Undone'); }")
    page.keyboard.press("Control+z")
    print(f"  undo of it: {page.evaluate('() => window.saying'):.0f} ms")


def visit_speed(page: Any, address: str, process: psutil.Process, folder: Path, name: str) -> None:
    """Ten keys a second for a minute."""
    opened(page, address, "mixed=1&size=300&page=16")
    store = Project.open(folder).decisions
    before = store.last_event()
    cpu_before_s = sum(process.cpu_times()[:2])
    labels = Project.open(folder).task.classes
    wanted = []
    next_key_s = time.perf_counter()
    for number in range(600):
        if number in (290, 580):
            turn(page, "PageDown")
        page.keyboard.press(str(number % 9 + 1))
        wanted.append(labels[number % 9])
        next_key_s += 0.1
        page.wait_for_timeout(max(0.0, 1000 * (next_key_s - time.perf_counter())))
    page.locator(".saved", has_text="Saved").wait_for()
    page.wait_for_timeout(300)
    cpu_ms = 1000 * (sum(process.cpu_times()[:2]) - cpu_before_s) / 600
    events = store.all_events()[before:]
    in_order = [event.new_label for event in events] == wanted
    print(
        f"  {name}: {len(events)} events, {'in order' if in_order else 'NOT in order'}, "
        f"{len({event.item_id for event in events})} items, server CPU {cpu_ms:.1f} ms a decision"
    )


def visit_crowd(page: Any, address: str, _process: psutil.Process, folder: Path, name: str) -> None:
    """The same keys while 20 people's worth of decisions arrive."""
    tokens: list[str] = []
    page.on("request", lambda request: tokens.append(request.headers.get("authorization", "")))
    opened(page, address)
    token = next(each for each in tokens if each)
    ids = Project.open(folder).items["item_id"].tolist()[-5000:]
    stop = threading.Event()
    crowd = [
        threading.Thread(target=decide_now_and_then, args=(address, token, ids, number, stop), daemon=True)
        for number in range(N_OTHERS)
    ]
    for person in crowd:
        person.start()
    time.sleep(1)
    report(
        f"{name} committed, with {N_OTHERS} others at {PER_SECOND} decisions a second",
        *typed(page, N_KEYS, "committed"),
    )
    stop.set()
    for person in crowd:
        person.join()


def decide_now_and_then(address: str, token: str, ids: list[str], number: int, stop: threading.Event) -> None:
    rng = np.random.default_rng(number)
    seq = 0
    while not stop.wait(rng.exponential(1 / PER_SECOND)):
        seq += 1
        decision = {"item_id": ids[int(rng.integers(len(ids)))], "verdict": "ambiguous"}
        body = json.dumps({"client": f"crowd{number}", "acts": [{"seq": seq, "decisions": [decision]}]})
        headers = {"Authorization": token, "Content-Type": "application/json", "Origin": address}
        request = urllib.request.Request(f"{address}/api/decisions", body.encode(), headers)
        urllib.request.urlopen(request, timeout=30).close()


def report(name: str, times_ms: list[float]) -> None:
    p50, p95 = np.percentile(times_ms, [50, 95])
    print(f"  {name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms ({len(times_ms)} times)", flush=True)


VISITS = (
    ("Review opened cold", visit_cold),
    ("Review opened cold", visit_cold_again),
    ("key", visit_keys),
    ("next page", visit_pages),
    ("bulk", visit_bulk),
    ("ten keys a second for a minute", visit_speed),
    ("key", visit_crowd),
)


if __name__ == "__main__":
    main()
