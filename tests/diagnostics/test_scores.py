from pathlib import Path

import cleanlab
import numpy as np
import pytest
from cleanlab.rank import get_label_quality_scores
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.errors import DataError
from diagnostics.scores import confident_thresholds, confusion_of, score_items

SURE_RIGHT, SURE_WRONG, TORN = [0.98, 0.01, 0.01], [0.01, 0.98, 0.01], [0.34, 0.33, 0.33]
HAND_MADE = np.array([SURE_RIGHT, SURE_WRONG, TORN])
ALL_CAT = np.zeros(3, dtype=np.int64)


def test_loss_is_highest_where_the_model_surely_says_another_class():
    assert score_items(ALL_CAT, HAND_MADE).loss.argmax() == 1
    np.testing.assert_allclose(score_items(ALL_CAT, HAND_MADE).loss, -np.log([0.98, 0.01, 0.34]))


def test_margin_is_lowest_where_the_model_surely_says_another_class():
    np.testing.assert_allclose(score_items(ALL_CAT, HAND_MADE).margin, [0.97, -0.97, 0.01])


def test_label_quality_is_lowest_where_the_model_surely_says_another_class():
    quality = score_items(ALL_CAT, HAND_MADE).label_quality
    assert quality.argmin() == 1
    assert quality.argmax() == 0


def test_confusion_is_lowest_where_the_model_is_torn():
    np.testing.assert_allclose(score_items(ALL_CAT, HAND_MADE).confusion, [0.97, 0.97, 0.01])


def test_entropy_is_highest_where_the_model_is_torn():
    entropy = score_items(ALL_CAT, HAND_MADE).entropy
    assert entropy.argmax() == 2
    assert entropy.max() <= np.log(3)


def test_confusion_over_three_classes_compares_the_first_with_the_third():
    probs = np.array([[0.5, 0.4, 0.1]])
    assert confusion_of(probs, k=2)[0] == pytest.approx(0.1)
    assert confusion_of(probs, k=3)[0] == pytest.approx(0.4)
    assert score_items(np.array([0]), probs, k=3).confusion[0] == pytest.approx(0.4)


def test_predicted_and_second_are_the_two_largest():
    scores = score_items(np.array([2]), np.array([[0.2, 0.5, 0.3]]))
    assert (scores.predicted[0], scores.second[0]) == (1, 2)
    assert (scores.p_predicted[0], scores.p_second[0], scores.p_given[0]) == (0.5, 0.3, 0.3)


def test_an_item_without_a_label_has_only_the_scores_that_need_none():
    scores = score_items(np.array([-1]), np.array([SURE_RIGHT]))
    assert np.isnan([scores.p_given[0], scores.loss[0], scores.margin[0], scores.label_quality[0]]).all()
    assert scores.confusion[0] == pytest.approx(0.97)


def test_a_given_label_with_probability_zero_has_a_large_finite_loss():
    loss = score_items(np.array([0]), np.array([[0.0, 1.0]])).loss[0]
    assert 80 < loss < 90


def test_one_class_only_is_never_suspect():
    scores = score_items(np.array([0, 0]), np.ones((2, 1)))
    assert list(scores.loss) == [0, 0]
    assert list(scores.margin) == [1, 1]
    assert list(scores.confusion) == [0, 0]


def test_no_items_give_no_scores():
    assert len(score_items(np.array([], dtype=np.int64), np.empty((0, 3))).loss) == 0


@pytest.mark.parametrize(
    ("codes", "probs", "message"),
    [
        (
            [0],
            [[1.0, np.nan]],
            r"Row 0 of the probabilities is not a distribution.*class 1 has no number \(NaN\)",
        ),
        ([0], [[1.0, np.inf]], "sum inf"),
        (
            [0, 1],
            [[0.5, 0.5], [3.0, -2.0]],
            "Row 1 .*sum 1, values from -2 to 3.*If these are logits, give their softmax",
        ),
        ([0, 1], [[0.5, 0.5], [3.0, 2.0]], "Row 1 .*If these are logits"),
        ([0], [[0.9, 0.9]], "sum 1.8.*Expected a sum of 1"),
        ([0], [[0.0, 0.0]], "sum 0"),
        ([0, 1], [[0.5, 0.5]], "one label per item"),
        ([2], [[0.5, 0.5]], "must lie in"),
        ([0.5], [[0.5, 0.5]], "Label codes must be whole numbers"),
        ([0], [[0.5j, 0.5]], "Probabilities must be numbers; found an array of type complex128"),
    ],
)
def test_what_is_not_a_distribution_over_the_classes_is_refused(codes, probs, message):
    with pytest.raises(DataError, match=message):
        score_items(np.array(codes), np.array(probs))


def test_thresholds_for_other_classes_are_refused():
    with pytest.raises(DataError, match="a threshold for each of 2 classes"):
        score_items(np.array([0]), np.array([[0.5, 0.5]]), thresholds=np.ones(3))


