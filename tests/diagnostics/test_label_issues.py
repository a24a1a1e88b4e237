import warnings
from unittest.mock import patch

import cleanlab.filter
import cleanlab.rank
import numpy as np
import pytest
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from diagnostics.errors import DataError
from diagnostics.label_issues import FILTERS, RANKERS, find_label_issues
from diagnostics.scores import score_items


class StableNumpy:
    """NumPy whose argsort puts the earlier of equal values first, which cleanlab leaves to the processor."""

    def __getattr__(self, name):
        return getattr(np, name)

    @staticmethod
    def argsort(values):
        return np.argsort(values, kind="stable")


def cleanlab_rows(
    codes, probs, *, stable=True, filter_by="prune_by_noise_rate", rank_by="self_confidence", n_min=1
):
    numpy = StableNumpy() if stable else np
    with warnings.catch_warnings(), patch("cleanlab.filter.np", numpy), patch("cleanlab.rank.np", numpy):
        warnings.simplefilter("ignore")
        return cleanlab.filter.find_label_issues(
            codes,
            probs,
            filter_by=filter_by,
            return_indices_ranked_by=rank_by,
            min_examples_per_class=n_min,
            n_jobs=1,
        )


def random_rows(rng, n_items, n_classes):
    return rng.dirichlet(np.full(n_classes, 0.5), size=n_items)


def sharp_rows(rng, n_items, n_classes):
    logits = rng.normal(0, 8, (n_items, n_classes))
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def tied_rows(rng, n_items, n_classes):
    parts = rng.integers(0, 4, (n_items, n_classes)) + np.eye(n_classes)[rng.integers(0, n_classes, n_items)]
    return parts / parts.sum(axis=1, keepdims=True)


def certain_rows(rng, n_items, n_classes):
    return np.eye(n_classes)[rng.integers(0, n_classes, n_items)]


def undecided_rows(rng, n_items, n_classes):
    """All equal but for differences around the tolerance of 1e-6."""
    return 1 / n_classes + rng.integers(-2, 3, (n_items, n_classes)) * 5e-7


def followed_rows(rng, n_items, n_classes):
    """As a good model predicts: mostly the class that the noisy labels below come from."""
    logits = rng.normal(0, 1, (n_items, n_classes)) + 3 * np.eye(n_classes)[np.arange(n_items) % n_classes]
    exponents = np.exp(logits)
    return exponents / exponents.sum(axis=1, keepdims=True)


FAMILIES = (random_rows, sharp_rows, tied_rows, certain_rows, undecided_rows, followed_rows)


