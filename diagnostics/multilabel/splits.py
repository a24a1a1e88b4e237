"""Splits that keep the share of every label: iterative stratification, groups kept together, the same in any order.

Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, ECML PKDD 2011, algorithm 1, with units of
several items in place of single ones, and with being labelled with none treated as a label of its own.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.task import FloatArray, IntArray
from diagnostics.training.crossval import NO_FOLD


def make_multilabel_folds(
    label_sets: LabelSets, units: Sequence[str], *, n_folds: int, seed: int
) -> IntArray:
    """Assign each labelled item to the fold that holds it out, as `diagnostics.training.crossval.make_folds` does.

    raises : DataError if there are fewer units than folds
    """
    return share_out(label_sets, units, shares=(1 / n_folds,) * n_folds, seed=seed)


def share_out(label_sets: LabelSets, units: Sequence[str], *, shares: Sequence[float], seed: int) -> IntArray:
    """Assign each labelled item to one of several parts, so that each label is shared out in these shares.

    units : (n_items,), what must not be in two parts: the group of an item, else its content
    shares : of each part, above 0, sum 1
    returns : (n_items,) in [0, n_parts), NO_FOLD (-1) for items that nobody labelled

    The rarest label is dealt out first, then the rarest of what is left, each unit to the part that lacks most of that
    label (then most items, then the first part). Within a label large units come first, then an order that the seed and
    the unit decide, not the rows.
    raises : DataError if there are fewer units than parts, or for shares that do not sum to 1
    """
    wanted = np.asarray(shares, dtype=np.float64)
    if (wanted <= 0).any() or abs(wanted.sum() - 1) > 1e-9:
        raise DataError(f"The shares of the parts must be above 0 and sum to 1; found {list(shares)}.")
    rows = np.flatnonzero(label_sets.labelled)
    places, names = pd.factorize(np.asarray(units, dtype=object)[rows])
    if len(names) < len(wanted):
        raise DataError(
            f"{len(wanted)} parts need at least {len(wanted)} labelled items that are neither copies of one another "
            f"nor of one group, found {len(names)}. Use fewer parts."
        )
    counts = _labels_of_units(label_sets, rows, places, len(names))
    order = _order(names, np.bincount(places, minlength=len(names)), seed)
    parts = np.empty(len(names), dtype=np.int64)
    parts[order] = _deal(counts[order], wanted)
    found = np.full(len(label_sets), NO_FOLD, dtype=np.int64)
    found[rows] = parts[places]
    return found


def _labels_of_units(label_sets: LabelSets, rows: IntArray, places: IntArray, n_units: int) -> FloatArray:
    """(n_units, n_classes + 2), how many items of each unit have each label, have none, and are there."""
    counts = np.zeros((n_units, len(label_sets.classes) + 2))
    targets = label_sets.targets[rows]
    has_none = ~targets.any(axis=1)
    columns = np.column_stack([targets, has_none, np.ones(len(rows), dtype=bool)])
    np.add.at(counts, places, columns)
    return counts


def _order(names: npt.NDArray[np.object_], sizes: IntArray, seed: int) -> IntArray:
    drawn = [hashlib.sha256(f"{seed}:{name}".encode()).hexdigest() for name in names]
    return np.lexsort((np.array(drawn), -sizes))


def _deal(counts: FloatArray, shares: FloatArray) -> IntArray:
    """The part of each unit; counts : (n_units, n_columns), the last column how many items there are."""
    lacking = shares[:, None] * counts.sum(axis=0)
    parts = np.full(len(counts), NO_FOLD, dtype=np.int64)
    left = counts[:, :-1].sum(axis=0)
    while (left > 0).any():
        label = int(np.where(left > 0, left, np.inf).argmin())
        for unit in np.flatnonzero((parts == NO_FOLD) & (counts[:, label] > 0)):
            part = int(np.lexsort((-lacking[:, -1], -lacking[:, label].round(9)))[0])
            parts[unit] = part
            lacking[part] -= counts[unit]
            left -= counts[unit, :-1]
        left[label] = 0
    return parts
