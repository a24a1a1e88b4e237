"""What trainings are compared by, for each kind of label: which numbers, and how predictions become them."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from diagnostics.class_influence import ClassMetrics
from diagnostics.fold_arrays import FoldArray
from diagnostics.influence import Ratios
from diagnostics.label_space import LabelSpace
from diagnostics.set_influence import SetMetrics
from diagnostics.task import BoolArray, FloatArray, IntArray
from diagnostics.training_noise import Training

TextArray = npt.NDArray[np.object_]


class AnyMetrics(Protocol):
    """The numbers of a comparison; columns: those of `whole`, then CLASS_METRICS of every class.

    main : the one of `whole` in which every label counts the same; with one label an item accuracy is micro F1
    Codes are those of the labels of (n_items,) labelled items. Predictions of items have a form that only the metrics
    look into: codes of classes, or rows of booleans.
    """

    @property
    def whole(self) -> tuple[str, ...]: ...

    @property
    def main(self) -> str: ...

    @property
    def n_columns(self) -> int: ...

    def columns(self, metric: str) -> slice: ...

    def with_macro(self, values: FloatArray) -> FloatArray: ...

    def one_item(self, denominators: FloatArray) -> FloatArray: ...

    def support(self, codes: IntArray) -> IntArray:
        """(n_classes,), how many items have each class."""

    def ratios(self, codes: IntArray, predicted: Any) -> Ratios: ...

    def read(
        self, trainings: Sequence[FoldArray], rows: IntArray, codes: IntArray, units: TextArray
    ) -> tuple[list[Training], Any]:
        """What trainings predict for the items at `rows`, and what all of them predict together."""

    def same(self, first: Any, second: Any) -> BoolArray:
        """(n_items,), whether the same is predicted."""

    def right(self, codes: IntArray, predicted: Any) -> BoolArray:
        """(n_items,)"""

    def texts(self, predicted: Any) -> TextArray:
        """(n_items,), the labels that are predicted."""

    def targets(self, predicted: Any) -> BoolArray:
        """(n_items, n_classes), the classes that are predicted."""

    def label_texts(self, codes: IntArray) -> TextArray:
        """(n_items,), the labels that the items have."""


Measure = Callable[[IntArray, BoolArray], AnyMetrics]
"""From the codes of labelled items, and (n_classes,) which classes macro F1 may be of."""


def classes_measure(classes: tuple[str, ...]) -> Measure:
    """One label an item: the class of the largest probability is predicted."""

    def measure(codes: IntArray, asked: BoolArray) -> ClassMetrics:
        return ClassMetrics(asked & (np.bincount(codes, minlength=len(classes)) > 0), classes)

    return measure


def sets_measure(space: LabelSpace, *, rule: str) -> Measure:
    """Several labels an item; rule : a name of `diagnostics.multilabel.thresholds.THRESHOLD_RULES`"""

    def measure(codes: IntArray, asked: BoolArray) -> SetMetrics:
        return SetMetrics(asked & space.targets(codes).any(axis=0), space, rule)

    return measure
