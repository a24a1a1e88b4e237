"""Small projects and runs made by hand: no images, no training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from curation.dataset.duplicates import leaks_of, units_of
from curation.dataset.findings import FINDING_COLUMNS
from curation.dataset.intake import ONE_CLASS_A_ROW, Intake
from curation.dataset.sources import Columns
from curation.label_kinds.kind import LabelForm
from curation.project import Project
from diagnostics.image_files import ImageRoot
from diagnostics.predictions import ONE_LABEL, Predictions, object_array, write_predictions
from diagnostics.run_folder import SCORES_FILE, QuickInfo, RunInfo, write_run_info, write_table
from diagnostics.run_scores import write_scores
from diagnostics.scores import scores_table
from diagnostics.task import ITEM_COLUMNS
from diagnostics.training.config import TrainConfig

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
CLASSES = ("cat", "dog", "fox")
ROWS = (
    ("a", "train", "cat"),
    ("b", "train", "dog"),
    ("c", "train", "fox"),
    ("d", "train", "cat"),
    ("v", "val", "dog"),
    ("t", "test", "fox"),
    ("u", "unlabelled", None),
    ("w", "unlabelled", None),
)
SET_ROWS = (
    ("a", "train", "cat|dog"),
    ("b", "train", "dog"),
    ("c", "train", "(none)"),
    ("d", "train", "cat|dog|fox"),
    ("v", "val", "cat|dog"),
    ("t", "test", "fox"),
    ("u", "unlabelled", None),
    ("w", "unlabelled", None),
)
NOTHING_SHARED: Mapping[str, str] = MappingProxyType({})
MakeProject = Callable[..., Project]


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """Each call is a second later."""
    ticks = iter(range(10_000_000))
    return lambda: NOW + timedelta(seconds=next(ticks))


@pytest.fixture
def make_project(tmp_path) -> MakeProject:
    """make_project(rows=(item_id, split, given_label)..., classes=..., contents=, groups=, database=URL) → an empty
    project in a folder of its own; contents and groups are by item_id, for items that share them."""
    numbers = iter(range(1000))

    def make(
        rows: Sequence[tuple[str, str, str | None]] = ROWS,
        classes: Sequence[str] = CLASSES,
        contents: Mapping[str, str] = NOTHING_SHARED,
        groups: Mapping[str, str] = NOTHING_SHARED,
        label_form: LabelForm = ONE_CLASS_A_ROW,
        database: str | None = None,
    ) -> Project:
        folder = tmp_path / f"project-{next(numbers)}"
        intake = replace(_intake(rows, classes, tmp_path, contents, groups), label_form=label_form)
        return Project.create(folder, intake, now=NOW, database=database)

    return make


@pytest.fixture
def project(make_project) -> Project:
    """Items a, b, c, d (train), v (val), t (test), u, w (unlabelled) of cat, dog and fox."""
    return make_project()


@pytest.fixture
def set_project(make_project) -> Project:
    """The same items with any of cat, dog and fox each; c is labelled with none."""
    return make_project(SET_ROWS, label_form=LabelForm(separator="|"))


@pytest.fixture
def store(project):
    return project.decisions


@pytest.fixture
def add_run() -> Callable[..., RunInfo]:
    """add_run(project, run_id, {item_id: probabilities}, kind="out_of_fold") → a finished run."""
    return write_run


def write_run(
    project: Project,
    run_id: str,
    probs: dict[str, Sequence[float]],
    *,
    kind: str = "out_of_fold",
    version: int = 0,
    event: int = 0,
    quick: QuickInfo | None = None,
    config: TrainConfig | None = None,
    resolved: TrainConfig | None = None,
    fingerprint: str = "f",
    models: Sequence[dict[str, Sequence[float]]] = (),
) -> RunInfo:
    """models : what each model of the folds says, if the run keeps that."""
    config = config or TrainConfig()
    items = project.items.assign(given_label=project.decisions.labels_at(0)["given_label"])
    items = items.set_index("item_id").loc[list(probs)]
    run_dir = project.runs_dir / run_id
    train = (items["split"] == "train").to_numpy()
    predictions = Predictions(
        item_ids=object_array(list(probs)),
        splits=object_array(items["split"]),
        folds=np.where(train, 0, -1),
        kinds=object_array(np.where(train, kind, "mean_of_folds")),
        given_labels=object_array(items["given_label"]),
        pred_probs=np.array(list(probs.values()), dtype=np.float32),
        embeddings=np.zeros((len(probs), 2), dtype=np.float16),
        classes=project.task.classes,
        label_kind=project.label_kind.key,
        fold_probs=np.array([[model[item] for item in probs] for model in models]) if models else None,
    )
    write_predictions(run_dir, predictions)
    _write_scores(run_dir, predictions)
    info = RunInfo(
        run_id=run_id, created_at=NOW, finished_at=NOW, seconds=1.0, config=config, resolved=resolved or config,
        classes=project.task.classes,
        dataset_version={
            "number": version, "fingerprint": fingerprint, "event": event, "class_change": project.classes.number
        },
        device="cpu", n_threads=1, versions={"torch": "2"}, n_train=int(train.sum()), n_folds=5, in_sample=False,
        arch="small_cnn", pretrained=False, quick=quick, label_kind=project.label_kind.key,
    )  # fmt: skip
    write_run_info(run_dir, info)
    return info


def _write_scores(run_dir: Path, predictions: Predictions) -> None:
    """Of one label an item without its quality, which would be learnt from more than is there."""
    if predictions.label_kind == ONE_LABEL:
        write_table(run_dir / SCORES_FILE, scores_table(predictions))
        return
    write_scores(run_dir, [str(item_id) for item_id in predictions.item_ids], config=TrainConfig())


def _intake(
    rows: Sequence[tuple[str, str, str | None]],
    classes: Sequence[str],
    images: Path,
    contents: Mapping[str, str],
    groups: Mapping[str, str],
) -> Intake:
    ids = [row[0] for row in rows]
    columns = {
        "item_id": ids,
        "path": [f"img/{item_id}.png" for item_id in ids],
        "root": 0,
        "split": [row[1] for row in rows],
        "given_label": [row[2] for row in rows],
        "source": "items.csv",
        "source_row": range(2, len(rows) + 2),
        "content_hash": [contents.get(item_id, f"hash-{item_id}") for item_id in ids],
        "group": [groups.get(item_id) for item_id in ids],
        "unit": "",
        "width": 8,
        "height": 8,
    }
    texts = dict.fromkeys(
        ("item_id", "path", "split", "given_label", "source", "content_hash", "group"), "str"
    )
    items = pd.DataFrame(columns).astype(texts)[[*ITEM_COLUMNS, "width", "height"]]
    items = items.assign(unit=units_of(items, None))
    return Intake(
        modality="image",
        items=items,
        findings=pd.DataFrame(columns=list(FINDING_COLUMNS)),
        leaks=leaks_of(items, None),
        classes=tuple(classes),
        roots=(ImageRoot("folder", images),),
        fingerprint="f" * 64,
        columns=Columns(path="path", label="label"),
        seed=0,
        val_fraction=0.2,
    )
