"""Copies of an image are found however they were altered a little; what is only alike is not."""

from io import BytesIO
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from curation.dataset import near_duplicates
from curation.dataset.near_duplicates import MAX_BITS, PLAIN, find_near_duplicates
from diagnostics.image_files import THUMBNAIL_PX, inspect_image

N_PHOTOS = 60


def photo(seed: int) -> Image.Image:
    """Something with the frequencies of a photo: coarse shapes, some detail."""
    rng = np.random.default_rng(seed)
    layers = [rng.normal(0, 60 / cells, (cells, cells, 3)) for cells in (3, 6, 12, 24)]
    sizes = [np.asarray(_enlarged(layer)) for layer in layers]
    return Image.fromarray(np.clip(128 + 3 * np.sum(sizes, axis=0), 0, 255).astype(np.uint8))


def _enlarged(layer: np.ndarray) -> np.ndarray:
    channels = [Image.fromarray(layer[:, :, c].astype(np.float32)) for c in range(3)]
    return np.stack(
        [np.asarray(each.resize((96, 72), Image.Resampling.BICUBIC)) for each in channels], axis=2
    )


def saved(image: Image.Image, format: str = "JPEG", **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def thumbnails_of(files: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(inspect_image(file).thumbnail for file in files), np.uint8).reshape(
        -1, THUMBNAIL_PX**2
    )


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return thumbnails_of([saved(photo(seed), quality=90) for seed in range(N_PHOTOS)])


ALTERED = {
    "saved again": lambda image: saved(image, quality=30),
    "another format": lambda image: saved(image, "PNG"),
    "half the size": lambda image: saved(image.resize((48, 36), Image.Resampling.BICUBIC)),
    "brighter": lambda image: saved(ImageEnhance.Brightness(image).enhance(1.2)),
    "in grey": lambda image: saved(image.convert("L")),
    "cut a little": lambda image: saved(image.crop((1, 1, 95, 71))),
    "mirrored": lambda image: saved(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


@pytest.mark.parametrize("alteration", ALTERED)
def test_an_altered_copy_is_found_and_nothing_else(photos, alteration):
    copy = thumbnails_of([ALTERED[alteration](photo(7))])
    found = find_near_duplicates(np.concatenate([photos, copy]))
    assert {found.look[7], found.look[N_PHOTOS]} == {*found.first, *found.second}
    assert len(found.first) == 1
    assert found.mirrored.tolist() == [alteration == "mirrored"]
    assert found.complete


def test_images_that_are_all_much_alike_are_no_copies_of_one_another():
    rng = np.random.default_rng(0)
    shape = photos_of_one_shape(rng, spread=12)
    assert len(find_near_duplicates(shape).first) == 0


def photos_of_one_shape(rng, *, spread: float) -> np.ndarray:
    base = np.asarray(photo(1).convert("L").resize((16, 16))).ravel()
    return np.clip(base + rng.normal(0, spread, (200, 256)), 0, 255).astype(np.uint8)


def test_even_images_are_left_out_and_said_to_be(photos):
    rng = np.random.default_rng(0)
    even = np.clip(rng.normal(200, 1, (3000, 256)), 0, 255).astype(np.uint8)
    found = find_near_duplicates(np.concatenate([photos, even]))
    assert (found.look == PLAIN).tolist() == [False] * N_PHOTOS + [True] * 3000
    assert len(found.first) == 0


def test_equal_thumbnails_have_one_look(photos):
    found = find_near_duplicates(photos[[0, 1, 0, 2]])
    assert found.look[0] == found.look[2]
    assert len(set(found.look)) == 3


@pytest.mark.parametrize("n_images", [0, 1, 2])
def test_few_images_are_no_problem(photos, n_images):
    assert len(find_near_duplicates(photos[:n_images]).first) == 0


def test_every_pair_of_close_hashes_is_found():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 300, dtype=np.uint64)
    for n_bits in range(1, 12):
        flipped = np.bitwise_or.reduce(
            np.uint64(1) << rng.choice(64, n_bits, replace=False).astype(np.uint64)
        )
        hashes = np.append(hashes, hashes[n_bits] ^ flipped)
    close = {
        (first, second)
        for first, second in combinations(range(len(hashes)), 2)
        if np.bitwise_count(hashes[first] ^ hashes[second]) <= MAX_BITS
    }
    found = []
    for band in range(near_duplicates.N_BANDS):
        for asking, places in near_duplicates._close(hashes, hashes, band):
            found += [(a, b) for a, b in zip(asking.tolist(), places.tolist(), strict=True) if a < b]
    assert sorted(found) == sorted(close), "each once"
    assert len(close) >= MAX_BITS


def test_too_many_pairs_end_the_search_and_that_is_said(photos):
    rng = np.random.default_rng(0)
    frames = np.clip(photos[0].astype(int) + rng.integers(-1, 2, (80, 256)), 0, 255).astype(np.uint8)
    many = np.concatenate([photos, frames])
    assert find_near_duplicates(many).complete
    assert not find_near_duplicates(many, max_pairs=100).complete
