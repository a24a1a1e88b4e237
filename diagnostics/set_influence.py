"""Subset accuracy, micro and macro F1, and precision, recall and F1 of each class, of predicted sets of labels; and how
far each item moves each of them: what `diagnostics.influence` is for items with one label.

The unit of chance is the item, whose pairs are right and wrong together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from diagnostics.fold_arrays import FoldArray
from diagnostics.influence import CLASS_METRICS, divide
from diagnostics.label_space import LabelSpace
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.splits import make_multilabel_folds
from diagnostics.multilabel.thresholds import DEFAULT, N_FOLDS, fixed_thresholds, sets_across_folds
from diagnostics.task import BoolArray, FloatArray, IntArray
from diagnostics.training_noise import Training, subsets_of

SET_METRICS = ("subset_accuracy", "micro_f1", "macro_f1")
SUBSET, MICRO, MACRO = 0, 1, 2


@dataclass(frozen=True)
class SetMetrics:
    """Which columns stand for which number: SET_METRICS, then precision, recall and F1 of every class; with the methods
    of `diagnostics.influence.Metrics`.

    space : of the labels; present : (n_classes,), the classes whose mean F1 macro F1 is
    rule : of THRESHOLD_RULES, by which predicted sets are cut from probabilities
    """

    whole: ClassVar[tuple[str, ...]] = SET_METRICS
    main: ClassVar[str] = SET_METRICS[MICRO]

    space: LabelSpace
    present: BoolArray
    rule: str

    @property
    def n_classes(self) -> int:
        return len(self.present)

    @property
    def n_columns(self) -> int:
        return len(SET_METRICS) + len(CLASS_METRICS) * self.n_classes

    @property
    def n_present(self) -> int:
        return int(self.present.sum())

    def columns(self, metric: str) -> slice:
        """The columns of one of CLASS_METRICS."""
        start = len(SET_METRICS) + CLASS_METRICS.index(metric) * self.n_classes
        return slice(start, start + self.n_classes)

    def with_macro(self, values: FloatArray) -> FloatArray:
        """(n_columns,) the same numbers with the mean F1 of the present classes in its place."""
        f1 = values[self.columns("f1")][self.present]
        filled = values.copy()
        filled[MACRO] = f1.mean() if len(f1) else np.nan
        return filled

    def one_item(self, denominators: FloatArray) -> FloatArray:
        """(n_columns,), about how far one pair of an item moves each number."""
        steps = np.divide(1.0, denominators, out=np.zeros(self.n_columns), where=denominators > 0)
        steps[self.columns("f1")] *= 2
        steps[MICRO] *= 2
        filled = self.with_macro(steps)
        filled[MACRO] /= max(1, self.n_present)
        return filled

    def support(self, codes: IntArray) -> IntArray:
        """(n_classes,), how many items have each class."""
        support: IntArray = np.count_nonzero(self.space.targets(codes), axis=0)
        return support

    def ratios(self, codes: IntArray, predicted: BoolArray) -> "SetRatios":
        """What every item adds to every ratio; predicted : (n_items, n_classes)"""
        return SetRatios(self, self.space.targets(codes), predicted)

    def read(
        self, trainings: Sequence[FoldArray], rows: IntArray, codes: IntArray, units: npt.NDArray[np.object_]
    ) -> tuple[list[Training], BoolArray]:
        """The sets that trainings predict for some items, and that all of them predict together, (n_rows, n_classes).

        trainings : each (n_models, n_items, n_classes) probabilities; rows, codes, units : (n_rows,)
        Thresholds are chosen for each of them anew on these items, never on the item that they are used for: so the
        chance in choosing them is part of what trainings differ by.
        """
        cut = self._cut(codes, units)
        found, of_all = [], np.zeros((len(rows), self.n_classes))
        for probs in trainings:
            n_models = probs.shape[0]
            said = np.stack([np.asarray(probs[model, rows], dtype=np.float64) for model in range(n_models)])
            parts = [cut(said[list(subset)].mean(axis=0)) for subset in subsets_of(n_models)]
            by_some = np.array(parts).reshape(len(parts), len(rows), self.n_classes)
            mean = said.mean(axis=0)
            found.append(Training(cut(mean), by_some, n_models))
            of_all += mean
        return found, cut(of_all / len(trainings))

    def same(self, first: BoolArray, second: BoolArray) -> BoolArray:
        """(n_items,), whether two predictions are the same set."""
        same: BoolArray = (first == second).all(axis=1)
        return same

    def right(self, codes: IntArray, predicted: BoolArray) -> BoolArray:
        """(n_items,), whether the whole set is."""
        return self.same(self.space.targets(codes), predicted)

    def texts(self, predicted: BoolArray) -> npt.NDArray[np.object_]:
        """(n_items,)"""
        everybody = np.ones(len(predicted), dtype=bool)
        return LabelSets(self.space.classes, predicted, everybody).texts()

    def targets(self, predicted: BoolArray) -> BoolArray:
        """(n_items, n_classes), the prediction itself."""
        return predicted

    def label_texts(self, codes: IntArray) -> npt.NDArray[np.object_]:
        """(n_items,)"""
        return self.space.texts(codes)

    def _cut(self, codes: IntArray, units: npt.NDArray[np.object_]) -> Callable[[FloatArray], BoolArray]:
        """How sets are cut from probabilities (n_items, n_classes); of fewer than N_FOLDS units at a half."""
        label_sets, names = self.space.label_sets(codes), [str(unit) for unit in units]
        if len(set(names)) < N_FOLDS:
            return fixed_thresholds(DEFAULT, self.n_classes).predict
        folds = make_multilabel_folds(label_sets, names, n_folds=N_FOLDS, seed=0)
        return lambda probs: sets_across_folds(label_sets, probs, folds, rule=self.rule).targets


@dataclass(frozen=True)
class SetRatios:
    """One prediction of the items; targets, predicted : (n_items, n_classes)

    An item counts in the denominators of precision for each class that it is predicted to have, of recall for each that
    it has, of F1 and micro F1 for both of these; and in the numerators, twice in those of F1, for each that it has and
    is predicted to have.
    """

    metrics: SetMetrics
    targets: BoolArray
    predicted: BoolArray

    def totals(self) -> FloatArray:
        """(2, n_columns), numerator and denominator of every ratio."""
        hits, has, said = (
            np.count_nonzero(each, axis=0).astype(float)
            for each in (self.targets & self.predicted, self.targets, self.predicted)
        )
        n_items = len(self.targets)
        n_right = np.count_nonzero((self.targets == self.predicted).all(axis=1))
        numerators = [[n_right, 2 * hits.sum(), 0.0], hits, hits, 2 * hits]
        denominators = [[n_items, has.sum() + said.sum(), n_items], said, has, has + said]
        return np.array([np.concatenate(numerators), np.concatenate(denominators)], dtype=float)

    def values(self) -> FloatArray:
        """(n_columns,), NaN where a number is not defined: precision of a class that nobody is predicted to have."""
        return self.metrics.with_macro(divide(*self.totals()))

    def influences(self) -> sparse.csr_array:
        """(n_items, n_columns); each column sums to 0."""
        return self.around(self.values(), self.totals()[1])

    def around(self, values: FloatArray, denominators: FloatArray) -> sparse.csr_array:
        """(n_items, n_columns), (numerator - value × denominator) / `denominators` of each item; 0 where a value is not
        defined."""
        metrics = self.metrics
        known = np.where(np.isfinite(values), values, 0.0)
        scale = np.divide(1.0, denominators, out=np.zeros(len(known)), where=denominators > 0)
        scale *= np.isfinite(values)
        items, places = np.nonzero(self.targets | self.predicted)
        has = self.targets[items, places].astype(float)
        said = self.predicted[items, places].astype(float)
        hit = has * said
        parts = {
            "precision": (hit, said),
            "recall": (hit, has),
            "f1": (2 * hit, has + said),
        }
        everyone = np.arange(len(self.targets))
        moved_whole = {SUBSET: self._right() - known[SUBSET], MICRO: self._micro(known[MICRO])}
        rows = [everyone] * len(moved_whole)
        columns = [np.full(len(everyone), column) for column in moved_whole]
        data = [moved * scale[column] for column, moved in moved_whole.items()]
        macro = np.zeros(len(everyone))
        for metric, (numerators, counted) in parts.items():
            own = metrics.columns(metric).start + places
            moved = (numerators - known[own] * counted) * scale[own]
            rows, columns, data = [*rows, items], [*columns, own], [*data, moved]
            if metric == "f1":
                np.add.at(macro, items, moved * metrics.present[places])
        rows, columns = [*rows, everyone], [*columns, np.full(len(everyone), MACRO)]
        data.append(macro / max(1, metrics.n_present))
        shape = (len(everyone), metrics.n_columns)
        entries = (np.concatenate(data), (np.concatenate(rows), np.concatenate(columns)))
        return sparse.csr_array(sparse.coo_array(entries, shape=shape))

    def _right(self) -> FloatArray:
        right: FloatArray = (self.targets == self.predicted).all(axis=1).astype(float)
        return right

    def _micro(self, value: float) -> FloatArray:
        """(n_items,), numerator - value × denominator of micro F1."""
        hits = np.count_nonzero(self.targets & self.predicted, axis=1)
        both = np.count_nonzero(self.targets, axis=1) + np.count_nonzero(self.predicted, axis=1)
        micro: FloatArray = 2.0 * hits - value * both
        return micro