@st.composite
def predictions(draw):
    """Labels and probabilities of many kinds, with classes nobody has or nobody predicts, in either precision."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_classes, n_items = draw(st.integers(2, 20)), draw(st.integers(2, 300))
    probs = draw(st.sampled_from(FAMILIES))(rng, n_items, n_classes)
    n_given = draw(st.integers(2, n_classes))
    noise = rng.random(n_items) < draw(st.sampled_from([0.1, 0.5, 1.0]))
    codes = np.where(noise, rng.integers(0, n_given, n_items), np.arange(n_items) % n_given)
    assume(len(set(codes.tolist())) > 1)
    return codes, probs.astype(draw(st.sampled_from([np.float32, np.float64])))


@pytest.mark.parametrize("filter_by", FILTERS)
@given(predictions(), st.sampled_from(tuple(RANKERS)), st.integers(0, 4))
@settings(max_examples=80)
def test_issues_and_their_order_are_those_of_cleanlab(filter_by, predicted, rank_by, n_min):
    codes, probs = predicted
    assume(rank_by != "confidence_weighted_entropy" or 0 <= probs.min() <= probs.max() <= 1)
    found = find_label_issues(
        codes, probs, filter_by=filter_by, rank_by=rank_by, min_examples_per_class=n_min
    )
    expected = cleanlab_rows(codes, probs, filter_by=filter_by, rank_by=rank_by, n_min=n_min)
    np.testing.assert_array_equal(found.rows, expected)


@given(predictions())
@settings(max_examples=60)
def test_the_joint_and_the_thresholds_are_those_of_cleanlab(predicted):
    codes, probs = predicted
    found = find_label_issues(codes, probs)
    np.testing.assert_array_equal(found.confident_joint, compute_confident_joint(codes, probs))
    expected = get_confident_thresholds(codes, probs)
    held = ~np.isnan(found.thresholds)
    np.testing.assert_array_equal(held, np.isin(np.arange(probs.shape[1]), codes))
    np.testing.assert_array_equal(
        np.maximum(found.thresholds[held].astype(expected.dtype), 2e-6), expected[held]
    )


def test_without_ties_nothing_is_left_to_the_sort():
    rng = np.random.default_rng(5)
    codes, probs = rng.integers(0, 12, 3000), random_rows(rng, 3000, 12)
    for filter_by in FILTERS:
        expected = cleanlab_rows(codes, probs, stable=False, filter_by=filter_by)
        np.testing.assert_array_equal(find_label_issues(codes, probs, filter_by=filter_by).rows, expected)


def test_an_issue_is_where_the_model_confidently_says_another_class():
    cat, dog = [0.9, 0.1], [0.1, 0.9]
    found = find_label_issues(np.array([0, 0, 0, 1, 1, 1]), np.array([cat, cat, dog, dog, dog, dog]))
    assert found.rows.tolist() == [2]
    assert found.confident_joint.tolist() == [[2, 1], [0, 3]]
    np.testing.assert_allclose(found.thresholds, [19 / 30, 0.9])


def test_of_equal_margins_at_the_cut_the_earlier_row_is_an_issue():
    sure, torn = [0.9, 0.1], [0.49, 0.51]
    codes = np.array([0] * 8 + [1] * 4)
    probs = np.array([sure] * 4 + [[0.05, 0.95]] + [torn] * 3 + [[0.1, 0.9]] * 4)
    found = find_label_issues(codes, probs)
    assert found.confident_joint[0, 1] == 2
    assert found.rows.tolist() == [4, 5]


def test_of_equal_scores_the_earlier_row_comes_first():
    codes = np.array([0] * 60 + [1] * 60)
    probs = np.where(np.arange(120)[:, None] % 2 == 0, [0.9, 0.1], [0.1, 0.9])
    rows = find_label_issues(codes, probs, filter_by="confident_learning").rows
    assert len(rows) == 60
    assert rows.tolist() == sorted(rows.tolist())


def test_items_without_a_label_are_left_out():
    rng = np.random.default_rng(3)
    codes, probs = rng.integers(-1, 4, 500), random_rows(rng, 500, 4)
    labelled = np.flatnonzero(codes >= 0)
    for filter_by in FILTERS:
        expected = cleanlab_rows(codes[labelled], probs[labelled], filter_by=filter_by)
        found = find_label_issues(codes, probs, filter_by=filter_by)
        np.testing.assert_array_equal(found.rows, labelled[expected])


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize(
    ("codes", "probs"),
    [
        (np.empty(0, dtype=np.int64), np.empty((0, 3))),
        (np.full(5, -1), np.full((5, 2), 0.5)),
        (np.zeros(5, dtype=np.int64), np.ones((5, 1))),
        (np.array([1]), np.array([[0.9, 0.1]])),
    ],
    ids=["no items", "no labels", "one class", "one item"],
)
def test_where_nothing_can_be_compared_there_are_no_issues(codes, probs, filter_by):
    assert find_label_issues(codes, probs, filter_by=filter_by).rows.tolist() == []


def test_items_that_all_have_one_label_are_judged_by_its_own_threshold():
    """cleanlab answers only if that is the first class; every class gets the same answer here."""
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]])
    first = find_label_issues(np.zeros(4, dtype=np.int64), probs, filter_by="prune_by_class")
    second = find_label_issues(np.ones(4, dtype=np.int64), probs[:, ::-1], filter_by="prune_by_class")
    assert first.rows.tolist() == second.rows.tolist()
    np.testing.assert_array_equal(first.thresholds, second.thresholds[::-1])


@pytest.mark.parametrize("dtype", ["f2", ">f2", ">f4", ">f8", "longdouble"])
def test_every_type_of_number_gives_the_issues_of_its_values(dtype):
    rng = np.random.default_rng(1)
    codes, probs = rng.integers(0, 5, 400), random_rows(rng, 400, 5).astype(dtype)
    plain = probs.astype(np.float32 if probs.itemsize <= 4 else np.float64)
    np.testing.assert_array_equal(find_label_issues(codes, probs).rows, cleanlab_rows(codes, plain))


def test_a_memory_mapped_file_and_a_strided_view_give_the_same_issues(tmp_path):
    rng = np.random.default_rng(2)
    codes, probs = rng.integers(0, 5, 400).astype(np.int32), random_rows(rng, 400, 5).astype(np.float32)
    np.save(tmp_path / "probs.npy", probs)
    expected = find_label_issues(codes, probs).rows
    assert len(expected) > 0
    for same in (
        np.load(tmp_path / "probs.npy", mmap_mode="r"),
        np.asfortranarray(probs),
        probs.repeat(2, 0)[::2],
    ):
        np.testing.assert_array_equal(find_label_issues(codes, same).rows, expected)


def test_scores_that_are_there_are_used():
    rng = np.random.default_rng(4)
    codes, probs = rng.integers(0, 5, 200), random_rows(rng, 200, 5)
    scores = score_items(codes, probs)
    np.testing.assert_array_equal(
        find_label_issues(codes, probs, scores=scores).rows, find_label_issues(codes, probs).rows
    )


def test_scores_of_other_probabilities_are_refused():
    scores = score_items(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]]))
    with pytest.raises(DataError, match="scores are of 2 items and 2 classes, the probabilities have shape"):
        find_label_issues(np.array([0, 1]), np.full((2, 4), 0.25), scores=scores)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter_by": "noise"}, "filter_by must be one of prune_by_noise_rate, prune_by_class, both"),
        ({"rank_by": "loss"}, "rank_by must be one of self_confidence, normalized_margin"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(options, message):
    with pytest.raises(DataError, match=message):
        find_label_issues(np.array([0]), np.array([[0.5, 0.5]]), **options)


def test_what_is_no_distribution_is_refused_before_issues_are_looked_for():
    with pytest.raises(DataError, match="Row 1 of the probabilities is not a distribution"):
        find_label_issues(np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, 0.5]]))
