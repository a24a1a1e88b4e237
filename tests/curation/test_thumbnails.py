import io

import pytest
from PIL import Image

from curation.thumbnails import MISSING, READABLE_PX, THUMBNAIL_PX, Picture, Thumbnails, make_thumbnail


def png(width, height, mode="RGB", color="red", **options):
    out = io.BytesIO()
    Image.new(mode, (width, height), color).save(out, "PNG", **options)
    return out.getvalue()


def opened(jpeg):
    return Image.open(io.BytesIO(jpeg))


def test_a_large_picture_is_made_small_and_keeps_its_shape():
    assert opened(make_thumbnail(png(1000, 500))).size == (THUMBNAIL_PX, THUMBNAIL_PX // 2)


def test_a_tiny_picture_is_enlarged_to_a_readable_size():
    assert opened(make_thumbnail(png(8, 4))).size == (READABLE_PX, READABLE_PX // 2)


def test_a_line_one_pixel_high_stays_visible():
    assert opened(make_thumbnail(png(1000, 1))).size == (THUMBNAIL_PX, 1)


def test_transparency_is_laid_over_white():
    jpeg = make_thumbnail(png(200, 200, mode="RGBA", color=(0, 0, 0, 0)))
    assert opened(jpeg).getpixel((100, 100)) == (255, 255, 255)


def test_a_picture_stands_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(make_thumbnail(png(300, 200, exif=exif))).size[0] < 256


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK"])
def test_every_mode_of_pictures_becomes_a_thumbnail(mode):
    out = io.BytesIO()
    Image.new(mode, (200, 200)).save(out, "TIFF")
    assert opened(make_thumbnail(out.getvalue())).mode == "RGB"


def test_a_thumbnail_is_made_once_for_the_same_content(tmp_path):
    reads = []

    def read(item_id):
        reads.append(item_id)
        return png(32, 32)

    thumbnails = Thumbnails(tmp_path / "cache" / "thumbnails.db", read)
    first = thumbnails.get([Picture("a", "same"), Picture("b", "same")])
    again = Thumbnails(tmp_path / "cache" / "thumbnails.db", read).get([Picture("c", "same")])
    assert first[0] == first[1] == again[0]
    assert len(reads) == 1


def test_a_picture_that_cannot_be_read_is_told_apart_and_tried_again(tmp_path):
    files = {}
    thumbnails = Thumbnails(tmp_path / "thumbnails.db", files.__getitem__)
    assert thumbnails.get([Picture("a", "hash")]) == [MISSING]
    files["a"] = png(32, 32)
    assert thumbnails.get([Picture("a", "hash")]) != [MISSING]


def test_sixteen_bit_pictures_are_drawn_as_bright_as_they_are():
    buffer = io.BytesIO()
    Image.new("I;16", (40, 40), 25_700).save(buffer, "PNG")
    with Image.open(io.BytesIO(make_thumbnail(buffer.getvalue()))) as drawn:
        assert abs(drawn.convert("L").getpixel((5, 5)) - 100) <= 3
