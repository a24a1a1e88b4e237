"""What trainings are compared by, for each kind of label: which numbers, and how predictions become them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from diagnostics.fold_arrays import FoldArray
from diagnostics.influence import ACCURACY, WHOLE_METRICS, AnyRatios, Metrics
from diagnostics.label_space import LabelSpace
from diagnostics.set_influence import SetMetrics
from diagnostics.task import BoolArray, FloatArray, IntArray
from diagnostics.training_noise import Training, read_trainings

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

    def ratios(self, codes: IntArray, predicted: Any) -> AnyRatios: ...

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
        return SetMetrics(space, asked & space.targets(codes).any(axis=0), rule)

    return measure


@dataclass(frozen=True)
class ClassMetrics(Metrics):
    """The metrics of one label an item, with the names of the classes."""

    whole: ClassVar[tuple[str, ...]] = WHOLE_METRICS
    main: ClassVar[str] = WHOLE_METRICS[ACCURACY]

    classes: tuple[str, ...]

    def support(self, codes: IntArray) -> IntArray:
        return np.bincount(codes, minlength=len(self.classes))

    def read(
        self, trainings: Sequence[FoldArray], rows: IntArray, codes: IntArray, units: TextArray
    ) -> tuple[list[Training], IntArray]:
        return read_trainings(trainings, rows)

    def same(self, first: IntArray, second: IntArray) -> BoolArray:
        same: BoolArray = first == second
        return same

    def right(self, codes: IntArray, predicted: IntArray) -> BoolArray:
        return self.same(codes, predicted)

    def texts(self, predicted: IntArray) -> TextArray:
        return np.asarray(self.classes, dtype=object)[predicted]

    def targets(self, predicted: IntArray) -> BoolArray:
        targets: BoolArray = predicted[:, None] == np.arange(len(self.classes))
        return targets

    def label_texts(self, codes: IntArray) -> TextArray:
        return self.texts(codes)
