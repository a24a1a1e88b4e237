"""How suspect each label is, from one chunked pass over the predicted probabilities.

Directions, so that nobody has to remember them: `loss` and `entropy` are high where something is suspect;
`confusion`, `margin` and `label_quality` are low there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from diagnostics.chunks import chunks_of, for_each_chunk, native_rows, native_type
from diagnostics.errors import DataError
from diagnostics.predictions import Predictions
from diagnostics.task import NO_LABEL, FloatArray, IntArray, label_codes

SMALLEST_PROBABILITY = np.finfo(np.float32).tiny
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

    Floats are float64 where the probabilities were, else float32, with about 6 digits. What follows from the arrays
    kept is computed when it is asked for, so that ten million items fit into memory.

    codes : positions of the given labels, -1 where there is none
    class_means : (n_classes,), the mean of p_given over the items given each class; NaN for a class nobody has
    thresholds : (n_classes,), those of `label_quality`
    predicted, second : positions of the two largest probabilities, the first of equals (second = predicted where there
        is one class)
    p_given, p_predicted, p_second : those probabilities, in [0, 1]
    p_kth : the k-th largest probability, in [0, 1]
    entropy : of the prediction, in nats, in [0, ln n_classes]; high = the model cannot decide
    """

    codes: IntArray
    class_means: FloatArray
    thresholds: FloatArray
    predicted: IntArray
    second: IntArray
    p_given: FloatArray
    p_predicted: FloatArray
    p_second: FloatArray
    p_kth: FloatArray
    entropy: FloatArray

    @property
    def loss(self) -> FloatArray:
        """Cross-entropy against the given label in nats, in [0, 87.4]; high = suspect."""
        loss: FloatArray = np.clip(self.p_given, SMALLEST_PROBABILITY, 1)
        np.log(loss, out=loss)
        return np.negative(loss, out=loss)

    @property
    def confusion(self) -> FloatArray:
        """The largest minus the k-th largest probability, in [0, 1]; low = the model cannot decide."""
        return self.p_predicted - self.p_kth

    @property
    def margin(self) -> FloatArray:
        """Given class minus the best other class, in [-1, 1]; low = surely another class."""
        return self.p_given - self.p_best_other

    @property
    def p_best_other(self) -> FloatArray:
        """The largest probability of any class but the given one, in [0, 1]; 0 where there is one class."""
        if len(self.thresholds) == 1:
            return np.zeros_like(self.p_given)
        from diagnostics.kernels import best_other

        best = np.empty_like(self.p_given)
        best_other(self.p_given, self.p_predicted, self.p_second, best)
        return best

    @property
    def label_quality(self) -> FloatArray:
        """The given label's probability, adjusted for the model's confidence in each class, in [0, 1]; low = suspect.

        Northcutt, Jiang and Chuang, Confident Learning, JAIR 2021, section 3; adjusted as in Kuan and Mueller,
        Model-agnostic label quality scoring, 2022.
        """
        highest = np.nanmax(self.thresholds, initial=0.0)
        known = np.where(np.isnan(self.thresholds), highest, self.thresholds)
        shifts = np.append(highest - known, np.nan).astype(self.p_given.dtype)
        adjusted: FloatArray = shifts[self.codes]
        adjusted += self.p_given
        adjusted /= 1.0 - known.sum() + len(known) * highest
        return np.clip(adjusted, 0.0, 1.0, out=adjusted)


