"""Labels planted in trainings of several labels an item, and what is learnt from them of wrong pairs."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from diagnostics.dynamics import Dynamics, write_dynamics
from diagnostics.label_kinds.multi_scoring import carried_dynamics
from diagnostics.label_space import set_space
from diagnostics.multilabel.label_quality import fit_pair_quality
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.planting import plant_toggles
from diagnostics.multilabel.signals import pair_signals
from diagnostics.predictions import OUT_OF_FOLD, Predictions, object_array
from diagnostics.signals import DYNAMICS

CLASSES = tuple("abcd")
N_MODELS, N_ITEMS = 4, 800


def drawn(share=0.05):
    targets = np.random.default_rng(1).random((N_ITEMS, 4)) < (0.1, 0.3, 0.5, 0.7)
    texts = LabelSets(CLASSES, targets, np.ones(N_ITEMS, dtype=bool)).texts()
    space = set_space(CLASSES, texts)
    codes = space.codes(texts)
    trained_on = [np.flatnonzero(np.arange(N_ITEMS) % N_MODELS != model) for model in range(N_MODELS)]
    return targets, codes, *plant_toggles(space, trained_on, codes, share=share, seed=0)


def test_each_planted_set_differs_from_the_items_own_in_the_one_class_that_is_named():
    targets, codes, space, planted = drawn()
    for labels in planted:
        changed = space.targets(labels.codes) ^ targets[labels.positions]
        assert (changed.sum(axis=1) == 1).all()
        assert (changed.argmax(axis=1) == labels.classes).all()
    assert space.targets(codes).tolist() == targets.tolist()


def test_an_item_is_planted_in_one_model_at_most_and_about_half_of_them_lose_a_label():
    targets, _, _, planted = drawn()
    positions, columns = (
        np.concatenate([getattr(labels, name) for labels in planted]) for name in ("positions", "classes")
    )
    assert len(np.unique(positions)) == len(positions) == N_MODELS * round(0.05 * 600)
    assert 0.35 < targets[positions, columns].mean() < 0.6


def test_labels_are_added_as_often_as_items_have_them():
    targets, _, _, planted = drawn(share=0.3)
    added = np.concatenate([each.classes[~targets[each.positions].any(axis=1)] for each in planted])
    rare, _, _, common = np.bincount(added, minlength=4)
    assert common > 2 * rare


def test_nothing_is_planted_where_the_share_is_0():
    _, _, space, planted = drawn(share=0.0)
    assert sum(len(labels.positions) for labels in planted) == 0
    assert len(space.names) <= 16


def noisy(n_planted):
    """Pairs of which one in fifty is wrong, held-out probabilities that tell it badly, dynamics that tell it well."""
    rng = np.random.default_rng(0)
    true = rng.random((N_ITEMS, 4)) < 0.4
    wrong = rng.random(true.shape) < 0.02
    sets = LabelSets(CLASSES, true ^ wrong, np.ones(N_ITEMS, dtype=bool))
    probs, learnt = (
        1 / (1 + np.exp(-np.where(true, by, -by) - rng.normal(size=true.shape))) for by in (1.0, 2.5)
    )
    rows = np.arange(n_planted)
    columns = rng.integers(0, 4, n_planted)
    dynamics = Dynamics(learnt, rows, columns, np.zeros(n_planted, dtype=np.int64), learnt[rows])
    return sets, probs, wrong, dynamics


def test_what_models_say_in_training_finds_wrong_pairs_that_held_out_predictions_miss():
    sets, probs, wrong, dynamics = noisy(200)
    found = []
    for known in (None, dynamics):
        signals = pair_signals(sets, probs, dynamics=known)
        quality = fit_pair_quality(signals).of(signals, slice(None))
        found.append(average_precision_score(wrong.ravel(), -quality.ravel()))
    assert found[1] > found[0] + 0.1


def test_too_few_planted_labels_say_nothing():
    sets, probs, _, dynamics = noisy(10)
    assert DYNAMICS not in pair_signals(sets, probs, dynamics=dynamics).names


def test_items_that_were_not_watched_are_judged_by_the_other_signals():
    sets, probs, _, dynamics = noisy(200)
    dynamics.probs[400:] = np.nan
    signals = pair_signals(sets, probs, dynamics=dynamics)
    quality = fit_pair_quality(signals)
    assert {weights.signals for weights in quality.given} == {("held_out",), ("held_out", DYNAMICS)}
    assert not np.isnan(quality.of(signals, slice(None))).any()


def predictions_of(item_ids, labels):
    n_items = len(item_ids)
    return Predictions(
        item_ids=object_array(item_ids),
        splits=object_array(["train"] * n_items),
        folds=np.zeros(n_items, dtype=np.int64),
        kinds=object_array([OUT_OF_FOLD] * n_items),
        given_labels=object_array(labels),
        pred_probs=np.full((n_items, 2), 0.5),
        embeddings=None,
        classes=("a", "b"),
        label_kind="multi",
    )


def test_a_quick_round_has_what_training_said_of_items_with_the_same_labels_still(tmp_path):
    learnt = np.array([[0.25, 0.5], [0.125, 0.5], [0.75, 0.5]])
    ones = np.ones(2, dtype=np.int64)
    write_dynamics(tmp_path, Dynamics(learnt, np.array([0, 1]), ones, ones, learnt[:2]))
    then = predictions_of(["x", "y", "z"], ["a", "a|b", "(none)"])
    now = predictions_of(["z", "new", "y", "x"], ["(none)", "a", "a", "a"])
    carried = carried_dynamics(tmp_path, then, now)
    assert carried is not None
    assert carried.probs[:, 0].tolist() == pytest.approx([0.75, np.nan, np.nan, 0.25], nan_ok=True)
    assert (carried.planted_rows.tolist(), carried.planted_probs.tolist()) == ([3], [[0.25, 0.5]])
    assert carried_dynamics(tmp_path / "nowhere", then, now) is None
