"""Read image files from a folder or a zip, guarded, and turn their bytes into pictures or clear errors."""

import hashlib
import io
import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from diagnostics.errors import DataError, ImageError

EXIF_ORIENTATION, UPRIGHT, FIRST_TURNED_ORIENTATION = 0x0112, 1, 5
TRANSPOSE_OF = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MAX_FILE_BYTES = 512 * 2**20
MAX_ZIP_RATIO = 200
RATIO_CHECKED_ABOVE_BYTES = 8 * 2**20
THUMBNAIL_PX = 16
DRAFT_PX = (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX)
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


class ImageFacts(NamedTuple):
    """What a full decode of a file tells: its size as shown (after EXIF rotation), the SHA-256 of its bytes.

    thumbnail : THUMBNAIL_PX ** 2 grey levels, row by row: the picture as shown, squeezed into a square
    """

    width: int
    height: int
    content_hash: str
    thumbnail: bytes


class _Loaded(NamedTuple):
    """A decoded picture, not yet turned upright.

    size : in pixels of the file; box : the part of the image that is the picture, None = all. JPEG files that were
        decoded at a smaller scale have up to a pixel of padding.
    """

    image: Image.Image
    size: tuple[int, int]
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True)
class ImageRoot:
    """Where relative paths lead: kind "folder" or "zip". Cheap to send to another process."""

    kind: str
    path: Path

    @classmethod
    def at(cls, path: Path) -> "ImageRoot":
        """The root for a folder or a zip file; raises DataError for anything else."""
        if path.is_dir():
            return cls("folder", path.resolve())
        if path.is_file() and zipfile.is_zipfile(path):
            return cls("zip", path.resolve())
        found = "is neither a folder nor a zip file" if path.exists() else "does not exist"
        raise DataError(f"{path} {found}. Give a folder with images or a zip file of them.")

    def read(self, relative_path: str) -> bytes:
        """The bytes of one file.

        raises : ImageError with code "unsafe_path", "missing_file", "image_bomb" or "unreadable_file"
        """
        check_relative(relative_path)
        return _READERS[self.kind](self.path, relative_path)

    def names(self) -> list[str]:
        """All files, as relative posix paths, sorted; hidden files and folders are left out."""
        return sorted(name for name in _LISTERS[self.kind](self.path) if not _is_hidden(name))


def check_relative(path: str) -> None:
    """Refuse a path that could leave the root; raises ImageError with code "unsafe_path"."""
    parts = path.replace("\\", "/").split("/")
    rooted = parts[0] == "" or path[1:2] == ":"
    if rooted or path == "." or ".." in parts or "\0" in path:
        raise ImageError(
            f"{path!r} is absolute or leaves the data folder; paths must be relative to the images.",
            code="unsafe_path",
        )


def inspect_image(data: bytes) -> ImageFacts:
    """Read a file to its end, so that truncation shows. JPEG files are decoded in grey and small, which is faster.

    raises : ImageError with code "not_an_image", "truncated_image" or "image_bomb"
    """
    image, (width, height), box = _load(data, draft=("L", DRAFT_PX))
    thumbnail = _thumbnail(_grey(image), box)
    orientation = _orientation(image)
    if orientation >= FIRST_TURNED_ORIENTATION:
        width, height = height, width
    if orientation != UPRIGHT:
        thumbnail = thumbnail.transpose(TRANSPOSE_OF[orientation])
    return ImageFacts(width, height, hashlib.sha256(data).hexdigest(), thumbnail.tobytes())


def decode_image(data: bytes, *, size_px: tuple[int, int] | None = None) -> Image.Image:
    """The picture as RGB, upright. With `size_px`, JPEG files are decoded at the least scale that is as large.

    Transparency is laid over white, 16-bit grey is scaled to 8 bits, of an animation the first frame is taken.
    raises : ImageError as `inspect_image`
    """
    image = _load(data, draft=None if size_px is None else ("RGB", size_px)).image
    turn = TRANSPOSE_OF.get(_orientation(image))
    return _to_rgb(image if turn is None else image.transpose(turn))


def _load(data: bytes, *, draft: tuple[str, tuple[int, int]] | None = None) -> _Loaded:
    """draft : of JPEG files, the mode and the least size that will do"""
    if not data:
        raise ImageError("The file is empty (0 bytes).", code="not_an_image")
    try:
        image = Image.open(io.BytesIO(data))
        size = image.size
        drafted = image.draft(*draft) if draft is not None else None
        image.load()
    except Image.DecompressionBombError as error:
        raise ImageError(f"Its declared size is a decompression bomb: {error}", code="image_bomb") from error
    except UnidentifiedImageError as error:
        raise ImageError("It is not an image in a format that Pillow reads.", code="not_an_image") from error
    except Exception as error:
        # Pillow's parsers let out whatever they stumble over: struct.error, IndexError, RuntimeError, AttributeError …
        raise ImageError(f"It cannot be decoded to the end: {error}", code="truncated_image") from error
    return _Loaded(image, size, None if drafted is None else drafted[1])


def _orientation(image: Image.Image) -> int:
    """How EXIF says the picture lies, 1 to 8; damaged EXIF data does not make a picture unusable."""
    if "exif" not in image.info and image.format != "TIFF":
        return UPRIGHT
    try:
        value = image.getexif().get(EXIF_ORIENTATION, UPRIGHT)
    except Exception:
        # As in `_load`: there is no telling what a parser of damaged bytes raises.
        return UPRIGHT
    return value if isinstance(value, int) and value in TRANSPOSE_OF else UPRIGHT