def score_items(
    codes: IntArray,
    pred_probs: FloatArray,
    *,
    k: int = 2,
    thresholds: FloatArray | None = None,
    chunk_rows: int | None = None,
    device: str = "cpu",
) -> ItemScores:
    """Score every item against its given label in one pass; only a few chunks of `pred_probs` are in memory at a time.

    codes : (n_items,), positions of the given labels, -1 where there is none
    pred_probs : (n_items, n_classes), rows sum to 1; of any float type and layout; may be memory-mapped, or what
        `diagnostics.torch_scores.as_array` gives for a tensor
    k : `confusion` is the largest minus the k-th largest probability; at least 2
    thresholds : (n_classes,), see `confident_thresholds`; those of these items if not given
    device : "cpu", or one on which torch computes, such as "cuda"; the scores are the same, see `torch_scores`
    raises : DataError for shapes that do not fit, values outside [0, 1], NaN, rows that do not sum to 1;
        ConfigError for a device that is not there
    """
    n_items, n_classes = _check_shapes(codes, pred_probs, k)
    if thresholds is not None and thresholds.shape != (n_classes,):
        raise DataError(
            f"Expected a threshold for each of {n_classes} classes; found shape {thresholds.shape}."
        )
    dtype = native_type(pred_probs)
    p_second = np.empty(n_items, dtype=dtype)
    scores = ItemScores(
        codes=np.ascontiguousarray(codes, dtype=np.int64),
        class_means=np.empty(0),
        thresholds=np.empty(0),
        predicted=np.empty(n_items, dtype=_position_type(n_classes)),
        second=np.empty(n_items, dtype=_position_type(n_classes)),
        p_given=np.empty(n_items, dtype=dtype),
        p_predicted=np.empty(n_items, dtype=dtype),
        p_second=p_second,
        p_kth=p_second if k == 2 else np.empty(n_items, dtype=dtype),
        entropy=np.empty(n_items, dtype=dtype),
    )

    def score(rows: slice) -> None:
        probs = native_rows(pred_probs, rows)
        _score_chunk(probs, rows, scores)
        if k > 2:
            scores.p_kth[rows] = _kth_largest(probs, min(k, n_classes))

    if device == "cpu":
        for_each_chunk(score, n_items, n_classes, chunk_rows)
    else:
        from diagnostics.torch_scores import named_device, score_on

        score_on(named_device(device), pred_probs, scores, k=k, chunk_rows=chunk_rows)
    means = mean_per_class(scores.codes, scores.p_given, n_classes)
    return replace(scores, class_means=means, thresholds=means if thresholds is None else thresholds)


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
    p_given = np.empty(n_items, dtype=native_type(pred_probs))
    for rows in chunks_of(n_items, n_classes, chunk_rows):
        p_given[rows] = pred_probs[rows][np.arange(rows.stop - rows.start), np.maximum(codes[rows], 0)]
    return mean_per_class(codes, p_given, n_classes)


