"""Decode every image once into a memory-mapped uint8 array that all epochs, folds and rounds read."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from diagnostics.errors import DataError
from diagnostics.image_files import ImageRoot, decode_image
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.task import IntArray

FORMAT_VERSION = 1
MAX_LISTED = 10
IMAGES_PER_STEP = 256
PAD_COLOUR = (124, 116, 104)  # the mean colour of photographs: padding then is close to 0 after normalisation
REDUCING_GAP = 2.0

ByteArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageArray:
    """The pixels of a set of images, one row for each distinct file content.

    content_hashes : (n_rows,) sorted
    pixels : (n_rows, size_px, size_px, 3) uint8 RGB, memory-mapped, read-only
    """

    content_hashes: pd.Index
    pixels: ByteArray

    def rows_of(self, content_hashes: Sequence[str] | pd.Series) -> IntArray:
        """(n_items,) the row of each content; raises DataError for contents that are not in the array."""
        rows = self.content_hashes.get_indexer(pd.Index(content_hashes)).astype(np.int64)
        if (rows < 0).any():
            raise DataError(
                f"{int((rows < 0).sum())} images are not in the decoded array. Delete the cache folder."
            )
        return rows


def build_image_array(
    items: pd.DataFrame,
    *,
    roots: Sequence[ImageRoot],
    cache_dir: Path,
    size_px: int,
    resize: str,
    n_workers: int,
    on_progress: ProgressCallback,
) -> ImageArray:
    """The decoded images of all items, from the cache where it has them.

    items : columns path, root, content_hash; items with the same content are decoded and stored once
    resize : see `square_image`
    n_workers : threads; Pillow decodes and resizes outside Python's lock, so threads use all cores
    raises : DataError listing the images that cannot be read any more

    The array of an earlier round serves this one if it holds all images; what it lacks is added to a new array, and
    the old one, then contained in the new, is removed.
    """
    folder = cache_dir / "arrays" / f"{size_px}px-{resize}-v{FORMAT_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = items.drop_duplicates("content_hash").sort_values("content_hash")
    hashes = pd.Index(wanted["content_hash"].to_numpy(dtype=object), name="content_hash")
    cached = _cached_arrays(folder)
    for path, known in cached.items():
        if hashes.isin(known).all():
            return ImageArray(known, np.load(path, mmap_mode="r"))
    path = folder / f"{_key_of(hashes)}.npy"
    beside = path.with_name(f".{path.stem}.partial.npy")
    shape = (len(hashes), size_px, size_px, 3)
    pixels = np.lib.format.open_memmap(beside, mode="w+", dtype=np.uint8, shape=shape)
    missing = _copy_known(pixels, hashes, cached)
    source = _Source(wanted, roots, resize, n_workers)
    _decode_into(pixels, missing, source, on_progress)
    pixels.flush()
    del pixels
    _put_in_place(beside, path, hashes)
    _remove_contained(cached, hashes)
    return ImageArray(hashes, np.load(path, mmap_mode="r"))


def square_image(image: Image.Image, size_px: int, resize: str) -> Image.Image:
    """The image as size_px × size_px.

    resize : "squish" changes the proportions and cuts nothing, the right choice where the thing to classify may be
        anywhere in the picture; "crop" keeps the middle square; "pad" keeps proportions and picture, adds grey bars
    """
    return RESIZE_METHODS[resize](image, size_px)


def _squish(image: Image.Image, size_px: int) -> Image.Image:
    if image.size == (size_px, size_px):
        return image
    return image.resize((size_px, size_px), Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)


def _crop(image: Image.Image, size_px: int) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return _squish(image.crop((left, top, left + side, top + side)), size_px)


def _pad(image: Image.Image, size_px: int) -> Image.Image:
    width, height = image.size
    scale = size_px / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = Image.new("RGB", (size_px, size_px), PAD_COLOUR)
    small = image.resize(inner, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
    canvas.paste(small, ((size_px - inner[0]) // 2, (size_px - inner[1]) // 2))
    return canvas


RESIZE_METHODS = {"squish": _squish, "crop": _crop, "pad": _pad}


def _key_of(hashes: pd.Index) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:32]


def _cached_arrays(folder: Path) -> dict[Path, pd.Index]:
    """Every finished array of the folder with the contents it holds, largest first."""
    found = {}
    for path in sorted(folder.glob("[!.]*.npy")):
        listing = path.with_suffix(".hashes")
        if listing.is_file():
            found[path] = pd.Index(listing.read_text().split("\n"), dtype=object, name="content_hash")
    return dict(sorted(found.items(), key=lambda entry: -len(entry[1])))


def _copy_known(pixels: ByteArray, hashes: pd.Index, cached: dict[Path, pd.Index]) -> IntArray:
    """Copy what earlier arrays hold; returns the rows that are still to be decoded."""
    missing = np.arange(len(hashes))
    for path, known in cached.items():
        source = known.get_indexer(hashes[missing])
        older = np.load(path, mmap_mode="r")
        here = np.flatnonzero(source >= 0)
        for part in _steps(here):
            pixels[missing[part]] = older[source[part]]
        missing = missing[source < 0]
    return missing


def _steps(rows: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(rows), IMAGES_PER_STEP):
        yield rows[start : start + IMAGES_PER_STEP]


@dataclass(frozen=True)
class _Source:
    """Where the image of each row comes from. items : one row a row of the array, columns path and root"""

    items: pd.DataFrame
    roots: Sequence[ImageRoot]
    resize: str
    n_workers: int


def _decode_into(pixels: ByteArray, rows: IntArray, source: _Source, on_progress: ProgressCallback) -> None:
    size_px = pixels.shape[1]
    paths, root_numbers = source.items["path"].to_numpy(dtype=object), source.items["root"].to_numpy()

    def decode(row: int) -> str:
        """Fill one row; returns what is wrong, "" if nothing is."""
        try:
            image = decode_image(source.roots[root_numbers[row]].read(paths[row]), size_px=(size_px, size_px))
        except (DataError, OSError) as error:
            return f"{paths[row]}: {error}"
        pixels[row] = np.asarray(square_image(image, size_px, source.resize))
        return ""

    problems: list[str] = []
    n_done = 0
    with ThreadPoolExecutor(max_workers=source.n_workers) as pool:
        for part in _steps(rows):
            problems += [text for text in pool.map(decode, part) if text]
            n_done += len(part)
            on_progress(Progress("decode", n_done, len(rows), detail="images decoded once for all epochs"))
    if problems:
        more = f" and {len(problems) - MAX_LISTED} more" if len(problems) > MAX_LISTED else ""
        raise DataError(
            f"{len(problems)} images that were taken in cannot be read any more: "
            f"{'; '.join(problems[:MAX_LISTED])}{more}. Put them back or exclude these items."
        )


def _put_in_place(beside: Path, path: Path, hashes: pd.Index) -> None:
    """The listing comes last: an array without one is not used."""
    beside.replace(path)
    listing = path.with_suffix(".hashes")
    listing_beside = listing.with_name(f".{listing.name}.partial")
    listing_beside.write_text("\n".join(hashes))
    listing_beside.replace(listing)


def _remove_contained(cached: dict[Path, pd.Index], hashes: pd.Index) -> None:
    for path, known in cached.items():
        if known.isin(hashes).all():
            path.with_suffix(".hashes").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
