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
from diagnostics.influence import MACRO_F1, MetricColumns, Ratios, known_and_scale
from diagnostics.label_space import LabelSpace
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.splits import make_multilabel_folds
from diagnostics.multilabel.thresholds import DEFAULT, N_FOLDS, fixed_thresholds, sets_across_folds
from diagnostics.task import BoolArray, FloatArray, IntArray
from diagnostics.training_noise import Training, subsets_of

SUBSET_ACCURACY, MICRO_F1 = "subset_accuracy", "micro_f1"


@dataclass(frozen=True)
class SetMetrics(MetricColumns):
    """The metrics of several labels an item; see `diagnostics.measures.AnyMetrics`. Predictions are rows of booleans.

    space : of the labels
    rule : of THRESHOLD_RULES, by which predicted sets are cut from probabilities
    """

    whole: ClassVar[tuple[str, ...]] = (SUBSET_ACCURACY, MICRO_F1, MACRO_F1)
    main: ClassVar[str] = MICRO_F1
    f1_of_all: ClassVar[tuple[str, ...]] = (MICRO_F1,)

    space: LabelSpace
    rule: str

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
class SetRatios(Ratios):
    """One prediction of the items; targets, predicted : (n_items, n_classes)

    An item counts in the denominators of precision for each class that it is predicted to have, of recall for each that
    it has, of F1 and micro F1 for both of these; and in the numerators, twice in those of F1, for each that it has and
    is predicted to have.
    """

    metrics: SetMetrics
    targets: BoolArray
    predicted: BoolArray

    def totals(self) -> FloatArray:
        hits, has, said = (
            np.count_nonzero(each, axis=0).astype(float)
            for each in (self.targets & self.predicted, self.targets, self.predicted)
        )
        n_items = len(self.targets)
        n_right = np.count_nonzero((self.targets == self.predicted).all(axis=1))
        numerators = [[n_right, 2 * hits.sum(), 0.0], hits, hits, 2 * hits]
        denominators = [[n_items, has.sum() + said.sum(), n_items], said, has, has + said]
        return np.array([np.concatenate(numerators), np.concatenate(denominators)], dtype=float)

    def around(self, values: FloatArray, denominators: FloatArray) -> sparse.csr_array:
        metrics = self.metrics
        known, scale = known_and_scale(values, denominators)
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
        subset, micro = metrics.column(SUBSET_ACCURACY), metrics.column(MICRO_F1)
        moved_whole = {subset: self._right() - known[subset], micro: self._micro(known[micro])}
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
        rows, columns = [*rows, everyone], [*columns, np.full(len(everyone), metrics.column(MACRO_F1))]
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
