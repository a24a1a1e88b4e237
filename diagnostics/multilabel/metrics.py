"""How well sets of labels are predicted: each class by itself, all of them together, and which labels go together.

All numbers are of the labelled items. Intervals are 95 %; those of sums over pairs take the item, not the pair, as the
unit of chance, because the pairs of an item are right and wrong together.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm

from diagnostics.chunks import chunks_of
from diagnostics.errors import DataError
from diagnostics.metrics import CONFIDENCE, Estimate, class_table, proportion
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.task import BoolArray, FloatArray, IntArray

CONFUSION_COLUMNS = ("label", "n_both", "n_missed", "n_added", "n_neither")
TOGETHER_COLUMNS = ("first_label", "second_label", "n_given", "n_predicted", "n_by_chance")
EXCHANGED_COLUMNS = ("given_label", "predicted_label", "n", "share")
NOT_DEFINED = Estimate(np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class SetReport:
    """Metrics of one set of predictions on one set of labelled items.

    subset_accuracy : the share of items whose whole set is right
    hamming_loss : the share of wrong pairs; low = good
    micro_f1 : F1 over all pairs together; macro_f1 : mean F1 over the classes that somebody has or is predicted to have
    table : one row a class, `diagnostics.metrics.CLASS_COLUMNS`
    """

    n_items: int
    subset_accuracy: Estimate
    hamming_loss: Estimate
    micro_f1: Estimate
    macro_f1: Estimate
    table: pd.DataFrame


def set_report(label_sets: LabelSets, predicted: BoolArray) -> SetReport:
    """Measure predicted sets; items that nobody labelled are left out.

    predicted : (n_items, n_classes), not by thresholds chosen on these items: see `cross_fitted_sets`

    Intervals: Wilson's for subset accuracy, precision, recall, and F1 of a class, as in `diagnostics.metrics`. The
    other three are ratios of sums over items; their standard error is that of the ratio's linear part (the delta
    method; W. G. Cochran, Sampling Techniques, 1977, chapter 6), on the scale of log odds, so that an interval stays in
    [0, 1].
    """
    counts = _Counts.of(label_sets, predicted)
    macro = _macro_f1(counts)
    return SetReport(
        n_items=counts.n_items,
        subset_accuracy=proportion(counts.n_right_sets, counts.n_items),
        hamming_loss=_ratio(counts.wrong_of_item, np.full(counts.n_items, len(label_sets.classes))),
        micro_f1=_ratio(2 * counts.hits_of_item, counts.both_of_item),
        macro_f1=macro,
        table=class_table(
            counts.hits.astype(float),
            counts.support,
            counts.n_predicted,
            label_sets.classes,
            macro_f1=macro.value,
        ),
    )


def confusion_table(label_sets: LabelSets, predicted: BoolArray) -> pd.DataFrame:
    """The 2 × 2 confusion of each class, CONFUSION_COLUMNS, in items.

    n_both : have the label and are predicted to; n_missed : only have it; n_added : only are predicted to
    """
    counts = _Counts.of(label_sets, predicted)
    n_missed, n_added = counts.support - counts.hits, counts.n_predicted - counts.hits
    return pd.DataFrame(
        {
            "label": list(label_sets.classes),
            "n_both": counts.hits,
            "n_missed": n_missed,
            "n_added": n_added,
            "n_neither": counts.n_items - counts.hits - n_missed - n_added,
        }
    )


def together_table(label_sets: LabelSets, predicted: BoolArray) -> pd.DataFrame:
    """How many items have both of two labels, as given and as predicted: TOGETHER_COLUMNS, most often given first.

    n_by_chance : as many would have both, if the given labels did not depend on one another
    returns : only pairs of labels that occur together, in either
    """
    given, found = (
        _products(label_sets, each, each) for each in (label_sets.targets, _checked(label_sets, predicted))
    )
    first, second = np.triu_indices(len(label_sets.classes), k=1)
    n_items = max(int(np.count_nonzero(label_sets.labelled)), 1)
    names = np.asarray(label_sets.classes, dtype=object)
    table = pd.DataFrame(
        {
            "first_label": names[first],
            "second_label": names[second],
            "n_given": given[first, second],
            "n_predicted": found[first, second],
            "n_by_chance": given.diagonal()[first] * given.diagonal()[second] / n_items,
        }
    )
    occur = table[(table["n_given"] > 0) | (table["n_predicted"] > 0)]
    return occur.sort_values(
        ["n_given", "n_predicted", "first_label", "second_label"],
        ascending=[False, False, True, True],
        ignore_index=True,
    )


def exchanged_table(label_sets: LabelSets, predicted: BoolArray) -> pd.DataFrame:
    """Which labels are taken for which: items given one and not predicted it, and the other way round with another.

    returns : EXCHANGED_COLUMNS, most often first; share : of the items given the label
    """
    targets, found = label_sets.targets, _checked(label_sets, predicted)
    n = _products(label_sets, targets & ~found, found & ~targets)
    support = np.maximum(np.count_nonzero(targets, axis=0), 1)
    given, other = np.nonzero(n)
    names = np.asarray(label_sets.classes, dtype=object)
    table = pd.DataFrame(
        {
            "given_label": names[given],
            "predicted_label": names[other],
            "n": n[given, other],
            "share": n[given, other] / support[given],
        }
    )
    return table.sort_values(
        ["n", "share", "given_label", "predicted_label"],
        ascending=[False, False, True, True],
        ignore_index=True,
    )


def exchanged_by_chance(label_sets: LabelSets, predicted: BoolArray) -> FloatArray:
    """(n_classes, n_classes), in how many items the first label would be taken for the second, if missing a label had
    nothing to do with being given another: the items with the first and without the second, times how often the first
    is missed where it is, and the second added where it is not."""
    targets, found = label_sets.targets, _checked(label_sets, predicted)
    missed, added = (
        _products(label_sets, each, each).diagonal() for each in (targets & ~found, found & ~targets)
    )
    together = _products(label_sets, targets, targets)
    support, n_items = together.diagonal(), np.count_nonzero(label_sets.labelled)
    is_missed = missed / np.maximum(support, 1)
    is_added = added / np.maximum(n_items - support, 1)
    by_chance: FloatArray = (support[:, None] - together) * is_missed[:, None] * is_added
    return by_chance


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts over the labelled items, (n_classes,) each; and of each item, (n_items,) each.

    both_of_item : labels that it has plus labels that it is predicted to have
    f1_part : of the macro F1, how much each item moves it: the linear part of its ratio, for one item
    """

    hits: IntArray
    support: IntArray
    n_predicted: IntArray
    hits_of_item: IntArray
    both_of_item: IntArray
    wrong_of_item: IntArray
    f1_part: FloatArray

    @property
    def n_items(self) -> int:
        return len(self.hits_of_item)

    @property
    def n_right_sets(self) -> int:
        return int(np.count_nonzero(self.wrong_of_item == 0))

    @classmethod
    def of(cls, label_sets: LabelSets, predicted: BoolArray) -> "_Counts":
        rows = np.flatnonzero(label_sets.labelled)
        targets, found = label_sets.targets[rows], _checked(label_sets, predicted)[rows]
        both = targets & found
        hits, support, n_predicted = (np.count_nonzero(each, axis=0) for each in (both, targets, found))
        total = support + n_predicted
        f1 = np.divide(2.0 * hits, total, out=np.zeros(len(total)), where=total > 0)
        weights = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
        weights /= max(np.count_nonzero(total), 1)
        return cls(
            hits=hits.astype(np.int64),
            support=support.astype(np.int64),
            n_predicted=n_predicted.astype(np.int64),
            hits_of_item=np.count_nonzero(both, axis=1).astype(np.int64),
            both_of_item=np.count_nonzero(targets, axis=1) + np.count_nonzero(found, axis=1),
            wrong_of_item=np.count_nonzero(targets ^ found, axis=1).astype(np.int64),
            f1_part=both @ (2 * weights) - targets @ (f1 * weights) - found @ (f1 * weights),
        )


