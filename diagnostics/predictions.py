"""Probabilities and embeddings of a run, aligned to item ids, on disk and memory-mapped."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from diagnostics.errors import RunError
from diagnostics.fold_arrays import FoldArray, FoldRows, PickedRows, write_fold_array
from diagnostics.formats import refuse_newer
from diagnostics.task import BoolArray, FloatArray, IntArray

FORMAT_VERSION = 2
FOLDER = "predictions"
PREDICTION_COLUMNS = ("item_id", "split", "fold", "kind", "given_label")

OUT_OF_FOLD = "out_of_fold"
IN_SAMPLE = "in_sample"
MEAN_OF_FOLDS = "mean_of_folds"
SINGLE_MODEL = "single_model"
KINDS = (OUT_OF_FOLD, IN_SAMPLE, MEAN_OF_FOLDS, SINGLE_MODEL)
FIRST_MODEL = 0
ONE_LABEL = "single"

PROBS, EMBEDDINGS = "pred_probs", "embeddings"
FOLD_PROBS, FOLD_EMBEDDINGS = "fold_probs", "fold_embeddings"

SHARED_ROWS_FILE = "embedding_rows.npy"

ObjectArray = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class SharedEmbeddings:
    """Features that several runs read from one file.

    path : (n_models, n_rows, n_features) float16, a .npy file
    rows : (n_items,), the row of each item
    """

    path: Path
    rows: IntArray

    def read(self) -> FoldRows:
        """(n_models, n_items, n_features), memory-mapped."""
        return FoldRows(np.load(self.path, mmap_mode="r"), self.rows)

    def at(self, items: IntArray) -> "SharedEmbeddings":
        """Of these positions of items alone."""
        return SharedEmbeddings(self.path, self.rows[items])


@dataclass(frozen=True)
class Predictions:
    """What a run predicts for its items; row i of everything belongs to item_ids[i].

    item_ids, splits, kinds, given_labels : (n_items,) of str; given_labels has None where there is no label
    folds : (n_items,), the fold that held the item out, -1 if none did
    pred_probs : (n_items, n_classes) float32; with one label an item rows sum to 1, with several each is a probability
        by itself
    embeddings : (n_items, n_features) float16, the input of the model's last layer. Features of two models cannot be
        averaged or compared: each item has those of its `embedding_models`. Where there are fold_embeddings they are
        the rows of `pick_embeddings`, which are not stored again. None if they were shared with other runs and their
        file is gone.
    fold_probs, fold_embeddings : (n_models, n_items, n_columns) float16, what every model says of every item, of those
        that it was trained on too; None in runs of before they were kept. One model's features for all folds are one
        row of n_models.
    shared_embeddings : where fold_embeddings lie if they are not the run's own
    label_kind : key of `diagnostics.label_kinds.LABEL_KINDS`
    """

    item_ids: ObjectArray
    splits: ObjectArray
    folds: IntArray
    kinds: ObjectArray
    given_labels: ObjectArray
    pred_probs: FloatArray
    embeddings: FloatArray | PickedRows | None
    classes: tuple[str, ...]
    fold_probs: FoldArray | None = None
    fold_embeddings: FoldArray | None = None
    shared_embeddings: SharedEmbeddings | None = None
    label_kind: str = ONE_LABEL

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def labelled(self) -> BoolArray:
        """(n_items,), whether somebody has labelled the item."""
        given = pd.Series(self.given_labels, dtype=object)
        labelled: BoolArray = (given.notna() & (given != "")).to_numpy(dtype=bool)
        return labelled

    @property
    def is_train(self) -> BoolArray:
        """(n_items,), whether the item is one of those to train on."""
        is_train: BoolArray = self.splits == "train"
        return is_train

    @property
    def embedding_models(self) -> IntArray:
        """(n_items,) which model each item's embedding comes from; only embeddings of one model can be compared."""
        n_models = None if self.fold_embeddings is None else self.fold_embeddings.shape[0]
        return embedding_models(self.kinds, self.folds, n_models=n_models)


