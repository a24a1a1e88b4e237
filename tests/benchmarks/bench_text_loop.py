"""The whole loop on texts by the command line: train, review, train again, and unlabelled texts into training.

    python tests/benchmarks/bench_text_loop.py --data FOLDER --scoring FOLDER [--keep FOLDER] [-- TRAIN OPTIONS]

--data holds train_noisy.csv, test.csv and unlabelled.csv with ids, and truth.csv and unlabelled_truth.csv; --scoring
holds score_ranking.py and score_labels.py. No command of Winnow sees a truth: it stands in for the reviewer, who gives
the true label of --n-review items,

* the first of the queue of train and validation by label quality, in one copy of the project,
* drawn at random from it, in another,
* the first of the queue of unlabelled items by confusion, in a third,

or accepts, in a fourth, unlabelled items as they are predicted, unseen, where the prediction has at least --sure. Each
copy is trained again and compared with round 1 on test, by Winnow's own verdict. Times are of whole commands.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from bench_cifar10n import print_accuracy, timed, winnow

from curation.dataset.duplicates import barred_by
from curation.project import Project

REVIEWER = "truth"
RANKERS = {"label_quality": "--low-is-suspect", "loss": "", "margin": "--low-is-suspect"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scoring", type=Path, required=True)
    parser.add_argument("--n-review", type=int, default=500)
    parser.add_argument("--sure", type=float, default=0.9)
    parser.add_argument("--keep", type=Path, help="folder to keep the projects in")
    parser.add_argument("--first-round-only", action="store_true", help="stop after the ranking is scored")
    parser.add_argument("train_options", nargs="*", help="after --, options of winnow train")
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        run_loop(folder, options)


def run_loop(folder: Path, options: argparse.Namespace) -> None:
    first, data = folder / "first", options.data
    sources = ("--data", data / "train_noisy.csv", "--test", data / "test.csv")
    made = timed("init", "init", first, *sources, "--unlabelled", data / "unlabelled.csv")
    print(f"  left out of training as copies of validation or test: {made['leaks']}")
    timed("train, round 1", "train", first, *options.train_options)
    ranking = folder / "ranking.csv"
    timed("rank", "rank", first, "--split", "train,val", "--out", ranking)
    for column, direction in RANKERS.items():
        score_ranking(ranking, column, direction, options)
    print_accuracy("round 1", first)
    if options.first_round_only:
        return
    truth = pd.read_csv(data / "truth.csv").set_index("id")["true_label"]
    ranked, n = pd.read_csv(ranking), options.n_review
    review_and_train(f"the first {n} by label quality", first, with_truth(ranked.head(n), truth), options)
    drawn = ranked.sample(n, random_state=0)
    review_and_train(f"{n} at random", first, with_truth(drawn, truth), options)
    unlabelled(folder, first, options)


def unlabelled(folder: Path, first: Path, options: argparse.Namespace) -> None:
    """The unlabelled items into training, looked at or not; copies of validation and test items may not."""
    path = folder / "unlabelled.csv"
    timed("rank, unlabelled", "rank", first, "--split", "unlabelled", "--by", "confusion", "--out", path)
    queue = pd.read_csv(path)
    barred = barred_by(Project.open(first).leaks, "text")
    queue = queue[~queue["item_id"].isin(list(barred))]
    print(f"  {len(queue)} unlabelled items, {len(barred)} barred as copies of validation or test items")
    truth = pd.read_csv(options.data / "unlabelled_truth.csv").set_index("id")["true_label"]
    n = options.n_review
    looked_at = with_truth(queue.head(n), truth)
    review_and_train(f"the first {n} unlabelled by confusion, labelled", first, looked_at, options)
    sure = queue[queue["p_predicted"] >= options.sure]
    accepted = pd.DataFrame({"item_id": sure["item_id"], "label": sure["predicted_label"]})
    review_and_train(
        f"{len(accepted)} unlabelled accepted unseen at {options.sure:.0%} and more", first, accepted, options
    )
    both = pd.concat([looked_at, accepted[~accepted["item_id"].isin(looked_at["item_id"])]])
    review_and_train(f"both, {len(both)} unlabelled", first, both, options)


def with_truth(chosen: pd.DataFrame, truth: pd.Series) -> pd.DataFrame:
    """What somebody says of these items who knows the truth: a label alone means that it is the item's."""
    return pd.DataFrame({"item_id": chosen["item_id"], "label": truth.loc[chosen["item_id"]].to_numpy()})


def review_and_train(name: str, first: Path, patch: pd.DataFrame, options: argparse.Namespace) -> None:
    """Decide, close the round, export and score, train again and compare, in a copy of the first round."""
    print(f"\n{name}")
    project = first.with_name(name.replace(" ", "-").replace(",", "").replace("%", ""))
    shutil.copytree(first, project)
    path = project.with_suffix(".csv")
    patch.to_csv(path, index=False)
    timed("decide", "decide", project, "--from", path, "--as", REVIEWER)
    winnow("rounds", project, "--close", "--as", REVIEWER)
    curated = project.with_suffix(".curated.csv")
    winnow("export", project, "--out", curated)
    for truth in ("truth.csv", "unlabelled_truth.csv"):
        score_labels(curated, truth, options)
    timed("train, round 2", "train", project, *options.train_options)
    print_accuracy("round 2", project)
    for split in ("test", "val"):
        print(f"  on {split}: {winnow('compare', project, '--split', split)['text']}", flush=True)


def score_ranking(ranking: Path, column: str, direction: str, options: argparse.Namespace) -> None:
    command = [sys.executable, options.scoring / "score_ranking.py", "--ranking", ranking]
    command += ["--truth", options.data / "truth.csv", "--id-col", "item_id", "--truth-id-col", "id"]
    command += ["--score-col", column, *([direction] if direction else []), "--json"]
    figures = printed(command)
    shown = ", ".join(
        f"{name} {figures[name]:.3f}" for name in ("average_precision", "auroc", "precision@noise_rate")
    )
    print(f"  {column}: {shown}, {figures['items']} items", flush=True)


def score_labels(curated: Path, truth: str, options: argparse.Namespace) -> None:
    """Right, wrong and no labels of an export, by the scoring script; unlabelled items had none before."""
    command = [sys.executable, options.scoring / "score_labels.py", "--curated", curated, "--id-col", "id"]
    command += ["--truth", options.data / truth, "--label-col", "label", "--json"]
    with tempfile.TemporaryDirectory() as scratch:
        if truth == "unlabelled_truth.csv":
            none = pd.read_csv(options.data / truth)[["id"]].assign(label="")
            none.to_csv(Path(scratch) / "none.csv", index=False)
            command += ["--original", Path(scratch) / "none.csv"]
        figures = printed(command)
    names = ("items", "accuracy_before", "accuracy_after_all", "changed", "fixed", "wrong_to_other_wrong")
    shown = ", ".join(f"{name} {figures[name]:.4g}" for name in names)
    print(f"  {truth}: {shown}", flush=True)


def printed(command: list[object]) -> dict[str, float]:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} exited with {done.returncode}:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    main()
