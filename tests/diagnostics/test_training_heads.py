import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from diagnostics.errors import Cancelled, ConfigError
from diagnostics.label_space import single_space
from diagnostics.training import heads, trainers
from diagnostics.training.heads import STRENGTHS, HeadFold, fit_linear_heads
from diagnostics.training.imbalance import IMBALANCE, item_weights
from diagnostics.training.lbfgs import Point
from diagnostics.training.outcomes import SoftmaxOutcome

CPU = torch.device("cpu")
N_CLASSES = 4


@pytest.fixture(scope="module")
def data():
    """400 items of 12 features of different scales, 4 classes of different sizes, some labels wrong."""
    rng = np.random.default_rng(0)
    codes = rng.choice(N_CLASSES, size=400, p=[0.5, 0.3, 0.15, 0.05])
    centres = rng.normal(size=(N_CLASSES, 12))
    features = centres[codes] + rng.normal(size=(400, 12)) * 1.5
    features = (features * np.logspace(-1, 1, 12) + 3).astype(np.float16)
    wrong = rng.random(400) < 0.1
    codes[wrong] = rng.choice(N_CLASSES, size=wrong.sum())
    return features, codes.astype(np.int64)


def weights_for(imbalance, codes):
    return item_weights(IMBALANCE, imbalance, single_space(range(N_CLASSES)), codes)[:, 0]


def make_folds(features, n_folds=3):
    fold = np.arange(len(features)) % n_folds
    return [
        HeadFold(lambda: features, np.flatnonzero(fold != k), np.flatnonzero(fold == k))
        for k in range(n_folds)
    ]


def fit_heads(folds, codes, n_classes, **options):
    outcome = SoftmaxOutcome(torch.from_numpy(codes), n_classes)
    return fit_linear_heads(folds, outcome, n_items=len(codes), device=CPU, **options)


@pytest.mark.parametrize(
    ("strength", "imbalance"), [(1.0, "none"), (0.03, "oversample"), (0.03, "weighted_loss"), (0.001, "none")]
)
def test_heads_are_those_of_scikit_learn(data, strength, imbalance):
    features, codes = data
    weights = weights_for(imbalance, codes)
    found = fit_heads(
        make_folds(features),
        codes,
        N_CLASSES,
        weights=weights,
        strength=strength,
        tolerance=1e-6,
    )
    assert found.largest_gradient <= 1e-6
    for fold, probs in zip(make_folds(features), found.fold_probs, strict=True):
        scaler = StandardScaler().fit(features[fold.train].astype(np.float64))
        scaled = scaler.transform(features.astype(np.float64))
        oracle = LogisticRegression(C=1 / (strength * len(fold.train)), tol=1e-7, max_iter=2000)
        of_train = weights[fold.train]
        oracle.fit(scaled[fold.train], codes[fold.train], sample_weight=of_train / of_train.mean())
        np.testing.assert_allclose(probs, oracle.predict_proba(scaled), atol=1e-4)


def test_the_tolerance_that_is_used_by_itself_is_close_enough_to_rank_by(data):
    features, codes = data
    loose = fit_heads(make_folds(features), codes, N_CLASSES, strength=0.01)
    tight = fit_heads(make_folds(features), codes, N_CLASSES, strength=0.01, tolerance=1e-6)
    assert loose.largest_gradient <= heads.TOLERANCE
    assert np.abs(loose.fold_probs - tight.fold_probs).max() < 0.01


def test_the_strength_is_the_one_at_which_held_out_items_are_most_likely(data):
    features, codes = data
    chosen = fit_heads(make_folds(features), codes, N_CLASSES)
    fold = np.arange(len(codes)) % 3

    def loss(strength):
        probs = fit_heads(make_folds(features), codes, N_CLASSES, strength=strength).fold_probs
        return -np.log(probs[fold, np.arange(len(codes)), codes]).mean()

    assert chosen.strength == min(STRENGTHS, key=loss)
    assert chosen.losses[int(np.argmin(chosen.losses))] == pytest.approx(loss(chosen.strength), rel=1e-2)


