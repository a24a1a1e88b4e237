import numpy as np
import pytest

from diagnostics.training.imbalance import IMBALANCE, count_classes, repetitions
from diagnostics.training.logit_record import LogitRecord

CODES = np.repeat([0, 1, 2], [90, 25, 5])
COUNTS = count_classes(CODES, 4)


def drawn(imbalance, seed=0):
    return IMBALANCE[imbalance].draw(CODES, np.random.default_rng(seed))


@pytest.mark.parametrize("imbalance", IMBALANCE)
def test_an_epoch_is_as_long_as_was_said_and_follows_from_the_generator(imbalance):
    positions = drawn(imbalance)
    assert len(positions) == IMBALANCE[imbalance].n_drawn(COUNTS)
    assert set(positions) <= set(range(len(CODES)))
    np.testing.assert_array_equal(positions, drawn(imbalance))
    assert not np.array_equal(positions, drawn(imbalance, seed=1))


def test_oversampling_shows_every_item_and_each_class_as_often_as_the_largest():
    positions = drawn("oversample")
    assert count_classes(CODES[positions], 4).tolist() == [90, 90, 90, 0]
    n_shown = np.bincount(positions)
    assert set(n_shown[CODES == 1]) == {3, 4}
    assert repetitions(COUNTS)[1] == pytest.approx(3.6)
    assert n_shown[CODES == 2].tolist() == [18] * 5


def test_weighted_sampling_draws_classes_by_the_root_of_their_size():
    counts = sum(count_classes(CODES[drawn("weighted_sampling", seed)], 4) for seed in range(200))
    roots = np.sqrt([90, 25, 5])
    np.testing.assert_allclose(counts[:3] / counts.sum(), roots / roots.sum(), atol=0.01)


def test_without_a_remedy_and_with_losses_every_item_is_shown_once():
    for imbalance in ("none", "weighted_loss", "focal_loss"):
        assert sorted(drawn(imbalance)) == list(range(len(CODES)))


def test_what_a_model_says_of_an_item_twice_in_a_batch_is_averaged():
    import torch

    record = LogitRecord(3, 2)
    record.add(np.array([2, 0, 2]), torch.tensor([[1.0, 0.0], [5.0, 5.0], [3.0, 1.0]]))
    np.testing.assert_array_equal(record.means()[[0, 2]], [[5.0, 5.0], [2.0, 0.5]])
    assert np.isnan(record.means()[1]).all()
