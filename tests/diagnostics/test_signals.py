import dataclasses

import numpy as np
import pytest

from diagnostics import neighbours
from diagnostics.dynamics import Dynamics
from diagnostics.neighbours import (
    NearItems,
    nearest_items,
    nearest_of_shared,
    read_near_items,
    write_near_items,
)
from diagnostics.predictions import Predictions, SharedEmbeddings, object_array
from diagnostics.signals import signals_of
from diagnostics.task import label_codes

CLASSES = ("cat", "dog")


def predictions_of(embeddings, labels, *, folds=None, kinds="out_of_fold"):
    """Two models with the same space; those of the held-out fold have not seen an item."""
    n_items = len(labels)
    folds = np.arange(n_items) % 2 if folds is None else np.asarray(folds)
    features = np.asarray(embeddings, dtype=np.float16)
    probs = np.tile(np.array([0.75, 0.25], dtype=np.float32), (n_items, 1))
    return Predictions(
        item_ids=object_array([str(number) for number in range(n_items)]),
        splits=np.full(n_items, "train", dtype=object),
        folds=folds,
        kinds=np.full(n_items, kinds, dtype=object),
        given_labels=object_array(labels),
        pred_probs=probs,
        embeddings=features,
        classes=CLASSES,
        fold_probs=np.stack([probs, probs[:, ::-1]]).astype(np.float16),
        fold_embeddings=np.stack([features, features]),
    )


def nearest_labels(predictions, contents, *, k=10):
    codes = label_codes(predictions.given_labels, CLASSES)
    return nearest_items(predictions, contents).labels(codes, codes >= 0, k=k)


def directions(*degrees):
    angles = np.deg2rad(degrees)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def test_neighbours_are_sought_among_the_items_that_the_model_was_trained_on():
    predictions = predictions_of(directions(0, 10, 20, 40), ["cat", "dog", "cat", "cat"], folds=[0, 0, 1, 1])
    near = nearest_labels(predictions, None, k=3)
    assert near.codes[0].tolist() == [0, 0, -1]
    assert near.codes[3].tolist() == [1, 0, -1]


def test_copies_of_an_item_are_not_its_neighbours():
    predictions = predictions_of(directions(0, 0, 20, 30), ["cat", "dog", "cat", "dog"], folds=[0, 1, 1, 1])
    assert nearest_labels(predictions, None, k=1).codes[0].tolist() == [0]
    same_content = ["a", "b", "a", "c"]
    assert nearest_labels(predictions, same_content, k=1).codes[0].tolist() == [1]


def test_nearer_neighbours_count_for_more():
    predictions = predictions_of(directions(0, 5, 60), ["cat", "dog", "cat"], folds=[0, 1, 1])
    support = nearest_labels(predictions, None, k=2).support(np.array([0]), 2)[0]
    assert support[1] == pytest.approx(
        np.cos(np.deg2rad(5)) ** 2 / (np.cos(np.deg2rad(5)) ** 2 + 0.25), abs=1e-3
    )


def test_small_chunks_find_the_same_neighbours(monkeypatch):
    rng = np.random.default_rng(0)
    predictions = predictions_of(rng.normal(size=(60, 4)), list(rng.choice(CLASSES, 60)))
    whole = nearest_labels(predictions, None)
    monkeypatch.setattr(neighbours, "CHUNK_CELLS", 100)
    np.testing.assert_array_equal(nearest_labels(predictions, None).codes, whole.codes)


def test_neighbours_that_may_not_count_any_more_give_way_to_the_next_nearest():
    predictions = predictions_of(directions(0, 10, 20, 30), ["cat", "dog", "cat", "dog"], folds=[0, 1, 1, 1])
    near = nearest_items(predictions, None)
    usable = np.array([True, False, True, True])
    assert near.labels(np.array([0, 1, 0, 1]), usable, k=2).codes[0].tolist() == [0, 1]
    assert near.labels(np.array([0, 1, 1, 1]), usable, k=1).codes[0].tolist() == [1], (
        "labels are those of now"
    )


def test_near_items_are_kept_and_carried_over_to_other_rows(tmp_path):
    near = NearItems(np.array([[1, 2], [0, -1], [3, 0], [2, 1]]), np.array([[0.5, 0.25]] * 4))
    write_near_items(tmp_path, near)
    carried = read_near_items(tmp_path).of_rows(np.array([2, -1, 0, 1]))
    assert carried.rows.tolist() == [[-1, 2], [-1, -1], [3, 0], [2, -1]]
    assert read_near_items(tmp_path / "nowhere") is None


