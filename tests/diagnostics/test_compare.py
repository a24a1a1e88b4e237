import numpy as np
import pytest

from diagnostics.compare import BROKEN, FIXED, STILL_WRONG, compare_predictions
from diagnostics.errors import DataError

CLASSES = ("cat", "dog", "eel")
IDS = np.array(["a", "b", "c", "d", "e"], dtype=object)


def test_flips_say_which_items_were_fixed_broken_or_are_still_wrong():
    comparison = compare_predictions(
        IDS,
        np.array([0, 0, 0, 1, -1]),
        np.array([1, 0, 1, 1, 0]),
        np.array([0, 1, 2, 1, 1]),
        CLASSES,
    )
    assert dict(zip(comparison.flips["item_id"], comparison.flips["change"], strict=True)) == {
        "a": FIXED,
        "b": BROKEN,
        "c": STILL_WRONG,
    }
    assert (comparison.n_flips(FIXED), comparison.n_flips(BROKEN)) == (1, 1)
    assert comparison.accuracy_difference == 0.0


def test_differences_are_after_minus_before():
    comparison = compare_predictions(
        IDS[:4], np.array([0, 0, 1, 1]), np.array([1, 0, 1, 1]), np.array([0, 0, 1, 1]), CLASSES
    )
    assert comparison.accuracy_difference == 0.25
    cat = comparison.classes.iloc[0]
    assert cat["recall_difference"] == 0.5
    assert np.isnan(comparison.classes.iloc[2]["f1_difference"])


def test_different_items_cannot_be_compared():
    with pytest.raises(DataError, match="same items"):
        compare_predictions(IDS, np.array([0]), np.array([0]), np.array([0]), CLASSES)
