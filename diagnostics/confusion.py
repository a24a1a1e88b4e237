"""Which classes are taken for which: the confusion matrix and the list of confused pairs."""

import numpy as np
import pandas as pd

from diagnostics.metrics import confusion_counts
from diagnostics.task import NO_LABEL, IntArray


def confusion_matrix_table(codes: IntArray, predicted: IntArray, classes: tuple[str, ...]) -> pd.DataFrame:
    """One cell a row: given_label, predicted_label, n, share (of the items with that label; NaN if there are none).

    codes, predicted : (n_items,), positions in `classes`; items without a label (-1) are left out
    """
    labelled = codes != NO_LABEL
    counts = confusion_counts(codes[labelled], predicted[labelled], len(classes))
    support = counts.sum(axis=1, keepdims=True).astype(float)
    share = np.divide(counts, support, out=np.full(counts.shape, np.nan), where=support > 0)
    return pd.DataFrame(
        {
            "given_label": np.repeat(np.asarray(classes, dtype=object), len(classes)),
            "predicted_label": np.tile(np.asarray(classes, dtype=object), len(classes)),
            "n": counts.ravel(),
            "share": share.ravel(),
        }
    )


def confused_pairs_table(codes: IntArray, predicted: IntArray, classes: tuple[str, ...]) -> pd.DataFrame:
    """Pairs of classes that are taken for each other, most often first.

    returns : first_label, second_label (in the order of `classes`), n (both ways), n_first_as_second,
        n_second_as_first, share (n of all items labelled with either); only pairs with n > 0
    """
    labelled = codes != NO_LABEL
    counts = confusion_counts(codes[labelled], predicted[labelled], len(classes))
    first, second = np.triu_indices(len(classes), k=1)
    support = counts.sum(axis=1)
    forth, back = counts[first, second], counts[second, first]
    names = np.asarray(classes, dtype=object)
    table = pd.DataFrame(
        {
            "first_label": names[first],
            "second_label": names[second],
            "n": forth + back,
            "n_first_as_second": forth,
            "n_second_as_first": back,
            "share": (forth + back) / np.maximum(support[first] + support[second], 1),
        }
    )
    confused = table[table["n"] > 0]
    return confused.sort_values(
        ["n", "share", "first_label", "second_label"],
        ascending=[False, False, True, True],
        ignore_index=True,
    )
