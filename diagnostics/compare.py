"""What changed between two runs on the same items, measured against the same labels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from diagnostics.errors import DataError
from diagnostics.metrics import N_RESAMPLES, ClassReport, class_report
from diagnostics.task import NO_LABEL, FloatArray, IntArray

FIXED, BROKEN, STILL_WRONG = "fixed", "broken", "still wrong"
METRICS = ("precision", "recall", "f1")
F1_COLUMNS = (
    "label", "f1_before", "f1_after", "f1_difference", "f1_difference_low", "f1_difference_high", "support",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs on the same labelled items.

    classes : one row a class: label, support, then <metric>_before, <metric>_after, <metric>_difference
    flips : one row an item whose prediction changed: item_id, label, predicted_before, predicted_after,
        change ("fixed": wrong before and right after; "broken": the reverse; "still wrong": another wrong class)
    """

    before: ClassReport
    after: ClassReport
    classes: pd.DataFrame
    flips: pd.DataFrame

    @property
    def accuracy_difference(self) -> float:
        """After minus before, in [-1, 1]."""
        return self.after.accuracy.value - self.before.accuracy.value

    @property
    def macro_f1_difference(self) -> float:
        """After minus before, in [-1, 1]."""
        return self.after.macro_f1.value - self.before.macro_f1.value

    def n_flips(self, change: str) -> int:
        """How many items changed that way."""
        return int((self.flips["change"] == change).sum())


def compare_predictions(
    item_ids: np.ndarray,
    codes: IntArray,
    predicted_before: IntArray,
    predicted_after: IntArray,
    classes: tuple[str, ...],
) -> Comparison:
    """Compare two predictions of the same items against the same labels; items without a label are left out.

    item_ids, codes, predicted_before, predicted_after : (n_items,), aligned; codes are positions in `classes`
    raises : DataError if the arrays do not have one entry an item
    """
    if not len(item_ids) == len(codes) == len(predicted_before) == len(predicted_after):
        raise DataError("A comparison needs the same items, in the same order, on both sides.")
    labelled = codes != NO_LABEL
    before = class_report(codes[labelled], predicted_before[labelled], classes)
    after = class_report(codes[labelled], predicted_after[labelled], classes)
    return Comparison(
        before=before,
        after=after,
        classes=_class_differences(before.table, after.table),
        flips=_flips(
            item_ids[labelled],
            codes[labelled],
            predicted_before[labelled],
            predicted_after[labelled],
            classes,
        ),
    )


def f1_differences(
    codes: IntArray,
    predicted_before: IntArray,
    predicted_after: IntArray,
    classes: tuple[str, ...],
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """F1 of each class before and after, and the difference with its 95 % interval: F1_COLUMNS, one row a class.

    codes, predicted_before, predicted_after : (n_items,) positions in `classes`; items without a label are left out
    seed : of the bootstrap: both predictions are measured on the same 1,000 resamples of the items, and the interval
        holds the middle 95 % of the differences (Efron & Tibshirani 1993, chapter 13)

    A number that is not defined is NaN: F1 of a class that nobody has and nobody predicts.
    """
    labelled = codes != NO_LABEL
    triples = np.stack([codes, predicted_before, predicted_after], axis=1)[labelled]
    cells, n_of_cell = np.unique(triples, axis=0, return_counts=True)
    table = pd.DataFrame({"label": classes})
    both = _f1_of_cells(cells, n_of_cell[None, :], len(classes))
    table["f1_before"], table["f1_after"] = (f1[0] for f1 in both)
    table["f1_difference"] = table["f1_after"] - table["f1_before"]
    low, high = np.full(len(classes), np.nan), np.full(len(classes), np.nan)
    if len(cells):
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(n_of_cell.sum(), n_of_cell / n_of_cell.sum(), size=N_RESAMPLES)
        before, after = _f1_of_cells(cells, drawn, len(classes))
        known = table["f1_difference"].notna().to_numpy()
        low[known], high[known] = np.nanpercentile((after - before)[:, known], [2.5, 97.5], axis=0)
    table["f1_difference_low"], table["f1_difference_high"] = low, high
    table["support"] = np.bincount(codes[labelled], minlength=len(classes))
    return table[list(F1_COLUMNS)]


def _f1_of_cells(cells: IntArray, counts: IntArray, n_classes: int) -> tuple[FloatArray, FloatArray]:
    """F1 before and after, each (n_samples, n_classes), of samples with so many items in each cell.

    cells : (n_cells, 3) of label, predicted before, predicted after; counts : (n_samples, n_cells)
    """
    n_labelled = counts @ _members(cells[:, 0], n_classes)
    found = []
    for predicted in (cells[:, 1], cells[:, 2]):
        right = np.where(predicted == cells[:, 0], predicted, NO_LABEL)
        n_right = counts @ _members(right, n_classes)
        total = n_labelled + counts @ _members(predicted, n_classes)
        with np.errstate(invalid="ignore"):
            found.append(2 * n_right / total)
    return found[0], found[1]


def _members(codes: IntArray, n_classes: int) -> sparse.csr_array:
    """(n_cells, n_classes), 1 where a cell is of the class; rows of -1 are empty."""
    rows = np.flatnonzero(codes != NO_LABEL)
    return sparse.csr_array((np.ones(len(rows)), (rows, codes[rows])), shape=(len(codes), n_classes))


def _class_differences(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {"label": before["label"], "support": before["support"]}
    for metric in METRICS:
        columns[f"{metric}_before"] = before[metric]
        columns[f"{metric}_after"] = after[metric]
        columns[f"{metric}_difference"] = after[metric] - before[metric]
    return pd.DataFrame(columns)


def _flips(
    item_ids: np.ndarray, codes: IntArray, before: IntArray, after: IntArray, classes: tuple[str, ...]
) -> pd.DataFrame:
    changed = before != after
    names = np.asarray(classes, dtype=object)
    kinds = np.where(after == codes, FIXED, np.where(before == codes, BROKEN, STILL_WRONG))
    return pd.DataFrame(
        {
            "item_id": item_ids[changed],
            "label": names[codes[changed]],
            "predicted_before": names[before[changed]],
            "predicted_after": names[after[changed]],
            "change": kinds[changed],
        }
    )
