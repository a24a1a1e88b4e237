"""A small real project taken in from pictures, and runs with made-up probabilities, to put pages and routes over."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import context
from app.routes import make_routes
from app.tokens import sign
from curation.dataset.duplicates import LEAK_COLUMNS
from curation.dataset.intake import IntakeSpec, take_in
from curation.label_kinds.kind import LabelForm
from curation.project import LEAKS_FILE, Project
from diagnostics.explanations import explanations_of, write_explanations
from diagnostics.predictions import Predictions, object_array, write_predictions
from diagnostics.progress import ignore_progress
from diagnostics.run_folder import (
    HISTORY_FILE,
    LOG_FILE,
    LR_FINDER_FILE,
    SCORES_FILE,
    RunInfo,
    write_run_info,
    write_table,
)
from diagnostics.run_scores import write_scores
from diagnostics.scores import scores_table
from diagnostics.task import label_codes
from diagnostics.training.config import TrainConfig

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
CLASSES = ("blue", "green", "red")
N_IMAGES = {"train": 6, "valid": 4, "test": 3}


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """The folder of a project without runs, taken in once; tests get copies."""
    folder = tmp_path_factory.mktemp("app")
    data = folder / "pictures"
    rng = np.random.default_rng(0)
    for split, n_images in N_IMAGES.items():
        for label in CLASSES:
            for number in range(n_images):
                _write_picture(data / split / label / f"{number}.png", rng)
    for number in range(3):
        _write_picture(data / "unlabelled" / f"{number}.png", rng)
    intake = take_in(IntakeSpec(data=data), on_progress=ignore_progress)
    return Project.create(folder / "project", intake, now=NOW).folder


@pytest.fixture
def empty_project(template, tmp_path, monkeypatch) -> Project:
    """Items of three classes in train, val and test, and some unlabelled ones; no run; served by this process."""
    folder = tmp_path / "project"
    shutil.copytree(template, folder)
    monkeypatch.setenv(context.PROJECT_VARIABLE, str(folder))
    monkeypatch.setattr(context, "remembered_name", lambda: "ada")
    return context.current_project()


@pytest.fixture
def project(empty_project) -> Project:
    """The same with one finished run."""
    write_run(empty_project, "run-0001")
    return empty_project


@pytest.fixture
def leaky_project(empty_project) -> Project:
    """The same as `empty_project`, with the first train and the first unlabelled item like the first test item."""
    first = empty_project.items.groupby("split")["item_id"].first()
    rows = [
        (first["train"], "train", first["test"], "test", "near", 0.987, None),
        (first["unlabelled"], "unlabelled", first["test"], "test", "exact", 1.0, None),
    ]
    leaks = pd.DataFrame(rows, columns=list(LEAK_COLUMNS)).astype({"group": "str"})
    leaks.to_parquet(empty_project.folder / LEAKS_FILE, index=False)
    return empty_project


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory) -> Path:
    """The folder of a project of 12 texts of two classes, one of them long, with one run that explains the first word
    of each; for tests that only read it or copy it."""
    folder = tmp_path_factory.mktemp("texts")
    lines = [f"{word} me my card {number}" for number in range(6) for word in ("send", "stop")]
    lines[0] += " please" * 60
    rows = [f"{number:02d},{line},{line[:4]}" for number, line in enumerate(lines)]
    (folder / "texts.csv").write_text("\n".join(["id,text,label", *rows]), encoding="utf-8")
    spec = IntakeSpec(data=folder / "texts.csv", val_fraction=0)
    project = Project.create(folder / "project", take_in(spec, on_progress=ignore_progress), now=NOW)
    write_run(project, "run-0001")
    first_word = tuple(np.array([value]) for value in (0, 4, 1.0))
    write_explanations(project.runs_dir / "run-0001", explanations_of([first_word] * len(lines)))
    return project.folder


@pytest.fixture(scope="session")
def add_run():
    """add_run(project, run_id, seed=, in_sample=, number=, event=) adds a finished run."""
    return write_run


@pytest.fixture(scope="session")
def set_folder(tmp_path_factory) -> Path:
    """The folder of a project of 12 train and 60 validation texts that are labelled with the words that are in them,
    with one run that knows the words; the first train item lacks "late", the second has "torn" too many."""
    folder = tmp_path_factory.mktemp("sets")
    words = ("late", "paid", "torn")
    truth = [[word for bit, word in enumerate(words) if number >> bit & 1] for number in range(8)] * 9
    given = [list(each) for each in truth]
    given[1].remove("late")
    given[2].append("torn")
    splits = ["train"] * 12 + ["val"] * 60
    rows = [
        f"{number:02d},{' '.join(['parcel', *true])} {number},{'|'.join(labels) or '(none)'},{split}"
        for number, (true, labels, split) in enumerate(zip(truth, given, splits, strict=True))
    ]
    (folder / "texts.csv").write_text("\n".join(["id,text,label,split", *rows]), encoding="utf-8")
    spec = IntakeSpec(data=folder / "texts.csv", label_form=LabelForm("|"), modality="text")
    project = Project.create(folder / "project", take_in(spec, on_progress=ignore_progress), now=NOW)
    has = np.array([[word in true for word in words] for true in truth])
    rng = np.random.default_rng(0)
    probs = np.where(has, 0.95, 0.05) + rng.uniform(-0.04, 0.04, has.shape)
    write_run(project, "run-0001", pred_probs=probs[project.items["item_id"].astype(int)])
    return project.folder


def write_run(
    project: Project,
    run_id: str,
    *,
    seed: int = 0,
    in_sample: bool = False,
    number: int = 0,
    event: int = 0,
    pred_probs: np.ndarray | None = None,
) -> None:
    """A run folder as training leaves it, with random probabilities that lean to the given label if none are given."""
    items = project.items
    rng = np.random.default_rng(seed)
    given = project.decisions.labels_at(0)["given_label"]
    if pred_probs is None:
        codes = label_codes(given, project.task.classes)
        pred_probs = rng.dirichlet(np.full(len(project.task.classes), 0.7), len(items))
        pred_probs[np.arange(len(items)), np.where(codes < 0, 0, codes)] += 0.8
        pred_probs /= pred_probs.sum(axis=1, keepdims=True)
    train = (items["split"] == "train").to_numpy()
    predictions = Predictions(
        item_ids=object_array(items["item_id"]),
        splits=object_array(items["split"]),
        folds=np.where(train, np.arange(len(items)) % 5, -1),
        kinds=object_array(np.where(train, "in_sample" if in_sample else "out_of_fold", "mean_of_folds")),
        given_labels=object_array(given),
        pred_probs=pred_probs.astype(np.float32),
        embeddings=rng.normal(size=(len(items), 4)).astype(np.float16),
        classes=project.task.classes,
        label_kind=project.label_kind.key,
    )
    run_dir = project.runs_dir / run_id
    write_predictions(run_dir, predictions)
    _write_scores(run_dir, predictions, project)
    write_table(run_dir / HISTORY_FILE, _history())
    write_table(
        run_dir / LR_FINDER_FILE,
        pd.DataFrame({"lr": [1e-3, 1e-2], "loss": [2.0, 1.0], "chosen": [False, True]}),
    )
    (run_dir / LOG_FILE).write_text("epoch 1\n", encoding="utf-8")
    info = RunInfo(
        run_id=run_id,
        created_at=NOW,
        finished_at=NOW + timedelta(seconds=75),
        seconds=75.0,
        config=TrainConfig(),
        resolved=TrainConfig(),
        classes=project.task.classes,
        dataset_version={
            "number": number,
            "fingerprint": "f",
            "event": event,
            "class_change": project.classes.number,
        },
        device="cpu",
        n_threads=1,
        versions={},
        n_train=int(train.sum()),
        n_folds=1 if in_sample else 5,
        in_sample=in_sample,
        arch="small_cnn",
        label_kind=project.label_kind.key,
        pretrained=False,
    )
    write_run_info(run_dir, info)


def _write_scores(run_dir: Path, predictions: Predictions, project: Project) -> None:
    """Of one label an item without its quality, which would be learnt from more than random numbers."""
    if project.label_kind.key == "single":
        write_table(run_dir / SCORES_FILE, scores_table(predictions))
        return
    write_scores(run_dir, project.items["content_hash"].astype(str).tolist(), config=TrainConfig())


def _history() -> pd.DataFrame:
    rows = [
        (fold, epoch, "train", 2 / epoch, 2.1 / epoch, 0.5, "val", 900.0, 1.0)
        for fold in (0, 1)
        for epoch in (1, 2)
    ]
    columns = [
        "fold",
        "epoch",
        "phase",
        "train_loss",
        "valid_loss",
        "accuracy",
        "held_out",
        "items_per_s",
        "seconds",
    ]
    return pd.DataFrame(rows, columns=columns)


def _write_picture(path, rng) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(path)


CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium():
    """A headless browser; tests that ask for it are skipped where there is none, unless WINNOW_REQUIRE_BROWSER=1."""
    if CHROMIUM is None and os.environ.get("WINNOW_REQUIRE_BROWSER") != "1":
        pytest.skip("no Chromium on this machine")
    assert CHROMIUM is not None, "WINNOW_REQUIRE_BROWSER=1, but there is no Chromium"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serve():
    """serve(folder, port=) is a context: the app on this project in a process of its own, as (address, process)."""
    return serve_project


@contextmanager
def serve_project(folder: Path, port: int | None = None) -> Iterator[tuple[str, subprocess.Popen]]:
    port = port or free_port()
    log = folder.parent / f"app-{port}.log"
    command = [sys.executable, "-m", "app.cli", "app", str(folder), "--port", str(port), "--no-browser"]
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait_until_served(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert "Traceback" not in log.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_until_served(url: str, process: subprocess.Popen) -> None:
    for _ in range(240):
        assert process.poll() is None, "the app ended before it served"
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"{url} does not answer")


ORIGIN = "http://testserver"


@pytest.fixture
def client(project):
    """A browser with a page of this server open, signed in as ada."""
    return client_of("ada")


@pytest.fixture
def bob(project):
    """The same, signed in as bob."""
    return client_of("bob")


def client_of(annotator: str) -> TestClient:
    token = sign(context.project_key(), annotator, secret=context.TOKEN_SECRET, now=context.now())
    headers = {"Authorization": f"Bearer {token}", "Origin": ORIGIN}
    return TestClient(Starlette(routes=make_routes()), headers=headers)
