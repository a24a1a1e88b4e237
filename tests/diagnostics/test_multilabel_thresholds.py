import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from diagnostics.errors import DataError
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.metrics import set_report
from diagnostics.multilabel.thresholds import (
    BEST_F1,
    FROM_OTHERS,
    best_f1_threshold,
    best_f1_thresholds,
    cross_fitted_sets,
    fixed_thresholds,
)


def sets_of(targets, labelled=None):
    labelled = np.ones(len(targets), dtype=bool) if labelled is None else labelled
    return LabelSets(tuple("abcdefghij"[: targets.shape[1]]), targets, labelled)


def test_the_threshold_lies_between_the_items_that_have_the_label_and_those_that_have_not():
    has = np.array([True, True, False, False])
    assert best_f1_threshold(has, np.array([0.9, 0.8, 0.3, 0.1])) == pytest.approx(0.55)


def test_items_of_equal_probability_are_not_parted():
    has, probs = np.array([True, False, True, False]), np.array([0.6, 0.6, 0.6, 0.1])
    threshold = best_f1_threshold(has, probs)
    assert (probs >= threshold).tolist() == [True, True, True, False]


def test_of_equal_f1_the_threshold_nearest_to_a_half_is_taken():
    has = np.array([True, False, True, False, False, False])
    probs = np.array([0.95, 0.94, 0.4, 0.3, 0.2, 0.1])
    f1 = [f1_score(has, probs >= cut) for cut in (0.945, 0.67, 0.35)]
    assert f1[0] == pytest.approx(2 / 3)
    assert f1[2] == pytest.approx(0.8)
    has[2], has[3] = False, False
    assert best_f1_threshold(has, probs) == pytest.approx(0.945)
    has = np.array([True, False, False, True, False, False])
    probs = np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1])
    assert [round(f1_score(has, probs >= cut), 3) for cut in (0.85, 0.25)] == [0.667, 0.667]
    assert best_f1_threshold(has, probs) == pytest.approx(0.25)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_no_other_threshold_has_a_better_f1(seed):
    rng = np.random.default_rng(seed)
    has = rng.random(30) < 0.4
    has[0] = True
    probs = rng.integers(0, 12, 30) / 11
    best = f1_score(has, probs >= best_f1_threshold(has, probs))
    assert best >= max(f1_score(has, probs >= cut) for cut in np.unique(probs)) - 1e-12


def test_a_class_with_few_items_gets_the_median_of_the_others_and_says_so():
    rng = np.random.default_rng(0)
    targets = rng.random((200, 4)) < [0.3, 0.4, 0.5, 0.01]
    targets[:, 3] = np.arange(200) < 3
    probs = np.clip(targets * 0.4 + 0.5 * rng.random(targets.shape), 0, 1)
    found = best_f1_thresholds(sets_of(targets), probs)
    assert found.origins.tolist() == [BEST_F1, BEST_F1, BEST_F1, FROM_OTHERS]
    assert found.values[3] == np.median(found.values[:3])
    alone = best_f1_thresholds(sets_of(targets[:, 3:]), probs[:, 3:])
    assert (alone.values.tolist(), alone.origins.tolist()) == ([0.5], [FROM_OTHERS])


def test_items_that_nobody_labelled_do_not_choose():
    rng = np.random.default_rng(0)
    targets = rng.random((100, 2)) < 0.4
    probs = np.clip(targets * 0.4 + 0.5 * rng.random(targets.shape), 0, 1)
    labelled = np.repeat([True, False], 100)
    more = sets_of(np.concatenate([targets, np.zeros_like(targets)]), labelled)
    found = best_f1_thresholds(more, np.concatenate([probs, np.ones_like(probs)]))
    np.testing.assert_array_equal(found.values, best_f1_thresholds(sets_of(targets), probs).values)


@pytest.mark.parametrize("rule", ["0.2", "0.5"])
def test_a_fixed_threshold_is_the_same_everywhere(rule):
    probs = np.random.default_rng(0).random((60, 3))
    found = cross_fitted_sets(sets_of(probs > 0.7), probs, [str(row) for row in range(60)], rule=rule)
    np.testing.assert_array_equal(found.targets, probs >= float(rule))
    assert set(found.thresholds.values) == {float(rule)}


def test_cross_fitted_sets_do_not_flatter_a_model_that_knows_nothing():
    """Where probabilities are chance, the best threshold of 60 items looks better on these than it is."""
    flattered, honest, truth = [], [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        targets, probs = rng.random((60, 4)) < 0.3, rng.random((60, 4))
        label_sets = sets_of(targets)
        chosen = best_f1_thresholds(label_sets, probs)
        crossed = cross_fitted_sets(label_sets, probs, [str(row) for row in range(60)], seed=seed)
        fresh = sets_of(rng.random((2000, 4)) < 0.3)
        flattered.append(set_report(label_sets, chosen.predict(probs)).macro_f1.value)
        honest.append(set_report(label_sets, crossed.targets).macro_f1.value)
        truth.append(set_report(fresh, chosen.predict(rng.random((2000, 4)))).macro_f1.value)
    assert np.mean(flattered) > np.mean(truth) + 0.02
    assert abs(np.mean(honest) - np.mean(truth)) < 0.015


def test_an_unknown_rule_and_a_threshold_that_is_no_probability_are_refused():
    with pytest.raises(DataError, match=r"chosen by best_f1, 0\.5, 0\.2; found 'luck'"):
        cross_fitted_sets(
            sets_of(np.ones((9, 1), dtype=bool)), np.ones((9, 1)), list("abcdefghi"), rule="luck"
        )
    with pytest.raises(DataError, match=r"must lie in \[0, 1\]; found 2"):
        fixed_thresholds(2, 3)
