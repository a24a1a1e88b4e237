"""Probabilities and embeddings of a run, aligned to item ids, on disk and memory-mapped."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from diagnostics.errors import RunError
from diagnostics.task import FloatArray, IntArray

FORMAT_VERSION = 1
FOLDER = "predictions"
PREDICTION_COLUMNS = ("item_id", "split", "fold", "kind", "given_label")

OUT_OF_FOLD = "out_of_fold"
IN_SAMPLE = "in_sample"
MEAN_OF_FOLDS = "mean_of_folds"
SINGLE_MODEL = "single_model"
KINDS = (OUT_OF_FOLD, IN_SAMPLE, MEAN_OF_FOLDS, SINGLE_MODEL)

ObjectArray = npt.NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """What a run predicts for its items; row i of everything belongs to item_ids[i].

    item_ids, splits, kinds, given_labels : (n_items,) of str; given_labels has None where there is no label
    folds : (n_items,), the fold that held the item out, -1 if none did
    pred_probs : (n_items, n_classes) float32, rows sum to 1
    embeddings : (n_items, n_features) float16, the input of the model's last layer. Features of two models cannot be
        averaged or compared: an out-of-fold item has those of the model that did not see it, every other item those
        of the first model.
    """

    item_ids: ObjectArray
    splits: ObjectArray
    folds: IntArray
    kinds: ObjectArray
    given_labels: ObjectArray
    pred_probs: FloatArray
    embeddings: FloatArray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.item_ids)


def write_predictions(run_dir: Path, predictions: Predictions) -> None:
    """Write the predictions beside and move them to `run_dir`/predictions, replacing what is there."""
    _check_aligned(predictions, run_dir)
    beside = run_dir / f".{FOLDER}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    _items_table(predictions).to_parquet(beside / "items.parquet", index=False)
    np.save(beside / "pred_probs.npy", np.asarray(predictions.pred_probs, dtype=np.float32))
    np.save(beside / "embeddings.npy", np.asarray(predictions.embeddings, dtype=np.float16))
    about = {"format_version": FORMAT_VERSION, "classes": list(predictions.classes)}
    (beside / "predictions.json").write_text(
        json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8"
    )
    target = run_dir / FOLDER
    if target.exists():
        shutil.rmtree(target)
    beside.replace(target)


def read_predictions(run_dir: Path) -> Predictions:
    """The predictions of a run; the arrays are memory-mapped.

    raises : RunError if they are missing, unreadable, or their parts do not fit each other
    """
    folder = run_dir / FOLDER
    about_path = folder / "predictions.json"
    if not about_path.is_file():
        raise RunError(f"{run_dir.name} has no predictions ({about_path} is missing). Train again.")
    about = json.loads(about_path.read_text(encoding="utf-8"))
    if about["format_version"] > FORMAT_VERSION:
        raise RunError(
            f"{about_path} has format {about['format_version']}, this Winnow reads up to {FORMAT_VERSION}. "
            "Install a newer Winnow."
        )
    try:
        table = pd.read_parquet(folder / "items.parquet", columns=list(PREDICTION_COLUMNS))
        pred_probs = np.load(folder / "pred_probs.npy", mmap_mode="r")
        embeddings = np.load(folder / "embeddings.npy", mmap_mode="r")
    except (OSError, ValueError) as error:
        raise RunError(f"The predictions in {folder} cannot be read: {error}. Train again.") from error
    predictions = Predictions(
        item_ids=_strings(table["item_id"]),
        splits=_strings(table["split"]),
        folds=table["fold"].to_numpy(dtype=np.int64),
        kinds=_strings(table["kind"]),
        given_labels=_strings(table["given_label"]),
        pred_probs=pred_probs,
        embeddings=embeddings,
        classes=tuple(about["classes"]),
    )
    _check_aligned(predictions, run_dir)
    return predictions


def object_array(values: Sequence[object] | pd.Series) -> ObjectArray:
    """(n,) object array of str and None; NaN and pandas' NA become None."""
    return _strings(pd.Series(values, dtype=object))


def _strings(series: pd.Series) -> ObjectArray:
    objects = series.astype(object)
    return objects.where(objects.notna(), None).to_numpy(dtype=object)


def _items_table(predictions: Predictions) -> pd.DataFrame:
    values = (
        predictions.item_ids,
        predictions.splits,
        predictions.folds,
        predictions.kinds,
        predictions.given_labels,
    )
    table = pd.DataFrame(dict(zip(PREDICTION_COLUMNS, values, strict=True)))
    texts = [name for name in PREDICTION_COLUMNS if name != "fold"]
    return table.astype(dict.fromkeys(texts, "str"))


def _check_aligned(predictions: Predictions, run_dir: Path) -> None:
    n_items = len(predictions)
    arrays = (predictions.splits, predictions.folds, predictions.kinds, predictions.given_labels)
    lengths = [len(array) for array in (*arrays, predictions.pred_probs, predictions.embeddings)]
    if any(length != n_items for length in lengths):
        raise RunError(
            f"The predictions of {run_dir.name} are for {n_items} items, but its arrays have {lengths} rows."
        )
    if predictions.pred_probs.shape != (n_items, len(predictions.classes)):
        raise RunError(
            f"The predictions of {run_dir.name} have shape {predictions.pred_probs.shape}, expected {n_items} items "
            f"and {len(predictions.classes)} classes."
        )
