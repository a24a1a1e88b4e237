"""What a quick round takes over from the full run, and what it learns from people."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from diagnostics.dynamics import Dynamics, write_dynamics
from diagnostics.predictions import Predictions, object_array
from diagnostics.signals import signals_of
from diagnostics.training.quick_scores import score_quick_round, with_training_of

CLASSES = ("cat", "dog", "fox")
N_ITEMS, N_MODELS, N_PLANTED = 90, 3, 24


def predictions_of(seed, labels):
    rng = np.random.default_rng(seed)
    codes = np.array([CLASSES.index(label) for label in labels])
    fold_probs = rng.dirichlet(np.ones(3), (N_MODELS, N_ITEMS)) + 2 * np.eye(3)[codes]
    fold_probs /= fold_probs.sum(axis=2, keepdims=True)
    folds = np.arange(N_ITEMS) % N_MODELS
    return Predictions(
        item_ids=object_array([f"{number:03}" for number in range(N_ITEMS)]),
        splits=np.full(N_ITEMS, "train", dtype=object),
        folds=folds,
        kinds=np.full(N_ITEMS, "out_of_fold", dtype=object),
        given_labels=object_array(labels),
        pred_probs=fold_probs[folds, np.arange(N_ITEMS)].astype(np.float32),
        embeddings=rng.normal(size=(N_ITEMS, 4)).astype(np.float16),
        classes=CLASSES,
        fold_probs=fold_probs.astype(np.float16),
        fold_embeddings=rng.normal(size=(N_MODELS, N_ITEMS, 4)).astype(np.float16),
    )


@pytest.fixture(scope="module")
def labels():
    return [CLASSES[number % 3] for number in range(N_ITEMS)]


@pytest.fixture(scope="module")
def base(tmp_path_factory, labels):
    folder = tmp_path_factory.mktemp("run-0001")
    rng = np.random.default_rng(5)
    rows = np.arange(N_PLANTED) + 10
    dynamics = Dynamics(
        probs=rng.dirichlet(np.ones(3), N_ITEMS),
        planted_rows=rows,
        planted_codes=(rows + 1) % 3,
        planted_models=(rows + 1) % N_MODELS,
        planted_probs=rng.dirichlet(np.ones(3), N_PLANTED),
    )
    write_dynamics(folder, dynamics)
    info = SimpleNamespace(run_id="run-0001")
    return SimpleNamespace(predictions=predictions_of(0, labels), folder=folder, info=info)


def scored(predictions, base, decided=()):
    hashes = pd.Series([f"hash {number}" for number in range(N_ITEMS)])
    return score_quick_round(predictions, base, content_hashes=hashes, decided=decided, seed=0)


def test_what_training_said_holds_for_the_labels_that_are_as_they_were(base, labels):
    changed = ["fox", *labels[1:]]
    table, quality = scored(predictions_of(1, changed), base, decided={"000"})
    assert quality.missing == {}
    said = table["doubt_dynamics"].to_numpy()
    assert np.isnan(said[0])
    assert not np.isnan(said[1:]).any()
    assert table["label_quality"].between(0, 1).all()


def test_decisions_are_learnt_from_whether_they_changed_the_label_or_not(base, labels):
    changed = ["fox", "fox", *labels[2:]]
    _, quality = scored(predictions_of(1, changed), base, decided={"000", "001", "005"})
    whole = max(quality.weights, key=lambda weights: len(weights.signals))
    assert (len(whole.signals), whole.n_verdicts) == (4, 3)


def test_items_are_matched_by_id_and_new_ones_have_no_training(base, labels):
    now = predictions_of(1, labels)
    order = np.roll(np.arange(N_ITEMS), 7)
    ids = now.item_ids[order].copy()
    ids[0] = "new"
    signals = with_training_of(
        base, ids, signals_of(replace(now, item_ids=ids, given_labels=now.given_labels[order]))
    )
    of_base = np.asarray(np.load(base.folder / "dynamics" / "probs.npy"), dtype=float)
    found = signals.support("dynamics", np.arange(N_ITEMS))
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1:], of_base[order[1:]])
    assert np.isnan(signals.support("trained", np.array([0]))).all()
    planted = {str(ids[row]) for row in signals.dynamics.planted_rows}
    assert planted == {f"{row:03}" for row in range(10, 10 + N_PLANTED)} - {str(now.item_ids[order[0]])}


def test_other_classes_or_a_run_of_before_are_named_as_the_reason(base, labels, tmp_path):
    other = replace(predictions_of(1, labels), classes=("cat", "dog", "wolf"))
    other = replace(other, given_labels=object_array([label.replace("fox", "wolf") for label in labels]))
    table, quality = scored(other, base)
    assert "classes have changed since run-0001" in quality.missing["dynamics"]
    assert table["label_quality"].notna().all()
    old = SimpleNamespace(predictions=base.predictions, folder=tmp_path, info=base.info)
    assert "did not record" in scored(predictions_of(1, labels), old)[1].missing["dynamics"]


def test_without_a_full_run_decisions_still_count(labels):
    _, quality = scored(predictions_of(1, labels), None, decided={"003"})
    assert {weights.n_verdicts for weights in quality.weights} == {1}