@dataclass(frozen=True, slots=True)
class EmbeddedItems:
    """Of a run's predictions what comparing embeddings takes, see `Predictions`; is_train : (n_items,)"""

    embeddings: FloatArray | PickedRows | None
    embedding_models: IntArray
    is_train: BoolArray


def embedding_models(kinds: ObjectArray, folds: IntArray, *, n_models: int | None = None) -> IntArray:
    """(n_items,): of an out-of-fold item the model that did not see it, of every other item the first one.

    n_models : how many there are to choose from; None if it is not known, which means as many as folds
    """
    return _models_of(kinds == OUT_OF_FOLD, folds, n_models)


def _models_of(out_of_fold: BoolArray, folds: IntArray, n_models: int | None) -> IntArray:
    models: IntArray = np.where(out_of_fold & (n_models != 1), folds, FIRST_MODEL)
    return models


def pick_embeddings(fold_embeddings: FoldArray, kinds: ObjectArray, folds: IntArray) -> PickedRows:
    """(n_items, n_features), each item's features by the model that `embedding_models` names."""
    return PickedRows(fold_embeddings, embedding_models(kinds, folds, n_models=fold_embeddings.shape[0]))


def write_predictions(run_dir: Path, predictions: Predictions, *, home: Path | None = None) -> None:
    """Write the predictions beside and move them to `run_dir`/predictions, replacing what is there.

    home : where the run folder will be moved to; paths to shared files are kept relative to that
    """
    _check_aligned(predictions, run_dir)
    beside = run_dir / f".{FOLDER}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    _items_table(predictions).to_parquet(beside / "items.parquet", index=False)
    about = {
        "format_version": FORMAT_VERSION,
        "classes": list(predictions.classes),
        "label_kind": predictions.label_kind,
        "arrays": _write_arrays(beside, predictions),
    }
    if predictions.shared_embeddings is not None:
        np.save(beside / SHARED_ROWS_FILE, predictions.shared_embeddings.rows.astype(np.int32))
        about["shared_embeddings"] = os.path.relpath(predictions.shared_embeddings.path, home or run_dir)
    (beside / "predictions.json").write_text(
        json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8"
    )
    target = run_dir / FOLDER
    if target.exists():
        shutil.rmtree(target)
    beside.replace(target)


def _write_arrays(folder: Path, predictions: Predictions) -> list[str]:
    """Returns the names of the arrays that there are."""
    np.save(folder / f"{PROBS}.npy", np.asarray(predictions.pred_probs, dtype=np.float32))
    names = [PROBS]
    own = predictions.shared_embeddings is None
    by_fold = {
        FOLD_PROBS: predictions.fold_probs,
        FOLD_EMBEDDINGS: predictions.fold_embeddings if own else None,
    }
    for name, values in by_fold.items():
        if values is not None:
            write_fold_array(folder / f"{name}.npy", values)
            names.append(name)
    if predictions.embeddings is not None and predictions.fold_embeddings is None:
        np.save(folder / f"{EMBEDDINGS}.npy", np.asarray(predictions.embeddings, dtype=np.float16))
        names.append(EMBEDDINGS)
    return names


