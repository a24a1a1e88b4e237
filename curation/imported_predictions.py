"""Make a run of a project from predictions of any model: of every item, under the classes as they are now."""

import difflib
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from curation.class_list import ClassList, listed
from curation.other_predictions import read_probs
from curation.patches import ids_by_path
from curation.prediction_files import ItemNames, PredictionFile, read_prediction_file
from curation.project import Project
from curation.queues import prepare_queues
from curation.rounds import DatasetVersion, dataset_version, training_items
from curation.run_folders import PartialRun, allocate_run
from curation.spreadsheet import undo_safe
from diagnostics.errors import DataError
from diagnostics.imported_run import (
    ImportedArrays,
    ImportedModel,
    check_embeddings,
    write_imported_run,
)
from diagnostics.label_kinds import label_kind_of
from diagnostics.label_space import LabelSpace
from diagnostics.probability_rows import check_rows
from diagnostics.progress import ProgressCallback
from diagnostics.run_folder import ImportInfo
from diagnostics.task import FloatArray, IntArray
from diagnostics.training.config import THRESHOLDS, TrainConfig, check_fits

MAX_NAMED = 10
NO_ROW = -1
IN_SAMPLE_NOTE = (
    "Nobody has said that training items were predicted out of fold: they count as in sample, where memorised errors "
    "look right."
)
OUT_OF_FOLD_NOTE = "Training items are out of fold, as the person says who imported them."


def row_text(project: Project) -> str:
    """What each row of the probabilities must be."""
    classes = project.classes
    return label_kind_of(classes.kind.key).rows.expected_of(len(classes.names))


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """What to import.

    probs : .npy, .csv or .parquet; classes, ids : see `curation.prediction_files.read_prediction_file`; without ids the
        rows are the items of the project in the order of an export
    embeddings : a .npy of (n_rows, n_features) of one model, rows as those of the probabilities
    out_of_fold : labelled training items were predicted by models that were not trained on them
    name : what to call the model
    partly : items without a prediction are left out of the run; otherwise they are an error
    thresholds : a name of THRESHOLDS, from which probability on one of several labels is predicted
    """

    probs: Path
    classes: str | None = None
    ids: Path | None = None
    embeddings: Path | None = None
    out_of_fold: bool = False
    name: str = ""
    partly: bool = False
    thresholds: str = THRESHOLDS[0]


def import_predictions(
    project: Project, spec: ImportSpec, *, now: datetime, on_progress: ProgressCallback
) -> str:
    """Check everything, then make a run on the newest dataset version; returns its id.

    raises : DataError saying all that is wrong of a kind, with row numbers from 0; ConfigError for thresholds that
        there are not; nothing is left then
    """
    config = TrainConfig(folds=0, thresholds=spec.thresholds)
    check_fits(config, project.info.modality, project.label_kind.key)
    work_dir = project.cache_dir / f".import.{os.getpid()}.{uuid.uuid4().hex[:8]}.partial"
    work_dir.mkdir(parents=True)
    started: list[PartialRun] = []
    version = dataset_version(project)

    def take_id() -> str:
        started.append(allocate_run(project, config, version.number, now=now))
        return started[0].run_id

    try:
        items, space, arrays, notes = _checked(project, version, spec, work_dir, on_progress)
        info = write_imported_run(
            items,
            space,
            arrays,
            ImportedModel(
                ImportInfo(spec.name.strip(), spec.probs.name),
                spec.out_of_fold,
                config,
                _notes(spec, notes),
            ),
            run_dir=work_dir / "run",
            take_id=take_id,
            label_kind=project.label_kind.key,
            dataset_version=version.to_json(),
            now=now,
            on_progress=on_progress,
        )
        (work_dir / "run").replace(project.runs_dir / info.run_id)
    finally:
        for run in started:
            shutil.rmtree(run.folder, ignore_errors=True)
        shutil.rmtree(work_dir, ignore_errors=True)
    prepare_queues(project, info.run_id)
    return info.run_id


def _checked(
    project: Project,
    version: DatasetVersion,
    spec: ImportSpec,
    work_dir: Path,
    on_progress: ProgressCallback,
) -> tuple[pd.DataFrame, LabelSpace, ImportedArrays, list[str]]:
    """The items that are predicted, what their labels can be, what is predicted, and what there is to say of that."""
    classes = project.class_log.at(version.class_change)
    items, labels = training_items(project, version), label_kind_of(classes.kind.key)
    found = read_prediction_file(
        spec.probs, classes=spec.classes, ids=spec.ids, work_dir=work_dir, known_classes=classes.names
    )
    columns, class_notes = _columns(found.classes, classes, items, spec.probs.name)
    rows, item_notes = _rows(project, items, found, spec)

    def row_name(row: int) -> str:
        return f"row {row}" + (f" ({found.items.names[row]!r})" if found.items else "")

    row_notes = check_rows(
        found.pred_probs, labels.rows, name=spec.probs.name, row_name=row_name, on_progress=on_progress
    )
    embeddings, scale = None, 1.0
    if spec.embeddings is not None:
        embeddings = _read_embeddings(spec.embeddings, len(found.pred_probs), spec.probs.name)
        scale = check_embeddings(embeddings, name=spec.embeddings.name, row_name=row_name)
    predicted = rows != NO_ROW
    arrays = ImportedArrays(found.pred_probs, columns, classes.kind.join, rows[predicted], embeddings, scale)
    items = items[predicted].reset_index(drop=True)
    space = labels.space(classes.names, items["label"])
    return items, space, arrays, class_notes + item_notes + row_notes


