import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    hamming_loss,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
)

from diagnostics.errors import DataError
from diagnostics.metrics import CLASS_COLUMNS
from diagnostics.multilabel.label_sets import LabelSets, parse_label_sets
from diagnostics.multilabel.metrics import (
    CONFUSION_COLUMNS,
    EXCHANGED_COLUMNS,
    TOGETHER_COLUMNS,
    confusion_table,
    exchanged_table,
    set_report,
    together_table,
)

ABC = ("a", "b", "c")


def sets(*texts):
    return parse_label_sets(texts, ABC)


def drawn(seed, n_items=40):
    rng = np.random.default_rng(seed)
    targets = rng.random((n_items, 3)) < 0.4
    label_sets = LabelSets(ABC, targets, np.ones(n_items, dtype=bool))
    return label_sets, targets ^ (rng.random(targets.shape) < 0.3)


def test_a_report_on_four_items_can_be_checked_by_hand():
    report = set_report(sets("a|b", "a", "(none)", "c"), sets("a", "a", "b", "c").targets)
    assert report.subset_accuracy.value == 0.5
    assert report.hamming_loss.value == pytest.approx(2 / 12)
    assert report.micro_f1.value == pytest.approx(2 * 3 / (4 + 4))
    assert report.macro_f1.value == pytest.approx((1 + 0 + 1) / 3)
    assert tuple(report.table.columns) == CLASS_COLUMNS
    assert report.table["support"].tolist() == [2, 1, 1]
    assert report.table["n_predicted"].tolist() == [2, 1, 1]


def test_items_that_nobody_labelled_are_left_out():
    report = set_report(sets("a", None, "b"), sets("a", "a|b|c", "b").targets)
    assert (report.n_items, report.subset_accuracy.value) == (2, 1.0)
    assert confusion_table(sets("a", None), sets("a", "a").targets)["n_both"].tolist() == [1, 0, 0]


def test_numbers_that_are_not_defined_are_nan_and_not_zero():
    report = set_report(sets("(none)", "(none)"), sets("(none)", "(none)").targets)
    assert np.isnan([report.micro_f1.value, report.macro_f1.value]).all()
    assert report.table[["precision", "recall", "f1"]].isna().all(axis=None)
    assert report.subset_accuracy.value == 1
    nothing = set_report(sets(None), sets(None).targets)
    assert np.isnan([nothing.subset_accuracy.value, nothing.hamming_loss.value]).all()


def test_where_all_items_agree_the_interval_is_that_of_a_share_of_them():
    report = set_report(sets("a", "b", "c"), sets("a", "b", "c").targets)
    assert (report.micro_f1.value, report.micro_f1.high) == (1, 1)
    assert 0.3 < report.micro_f1.low < 0.6
    assert 0.4 < report.hamming_loss.high < 0.7


def test_the_confusion_of_a_class_counts_items():
    table = confusion_table(sets("a|b", "a", "(none)"), sets("a", "(none)", "a").targets)
    assert tuple(table.columns) == CONFUSION_COLUMNS
    assert table.iloc[0].tolist() == ["a", 1, 1, 1, 0]
    assert table.iloc[1].tolist() == ["b", 0, 1, 0, 2]


def test_labels_that_go_together_are_counted_as_given_and_as_predicted():
    table = together_table(sets("a|b", "a|b|c", "a", "(none)"), sets("a|b", "a", "b|c", "(none)").targets)
    assert tuple(table.columns) == TOGETHER_COLUMNS
    assert table.iloc[0].tolist() == ["a", "b", 2, 1, 3 * 2 / 4]
    assert table[["first_label", "second_label"]].to_numpy().tolist() == [["a", "b"], ["b", "c"], ["a", "c"]]


def test_a_label_is_taken_for_another_where_one_is_missed_and_the_other_added():
    table = exchanged_table(sets("a", "a", "b|c", "a"), sets("b", "c", "a|c", "a").targets)
    assert tuple(table.columns) == EXCHANGED_COLUMNS
    assert table.to_numpy().tolist() == [["b", "a", 1, 1.0], ["a", "b", 1, 1 / 3], ["a", "c", 1, 1 / 3]]


def test_predictions_of_another_shape_are_refused():
    with pytest.raises(DataError, match="Expected predicted sets of shape"):
        set_report(sets("a"), np.zeros((1, 2), dtype=bool))


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_numbers_agree_with_scikit_learn(seed):
    label_sets, predicted = drawn(seed)
    report, targets = set_report(label_sets, predicted), label_sets.targets
    assert report.subset_accuracy.value == pytest.approx(accuracy_score(targets, predicted))
    assert report.hamming_loss.value == pytest.approx(hamming_loss(targets, predicted))
    assert report.micro_f1.value == pytest.approx(f1_score(targets, predicted, average="micro"))
    assert report.macro_f1.value == pytest.approx(f1_score(targets, predicted, average="macro"))
    precision, recall, f1, support = precision_recall_fscore_support(targets, predicted, zero_division=np.nan)
    np.testing.assert_allclose(report.table["precision"], precision)
    np.testing.assert_allclose(report.table["recall"], recall)
    np.testing.assert_allclose(report.table["f1"], f1)
    assert report.table["support"].tolist() == support.tolist()
    cells = confusion_table(label_sets, predicted)[["n_neither", "n_added", "n_missed", "n_both"]].to_numpy()
    np.testing.assert_array_equal(cells, multilabel_confusion_matrix(targets, predicted).reshape(-1, 4))
    for estimate in (report.hamming_loss, report.micro_f1, report.macro_f1):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_the_intervals_cover_the_truth_about_95_percent_of_the_time_though_pairs_of_an_item_go_together():
    rng = np.random.default_rng(0)
    n_items, n_classes = 100, 6

    def sample(n):
        targets = rng.random((n, n_classes)) < 0.4
        wrong = rng.random((n, 1)) < rng.choice([0.05, 0.6], p=[0.8, 0.2], size=(n, 1))
        return targets, targets ^ (wrong & (rng.random(targets.shape) < 0.7))

    names = tuple("abcdef")

    def report_of(targets, predicted):
        return set_report(LabelSets(names, targets, np.ones(len(targets), dtype=bool)), predicted)

    truth, covered = report_of(*sample(100_000)), {"hamming_loss": 0, "micro_f1": 0, "macro_f1": 0}
    for _ in range(200):
        found = report_of(*sample(n_items))
        for name in covered:
            estimate = getattr(found, name)
            covered[name] += estimate.low <= getattr(truth, name).value <= estimate.high
    assert all(0.9 < n / 200 < 0.985 for n in covered.values()), covered
