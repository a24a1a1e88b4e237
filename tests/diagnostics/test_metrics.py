import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import f1_score, precision_recall_fscore_support

from diagnostics.metrics import (
    TOO_FEW,
    UNDERPERFORMING,
    class_report,
    difference_of_proportions,
    proportion,
    wilson_interval,
)

CAT_DOG = ("cat", "dog")


def test_a_class_report_on_four_items_can_be_checked_by_hand():
    report = class_report(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), CAT_DOG)
    assert report.accuracy.value == 0.75
    cat, dog = report.table.to_dict("records")
    assert (cat["precision"], cat["recall"], cat["support"]) == (1.0, 0.5, 2)
    assert dog["precision"] == pytest.approx(2 / 3)
    assert dog["f1"] == pytest.approx(0.8)
    assert report.macro_f1.value == pytest.approx((2 / 3 + 0.8) / 2)


def test_items_without_a_label_are_left_out():
    report = class_report(np.array([0, -1, 1]), np.array([0, 0, 0]), CAT_DOG)
    assert report.n_items == 2
    assert report.accuracy.value == 0.5


def test_numbers_that_are_not_defined_are_nan_and_not_zero():
    report = class_report(np.array([0, 0]), np.array([0, 0]), CAT_DOG)
    dog = report.table.iloc[1]
    assert np.isnan([dog["precision"], dog["recall"], dog["f1"], dog["f1_low"], dog["f1_high"]]).all()
    assert report.macro_f1.value == 1.0


def test_a_class_that_nobody_predicts_has_a_recall_of_zero_and_no_precision():
    report = class_report(np.array([0, 1]), np.array([0, 0]), CAT_DOG)
    dog = report.table.iloc[1]
    assert dog["recall"] == 0.0
    assert np.isnan(dog["precision"])
    assert dog["f1"] == 0.0


def test_no_items_at_all_gives_no_numbers():
    empty = np.array([], dtype=np.int64)
    report = class_report(empty, empty, CAT_DOG)
    assert report.n_items == 0
    assert np.isnan([report.accuracy.value, report.accuracy.low, report.macro_f1.value]).all()


def test_worst_first_puts_the_lowest_f1_on_top_and_undefined_last():
    codes, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    report = class_report(codes, predicted, ("cat", "dog", "eel"))
    assert list(report.worst_first()["label"]) == ["cat", "dog", "eel"]


def test_a_class_is_marked_only_when_its_whole_interval_lies_below_the_macro_f1():
    codes = np.repeat([0, 1, 2], [100, 100, 5])
    predicted = codes.copy()
    predicted[:60] = 1
    marks = class_report(codes, predicted, ("cat", "dog", "eel")).table["mark"]
    assert list(marks) == [UNDERPERFORMING, "", TOO_FEW]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3)),
        min_size=1,
        max_size=60,
    )
)
@settings(max_examples=80)
def test_point_estimates_agree_with_scikit_learn(pairs):
    codes, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    report = class_report(codes, predicted, ("a", "b", "c", "d"))
    precision, recall, _, support = precision_recall_fscore_support(
        codes, predicted, labels=range(4), zero_division=np.nan
    )
    assert list(report.table["support"]) == list(support)
    np.testing.assert_allclose(report.table["precision"], precision)
    np.testing.assert_allclose(report.table["recall"], recall)
    assert report.macro_f1.value == pytest.approx(f1_score(codes, predicted, average="macro"))
    for name in ("precision", "recall", "f1"):
        values = report.table[[f"{name}_low", name, f"{name}_high"]].dropna().to_numpy()
        assert (np.diff(values, axis=1) >= -1e-12).all()
        assert ((values >= 0) & (values <= 1)).all()


def test_the_wilson_interval_covers_the_truth_about_95_percent_of_the_time():
    trials, p = 40, 0.85
    outcomes = np.arange(trials + 1)
    low, high = wilson_interval(outcomes.astype(float), np.full(trials + 1, float(trials)))
    covered = binom.pmf(outcomes, trials, p)[(low <= p) & (p <= high)].sum()
    assert 0.92 < covered < 0.98


def test_the_f1_interval_covers_the_truth_about_95_percent_of_the_time():
    rng = np.random.default_rng(0)
    cells = np.array([0.40, 0.10, 0.15, 0.35])
    true_f1 = 2 * 0.40 / (2 * 0.40 + 0.10 + 0.15)
    covered = 0
    for counts in rng.multinomial(150, cells, size=400):
        codes, predicted = np.repeat([0, 0, 1, 1], counts), np.repeat([0, 1, 0, 1], counts)
        row = class_report(codes, predicted, CAT_DOG).table.iloc[0]
        covered += row["f1_low"] <= true_f1 <= row["f1_high"]
    assert 0.91 < covered / 400 < 0.985


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_that_of_newcombes_table(first, second, low, high):
    """Newcombe 1998, table II, method 10."""
    found = difference_of_proportions(proportion(*first), proportion(*second))
    assert found.value == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_the_other_way_round_a_difference_changes_its_sign():
    found = difference_of_proportions(proportion(3, 10), proportion(9, 10))
    assert (found.low, found.high) == (pytest.approx(-0.8090, abs=1e-4), pytest.approx(-0.1705, abs=1e-4))


def test_a_difference_with_nothing_on_one_side_is_nan():
    found = difference_of_proportions(proportion(3, 10), proportion(0, 0))
    assert np.isnan([found.value, found.low, found.high]).all()
