"""Experiments on items with several labels: the same questions, answered by sets."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from diagnostics.compare import IMPROVED
from diagnostics.experiments import class_cap, edits, imbalance, seeds
from diagnostics.experiments.edits import ABOUT, ALL_EDITS, EDIT_COLUMNS, RELABELS, Edits
from diagnostics.experiments.frame import QUICK, Trainings

TRAIN = {"(none)": 40, "a": 60, "b": 25, "c": 8, "a|b": 40, "a|c": 10, "a|b|c": 4}
RULER = {"(none)": 40, "a": 40, "b": 40, "c": 40, "a|b": 40, "a|c": 40}


@pytest.fixture(scope="module")
def sets(made_up_sets):
    return made_up_sets(TRAIN, ruler=RULER, distance=3.0)


def test_a_head_tells_for_each_class_whether_an_item_has_it(sets):
    data, trainers = sets
    training = trainers.quick(data.train_items, seed=0)
    targets = data.ruler.space.targets(data.ruler.codes)
    assert training.shape == (3, len(data.ruler), 3)
    assert np.mean(data.ruler.predicted(training) == targets) > 0.8
    assert data.n_labels().tolist() == [114, 69, 22]
    assert data.ruler.support.tolist() == [120, 80, 80]


def test_labels_that_occur_in_no_set_of_the_ruler_are_trained_on(sets):
    data, trainers = sets
    relabelled = data.train_items.assign(label=data.train_items["label"].replace("b", "b|c"))
    before, after = (trainers.quick(items, seed=0) for items in (data.train_items, relabelled))
    only_b = data.ruler.space.texts(data.ruler.codes) == "b"
    assert after[:, only_b, 2].mean() > before[:, only_b, 2].mean() + 0.3


def test_seeds_are_told_apart_by_the_numbers_of_sets(sets):
    data, trainers = sets
    result = seeds.run(data, trainers, {"n": 3, "points": 5.0, "full": False})
    whole = result.table[result.table["label"] == ""]
    assert whole["metric"].tolist() == ["subset_accuracy", "micro_f1", "macro_f1"]
    assert len(result.table) == 3 + 3 * 3
    assert result.verdict.endswith("for differences of 5 points of micro F1.")
    assert "From seed to seed micro F1 moves by" in result.why


def test_a_capped_class_leaves_the_rare_labels_of_its_items_alone(sets):
    data, _ = sets
    out = set(class_cap.left_out_of_class(data, "a", 80, seed=0))
    left = data.train_items[~data.train_items["item_id"].isin(out)]["label"].value_counts()
    assert len(out) == 80
    assert left["a|c"] == 10
    assert left["a|b|c"] == 4
    assert left["a|b"] == 20


def test_a_class_cap_is_judged_and_says_what_it_means_for_other_labels(sets):
    data, trainers = sets
    options = {"class": "a", "drop": (90,), "seeds": 2, "margin": 2.0, "full": False}
    result = class_cap.run(data, trainers, options)
    capped = result.table[result.table["arm"] == class_cap.CAPPED].iloc[0]
    assert np.isfinite(capped["others_f1_difference"])
    assert capped["n_class"] == data.n_labels()[0] - 103
    assert "54 train items of `a` have other labels, too." in " ".join(result.notes)


def test_edits_of_sets_are_judged(sets):
    data, trainers = sets
    wrong = data.train_items["item_id"][data.train_items["label"] == "b"].tolist()
    rows = [(item_id, "a", "b", RELABELS, False) for item_id in wrong]
    table = pd.DataFrame(rows, columns=list(EDIT_COLUMNS))
    edited = replace(data, about={ABOUT: Edits(table, "the source", 0)})
    result = edits.run(edited, trainers, {"since": 0, "seeds": 2, "full": False})
    together = result.table[result.table["group"] == ALL_EDITS].set_index("metric")
    assert list(together.index) == ["subset_accuracy", "micro_f1", "macro_f1"]
    assert together.loc["macro_f1", "verdict"] == IMPROVED
    assert set(result.table["way"]) == {QUICK}


def test_remedies_for_sets_are_tried_and_others_are_not_offered(sets):
    data, trainers = sets
    options = {"seeds": 2, "full": False}
    result = imbalance.run(data, trainers, options)
    assert set(result.table["imbalance"]) == {"weighted_loss", "weighted_sampling", "focal_loss"}
    assert imbalance.count(data, options | {"full": True}) == Trainings(n_quick=6, n_full=8)
    own = result.table[result.table["imbalance"] == "weighted_loss"]
    whole = ["share of sets right", "micro F1", "macro F1", "mean F1 of rare classes"]
    assert own["metric"].tolist() == [*whole, "F1"]
    assert own["label"].tolist()[-1:] == result.facts["rare_classes"] == ["c"]
    assert own["n_labels"].tolist() == [187, 187, 187, 22, 22]
    assert "Focal loss: not available in the quick estimate." in result.notes
