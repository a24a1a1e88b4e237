"""The whole loop on CIFAR-10N by the command line: train, rank, review the top of the queue, train again, compare.

    python tests/benchmarks/bench_cifar10n.py --data FOLDER --scoring FOLDER

--data holds train.csv, test.csv, images.zip and truth.csv (path, true_label, is_error); --scoring holds
score_ranking.py. No command of Winnow sees truth.csv: it stands in for the reviewer, who gives the true label of the
--n-review most suspect items, and, in a second copy of the project, of as many items drawn at random.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

REVIEWER = "truth"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scoring", type=Path, required=True)
    parser.add_argument("--n-review", type=int, default=2000)
    parser.add_argument("--keep", type=Path, help="folder to keep the projects in")
    parser.add_argument("--first-round-only", action="store_true", help="stop after the ranking is scored")
    parser.add_argument("train_options", nargs="*", help="after --, options of winnow train")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        run_loop(folder, options)


def run_loop(folder: Path, options: argparse.Namespace) -> None:
    project, ranking = folder / "ranked", folder / "ranking.csv"
    data: Path = options.data
    timed(
        "init",
        "init",
        project,
        "--data",
        data / "train.csv",
        "--images",
        data / "images.zip",
        "--test",
        data / "test.csv",
    )
    timed("train, round 1", "train", project, *options.train_options)
    timed("rank", "rank", project, "--split", "train,val", "--by", "loss", "--out", ranking)
    score(ranking, options)
    print_accuracy("round 1", project)
    if options.first_round_only:
        return
    at_random = folder / "random"
    shutil.copytree(project, at_random)
    ranked = pd.read_csv(ranking)
    truth = pd.read_csv(data / "truth.csv").set_index("path")["true_label"]
    review(project, ranked.head(options.n_review), truth, folder / "ranked.csv")
    review(at_random, ranked.sample(options.n_review, random_state=0), truth, folder / "random.csv")
    for name, reviewed in (("most suspect", project), ("random", at_random)):
        timed(
            f"train, round 2, {name} {options.n_review} reviewed", "train", reviewed, *options.train_options
        )
        print_accuracy(f"round 2, {name} {options.n_review} reviewed", reviewed)
        print_comparison(reviewed)


def timed(name: str, *arguments: object) -> dict[str, Any]:
    """Run a verb with --json in a process of its own; print how long it took."""
    started_s = time.perf_counter()
    result = winnow(*arguments)
    print(f"{name}: {time.perf_counter() - started_s:.1f} s", flush=True)
    return result


def winnow(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "app.cli", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def score(ranking: Path, options: argparse.Namespace) -> None:
    command = [sys.executable, options.scoring / "score_ranking.py", "--ranking", ranking]
    command += ["--truth", options.data / "truth.csv", "--id-col", "path", "--score-col", "loss", "--json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    for name in ("average_precision", "auroc", "precision@noise_rate", "recall@2x_noise_rate", "items"):
        print(f"  {name}: {figures[name]:.4g}")


def review(project: Path, chosen: pd.DataFrame, truth: pd.Series, patch: Path) -> None:
    """Decide on the chosen items as somebody who knows the truth, and close the round."""
    label = truth.loc[chosen["path"]].to_numpy()
    right = label == chosen["given_label"].to_numpy()
    verdict = pd.Series(right).map({True: "label_right", False: "label_wrong"})
    pd.DataFrame({"item_id": chosen["item_id"].to_numpy(), "verdict": verdict, "label": label}).to_csv(
        patch, index=False
    )
    timed(
        f"decide on {len(chosen)} items, {int((~right).sum())} of them wrong",
        "decide",
        project,
        "--from",
        patch,
        "--as",
        REVIEWER,
    )
    winnow("rounds", project, "--close", "--as", REVIEWER)


def print_accuracy(name: str, project: Path) -> None:
    report = winnow("report", project, "--split", "test")
    print(f"  test accuracy, {name}: {report['accuracy']:.4f}, macro F1 {report['macro_f1']:.4f}", flush=True)


def print_comparison(project: Path) -> None:
    comparison = winnow("compare", project, "--split", "test")
    print(f"  compare: {comparison['text']}", flush=True)


if __name__ == "__main__":
    main()
