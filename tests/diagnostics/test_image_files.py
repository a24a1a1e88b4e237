import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diagnostics.errors import DataError, ImageError
from diagnostics.image_files import ImageRoot, decode_image, inspect_image

FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM", "ICO", "DDS", "AVIF", "SPIDER")


def saved(image: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(format: str = "PNG", **options) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, size=(24, 20, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    return saved(image.convert("F") if format == "SPIDER" else image, format, **options)


def with_orientation(value: int) -> dict[str, Image.Exif]:
    exif = Image.Exif()
    exif[0x0112] = value
    return {"exif": exif}


SOUND = {format: noise(format) for format in FORMATS}
SOUND["WEBP with EXIF"] = noise("WEBP", **with_orientation(6))
SOUND["JPEG with EXIF"] = noise("JPEG", **with_orientation(6))


def zip_with(path, **members: bytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return ImageRoot.at(path)


def code_of(call) -> str:
    with pytest.raises(ImageError) as caught:
        call()
    return caught.value.code


# ---------------------------------------------------------------- decoding


@given(
    st.sampled_from(sorted(SOUND)),
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), max_size=12),
)
@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=600)
def test_damaged_bytes_are_an_image_or_an_image_error_and_nothing_else(kind, share, changes):
    data = bytearray(SOUND[kind][: round(share * len(SOUND[kind]))])
    for place, value in changes:
        if data:
            data[int(place * len(data))] = value
    for look in (inspect_image, decode_image):
        try:
            look(bytes(data))
        except ImageError as error:
            assert error.code in ("not_an_image", "truncated_image", "image_bomb")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
def test_half_a_file_is_truncated(format):
    data = SOUND[format]
    assert code_of(lambda: inspect_image(data[: len(data) // 2])) in ("truncated_image", "not_an_image")


def test_an_empty_file_is_said_to_be_empty():
    with pytest.raises(ImageError, match="empty"):
        inspect_image(b"")


def test_damaged_exif_does_not_make_a_picture_unusable():
    data = noise("WEBP", **with_orientation(6)).replace(b"MM\0*", b"HM\0*").replace(b"II*\0", b"HI*\0")
    assert inspect_image(data).width == 20
    assert decode_image(data).size == (20, 24)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_and_measured_as_shown(orientation):
    pixels = np.zeros((16, 8), dtype=np.uint8)
    pixels[:4] = 255
    upright = Image.fromarray(pixels)
    back = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if back is None else upright.transpose(back)
    data = saved(stored, **with_orientation(orientation))
    facts = inspect_image(data)
    assert (facts.width, facts.height) == (8, 16)
    assert np.asarray(decode_image(data))[0, 0].tolist() == [255, 255, 255]
    assert np.asarray(decode_image(data))[-1, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (2, 2), 90), (90, 90, 90)),
        (Image.new("RGBA", (2, 2), (9, 9, 9, 0)), (255, 255, 255)),
        (Image.new("LA", (2, 2), (30, 255)), (30, 30, 30)),
        (Image.new("1", (2, 2), 1), (255, 255, 255)),
        (Image.fromarray(np.full((2, 2), 128 * 256, dtype=np.uint16)), (128, 128, 128)),
        (Image.new("RGB", (2, 2), (1, 2, 3)).convert("P", palette=Image.Palette.ADAPTIVE), (1, 2, 3)),
    ],
)
def test_every_kind_of_png_becomes_rgb(image, expected):
    decoded = decode_image(saved(image))
    assert decoded.mode == "RGB"
    assert decoded.getpixel((0, 0)) == expected


def test_cmyk_becomes_rgb():
    red, green, blue = decode_image(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")).getpixel(
        (4, 4)
    )
    assert red > 200
    assert green < 60
    assert blue < 60


def test_floating_point_grey_is_stretched_to_its_own_range():
    data = saved(Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)), "TIFF")
    assert np.asarray(decode_image(data))[0, :, 0].tolist() == [0, 127, 255]


def test_a_picture_of_too_many_pixels_is_a_bomb():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    assert code_of(lambda: inspect_image(data)) == "image_bomb"


