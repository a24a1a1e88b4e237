"""Accuracy, macro F1, and precision, recall and F1 of each class, where every item has one label; and how far each item
moves each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnostics.fold_arrays import FoldArray
from diagnostics.influence import CLASS_METRICS, MACRO_F1, MetricColumns, Ratios, known_and_scale
from diagnostics.task import BoolArray, FloatArray, IntArray, targets_of
from diagnostics.training_noise import Training, read_trainings

ACCURACY = "accuracy"
N_RATIOS_OF_ITEM, MACRO_OF_ITEM, F1_OF_LABEL, F1_OF_PREDICTED = 6, 1, 4, 5


@dataclass(frozen=True)
class ClassMetrics(MetricColumns):
    """The metrics of one label an item; see `diagnostics.measures.AnyMetrics`. Predictions are codes of classes."""

    whole: ClassVar[tuple[str, ...]] = (ACCURACY, MACRO_F1)
    main: ClassVar[str] = ACCURACY

    classes: tuple[str, ...]

    def support(self, codes: IntArray) -> IntArray:
        return np.bincount(codes, minlength=len(self.classes))

    def ratios(self, codes: IntArray, predicted: IntArray) -> "ClassRatios":
        """What every item adds to every ratio; codes, predicted : (n_items,)"""
        precision, recall, f1 = (self.columns(metric).start for metric in CLASS_METRICS)
        whole = np.zeros_like(codes)
        columns = [
            whole + self.column(ACCURACY),
            whole + self.column(MACRO_F1),
            precision + predicted,
            recall + codes,
            f1 + codes,
            f1 + predicted,
        ]
        return ClassRatios(self, np.stack(columns, axis=1), (codes == predicted).astype(float))

    def read(
        self, trainings: Sequence[FoldArray], rows: IntArray, codes: IntArray, units: npt.NDArray[np.object_]
    ) -> tuple[list[Training], IntArray]:
        return read_trainings(trainings, rows)

    def same(self, first: IntArray, second: IntArray) -> BoolArray:
        same: BoolArray = first == second
        return same

    def right(self, codes: IntArray, predicted: IntArray) -> BoolArray:
        return self.same(codes, predicted)

    def texts(self, predicted: IntArray) -> npt.NDArray[np.object_]:
        return np.asarray(self.classes, dtype=object)[predicted]

    def targets(self, predicted: IntArray) -> BoolArray:
        return targets_of(predicted, len(self.classes))

    def label_texts(self, codes: IntArray) -> npt.NDArray[np.object_]:
        return self.texts(codes)


@dataclass(frozen=True)
class ClassRatios(Ratios):
    """One prediction of the items. An item counts 1 in the denominator of six ratios: accuracy, (macro F1,) precision
    of the predicted class, recall of the label, F1 of the label and F1 of the predicted class; and in the numerators of
    the same if the prediction is right.

    columns : (n_items, 6), which column each of them is; right : (n_items,) 1 or 0
    """

    metrics: ClassMetrics
    columns: IntArray
    right: FloatArray

    def totals(self) -> FloatArray:
        columns = self.columns.ravel()
        weights = np.repeat(self.right, N_RATIOS_OF_ITEM)
        counts = [np.bincount(columns, each, minlength=self.metrics.n_columns) for each in (weights, None)]
        return np.array(counts, dtype=float)

    def around(self, values: FloatArray, denominators: FloatArray) -> sparse.csr_array:
        known, scale = known_and_scale(values, denominators)
        parts = (self.right[:, None] - known[self.columns]) * scale[self.columns]
        parts[:, F1_OF_LABEL] += parts[:, F1_OF_PREDICTED] * self.right
        parts[:, F1_OF_PREDICTED] *= 1 - self.right
        both = [F1_OF_LABEL, F1_OF_PREDICTED]
        counts = self.metrics.present[self.columns[:, both] - self.metrics.columns("f1").start]
        parts[:, MACRO_OF_ITEM] = (parts[:, both] * counts).sum(axis=1) / max(1, self.metrics.n_present)
        n_items = len(parts)
        starts = np.arange(0, N_RATIOS_OF_ITEM * n_items + 1, N_RATIOS_OF_ITEM)
        return sparse.csr_array(
            (parts.ravel(), self.columns.ravel(), starts), shape=(n_items, self.metrics.n_columns)
        )