def shared_predictions(folder, n_items, left_out=(), seed=0):
    """Predictions on features that lie in a file beside; of the same first items whatever their number."""
    features = np.random.default_rng(seed).normal(size=(200, 4)).astype(np.float16)
    np.save(folder / "embeddings.npy", features[None])
    rows = np.setdiff1d(np.arange(n_items), left_out)
    found = predictions_of(features[rows], ["cat"] * len(rows))
    return dataclasses.replace(
        found,
        item_ids=object_array([f"item {row}" for row in rows]),
        fold_embeddings=features[None, rows],
        shared_embeddings=SharedEmbeddings(folder / "embeddings.npy", rows),
    )


def test_what_is_near_in_shared_features_is_sought_once_and_again_when_many_items_have_changed(
    tmp_path, monkeypatch
):
    sought = []
    original = neighbours.nearest_items

    def seek(predictions, contents, *, seed=0, of=None):
        sought.append(len(predictions) if of is None else int(of.sum()))
        return original(predictions, contents, seed=seed, of=of)

    monkeypatch.setattr(neighbours, "nearest_items", seek)
    for n_items, left_out in ((100, ()), (100, (3, 50)), (103, ()), (110, ())):
        predictions = shared_predictions(tmp_path, n_items, left_out)
        contents = predictions.item_ids.tolist()
        near = nearest_of_shared(predictions, contents)
        exact = original(predictions, contents)
        usable = np.array([int(each.split()[1]) < 100 or n_items == 110 for each in contents])
        codes = np.arange(len(predictions))
        got, wanted = (each.labels(codes, usable) for each in (near, exact))
        same = (got.codes == wanted.codes).mean()
        assert same > 0.99, "equal cosines may stand in either order in half precision"
    assert sought == [100, 3, 110]


@pytest.mark.parametrize("damaged", [b"", b"half a file"])
def test_what_is_near_is_sought_anew_where_the_kept_file_cannot_be_read(tmp_path, damaged):
    predictions = shared_predictions(tmp_path, 20)
    contents = predictions.item_ids.tolist()
    wanted = nearest_of_shared(predictions, contents)
    (kept,) = tmp_path.glob("near_items-*.npz")
    kept.write_bytes(damaged)
    np.testing.assert_array_equal(nearest_of_shared(predictions, contents).rows, wanted.rows)
    np.testing.assert_array_equal(nearest_of_shared(predictions, contents).rows, wanted.rows)


def test_an_embedding_without_direction_has_no_neighbours():
    predictions = predictions_of([[0, 0], [1, 0], [0, 1]], ["cat", "dog", "cat"], folds=[0, 1, 1])
    signals = signals_of(predictions, near=nearest_items(predictions, None))
    doubts = signals.doubts(np.array([0]), np.array([0]))
    assert np.isnan(doubts[0, signals.names.index("neighbours")])


def test_a_signal_that_cannot_be_had_is_named_with_its_reason():
    predictions = predictions_of(directions(0, 10), ["cat", "dog"])
    bare = signals_of(dataclasses.replace(predictions, fold_probs=None, fold_embeddings=None))
    assert bare.names == ("held_out",)
    assert "no embeddings" in bare.missing["neighbours"]
    assert "was not recorded" in bare.missing["dynamics"]
    assert "was not recorded" in bare.missing["trained"]


def test_too_few_planted_labels_are_named_as_the_reason():
    nothing = np.empty(0, dtype=np.int64)
    dynamics = Dynamics(np.full((2, 2), 0.5), nothing, nothing, nothing, np.empty((0, 2)))
    signals = signals_of(predictions_of(directions(0, 10), ["cat", "dog"]), dynamics=dynamics)
    assert "0 labels were planted" in signals.missing["dynamics"]


def test_items_that_every_model_was_trained_on_have_no_held_out_signal():
    signals = signals_of(predictions_of(directions(0, 10), ["cat", "dog"], kinds="in_sample"))
    assert "train with folds" in signals.missing["held_out"]


def test_the_doubt_of_a_label_is_what_the_best_other_class_is_supported_more():
    signals = signals_of(predictions_of(directions(0, 10), ["cat", "dog"]))
    doubts = signals.doubts(np.array([0, 0]), np.array([0, 1]))[:, 0]
    np.testing.assert_allclose(doubts, [np.log(0.25 / 0.75), np.log(0.75 / 0.25)], atol=1e-3)


def test_trained_models_are_those_that_learnt_the_items_own_label():
    rows = np.zeros(20, dtype=np.int64)
    planted = Dynamics(np.full((4, 2), 0.5), rows, rows + 1, rows + 1, np.full((20, 2), 0.5))
    signals = signals_of(predictions_of(directions(0, 10, 20, 30), ["cat"] * 4), dynamics=planted)
    support = signals.support("trained", np.arange(3))
    assert np.isnan(support[0]).all()
    np.testing.assert_allclose(support[1:], [[0.75, 0.25], [0.25, 0.75]])
