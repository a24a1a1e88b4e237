"""Hand-made cases, and populations whose truth is known: items, and trainings with a main effect of their own."""

import numpy as np
import pytest

from diagnostics.compare import (
    BROKEN,
    CANNOT_TELL,
    CLASS_COLUMNS,
    FIXED,
    IMPROVED,
    STILL_WRONG,
    WHOLE_COLUMNS,
    WORSE,
    compare_sides,
    f1_differences,
    holm,
    needed_text,
    noise_of,
    pooled_noise,
    verdict_text,
)
from diagnostics.errors import DataError

CLASSES = ("cat", "dog", "eel")
IDS = np.array(["a", "b", "c", "d", "e"], dtype=object)


def probs_of(*predictions, n_classes=3):
    """(n_models, n_items, n_classes): each model is sure of what it predicts."""
    return np.eye(n_classes, dtype=np.float16)[np.array(predictions)]


def alike(codes, before, after, **options):
    """A comparison of two sides of which each has two models that predict the same."""
    ids = np.arange(len(codes)).astype(str).astype(object)
    return compare_sides(ids, codes, [probs_of(before, before)], [probs_of(after, after)], CLASSES, **options)


# ------------------------------------------------------------ numbers


def test_flips_say_which_items_were_fixed_broken_or_are_still_wrong():
    comparison = compare_sides(
        IDS,
        np.array([0, 0, 0, 1, -1]),
        [probs_of([1, 0, 1, 1, 0])],
        [probs_of([0, 1, 2, 1, 1])],
        CLASSES,
    )
    assert dict(zip(comparison.flips["item_id"], comparison.flips["change"], strict=True)) == {
        "a": FIXED,
        "b": BROKEN,
        "c": STILL_WRONG,
    }
    assert (comparison.n_flips(FIXED), comparison.n_flips(BROKEN)) == (1, 1)
    assert (comparison.n_items, comparison.of("accuracy")["difference"]) == (4, 0.0)


def test_differences_are_after_minus_before():
    comparison = alike(np.array([0, 0, 1, 1]), [1, 0, 1, 1], [0, 0, 1, 1])
    assert tuple(comparison.whole.columns) == WHOLE_COLUMNS
    assert tuple(comparison.classes.columns) == CLASS_COLUMNS
    assert comparison.of("accuracy")["difference"] == 0.25
    assert comparison.of("macro_f1")[["before", "after"]].tolist() == pytest.approx([(2 / 3 + 0.8) / 2, 1.0])
    cat = comparison.classes.iloc[0]
    assert (cat["precision_before"], cat["recall_before"], cat["recall_difference"]) == (1.0, 0.5, 0.5)


def test_a_class_that_nobody_has_or_predicts_has_no_numbers_and_no_verdict():
    eel = alike(np.array([0, 0, 1, 1]), [1, 0, 1, 1], [0, 0, 1, 1]).classes.iloc[2]
    assert np.isnan(eel[["f1_difference", "f1_low", "p_adjusted", "n_needed"]].astype(float)).all()
    assert (eel["support"], eel["verdict"]) == (0, CANNOT_TELL)


def test_a_training_predicts_by_the_mean_of_its_models_and_a_side_is_the_mean_of_its_trainings():
    codes = np.array([0, 0, 0, 0])
    unsure = np.array([[[0.6, 0.4, 0.0]] * 4, [[0.0, 0.5, 0.5]] * 4])
    right, wrong = probs_of([0, 0, 0, 0]), probs_of([1, 1, 1, 1])
    comparison = compare_sides(IDS[:4], codes, [unsure], [right, wrong], CLASSES)
    assert comparison.of("accuracy")[["before", "after"]].tolist() == [0.0, 0.5]
    assert comparison.noise.n_trainings == (1, 2)


def test_without_labelled_items_nothing_is_said():
    comparison = alike(np.array([-1, -1]), [0, 1], [1, 1])
    assert comparison.n_items == 0
    assert comparison.whole[["before", "difference", "p_value", "n_needed"]].isna().all().all()
    assert comparison.verdict == CANNOT_TELL
    assert "no labelled item" in verdict_text(comparison)


