"""What the training doctor says of runs that were made bad on purpose, and of good ones.

    python tests/benchmarks/bench_doctor.py [--keep FOLDER] [--only NAME ...] [--histories CSV]

Trains small models on the handwritten digits that ship with Winnow, most with one thing wrong on purpose, and prints
the code of every issue and tip that each run gets. As expected: a bad run has the issue that it was made for, a good
one has none. --keep leaves the projects in a folder, to be looked at with `winnow app`, and uses those that are there.
--histories writes the curves that tests/diagnostics/test_training_checks.py reads.
"""

import argparse
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from curation.dataset.intake import IntakeSpec, take_in
from curation.project import Project
from curation.runs import read_run, train_project
from curation.test_looks import looks_at_test, note_look
from curation.training_checks import training_facts, training_findings
from data_samples import digits_folder
from diagnostics.checks import ISSUE, TIP
from diagnostics.progress import ignore_progress
from diagnostics.training.config import TrainConfig

Tables = dict[str, pd.DataFrame]
Options = dict[str, object]
ONE_MODEL: Options = {"folds": 0, "planted": 0.0, "n_threads": 1}
SHORT: Options = {"epochs": 15, "lr": 0.01}


def as_it_is(tables: Tables, _rng: np.random.Generator) -> Tables:
    return tables


def noisy_labels(tables: Tables, rng: np.random.Generator) -> Tables:
    """Six of ten training labels are drawn anew; 300 validation items, so that a fall can be told."""
    train = tables["train"].copy()
    wrong = rng.random(len(train)) < 0.6
    train.loc[wrong, "label"] = rng.integers(0, 10, int(wrong.sum()))
    return {"train": train, "val": pd.concat([tables["val"], tables["test"]], ignore_index=True)}


def ten_validation_items(tables: Tables, _rng: np.random.Generator) -> Tables:
    return tables | {"val": tables["val"].groupby("label").head(1)}


def class_missing_from_validation(tables: Tables, _rng: np.random.Generator) -> Tables:
    return tables | {"val": tables["val"][tables["val"]["label"] != 3]}


def class_missing_from_training(tables: Tables, _rng: np.random.Generator) -> Tables:
    return tables | {"train": tables["train"][tables["train"]["label"] != 3]}


def leak(tables: Tables, _rng: np.random.Generator) -> Tables:
    """Copies of forty training items are validation items."""
    copied = tables["train"].head(40)
    copied = copied.assign(copy_of=copied["path"], path=copied["path"].str.replace("train/", "valid/"))
    return tables | {"val": pd.concat([tables["val"].head(110), copied], ignore_index=True)}


def near_leak(tables: Tables, _rng: np.random.Generator) -> Tables:
    """The same copies, each drawn at twice its size, so that no file equals another."""
    tables = leak(tables, _rng)
    return tables | {"val": tables["val"].rename(columns={"copy_of": "enlarged_from"})}


def heavy_imbalance(tables: Tables, _rng: np.random.Generator) -> Tables:
    """Three items of each class but one, which keeps all."""
    train = tables["train"]
    kept = train[(train["label"] == 1) | (train.groupby("label").cumcount() < 3)]
    return tables | {"train": kept}


def no_test_set(tables: Tables, _rng: np.random.Generator) -> Tables:
    return {name: table for name, table in tables.items() if name != "test"}


@dataclass(frozen=True)
class Case:
    """A run.

    code : of the issue that it is made to have, "" for a good run
    looks : at test, before it is judged
    tested : its curves are among those that the tests read
    """

    name: str
    code: str
    options: Options = field(default_factory=dict)
    data: Callable[[Tables, np.random.Generator], Tables] = as_it_is
    looks: int = 3
    tested: bool = False


