"""Accuracy, precision, recall, F1 and macro F1 of a prediction, and how far each item moves each of them.

All of them are a sum over the items divided by another one (F1 = 2 TP / (labelled + predicted)), or a mean of such
ratios. The influence of an item is the first-order change of the number when the item gets more weight; the sum of
squares of the influences is the variance of the number over samples of items. It is the bootstrap over items with
infinitely many resamples, to first order (L. A. Jaeckel, The infinitesimal jackknife, 1972; B. Efron, The Jackknife,
the Bootstrap and Other Resampling Plans, 1982, chapter 6): the same from call to call, and exact where numbers of two
models are subtracted on the same items.

What is the same for all kinds of labels is here; `diagnostics.class_influence` has one label an item,
`diagnostics.set_influence` several.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from diagnostics.task import BoolArray, FloatArray

CLASS_METRICS = ("precision", "recall", "f1")
MACRO_F1 = "macro_f1"


@dataclass(frozen=True)
class MetricColumns:
    """Which columns stand for which number: those of all classes together, then precision, recall and F1 of every one.

    whole : their names, MACRO_F1 among them; main : the one in which every label counts the same
    f1_of_all : those of `whole` that are an F1, of all classes at once
    present : (n_classes,), the classes that have a labelled item, or some of them; macro F1 is the mean over them, so
        that it is of the same classes whatever is predicted
    """

    whole: ClassVar[tuple[str, ...]]
    main: ClassVar[str]
    f1_of_all: ClassVar[tuple[str, ...]] = ()

    present: BoolArray

    @property
    def n_classes(self) -> int:
        return len(self.present)

    @property
    def n_columns(self) -> int:
        return len(self.whole) + len(CLASS_METRICS) * self.n_classes

    @property
    def n_present(self) -> int:
        return int(self.present.sum())

    def column(self, metric: str) -> int:
        """The column of one of `whole`."""
        return self.whole.index(metric)

    def columns(self, metric: str) -> slice:
        """The columns of one of CLASS_METRICS."""
        start = len(self.whole) + CLASS_METRICS.index(metric) * self.n_classes
        return slice(start, start + self.n_classes)

    def with_macro(self, values: FloatArray) -> FloatArray:
        """(n_columns,) the same numbers with the mean F1 of the present classes in its place."""
        f1 = values[self.columns("f1")][self.present]
        filled = values.copy()
        filled[self.column(MACRO_F1)] = f1.mean() if len(f1) else np.nan
        return filled

    def one_item(self, denominators: FloatArray) -> FloatArray:
        """(n_columns,), about how far one item, or one pair of an item and a class, moves each number.

        denominators : (n_columns,) of the ratios
        """
        steps = np.divide(1.0, denominators, out=np.zeros(self.n_columns), where=denominators > 0)
        steps[self.columns("f1")] *= 2
        steps[[self.column(metric) for metric in self.f1_of_all]] *= 2
        filled = self.with_macro(steps)
        filled[self.column(MACRO_F1)] /= max(1, self.n_present)
        return filled


class Ratios(ABC):
    """One prediction of the items: what each of them adds to the numerator and the denominator of every number."""

    metrics: MetricColumns

    @abstractmethod
    def totals(self) -> FloatArray:
        """(2, n_columns), numerator and denominator of every ratio."""

    @abstractmethod
    def around(self, values: FloatArray, denominators: FloatArray) -> sparse.csr_array:
        """(n_items, n_columns), (numerator - value × denominator) / `denominators` of each item; 0 where a value is not
        defined."""

    def values(self) -> FloatArray:
        """(n_columns,), NaN where a number is not defined: precision of a class that nothing is predicted as."""
        return self.metrics.with_macro(divide(*self.totals()))

    def influences(self) -> sparse.csr_array:
        """(n_items, n_columns); each column sums to 0."""
        return self.around(self.values(), self.totals()[1])


def known_and_scale(values: FloatArray, denominators: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n_columns,) each: the values, 0 where they are not defined, and 1 / denominator, 0 where one of both is not."""
    is_known = np.isfinite(values)
    scale = np.divide(1.0, denominators, out=np.zeros(len(values)), where=denominators > 0)
    return np.where(is_known, values, 0.0), scale * is_known


def squares(influences: sparse.csr_array) -> FloatArray:
    """(n_columns,), the sum of squares of each column; no entry of a row may be split in two."""
    sums = np.bincount(influences.indices, influences.data**2, minlength=influences.shape[1])
    return sums.astype(float)


def mean_of_parts(parts: list[sparse.csr_array]) -> sparse.csr_array:
    """The mean of matrices of one shape."""
    return sparse.csr_array(sum(parts[1:], start=parts[0]) / len(parts))


def divide(numerators: FloatArray, denominators: FloatArray) -> FloatArray:
    """Element by element, of one shape; NaN where the denominator is 0."""
    out: FloatArray = np.full(np.shape(numerators), np.nan)
    np.divide(numerators, denominators, out=out, where=denominators > 0)
    return out