def test_different_items_cannot_be_compared():
    with pytest.raises(DataError, match="same items"):
        compare_sides(IDS, np.zeros(5, dtype=int), [probs_of([0])], [probs_of([0])], CLASSES)
    with pytest.raises(DataError, match="at least one training"):
        compare_sides(IDS, np.zeros(5, dtype=int), [], [probs_of([0] * 5)], CLASSES)


def test_p_values_are_corrected_for_their_number():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, np.nan, 0.03])), [0.03, 0.06, np.nan, 0.06])


# ------------------------------------------------------------ chance of the items


def test_the_variance_over_items_is_that_of_the_paired_bootstrap():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 400)
    before, after = (np.where(rng.random(400) < 0.75, codes, rng.integers(0, 3, 400)) for _ in range(2))
    resampled = []
    for _ in range(300):
        rows = rng.integers(0, 400, 400)
        found = f1_of(codes[rows], after[rows]) - f1_of(codes[rows], before[rows])
        resampled.append([found.mean(), *found])
    comparison = alike(codes, before, after)
    half = (comparison.classes["f1_high"] - comparison.classes["f1_low"]) / 2
    macro = comparison.of("macro_f1")
    assert macro["item_se"] == pytest.approx(np.std(resampled, axis=0)[0], rel=0.12)
    assert (half / 1.96).tolist() == pytest.approx(np.std(resampled, axis=0)[1:], rel=0.25)


def f1_of(codes, predicted):
    tp = np.array([((codes == c) & (predicted == c)).sum() for c in range(3)])
    return 2 * tp / (np.bincount(codes, minlength=3) + np.bincount(predicted, minlength=3))


def test_the_interval_of_a_paired_difference_holds_the_truth_about_as_often_as_it_says():
    """200 samples of 300 items from one population, in which class 0 has a difference that is known."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 60_000)
    before = np.where(rng.random(60_000) < 0.7, codes, 1 - codes)
    after = np.where(rng.random(60_000) < 0.5, before, np.where(rng.random(60_000) < 0.8, codes, 1 - codes))
    before, after = np.eye(2)[before], np.eye(2)[after]
    truth = f1_differences(codes, before, after, ("a", "b"))["f1_difference"][0]
    n_inside = 0
    for part in np.arange(60_000).reshape(200, 300):
        row = f1_differences(codes[part], before[part], after[part], ("a", "b")).iloc[0]
        n_inside += row["f1_difference_low"] <= truth <= row["f1_difference_high"]
    assert 184 <= n_inside <= 199


def test_few_changed_items_prove_nothing_even_if_all_were_fixed():
    codes = np.repeat([0, 1, 2], 20)
    worse = codes.copy()
    worse[:5] = 1
    comparison = alike(codes, worse, codes)
    assert comparison.verdict == CANNOT_TELL
    assert (comparison.classes["verdict"] == CANNOT_TELL).all()


@pytest.mark.parametrize("n_changed", [8, 10, 12])
def test_few_changed_items_are_judged_as_by_the_exact_test(n_changed):
    """All of them fixed: twice the chance of so many heads in a row (McNemar's test, exact)."""
    codes = np.repeat([0, 1], 500)
    before = np.where(np.arange(1000) < n_changed, 1, codes)
    p_value = alike(codes, before, codes).of("accuracy")["p_value"]
    assert 0.5 < p_value / 2.0 ** (1 - n_changed) < 2.0


def test_models_that_agree_still_leave_doubt_about_items_that_were_not_drawn():
    """No item of 100 changed: there may still be 2 or 3 in the next 100, as the rule of three has it."""
    codes = np.repeat([0, 1], 50)
    row = alike(codes, codes, codes).of("accuracy")
    assert row["difference"] == 0
    assert row["high"] == pytest.approx(0.0275, abs=0.005)
    assert row["low"] == -row["high"]


def test_copies_of_one_item_are_one_proof():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 60)
    before = np.where(np.arange(60) < 18, 1 - codes, codes)
    once, copied = (alike(np.tile(codes, n), np.tile(before, n), np.tile(codes, n)) for n in (1, 4))
    as_one = alike(np.tile(codes, 4), np.tile(before, 4), np.tile(codes, 4), units=np.tile(np.arange(60), 4))
    se = [each.of("accuracy")["item_se"] for each in (once, copied, as_one)]
    assert se[1] < 0.6 * se[0]
    assert se[2] == pytest.approx(se[0])


