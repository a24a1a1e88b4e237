"""What changed between two runs on the same items, measured against the same labels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.metrics import ClassReport, class_report
from diagnostics.task import NO_LABEL, IntArray

FIXED, BROKEN, STILL_WRONG = "fixed", "broken", "still wrong"
METRICS = ("precision", "recall", "f1")


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
