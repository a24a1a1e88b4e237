import numpy as np
import pytest

from diagnostics.errors import DataError
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.splits import make_multilabel_folds, share_out

N_ITEMS, N_FOLDS = 400, 5
SHARES = np.array([0.4, 0.2, 0.1, 0.03, 0.02, 0.02])


def made_up(seed=0, *, unlabelled=0.0):
    rng = np.random.default_rng(seed)
    labelled = rng.random(N_ITEMS) >= unlabelled
    targets = (rng.random((N_ITEMS, len(SHARES))) < SHARES) & labelled[:, None]
    return LabelSets(tuple("abcdef"), targets, labelled)


def units_of(n_items):
    return [f"item-{row:04d}" for row in range(n_items)]


def distance(sets, folds, n_folds=N_FOLDS):
    """How far the labels' shares in the folds are from those of all: label distribution of Sechidis et al. 2011."""
    odds = sets.targets.sum(axis=0) / (~sets.targets).sum(axis=0)
    off = [
        np.abs(sets.targets[folds == fold].sum(axis=0) / (~sets.targets[folds == fold]).sum(axis=0) - odds)
        for fold in range(n_folds)
    ]
    return float(np.mean(off))


def test_every_label_and_having_none_is_shared_out_evenly():
    sets = made_up()
    folds = make_multilabel_folds(sets, units_of(N_ITEMS), n_folds=N_FOLDS, seed=0)
    with_none = ~sets.targets.any(axis=1)
    for column in (*sets.targets.T, with_none):
        per_fold = np.bincount(folds[column], minlength=N_FOLDS)
        assert np.ptp(per_fold) <= 3
    assert np.ptp(np.bincount(folds)) <= 5


def test_labels_are_distributed_far_more_evenly_than_by_chance():
    ours, by_chance = [], []
    for seed in range(10):
        sets = made_up(seed)
        folds = make_multilabel_folds(sets, units_of(N_ITEMS), n_folds=N_FOLDS, seed=seed)
        shuffled = np.random.default_rng(seed).permutation(np.arange(N_ITEMS) % N_FOLDS)
        ours.append(distance(sets, folds))
        by_chance.append(distance(sets, shuffled))
    assert np.mean(ours) < 0.35 * np.mean(by_chance)


def test_items_of_one_group_stay_together_and_labels_are_still_shared_out():
    sets = made_up()
    units = [f"group-{row // 4}" for row in range(N_ITEMS)]
    folds = make_multilabel_folds(sets, units, n_folds=N_FOLDS, seed=0)
    assert all(len(set(folds[start : start + 4])) == 1 for start in range(0, N_ITEMS, 4))
    assert np.ptp(np.bincount(folds[sets.targets[:, 1]], minlength=N_FOLDS)) <= 6


def test_an_item_that_nobody_labelled_has_no_fold():
    sets = made_up(unlabelled=0.3)
    folds = make_multilabel_folds(sets, units_of(N_ITEMS), n_folds=N_FOLDS, seed=0)
    np.testing.assert_array_equal(folds == -1, ~sets.labelled)


def test_the_order_of_the_rows_does_not_matter():
    sets = made_up()
    folds = make_multilabel_folds(sets, units_of(N_ITEMS), n_folds=N_FOLDS, seed=3)
    order = np.random.default_rng(1).permutation(N_ITEMS)
    moved = LabelSets(sets.classes, sets.targets[order], sets.labelled[order])
    units = [units_of(N_ITEMS)[row] for row in order]
    np.testing.assert_array_equal(make_multilabel_folds(moved, units, n_folds=N_FOLDS, seed=3), folds[order])


def test_another_seed_gives_other_folds():
    sets = made_up()
    first, second = (
        make_multilabel_folds(sets, units_of(N_ITEMS), n_folds=N_FOLDS, seed=seed) for seed in (0, 1)
    )
    assert (first != second).any()


def test_parts_have_the_shares_that_are_asked_for():
    sets = made_up()
    parts = share_out(sets, units_of(N_ITEMS), shares=(0.7, 0.2, 0.1), seed=0)
    np.testing.assert_allclose(np.bincount(parts) / N_ITEMS, (0.7, 0.2, 0.1), atol=0.01)
    of_rare = np.bincount(parts[sets.targets[:, 3]], minlength=3)
    np.testing.assert_allclose(of_rare, sets.targets[:, 3].sum() * np.array([0.7, 0.2, 0.1]), atol=1.01)


def test_too_few_units_and_shares_that_are_none_are_refused():
    sets = made_up()
    with pytest.raises(DataError, match=r"5 parts need at least 5 labelled items.*found 1"):
        make_multilabel_folds(sets, ["one"] * N_ITEMS, n_folds=5, seed=0)
    with pytest.raises(DataError, match="must be above 0 and sum to 1"):
        share_out(sets, units_of(N_ITEMS), shares=(0.5, 0.4), seed=0)