# ------------------------------------------------------------ chance of the training


class Population:
    """Trainings on one task: a training has a main effect, and every model likes some items more than others.

    skill : share of right predictions; main : standard deviation of the skill over models
    """

    def __init__(self, n_items, *, seed, skill=0.8, main=0.0, own=0.35):
        self.rng = np.random.default_rng(seed)
        self.codes = self.rng.integers(0, 3, n_items)
        self.hard = self.rng.random(n_items)
        self.skill, self.main, self.own = skill, main, own

    def training(self, n_models=5, gain=0.0):
        """(n_models, n_items, 3): every model has its own skill, and its own items that it finds hard."""
        n_items = len(self.codes)
        skills = self.skill + gain + self.main * self.rng.standard_normal(n_models)
        is_own = self.rng.random((n_models, n_items)) < self.own
        hardness = np.where(is_own, self.rng.random((n_models, n_items)), self.hard)
        wrong = (self.codes + 1 + (self.hard * 1000).astype(int) % 2) % 3
        predicted = np.where(hardness < skills[:, None], self.codes, wrong)
        return probs_of(*predicted)

    def compare(self, before, after, **options):
        ids = np.arange(len(self.codes)).astype(str).astype(object)
        return compare_sides(ids, self.codes, before, after, CLASSES, **options)


DESIGNS = {"folds": (1, 5), "seeds": (3, 1), "seeds of folds": (2, 3)}


def side(population, design, gain=0.0):
    n_trainings, n_models = DESIGNS[design]
    return [population.training(n_models, gain) for _ in range(n_trainings)]


@pytest.mark.parametrize("design", DESIGNS)
def test_the_same_training_twice_is_seldom_called_different(design):
    """A main effect of 4 points a model. That of the next test is called different in most of its draws."""
    wholes = families = 0
    for seed in range(40):
        population = Population(600, seed=seed, main=0.04)
        found = population.compare(side(population, design), side(population, design))
        wholes += found.verdict != CANNOT_TELL
        families += (found.classes["verdict"] != CANNOT_TELL).any()
    assert wholes <= 4
    assert families <= 4


def test_without_the_noise_of_training_the_same_would_often_be_called_different():
    """What the test above rests on: as many differences are too large for the chance of the items alone."""
    n_outside = 0
    for seed in range(40):
        population = Population(600, seed=seed, main=0.04)
        row = population.compare(side(population, "folds"), side(population, "folds")).of("accuracy")
        n_outside += abs(row["difference"]) > 1.96 * row["item_se"]
    assert n_outside >= 9


@pytest.mark.parametrize("design", DESIGNS)
def test_a_gain_of_three_points_is_seen_on_two_thousand_items(design):
    n_seen = 0
    for seed in range(20):
        population = Population(2000, seed=seed, main=0.004, own=0.15)
        found = population.compare(side(population, design), side(population, design, gain=0.03))
        n_seen += found.verdict == IMPROVED
    assert n_seen >= 16


def test_a_loss_is_called_worse_and_named_for_the_class_that_lost():
    population = Population(2000, seed=0)
    before = population.training()
    after = before.copy()
    after[:, population.codes == 1] = probs_of(np.full((population.codes == 1).sum(), 2))[0]
    found = population.compare([before], [after])
    assert found.verdict == WORSE
    assert found.classes["verdict"].tolist()[1] == WORSE
    assert verdict_text(found).startswith("Worse: macro F1 0.")


def test_one_model_a_side_gives_no_verdict_however_large_the_difference():
    codes = np.tile([0, 1, 2], 100)
    ids = np.arange(300).astype(str).astype(object)
    found = compare_sides(ids, codes, [probs_of((codes + 1) % 3)], [probs_of(codes)], CLASSES)
    assert found.of("accuracy")["low"] > 0.8
    assert found.verdict == CANNOT_TELL
    assert (found.classes["verdict"] == CANNOT_TELL).all()
    assert not found.noise.is_known
    assert "hold the chance of the items only" in found.noise.text
    assert found.whole["training_se"].isna().all()


