"""Caps on classes: what is held back, from when on they count, lifting and undoing."""

import numpy as np
import pandas as pd
import pytest

from curation.class_caps import (
    cap_table,
    caps_at,
    described,
    held_back,
    last_cap_change,
    lift_cap,
    set_cap,
    undo_cap,
)
from curation.class_list import MERGE, RENAME, ClassEdit
from curation.classes import apply
from curation.decisions.events import LABEL_RIGHT, LABELLED, Decision
from curation.rounds import close_round, dataset_version, training_items, version_now
from curation.run_folders import allocate_run, read_start
from diagnostics.errors import ClassError
from diagnostics.task import Task
from diagnostics.training.config import TrainConfig

CATS = tuple((f"cat-{number}", "train", "cat") for number in range(10))
OTHERS = (
    ("dog-1", "train", "dog"),
    ("dog-2", "train", "dog"),
    ("v", "val", "cat"),
    ("u", "unlabelled", None),
)


@pytest.fixture
def project(make_project):
    """Ten train items of cat, two of dog, one validation item, one without a label."""
    return make_project(rows=CATS + OTHERS)


def cap(project, name, keep, now, **words):
    return set_cap(project, name, keep, annotator="ada", now=now, **words)


def held(project, version=None):
    items = training_items(project, version or dataset_version(project))
    return set(items["item_id"][items["held_back"]])


def trained_on(project, version=None):
    return {item_id for item_id, *_ in CATS} - held(project, version)


def test_a_cap_holds_back_what_is_above_it_and_nothing_else(project, now):
    assert held(project) == set()
    cap(project, "cat", 3, now)
    assert len(held(project)) == 7
    assert held(project) < {item_id for item_id, *_ in CATS}
    items = training_items(project, dataset_version(project))
    assert len(items) == len(project.items)
    assert set(items["label"][items["held_back"]]) == {"cat"}


def test_the_same_items_are_kept_every_time_and_a_larger_cap_keeps_them_too(project, now):
    cap(project, "cat", 3, now)
    few = trained_on(project)
    cap(project, "cat", 6, now)
    assert few < trained_on(project)
    cap(project, "cat", 3, now)
    assert trained_on(project) == few


def test_decided_items_are_kept_first_and_additions_count(project, now):
    cap(project, "cat", 3, now)
    unlucky = sorted(held(project))[:2]
    decisions = [Decision(item_id, LABEL_RIGHT) for item_id in unlucky] + [Decision("u", LABELLED, "cat")]
    project.decisions.decide(decisions, annotator="ada", now=now)
    close_round(project, annotator="ada", now=now)
    assert trained_on(project) == set(unlucky)
    assert "u" not in held(project)


def test_copies_stand_side_by_side(now):
    rng = np.random.default_rng(0)
    contents = [f"content-{number % 6}" for number in range(12)]
    items = pd.DataFrame(
        {"item_id": [f"i{n}" for n in rng.permutation(12)], "split": "train", "label": "cat"}
    )
    items["content_hash"] = contents
    task = Task("image", "single", ("cat", "dog"))
    held = held_back(items, np.zeros(12, dtype=bool), {"cat": 6}, task=task, seed=1)
    kept = items["content_hash"][~held]
    assert sorted(kept.value_counts()) == [2, 2, 2]


def held_of_sets(labels, caps, *, decided=()):
    """The labels of what is held back of train items with several labels each."""
    items = pd.DataFrame({"item_id": [f"i{n:02d}" for n in range(len(labels))], "label": labels})
    items = items.assign(split="train", content_hash=items["item_id"])
    is_decided = np.isin(np.arange(len(labels)), decided)
    task = Task("image", "multi", ("cat", "dog", "fox"))
    held = held_back(items, is_decided, caps, task=task, seed=0)
    return items["label"][held].value_counts().to_dict(), items["label"][~held].value_counts().to_dict()


def test_of_items_with_several_labels_those_with_rare_ones_are_kept_first():
    labels = ["dog"] * 6 + ["cat|dog"] * 6 + ["dog|fox"] * 2 + ["cat"] * 4 + ["fox"] * 4
    held, kept = held_of_sets(labels, {"dog": 6})
    assert held == {"dog": 6, "cat|dog": 2}
    assert kept["dog|fox"] == 2


def test_a_cap_takes_no_other_class_below_itself_and_stays_open_rather():
    labels = ["dog"] * 3 + ["cat|dog"] * 9 + ["dog|fox"] * 2
    held, kept = held_of_sets(labels, {"dog": 5})
    assert held == {"dog": 3, "cat|dog": 4}
    assert kept == {"cat|dog": 5, "dog|fox": 2}


