"""How many altered copies of images are found, how many false pairs there are, and how long the search takes.

python tests/benchmarks/bench_duplicates.py FOLDER_OR_ZIP … --pairs-png FOLDER --n-search 100000

Of each set of images some are altered in several ways and sought among all of the set. Pairs among the originals are
drawn into a picture, for a person to say which of them are nearly the same.
"""

import argparse
import io
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from curation.dataset.near_duplicates import PLAIN, Likeness, find_near_duplicates
from diagnostics.image_files import IMAGE_SUFFIXES, THUMBNAIL_PX, ImageRoot, inspect_image

N_ALTERED = 300
CELL_PX, PAIRS_A_ROW = 80, 8
Alteration = Callable[[Image.Image], bytes]


def saved(image: Image.Image, format: str = "JPEG", **options: int) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """The image at another size."""
    size = [max(1, round(side * factor)) for side in image.size]
    return image.resize((size[0], size[1]), Image.Resampling.BICUBIC)


def cut(image: Image.Image, share: float) -> Image.Image:
    """The middle of the image, this share of each side cut off."""
    width, height = image.size
    left, top = round(width * share / 2), round(height * share / 2)
    return image.crop((left, top, width - left, height - top))


ALTERATIONS: dict[str, Alteration] = {
    "JPEG, quality 90": lambda image: saved(image, quality=90),
    "JPEG, quality 50": lambda image: saved(image, quality=50),
    "JPEG, quality 20": lambda image: saved(image, quality=20),
    "as PNG": lambda image: saved(image, "PNG"),
    "half the size": lambda image: saved(scaled(image, 0.5), quality=90),
    "1.5 times the size": lambda image: saved(scaled(image, 1.5), quality=90),
    "a quarter brighter": lambda image: saved(ImageEnhance.Brightness(image).enhance(1.25), quality=90),
    "a quarter darker": lambda image: saved(ImageEnhance.Brightness(image).enhance(0.75), quality=90),
    "less contrast": lambda image: saved(ImageEnhance.Contrast(image).enhance(0.7), quality=90),
    "in grey": lambda image: saved(image.convert("L"), quality=90),
    "mirrored": lambda image: saved(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), quality=90),
    "4 % cut off": lambda image: saved(cut(image, 0.04), quality=90),
    "10 % cut off": lambda image: saved(cut(image, 0.10), quality=90),
}


def thumbnails_of(files: list[bytes]) -> np.ndarray:
    """What is kept of each file while it is checked."""
    joined = b"".join(inspect_image(file).thumbnail for file in files)
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, THUMBNAIL_PX**2)


def measure(path: Path, png_folder: Path | None) -> np.ndarray:
    """Print what is found in one set; returns its thumbnails."""
    root = ImageRoot.at(path)
    files = [root.read(name) for name in root.names() if name.lower().endswith(IMAGE_SUFFIXES)]
    thumbnails = thumbnails_of(files)
    started = time.perf_counter()
    likeness = find_near_duplicates(thumbnails)
    seconds = time.perf_counter() - started
    n_plain = int((likeness.look == PLAIN).sum())
    print(
        f"{path}: {len(files):,} images, {seconds:.2f} s, {len(likeness.first)} pairs among the originals, "
        f"{int(likeness.mirrored.sum())} of them mirrored; {n_plain} images of one shade"
    )
    if png_folder is not None and len(likeness.first):
        _draw_pairs(files, likeness, png_folder / f"pairs-{path.parent.name}-{path.stem}.png")
    chosen = np.random.default_rng(0).choice(len(files), min(N_ALTERED, len(files)), replace=False)
    for name, alter in ALTERATIONS.items():
        copies = thumbnails_of([alter(_opened(files[row])) for row in chosen])
        recall, n_false = _recall(
            find_near_duplicates(np.concatenate([thumbnails, copies])), chosen, len(files)
        )
        print(f"  {name:20s} found {100 * recall:5.1f} %, paired with another image: {n_false}")
    return thumbnails


def _opened(file: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(file))
    return image if image.mode == "L" else image.convert("RGB")


