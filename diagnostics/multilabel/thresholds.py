"""From which probability on an item is predicted to have a label: one threshold a class, chosen where labels are known.

A threshold that was chosen on some items flatters itself there. So what is measured with it comes from
`cross_fitted_sets`, where each item's set is predicted by thresholds that were chosen without it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from diagnostics.chunks import chunks_of
from diagnostics.errors import DataError
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.splits import make_multilabel_folds
from diagnostics.predictions import ObjectArray
from diagnostics.task import BoolArray, FloatArray, IntArray
from diagnostics.training.crossval import NO_FOLD

MIN_EXAMPLES = 10
BEST_F1, FROM_OTHERS, FIXED = "best F1", "median of the other classes", "fixed"
DEFAULT = 0.5
N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Thresholds:
    """An item whose probability reaches a class's threshold is predicted to have its label.

    values : (n_classes,), in [0, 1]; origins : (n_classes,) of BEST_F1, FROM_OTHERS and FIXED
    """

    values: FloatArray
    origins: ObjectArray

    def predict(self, pred_probs: FloatArray) -> BoolArray:
        """(n_items, n_classes), the predicted sets."""
        predicted = np.empty(pred_probs.shape, dtype=bool)
        for rows in chunks_of(*pred_probs.shape):
            predicted[rows] = pred_probs[rows] >= self.values
        return predicted


@dataclass(frozen=True, slots=True)
class PredictedSets:
    """targets : (n_items, n_classes), predicted sets; thresholds : by which further items are to be predicted"""

    targets: BoolArray
    thresholds: Thresholds


def fixed_thresholds(value: float, n_classes: int) -> Thresholds:
    """The same for all classes. raises : DataError if it is no probability"""
    if not 0 <= value <= 1:
        raise DataError(f"A threshold must lie in [0, 1]; found {value}.")
    return Thresholds(np.full(n_classes, value), np.full(n_classes, FIXED, dtype=object))


def best_f1_thresholds(label_sets: LabelSets, pred_probs: FloatArray) -> Thresholds:
    """For each class the threshold with the best F1 on the labelled items, of equal ones that nearest to a half.

    A class with fewer than MIN_EXAMPLES items that have it, or that have it not, gets the median of the other classes'
    thresholds, and if there are none a half: the best F1 of a few items is that of chance (Y. Yang, A Study on
    Thresholding Strategies for Text Categorization, SIGIR 2001).
    pred_probs : (n_items, n_classes), of items that the model was not trained on
    """
    rows = np.flatnonzero(label_sets.labelled)
    targets, n_classes = label_sets.targets[rows], len(label_sets.classes)
    n_have = np.count_nonzero(targets, axis=0)
    enough = np.minimum(n_have, len(rows) - n_have) >= MIN_EXAMPLES
    values = np.full(n_classes, np.nan)
    for place in np.flatnonzero(enough):
        probs = np.asarray(pred_probs[rows, place], dtype=np.float64)
        values[place] = best_f1_threshold(targets[:, place], probs)
    values[~enough] = np.median(values[enough]) if enough.any() else DEFAULT
    return Thresholds(values, np.where(enough, BEST_F1, FROM_OTHERS).astype(object))


def best_f1_threshold(has: BoolArray, probs: FloatArray) -> float:
    """In the middle between the last probability that counts as yes and the first that does not.

    has : (n_items,), at least one True; probs : (n_items,), in [0, 1]

    >>> best_f1_threshold(np.array([True, True, False]), np.array([0.9, 0.4, 0.2])).__round__(3)
    0.3
    """
    order = np.argsort(-probs, kind="stable")
    falling = probs[order]
    f1 = 2 * has[order].cumsum() / (np.arange(1, len(has) + 1) + np.count_nonzero(has))
    below = np.append(falling[1:], -1.0)
    f1[falling == below] = -1
    middle = np.maximum((falling + below) / 2, 0)
    cuts = np.where(middle > below, middle, falling)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(cuts[best[np.abs(cuts[best] - DEFAULT).argmin()]])


Rule = Callable[[LabelSets, FloatArray], Thresholds]


def _fixed_rule(value: float) -> Rule:
    return lambda label_sets, _: fixed_thresholds(value, len(label_sets.classes))


FIXED_RULES = {"0.5": 0.5, "0.2": 0.2}
THRESHOLD_RULES: dict[str, Rule] = {
    "best_f1": best_f1_thresholds,
    **{name: _fixed_rule(value) for name, value in FIXED_RULES.items()},
}


def cross_fitted_sets(
    label_sets: LabelSets,
    pred_probs: FloatArray,
    units: Sequence[str],
    *,
    rule: str = "best_f1",
    n_folds: int = N_FOLDS,
    seed: int = 0,
) -> PredictedSets:
    """Predict each labelled item's set by thresholds chosen on the other folds, so that measuring it is honest.

    units : (n_items,), what must not be on both sides: the group of an item, else its content
    rule : a name of THRESHOLD_RULES
    returns : the sets, those of items that nobody labelled by the thresholds of all; and these thresholds
    """
    folds = make_multilabel_folds(label_sets, units, n_folds=n_folds, seed=seed)
    return sets_across_folds(label_sets, pred_probs, folds, rule=rule)


def sets_across_folds(
    label_sets: LabelSets, pred_probs: FloatArray, folds: IntArray, *, rule: str
) -> PredictedSets:
    """As `cross_fitted_sets`, of folds that are there already.

    folds : (n_items,), NO_FOLD where nobody labelled
    raises : DataError for a rule that is none of THRESHOLD_RULES
    """
    choose = THRESHOLD_RULES.get(rule)
    if choose is None:
        raise DataError(f"Thresholds can be chosen by {', '.join(THRESHOLD_RULES)}; found {rule!r}.")
    of_all = choose(label_sets, pred_probs)
    predicted = of_all.predict(pred_probs)
    for fold in range(int(folds.max(initial=NO_FOLD)) + 1):
        held_out = np.flatnonzero(folds == fold)
        chosen = choose(label_sets.only((folds != fold) & (folds != NO_FOLD)), pred_probs)
        predicted[held_out] = chosen.predict(pred_probs[held_out])
    return PredictedSets(predicted, of_all)
