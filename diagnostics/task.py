"""What is being classified into what: the task, the columns of an item table, labels as codes and targets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from diagnostics.errors import DataError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating]
RowArray = npt.NDArray[np.int32]

SPLITS = ("train", "val", "test", "unlabelled")

ITEM_COLUMNS = (
    "item_id",
    "path",
    "root",
    "split",
    "given_label",
    "source",
    "source_row",
    "content_hash",
    "group",
    "unit",
)  # common to all modalities; each has columns of its own beside them, see `curation.modalities`
TEXT_COLUMN = "text"
FEATURE_PREFIX = "feature:"

NO_LABEL = -1


@dataclass(frozen=True, slots=True)
class Task:
    """A classification task.

    modality : an entry of `diagnostics.modalities.MODALITIES`
    label_kind : an entry of `diagnostics.label_kinds.LABEL_KINDS`
    """

    modality: str
    label_kind: str
    classes: tuple[str, ...]


def label_codes(labels: Iterable[object] | pd.Series, classes: Sequence[str]) -> IntArray:
    """The position of each label in `classes`; `NO_LABEL` (-1) where there is none (None, NaN or "").

    returns : (n_items,) int64
    raises : DataError naming the labels that are no class

    >>> label_codes(["dog", None, "cat"], ["cat", "dog"])
    array([ 1, -1,  0])
    """
    series = pd.Series(labels, dtype=object)
    missing = series.isna() | (series == "")
    codes = (
        pd.Index(classes).get_indexer(pd.Index(series.where(~missing, None), dtype=object)).astype(np.int64)
    )
    unknown = sorted({str(label) for label in series[~missing.to_numpy() & (codes == NO_LABEL)]})
    if unknown:
        raise DataError(f"Labels that are none of the {len(classes)} classes: {', '.join(unknown[:10])}.")
    codes[missing.to_numpy()] = NO_LABEL
    return codes


def are_among(ids: pd.Series, known: Iterable[object]) -> BoolArray:
    """Which of some texts are among others, as `isin`, which takes thirty times as long on pandas' own strings.

    ids : (n_items,); known : of any length
    returns : (n_items,)

    >>> are_among(pd.Series(["a", "b"]), ["b", "c"])
    array([False,  True])
    """
    found: BoolArray = ids.astype(object).isin(list(known)).to_numpy()
    return found


def targets_of(codes: IntArray, n_classes: int) -> BoolArray:
    """Boolean targets, one True per row; a row without a label is all False.

    codes : (n_items,), in [-1, n_classes)
    returns : (n_items, n_classes)

    >>> targets_of(np.array([1, -1]), 2)
    array([[False,  True],
           [False, False]])
    """
    targets: BoolArray = codes[:, None] == np.arange(n_classes)
    return targets
