import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.errors import DataError
from diagnostics.label_space import single_space
from diagnostics.training.crossval import absent_classes, combine_folds, make_folds


def hashes(n_items):
    return [f"content-{number}" for number in range(n_items)]


def test_every_class_is_spread_evenly_over_the_folds():
    codes = np.repeat([0, 1], [50, 10])
    folds = make_folds(codes, hashes(60), n_folds=5, seed=0)
    assert np.bincount(folds[codes == 0]).tolist() == [10] * 5
    assert np.bincount(folds[codes == 1]).tolist() == [2] * 5


def test_items_of_equal_content_share_a_fold_even_with_different_labels():
    codes = np.array([0, 1, 0, 0, 1, 1])
    folds = make_folds(codes, ["a", "a", "b", "c", "d", "e"], n_folds=2, seed=0)
    assert folds[0] == folds[1]


def test_items_without_a_label_get_no_fold():
    folds = make_folds(np.array([0, -1, 1, 0]), hashes(4), n_folds=2, seed=0)
    assert folds[1] == -1
    assert set(folds[[0, 2, 3]]) == {0, 1}


def test_another_seed_gives_other_folds():
    codes = np.zeros(40, dtype=np.int64)
    first, second = (make_folds(codes, hashes(40), n_folds=4, seed=seed) for seed in (0, 1))
    assert first.tolist() != second.tolist()


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(labels, random):
    codes, contents = np.array(labels), hashes(len(labels))
    order = list(range(len(labels)))
    random.shuffle(order)
    folds = make_folds(codes, contents, n_folds=3, seed=7)
    shuffled = make_folds(codes[order], [contents[row] for row in order], n_folds=3, seed=7)
    assert shuffled.tolist() == folds[order].tolist()


@given(st.lists(st.integers(0, 3), min_size=10, max_size=80))
def test_folds_differ_by_at_most_one_item_a_class_and_in_all(labels):
    codes = np.array(labels)
    folds = make_folds(codes, hashes(len(labels)), n_folds=5, seed=0)
    for code in np.unique(codes):
        counts = np.bincount(folds[codes == code], minlength=5)
        assert counts.max() - counts.min() <= 1
    totals = np.bincount(folds, minlength=5)
    assert totals.max() - totals.min() <= 1


def test_too_few_items_for_the_folds_are_refused():
    with pytest.raises(DataError, match="found 3"):
        make_folds(np.array([0, 1, 1]), hashes(3), n_folds=5, seed=0)


def test_a_class_that_a_model_never_saw_is_noted():
    codes, folds = np.array([0, 0, 1]), np.array([0, 1, 1])
    notes = absent_classes(single_space(["cat", "dog"]), codes, folds, n_folds=2)
    assert notes == ["The model of fold 1 never saw dog: too few items of it."]


def test_each_item_gets_the_model_that_held_it_out_and_the_others_get_the_mean():
    folds = np.array([0, 1, -1])
    values = [np.array([[1.0], [9.0], [0.2]]), np.array([[9.0], [2.0], [0.6]])]
    combined = combine_folds(values, folds=folds)
    assert combined.ravel().tolist() == pytest.approx([1.0, 2.0, 0.4])
