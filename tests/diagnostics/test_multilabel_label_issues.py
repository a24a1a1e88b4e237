import numpy as np
import pytest
from cleanlab.multilabel_classification.filter import find_label_issues, find_multilabel_issues_per_class
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.errors import DataError
from diagnostics.label_issues import FILTERS
from diagnostics.multilabel.label_issues import find_pair_issues
from diagnostics.multilabel.label_sets import LabelSets

N_CLASSES = 4


def sets_of(targets, labelled=None):
    labelled = np.ones(len(targets), dtype=bool) if labelled is None else labelled
    return LabelSets(tuple("abcdefgh"[: targets.shape[1]]), targets, labelled)


def noisy(seed, n_items=80, *, density=0.4):
    """Labels, probabilities that mostly agree with them, each class with an item that has and one that has not."""
    rng = np.random.default_rng(seed)
    true = rng.random((n_items, N_CLASSES)) < density
    true[0], true[1] = True, False
    probs = 1 / (1 + np.exp(-np.where(true, 1.5, -1.5) - 1.5 * rng.normal(size=true.shape)))
    return true ^ (rng.random(true.shape) < 0.15), probs


def test_the_value_that_the_model_denies_most_comes_first():
    targets = np.array([[True], [True], [True], [False], [False], [False]])
    probs = np.array([[0.9], [0.95], [0.02], [0.1], [0.99], [0.05]])
    found = find_pair_issues(sets_of(targets), probs)
    assert (found.rows.tolist(), found.columns.tolist()) == ([4, 2], [0, 0])
    assert found.mask(6).tolist() == [False, False, True, False, True, False]


def test_the_joint_counts_each_value_as_given_and_as_estimated():
    targets = np.array([[True], [True], [True], [False], [False], [False]])
    probs = np.array([[0.9], [0.95], [0.02], [0.1], [0.2], [0.05]])
    found = find_pair_issues(sets_of(targets), probs)
    assert found.confident_joint.sum(axis=2).tolist() == [[3, 3]]
    assert found.confident_joint[0, 1].tolist() == [1, 2]
    np.testing.assert_allclose(found.thresholds, [[(0.9 + 0.8 + 0.95) / 3, (0.9 + 0.95 + 0.02) / 3]])


@given(st.integers(0, 10_000), st.sampled_from(FILTERS), st.sampled_from([0.1, 0.4]))
@settings(max_examples=20, deadline=None)
def test_the_pairs_found_are_those_of_cleanlab(seed, filter_by, density):
    targets, probs = noisy(seed, density=density)
    labels = [np.flatnonzero(row).tolist() for row in targets]
    found = find_pair_issues(sets_of(targets), probs, filter_by=filter_by, chunk_rows=17)
    mask = np.zeros(targets.shape, dtype=bool)
    mask[found.rows, found.columns] = True
    expected = find_multilabel_issues_per_class(labels, probs, filter_by=filter_by, n_jobs=1)
    np.testing.assert_array_equal(mask, expected)
    items = find_label_issues(labels, probs, filter_by=filter_by, n_jobs=1)
    np.testing.assert_array_equal(found.mask(len(targets)), items)


def test_items_that_nobody_labelled_change_nothing():
    targets, probs = noisy(0)
    labelled = np.arange(2 * len(targets)) % 2 == 0
    more = np.zeros((2 * len(targets), N_CLASSES), dtype=bool)
    more[labelled] = targets
    found = find_pair_issues(sets_of(more, labelled), np.repeat(probs, 2, axis=0))
    alone = find_pair_issues(sets_of(targets), probs)
    np.testing.assert_array_equal(found.rows, 2 * alone.rows)
    np.testing.assert_array_equal(found.columns, alone.columns)


def test_a_class_that_nobody_has_and_no_items_at_all_have_an_answer():
    targets, probs = noisy(0)
    targets[:, 0] = False
    assert (find_pair_issues(sets_of(targets), probs).columns > 0).all()
    nothing = find_pair_issues(sets_of(np.zeros((0, 2), dtype=bool)), np.zeros((0, 2)))
    assert len(nothing.rows) == 0
    assert np.isnan(nothing.thresholds).all()


def test_an_unknown_filter_is_refused():
    targets, probs = noisy(0)
    with pytest.raises(DataError, match=r"filter_by must be one of .*found 'luck'"):
        find_pair_issues(sets_of(targets), probs, filter_by="luck")