CASES = (
    Case("good: as by default, five folds", "", {"folds": 5, "planted": 0.02}),
    Case("good: one model", "", tested=True),
    Case("good: another seed, two folds", "", {"folds": 2, "seed": 7}),
    Case("good: 15 epochs at a rate set by hand", "", SHORT),
    Case("learning rate 5", "WD001", {"lr": 5.0, "epochs": 12}),
    Case("learning rate 1", "WD001", {"lr": 1.0, "epochs": 12}, tested=True),
    Case("learning rate 1e-6", "WD002", {"lr": 1e-6, "epochs": 12}),
    Case("learning rate 3e-5", "WD002", {"lr": 3e-5, "epochs": 12}, tested=True),
    Case("one epoch", "WD003", {"epochs": 1}),
    Case("three epochs", "WD003", {"epochs": 3, "lr": 0.005}, tested=True),
    Case(
        "80 epochs by heart, six of ten labels drawn anew", "WD004",
        {"epochs": 80, "lr": 0.005, "label_smoothing": 0.0, "weight_decay": 0.0}, noisy_labels,
        tested=True,
    ),
    Case(
        "only the last layer is trained, on random features of 8 px", "WD005",
        {"epochs": 8, "frozen_epochs": 8, "image_size_px": 8, "weight_decay": 1.0, "lr": 0.1, "label_smoothing": 0.5},
        tested=True,
    ),
    Case("learning rate 1e-4: a long warm-up", "WD006", {"lr": 1e-4, "epochs": 20}, tested=True),
    Case("learning rate 0.3: lost at first, found later", "", {"lr": 0.3, "epochs": 20}),
    Case("ten validation items", "WD007", {}, ten_validation_items),
    Case("no 3 in validation", "WD008", {}, class_missing_from_validation),
    Case("no 3 in training", "WD009", {}, class_missing_from_training),
    Case("three items of each class but one", "WD010", {}, heavy_imbalance),
    Case("40 training items in validation, too", "WD011", {}, leak),
    Case("40 training items, enlarged, in validation, too", "WD012", {}, near_leak),
    Case("no test set", "", SHORT, no_test_set),
    Case("test never looked at", "", SHORT, looks=0),
    Case("test looked at 40 times", "WD014", SHORT, looks=40),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, help="Leave the projects here.")
    parser.add_argument("--only", nargs="*", default=[], help="Parts of the names of the runs to make.")
    parser.add_argument("--histories", type=Path, help="Write the mean curves to this CSV.")
    options = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        print("| run | made to have | issues | tips | as expected | trained in |\n|---|---|---|---|---|---|")
        told, curves = [], []
        for number, case in enumerate(CASES):
            if not options.only or any(part in case.name for part in options.only):
                told.append(_show(case, folder / f"{number:02d}"))
                if case.tested:
                    curves.append(_curves(case, folder / f"{number:02d}"))
        if options.histories:
            pd.concat(curves).round(3).to_csv(options.histories, index=False)
    print(f"\n{sum(told)} of {len(told)} as expected.")


def _show(case: Case, folder: Path) -> bool:
    """Print what the doctor says of a run; returns whether that is what the run was made for."""
    started = time.perf_counter()
    project = _trained(case, folder)
    seconds = time.perf_counter() - started
    _look_at_test(project, case.looks)
    found = training_findings(project)
    codes = {
        outcome: [finding.code for finding in found if finding.outcome == outcome] for outcome in (ISSUE, TIP)
    }
    as_expected = case.code in codes[ISSUE] if case.code else not codes[ISSUE]
    print(
        f"| {case.name} | {case.code or '–'} | {', '.join(codes[ISSUE]) or '–'} | {', '.join(codes[TIP]) or '–'} | "
        f"{'yes' if as_expected else 'NO'} | {seconds:.0f} s |",
        flush=True,
    )
    return as_expected


def _curves(case: Case, folder: Path) -> pd.DataFrame:
    """The mean curves of a run, and what else the checks of curves look at."""
    project = Project.open(folder / "project")
    run = read_run(project)
    facts = training_facts(project, run)
    means = run.history.groupby("epoch")[["train_loss", "valid_loss", "accuracy"]].mean()
    about = {
        "made_for": case.code or "good",
        "label_smoothing": facts.label_smoothing,
        "fit": facts.fit and facts.fit.value,
        "n_val": facts.n_items["val"],
    }
    return means.assign(**about).reset_index()


def _look_at_test(project: Project, n: int) -> None:
    for number in range(looks_at_test(project).n, n):
        at = datetime.now(UTC) + timedelta(hours=2 * number)
        note_look(project, ["run-0001"], place="report", annotator=f"reader {number % 2}", now=at)


def _trained(case: Case, folder: Path) -> Project:
    if (folder / "project").is_dir():
        return Project.open(folder / "project")
    project = _taken_in(case, folder)
    train_project(project, TrainConfig.from_json(ONE_MODEL | case.options))
    return project


def _taken_in(case: Case, folder: Path) -> Project:
    digits = digits_folder()
    names = {"train": "train.csv", "val": "valid.csv", "test": "test.csv"}
    tables = case.data(
        {name: pd.read_csv(digits / file) for name, file in names.items()}, np.random.default_rng(0)
    )
    folder.mkdir(parents=True)
    shutil.copytree(digits / "images", folder / "images")
    for name, table in tables.items():
        for row in table.reindex(columns=["path", "copy_of"]).dropna().itertuples():
            shutil.copyfile(digits / row.copy_of, folder / row.path)
        for row in table.reindex(columns=["path", "enlarged_from"]).dropna().itertuples():
            with Image.open(digits / row.enlarged_from) as picture:
                picture.resize((2 * picture.width, 2 * picture.height)).save(folder / row.path)
        columns = ["copy_of", "enlarged_from"]
        table.drop(columns=columns, errors="ignore").to_csv(folder / f"{name}.csv", index=False)
    spec = IntakeSpec(
        data=folder / "train.csv",
        val=folder / "val.csv",
        test=folder / "test.csv" if "test" in tables else None,
        images=folder,
        classes=tuple("0123456789"),
    )
    return Project.create(
        folder / "project", take_in(spec, on_progress=ignore_progress), now=datetime.now(UTC)
    )


if __name__ == "__main__":
    main()
