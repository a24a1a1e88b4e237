"""Saturation: labels help a class that has few and still rises, and not one that has plenty."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from diagnostics.errors import DataError
from diagnostics.experiments import saturation
from diagnostics.experiments.frame import FULL, MEASURED, QUICK, Trainings
from diagnostics.experiments.saturation import HELPS, SATURATED, TABLE_COLUMNS, TOO_FEW, agreement_of

OPTIONS = {"more": 50, "draws": 3, "full": False, "classes": (), "full_draws": 3}
CLASSES = {"a": 300, "b": 300, "c": 40, "d": 8}


@pytest.fixture(scope="module")
def data_and_trainers(made_up):
    return made_up(CLASSES, ruler=dict.fromkeys(CLASSES, 60))


class Watched:
    """Finds one class the better the more of its labels there are: half of its items at 20, nine tenths at 200."""

    def __init__(self, data, rising="c"):
        self.rising = rising
        self.codes = data.ruler.codes
        self.classes = data.task.classes
        self.seen = []

    def __call__(self, items, *, seed, config=None):
        self.seen.append(items)
        counts = items["label"].value_counts()
        rng = np.random.default_rng(seed)
        place = rng.random(len(self.codes))
        probs = np.zeros((1, len(self.codes), len(self.classes)))
        for code, label in enumerate(self.classes):
            recall = 0.9 - 0.4 * (max(counts[label], 20) / 20) ** -1.0 if label == self.rising else 0.9
            own = self.codes == code
            probs[0, own, code] = place[own] < recall
        probs[0, :, len(self.classes) - 1] += 0.5
        return probs


@pytest.fixture(scope="module")
def watched(data_and_trainers):
    data, trainers = data_and_trainers
    trainer = Watched(data)
    return data, trainer, saturation.run(data, replace(trainers, quick=trainer), OPTIONS)


def test_the_class_that_still_rises_comes_first(watched):
    _, _, result = watched
    assert result.outcome == MEASURED
    table = result.table.set_index("label")
    assert list(result.table.columns) == list(TABLE_COLUMNS)
    assert result.table["label"].iloc[0] == "c"
    assert table.loc["c", "gain"] > 0.03
    assert table.loc[["a", "b"], "verdict"].tolist() == [SATURATED, SATURATED]


def test_a_class_with_too_few_labels_is_named_and_has_no_numbers(watched):
    _, _, result = watched
    few = result.table.set_index("label").loc["d"]
    assert few["verdict"] == TOO_FEW
    assert np.isnan(few["gain"])
    assert any("Not judged" in note and note.endswith("d.") for note in result.notes)
    assert "for 1 there are too few items to judge" in result.why


def test_a_thinned_out_class_weighs_as_much_as_before_and_subsets_are_nested(watched):
    data, trainer, _ = watched
    full, *parts = trainer.seen[: len(trainer.seen) // OPTIONS["draws"]]
    assert len(full) == len(data.train_items)
    weighed = [items.groupby("label")["weight"].sum() for items in parts]
    for weights in weighed:
        np.testing.assert_allclose(weights, data.train_items["label"].value_counts()[weights.index])
    of_c = [set(items.loc[items["label"] == "c", "item_id"]) for items in parts]
    few, more, many = sorted({len(ids): ids for ids in of_c if len(ids) < 40}.values(), key=len)
    assert (len(few), len(more), len(many)) == (10, 16, 25)
    assert few < more < many


def test_the_cost_is_known_before(watched):
    data, trainer, _ = watched
    assert saturation.count(data, OPTIONS) == Trainings(n_quick=len(trainer.seen), n_full=0)


def test_heads_on_made_up_features_are_extrapolated(made_up):
    data, trainers = made_up({"a": 60, "b": 60}, ruler={"a": 40, "b": 40})
    result = saturation.run(data, trainers, OPTIONS | {"draws": 2})
    curve = result.facts["curves"][QUICK]["a"]
    assert curve["sizes"] == [15, 24, 38, 60]
    assert (np.diff([curve[name] for name in ("low", "measured", "high")], axis=0) >= 0).all()
    table = result.table.set_index("label")
    assert table.loc["a", "gain_low"] <= table.loc["a", "gain"] <= table.loc["a", "gain_high"]


def test_the_verdict_names_the_classes_that_labels_help_and_how_many_are_left_open():
    rows = {"label": ["hat", "boot", "coat"], "gain": [0.03, 0.001, 0.02], "gain_low": [0.01, -0.002, -0.02]}
    rows |= {"gain_high": [0.05, 0.004, 0.06], "verdict": [HELPS, SATURATED, saturation.CANNOT_TELL]}
    table = pd.DataFrame(rows)
    assert saturation.verdict_of(table, 50) == (
        "50 more labels help 1 class of 3, most of all hat (+3.0 points of F1, +1.0 to +5.0)."
    )
    assert saturation.rest_of(table) == (
        "For 1 more labels are worth less than 1 point of F1, for 1 it cannot be told."
    )


def test_without_a_class_with_enough_labels_nothing_is_started(made_up):
    data, _ = made_up({"a": 10, "b": 10}, ruler={"a": 9, "b": 9})
    with pytest.raises(DataError, match="at least 20 train and 5 validation items"):
        saturation.count(data, OPTIONS)


# ------------------------------------------------------------ whole models


@pytest.fixture(scope="module")
def in_both_ways(data_and_trainers):
    """Heads find that labels of c are worth nothing, whole models that they are."""
    data, trainers = data_and_trainers
    flat, rising = Watched(data, rising="d"), Watched(data)
    both = replace(trainers, quick=flat, full=rising)
    options = OPTIONS | {"full": True, "classes": ("c",), "full_draws": 4}
    return data, rising, options, saturation.run(data, both, options)


def test_whole_models_are_trained_for_the_classes_that_were_named(in_both_ways):
    data, rising, options, result = in_both_ways
    full = result.table[result.table["way"] == FULL]
    assert full["label"].tolist() == ["c"]
    assert saturation.count(data, options).n_full == len(rising.seen) == 4 * (1 + 3)
    assert {len(items) - (items["label"] == "c").sum() for items in rising.seen} == {
        608
    }  # the others keep their labels
    assert len(result.facts["curves"][FULL]["c"]["sizes"]) == 4


def test_whole_models_decide_and_the_result_says_where_heads_disagree(in_both_ways):
    _, _, _, result = in_both_ways
    assert "most of all c (" in result.verdict
    assert "Whole models decide on c, on the others heads on features." in result.why
    assert result.agreement.startswith("Heads and whole models disagree. c: by heads ")
    assert result.agreement.endswith(", more labels help). Whole models count.")


def test_ways_that_say_the_same_do_not_disagree():
    rows = [
        (QUICK, "hat", 0.03, 0.01, 0.05, HELPS),
        (QUICK, "boot", 0.0, -0.01, 0.02, saturation.CANNOT_TELL),
        (FULL, "hat", 0.05, -0.01, 0.11, saturation.CANNOT_TELL),
    ]
    table = pd.DataFrame(rows, columns=["way", "label", "gain", "gain_low", "gain_high", "verdict"])
    assert agreement_of(table) == (
        "Heads and whole models do not contradict each other on the 1 class that both judged."
    )
    assert agreement_of(table[table["way"] == QUICK]) == ""


def test_without_names_whole_models_are_trained_for_what_gains_most_by_heads(data_and_trainers):
    data, trainers = data_and_trainers
    both = replace(trainers, quick=Watched(data), full=Watched(data))
    result = saturation.run(data, both, OPTIONS | {"full": True})
    assert result.table.loc[result.table["way"] == FULL, "label"].tolist() == ["c"]
    assert "do not contradict each other on the 1 class" in result.agreement


def test_a_class_that_cannot_be_judged_is_refused_by_name(data_and_trainers):
    data, _ = data_and_trainers
    with pytest.raises(DataError, match=r"d has fewer\. Name other classes"):
        saturation.count(data, OPTIONS | {"full": True, "classes": ("c", "d")})


# ------------------------------------------------------------ several labels an item


def test_a_label_of_a_class_is_an_item_that_has_it_where_items_have_several(made_up_sets):
    sizes = {"a": 60, "b": 40, "a|b": 40, "(none)": 40}
    data, trainers = made_up_sets(sizes, ruler=dict.fromkeys(sizes, 30))
    trainer = Remembered(trainers.quick)
    result = saturation.run(data, replace(trainers, quick=trainer), OPTIONS | {"draws": 3})
    assert saturation.count(data, OPTIONS).n_quick == len(trainer.seen) == 3 * (1 + 3 * 2)
    assert dict(zip(result.table["label"], result.table["n_labels"], strict=True)) == {"a": 100, "b": 80}
    assert result.table["f1"].min() > 0.6
    assert "Items can have several labels here" in " ".join(result.notes)
    thinned = [items for items in trainer.seen if "weight" in items and (items["label"] == "b").sum() == 40]
    of_a = [items[items["label"].isin(["a", "a|b"])] for items in thinned]
    assert sorted(map(len, of_a)) == sorted(3 * [25, 40, 63])
    assert [items["weight"].sum() for items in of_a] == pytest.approx([100] * 9)


class Remembered:
    """A trainer that remembers what it was given."""

    def __init__(self, trainer):
        self.trainer = trainer
        self.seen = []

    def __call__(self, items, *, seed, config=None):
        self.seen.append(items)
        return self.trainer(items, seed=seed)