def read_predictions(run_dir: Path) -> Predictions:
    """The predictions of a run; the arrays are memory-mapped.

    raises : RunError if they are missing, unreadable, or their parts do not fit each other
    """
    folder, about = run_dir / FOLDER, _read_about(run_dir)
    with _told_unreadable(folder):
        table = pd.read_parquet(folder / "items.parquet", columns=list(PREDICTION_COLUMNS))
        names = about.get("arrays", [PROBS, EMBEDDINGS])
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
        shared = _read_shared(run_dir, about)
    folds, kinds = table["fold"].to_numpy(dtype=np.int64), _strings(table["kind"])
    fold_embeddings = arrays.get(FOLD_EMBEDDINGS) if shared is None else shared.read()
    embeddings = arrays.get(EMBEDDINGS)
    if fold_embeddings is not None:
        embeddings = pick_embeddings(fold_embeddings, kinds, folds)
    predictions = Predictions(
        item_ids=_strings(table["item_id"]),
        splits=_strings(table["split"]),
        folds=folds,
        kinds=kinds,
        given_labels=_strings(table["given_label"]),
        pred_probs=arrays[PROBS],
        embeddings=embeddings,
        classes=tuple(about["classes"]),
        fold_probs=arrays.get(FOLD_PROBS),
        fold_embeddings=fold_embeddings,
        shared_embeddings=shared,
        label_kind=about.get("label_kind", ONE_LABEL),
    )
    _check_aligned(predictions, run_dir)
    return predictions


def read_embedded(run_dir: Path) -> EmbeddedItems:
    """The embeddings of a run, memory-mapped, and nothing of the rest that grows with what an item is called.

    raises : RunError if they are unreadable
    """
    folder, about = run_dir / FOLDER, _read_about(run_dir)
    names = about.get("arrays", [PROBS, EMBEDDINGS])
    with _told_unreadable(folder):
        columns = pq.read_table(folder / "items.parquet", columns=["split", "fold", "kind"])
        split, kind = (columns[name].dictionary_encode() for name in ("split", "kind"))
        out_of_fold, is_train = (
            pc.equal(column, wanted).fill_null(False).to_numpy()
            for column, wanted in ((kind, OUT_OF_FOLD), (split, "train"))
        )
        shared = _read_shared(run_dir, about)
        kept = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r")
            for name in (EMBEDDINGS, FOLD_EMBEDDINGS)
            if name in names
        }
    by_fold = kept.get(FOLD_EMBEDDINGS) if shared is None else shared.read()
    models = _models_of(
        out_of_fold, columns["fold"].to_numpy(), None if by_fold is None else by_fold.shape[0]
    )
    embeddings = kept.get(EMBEDDINGS) if by_fold is None else PickedRows(by_fold, models)
    return EmbeddedItems(embeddings, models, is_train)


def _read_about(run_dir: Path) -> dict[str, Any]:
    """What the predictions say of themselves."""
    path = run_dir / FOLDER / "predictions.json"
    if not path.is_file():
        raise RunError(f"{run_dir.name} has no predictions ({path} is missing). Train again.")
    with _told_unreadable(path.parent):
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    refuse_newer(path, about["format_version"], FORMAT_VERSION)
    return about


@contextmanager
def _told_unreadable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise RunError(f"The predictions in {folder} cannot be read: {error}. Train again.") from error


def _read_shared(run_dir: Path, about: Mapping[str, Any]) -> SharedEmbeddings | None:
    """None if the run shares none, or their file is gone."""
    if "shared_embeddings" not in about:
        return None
    path = (run_dir / about["shared_embeddings"]).resolve()
    if not path.is_file():
        return None
    return SharedEmbeddings(path, np.load(run_dir / FOLDER / SHARED_ROWS_FILE).astype(np.int64))


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
    lengths = [len(array) for array in (*arrays, predictions.pred_probs)]
    lengths += [] if predictions.embeddings is None else [len(predictions.embeddings)]
    by_fold = (predictions.fold_probs, predictions.fold_embeddings)
    lengths += [values.shape[1] for values in by_fold if values is not None]
    if any(length != n_items for length in lengths):
        raise RunError(
            f"The predictions of {run_dir.name} are for {n_items} items, but its arrays have {lengths} rows."
        )
    if predictions.pred_probs.shape != (n_items, len(predictions.classes)):
        raise RunError(
            f"The predictions of {run_dir.name} have shape {predictions.pred_probs.shape}, expected {n_items} items "
            f"and {len(predictions.classes)} classes."
        )
