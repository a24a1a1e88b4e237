"""Folds: which model does not see which item, and how the models' predictions become one."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.label_space import LabelSpace
from diagnostics.task import NO_LABEL, BoolArray, FloatArray, IntArray

NO_FOLD = -1


def make_folds(codes: IntArray, units: Sequence[str], *, n_folds: int, seed: int) -> IntArray:
    """Assign each labelled item to the fold that holds it out; items of one unit share a fold.

    codes : (n_items,); items with -1 get no fold
    units : (n_items,), what must not be in two folds: the group of an item, else its content
    returns : (n_items,) in [0, n_folds), or -1

    Stratified: each class is dealt out, unit by unit, to the fold that has fewest of it (then fewest items, then the
    first). The order of dealing comes from the seed and the unit, not from the rows, so the same data get the same
    folds in any order. A class with fewer units than folds is missing from the held-out part of some folds.
    raises : DataError if there are fewer units than folds
    """
    table = pd.DataFrame({"code": codes, "unit": np.asarray(units, dtype=object)})
    labelled = table[table["code"] != NO_LABEL]
    dealt = labelled.groupby("unit", sort=True)["code"].agg(["min", "size"])
    if len(dealt) < n_folds:
        raise DataError(
            f"{n_folds} folds need at least {n_folds} labelled train items that are neither copies of one another nor "
            f"of one group, found {len(dealt)}. Use fewer folds, or folds=0 for one model."
        )
    dealt["order"] = [hashlib.sha256(f"{seed}:{unit}".encode()).hexdigest() for unit in dealt.index]
    dealt = dealt.sort_values(["min", "order"])
    fold_of = dict(zip(dealt.index, _deal(dealt["min"], dealt["size"], n_folds), strict=True))
    return np.array(
        [fold_of[unit] if code != NO_LABEL else NO_FOLD for code, unit in table.to_numpy()],
        dtype=np.int64,
    )


def _deal(codes: pd.Series, sizes: pd.Series, n_folds: int) -> list[int]:
    total = np.zeros(n_folds, dtype=np.int64)
    of_class: dict[int, IntArray] = {}
    folds = []
    for code, size in zip(codes, sizes, strict=True):
        counts = of_class.setdefault(int(code), np.zeros(n_folds, dtype=np.int64))
        fold = int(np.lexsort((total, counts))[0])
        counts[fold] += size
        total[fold] += size
        folds.append(fold)
    return folds


def absent_classes(space: LabelSpace, codes: IntArray, folds: IntArray, *, n_folds: int) -> list[str]:
    """A sentence for each fold whose training part lacks a class that occurs among the labelled items.

    codes : (n_items,) in `space`, -1 = no label
    """
    present = _present(space, codes)
    notes = []
    for fold in range(n_folds):
        unseen = present & ~_present(space, codes[folds != fold])
        absent = [space.classes[place] for place in np.flatnonzero(unseen)]
        if absent:
            notes.append(f"The model of fold {fold} never saw {', '.join(absent)}: too few items of it.")
    return notes


def _present(space: LabelSpace, codes: IntArray) -> BoolArray:
    """(n_classes,), the classes that some labelled item has."""
    present: BoolArray = space.members[np.unique(codes[codes != NO_LABEL])].any(axis=0)
    return present


def combine_folds(fold_values: Sequence[FloatArray], *, folds: IntArray) -> FloatArray:
    """One row an item from the models' rows: that of the model that held it out, else the mean of all of them.

    fold_values : of each model (n_items, n_columns)
    folds : (n_items,), the fold that held each item out, -1 if none did
    returns : (n_items, n_columns) float32
    """
    combined = np.zeros(fold_values[0].shape, dtype=np.float32)
    shared = folds == NO_FOLD
    for fold, values in enumerate(fold_values):
        own = folds == fold
        combined[own] = values[own]
        combined[shared] += values[shared] / len(fold_values)
    return combined
