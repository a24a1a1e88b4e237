import numpy as np
import pytest
import torch

from diagnostics.array_loader import ArrayItems, ArrayLoader
from diagnostics.training.augment import Augment, Normalise, flip_some, shift_some, warp_some

PLAIN = Normalise((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture
def items():
    """Item i is a picture of colour 10 * i with code i; rows are stored in reverse."""
    pixels = np.stack([np.full((8, 8, 3), 10 * (6 - row), dtype=np.uint8) for row in range(7)])
    return ArrayItems(pixels, np.arange(7)[::-1].copy(), torch.arange(7))


def colours(batch):
    return (batch[:, 0, 0, 0] * 255 / 10).round().long().tolist()


def test_a_batch_holds_the_images_of_its_items_with_their_codes(items):
    loader = ArrayLoader(items, prepare=PLAIN, bs=3)
    batches = list(loader)
    assert [colours(images) for images, _ in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [codes.tolist() for _, codes in batches] == [[0, 1, 2], [3, 4, 5], [6]]


def test_shuffling_keeps_image_and_code_together_and_shows_each_item_once(items):
    loader = ArrayLoader(items, prepare=PLAIN, bs=3, shuffle=True)
    seen = [pair for images, codes in loader for pair in zip(colours(images), codes.tolist(), strict=True)]
    assert all(colour == code for colour, code in seen)
    assert sorted(code for _, code in seen) == list(range(7))
    assert [code for _, code in seen] != list(range(7))


def test_the_order_depends_on_the_generator_alone(items):
    loader = ArrayLoader(items, prepare=PLAIN, bs=7, shuffle=True)
    orders = []
    for _ in range(2):
        loader.order_rng = np.random.default_rng(5)
        orders.append(next(iter(loader))[1].tolist())
    assert orders[0] == orders[1]


def test_an_epoch_shows_what_is_drawn(items):
    loader = ArrayLoader(
        items, prepare=PLAIN, draw=lambda rng: np.array([6, 0, 6, 1]), n=4, bs=3, shuffle=True
    )
    assert len(loader) == 2
    assert [codes.tolist() for _, codes in loader] == [[6, 0, 6], [1]]
    assert loader.batch_positions.tolist() == [1]


def test_a_new_loader_of_it_reads_the_same_array(items):
    loader = ArrayLoader(items, prepare=PLAIN, bs=3, shuffle=True).new(shuffle=False)
    assert colours(next(iter(loader))[0]) == [0, 1, 2]


def test_normalising_gives_mean_zero_and_deviation_one():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2).expand(2, 3, 1, 2)
    normalised = Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))(images)
    assert normalised[0, 0, 0].tolist() == [-1.0, 1.0]


def test_about_half_of_the_images_are_mirrored_and_none_is_changed_otherwise():
    torch.manual_seed(0)
    images = torch.arange(8, dtype=torch.uint8).expand(200, 3, 8, 8)
    firsts = flip_some(images)[:, 0, 0, 0]
    assert set(firsts.tolist()) == {0, 7}
    assert 70 < int((firsts == 7).sum()) < 130


def test_shifting_moves_by_at_most_an_eighth_and_reflects_at_the_border():
    torch.manual_seed(0)
    row = torch.arange(8, dtype=torch.uint8)
    moved = shift_some(row.expand(100, 3, 8, 8))[:, 0, 0]
    assert {tuple(line.tolist()) for line in moved} == {
        (0, 1, 2, 3, 4, 5, 6, 7),
        (1, 2, 3, 4, 5, 6, 7, 6),
        (1, 0, 1, 2, 3, 4, 5, 6),
    }


def test_warping_keeps_a_plain_picture_plain():
    images = torch.full((4, 3, 16, 16), 0.5)
    assert torch.allclose(warp_some(images), images)


@pytest.mark.parametrize("augment", ["none", "light", "standard"])
def test_every_augmentation_keeps_the_shape(augment):
    images = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
    changed = Augment(PLAIN, augment, flip=True)(images)
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
