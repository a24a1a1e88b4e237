import dataclasses
import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from diagnostics.dynamics import Dynamics
from diagnostics.errors import DataError, RunError
from diagnostics.label_quality import (
    FILE,
    LABEL_RIGHT,
    LABEL_WRONG,
    LabelQuality,
    fit_label_quality,
    read_label_quality,
    wrong_share,
)
from diagnostics.neighbours import nearest_items
from diagnostics.predictions import Predictions, object_array
from diagnostics.run_folder import write_text
from diagnostics.scores import scores_table
from diagnostics.signals import signals_of

N_ITEMS, N_CLASSES, N_FEATURES, N_FOLDS = 1500, 5, 12, 3
CLASSES = ("ant", "bee", "cat", "dog", "elk")


class Blobs:
    """Overlapping clouds with 12 % of the labels swapped, and what three weak models and their training say of them.

    Each model is logistic regression on a few features of its own; the dynamics are those of models that see all
    features and learn the labels that they are given, planted ones too.
    """

    def __init__(self, *, seed=0, separation=1.0, noise=0.12):
        rng = np.random.default_rng(seed)
        self.true = rng.integers(0, N_CLASSES, N_ITEMS)
        centres = separation * rng.normal(size=(N_CLASSES, N_FEATURES))
        features = centres[self.true] + rng.normal(size=(N_ITEMS, N_FEATURES))
        self.codes = self.true.copy()
        swapped = rng.choice(N_ITEMS, round(noise * N_ITEMS), replace=False)
        self.codes[swapped] = (self.true[swapped] + rng.integers(1, N_CLASSES, len(swapped))) % N_CLASSES
        self.wrong = self.codes != self.true
        folds = rng.integers(0, N_FOLDS, N_ITEMS)
        weak = [features[:, rng.choice(N_FEATURES, 6, replace=False)] for _ in range(N_FOLDS)]
        fold_probs = np.empty((N_FOLDS, N_ITEMS, N_CLASSES), dtype=np.float16)
        learnt, planted = [], []
        turns = rng.permutation(N_ITEMS) % N_FOLDS
        for fold in range(N_FOLDS):
            seen = np.flatnonzero(folds != fold)
            chosen = rng.choice(seen[turns[seen] == fold], 40, replace=False)
            codes = self.codes.copy()
            codes[chosen] = (codes[chosen] + rng.integers(1, N_CLASSES, 40)) % N_CLASSES
            fold_probs[fold] = probabilities(weak[fold], codes, seen)
            learnt.append(np.full((N_ITEMS, N_CLASSES), np.nan))
            learnt[-1][seen] = (
                0.8 * probabilities(features, codes, seen)[seen] + 0.2 * np.eye(N_CLASSES)[codes[seen]]
            )
            planted.append((chosen, codes[chosen], np.full(40, fold), learnt[-1][chosen]))
            learnt[-1][chosen] = np.nan
        rows, codes, models, probs = (np.concatenate(parts) for parts in zip(*planted, strict=True))
        self.dynamics = Dynamics(np.nanmean(learnt, axis=0), rows, codes, models, probs)
        self.predictions = Predictions(
            item_ids=object_array([f"{number:04}" for number in range(N_ITEMS)]),
            splits=np.full(N_ITEMS, "train", dtype=object),
            folds=folds,
            kinds=np.full(N_ITEMS, "out_of_fold", dtype=object),
            given_labels=np.asarray(CLASSES, dtype=object)[self.codes],
            pred_probs=fold_probs[folds, np.arange(N_ITEMS)].astype(np.float32),
            embeddings=features.astype(np.float16),
            classes=CLASSES,
            fold_probs=fold_probs,
            fold_embeddings=np.stack([features] * N_FOLDS).astype(np.float16),
        )

    def signals(self):
        return signals_of(
            self.predictions, dynamics=self.dynamics, near=nearest_items(self.predictions, None)
        )

    def bare_signals(self):
        """Of probabilities alone."""
        bare = dataclasses.replace(self.predictions, fold_probs=None, fold_embeddings=None)
        return signals_of(bare)

    def average_precision(self, quality):
        return average_precision_score(self.wrong, -quality)


def probabilities(features, codes, seen):
    return LogisticRegression(max_iter=200).fit(features[seen], codes[seen]).predict_proba(features)


@pytest.fixture(scope="module")
def blobs():
    return Blobs()


