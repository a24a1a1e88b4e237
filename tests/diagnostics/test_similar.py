"""The nearest items by cosine: by hand, against the plain formula, and never across two models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnostics.predictions import Predictions, object_array
from diagnostics.similar import most_similar, similar_training_items

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