def _columns(
    names: Sequence[str], classes: ClassList, items: pd.DataFrame, file: str
) -> tuple[IntArray, list[str]]:
    """The position of each column's class in the present ones, and what there is to say of them.

    raises : DataError for names that were never a class, and for classes without a column that items are labelled as
    """
    present = list(classes.names)
    current = [classes.current(name) for name in names]
    unknown = [name for name, now in zip(names, current, strict=True) if now is None]
    if unknown:
        raise DataError(
            f"{file} has columns for what is no class of the project: {listed([_near(n, present) for n in unknown])}. "
            f"The classes are {listed(present)}. Name the classes of the columns with --classes, or add a class with "
            "winnow classes."
        )
    lost = [name for name in present if name not in current]
    n_labelled = classes.kind.counted(items["label"])
    wanted = [f"{name!r} ({n_labelled[name]:,} items)" for name in lost if name in n_labelled]
    if wanted:
        raise DataError(
            f"{file} has no column for classes that items are labelled as: {listed(wanted)}. All of these would be "
            "called wrong. Predict them too, or merge these classes into others with winnow classes."
        )
    notes = [f"`{name}` is read as `{now}`." for name, now in zip(names, current, strict=True) if name != now]
    notes += [f"`{name}` has no column: the model never predicts it." for name in lost]
    return np.array([present.index(str(name)) for name in current], dtype=np.int64), notes


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name)


def _rows(
    project: Project, items: pd.DataFrame, found: PredictionFile, spec: ImportSpec
) -> tuple[IntArray, list[str]]:
    """The row of each item, NO_ROW where it has none, and what there is to say of that."""
    n_rows, index = len(found.pred_probs), project.item_index
    in_project = index.rows_of(items["item_id"].tolist())
    if found.items is None:
        if n_rows != len(index):
            raise DataError(
                f"{spec.probs.name} has {n_rows:,} rows and the project {len(index):,} items, and nothing says which "
                "row belongs to which item. Name the item of each row with --ids, for example in the order of an "
                "export (winnow export), which has all of them."
            )
        return in_project, ["Rows were taken to be the items of the project in the order of an export."]
    places = _places(project, found.items)
    row_of_place = np.full(len(index), NO_ROW, dtype=np.int64)
    row_of_place[places] = np.arange(n_rows)
    rows = row_of_place[in_project]
    n_extra = n_rows - int((rows != NO_ROW).sum())
    notes = [f"{n_extra:,} rows are of items that are excluded: left out."] if n_extra else []
    missing = items[rows == NO_ROW]
    if len(missing):
        splits = ", ".join(f"{n:,} of {split}" for split, n in missing["split"].value_counts().items())
        said = f"{len(missing):,} of {len(items):,} items have no prediction ({splits})"
        if not spec.partly:
            raise DataError(
                f"{spec.probs.name}: {said}, the first are {listed(missing['item_id'].tolist(), at_most=5)}. Predict "
                "them too, or leave them out knowingly with --partly: they are then in no queue and no number."
            )
        notes.append(f"{said}: they are in no queue and no number.")
    return rows, notes


def _places(project: Project, names: ItemNames) -> IntArray:
    """(n_rows,), the place of each row's item in the project.

    raises : DataError for names of no item, and for items that are named twice
    """
    index = project.item_index
    if names.are_paths:
        by_path = ids_by_path(project)
        wanted = [by_path.get(name) or by_path.get(undo_safe(name), "") for name in names.names]
    else:
        wanted = list(names.names)
    places = index.rows_of(wanted)
    for row in np.flatnonzero(places < 0):
        places[row] = index.rows_of([undo_safe(wanted[row])])[0]
    unknown = np.flatnonzero(places < 0)
    if len(unknown):
        shown = [f"row {row}: {names.names[row]!r}" for row in unknown[:MAX_NAMED]]
        raise DataError(
            f"{names.file} names {len(unknown):,} items that {project.info.name} does not have: "
            f"{'; '.join(shown)}{_more(unknown)}. Rows are counted from 0."
        )
    first_row = np.full(len(index), NO_ROW, dtype=np.int64)
    first_row[places[::-1]] = np.arange(len(places))[::-1]
    again = np.flatnonzero(first_row[places] != np.arange(len(places)))
    if len(again):
        shown = [
            f"row {row}: {names.names[row]!r} as in row {first_row[places[row]]}" for row in again[:MAX_NAMED]
        ]
        raise DataError(
            f"{names.file} names {len(again):,} items again: {'; '.join(shown)}{_more(again)}. Rows are counted from "
            "0; each item must have one."
        )
    return places


def _more(rows: IntArray) -> str:
    return f"; and {len(rows) - MAX_NAMED:,} more" if len(rows) > MAX_NAMED else ""


def _read_embeddings(path: Path, n_rows: int, probs_name: str) -> FloatArray:
    embeddings = read_probs(path)
    if len(embeddings) != n_rows:
        raise DataError(
            f"{path.name} has {len(embeddings):,} rows and {probs_name} has {n_rows:,}: row i of one must belong to "
            "row i of the other."
        )
    return embeddings


def _notes(spec: ImportSpec, found: Sequence[str]) -> tuple[str, ...]:
    notes = [
        OUT_OF_FOLD_NOTE if spec.out_of_fold else IN_SAMPLE_NOTE,
        "Items of validation and test and without a label are taken as not trained on.",
    ]
    if spec.embeddings is not None:
        notes.append(
            "Neighbours come from the embeddings. If their model was trained on these labels, they repeat its mistakes."
        )
    return (*notes, *found)