def _thumbnail(grey: Image.Image, box: tuple[float, float, float, float] | None) -> Image.Image:
    """Means over equal parts of the picture; where these are whole pixels, Pillow has a function twice as fast."""
    width, height = grey.size
    whole = box is None or box == (0, 0, width, height)
    if whole and width % THUMBNAIL_PX == 0 and height % THUMBNAIL_PX == 0:
        return grey.reduce((width // THUMBNAIL_PX, height // THUMBNAIL_PX))
    return grey.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX, box=box)


def _grey(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        return image
    return image.convert("L") if image.mode in ("RGB", "1", "CMYK") else _to_rgb(image).convert("L")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        return _stretched(image)
    if image.mode.startswith("I;16") or image.mode == "I":
        scaled = image.convert("I").point(lambda value: value * (1 / 256))
        return scaled.convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        canvas = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(canvas, rgba).convert("RGB")
    return image.convert("RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Floating-point grey has no agreed white: the picture's own range becomes black to white."""
    low, high = image.getextrema()
    if not (isinstance(low, float) and isinstance(high, float) and low < high):
        return Image.new("RGB", image.size)
    scale, offset = 255 / (high - low), -255 * low / (high - low)
    return image.point(lambda value: value * scale + offset).convert("L").convert("RGB")


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _read_from_folder(folder: Path, relative_path: str) -> bytes:
    path = f"{folder}/{relative_path}"
    try:
        facts = os.lstat(path)
        if stat.S_ISLNK(facts.st_mode) or not _lies_in(path.rpartition("/")[0], folder):
            _refuse_link_out(path, folder)
            facts = os.stat(path)  # noqa: PTH116 - a Path costs 10 µs, a fifth of decoding a small image
        if facts.st_size > MAX_FILE_BYTES:
            raise ImageError(f"{relative_path!r} is larger than {MAX_FILE_BYTES:,} bytes.", code="image_bomb")
        if not stat.S_ISREG(facts.st_mode):
            raise ImageError(f"{relative_path!r} is a folder or a device.", code="unreadable_file")
        return _read_at_once(path, facts.st_size)
    except FileNotFoundError as error:
        raise _missing(relative_path, folder) from error
    except OSError as error:
        raise ImageError(f"{relative_path!r} cannot be read: {error}.", code="unreadable_file") from error


def _read_at_once(path: str, n_bytes: int) -> bytes:
    """A small file in three system calls; Python's file objects need six, a tenth of decoding a small image."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        data = os.read(descriptor, n_bytes)
        while len(data) < n_bytes and (more := os.read(descriptor, n_bytes - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


@lru_cache(maxsize=4096)
def _lies_in(parent: str, folder: Path) -> bool:
    """Whether a folder of files, links followed, is inside the root; asked once a folder, not once a file."""
    return Path(os.path.realpath(parent)).is_relative_to(folder)


def _refuse_link_out(path: str, folder: Path) -> None:
    if not Path(os.path.realpath(path)).is_relative_to(folder):
        raise ImageError(f"{path!r} is a link that leaves {folder}.", code="unsafe_path")


def _read_from_zip(path: Path, relative_path: str) -> bytes:
    archive, lock = _open_zip(path, os.getpid())
    try:
        entry = archive.getinfo(relative_path)
    except KeyError as error:
        raise _missing(relative_path, path) from error
    ratio = entry.file_size / max(1, entry.compress_size)
    if entry.file_size > MAX_FILE_BYTES or (
        entry.file_size > RATIO_CHECKED_ABOVE_BYTES and ratio > MAX_ZIP_RATIO
    ):
        raise ImageError(
            f"{relative_path!r} would unpack to {entry.file_size:,} bytes, {ratio:.0f} times its packed size.",
            code="image_bomb",
        )
    try:
        with lock:
            return archive.read(entry)  # stops at the declared size, whatever the packed bytes hold
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise ImageError(
            f"{relative_path!r} in {path.name} cannot be unpacked: {error}.", code="unreadable_file"
        ) from error


def _missing(relative_path: str, place: Path) -> ImageError:
    hint = " Write the path with / instead of \\." if "\\" in relative_path else ""
    return ImageError(f"There is no file {relative_path!r} in {place}.{hint}", code="missing_file")


def _folder_names(folder: Path) -> list[str]:
    return list(_files_below(str(folder), "", frozenset()))


def _files_below(folder: str, prefix: str, above: frozenset[str]) -> Iterator[str]:
    """Linked folders are entered, so that nothing in them is passed over; a link back to a folder above is not."""
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files_below(entry.path, f"{prefix}{entry.name}/", above | {real})
            else:
                yield prefix + entry.name


def _zip_names(path: Path) -> list[str]:
    archive, _ = _open_zip(path, os.getpid())
    return [entry.filename for entry in archive.infolist() if not entry.is_dir()]


@lru_cache(maxsize=32)
def _open_zip(path: Path, process: int) -> tuple[zipfile.ZipFile, threading.Lock]:
    """One open archive a process: a handle inherited from a parent would share its file position."""
    try:
        return zipfile.ZipFile(path), threading.Lock()
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be opened as a zip file: {error}.") from error


_READERS = {"folder": _read_from_folder, "zip": _read_from_zip}
_LISTERS = {"folder": _folder_names, "zip": _zip_names}