@pytest.fixture(scope="module")
def quality(blobs):
    return fit_label_quality(blobs.signals())


def test_wrong_labels_are_found_sooner_than_by_the_loss(blobs, quality):
    loss = scores_table(blobs.predictions)["loss"].to_numpy()
    by_loss = average_precision_score(blobs.wrong, loss)
    assert blobs.average_precision(quality.of(blobs.signals())) > by_loss + 0.05


def test_probabilities_alone_are_ranked_no_worse_than_by_the_loss(blobs):
    signals = blobs.bare_signals()
    loss = scores_table(blobs.predictions)["loss"].to_numpy()
    found = blobs.average_precision(fit_label_quality(signals).of(signals))
    assert found > average_precision_score(blobs.wrong, loss) - 0.01


def test_the_expected_number_of_wrong_labels_is_near_the_true_one(blobs, quality):
    expected = (1 - quality.of(blobs.signals())).sum()
    assert blobs.wrong.sum() * 0.7 < expected < blobs.wrong.sum() * 1.3


def test_of_the_labels_that_are_called_surely_right_or_surely_wrong_nearly_all_are(blobs, quality):
    found = quality.of(blobs.signals())
    assert blobs.wrong[found < 0.1].mean() > 0.8
    assert blobs.wrong[found > 0.95].mean() < 0.06


def test_the_share_of_wrong_labels_is_read_where_only_wrong_ones_score_high():
    right, wrong = (
        np.random.default_rng(0).normal(size=9000),
        np.random.default_rng(1).normal(3, 1, size=1000),
    )
    planted = np.random.default_rng(2).normal(3, 1, size=2000)
    assert wrong_share(np.append(right, wrong), planted, np.ones(2000)) == pytest.approx(0.1, abs=0.01)


def test_planted_labels_that_are_unlikely_count_for_less():
    scores = np.repeat([0.0, 1.0], [90, 10])
    planted = np.repeat([0.0, 1.0], 5)
    assert wrong_share(scores, planted, np.repeat([3.0, 7.0], 5)) == pytest.approx(0.1 / 0.7, abs=1e-6)


def test_clean_labels_are_not_called_wrong_in_numbers():
    clean = Blobs(noise=0.0, separation=2.0)
    expected = (1 - fit_label_quality(clean.signals()).of(clean.signals())).sum()
    assert expected < 0.03 * N_ITEMS


def test_weights_are_never_negative_so_that_more_doubt_is_never_better(quality):
    assert all(weight >= 0 for weights in quality.weights for weight in weights.weights)


