"""A reviewer who knows the truth works through a ranked queue with the keyboard alone, one decision a second.

    python tests/benchmarks/bench_reviewer.py --project FINISHED_PROJECT --truth truth.csv --n-decisions 300

--truth has path, true_label and is_error; no part of the app sees it. The project is copied, so that it stays as it is.
Printed are keys per decision, true errors found per 100 decisions, and what as many decisions on items drawn at random
would have found.
"""

import argparse
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from bench_review import FLAGS, served

from curation.project import Project

ANNOTATOR = "reviewer"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--n-decisions", type=int, default=300)
    parser.add_argument(
        "--query", default="mixed=1&decided=open", help="the queue, as in the address of Review"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="per decision")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    truth = pd.read_csv(options.truth).set_index("path")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        shutil.copytree(options.project, folder)
        with served(folder) as (address, _):
            n_keys, reviewed = review(address, folder, truth["true_label"], options)
        report(n_keys, reviewed, truth, Project.open(folder))


def review(
    address: str, folder: Path, true_labels: pd.Series, options: argparse.Namespace
) -> tuple[int, list[str]]:
    """Decide on the framed item, again and again; how many keys that took, and the paths decided on."""
    from playwright.sync_api import sync_playwright

    classes = Project.open(folder).task.classes
    reviewed: list[str] = []
    n_keys = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "winnow_annotator", "value": ANNOTATOR, "url": address}])
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{address}/review?{options.query}")
        page.locator(".tile img").first.wait_for()
        next_s = time.perf_counter()
        while len(reviewed) < options.n_decisions:
            framed = framed_item(page)
            if framed["status"]:
                page.keyboard.press("Enter")
                page.wait_for_timeout(400)
                n_keys += 1
                continue
            n_keys += decide(page, framed, str(true_labels[framed["path"]]), classes)
            reviewed.append(framed["path"])
            next_s += options.seconds
            page.wait_for_timeout(max(0.0, 1000 * (next_s - time.perf_counter())))
        page.locator(".saved", has_text="Saved").wait_for()
        browser.close()
    return n_keys, reviewed


def framed_item(page: Any) -> dict[str, str]:
    """What a reviewer sees of the framed tile."""
    seen: dict[str, str] = page.locator(".tile.cursor").evaluate(
        """(tile) => ({
            path: tile.title.split("\\n")[0],
            status: tile.dataset.status,
            given: tile.querySelector(".given .label").textContent,
            predicted: tile.querySelector(".predicted .label").textContent,
        })"""
    )
    return seen


def decide(page: Any, framed: dict[str, str], true_label: str, classes: tuple[str, ...]) -> int:
    """Press what gives the item its true label; returns how many keys that took."""
    if framed["given"] == true_label:
        keys = ["q"]
    elif framed["predicted"] == true_label:
        keys = ["w"]
    else:
        place = classes.index(true_label)
        keys = [str((place + 1) % 10)] if place < 10 else ["/", *true_label, "Enter"]
    for key in keys:
        page.keyboard.press(key)
    return len(keys)


def report(n_keys: int, reviewed: list[str], truth: pd.DataFrame, project: Project) -> None:
    n_errors = int(truth.loc[reviewed, "is_error"].sum())
    items = project.items
    train = items.loc[items["split"] == "train", "path"]
    share = float(truth.loc[train[train.isin(truth.index)], "is_error"].mean())
    states = project.decisions.state_table()
    of_reviewer = states[states["annotator"] == ANNOTATOR].set_index("item_id")["label"]
    paths = items.set_index("item_id")["path"]
    n_right = int(
        (truth.loc[paths[of_reviewer.index], "true_label"].to_numpy() == of_reviewer.to_numpy()).sum()
    )
    print(f"  {len(reviewed)} decisions, {n_keys / len(reviewed):.2f} keys a decision")
    print(f"  {n_right} of {len(of_reviewer)} items have their true label now")
    print(
        f"  {100 * n_errors / len(reviewed):.1f} true errors found per 100 decisions; at random {100 * share:.1f}"
    )


if __name__ == "__main__":
    main()
