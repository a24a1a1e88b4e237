"""A run from predictions that were made elsewhere: checked, put into the order of the items, scored like any other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from diagnostics.chunks import chunks_of
from diagnostics.errors import DataError
from diagnostics.predictions import (
    IN_SAMPLE,
    OUT_OF_FOLD,
    SINGLE_MODEL,
    Predictions,
    object_array,
    write_predictions,
)
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.run_folder import ImportInfo, RunInfo, write_run_info
from diagnostics.run_scores import write_scores
from diagnostics.scores import ROW_SUM_TOLERANCE
from diagnostics.signals import DYNAMICS, HELD_OUT, NEIGHBOURS, TRAINED
from diagnostics.task import NO_LABEL, BoolArray, FloatArray, IntArray, label_codes
from diagnostics.training.config import TrainConfig
from diagnostics.training.plan import HELD_BACK

ARCH = "imported"
NO_FOLD = -1
MAX_NAMED = 5
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

    pred_probs : (n_rows, n_columns); columns : (n_columns,), the position of each column's class in the classes of the
        run; columns of the same class are added up
    embeddings : (n_rows, n_features) of one model, None if there are none
    rows : (n_items,), the row of each item
    """

    pred_probs: FloatArray
    columns: IntArray
    embeddings: FloatArray | None
    rows: IntArray


def check_probabilities(
    pred_probs: FloatArray, *, name: str, row_name: Callable[[int], str], on_progress: ProgressCallback
) -> None:
    """See to it that every row is a distribution over the classes; read once, a chunk at a time.

    row_name : what to call a row
    raises : DataError with everything that is wrong, by kind, with the first rows of each
    """
    n_rows, n_columns = pred_probs.shape
    if pred_probs.dtype.kind not in "biuf":
        raise DataError(f"{name} holds {pred_probs.dtype}; expected numbers.")
    found: dict[str, list[int]] = {kind: [] for kind in _PROBLEMS}
    counts = dict.fromkeys(_PROBLEMS, 0)
    for rows in chunks_of(n_rows, n_columns):
        on_progress(Progress("checking", rows.start, n_rows, f"row {rows.start:,} of {n_rows:,}"))
        for kind, is_bad in _problems_of(np.asarray(pred_probs[rows], dtype=np.float64)).items():
            bad = np.flatnonzero(is_bad)
            counts[kind] += len(bad)
            found[kind] += (rows.start + bad[: MAX_NAMED - len(found[kind])]).tolist()
    n_bad = sum(counts.values())
    if n_bad:
        parts = [
            f"{counts[kind]:,} {kind} ({', '.join(map(row_name, rows))}"
            f"{', …' if counts[kind] > len(rows) else ''}): {_PROBLEMS[kind]}"
            for kind, rows in found.items()
            if rows
        ]
        raise DataError(
            f"{name}: {n_bad:,} of {n_rows:,} rows are no distribution over the {n_columns} classes; nothing was "
            f"imported. {' '.join(parts)}"
        )


_PROBLEMS = {
    "with a class that has no number (NaN or infinite)": "predict these items again.",
    "with values outside 0 to 1": "if these are logits, give their softmax.",
    "that do not sum to 1": "give the probabilities of all classes; several labels an item cannot be imported yet.",
}


def _problems_of(probs: FloatArray) -> dict[str, BoolArray]:
    """(n,) for each kind of problem, whether a row has it; a row has one at most."""
    sums = probs.sum(axis=1)
    no_number = ~np.isfinite(sums)
    outside = ~no_number & ((probs.min(axis=1) < 0) | (probs.max(axis=1) > 1 + ROW_SUM_TOLERANCE))
    off = ~no_number & ~outside & (np.abs(sums - 1) > ROW_SUM_TOLERANCE)
    return dict(zip(_PROBLEMS, (no_number, outside, off), strict=True))


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
    classes: tuple[str, ...],
    arrays: ImportedArrays,
    *,
    run_dir: Path,
    take_id: Callable[[], str],
    source: ImportInfo,
    out_of_fold: bool,
    embedding_scale: float,
    dataset_version: Mapping[str, int | str],
    notes: Sequence[str],
    now: datetime,
    on_progress: ProgressCallback,
) -> RunInfo:
    """Write a run folder as training leaves it, without models, curves and what only training knows.

    items : those that are predicted, as for `diagnostics.training.run.train_run`
    arrays : checked, see `check_probabilities`; copied a chunk at a time
    take_id : gives the run its id; asked when all else is there
    out_of_fold : whether labelled training items were predicted by models that did not see them
    embedding_scale : what embeddings are multiplied with; only their directions are used
    """
    started_s = time.monotonic()
    run_dir.mkdir(parents=True)
    codes = label_codes(items["label"], classes)
    learnt = (items["split"] == "train").to_numpy() & (codes != NO_LABEL)
    if HELD_BACK in items:
        learnt &= ~items[HELD_BACK].to_numpy(dtype=np.bool_)
    on_progress(Progress("writing", 0, 2, "predictions"))
    probs_path, embeddings_path = run_dir / ".probs.npy", run_dir / ".embeddings.npy"
    predictions = Predictions(
        item_ids=object_array(items["item_id"]),
        splits=object_array(items["split"]),
        folds=np.full(len(items), NO_FOLD, dtype=np.int64),
        kinds=np.where(learnt, OUT_OF_FOLD if out_of_fold else IN_SAMPLE, SINGLE_MODEL).astype(object),
        given_labels=object_array(items["label"]),
        pred_probs=_in_order(arrays, len(classes), probs_path),
        embeddings=None,
        classes=classes,
        fold_embeddings=_features_in_order(arrays, embedding_scale, embeddings_path),
    )
    write_predictions(run_dir, predictions)
    probs_path.unlink()
    embeddings_path.unlink(missing_ok=True)
    on_progress(Progress("scoring", 1, 2, "label quality"))
    config = replace(TrainConfig(), folds=0)
    write_scores(run_dir, items["content_hash"].astype(str).tolist(), config=config, why_missing=WHY_MISSING)
    seconds = time.monotonic() - started_s
    info = RunInfo(
        run_id=take_id(),
        created_at=now,
        finished_at=now + timedelta(seconds=seconds),
        seconds=seconds,
        config=config,
        resolved=config,
        classes=classes,
        dataset_version=dict(dataset_version),
        device="elsewhere",
        n_threads=0,
        versions={},
        n_train=int(learnt.sum()),
        n_folds=1,
        in_sample=not out_of_fold,
        arch=ARCH,
        pretrained=False,
        notes=tuple(notes),
        imported=source,
    )
    write_run_info(run_dir, info)
    return info


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
        out[rows] = chunk[:, column_of] if only_moved else chunk @ into
    return out


def _features_in_order(arrays: ImportedArrays, scale: float, path: Path) -> FloatArray | None:
    """(1, n_items, n_features) float16, memory-mapped: one model's features, the same for all items."""
    if arrays.embeddings is None:
        return None
    shape = (1, len(arrays.rows), arrays.embeddings.shape[1])
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    for rows in chunks_of(shape[1], shape[2]):
        out[0, rows] = arrays.embeddings[arrays.rows[rows]] * scale
    return out