# ---------------------------------------------------------------- folders


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "/etc/passwd",
        "../a.png",
        "x/../../a.png",
        "\\a.png",
        "x\\..\\..\\a.png",
        "C:\\a.png",
        "c:/a.png",
        "a\0",
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_path_that_could_leave_the_root_is_refused(path, kind, tmp_path):
    zip_with(tmp_path / "z.zip", a=b"x")
    root = ImageRoot.at(tmp_path if kind == "folder" else tmp_path / "z.zip")
    assert code_of(lambda: root.read(path)) == "unsafe_path"


def test_links_inside_the_root_are_read_and_links_out_of_it_refused(tmp_path):
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b.png").write_bytes(b"secret")
    (root / "real" / "a.png").write_bytes(b"a")
    (root / "link.png").symlink_to(root / "real" / "a.png")
    (root / "out.png").symlink_to(tmp_path / "outside" / "b.png")
    (root / "away").symlink_to(tmp_path / "outside", target_is_directory=True)
    found = ImageRoot.at(root)
    assert found.read("link.png") == b"a"
    assert code_of(lambda: found.read("out.png")) == "unsafe_path"
    assert code_of(lambda: found.read("away/b.png")) == "unsafe_path"
    assert "away/b.png" in found.names()


def test_a_link_to_a_folder_above_does_not_go_round_for_ever(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert ImageRoot.at(tmp_path).names() == ["a.png"]


def test_hidden_files_are_not_named(tmp_path):
    for name in (".DS_Store", "a.png", "__MACOSX/a.png", "x/.b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert ImageRoot.at(tmp_path).names() == ["a.png"]


def test_a_missing_file_with_backslashes_gets_a_hint(tmp_path):
    with pytest.raises(ImageError, match="instead of") as caught:
        ImageRoot.at(tmp_path).read("train\\a.png")
    assert caught.value.code == "missing_file"


def test_a_folder_in_place_of_a_file_cannot_be_read(tmp_path):
    (tmp_path / "a.png").mkdir()
    assert code_of(lambda: ImageRoot.at(tmp_path).read("a.png")) == "unreadable_file"


def test_a_root_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        ImageRoot.at(tmp_path / "gone")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        ImageRoot.at(tmp_path / "notes.txt")


# ---------------------------------------------------------------- zips


def test_a_zip_is_read_in_place_by_many_threads(tmp_path):
    members = {f"x__{number}": bytes([number]) * 1000 for number in range(50)}
    root = zip_with(tmp_path / "z.zip", **members)
    assert root.names() == sorted(name.replace("__", "/") for name in members)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(root.read, [f"x/{number}" for number in range(50)] * 4))
    assert read == [bytes([number]) * 1000 for number in range(50)] * 4


def test_a_name_in_a_zip_that_leaves_it_is_refused(tmp_path):
    root = zip_with(tmp_path / "z.zip", **{"..__evil.png": b"x", "ok.png": b"y"})
    assert code_of(lambda: root.read("../evil.png")) == "unsafe_path"


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    root = zip_with(tmp_path / "z.zip", bomb=b"\0" * (32 * 2**20))
    assert code_of(lambda: root.read("bomb")) == "image_bomb"


def test_a_zip_entry_that_unpacks_to_more_than_it_declares_is_not_read_beyond_that(tmp_path):
    path = tmp_path / "z.zip"
    zip_with(path, liar=b"a" * 100_000)
    size = struct.pack("<I", 100_000)
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<I", 10)))
    assert code_of(lambda: ImageRoot.at(path).read("liar")) == "unreadable_file"


def test_damaged_zip_entries_cannot_be_read_and_the_others_can(tmp_path):
    path = tmp_path / "z.zip"
    zip_with(path, bad=np.random.default_rng(0).bytes(3000) + b"a" * 3000, good=b"fine")
    data = bytearray(path.read_bytes())
    data[40:400] = b"\xff" * 360
    path.write_bytes(bytes(data))
    root = ImageRoot.at(path)
    assert code_of(lambda: root.read("bad")) == "unreadable_file"
    assert root.read("good") == b"fine"


def test_a_missing_member_is_a_missing_file(tmp_path):
    assert code_of(lambda: zip_with(tmp_path / "z.zip", a=b"x").read("b")) == "missing_file"