def test_labels_that_mean_nothing_get_the_strongest_penalty_and_the_shares_of_the_classes(data):
    features, codes = data
    shuffled = np.random.default_rng(1).permutation(codes)
    found = fit_heads(make_folds(features), shuffled, N_CLASSES)
    assert found.strength >= 0.3
    shares = np.bincount(shuffled, minlength=N_CLASSES) / len(shuffled)
    np.testing.assert_allclose(found.fold_probs.mean(axis=(0, 1)), shares, atol=0.05)


def test_large_sets_choose_on_as_many_folds_as_hold_out_enough(data, monkeypatch):
    features, codes = data
    monkeypatch.setattr(heads, "ENOUGH_HELD_OUT", 150)
    found = fit_heads(make_folds(features), codes, N_CLASSES)
    assert found.strength in STRENGTHS
    assert found.fold_probs.shape == (3, len(codes), N_CLASSES)


def test_a_class_that_nobody_has_and_a_feature_that_never_changes_do_no_harm(data):
    features, codes = data
    constant = np.concatenate([features, np.full((len(features), 1), 7, dtype=np.float16)], axis=1)
    found = fit_heads(make_folds(constant), codes, N_CLASSES + 1, strength=0.01)
    assert np.isfinite(found.fold_probs).all()
    assert found.fold_probs[:, :, N_CLASSES].max() < 0.01
    plain = fit_heads(make_folds(features), codes, N_CLASSES, strength=0.01)
    np.testing.assert_allclose(found.fold_probs[:, :, :N_CLASSES], plain.fold_probs, atol=0.01)


def test_unlabelled_items_are_predicted_too(data):
    features, codes = data
    codes = codes.copy()
    codes[300:] = -1
    fold = np.arange(300) % 3
    parts = [
        HeadFold(lambda: features, np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)
    ]
    found = fit_heads(parts, codes, N_CLASSES)
    np.testing.assert_allclose(found.fold_probs.sum(axis=2), 1, atol=1e-5)


def test_heads_stop_on_request(data):
    features, codes = data
    with pytest.raises(Cancelled):
        fit_heads(make_folds(features), codes, N_CLASSES, should_stop=lambda: True)


def test_nothing_warns(data):
    features, codes = data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_heads(make_folds(features), codes, N_CLASSES)


def test_a_head_that_counts_rare_classes_as_much_as_common_ones_finds_more_of_them(data):
    features, codes = data
    rare = codes == codes.max()

    def predicted_rare(imbalance):
        heads = fit_heads(
            make_folds(features),
            codes,
            N_CLASSES,
            weights=weights_for(imbalance, codes),
        )
        return heads.fold_probs.mean(axis=0)[rare, codes.max()].mean()

    assert predicted_rare("oversample") > predicted_rare("weighted_loss") > predicted_rare("none")


def test_there_is_no_focal_loss_in_the_quick_estimate():
    with pytest.raises(
        ConfigError, match=r"Focal loss is not available in the quick estimate.*Train in full"
    ):
        weights_for("focal_loss", np.array([0, 1]))


def test_heads_on_a_part_know_nothing_of_labels_that_were_left_out_where_the_penalty_is_weak(
    made_up, monkeypatch
):
    said = []
    real = trainers._on_everything
    for seed in (0, 1):
        data, made = made_up({"a": 30, "b": 30}, ruler={"a": 20, "b": 20})
        torch.manual_seed(seed)

        def of_another_past(*asked):
            found = real(*asked)
            ends = [Point(torch.randn_like(end.weights), torch.randn_like(end.biases)) for end in found.ends]
            return replace(found, ends=ends, strength=1e-4)

        monkeypatch.setattr(trainers, "_on_everything", of_another_past)
        said.append(made.quick(data.train_items.iloc[::2], seed=0))
    assert np.array_equal(*said)
