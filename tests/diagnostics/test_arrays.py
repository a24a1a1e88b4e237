import hashlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from diagnostics.arrays import build_image_array, square_image
from diagnostics.errors import DataError
from diagnostics.image_files import ImageRoot
from diagnostics.progress import ignore_progress


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(6):
        pixels = np.full((10, 14, 3), number * 40, dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    (images / "copy.png").write_bytes((images / "3.png").read_bytes())
    return images


def table(folder, *names):
    return pd.DataFrame(
        {
            "path": list(names),
            "root": 0,
            "content_hash": [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names],
        }
    )


def build(folder, items, *, on_progress=ignore_progress, size_px=8, resize="squish"):
    return build_image_array(
        items,
        roots=[ImageRoot.at(folder)],
        cache_dir=folder.parent / "cache",
        size_px=size_px,
        resize=resize,
        n_workers=2,
        on_progress=on_progress,
    )


def colours(array, items):
    return array.pixels[array.rows_of(items["content_hash"])][:, 0, 0, 0].tolist()


def test_every_item_gets_its_own_pixels(folder):
    items = table(folder, "5.png", "0.png", "2.png")
    array = build(folder, items)
    assert array.pixels.shape == (3, 8, 8, 3)
    assert colours(array, items) == [200, 0, 80]


def test_items_of_equal_content_are_stored_once(folder):
    items = table(folder, "3.png", "copy.png", "1.png")
    array = build(folder, items)
    assert len(array.pixels) == 2
    assert colours(array, items) == [120, 120, 40]


def test_a_second_run_decodes_nothing(folder):
    items = table(folder, "0.png", "1.png")
    build(folder, items)
    seen = []
    build(folder, items, on_progress=seen.append)
    assert seen == []


def test_a_round_with_fewer_items_uses_the_array_that_is_there(folder):
    build(folder, table(folder, "0.png", "1.png", "2.png"))
    seen = []
    items = table(folder, "2.png", "0.png")
    array = build(folder, items, on_progress=seen.append)
    assert seen == []
    assert colours(array, items) == [80, 0]


def test_a_round_with_more_items_decodes_only_the_new_ones_and_drops_the_old_array(folder):
    build(folder, table(folder, "0.png", "1.png"))
    seen = []
    items = table(folder, "1.png", "4.png", "0.png")
    array = build(folder, items, on_progress=seen.append)
    assert [progress.total for progress in seen] == [1]
    assert colours(array, items) == [40, 160, 0]
    assert len(list((folder.parent / "cache").rglob("*.npy"))) == 1


def test_an_array_whose_listing_was_never_written_is_not_used(folder):
    items = table(folder, "0.png", "1.png")
    build(folder, items)
    for listing in (folder.parent / "cache").rglob("*.hashes"):
        listing.unlink()
    assert colours(build(folder, items), items) == [0, 40]


def test_images_that_cannot_be_read_any_more_are_listed_together(folder):
    items = table(folder, "0.png", "1.png", "2.png")
    (folder / "0.png").unlink()
    (folder / "2.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="2 images") as caught:
        build(folder, items)
    assert "0.png" in str(caught.value)
    assert "2.png" in str(caught.value)


def test_grey_images_become_three_equal_channels(folder):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "grey.png")
    array = build(folder, table(folder, "grey.png"))
    np.testing.assert_array_equal(array.pixels[0, :, :, 0], array.pixels[0, :, :, 2])
    np.testing.assert_array_equal(array.pixels[0, :, :, 0], np.arange(64).reshape(8, 8))


@pytest.fixture
def wide():
    """Left third red, middle third green, right third blue."""
    pixels = np.zeros((30, 90, 3), dtype=np.uint8)
    for part in range(3):
        pixels[:, part * 30 : (part + 1) * 30, part] = 255
    return Image.fromarray(pixels)


def test_squish_keeps_the_whole_picture(wide):
    pixels = np.asarray(square_image(wide, 30, "squish"))
    assert pixels[15, [3, 15, 26]].argmax(axis=1).tolist() == [0, 1, 2]


def test_crop_keeps_the_middle(wide):
    pixels = np.asarray(square_image(wide, 30, "crop"))
    assert pixels[15, [3, 15, 26]].argmax(axis=1).tolist() == [1, 1, 1]


def test_pad_keeps_the_proportions(wide):
    pixels = np.asarray(square_image(wide, 30, "pad"))
    assert pixels[15, [3, 15, 26]].argmax(axis=1).tolist() == [0, 1, 2]
    assert pixels[2, 15].tolist() == [124, 116, 104]
