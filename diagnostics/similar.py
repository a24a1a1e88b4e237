"""The items whose embeddings are most alike, without reading more than a chunk of them at a time."""

import numpy as np

from diagnostics.fold_arrays import PickedRows
from diagnostics.predictions import FIRST_MODEL, EmbeddedItems, Predictions
from diagnostics.task import BoolArray, FloatArray, IntArray

CHUNK_CELLS = 4_000_000
N_NEAREST, MAX_KNOWN = 3, 500


def similar_training_items(
    predictions: Predictions | EmbeddedItems, row: int, *, n: int
) -> tuple[IntArray, FloatArray]:
    """The training items whose embeddings are most like that of one item, the item itself left out.

    row : the item's position in `predictions`
    returns : up to n positions, the most similar first, and their cosine similarities, in [-1, 1]; none if the run has
        no embeddings
    """
    if predictions.embeddings is None:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    models = predictions.embedding_models
    comparable = (models == models[row]) & predictions.is_train
    comparable[row] = False
    return most_similar(predictions.embeddings, row, comparable, n=n)


def most_similar(
    embeddings: FloatArray | PickedRows,
    row: int,
    candidates: BoolArray,
    *,
    n: int,
    chunk_rows: int | None = None,
) -> tuple[IntArray, FloatArray]:
    """The candidates with the largest cosine to one row; equal ones in the order of the rows.

    embeddings : (n_items, n_features), of any float type; may be memory-mapped
    candidates : (n_items,); an embedding that is all zeros, or not finite, has no direction and is left out
    returns : up to n positions, the most similar first, and their cosine similarities, in [-1, 1]

    >>> embeddings = np.array([[1, 0], [0, 1], [2, 0], [1, 1]], dtype=np.float16)
    >>> rows, cosines = most_similar(embeddings, 0, np.array([False, True, True, True]), n=2)
    >>> rows, cosines.round(4)
    (array([2, 3]), array([1.    , 0.7071], dtype=float32))
    """
    wanted = np.asarray(embeddings[row], dtype=np.float32)
    length = float(np.linalg.norm(wanted))
    rows, best = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    if length == 0 or not np.isfinite(length):
        return rows, best
    step = chunk_rows or max(1, CHUNK_CELLS // embeddings.shape[1])
    for start in range(0, len(embeddings), step):
        here = np.flatnonzero(candidates[start : start + step])
        cosines = _cosines(embeddings[start : start + step], here, wanted / length)
        usable = np.isfinite(cosines)
        rows = np.concatenate([rows, here[usable] + start])
        best = np.concatenate([best, cosines[usable]])
        order = np.argsort(-best, kind="stable")[:n]
        rows, best = rows[order], best[order]
    return rows, np.clip(best, -1, 1)


def likeness(predictions: Predictions, known: BoolArray, wanted: BoolArray, *, seed: int = 0) -> FloatArray:
    """How like each wanted item is to some known ones: the mean of its N_NEAREST largest cosines with them, in [-1, 1].

    known, wanted : (n_items,)
    seed : of the draw of MAX_KNOWN items where there are more known ones
    returns : (n_items,) float32; NaN for what is not wanted or has no direction, and everywhere without embeddings or
        known items

    All are compared in the space of the first model. Runs that kept only one embedding an item have known items in
    that space only where that model held them out.
    """
    values = np.full(len(predictions), np.nan, dtype=np.float32)
    space, comparable = _first_space(predictions)
    usable = np.flatnonzero(known & comparable)
    if space is None or not len(usable):
        return values
    if len(usable) > MAX_KNOWN:
        usable = np.sort(np.random.default_rng(seed).choice(usable, MAX_KNOWN, replace=False))
    directions = _directions(space[usable])
    directions = directions[np.isfinite(directions).all(axis=1)]
    rows = np.flatnonzero(wanted & comparable)
    n_nearest = min(N_NEAREST, len(directions))
    if not n_nearest:
        return values
    step = max(1, CHUNK_CELLS // max(len(directions), directions.shape[1]))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        cosines = _directions(space[part]) @ directions.T
        values[part] = np.partition(cosines, -n_nearest, axis=1)[:, -n_nearest:].mean(axis=1)
    clipped: FloatArray = np.clip(values, -1, 1)
    return clipped


def _first_space(predictions: Predictions) -> tuple[FloatArray | PickedRows | None, BoolArray]:
    """The embeddings of the first model, and which items have one."""
    if predictions.fold_embeddings is not None:
        return predictions.fold_embeddings[FIRST_MODEL], np.ones(len(predictions), dtype=np.bool_)
    return predictions.embeddings, predictions.embedding_models == FIRST_MODEL


def _directions(values: FloatArray) -> FloatArray:
    """Rows of length 1; NaN where there is no direction."""
    rows = np.asarray(values, dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        directions: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return directions


def _cosines(chunk: FloatArray, places: IntArray, direction: FloatArray) -> FloatArray:
    """The cosine of each of these rows of a chunk with a unit vector; NaN where a row has no direction."""
    values = np.asarray(chunk[places], dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines: FloatArray = (values @ direction) / np.linalg.norm(values, axis=1)
    return cosines
