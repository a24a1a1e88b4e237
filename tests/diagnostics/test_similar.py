"""The nearest items by cosine: by hand, against the plain formula, and never across two models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.predictions import Predictions, object_array
from diagnostics.similar import likeness, most_similar, similar_training_items

EVERY = np.ones(5, dtype=np.bool_)


def test_the_nearest_direction_comes_first_and_length_does_not_matter():
    embeddings = np.array([[3, 4], [6, 8], [4, 3], [-3, -4], [100, 0]], dtype=np.float16)
    rows, cosines = most_similar(embeddings, 0, EVERY, n=5)
    assert rows.tolist() == [0, 1, 2, 4, 3]
    assert cosines == pytest.approx([1, 1, 24 / 25, 3 / 5, -1])


def test_what_has_no_direction_is_left_out():
    embeddings = np.array([[1, 0], [0, 0], [np.inf, 1], [np.nan, 1], [0, 1]], dtype=np.float16)
    assert most_similar(embeddings, 0, EVERY, n=5)[0].tolist() == [0, 4]
    assert most_similar(embeddings, 1, EVERY, n=5)[0].tolist() == []
    assert most_similar(embeddings, 3, EVERY, n=5)[0].tolist() == []


def test_large_values_do_not_overflow_the_half_precision_that_they_are_kept_in():
    embeddings = np.full((5, 512), 1000, dtype=np.float16)
    assert most_similar(embeddings, 0, EVERY, n=1)[1] == pytest.approx([1.0])


@given(
    seed=st.integers(0, 10_000),
    n_items=st.integers(1, 40),
    n=st.integers(1, 6),
    chunk_rows=st.integers(1, 50),
)
def test_chunks_give_what_the_whole_matrix_gives(seed, n_items, n, chunk_rows):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n_items, 3)).astype(np.float16)
    candidates = rng.random(n_items) < 0.7
    rows, cosines = most_similar(embeddings, 0, candidates, n=n, chunk_rows=chunk_rows)
    exact = embeddings.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    expected = np.sort((exact @ exact[0])[candidates])[::-1][:n]
    assert cosines == pytest.approx(expected, abs=1e-4)
    assert candidates[rows].all()


def made(kinds, folds, splits):
    n_items = len(kinds)
    return Predictions(
        item_ids=object_array([str(number) for number in range(n_items)]),
        splits=object_array(splits),
        folds=np.array(folds),
        kinds=object_array(kinds),
        given_labels=object_array(["cat"] * n_items),
        pred_probs=np.ones((n_items, 1), dtype=np.float32),
        embeddings=np.ones((n_items, 2), dtype=np.float16),
        classes=("cat",),
    )


def test_an_item_is_compared_with_training_items_of_its_own_model_alone():
    kinds = ["out_of_fold"] * 5 + ["mean_of_folds"] * 2
    splits = ["train"] * 5 + ["val", "unlabelled"]
    predictions = made(kinds, [0, 1, 0, 1, 2, -1, -1], splits)
    assert predictions.embedding_models.tolist() == [0, 1, 0, 1, 2, 0, 0]
    assert similar_training_items(predictions, 0, n=5)[0].tolist() == [2]
    assert similar_training_items(predictions, 1, n=5)[0].tolist() == [3]
    assert similar_training_items(predictions, 4, n=5)[0].tolist() == []
    assert similar_training_items(predictions, 5, n=5)[0].tolist() == [0, 2]


def test_without_folds_all_training_items_come_from_the_one_model():
    predictions = made(["in_sample"] * 3 + ["single_model"], [0, 1, -1, -1], ["train"] * 3 + ["val"])
    assert similar_training_items(predictions, 0, n=5)[0].tolist() == [1, 2]
    assert similar_training_items(predictions, 3, n=5)[0].tolist() == [0, 1, 2]


def _of_two_models(fold_embeddings) -> Predictions:
    """Items a, b (train, held out by the first and the second model) and u, w (unlabelled)."""
    return Predictions(
        item_ids=object_array(["a", "b", "u", "w"]),
        splits=object_array(["train", "train", "unlabelled", "unlabelled"]),
        folds=np.array([0, 1, -1, -1]),
        kinds=object_array(["out_of_fold", "out_of_fold", "mean_of_folds", "mean_of_folds"]),
        given_labels=object_array(["cat", "dog", None, None]),
        pred_probs=np.full((4, 2), 0.5, dtype=np.float32),
        embeddings=np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float16),
        classes=("cat", "dog"),
        fold_embeddings=fold_embeddings,
    )


KNOWN, WANTED = np.array([True, True, False, False]), np.array([False, False, True, True])


def test_likeness_is_measured_in_the_space_of_the_first_model_alone():
    first, second = [[1, 0], [1, 1], [0, 2], [3, 0]], [[0, 1], [0, 1], [0, 1], [0, 1]]
    found = likeness(_of_two_models(np.array([first, second], dtype=np.float16)), KNOWN, WANTED)
    assert np.isnan(found[:2]).all()
    assert found[2:] == pytest.approx([np.sqrt(0.5) / 2, (1 + np.sqrt(0.5)) / 2], abs=1e-4)


def test_a_run_that_kept_one_embedding_an_item_compares_only_what_one_model_made():
    found = likeness(_of_two_models(None), KNOWN, WANTED)
    assert found[2:].tolist() == [1.0, 0.0]


def test_nothing_is_like_no_known_items_and_what_has_no_direction_is_like_nothing():
    predictions = _of_two_models(np.array([[[1, 0], [1, 0], [0, 0], [1, 0]]], dtype=np.float16))
    assert np.isnan(likeness(predictions, ~KNOWN & ~WANTED, WANTED)).all()
    assert np.isnan(likeness(predictions, KNOWN, WANTED)[2])


def test_only_the_nearest_known_items_count():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1, 40, 3)).astype(np.float16)
    predictions = Predictions(
        item_ids=object_array([str(number) for number in range(40)]),
        splits=object_array(["train"] * 30 + ["unlabelled"] * 10),
        folds=np.full(40, -1),
        kinds=object_array(["in_sample"] * 30 + ["single_model"] * 10),
        given_labels=object_array(["cat"] * 30 + [None] * 10),
        pred_probs=np.full((40, 2), 0.5, dtype=np.float32),
        embeddings=None,
        classes=("cat", "dog"),
        fold_embeddings=values,
    )
    known = np.arange(40) < 30
    exact = values[0].astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    nearest = np.sort(exact[30:] @ exact[:30].T, axis=1)[:, -3:].mean(axis=1)
    assert likeness(predictions, known, ~known)[30:] == pytest.approx(nearest, abs=1e-3)