def _checked(label_sets: LabelSets, predicted: BoolArray) -> BoolArray:
    if predicted.shape != label_sets.targets.shape or predicted.dtype != np.bool_:
        raise DataError(
            f"Expected predicted sets of shape {label_sets.targets.shape}, true or false; found {predicted.shape} of "
            f"{predicted.dtype}."
        )
    return predicted


def _products(label_sets: LabelSets, first: BoolArray, second: BoolArray) -> IntArray:
    """(n_classes, n_classes), in how many labelled items both the first's and the second's class are True."""
    rows, n_classes = np.flatnonzero(label_sets.labelled), len(label_sets.classes)
    n = np.zeros((n_classes, n_classes))
    for part in chunks_of(len(rows), n_classes):
        n += first[rows[part]].astype(np.float32).T @ second[rows[part]].astype(np.float32)
    return n.astype(np.int64)


def _macro_f1(counts: _Counts) -> Estimate:
    total = counts.support + counts.n_predicted
    if not total.any():
        return NOT_DEFINED
    value = float((2 * counts.hits[total > 0] / total[total > 0]).mean())
    return _with_interval(value, np.sqrt(np.square(counts.f1_part).sum()), counts.n_items)


def _ratio(numerators: IntArray, denominators: IntArray) -> Estimate:
    """The sum of the first over the sum of the second, with the interval of independent items."""
    total = float(denominators.sum())
    if total == 0:
        return NOT_DEFINED
    value = float(numerators.sum()) / total
    residuals = (numerators - value * denominators) / total
    return _with_interval(value, np.sqrt(np.square(residuals).sum()), len(numerators))


def _with_interval(value: float, standard_error: float, n_items: int) -> Estimate:
    """On the scale of log odds; where all items agree, the interval of a share of n_items that is 0 or 1."""
    if not 0 < value < 1 or standard_error == 0:
        sure = proportion(value * n_items, n_items)
        return Estimate(value, sure.low, sure.high)
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    half = z * standard_error / (value * (1 - value))
    return Estimate(value, float(expit(logit(value) - half)), float(expit(logit(value) + half)))