def test_the_same_seed_gives_the_same_weights_and_another_only_draws_other_labels(blobs):
    signals = blobs.bare_signals()
    first, again, other = (fit_label_quality(signals, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert np.abs(first.of(signals) - other.of(signals)).max() < 0.1


def test_fitting_changes_nothing_in_the_data(blobs):
    signals = blobs.signals()
    before = signals.codes.copy(), np.array(signals.pred_probs), signals.dynamics.probs.copy()
    given = blobs.predictions.given_labels.tolist()
    fit_label_quality(signals)
    for was, now in zip(before, (signals.codes, signals.pred_probs, signals.dynamics.probs), strict=True):
        np.testing.assert_array_equal(was, now)
    assert blobs.predictions.given_labels.tolist() == given


def test_verdicts_move_the_probabilities_the_way_they_say(blobs):
    signals = blobs.signals()
    plain = fit_label_quality(signals).of(signals)
    uncertain = np.argsort(np.abs(plain - 0.7))[:120]
    for verdict, direction in ((LABEL_RIGHT, 1), (LABEL_WRONG, -1)):
        verdicts = np.zeros(N_ITEMS, dtype=np.int64)
        verdicts[uncertain[::2]] = verdict
        moved = fit_label_quality(signals, verdicts=verdicts).of(signals)
        assert direction * (moved[uncertain[1::2]] - plain[uncertain[1::2]]).mean() > 0.03


def test_confirming_what_was_surely_wrong_anyway_changes_little_elsewhere(blobs, quality):
    signals = blobs.signals()
    plain = quality.of(signals)
    verdicts = np.zeros(N_ITEMS, dtype=np.int64)
    verdicts[np.argsort(plain)[:80]] = LABEL_WRONG
    moved = fit_label_quality(signals, verdicts=verdicts).of(signals)
    assert np.abs(moved - plain).mean() < 0.02


def test_a_signal_that_verdicts_contradict_loses_weight(blobs):
    signals = blobs.signals()
    column = signals.names.index("neighbours")
    doubts = signals.doubts(np.arange(N_ITEMS), signals.codes)
    verdicts = np.zeros(N_ITEMS, dtype=np.int64)
    verdicts[np.argsort(-doubts[:, column])[:200]] = LABEL_RIGHT
    before, after = (fit_label_quality(signals, verdicts=given).weights[0] for given in (None, verdicts))
    assert after.weights[column] < before.weights[column]
    assert after.n_verdicts == 200


def test_verdicts_for_other_items_are_refused(blobs):
    with pytest.raises(DataError, match="one verdict for each of 1500 items"):
        fit_label_quality(blobs.signals(), verdicts=np.zeros(3, dtype=np.int64))


def test_items_without_dynamics_are_judged_by_what_there_is(blobs, quality):
    """Such as the test split, of which nothing is learnt."""
    splits, kinds = blobs.predictions.splits.copy(), blobs.predictions.kinds.copy()
    splits[:100], kinds[:100] = "test", "mean_of_folds"
    probs = blobs.dynamics.probs.copy()
    probs[:100] = np.nan
    predictions = dataclasses.replace(blobs.predictions, splits=splits, kinds=kinds)
    dynamics = dataclasses.replace(blobs.dynamics, probs=probs)
    signals = signals_of(predictions, dynamics=dynamics, near=nearest_items(predictions, None))
    learnt = fit_label_quality(signals)
    assert [set(weights.signals) for weights in learnt.weights][-1] == {"held_out", "neighbours"}
    assert sum(weights.n_items for weights in learnt.weights[:1]) == N_ITEMS - 100
    assert not np.isnan(learnt.of(signals)).any()


def test_items_without_a_label_have_no_label_quality(blobs, quality):
    labels = blobs.predictions.given_labels.copy()
    labels[:10] = None
    predictions = dataclasses.replace(blobs.predictions, given_labels=labels)
    near = nearest_items(predictions, None)
    signals = signals_of(predictions, dynamics=blobs.dynamics, near=near)
    assert np.isnan(quality.of(signals)[:10]).all()
    assert not np.isnan(quality.of(signals)[10:]).any()


def test_too_few_items_to_learn_from_give_no_probability():
    few = Blobs()
    predictions = few.predictions
    parts = {
        name: getattr(predictions, name)[:10]
        for name in ("item_ids", "splits", "folds", "kinds", "given_labels", "pred_probs", "embeddings")
    }
    signals = signals_of(Predictions(**parts, classes=CLASSES))
    learnt = fit_label_quality(signals)
    assert learnt.weights == ()
    assert np.isnan(learnt.of(signals)).all()


def test_weights_come_back_as_they_were_written(tmp_path, quality):
    write_text(tmp_path / FILE, json.dumps(quality.to_json()))
    assert read_label_quality(tmp_path) == quality
    assert read_label_quality(tmp_path / "older") is None


def test_weights_of_a_newer_format_or_damaged_ones_are_refused(tmp_path, quality):
    path = tmp_path / "label_quality.json"
    path.write_text(json.dumps(quality.to_json() | {"format_version": 99}))
    with pytest.raises(RunError, match="Install a newer Winnow"):
        read_label_quality(tmp_path)
    path.write_text("{}")
    with pytest.raises(RunError, match="Train again"):
        read_label_quality(tmp_path)


def test_the_missing_signals_are_kept_with_the_weights(blobs):
    learnt = fit_label_quality(blobs.bare_signals())
    assert set(learnt.missing) == {"neighbours", "dynamics", "trained"}
    assert LabelQuality.from_json(json.loads(json.dumps(learnt.to_json()))) == learnt


def test_one_class_has_no_other_that_could_be_right():
    n_items = 40
    predictions = Predictions(
        item_ids=object_array([str(number) for number in range(n_items)]),
        splits=np.full(n_items, "train", dtype=object),
        folds=np.zeros(n_items, dtype=np.int64),
        kinds=np.full(n_items, "out_of_fold", dtype=object),
        given_labels=np.full(n_items, "ant", dtype=object),
        pred_probs=np.ones((n_items, 1), dtype=np.float32),
        embeddings=np.zeros((n_items, 2), dtype=np.float16),
        classes=("ant",),
    )
    signals = signals_of(predictions)
    assert np.isnan(fit_label_quality(signals).of(signals)).all()