def mean_per_class(codes: IntArray, values: FloatArray, n_classes: int) -> FloatArray:
    """The mean of the values of each class, as NumPy adds them up in their own type; NaN for a class nobody has.

    codes, values : (n_items,); items with code -1 are left out
    returns : (n_classes,) float64
    """
    from diagnostics.kernels import group_by_code

    counts = class_counts(codes, n_classes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    grouped = np.empty(starts[-1], dtype=values.dtype)
    group_by_code(codes, values, starts, grouped)
    sums = np.array([np.add.reduce(grouped[start:stop]) for start, stop in pairwise(starts.tolist())])
    means: FloatArray = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(values.dtype)
    return means.astype(np.float64)


def class_counts(codes: IntArray, n_classes: int) -> IntArray:
    """How many items have each code, (n_classes,); those with -1 are left out.

    >>> class_counts(np.array([1, -1, 1]), 3)
    array([0, 2, 0])
    """
    from diagnostics.kernels import count_codes

    counts = np.zeros(n_classes + 1, dtype=np.int64)
    count_codes(codes, counts)
    return counts[:-1]


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
    for rows in chunks_of(n_items, n_classes):
        probs = np.asarray(pred_probs[rows], dtype=np.float64)
        spread[rows] = probs.max(axis=1) - _kth_largest(probs, min(k, n_classes))
    return spread


def scores_table(predictions: Predictions) -> pd.DataFrame:
    """The scores of every predicted item, ready to be ranked: item_id, split, kind, given_label, then SCORE_COLUMNS.

    Thresholds come from the training items, so that the adjusted scores of all splits are comparable.
    """
    codes = label_codes(predictions.given_labels, predictions.classes)
    train_codes = np.where(predictions.splits == "train", codes, NO_LABEL)
    scores = score_items(codes, predictions.pred_probs)
    thresholds = mean_per_class(train_codes, scores.p_given, len(predictions.classes))
    scores = replace(scores, thresholds=thresholds)
    about = {
        "item_id": predictions.item_ids,
        "split": predictions.splits,
        "kind": predictions.kinds,
        "given_label": predictions.given_labels,
    }
    return pd.DataFrame(about).join(score_columns(scores, predictions.classes))


def score_columns(scores: ItemScores, classes: Sequence[str]) -> pd.DataFrame:
    """The scores under the names of SCORE_COLUMNS, one row an item, numbers in float64."""
    names = np.asarray(classes, dtype=object)
    columns = {"predicted_label": names[scores.predicted], "second_label": names[scores.second]}
    numbers = [name for name in SCORE_COLUMNS if name not in columns]
    columns |= {name: getattr(scores, name).astype(np.float64) for name in numbers}
    return pd.DataFrame(columns)[list(SCORE_COLUMNS)]


def _check_shapes(codes: IntArray, pred_probs: FloatArray, k: int) -> tuple[int, int]:
    if pred_probs.ndim != 2 or codes.shape != pred_probs.shape[:1] or pred_probs.shape[1] == 0:
        raise DataError(
            f"Expected probabilities of shape (n_items, n_classes) and one label per item; found probabilities "
            f"{pred_probs.shape} and labels {codes.shape}."
        )
    if k < 2:
        raise DataError(f"Confusion compares the k largest probabilities; k must be at least 2, found {k}.")
    n_items, n_classes = pred_probs.shape
    if codes.dtype.kind not in "iu":
        raise DataError(f"Label codes must be whole numbers; found an array of type {codes.dtype}.")
    if n_items and (codes.min() < NO_LABEL or codes.max() >= n_classes):
        raise DataError(f"Label codes must lie in [-1, {n_classes}); found {codes.min()} to {codes.max()}.")
    return n_items, n_classes


def _position_type(n_classes: int) -> type[np.signedinteger]:
    return np.int16 if n_classes <= np.iinfo(np.int16).max else np.int32


def _score_chunk(probs: FloatArray, rows: slice, scores: ItemScores) -> None:
    from diagnostics.kernels import NO_ROW, score_rows

    bad_row = score_rows(
        probs,
        probs.view(np.int32 if probs.dtype == np.float32 else np.int64),
        scores.codes[rows],
        ROW_SUM_TOLERANCE,
        scores.predicted[rows],
        scores.second[rows],
        scores.p_given[rows],
        scores.p_predicted[rows],
        scores.p_second[rows],
        scores.entropy[rows],
    )
    if bad_row != NO_ROW and _has_minus_zero(probs[bad_row]):
        _score_chunk(probs + 0.0, rows, scores)
    elif bad_row != NO_ROW:
        raise DataError(no_distribution(probs[bad_row], rows.start + bad_row))


def _has_minus_zero(probs: FloatArray) -> bool:
    return bool(np.any(np.signbit(probs) & (probs == 0)))


def no_distribution(probs: FloatArray, row: int) -> str:
    values = probs.astype(np.float64)
    found = f"Row {row} of the probabilities is not a distribution over the {len(values)} classes: "
    if np.isnan(values).any():
        return f"{found}class {np.flatnonzero(np.isnan(values))[0]} has no number (NaN). Predict this item again."
    found += f"sum {values.sum():.4g}, values from {values.min():.4g} to {values.max():.4g}. "
    if values.min() < 0 or values.max() > 1 + ROW_SUM_TOLERANCE:
        return f"{found}Expected values of at least 0 that sum to 1. If these are logits, give their softmax."
    return f"{found}Expected a sum of 1. If an item can have several classes, each needs a table of its own."


def _kth_largest(probs: FloatArray, k: int) -> FloatArray:
    kth: FloatArray = np.partition(probs, -k, axis=1)[:, -k]
    return kth
