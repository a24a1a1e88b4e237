"""Trainings compared on items with several labels."""

import numpy as np
import pytest

from diagnostics.compare import CANNOT_TELL, IMPROVED, WORSE, compare_sides, verdict_text
from diagnostics.label_kinds import label_kind_of
from diagnostics.label_space import set_space
from diagnostics.measures import sets_measure

CLASSES = ("cat", "dog", "eel")
N_ITEMS = 400


def made_up(seed, *, skill, n_models=3, n_items=N_ITEMS, truth_seed=0):
    """Codes, space and (n_models, n_items, 3) probabilities of models that know the truth as well as `skill` says."""
    rng = np.random.default_rng(truth_seed)
    targets = rng.random((n_items, 3)) < [0.5, 0.3, 0.1]
    of_items = rng.normal(size=(n_items, 3))
    texts = ["|".join(np.array(CLASSES)[row]) or "(none)" for row in targets]
    space = set_space(CLASSES, texts)
    own = np.random.default_rng((seed, 1)).normal(size=(n_models, n_items, 3))
    logits = skill * np.where(targets, 1, -1) + of_items + 0.5 * own
    return space.codes(texts), space, (1 / (1 + np.exp(-logits))).astype(np.float32)


def compare(before, after, *, rule="best_f1", **options):
    codes, space, first = before
    measure = label_kind_of("multi").measure(space, rule=rule)
    return compare_sides(
        np.arange(len(codes)), codes, [first], [after[2]], CLASSES, measure=measure, **options
    )


def test_a_clearly_better_side_has_improved_in_all_numbers_of_the_whole():
    codes, space, _ = before = made_up(1, skill=0.7)
    found = compare(before, made_up(2, skill=2.0))
    assert found.whole["metric"].tolist() == ["subset_accuracy", "micro_f1", "macro_f1"]
    assert found.whole["verdict"].tolist() == [IMPROVED] * 3
    assert found.verdict == IMPROVED
    assert "share of sets right" in verdict_text(found)
    assert (found.classes["f1_difference"] > 0).all()
    assert found.classes["support"].tolist() == space.targets(codes).sum(axis=0).tolist()


def test_turned_round_it_is_worse_by_as_much():
    there = compare(made_up(1, skill=0.7), made_up(2, skill=2.0))
    back = compare(made_up(2, skill=2.0), made_up(1, skill=0.7))
    assert back.verdict == WORSE
    assert back.whole["difference"].tolist() == pytest.approx((-there.whole["difference"]).tolist())


def test_the_same_predictions_differ_in_nothing():
    found = compare(made_up(1, skill=1.0), made_up(1, skill=1.0))
    assert (found.whole["difference"] == 0).all()
    assert found.verdict == CANNOT_TELL
    assert found.flips.empty


def test_what_changed_is_told_by_item_as_whole_sets():
    codes, space, first = made_up(1, skill=3.0, n_items=60)
    second = first.copy()
    second[:, 7] = 1 - second[:, 7]
    found = compare((codes, space, first), (codes, space, second), rule="0.5")
    flipped = found.flips.set_index("item_id").loc[7]
    assert flipped["change"] == "broken"
    assert flipped["label"] == space.texts(codes)[7] == flipped["predicted_before"]
    assert flipped["predicted_after"] != flipped["label"]


def test_numbers_are_those_of_a_hand_made_case():
    """cat: 2 hits, 1 missed, 1 added; dog: 1 hit. Sets right: the first and the last."""
    space = set_space(("cat", "dog"), ["cat", "cat|dog", "dog", "(none)", "cat"])
    codes = space.codes(["cat", "cat|dog", "cat", "(none)", "(none)"])
    predicted = np.array([[1, 0], [1, 0], [0, 0], [1, 0], [0, 0]], dtype=bool)
    metrics = sets_measure(space.with_texts(["cat", "dog"]), rule="0.5")(codes, np.ones(2, dtype=bool))
    values = metrics.ratios(codes, predicted).values()
    assert values[:3].tolist() == pytest.approx([2 / 5, 2 * 2 / (4 + 3), (4 / 6 + 0) / 2])
    assert values[metrics.columns("precision")].tolist() == pytest.approx([2 / 3, np.nan], nan_ok=True)
    assert values[metrics.columns("recall")].tolist() == pytest.approx([2 / 3, 0])
    assert values[metrics.columns("f1")].tolist() == pytest.approx([2 / 3, 0])


def test_influences_are_the_change_when_an_item_weighs_more():
    codes, space, probs = made_up(3, skill=0.8, n_items=30)
    metrics = sets_measure(space, rule="0.5")(codes, np.ones(3, dtype=bool))
    predicted = probs.mean(axis=0) >= 0.5
    ratios = metrics.ratios(codes, predicted)
    influences = ratios.influences().toarray()
    assert influences.sum(axis=0) == pytest.approx(np.zeros(metrics.n_columns), abs=1e-12)
    n_copies = 2000
    rows = np.concatenate([np.repeat(np.arange(30), n_copies), [4]])
    more = metrics.ratios(codes[rows], predicted[rows]).values()
    assert (more - ratios.values()) * n_copies == pytest.approx(influences[4], rel=0.01, abs=1e-6)


def test_verdicts_are_seldom_false_where_both_sides_are_of_one_kind():
    """20 comparisons of models of one skill, each on items of its own: one false verdict in the mean at most."""
    n_false = 0
    for number in range(20):
        sides = (made_up(2 * number + side, skill=0.8, n_items=150, truth_seed=number) for side in (0, 1))
        n_false += compare(*sides, rule="0.5").verdict != CANNOT_TELL
    assert n_false <= 3
