"""A run from predictions that were made elsewhere: checked, put into the order of the items, scored like any other."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from diagnostics.chunks import chunks_of
from diagnostics.errors import DataError
from diagnostics.label_space import LabelSpace
from diagnostics.predictions import (
    IN_SAMPLE,
    OUT_OF_FOLD,
    SINGLE_MODEL,
    ObjectArray,
    Predictions,
    object_array,
    write_predictions,
)
from diagnostics.probability_rows import MAX_NAMED
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.run_folder import ImportInfo, RunInfo, write_run_info
from diagnostics.run_scores import write_scores
from diagnostics.signals import DYNAMICS, HELD_OUT, NEIGHBOURS, TRAINED
from diagnostics.task import NO_LABEL, BoolArray, FloatArray, IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.plan import HELD_BACK

ARCH = "imported"
NO_FOLD = -1
LARGEST_FLOAT16, USUAL_SIZE = 60_000.0, 1_000.0
SMALLEST_USEFUL = 0.01

WHY_MISSING: Mapping[str, str] = {
    HELD_OUT: "every labelled item was trained on; import out-of-fold predictions",
    NEIGHBOURS: "no embeddings were imported",
    DYNAMICS: "imported predictions do not tell what the model said of the items while it was trained on them",
    TRAINED: "imported predictions do not tell what models say of items that they were trained on",
}


@dataclass(frozen=True, slots=True)
class ImportedArrays:
    """Predictions as they came, perhaps memory-mapped, and where each row and column belongs.

    pred_probs : (n_rows, n_columns), checked, see `diagnostics.probability_rows`
    columns : (n_columns,), the position of each column's class in the classes of the run
    join : ((n, n_columns), (n_columns, n_classes) 1 where a column is of a class) -> (n, n_classes), asked where
        several columns are of one class
    rows : (n_items,), the row of each item
    embeddings : (n_rows, n_features) of one model, None if there are none
    embedding_scale : what embeddings are multiplied with; only their directions are used
    """

    pred_probs: FloatArray
    columns: IntArray
    join: Callable[[FloatArray, FloatArray], FloatArray]
    rows: IntArray
    embeddings: FloatArray | None = None
    embedding_scale: float = 1.0


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """What is known of the model that predicted.

    out_of_fold : whether labelled training items were predicted by models that did not see them
    config : of it count how sets of labels are cut from probabilities, and the seed
    """

    source: ImportInfo
    out_of_fold: bool
    config: TrainConfig
    notes: tuple[str, ...]


def check_embeddings(embeddings: FloatArray, *, name: str, row_name: Callable[[int], str]) -> float:
    """See to it that all features are numbers; returns the factor that makes them fit float16.

    raises : DataError with the first rows where they are not
    """
    if embeddings.dtype.kind not in "biuf":
        raise DataError(f"{name} holds {embeddings.dtype}; expected numbers.")
    largest, bad = 0.0, 0
    first: list[int] = []
    for rows in chunks_of(*embeddings.shape):
        values = np.abs(np.asarray(embeddings[rows], dtype=np.float64)).max(axis=1, initial=0.0)
        strange = np.flatnonzero(~np.isfinite(values))
        bad += len(strange)
        first += (rows.start + strange[: MAX_NAMED - len(first)]).tolist()
        largest = max(largest, float(np.nanmax(np.where(np.isfinite(values), values, 0.0), initial=0.0)))
    if bad:
        raise DataError(
            f"{name}: {bad:,} rows have a feature that is no number (NaN or infinite): "
            f"{', '.join(map(row_name, first))}{', …' if bad > len(first) else ''}. Nothing was imported."
        )
    fits = SMALLEST_USEFUL <= largest <= LARGEST_FLOAT16
    return 1.0 if fits or not largest else USUAL_SIZE / largest


def write_imported_run(
    items: pd.DataFrame,
    space: LabelSpace,
    arrays: ImportedArrays,
    model: ImportedModel,
    *,
    run_dir: Path,
    take_id: Callable[[], str],
    label_kind: str,
    dataset_version: Mapping[str, int | str],
    now: datetime,
    on_progress: ProgressCallback,
) -> RunInfo:
    """Write a run folder as training leaves it, without models, curves and what only training knows.

    items : those that are predicted, as for `diagnostics.training.run.train_run`
    space : what their labels can be, in the classes of the run; label_kind : of LABEL_KINDS
    take_id : gives the run its id; asked when all else is there
    """
    started_s = time.monotonic()
    run_dir.mkdir(parents=True)
    learnt = _is_learnt(items, space)
    kinds = np.where(learnt, OUT_OF_FOLD if model.out_of_fold else IN_SAMPLE, SINGLE_MODEL)
    on_progress(Progress("writing", 0, 2, "predictions"))
    _write_predictions(run_dir, items, kinds.astype(object), arrays, space.classes, label_kind)
    on_progress(Progress("scoring", 1, 2, "label quality"))
    contents = items["content_hash"].astype(str).tolist()
    write_scores(run_dir, contents, config=model.config, why_missing=WHY_MISSING)
    seconds = time.monotonic() - started_s
    info = RunInfo(
        run_id=take_id(),
        created_at=now,
        finished_at=now + timedelta(seconds=seconds),
        seconds=seconds,
        config=model.config,
        resolved=model.config,
        classes=space.classes,
        dataset_version=dict(dataset_version),
        device="elsewhere",
        n_threads=0,
        versions={},
        n_train=int(learnt.sum()),
        n_folds=1,
        in_sample=not model.out_of_fold,
        arch=ARCH,
        pretrained=False,
        notes=model.notes,
        imported=model.source,
        label_kind=label_kind,
    )
    write_run_info(run_dir, info)
    return info


def _is_learnt(items: pd.DataFrame, space: LabelSpace) -> BoolArray:
    """(n_items,), which items a model learns: the labelled ones of train that nothing holds back."""
    learnt: BoolArray = (items["split"] == "train").to_numpy() & (space.codes(items["label"]) != NO_LABEL)
    return learnt & ~items[HELD_BACK].to_numpy(dtype=np.bool_) if HELD_BACK in items else learnt


def _write_predictions(
    run_dir: Path,
    items: pd.DataFrame,
    kinds: ObjectArray,
    arrays: ImportedArrays,
    classes: tuple[str, ...],
    label_kind: str,
) -> None:
    """As a training leaves them; copied a chunk at a time."""
    probs_path, embeddings_path = run_dir / ".probs.npy", run_dir / ".embeddings.npy"
    predictions = Predictions(
        item_ids=object_array(items["item_id"]),
        splits=object_array(items["split"]),
        folds=np.full(len(items), NO_FOLD, dtype=np.int64),
        kinds=kinds,
        given_labels=object_array(items["label"]),
        pred_probs=_in_order(arrays, len(classes), probs_path),
        embeddings=None,
        classes=classes,
        fold_embeddings=_features_in_order(arrays, embeddings_path),
        label_kind=label_kind,
    )
    write_predictions(run_dir, predictions)
    probs_path.unlink()
    embeddings_path.unlink(missing_ok=True)


def _in_order(arrays: ImportedArrays, n_classes: int, path: Path) -> FloatArray:
    """(n_items, n_classes) float32, memory-mapped: the probabilities of each item under the classes of the run."""
    into = np.zeros((len(arrays.columns), n_classes), dtype=np.float32)
    into[np.arange(len(arrays.columns)), arrays.columns] = 1
    only_moved = np.array_equal(np.sort(arrays.columns), np.arange(n_classes))
    column_of = np.argsort(arrays.columns)
    shape = (len(arrays.rows), n_classes)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    for rows in chunks_of(*shape):
        chunk = arrays.pred_probs[arrays.rows[rows]].astype(np.float32, copy=False)
        out[rows] = chunk[:, column_of] if only_moved else arrays.join(chunk, into)
    return out


def _features_in_order(arrays: ImportedArrays, path: Path) -> FloatArray | None:
    """(1, n_items, n_features) float16, memory-mapped: one model's features, the same for all items."""
    if arrays.embeddings is None:
        return None
    shape = (1, len(arrays.rows), arrays.embeddings.shape[1])
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    for rows in chunks_of(shape[1], shape[2]):
        out[0, rows] = arrays.embeddings[arrays.rows[rows]] * arrays.embedding_scale
    return out
