import dataclasses

import numpy as np
import pytest

from diagnostics.errors import RunError
from diagnostics.predictions import Predictions, object_array, read_predictions, write_predictions


@pytest.fixture
def predictions():
    return Predictions(
        item_ids=object_array(["b.png", "a.png", "c.png"]),
        splits=object_array(["train", "val", "unlabelled"]),
        folds=np.array([1, -1, -1]),
        kinds=object_array(["out_of_fold", "mean_of_folds", "mean_of_folds"]),
        given_labels=object_array(["cat", "dog", float("nan")]),
        pred_probs=np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], dtype=np.float32),
        embeddings=np.arange(6, dtype=np.float16).reshape(3, 2),
        classes=("cat", "dog"),
    )


def test_predictions_come_back_as_they_were_written_and_in_the_same_order(tmp_path, predictions):
    write_predictions(tmp_path, predictions)
    read = read_predictions(tmp_path)
    assert read.item_ids.tolist() == ["b.png", "a.png", "c.png"]
    assert read.splits.tolist() == ["train", "val", "unlabelled"]
    assert read.folds.tolist() == [1, -1, -1]
    assert read.given_labels.tolist() == ["cat", "dog", None]
    assert read.classes == ("cat", "dog")
    np.testing.assert_array_equal(read.pred_probs, predictions.pred_probs)
    np.testing.assert_array_equal(read.embeddings, predictions.embeddings)


def test_the_arrays_are_memory_mapped_and_small(tmp_path, predictions):
    write_predictions(tmp_path, predictions)
    read = read_predictions(tmp_path)
    assert isinstance(read.pred_probs, np.memmap)
    assert read.pred_probs.dtype == np.float32
    assert read.embeddings.dtype == np.float16


def test_writing_again_replaces_the_earlier_predictions_and_leaves_nothing_beside(tmp_path, predictions):
    write_predictions(tmp_path, predictions)
    flipped = dataclasses.replace(predictions, pred_probs=predictions.pred_probs[:, ::-1])
    write_predictions(tmp_path, flipped)
    np.testing.assert_array_equal(read_predictions(tmp_path).pred_probs, flipped.pred_probs)
    assert [path.name for path in tmp_path.iterdir()] == ["predictions"]


def test_a_run_without_predictions_says_so(tmp_path):
    with pytest.raises(RunError, match="has no predictions"):
        read_predictions(tmp_path)


def test_rows_that_do_not_fit_the_items_are_refused(tmp_path, predictions):
    short = dataclasses.replace(predictions, pred_probs=predictions.pred_probs[:2])
    with pytest.raises(RunError, match="3 items"):
        write_predictions(tmp_path, short)


def test_a_truncated_array_is_refused_with_its_place(tmp_path, predictions):
    write_predictions(tmp_path, predictions)
    path = tmp_path / "predictions" / "pred_probs.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(RunError, match="cannot be read"):
        read_predictions(tmp_path)
