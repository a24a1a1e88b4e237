"""Each check on made-up facts, and on the curves of the bad runs of tests/benchmarks/bench_doctor.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diagnostics.checks import CHECKS, ISSUE, NOT_APPLICABLE, PASSED, SKIPPED, TIP, check_training
from diagnostics.checks.facts import TestLooks, TrainingFacts, answers_of, fit_of
from diagnostics.label_kinds import label_kind_of
from diagnostics.metrics import proportion
from diagnostics.predictions import Predictions, object_array
from diagnostics.run_folder import HISTORY_COLUMNS

MEASURED = pd.read_csv(Path(__file__).with_name("measured_histories.csv"), dtype={"made_for": "str"})
CLASSES = tuple("0123456789")


def history(train_loss, valid_loss, accuracy, *, held_out="val", fold=0) -> pd.DataFrame:
    n = len(train_loss)
    return pd.DataFrame(
        {
            "fold": fold,
            "epoch": range(n),
            "phase": "from scratch",
            "train_loss": train_loss,
            "valid_loss": valid_loss,
            "accuracy": accuracy,
            "held_out": held_out,
            "items_per_s": 1.0,
            "seconds": 1.0,
        }
    )[list(HISTORY_COLUMNS)]


def counts(train=60, val=100, test=15, right=0.95) -> pd.DataFrame:
    """The same number of items of each of ten classes, so many of validation predicted right."""
    table = pd.DataFrame({"label": CLASSES, "train": train, "val": val, "test": test})
    return table.assign(val_hits=(table["val"] * right).astype(int))


def with_table(facts: TrainingFacts, table: pd.DataFrame) -> TrainingFacts:
    """The same facts, but of so many items of each class, which has one label an item."""
    n_items = {split: int(table[split].sum()) for split in ("train", "val", "test")}
    accuracy = proportion(float(table["val_hits"].sum()), n_items["val"])
    return replace(facts, counts=table, n_items=n_items, accuracy=accuracy, micro_f1=accuracy)


GOOD = TrainingFacts(
    history=history(
        [2.0, 1.2, 0.9, 0.7, 0.6, 0.58], [2.3, 1.0, 0.6, 0.4, 0.3, 0.3], [0.2, 0.7, 0.85, 0.9, 0.95, 0.95]
    ),
    lr=0.01,
    lr_by_hand=True,
    label_smoothing=0.1,
    label_kind=label_kind_of("single"),
    own_scale="",
    quick=False,
    fitted_at_once=False,
    counts=counts(),
    n_items={"train": 600, "val": 1000, "test": 150},
    accuracy=proportion(950, 1000),
    micro_f1=proportion(950, 1000),
    fit=proportion(580, 600),
    answers=1.0,
    n_exact_leaks=0,
    n_near_leaks=0,
    looks=TestLooks(1, 1, 1),
    n_full_runs=2,
)


def outcome(code: str, facts: TrainingFacts) -> str:
    return next(finding.outcome for finding in check_training(facts) if finding.code == code)


def seen(code: str, facts: TrainingFacts) -> str:
    return next(finding.seen for finding in check_training(facts) if finding.code == code)


def issues(facts: TrainingFacts) -> list[str]:
    return [finding.code for finding in check_training(facts) if finding.outcome == ISSUE]


def with_counts(**columns) -> TrainingFacts:
    return with_table(GOOD, GOOD.counts.assign(**columns))


def test_a_good_run_passes_every_check():
    found = check_training(GOOD)
    assert [finding.code for finding in found] == [check.code for check in CHECKS]
    assert {finding.outcome for finding in found} == {PASSED}


def test_codes_are_unique_and_explanations_name_checks_that_come_before():
    codes = [check.code for check in CHECKS]
    assert len(set(codes)) == len(codes)
    for place, check in enumerate(CHECKS):
        assert set(check.unless) <= set(codes[:place])


@pytest.mark.parametrize("made_for", sorted(MEASURED["made_for"].unique()))
def test_the_curves_of_a_run_get_the_code_that_it_was_made_for_and_those_of_a_good_run_none(made_for):
    expected = [] if made_for == "good" else [made_for]
    assert [code for code in issues(_measured(made_for)) if code != "WD007"] == expected


def _measured(made_for: str) -> TrainingFacts:
    rows = MEASURED[MEASURED["made_for"] == made_for]
    first = rows.iloc[0]
    facts = replace(
        GOOD,
        history=history(rows["train_loss"], rows["valid_loss"], rows["accuracy"]),
        label_smoothing=float(first["label_smoothing"]),
        fit=proportion(float(first["fit"]) * 600, 600),
    )
    right = float(rows["accuracy"].iloc[-1])
    return with_table(facts, counts(val=int(first["n_val"]) // 10, right=right))


def test_a_loss_that_is_no_number_is_a_learning_rate_too_high():
    bad = history([2.3, 2.3, 2.3], [2.3, np.nan, 2.3], [0.1, 0.1, 0.1])
    assert "no number any more" in seen("WD001", replace(GOOD, history=bad))
    assert outcome("WD001", replace(GOOD, history=bad)) == ISSUE


def test_an_explosion_that_the_training_got_over_is_a_tip():
    bad = GOOD.history.assign(valid_loss=[40.0, 1.0, 0.6, 0.4, 0.3, 0.3])
    assert outcome("WD001", replace(GOOD, history=bad)) == TIP


def test_what_a_learning_rate_explains_is_not_reported_twice():
    slow = history(np.linspace(2.6, 2.3, 10), np.full(10, 2.3), np.full(10, 0.1))
    facts = replace(GOOD, history=slow, fit=proportion(80, 600))
    assert issues(facts) == ["WD002"]
    assert outcome("WD006", facts) == NOT_APPLICABLE
    assert "WD002" in seen("WD006", facts)


def test_a_validation_loss_that_rises_alone_is_no_overfitting():
    rising = GOOD.history.assign(valid_loss=[2.3, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert outcome("WD004", replace(GOOD, history=rising)) == PASSED


def test_a_fall_of_the_accuracy_counts_only_where_the_items_are_enough_to_tell():
    falling = GOOD.history.assign(accuracy=[0.8, 0.8, 0.8, 0.7, 0.7, 0.7])
    assert outcome("WD004", replace(GOOD, history=falling)) == ISSUE
    assert outcome("WD004", with_table(replace(GOOD, history=falling), counts(val=5))) == PASSED


def test_accuracy_on_what_was_learnt_says_nothing_of_overfitting():
    in_sample = GOOD.history.assign(held_out="train (in sample)")
    assert outcome("WD004", replace(GOOD, history=in_sample)) == SKIPPED


def test_training_loss_far_above_validation_and_falling_is_a_tip():
    facts = replace(GOOD, history=history([2.0, 1.5, 1.2], [2.0, 0.5, 0.2], [0.5, 0.9, 0.95]))
    assert outcome("WD003", facts) == TIP


def test_a_model_that_knows_its_training_items_better_than_new_ones_does_not_underfit():
    weak = with_table(replace(GOOD, fit=proportion(300, 600)), counts(right=0.5))
    assert outcome("WD005", weak) == ISSUE
    assert outcome("WD005", with_table(weak, counts(right=0.3))) == PASSED
    assert outcome("WD005", replace(weak, fit=None)) == SKIPPED


@pytest.mark.parametrize(("n_val", "expected"), [(1, ISSUE), (30, TIP), (1000, PASSED)])
def test_a_validation_set_is_too_small_by_its_interval(n_val, expected):
    assert outcome("WD007", with_table(GOOD, counts(val=n_val))) == expected


def test_without_validation_every_number_about_it_is_said_to_be_missing():
    facts = with_table(GOOD, counts(val=0))
    assert "no labelled validation item" in seen("WD007", facts)
    assert outcome("WD008", facts) == NOT_APPLICABLE


def test_classes_missing_from_validation_or_training_are_named():
    unmeasured = with_counts(val=[0, *[100] * 9], val_hits=[0, *[95] * 9])
    assert outcome("WD008", unmeasured) == ISSUE
    assert "`0`" in seen("WD008", unmeasured)
    unlearnt = with_counts(train=[0, *[60] * 9])
    assert outcome("WD009", unlearnt) == ISSUE
    assert "115 validation and test items" in seen("WD009", unlearnt)
    nowhere = with_counts(
        train=[0, *[60] * 9], val=[0, *[100] * 9], test=[0, *[15] * 9], val_hits=[0, *[95] * 9]
    )
    assert outcome("WD009", nowhere) == TIP


def test_imbalance_is_an_issue_only_where_the_rare_classes_are_worse():
    rare = [600, *[30] * 9]
    assert outcome("WD010", with_counts(train=rare)) == TIP
    assert outcome("WD010", with_counts(train=rare, val_hits=[99, *[60] * 9])) == ISSUE
    assert outcome("WD010", GOOD) == PASSED


def test_leaks_that_nobody_looked_for_are_skipped_and_not_passed():
    assert outcome("WD012", replace(GOOD, n_near_leaks=None)) == SKIPPED
    assert outcome("WD012", replace(GOOD, n_near_leaks=2)) == ISSUE
    assert outcome("WD011", replace(GOOD, n_exact_leaks=1)) == ISSUE


def test_a_test_set_can_be_used_too_seldom_and_too_often():
    unused = replace(GOOD, looks=TestLooks(0, 0, 0))
    assert outcome("WD013", unused) == PASSED
    assert outcome("WD013", replace(unused, n_full_runs=4)) == ISSUE
    assert outcome("WD013", with_table(unused, counts(test=0))) == TIP
    assert outcome("WD014", replace(GOOD, looks=TestLooks(12, 2, 3))) == TIP
    assert outcome("WD014", replace(GOOD, looks=TestLooks(40, 2, 3))) == ISSUE
    assert "40 times, by 2 people, of 3 runs" in seen("WD014", replace(GOOD, looks=TestLooks(40, 2, 3)))


def test_a_quick_round_has_no_curves_and_a_lost_history_is_not_fine():
    assert outcome("WD001", replace(GOOD, quick=True)) == NOT_APPLICABLE
    assert outcome("WD003", replace(GOOD, fitted_at_once=True)) == NOT_APPLICABLE
    assert outcome("WD001", replace(GOOD, history=GOOD.history.head(0))) == SKIPPED


def test_a_loss_on_a_scale_of_its_own_is_not_read_as_a_cross_entropy():
    found = {
        finding.code: finding.outcome for finding in check_training(replace(GOOD, own_scale="Focal loss"))
    }
    assert [code for code, outcome in found.items() if outcome == NOT_APPLICABLE] == [
        "WD001",
        "WD002",
        "WD003",
        "WD006",
    ]
    assert found["WD004"] == PASSED


def test_fit_counts_each_item_by_the_models_that_learnt_from_it_and_none_that_was_held_back():
    says_first, says_second = [0.9, 0.1], [0.1, 0.9]
    predictions = Predictions(
        item_ids=object_array(["a", "b", "v", "held back"]),
        splits=object_array(["train", "train", "val", "train"]),
        folds=np.array([0, 1, -1, -1]),
        kinds=object_array(["out_of_fold", "out_of_fold", "mean_of_folds", "mean_of_folds"]),
        given_labels=object_array(["cat", "cat", "cat", "cat"]),
        pred_probs=np.array([says_first] * 4, dtype=np.float32),
        embeddings=None,
        classes=("cat", "dog"),
        fold_probs=np.array(
            [
                [says_second, says_first, says_second, says_first],
                [says_second, says_second, says_first, says_first],
            ]
        ),
    )
    fit = fit_of(predictions)
    assert fit is not None
    assert fit.value == 0.5
    assert fit_of(replace(predictions, fold_probs=None)) is None


# ---------------------------------------------------------------- several labels an item

N_RARE = 12
SETS = replace(
    GOOD,
    history=history(
        [0.5, 0.26, 0.23, 0.215, 0.208, 0.207],
        [0.6, 0.3, 0.15, 0.08, 0.05, 0.05],
        [0.9, 0.95, 0.97, 0.98, 0.99, 0.99],
    ),
    label_kind=label_kind_of("multi"),
    counts=counts(train=N_RARE, val=20, right=0.9),
    n_items={"train": 600, "val": 1000, "test": 150},
    accuracy=proportion(950, 1000),
    micro_f1=proportion(180, 200),
    fit=proportion(580, 600),
    answers=6.0,
)


def test_a_good_run_on_rare_labels_passes_every_check():
    assert {finding.outcome for finding in check_training(SETS)} == {PASSED}


def test_who_knows_only_how_common_each_label_is_has_learnt_nothing_however_rare_the_labels():
    chance = SETS.label_kind.chance_loss(np.full(10, N_RARE), 600, smoothing=0.1)
    assert chance == pytest.approx(-(0.068 * np.log(0.068) + 0.932 * np.log(0.932)))
    idle = SETS.history.assign(train_loss=chance, valid_loss=0.69)
    facts = replace(SETS, history=idle, fit=proportion(60, 600), micro_f1=proportion(20, 200))
    assert facts.curves.learned == pytest.approx(0)
    assert issues(facts) == ["WD002"]


def test_an_untrained_network_has_not_exploded_though_rare_labels_make_its_loss_large_beside_chance():
    first = SETS.history.assign(valid_loss=[0.69, *SETS.history["valid_loss"][1:]])
    assert outcome("WD001", replace(SETS, history=first)) == PASSED
    assert outcome("WD001", replace(SETS, history=first.assign(valid_loss=4.0))) != PASSED


def test_a_fall_of_the_label_wise_accuracy_counts_by_the_answers_that_an_item_is_worth():
    falling = SETS.history.assign(accuracy=[0.97, 0.97, 0.97, 0.96, 0.96, 0.96])
    fell = replace(SETS, history=falling)
    assert outcome("WD004", fell) == ISSUE
    assert "Label-wise accuracy on held-out items was 97 %" in seen("WD004", fell)
    assert outcome("WD004", replace(fell, answers=1.0)) == PASSED


def test_validation_is_large_enough_by_the_sets_that_are_right_and_imbalance_goes_by_items_of_a_class():
    few = replace(SETS, accuracy=proportion(60, 100), n_items=SETS.n_items | {"val": 100})
    assert "100 validation items the share of sets right of 60 %" in seen("WD007", few)
    rare = SETS.counts.assign(train=[600, *[30] * 9], val_hits=[20, *[8] * 9])
    assert outcome("WD010", replace(SETS, counts=rare)) == ISSUE


def test_always_saying_the_most_common_labels_is_as_good_as_the_best_choice_of_them():
    chance_f1 = SETS.label_kind.chance_f1
    assert chance_f1(np.array([80, 10]), 100) == pytest.approx(2 * 0.8 / 1.9)
    assert chance_f1(np.array([50, 50]), 100) == pytest.approx(2 / 3)
    assert label_kind_of("single").chance_f1(np.array([80, 20]), 100) == 0.8


def set_predictions(probs, given, fold_probs=None) -> Predictions:
    n = len(probs)
    return Predictions(
        item_ids=object_array([str(number) for number in range(n)]),
        splits=object_array(["train"] * n),
        folds=np.arange(n) % 2,
        kinds=object_array(["out_of_fold"] * n),
        given_labels=object_array(given),
        pred_probs=np.asarray(probs, dtype=np.float32),
        embeddings=None,
        classes=("cat", "dog"),
        label_kind="multi",
        fold_probs=fold_probs,
    )


def test_fit_of_sets_is_the_micro_f1_of_the_labels_that_come_back():
    given = ["cat", "cat|dog", "(none)"]
    says = np.array([[0.9, 0.6], [0.9, 0.6], [0.1, 0.2]])
    predictions = set_predictions(says, given, fold_probs=np.stack([says, says]))
    assert fit_of(predictions).value == pytest.approx(2 * 3 / (3 + 4))
    assert fit_of(predictions, thresholds=np.array([0.5, 0.7])).value == pytest.approx(2 * 2 / (3 + 2))


def test_answers_that_are_right_and_wrong_together_count_as_one():
    rng = np.random.default_rng(0)
    given = ["cat|dog"] * 400
    alone = np.where(rng.random((400, 2)) < 0.8, 0.9, 0.1)
    together = np.repeat(alone[:, :1], 2, axis=1)
    assert answers_of(set_predictions(alone, given)) == pytest.approx(2, abs=0.2)
    assert answers_of(set_predictions(together, given)) == pytest.approx(1)


def test_few_epochs_on_sets_are_told_from_a_learning_rate_that_is_too_low():
    """The first losses are those of 8 epochs on 600 pictures of several digits at a rate of 0.02."""
    counted = replace(SETS, counts=counts(train=183, val=44), fit=proportion(430, 600))
    few, low = (
        replace(counted, history=history(losses, [0.5] * len(losses), [0.7] * len(losses)))
        for losses in (
            [0.70, 0.65, 0.65, 0.60, 0.57, 0.53, 0.51, 0.49],
            [0.635, 0.632, 0.630, 0.627, 0.624, 0.620, 0.617, 0.615],
        )
    )
    assert [code for code in issues(few) if code < "WD004"] == ["WD003"]
    assert [code for code in issues(low) if code < "WD004"] == ["WD002"]
