import dataclasses
import json

import numpy as np
import pytest

from diagnostics import fold_arrays
from diagnostics.errors import RunError
from diagnostics.fold_arrays import FoldRows, PickedRows
from diagnostics.predictions import (
    Predictions,
    object_array,
    pick_embeddings,
    read_embedded,
    read_predictions,
    write_predictions,
)


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


@pytest.fixture
def by_fold(predictions):
    """The same as of three models; features 100 * model + 10 * item."""
    numbers = 100 * np.arange(3)[:, None] + 10 * np.arange(3)
    embeddings = np.stack([numbers, numbers + 1], axis=2).astype(np.float16)
    return dataclasses.replace(
        predictions,
        embeddings=pick_embeddings(embeddings, predictions.kinds, predictions.folds),
        fold_probs=np.full((3, 3, 2), 0.5, dtype=np.float16),
        fold_embeddings=embeddings,
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


def test_what_every_model_says_of_every_item_is_kept_and_memory_mapped(tmp_path, by_fold):
    write_predictions(tmp_path, by_fold)
    read = read_predictions(tmp_path)
    assert isinstance(read.fold_probs, np.memmap)
    assert isinstance(read.fold_embeddings, np.memmap)
    np.testing.assert_array_equal(read.fold_probs, by_fold.fold_probs)
    np.testing.assert_array_equal(read.fold_embeddings, by_fold.fold_embeddings)


def test_the_embedding_of_a_held_out_item_is_of_the_model_that_did_not_see_it_and_stored_once(
    tmp_path, by_fold
):
    write_predictions(tmp_path, by_fold)
    read = read_predictions(tmp_path)
    assert np.asarray(read.embeddings).tolist() == [[100, 101], [10, 11], [20, 21]]
    names = {path.name for path in (tmp_path / "predictions").glob("*.npy")}
    assert names == {"pred_probs.npy", "fold_probs.npy", "fold_embeddings.npy"}


def test_features_of_one_network_for_all_folds_can_all_be_compared(by_fold):
    shared = dataclasses.replace(by_fold, fold_embeddings=by_fold.fold_embeddings[:1])
    assert by_fold.embedding_models.tolist() == [1, 0, 0]
    assert shared.embedding_models.tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["predictions", "by_fold"])
def test_the_embeddings_alone_are_those_of_the_predictions(tmp_path, request, name):
    predictions = request.getfixturevalue(name)
    write_predictions(tmp_path, predictions)
    whole, alone = read_predictions(tmp_path), read_embedded(tmp_path)
    np.testing.assert_array_equal(np.asarray(alone.embeddings), np.asarray(whole.embeddings))
    assert alone.embedding_models.tolist() == whole.embedding_models.tolist()
    assert alone.is_train.tolist() == whole.is_train.tolist() == (whole.splits == "train").tolist()


def test_a_run_of_before_the_folds_were_kept_opens_without_them(tmp_path, predictions):
    write_predictions(tmp_path, predictions)
    path = tmp_path / "predictions" / "predictions.json"
    path.write_text(json.dumps({"format_version": 1, "classes": ["cat", "dog"]}))
    read = read_predictions(tmp_path)
    assert read.fold_probs is None
    assert read.fold_embeddings is None
    np.testing.assert_array_equal(read.embeddings, predictions.embeddings)


def test_a_newer_format_is_refused(tmp_path, predictions):
    write_predictions(tmp_path, predictions)
    (tmp_path / "predictions" / "predictions.json").write_text('{"format_version": 3, "classes": []}')
    with pytest.raises(RunError, match="newer Winnow"):
        read_predictions(tmp_path)


def test_fold_arrays_for_other_items_are_refused(tmp_path, by_fold):
    short = dataclasses.replace(by_fold, fold_probs=by_fold.fold_probs[:, :2])
    with pytest.raises(RunError, match="3 items"):
        write_predictions(tmp_path, short)


@pytest.mark.parametrize("rows", [0, 3, slice(1, 4), np.array([4, 0, 0])])
def test_picked_rows_are_indexed_as_the_array_they_stand_for(rows):
    values = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float16)
    models = np.array([2, 0, 1, 1, 0])
    whole = values[models, np.arange(5)]
    picked = PickedRows(values, models)
    np.testing.assert_array_equal(picked[rows], whole[rows])
    np.testing.assert_array_equal(np.asarray(picked), whole)


def test_models_read_through_a_choice_of_rows_are_written_in_chunks_as_the_array_they_stand_for(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(fold_arrays, "CHUNK_CELLS", 4)
    values = np.arange(2 * 5 * 2, dtype=np.float16).reshape(2, 5, 2)
    rows = np.array([4, 0, 2])
    fold_arrays.write_fold_array(tmp_path / "a.npy", FoldRows(values, rows))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values[:, rows])
