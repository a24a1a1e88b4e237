"""Accuracy, precision, recall, F1 and macro F1 of a prediction, and how far each item moves each of them.

All of them are a sum over the items divided by another one (F1 = 2 TP / (labelled + predicted)), or a mean of such
ratios. The influence of an item is the first-order change of the number when the item gets more weight; the sum of
squares of the influences is the variance of the number over samples of items. It is the bootstrap over items with
infinitely many resamples, to first order (L. A. Jaeckel, The infinitesimal jackknife, 1972; B. Efron, The Jackknife,
the Bootstrap and Other Resampling Plans, 1982, chapter 6): the same from call to call, and exact where numbers of two
models are subtracted on the same items.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from diagnostics.task import BoolArray, FloatArray, IntArray

WHOLE_METRICS = ("accuracy", "macro_f1")
CLASS_METRICS = ("precision", "recall", "f1")


@dataclass(frozen=True)
class Metrics:
    """Which columns stand for which number: accuracy, macro F1, then precision, recall and F1 of every class.

    present : (n_classes,), the classes that have a labelled item; macro F1 is the mean over them, so that it is
        of the same classes whatever is predicted
    """

    present: BoolArray

    @property
    def n_classes(self) -> int:
        return len(self.present)

    @property
    def n_columns(self) -> int:
        return len(WHOLE_METRICS) + len(CLASS_METRICS) * self.n_classes

    def columns(self, metric: str) -> slice:
        """The columns of "accuracy", "macro_f1", or of one of CLASS_METRICS for all classes."""
        if metric in WHOLE_METRICS:
            return slice(WHOLE_METRICS.index(metric), WHOLE_METRICS.index(metric) + 1)
        start = len(WHOLE_METRICS) + CLASS_METRICS.index(metric) * self.n_classes
        return slice(start, start + self.n_classes)

    def with_macro(self, ratios: FloatArray) -> FloatArray:
        """Numbers of all columns from those of the ratios (accuracy and the classes', in that order)."""
        f1 = ratios[-self.n_classes :][self.present]
        macro = f1.mean() if len(f1) else np.nan
        return np.concatenate([ratios[:1], [macro], ratios[1:]])

    def one_item(self, denominators: FloatArray) -> FloatArray:
        """(n_columns,), about how far one item moves each number; denominators : (n_ratios,) of the ratios."""
        steps = np.ones(len(denominators))
        steps[-self.n_classes :] = 2
        found = self.with_macro(
            np.divide(steps, denominators, out=np.zeros(len(steps)), where=denominators > 0)
        )
        found[1] /= max(1, int(self.present.sum()))
        return found

    def with_macro_column(self, ratios: sparse.csr_array) -> sparse.csr_array:
        """The same for the items' parts, (n_items, n_ratios) → (n_items, n_columns)."""
        n_present = max(1, int(self.present.sum()))
        macro = ratios[:, -self.n_classes :] @ (self.present / n_present)
        parts = [ratios[:, :1], sparse.csr_array(macro[:, None]), ratios[:, 1:]]
        return sparse.csr_array(sparse.hstack(parts, format="csr"))


@dataclass(frozen=True)
class Ratios:
    """One prediction of the items: what each item adds to the numerator and the denominator of every ratio.

    numerators, denominators : (n_items, 1 + 3 n_classes) sparse; accuracy, precision, recall and F1 of each class
    """

    numerators: sparse.csr_array
    denominators: sparse.csr_array

    @property
    def totals(self) -> tuple[FloatArray, FloatArray]:
        """Numerator and denominator of every ratio."""
        return self.numerators.sum(axis=0), self.denominators.sum(axis=0)

    def values(self) -> FloatArray:
        """(n_ratios,), NaN where a ratio is not defined: precision of a class that nobody predicts."""
        return divide(*self.totals)

    def influences(self) -> sparse.csr_array:
        """(n_items, n_ratios); each column sums to 0."""
        return self.around(self.values(), self.totals[1])

    def around(self, values: FloatArray, denominators: FloatArray) -> sparse.csr_array:
        """(numerator - value × denominator) / `denominators`, of each item; 0 where a value is not defined."""
        known = np.where(np.isfinite(values) & (denominators > 0), values, 0.0)
        scale = np.divide(1.0, denominators, out=np.zeros(len(known)), where=denominators > 0)
        parts = self.numerators - self.denominators @ sparse.diags_array(known)
        return sparse.csr_array(parts @ sparse.diags_array(scale))


def ratios_of(codes: IntArray, predicted: IntArray, n_classes: int) -> Ratios:
    """The parts of every ratio; codes, predicted : (n_items,) positions of classes, all of them known."""
    n_items, rows = len(codes), np.arange(len(codes))
    right = np.flatnonzero(codes == predicted)
    n_columns = 1 + 3 * n_classes
    precision, recall, f1 = (1 + metric * n_classes for metric in range(3))

    def matrix(*parts: tuple[IntArray, IntArray, float]) -> sparse.csr_array:
        where = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
        values = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
        return sparse.csr_array((values, where), shape=(n_items, n_columns))

    hits = codes[right]
    numerators = matrix(
        (right, np.zeros_like(right), 1.0),
        (right, precision + hits, 1.0),
        (right, recall + hits, 1.0),
        (right, f1 + hits, 2.0),
    )
    denominators = matrix(
        (rows, np.zeros_like(rows), 1.0),
        (rows, precision + predicted, 1.0),
        (rows, recall + codes, 1.0),
        (rows, f1 + codes, 1.0),
        (rows, f1 + predicted, 1.0),
    )
    return Ratios(numerators, denominators)


def divide(numerators: FloatArray, denominators: FloatArray) -> FloatArray:
    """Element by element, NaN where the denominator is 0."""
    out: FloatArray = np.full(np.shape(numerators), np.nan)
    np.divide(numerators, denominators, out=out, where=denominators > 0)
    return out


def squares(influences: sparse.csr_array) -> FloatArray:
    """(n_columns,), the sum of squares of each column."""
    found: FloatArray = influences.power(2).sum(axis=0)
    return found
