"""Accuracy, precision, recall, F1 and macro F1 of a prediction, and how far each item moves each of them.

All of them are a sum over the items divided by another one (F1 = 2 TP / (labelled + predicted)), or a mean of such
ratios. The influence of an item is the first-order change of the number when the item gets more weight; the sum of
squares of the influences is the variance of the number over samples of items. It is the bootstrap over items with
infinitely many resamples, to first order (L. A. Jaeckel, The infinitesimal jackknife, 1972; B. Efron, The Jackknife,
the Bootstrap and Other Resampling Plans, 1982, chapter 6): the same from call to call, and exact where numbers of two
models are subtracted on the same items.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from diagnostics.task import BoolArray, FloatArray, IntArray

WHOLE_METRICS = ("accuracy", "macro_f1")
CLASS_METRICS = ("precision", "recall", "f1")
ACCURACY, MACRO_F1 = 0, 1
N_RATIOS_OF_ITEM, F1_OF_LABEL, F1_OF_PREDICTED = 6, 4, 5


class AnyRatios(Protocol):
    """One prediction of the items, see `Ratios`."""

    def totals(self) -> FloatArray: ...

    def values(self) -> FloatArray: ...

    def influences(self) -> sparse.csr_array: ...

    def around(self, values: FloatArray, denominators: FloatArray) -> sparse.csr_array: ...


@dataclass(frozen=True)
class Metrics:
    """Which columns stand for which number: accuracy, macro F1, then precision, recall and F1 of every class.

    present : (n_classes,), the classes that have a labelled item, or some of them; macro F1 is the mean over them, so
        that it is of the same classes whatever is predicted
    """

    present: BoolArray

    @property
    def n_classes(self) -> int:
        return len(self.present)

    @property
    def n_columns(self) -> int:
        return len(WHOLE_METRICS) + len(CLASS_METRICS) * self.n_classes

    @property
    def n_present(self) -> int:
        return int(self.present.sum())

    def columns(self, metric: str) -> slice:
        """The columns of one of CLASS_METRICS."""
        start = len(WHOLE_METRICS) + CLASS_METRICS.index(metric) * self.n_classes
        return slice(start, start + self.n_classes)

    def with_macro(self, values: FloatArray) -> FloatArray:
        """(n_columns,) the same numbers with the mean F1 of the present classes in its place."""
        f1 = values[self.columns("f1")][self.present]
        filled = values.copy()
        filled[MACRO_F1] = f1.mean() if len(f1) else np.nan
        return filled

    def one_item(self, denominators: FloatArray) -> FloatArray:
        """(n_columns,), about how far one item moves each number; denominators : (n_columns,) of the ratios."""
        steps = np.divide(1.0, denominators, out=np.zeros(self.n_columns), where=denominators > 0)
        steps[self.columns("f1")] *= 2
        filled = self.with_macro(steps)
        filled[MACRO_F1] /= max(1, self.n_present)
        return filled

    def ratios(self, codes: IntArray, predicted: IntArray) -> "Ratios":
        """See `ratios_of`."""
        return ratios_of(codes, predicted, self)


@dataclass(frozen=True)
class Ratios:
    """One prediction of the items. An item counts 1 in the denominator of six ratios: accuracy, (macro F1,) precision
    of the predicted class, recall of the label, F1 of the label and F1 of the predicted class; and in the numerators of
    the same if the prediction is right.

    columns : (n_items, 6), which column each of them is; right : (n_items,) 1 or 0
    """

    metrics: Metrics
    columns: IntArray
    right: FloatArray

    def totals(self) -> FloatArray:
        """(2, n_columns), numerator and denominator of every ratio."""
        columns = self.columns.ravel()
        weights = np.repeat(self.right, N_RATIOS_OF_ITEM)
        counts = [np.bincount(columns, each, minlength=self.metrics.n_columns) for each in (weights, None)]
        return np.array(counts, dtype=float)

    def values(self) -> FloatArray:
        """(n_columns,), NaN where a number is not defined: precision of a class that nobody predicts."""
        return self.metrics.with_macro(divide(*self.totals()))

    def influences(self) -> sparse.csr_array:
        """(n_items, n_columns); each column sums to 0."""
        return self.around(self.values(), self.totals()[1])

    def around(self, values: FloatArray, denominators: FloatArray) -> sparse.csr_array:
        """(n_items, n_columns), (numerator - value × denominator) / `denominators` of each item; 0 where a value is not
        defined."""
        known = np.where(np.isfinite(values), values, 0.0)
        scale = np.divide(1.0, denominators, out=np.zeros(len(known)), where=denominators > 0)
        scale *= np.isfinite(values)
        parts = (self.right[:, None] - known[self.columns]) * scale[self.columns]
        parts[:, F1_OF_LABEL] += parts[:, F1_OF_PREDICTED] * self.right
        parts[:, F1_OF_PREDICTED] *= 1 - self.right
        both = [F1_OF_LABEL, F1_OF_PREDICTED]
        counts = self.metrics.present[self.columns[:, both] - self.metrics.columns("f1").start]
        parts[:, MACRO_F1] = (parts[:, both] * counts).sum(axis=1) / max(1, self.metrics.n_present)
        n_items = len(parts)
        starts = np.arange(0, N_RATIOS_OF_ITEM * n_items + 1, N_RATIOS_OF_ITEM)
        return sparse.csr_array(
            (parts.ravel(), self.columns.ravel(), starts), shape=(n_items, self.metrics.n_columns)
        )


def ratios_of(codes: IntArray, predicted: IntArray, metrics: Metrics) -> Ratios:
    """What every item adds to every ratio; codes, predicted : (n_items,) positions of classes, all of them known."""
    precision, recall, f1 = (metrics.columns(metric).start for metric in CLASS_METRICS)
    whole = np.zeros_like(codes)
    columns = [
        whole + ACCURACY,
        whole + MACRO_F1,
        precision + predicted,
        recall + codes,
        f1 + codes,
        f1 + predicted,
    ]
    return Ratios(metrics, np.stack(columns, axis=1), (codes == predicted).astype(float))


def squares(influences: sparse.csr_array) -> FloatArray:
    """(n_columns,), the sum of squares of each column; no entry of a row may be split in two."""
    sums = np.bincount(influences.indices, influences.data**2, minlength=influences.shape[1])
    return sums.astype(float)


def mean_of_parts(parts: list[sparse.csr_array]) -> sparse.csr_array:
    """The mean of matrices of one shape."""
    return sparse.csr_array(sum(parts[1:], start=parts[0]) / len(parts))


def divide(numerators: FloatArray, denominators: FloatArray) -> FloatArray:
    """Element by element, NaN where the denominator is 0."""
    out: FloatArray = np.full(np.shape(numerators), np.nan)
    np.divide(numerators, denominators, out=out, where=denominators > 0)
    return out