def test_of_many_bad_rows_the_first_is_named():
    probs = np.full((5000, 2), 0.5)
    probs[[4321, 1234]] = 2
    with pytest.raises(DataError, match="Row 1234 "):
        score_items(np.zeros(5000, dtype=np.int64), probs, chunk_rows=100)


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", ">f8", "longdouble"])
def test_scores_of_every_type_of_number_are_those_of_its_values(dtype):
    probs = np.random.default_rng(0).dirichlet(np.full(7, 0.3), size=200).astype(dtype)
    codes = np.arange(200) % 8 - 1
    found, expected = score_items(codes, probs, k=3), score_items(codes, probs.astype(np.float64), k=3)
    np.testing.assert_array_equal(found.predicted, expected.predicted)
    np.testing.assert_array_equal(found.second, expected.second)
    for name in ("p_given", "loss", "margin", "confusion", "entropy", "label_quality"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=2e-5, atol=2e-6)


def test_entropy_in_float32_is_right_from_certainty_to_chance():
    sharpness = np.linspace(0, 60, 400)[:, None]
    logits = sharpness * np.random.default_rng(0).random((400, 33))
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)
    exact = -(probs * np.log(np.maximum(probs, 1e-300, dtype=np.float64))).sum(axis=1)
    np.testing.assert_allclose(score_items(np.full(400, -1), probs).entropy, exact, rtol=2e-6, atol=2e-6)


def test_the_logarithm_of_the_kernels_has_a_small_relative_error():
    from diagnostics.kernels import _log2_in_steps

    values = np.concatenate([np.geomspace(1.2e-38, 1, 200_000), np.linspace(0.5, 1, 100_000)])
    values = values.astype(np.float32)
    exact = np.log2(values.astype(np.float64))
    error = np.abs(_log2_in_steps(values, values.view(np.int32)) - exact)
    assert (error <= 4e-7 * np.abs(exact)).all()
    assert _log2_in_steps(np.float32(1), np.int32(0x3F800000)) == 0
    assert np.isfinite(_log2_in_steps(np.float32(0), np.int32(0)))


def test_equal_probabilities_are_named_in_their_order():
    probs = np.zeros((3, 70), dtype=np.float32)
    probs[0], probs[1, [5, 68]], probs[2, [3, 40, 66]] = 1 / 70, 0.5, [0.25, 0.5, 0.25]
    scores = score_items(np.zeros(3, dtype=np.int64), probs)
    assert scores.predicted.tolist() == [0, 5, 40]
    assert scores.second.tolist() == [1, 68, 3]


@given(st.integers(0, 2**32), st.integers(1, 200))
@settings(max_examples=40)
def test_the_two_largest_are_those_of_a_stable_sort(seed, n_classes):
    rng = np.random.default_rng(seed)
    parts = rng.integers(0, 4, (20, n_classes)) + np.eye(n_classes)[rng.integers(0, n_classes, 20)]
    probs = (parts / parts.sum(axis=1, keepdims=True)).astype(rng.choice(["f4", "f8"]))
    order = np.argsort(-probs, axis=1, kind="stable")
    scores = score_items(np.full(20, -1), probs)
    np.testing.assert_array_equal(scores.predicted, order[:, 0])
    np.testing.assert_array_equal(scores.second, order[:, min(1, n_classes - 1)])


def test_a_zero_with_a_minus_sign_is_a_zero():
    scores = score_items(np.array([0, 1]), np.array([[1.0, -0.0, 0.0], [-0.0, 1.0, 0.0]], dtype=np.float32))
    assert scores.predicted.tolist() == [0, 1]
    assert scores.second.tolist() == [1, 0]
    assert scores.entropy.tolist() == [0, 0]
    assert not np.signbit(scores.p_second).any()


def test_the_compiled_code_is_kept_outside_the_source_tree():
    from diagnostics.kernels import score_rows

    assert not Path(score_rows.stats.cache_path or "/").is_relative_to(Path(__file__).parents[2])


def test_thresholds_are_undefined_for_a_class_nobody_has():
    assert np.isnan(confident_thresholds(np.array([0]), np.array([[0.7, 0.3]]))[1])


probabilities = st.integers(0, 10_000).map(
    lambda seed: np.random.default_rng(seed).dirichlet(np.full(4, 0.7), size=40)
)


@given(probabilities, st.integers(0, 100))
@settings(max_examples=40)
def test_scores_agree_with_cleanlab_on_random_input(probs, seed):
    codes = np.concatenate([np.arange(4), np.random.default_rng(seed).integers(0, 4, size=36)])
    scores = score_items(codes, probs)
    adjusted = get_label_quality_scores(codes, probs, method="self_confidence", adjust_pred_probs=True)
    np.testing.assert_allclose(scores.label_quality, adjusted)
    margin = get_label_quality_scores(codes, probs, method="normalized_margin")
    np.testing.assert_allclose((scores.margin + 1) / 2, margin)
    np.testing.assert_allclose(
        confident_thresholds(codes, probs), cleanlab.count.get_confident_thresholds(codes, probs)
    )


@given(probabilities, st.integers(1, 41))
@settings(max_examples=30)
def test_the_chunk_size_changes_nothing(probs, chunk_rows):
    codes = np.arange(40) % 5 - 1
    whole, chunked = score_items(codes, probs), score_items(codes, probs, chunk_rows=chunk_rows)
    np.testing.assert_array_equal(whole.predicted, chunked.predicted)
    for name in ("loss", "margin", "entropy", "confusion", "label_quality"):
        np.testing.assert_allclose(getattr(whole, name), getattr(chunked, name))
