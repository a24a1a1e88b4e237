import numpy as np
import pytest

from diagnostics.label_space import set_space, single_space
from diagnostics.multilabel.imbalance import SET_REMEDIES, draw_weights
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import IMBALANCE, count_classes, item_weights, repetitions
from diagnostics.training.logit_record import LogitRecord

CODES = np.repeat([0, 1, 2], [90, 25, 5])
COUNTS = count_classes(CODES, 4)
SPACE = single_space(("a", "b", "c", "d"))
SETS = ["a"] * 60 + ["a|b"] * 20 + ["a|c"] * 4 + ["c"] + ["(none)"] * 15
SET_SPACE = set_space(("a", "b", "c", "d"), SETS)
SET_CODES = SET_SPACE.codes(SETS)


def drawn(imbalance, seed=0):
    return IMBALANCE[imbalance].draw(SPACE, CODES, np.random.default_rng(seed))


@pytest.mark.parametrize("imbalance", IMBALANCE)
def test_an_epoch_is_as_long_as_was_said_and_follows_from_the_generator(imbalance):
    positions = drawn(imbalance)
    assert len(positions) == IMBALANCE[imbalance].n_drawn(SPACE, CODES)
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


@pytest.mark.parametrize("imbalance", SET_REMEDIES)
def test_an_epoch_of_sets_is_as_long_as_was_said_too(imbalance):
    remedy = SET_REMEDIES[imbalance]
    positions = remedy.draw(SET_SPACE, SET_CODES, np.random.default_rng(0))
    assert len(positions) == remedy.n_drawn(SET_SPACE, SET_CODES) == len(SETS)
    assert set(positions) <= set(range(len(SETS)))


def test_a_set_is_drawn_as_its_rarest_class_asks():
    weights = dict(zip(SETS, draw_weights(SET_SPACE, SET_CODES), strict=True))
    assert weights == pytest.approx(
        {"a": np.sqrt(5 / 84), "a|b": 0.5, "a|c": 1, "c": 1, "(none)": np.sqrt(5 / 84)}
    )
    assert draw_weights(SET_SPACE, np.array([-1])).tolist() == [1]


def test_labels_that_few_have_weigh_more_where_they_are_had():
    weights = item_weights(SET_REMEDIES, "weighted_loss", SET_SPACE, np.append(SET_CODES, -1))
    has_c = SET_SPACE.targets(SET_CODES)[:, 2]
    assert weights[:-1][has_c, 2] == pytest.approx(np.sqrt(95 / 5))
    assert weights[:-1][~has_c, 2] == pytest.approx(1)
    assert weights[0, 0] == pytest.approx(np.sqrt(16 / 84))
    assert (weights[:, 3] == 1).all()
    assert (weights[-1] == 1).all()


def test_the_loss_of_a_network_weighs_labels_as_heads_do():
    import torch

    from diagnostics.label_kinds.multi_learning import Learning

    logits, codes = torch.randn(len(SETS), 4, generator=torch.Generator().manual_seed(0)), SET_CODES
    config = TrainConfig(imbalance="weighted_loss", label_smoothing=0.0)
    found = Learning(SET_SPACE).loss(config, codes, torch.device("cpu"))(logits, torch.from_numpy(codes))
    weights = item_weights(SET_REMEDIES, "weighted_loss", SET_SPACE, codes)
    said = np.where(SET_SPACE.targets(codes), logits.sigmoid(), 1 - logits.sigmoid())
    assert float(found) == pytest.approx(np.average(-np.log(said), weights=weights), rel=1e-5)


def test_what_a_model_says_of_an_item_twice_in_a_batch_is_averaged():
    import torch

    record = LogitRecord(3, 2)
    record.add(np.array([2, 0, 2]), torch.tensor([[1.0, 0.0], [5.0, 5.0], [3.0, 1.0]]))
    np.testing.assert_array_equal(record.means()[[0, 2]], [[5.0, 5.0], [2.0, 0.5]])
    assert np.isnan(record.means()[1]).all()
