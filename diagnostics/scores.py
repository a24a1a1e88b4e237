"""How suspect each label is, from one chunked pass over the predicted probabilities.

Directions, so that nobody has to remember them: `loss` and `entropy` are high where something is suspect;
`confusion`, `margin` and `label_quality` are low there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.predictions import Predictions
from diagnostics.task import NO_LABEL, FloatArray, IntArray, label_codes

CHUNK_CELLS = 4_000_000
SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)
ROW_SUM_TOLERANCE = 1e-2

SCORE_COLUMNS = (
    "predicted_label",
    "p_given",
    "p_predicted",
    "second_label",
    "p_second",
    "loss",
    "confusion",
    "margin",
    "entropy",
    "label_quality",
)


@dataclass(frozen=True, slots=True)
class ItemScores:
    """All scores of n items, each array (n_items,); NaN where a score needs a label and there is none.

    predicted, second : positions of the two largest probabilities (second = predicted where there is one class)
    p_given, p_predicted, p_second : those probabilities, in [0, 1]
    loss : cross-entropy against the given label in nats, in [0, 87.4]; high = suspect
    confusion : the largest minus the k-th largest probability, in [0, 1]; low = the model cannot decide
    margin : given class minus the best other class, in [-1, 1]; low = surely another class
    entropy : of the prediction, in nats, in [0, ln n_classes]; high = the model cannot decide
    label_quality : the given label's probability, adjusted for how confident the model is in each class, in [0, 1];
        low = suspect (Northcutt, Jiang and Chuang, Confident Learning, JAIR 2021, section 3; adjusted as in Kuan and
        Mueller, Model-agnostic label quality scoring, 2022)
    """

    predicted: IntArray
    second: IntArray
    p_given: FloatArray
    p_predicted: FloatArray
    p_second: FloatArray
    loss: FloatArray
    confusion: FloatArray
    margin: FloatArray
    entropy: FloatArray
    label_quality: FloatArray


def score_items(
    codes: IntArray,
    pred_probs: FloatArray,
    *,
    k: int = 2,
    thresholds: FloatArray | None = None,
    chunk_rows: int | None = None,
) -> ItemScores:
    """Score every item against its given label; only one chunk of `pred_probs` is in memory at a time.

    codes : (n_items,), positions of the given labels, -1 where there is none
    pred_probs : (n_items, n_classes), rows sum to 1; may be memory-mapped
    k : `confusion` is the largest minus the k-th largest probability; at least 2
    thresholds : (n_classes,), see `confident_thresholds`, which supplies them from these items if not given
    raises : DataError for shapes that do not fit, values outside [0, 1], NaN, rows that do not sum to 1
    """
    n_items, n_classes = _check_shapes(codes, pred_probs, k)
    if thresholds is None:
        thresholds = confident_thresholds(codes, pred_probs, chunk_rows=chunk_rows)
    floats = {name: np.full(n_items, np.nan, dtype=np.float64) for name in ItemScores.__slots__[2:]}
    predicted = np.zeros(n_items, dtype=np.int64)
    second = np.zeros(n_items, dtype=np.int64)
    for rows in _chunks(n_items, n_classes, chunk_rows):
        probs = _checked_chunk(pred_probs, rows)
        chunk = _score_chunk(codes[rows], probs, min(k, n_classes), thresholds)
        predicted[rows], second[rows] = chunk.predicted, chunk.second
        for name, values in floats.items():
            values[rows] = getattr(chunk, name)
    return ItemScores(predicted=predicted, second=second, **floats)


def confident_thresholds(
    codes: IntArray, pred_probs: FloatArray, *, chunk_rows: int | None = None
) -> FloatArray:
    """The mean probability of each class over the items labelled with it (Northcutt et al. 2021, equation 2).

    codes : (n_items,), -1 where there is no label
    pred_probs : (n_items, n_classes)
    returns : (n_classes,), in [0, 1]; NaN for a class nobody has

    >>> confident_thresholds(np.array([0, 0, 1]), np.array([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]))
    array([0.75, 0.75])
    """
    n_items, n_classes = _check_shapes(codes, pred_probs, 2)
    sums, counts = np.zeros(n_classes), np.zeros(n_classes)
    for rows in _chunks(n_items, n_classes, chunk_rows):
        labelled = np.flatnonzero(codes[rows] != NO_LABEL)
        given = codes[rows][labelled]
        values = np.asarray(pred_probs[rows], dtype=np.float64)[labelled, given]
        sums += np.bincount(given, weights=values, minlength=n_classes)
        counts += np.bincount(given, minlength=n_classes)
    means: FloatArray = np.divide(sums, counts, out=np.full(n_classes, np.nan), where=counts > 0)
    return means


def largest_first(pred_probs: FloatArray, *, n: int) -> IntArray:
    """The positions of each row's n largest probabilities, the largest first; equal ones in the order of the classes.

    pred_probs : (n_items, n_classes)
    returns : (n_items, min(n, n_classes))

    >>> largest_first(np.array([[0.2, 0.5, 0.3]]), n=2)
    array([[1, 2]])
    """
    order: IntArray = np.argsort(-np.asarray(pred_probs, dtype=np.float32), axis=1, kind="stable")[:, :n]
    return order


def confusion_of(pred_probs: FloatArray, *, k: int) -> FloatArray:
    """The largest minus the k-th largest probability of each row, in [0, 1]; low = the model cannot decide.

    >>> confusion_of(np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]), k=3)
    array([0.25, 1.  ])
    """
    n_items, n_classes = pred_probs.shape
    if k < 2:
        raise DataError(f"Confusion compares the k largest probabilities; k must be at least 2, found {k}.")
    spread = np.empty(n_items)
    for rows in _chunks(n_items, n_classes, None):
        spread[rows] = _top_spread(np.asarray(pred_probs[rows], dtype=np.float64), min(k, n_classes))
    return spread


def scores_table(predictions: Predictions) -> pd.DataFrame:
    """The scores of every predicted item, ready to be ranked: item_id, split, kind, given_label, then SCORE_COLUMNS.

    Thresholds come from the training items, so that the adjusted scores of all splits are comparable.
    """
    codes = label_codes(predictions.given_labels, predictions.classes)
    train = predictions.splits == "train"
    thresholds = confident_thresholds(np.where(train, codes, NO_LABEL), predictions.pred_probs)
    scores = score_items(codes, predictions.pred_probs, thresholds=thresholds)
    classes = np.asarray(predictions.classes, dtype=object)
    columns: dict[str, object] = {
        "item_id": predictions.item_ids,
        "split": predictions.splits,
        "kind": predictions.kinds,
        "given_label": predictions.given_labels,
    }
    columns |= {name: getattr(scores, name) for name in SCORE_COLUMNS if not name.endswith("_label")}
    columns |= {"predicted_label": classes[scores.predicted], "second_label": classes[scores.second]}
    return pd.DataFrame(columns)[["item_id", "split", "kind", "given_label", *SCORE_COLUMNS]]


def _check_shapes(codes: IntArray, pred_probs: FloatArray, k: int) -> tuple[int, int]:
    if pred_probs.ndim != 2 or codes.shape != pred_probs.shape[:1] or pred_probs.shape[1] == 0:
        raise DataError(
            f"Expected probabilities of shape (n_items, n_classes) and one label per item; found probabilities "
            f"{pred_probs.shape} and labels {codes.shape}."
        )
    if k < 2:
        raise DataError(f"Confusion compares the k largest probabilities; k must be at least 2, found {k}.")
    n_items, n_classes = pred_probs.shape
    if n_items and (codes.min() < NO_LABEL or codes.max() >= n_classes):
        raise DataError(f"Label codes must lie in [-1, {n_classes}); found {codes.min()} to {codes.max()}.")
    return n_items, n_classes


def _chunks(n_items: int, n_classes: int, chunk_rows: int | None) -> Iterator[slice]:
    step = chunk_rows or max(1, CHUNK_CELLS // n_classes)
    for start in range(0, n_items, step):
        yield slice(start, min(start + step, n_items))


def _checked_chunk(pred_probs: FloatArray, rows: slice) -> FloatArray:
    probs = np.asarray(pred_probs[rows], dtype=np.float64)
    row_sums = probs.sum(axis=1)
    bad = ~(np.abs(row_sums - 1) <= ROW_SUM_TOLERANCE) | (probs.min(axis=1) < 0)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"Row {rows.start + first} of the probabilities is not a distribution: sum {row_sums[first]:.4g}, "
            f"smallest value {probs[first].min():.4g}. Expected values of at least 0 that sum to 1, not logits."
        )
    return probs


def _score_chunk(codes: IntArray, probs: FloatArray, k: int, thresholds: FloatArray) -> ItemScores:
    rows = np.arange(len(probs))
    labelled = codes != NO_LABEL
    given = np.where(labelled, codes, 0)
    predicted = probs.argmax(axis=1)
    second = _best_other(probs, predicted)
    p_given = np.where(labelled, probs[rows, given], np.nan)
    best_other = np.where(predicted == given, second, predicted)
    margin = p_given - np.where(best_other == given, 0.0, probs[rows, best_other])
    safe = np.maximum(probs, SMALLEST_PROBABILITY)
    return ItemScores(
        predicted=predicted,
        second=second,
        p_given=p_given,
        p_predicted=probs[rows, predicted],
        p_second=probs[rows, second],
        loss=-np.log(np.clip(p_given, SMALLEST_PROBABILITY, 1.0)),
        confusion=_top_spread(probs, k),
        margin=margin,
        entropy=-(probs * np.log(safe)).sum(axis=1).clip(max=0.0),
        label_quality=_adjusted(p_given, given, thresholds),
    )


def _best_other(probs: FloatArray, predicted: IntArray) -> IntArray:
    """The position of the second largest probability; the first of equals, as for `predicted`."""
    others = probs.copy()
    others[np.arange(len(probs)), predicted] = -1.0
    second: IntArray = others.argmax(axis=1)
    return second


def _top_spread(probs: FloatArray, k: int) -> FloatArray:
    kth = np.partition(probs, -k, axis=1)[:, -k]
    spread: FloatArray = probs.max(axis=1) - kth
    return spread


def _adjusted(p_given: FloatArray, given: IntArray, thresholds: FloatArray) -> FloatArray:
    """Given probability above its class's threshold, shifted and scaled so that a row of adjusted ones sums to 1."""
    known = np.where(np.isnan(thresholds), np.nanmax(thresholds, initial=0.0), thresholds)
    top = known.max()
    scale = 1.0 - known.sum() + len(known) * top
    adjusted: FloatArray = np.clip((p_given - known[given] + top) / scale, 0.0, 1.0)
    return adjusted
