import numpy as np
import pytest

from diagnostics.compare import BROKEN, FIXED, STILL_WRONG, compare_predictions, f1_differences
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


def test_the_f1_of_each_class_is_compared_on_the_same_items():
    codes = np.array([0, 0, 1, 1, -1])
    table = f1_differences(codes, np.array([0, 1, 1, 1, 0]), np.array([0, 0, 1, 1, 0]), CLASSES)
    assert table["f1_before"].tolist()[:2] == pytest.approx([2 / 3, 0.8])
    assert table["f1_after"].tolist()[:2] == [1.0, 1.0]
    assert table["f1_difference"].tolist()[:2] == pytest.approx([1 / 3, 0.2])
    assert table["support"].tolist() == [2, 2, 0]
    assert table.iloc[2, 1:-1].isna().all()


def test_equal_predictions_have_no_difference_and_no_doubt_about_it():
    rng = np.random.default_rng(0)
    codes, predicted = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    table = f1_differences(codes, predicted, predicted, CLASSES)
    assert (table[["f1_difference", "f1_difference_low", "f1_difference_high"]] == 0).all().all()


def test_the_interval_of_a_paired_difference_holds_the_truth_about_as_often_as_it_says():
    """200 samples of 300 items from one population, in which class 0 has a difference that is known."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 60_000)
    before = np.where(rng.random(60_000) < 0.7, codes, 1 - codes)
    after = np.where(rng.random(60_000) < 0.5, before, np.where(rng.random(60_000) < 0.8, codes, 1 - codes))
    truth = f1_differences(codes, before, after, ("a", "b"))["f1_difference"][0]
    n_inside = 0
    for part in np.arange(60_000).reshape(200, 300):
        row = f1_differences(codes[part], before[part], after[part], ("a", "b")).iloc[0]
        n_inside += row["f1_difference_low"] <= truth <= row["f1_difference_high"]
    assert 180 <= n_inside <= 198


def test_without_labelled_items_nothing_is_said():
    table = f1_differences(np.array([-1]), np.array([0]), np.array([1]), CLASSES)
    assert table[["f1_before", "f1_difference_low"]].isna().all().all()
    assert table["support"].sum() == 0
