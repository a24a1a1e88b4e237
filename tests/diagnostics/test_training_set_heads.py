import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.training.heads import STRENGTHS, HeadFold, fit_linear_heads
from diagnostics.training.outcomes import SigmoidOutcome

CPU = torch.device("cpu")
CLASSES = ("a", "b", "c")


@pytest.fixture(scope="module")
def data():
    """300 items of 10 features of different scales, three labels of which the last is rare."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 10))
    logits = 1.5 * features @ rng.normal(size=(10, 3)) + [0, -1, -3]
    targets = rng.random((300, 3)) < 1 / (1 + np.exp(-logits))
    scaled = (features * np.logspace(-1, 1, 10) + 3).astype(np.float16)
    return scaled, LabelSets(CLASSES, targets, np.ones(300, dtype=bool))


def make_folds(features, n_labelled=300):
    fold = np.arange(n_labelled) % 3
    return [
        HeadFold(lambda: features, np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)
    ]


def fit_set_heads(folds, label_sets, **options):
    outcome = SigmoidOutcome(torch.from_numpy(label_sets.targets))
    return fit_linear_heads(folds, outcome, n_items=len(label_sets), device=CPU, **options)


@pytest.mark.parametrize("strength", [1.0, 0.01])
def test_heads_are_a_logistic_regression_of_scikit_learn_for_each_class(data, strength):
    features, label_sets = data
    weights = np.linspace(0.5, 2, 300)
    found = fit_set_heads(
        make_folds(features), label_sets, strength=strength, weights=weights, tolerance=1e-6
    )
    assert found.largest_gradient <= 1e-6
    for fold, probs in zip(make_folds(features), found.fold_probs, strict=True):
        scaler = StandardScaler().fit(features[fold.train].astype(np.float64))
        scaled = scaler.transform(features.astype(np.float64))
        of_train = weights[fold.train] / weights[fold.train].mean()
        for place, targets in enumerate(label_sets.targets.T):
            oracle = LogisticRegression(C=1 / (strength * len(fold.train)), tol=1e-7, max_iter=2000)
            oracle.fit(scaled[fold.train], targets[fold.train], sample_weight=of_train)
            np.testing.assert_allclose(probs[:, place], oracle.predict_proba(scaled)[:, 1], atol=1e-4)


def test_labels_can_weigh_more_where_they_are_had(data):
    features, label_sets = data
    weights = np.where(label_sets.targets, [1.0, 2.0, 4.0], 1.0)
    (fold,) = make_folds(features)[:1]
    found = fit_set_heads([fold], label_sets, strength=0.01, weights=weights, tolerance=1e-6).fold_probs[0]
    scaler = StandardScaler().fit(features[fold.train].astype(np.float64))
    scaled = scaler.transform(features.astype(np.float64))
    of_item = weights[fold.train].mean(axis=1).sum()
    for place, targets in enumerate(label_sets.targets.T):
        oracle = LogisticRegression(C=1 / (0.01 * of_item), tol=1e-7, max_iter=2000)
        oracle.fit(scaled[fold.train], targets[fold.train], sample_weight=weights[fold.train, place])
        np.testing.assert_allclose(found[:, place], oracle.predict_proba(scaled)[:, 1], atol=1e-4)


def test_the_strength_is_the_one_at_which_held_out_sets_are_most_likely(data):
    features, label_sets = data
    chosen = fit_set_heads(make_folds(features), label_sets)
    rows = np.arange(300)

    def loss(strength):
        heads = fit_set_heads(make_folds(features), label_sets, strength=strength)
        held_out = heads.fold_probs[rows % 3, rows]
        return -np.log(np.where(label_sets.targets, held_out, 1 - held_out)).sum(axis=1).mean()

    place = STRENGTHS.index(chosen.strength)
    assert chosen.strength == min(STRENGTHS[max(0, place - 1) : place + 2], key=loss)
    assert min(chosen.losses) == pytest.approx(loss(chosen.strength), rel=1e-2)


def test_labels_that_nobody_and_that_everybody_has_do_no_harm_and_unlabelled_items_are_predicted(data):
    features, label_sets = data
    labelled = np.arange(300) < 240
    targets = np.column_stack([label_sets.targets, np.zeros(300, bool), np.ones(300, bool)])
    more = LabelSets((*CLASSES, "nobody", "everybody"), targets & labelled[:, None], labelled)
    found = fit_set_heads(make_folds(features, 240), more, strength=0.01)
    assert np.isfinite(found.fold_probs).all()
    assert found.fold_probs[:, :, 3].max() < 0.01
    assert found.fold_probs[:, :, 4].min() > 0.99
    alone = LabelSets(CLASSES, more.targets[:, :3], labelled)
    plain = fit_set_heads(make_folds(features, 240), alone, strength=0.01)
    np.testing.assert_allclose(found.fold_probs[:, :, :3], plain.fold_probs, atol=0.01)
