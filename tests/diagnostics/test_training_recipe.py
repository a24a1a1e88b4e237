import numpy as np
import pytest
import torch

from diagnostics.training.config import TrainConfig
from diagnostics.training.fit import LARGEST_FOUND_LR, lr_below_minimum
from diagnostics.training.fold import n_parallel_models
from diagnostics.training.imbalance import IMBALANCE
from diagnostics.training.recipe import LOSSES, DataFacts, loss_of, phases_of, resolve_config


def resolved(config=None, *, n_train=600, short_side_px=32.0, is_grey=False):
    facts = DataFacts(n_train=n_train, median_short_side_px=short_side_px, is_grey=is_grey)
    return resolve_config(config or TrainConfig(), facts, n_threads=2, precision="off")


def test_small_images_get_the_small_network_at_their_own_size():
    config = resolved(short_side_px=28.0)
    assert (config.arch, config.image_size_px) == ("small_cnn", 32)


def test_tiny_images_are_enlarged_and_large_ones_reduced():
    assert resolved(short_side_px=8.0).image_size_px == 16
    assert resolved(short_side_px=240.0).image_size_px == 64
    assert resolved(TrainConfig(pretrained=True), short_side_px=640.0).image_size_px == 224


def test_fewer_items_get_more_epochs():
    assert resolved(n_train=500).epochs > resolved(n_train=8000).epochs > resolved(n_train=100_000).epochs


def test_what_was_asked_for_is_kept():
    asked = TrainConfig(
        arch="resnet18", image_size_px=40, epochs=3, batch_size=8, flip=False, frozen_epochs=1
    )
    config = resolved(asked)
    assert (config.arch, config.image_size_px, config.epochs, config.batch_size, config.flip) == (
        "resnet18",
        40,
        3,
        8,
        False,
    )


def test_colour_photos_are_mirrored_and_grey_images_such_as_digits_are_not():
    assert resolved(is_grey=False).flip is True
    assert resolved(is_grey=True).flip is False


def test_from_scratch_is_one_cycle():
    (phase,) = phases_of(resolved(TrainConfig(epochs=7)), 0.004)
    assert (phase.n_epochs, phase.lr, phase.frozen) == (7, 0.004, False)


def test_pretrained_starts_frozen_and_goes_on_with_smaller_rates_for_earlier_layers():
    frozen, unfrozen = phases_of(resolved(TrainConfig(pretrained=True, epochs=5)), 0.002)
    assert (frozen.n_epochs, frozen.lr, frozen.frozen) == (1, 0.002, True)
    assert (unfrozen.n_epochs, unfrozen.frozen) == (4, False)
    assert unfrozen.lr.start == pytest.approx(0.00001)
    assert unfrozen.lr.stop == pytest.approx(0.001)


def test_a_loss_that_is_still_flat_at_huge_learning_rates_does_not_lead_there():
    lrs = np.geomspace(1e-5, 1.0, 50)
    assert lr_below_minimum(lrs, np.linspace(2.3, 1.0, 50)) == LARGEST_FOUND_LR


@pytest.mark.parametrize(
    ("n_models", "n_threads", "n_parallel"),
    [(5, 1, 1), (5, 2, 3), (5, 4, 5), (10, 4, 5), (5, 64, 5), (1, 8, 1)],
)
def test_models_side_by_side_leave_no_thread_idle_at_the_end(n_models, n_threads, n_parallel):
    assert n_parallel_models(n_models, n_threads=n_threads) == n_parallel


def test_there_is_a_loss_for_every_remedy():
    assert list(LOSSES) == list(IMBALANCE)


def loss(config, logits, codes, counts=(8, 2)):
    function = loss_of(resolved(config), np.array(counts), torch.device("cpu"))
    return float(function(torch.tensor(logits), torch.tensor(codes)))


def test_a_weighted_loss_counts_the_rarest_class_once_and_others_by_the_root_of_their_size():
    """Two items, the model is wrong about the rare one: cross-entropies 0.3133 and 1.3133, weights 0.5 and 1."""
    logits, codes = [[1.0, 0.0], [1.0, 0.0]], [0, 1]
    config = TrainConfig(imbalance="weighted_loss", label_smoothing=0.0)
    assert loss(config, logits, codes) == pytest.approx((0.5 * 0.31326 + 1.31326) / 1.5, abs=1e-5)
    plain = TrainConfig(label_smoothing=0.0)
    assert loss(plain, logits, codes) == pytest.approx((0.31326 + 1.31326) / 2, abs=1e-5)


def test_focal_loss_hardly_counts_what_the_model_is_sure_of():
    sure, unsure = [[4.0, 0.0]], [[0.0, 0.0]]
    focal = TrainConfig(imbalance="focal_loss")
    assert resolved(focal).label_smoothing == 0.0
    assert loss(focal, unsure, [0]) == pytest.approx(0.25 * np.log(2), abs=1e-5)
    assert loss(focal, sure, [0]) < 0.001 * loss(TrainConfig(label_smoothing=0.0), sure, [0])


def test_labels_are_smoothed_as_long_as_the_loss_knows_how():
    assert resolved().label_smoothing == 0.1
    assert resolved(TrainConfig(label_smoothing=0.0)).label_smoothing == 0.0