def _recall(likeness: Likeness, originals: np.ndarray, n_files: int) -> tuple[float, int]:
    """The share of copies that are paired with their original; how many pairs of a copy are with a stranger.

    A stranger is an image that is not paired with the original either.
    """
    pairs = set(zip(likeness.first.tolist(), likeness.second.tolist(), strict=True))
    of_look: dict[int, set[int]] = {}
    for first, second in pairs:
        of_look.setdefault(first, {first}).add(second)
        of_look.setdefault(second, {second}).add(first)
    n_found = n_strange = 0
    for number, row in enumerate(originals):
        original, copy = int(likeness.look[row]), int(likeness.look[n_files + number])
        near = of_look.get(copy, {copy})
        n_found += original != PLAIN and original in near
        n_strange += len(near - {copy, original} - of_look.get(original, {original}))
    return n_found / len(originals), n_strange


def _draw_pairs(files: list[bytes], likeness: Likeness, out: Path) -> None:
    shown = {int(look): row for row, look in reversed(list(enumerate(likeness.look)))}
    order = np.argsort(-likeness.cosine, kind="stable")
    step_x, step_y = 2 * CELL_PX + 14, CELL_PX + 16
    n_rows = -(-len(order) // PAIRS_A_ROW)
    sheet = Image.new("RGB", (PAIRS_A_ROW * step_x, n_rows * step_y), "white")
    for place, pair in enumerate(order):
        x, y = place % PAIRS_A_ROW * step_x, place // PAIRS_A_ROW * step_y
        for side, look in enumerate((likeness.first[pair], likeness.second[pair])):
            picture = _opened(files[shown[int(look)]]).convert("RGB").resize((CELL_PX, CELL_PX))
            sheet.paste(picture, (x + side * (CELL_PX + 2), y))
        text = f"{likeness.cosine[pair]:.3f}{' mirrored' if likeness.mirrored[pair] else ''}"
        ImageDraw.Draw(sheet).text((x, y + CELL_PX + 2), text, fill="black")
    sheet.save(out)
    print(f"  pairs drawn: {out}")


def time_search(thumbnails: np.ndarray, n_images: int) -> None:
    """Print how long a large set takes: blends of two images of a set, 1 % of them with a copy; then worse ones."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, len(thumbnails), (2, n_images))
    share = rng.uniform(0.5, 0.8, (n_images, 1))
    blends = share * thumbnails[first] + (1 - share) * np.roll(thumbnails[second], 3, axis=1)
    blends = np.clip(blends, 0, 255).astype(np.uint8)
    n_copies = n_images // 100
    blends[-n_copies:] = _noisy(blends[:n_copies], rng)
    even = np.clip(rng.normal(200, 1, (n_images // 5, THUMBNAIL_PX**2)), 0, 255).astype(np.uint8)
    crowd = _noisy(np.repeat(blends[:1], n_images // 50, axis=0), rng)
    for title, images in (
        ("blends of two images", blends),
        ("a fifth of one shade", np.concatenate([blends[len(even) :], even])),
        (
            "a fiftieth copies of one image, each a little different",
            np.concatenate([blends[len(crowd) :], crowd]),
        ),
    ):
        started, cpu_started = time.perf_counter(), time.process_time()
        found = find_near_duplicates(images)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
        print(
            f"{len(images):,} thumbnails, {title}: {seconds:.1f} s ({cpu_s:.1f} s of CPU), {len(found.first):,} pairs"
            f"{'' if found.complete else ', not all looked at'}"
        )


def _noisy(thumbnails: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.integers(-2, 3, thumbnails.shape)
    return np.clip(thumbnails.astype(np.int64) + noise, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path, nargs="+", help="folders or zip files of images")
    parser.add_argument("--pairs-png", type=Path, help="folder to draw the pairs of the originals into")
    parser.add_argument("--n-search", type=int, default=100_000)
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    sets = [measure(path, arguments.pairs_png) for path in arguments.sets]
    if arguments.n_search:
        time_search(max(sets, key=len), arguments.n_search)


if __name__ == "__main__":
    main()