def test_an_item_that_has_two_capped_classes_counts_for_both():
    labels = ["cat|dog"] * 8 + ["cat"] * 2 + ["dog"] * 2 + ["cat|fox", "dog|fox", "(none)"]
    _, kept = held_of_sets(labels, {"dog": 4, "cat": 4})
    assert [sum(n for label, n in kept.items() if name in label) for name in ("cat", "dog")] == [4, 4]
    assert kept["cat|fox"] == kept["dog|fox"] == kept["(none)"] == 1


def test_a_decided_item_with_common_labels_is_kept_before_one_with_rare_labels():
    held, _ = held_of_sets(["dog", "dog|fox", "fox", "fox"], {"dog": 1}, decided=[0])
    assert held == {"dog|fox": 1}


def test_a_cap_changes_the_fingerprint_of_every_version_from_its_moment_on(project, now):
    plain = dataset_version(project)
    change = cap(project, "cat", 3, now)
    capped = dataset_version(project)
    assert capped.fingerprint != plain.fingerprint
    assert (plain.cap_change, capped.cap_change) == (0, change.number)
    assert version_now(project) == capped
    assert dataset_version(project, cap_change=0) == plain
    assert held(project, plain) == set()


def test_an_undo_goes_back_one_change_and_undoing_again_one_further(project, now):
    cap(project, "cat", 6, now)
    cap(project, "cat", 3, now, reason="exp-0002")
    assert undo_cap(project, annotator="bob", now=now).keep == 3
    assert caps_at(project) == {"cat": 6}
    assert last_cap_change(project).keep == 6
    undo_cap(project, annotator="bob", now=now)
    assert caps_at(project) == {}
    assert dataset_version(project).fingerprint == dataset_version(project, cap_change=0).fingerprint
    with pytest.raises(ClassError, match="no change of the caps to take back"):
        undo_cap(project, annotator="bob", now=now)


def test_a_lifted_cap_holds_nothing_back_and_can_be_had_back(project, now):
    cap(project, "cat", 3, now)
    lift_cap(project, "cat", annotator="ada", now=now)
    assert held(project) == set()
    undo_cap(project, annotator="ada", now=now)
    assert caps_at(project) == {"cat": 3}


def test_an_undo_of_something_else_than_what_was_seen_is_refused(project, now):
    seen = cap(project, "cat", 3, now)
    cap(project, "dog", 1, now)
    with pytest.raises(ClassError, match="changed the caps since"):
        undo_cap(project, annotator="ada", now=now, expected=seen.number)


def test_a_cap_follows_its_class_through_a_rename_and_ends_with_a_merge(project, now):
    cap(project, "cat", 3, now)
    apply(project, ClassEdit(RENAME, "cat", "kitty"), annotator="ada", now=now)
    assert len(held(project)) == 7
    assert described(project, last_cap_change(project)) == "train on at most 3 items of `kitty`"
    apply(project, ClassEdit(MERGE, "kitty", "dog"), annotator="ada", now=now)
    assert held(project) == set()


def test_the_table_says_how_many_are_held_back_and_why(project, now):
    cap(project, "cat", 3, now, reason="exp-0001")
    table = cap_table(project, training_items(project, dataset_version(project)))
    assert table.drop(columns="at").values.tolist() == [["cat", 3, 10, 7, 0, "exp-0001", "ada"]]


def test_a_cap_that_an_undo_brings_back_has_its_own_reason(project, now):
    cap(project, "cat", 3, now, reason="exp-0001")
    cap(project, "cat", 5, now, reason="exp-0002")
    undo_cap(project, annotator="bob", now=now)
    table = cap_table(project, training_items(project, dataset_version(project)))
    assert table.drop(columns="at").values.tolist() == [["cat", 3, 10, 7, 0, "exp-0001", "ada"]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda project, now: cap(project, "cow", 3, now), "no class `cow`"),
        (lambda project, now: cap(project, "cat", 0, now), "keeps at least 1"),
        (lambda project, now: set_cap(project, "cat", 3, annotator=" ", now=now), "annotator is empty"),
        (lambda project, now: lift_cap(project, "cat", annotator="ada", now=now), "has no cap to lift"),
        (lambda project, now: caps_at(project, 1), "There is no change 1 of the caps"),
    ],
)
def test_what_cannot_be_done_says_why(project, now, make, message):
    with pytest.raises(ClassError, match=message):
        make(project, now)


def test_a_run_that_is_taken_up_again_trains_under_the_caps_it_was_started_with(project, now):
    cap(project, "cat", 3, now)
    started = allocate_run(project, TrainConfig(), 0, now=now)
    cap(project, "cat", 5, now)
    resumed = read_start(project, started.run_id)
    assert resumed == started
    assert len(held(project, dataset_version(project, 0, cap_change=resumed.cap_change))) == 7
