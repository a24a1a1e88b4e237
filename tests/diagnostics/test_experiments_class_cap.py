"""The class cap: recommended where a class crowds out the others, and nowhere else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from diagnostics.errors import DataError
from diagnostics.experiments import class_cap
from diagnostics.experiments.class_cap import left_out, suggest_class
from diagnostics.experiments.frame import (
    CANNOT_TELL,
    FULL,
    NOT_RECOMMENDED,
    QUICK,
    RECOMMENDED,
    Trainings,
)

OPTIONS = {"class": "a", "drop": (50, 90), "seeds": 2, "margin": 2.0, "full": True}
CROWDED = {"a": 400, "b": 30, "c": 30, "d": 30}
EVEN = dict.fromkeys(CROWDED, 60)
RULER = {"a": 200, "b": 120, "c": 120, "d": 120}


def by_both_ways(trainers):
    """Heads stand in for whole models too."""
    return replace(trainers, full=trainers.quick)


@pytest.fixture(scope="module")
def crowded(made_up):
    data, trainers = made_up(CROWDED, ruler=RULER)
    return data, trainers, class_cap.run(data, by_both_ways(trainers), OPTIONS)


def test_a_class_that_crowds_out_the_others_gets_a_cap(crowded):
    _, _, result = crowded
    assert result.outcome == RECOMMENDED
    assert result.action.values["class"] == "a"
    assert result.action.values["keep"] in (40, 200)
    assert result.verdict == f"A cap of {result.action.values['keep']} train items on `a` is recommended."
    assert "which lies above -2" in result.why
    assert "agree" in result.agreement


def test_the_table_has_every_arm_of_every_share_with_its_differences(crowded):
    _, _, result = crowded
    full = result.table[result.table["way"] == FULL]
    assert full[["percent", "arm"]].values.tolist() == [
        [0, class_cap.NOTHING],
        [50, class_cap.CAPPED],
        [50, class_cap.CONTROL],
        [90, class_cap.CAPPED],
        [90, class_cap.CONTROL],
    ]
    capped = full[full["arm"] == class_cap.CAPPED]
    assert capped["n_class"].tolist() == [200, 40]
    assert (full["n_train"].iloc[1:].to_numpy() == [290, 290, 130, 130]).all()
    assert (capped["others_f1_low"] < capped["others_f1_difference"]).all()
    np.testing.assert_allclose(
        capped["others_f1"] - full["others_f1"].iloc[0], capped["others_f1_difference"], atol=1e-9
    )


def test_heads_alone_do_not_recommend_but_ask_for_whole_models(crowded):
    data, trainers, _ = crowded
    result = class_cap.run(data, trainers, OPTIONS | {"full": False, "drop": (90,)})
    assert result.outcome == CANNOT_TELL
    assert result.action is None
    assert "train whole models to confirm it" in result.verdict


def test_a_class_among_equals_gets_none(made_up):
    data, trainers = made_up(EVEN, ruler=RULER)
    result = class_cap.run(data, by_both_ways(trainers), OPTIONS | {"drop": (50,)})
    assert result.outcome == NOT_RECOMMENDED
    assert result.action is None
    assert result.verdict == "No cap on `a` is recommended."
    assert "the other classes are not shown to gain" in result.why


def test_that_heads_and_whole_models_disagree_is_said(crowded):
    data, trainers, _ = crowded
    never_learns = trainers.quick(data.train_items, seed=0)
    stubborn = replace(trainers, full=lambda items, *, seed, config=None: never_learns)
    result = class_cap.run(data, stubborn, OPTIONS | {"drop": (90,)})
    assert result.outcome == NOT_RECOMMENDED
    assert result.agreement.startswith("Heads and whole models disagree")


def test_the_cost_counts_every_training(crowded):
    data, _, _ = crowded
    assert class_cap.count(data, OPTIONS) == Trainings(n_quick=10, n_full=10)
    assert class_cap.count(data, OPTIONS | {"full": False, "drop": (50, 50)}) == Trainings(
        n_quick=6, n_full=0
    )


def test_a_class_with_few_items_is_refused_before_anything_is_trained(made_up):
    data, _ = made_up({"a": 5, "b": 30}, ruler={"a": 5, "b": 5})
    with pytest.raises(DataError, match="`a` has 5 train items"):
        class_cap.count(data, OPTIONS)


def test_what_is_left_out_is_nested_and_keeps_copies_together():
    items = pd.DataFrame({"item_id": [f"i{n:02d}" for n in range(30)]})
    items["content_hash"] = [f"content-{n // 2}" for n in range(30)]
    few, many = (set(left_out(items, n, seed=3)) for n in (9, 20))
    assert (len(few), len(many)) == (8, 20)
    assert few < many
    assert all(items[items["item_id"].isin(few)]["content_hash"].value_counts() == 2)
    assert few != set(left_out(items, 9, seed=4))
    assert left_out(items.sample(frac=1, random_state=0), 9, seed=3) == left_out(items, 9, seed=3)


def test_the_suggested_class_does_well_and_has_most_items():
    suggestion = suggest_class(
        {"cat": 900, "dog": 2000, "fox": 400, "owl": 90}, {"cat": 0.9, "dog": 0.4, "fox": 0.95, "owl": 0.6}
    )
    assert suggestion.label == "cat"
    assert "900" in suggestion.why
    with pytest.raises(DataError, match="No class with at least 20 train items"):
        suggest_class({"cat": 3, "dog": 3}, {"cat": 0.9, "dog": 0.8})


def test_the_ways_are_named(crowded):
    _, _, result = crowded
    assert set(result.table["way"]) == {QUICK, FULL}