def test_one_model_a_side_is_judged_with_the_noise_that_is_typical_of_other_runs():
    population = Population(2000, seed=1, main=0.005)
    typical = noise_of(population.codes, [population.training()], CLASSES)
    before, after = population.training(1), population.training(1, gain=0.15)
    found = population.compare([before], [after], typical_noise=typical)
    assert found.verdict == IMPROVED
    assert (found.noise.before, found.noise.after) == ("typical", "typical")
    restless = Population(2000, seed=1, main=0.08)
    noise = noise_of(restless.codes, [restless.training() for _ in range(3)], CLASSES)
    assert population.compare([before], [after], typical_noise=noise).verdict == CANNOT_TELL


def test_one_model_alone_has_no_noise_to_tell_of():
    assert noise_of(np.array([0, 1]), [probs_of([0, 1])], CLASSES) is None


# ------------------------------------------------------------ how many items would do


def test_the_items_needed_for_one_point_are_those_with_which_the_test_sees_it():
    """As many items as it names: a gain of 1 point is then seen in about 80 of 100 comparisons."""

    def found(n_items, seed, gain):
        population = Population(n_items, seed=seed, own=0.1)
        sides = ([population.training(1, more) for _ in range(8)] for more in (0.0, gain))
        return population.compare(*sides).of("accuracy")

    needed = int(found(1500, 0, gain=0.0)["n_needed"])
    assert 1000 < needed < 4000
    assert sum(found(needed, seed, gain=0.01)["verdict"] == IMPROVED for seed in range(12)) >= 7


def test_where_trainings_differ_too_much_no_number_of_items_is_named():
    population = Population(1000, seed=0, main=0.1)
    found = population.compare(side(population, "folds"), side(population, "folds"))
    assert np.isnan(found.of("accuracy")["n_needed"])
    assert "more trainings (seeds) would" in needed_text(np.nan, found)


def test_the_text_says_how_many_items_there_are_and_how_many_would_do():
    codes = np.tile([0, 1, 2, 0], 50)
    found = alike(codes, np.where(np.arange(200) % 9, codes, 1), np.where(np.arange(200) % 7, codes, 1))
    text = verdict_text(found)
    assert text.startswith("Cannot tell: macro F1 0.")
    assert text.endswith("labelled items would be needed; there are 200.")


# ------------------------------------------------------------ part of the classes, and noise of many sides


def test_the_mean_f1_of_one_class_is_that_class():
    population = Population(900, seed=2)
    before, after = (population.training(3), population.training(3, gain=0.05))
    for label in CLASSES:
        found = population.compare([before], [after], macro_over=(label,))
        whole, own = found.of("macro_f1"), found.classes.set_index("label").loc[label]
        assert whole[["before", "after", "difference", "low", "high"]].to_numpy(float) == pytest.approx(
            own[["f1_before", "f1_after", "f1_difference", "f1_low", "f1_high"]].to_numpy(float)
        )


def test_the_noise_of_many_sides_has_the_degrees_of_freedom_of_all_and_takes_the_place_of_their_own():
    population = Population(900, seed=3, main=0.02)
    sides = [[population.training(1) for _ in range(2)] for _ in range(6)]
    alone = [noise_of(population.codes, trainings, CLASSES) for trainings in sides]
    pooled = pooled_noise(population.codes, sides, CLASSES)
    assert pooled.df == sum(noise.df for noise in alone) == 6
    assert pooled.spread == pytest.approx(np.mean([noise.spread for noise in alone], axis=0))
    own, shared = (population.compare(*sides[:2], shared_noise=noise) for noise in (None, pooled))
    assert shared.of("accuracy")["difference"] == own.of("accuracy")["difference"]
    assert shared.of("accuracy")["training_se"] != own.of("accuracy")["training_se"]
    assert pooled_noise(population.codes, [[probs_of(population.codes)]], CLASSES) is None
