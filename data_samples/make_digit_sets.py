"""Make data_samples/digit_sets: pictures of two to four handwritten digits, labelled with the digits that are in them.

    python -m data_samples.make_digit_sets --out FOLDER

The same version of this script writes the same bytes on every machine.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits

from data_samples.make_digits import LARGEST_INK, LOOK_ALIKES, N_CLASSES
from data_samples.sample_files import PREFIXES, write_csv, write_from_command_line

SEED = 27
SIZES = {"train": 600, "valid": 150, "test": 150, "unlabelled": 100}
N_DIGITS = (2, 3, 4)
DIGIT_PX, N_ACROSS = 8, 2
ERROR_RATE = 0.08
DROPPED, ADDED, SWAPPED = "dropped", "added", "swapped"
KINDS_OF_ERROR = (DROPPED, ADDED, SWAPPED)
SEPARATOR = "|"
MADE_AT = (1998, 7, 1, 0, 0, 0)  # of the source; a zip keeps times, and these are to be the same every time

Digits = frozenset[int]

README = """# Several digits in a picture

1,000 pictures of 16 × 16 pixels, each with two to four different handwritten digits of 8 × 8 pixels from scikit-learn's
copy of the UCI set *Optical Recognition of Handwritten Digits* (E. Alpaydin and C. Kaynak, 1998, CC BY 4.0), drawn and
placed with a seed. No digit of the source is in two splits. Changed: selected, put together, scaled from 17 to 256
shades, labels of `train.csv` partly falsified.

| file | what |
|---|---|
| `train.csv` | `path,labels`: 600 pictures and the digits in them, such as `3\\|7`; 48 (8 %) have a planted error |
| `valid.csv`, `test.csv` | `path,labels`: 150 pictures each, labels as drawn |
| `unlabelled.csv` | `path`: 100 pictures without labels |
| `images.zip` | the pictures, as PNG files whose names carry no label |
| `planted_errors.csv` | `path,given_labels,true_labels,error,class`: for scoring only, never read by Winnow |

An error is a digit that was dropped, one that was added, or one that was swapped for another that looks alike, a third
each; `class` is the digit that the label lacks or has too many (of a swap, the one that it lacks).

`python -m data_samples.make_digit_sets --out FOLDER` makes the folder again, byte for byte.
"""


def write_digit_sets(folder: Path) -> None:
    """Write pictures, tables and README into a folder that does not exist yet."""
    rng = np.random.default_rng(SEED)
    source = load_digits()
    pools = _pools(len(source.target), rng)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_STORED) as pictures:
        for split, size in SIZES.items():
            paths = [f"{split}/{PREFIXES[split]}{number:04d}.png" for number in range(size)]
            true = []
            for path in paths:
                rows = _choose(source.target, pools[split], rng)
                true.append(frozenset(source.target[rows].tolist()))
                pictures.writestr(zipfile.ZipInfo(path, MADE_AT), _png(source.images[rows], rng))
            _write_tables(folder, split, paths, true, rng)
    (folder / "README.md").write_bytes(README.encode())


def _pools(n_digits: int, rng: np.random.Generator) -> dict[str, npt.NDArray[np.int64]]:
    """Rows of the source for each split, in proportion to its size."""
    shares = np.cumsum(list(SIZES.values())) / sum(SIZES.values())
    parts = np.split(rng.permutation(n_digits), np.round(shares[:-1] * n_digits).astype(int))
    return dict(zip(SIZES, parts, strict=True))


def _choose(
    targets: npt.NDArray[np.int64], pool: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Rows of two to four different digits."""
    digits = rng.choice(N_CLASSES, size=rng.choice(N_DIGITS), replace=False)
    return np.array([rng.choice(pool[targets[pool] == digit]) for digit in digits])


def _png(images: npt.NDArray[np.float64], rng: np.random.Generator) -> bytes:
    """The digits in cells of a square, the others empty; not compressed, so that the bytes depend on no library."""
    side = DIGIT_PX * N_ACROSS
    pixels = np.zeros((side, side), dtype=np.uint8)
    for ink, cell in zip(images, rng.permutation(N_ACROSS**2), strict=False):
        top, left = (DIGIT_PX * place for place in divmod(int(cell), N_ACROSS))
        pixels[top : top + DIGIT_PX, left : left + DIGIT_PX] = np.round(ink * (255 / LARGEST_INK))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=0)
    return file.getvalue()


def _write_tables(
    folder: Path, split: str, paths: list[str], true: list[Digits], rng: np.random.Generator
) -> None:
    if split == "unlabelled":
        write_csv(folder / f"{split}.csv", ("path",), ([path] for path in paths))
        return
    given = true
    if split == "train":
        given, planted = _plant_errors(paths, true, rng)
        header = ("path", "given_labels", "true_labels", "error", "class")
        write_csv(folder / "planted_errors.csv", header, planted)
    rows = ((path, _text(digits)) for path, digits in zip(paths, given, strict=True))
    write_csv(folder / f"{split}.csv", ("path", "labels"), rows)


def _plant_errors(
    paths: list[str], true: list[Digits], rng: np.random.Generator
) -> tuple[list[Digits], list[tuple[object, ...]]]:
    """The labels with ERROR_RATE of them wrong, and what is wrong with these."""
    given, planted = list(true), []
    wrong = np.sort(rng.choice(len(true), size=round(ERROR_RATE * len(true)), replace=False))
    kinds = rng.permutation(np.resize(KINDS_OF_ERROR, len(wrong))).tolist()
    for row, kind in zip(wrong.tolist(), kinds, strict=True):
        given[row], digit = _with_error(true[row], kind, rng)
        planted.append((paths[row], _text(given[row]), _text(true[row]), kind, digit))
    return given, planted


def _with_error(digits: Digits, kind: str, rng: np.random.Generator) -> tuple[Digits, int]:
    """The digits with one error, and the digit it is about."""
    inside, outside = sorted(digits), sorted(set(range(N_CLASSES)) - digits)
    if kind == ADDED:
        added = int(rng.choice(outside))
        return digits | {added}, added
    dropped = int(rng.choice(inside))
    if kind == DROPPED:
        return digits - {dropped}, dropped
    alike = [other for other in LOOK_ALIKES[dropped] if other not in digits]
    return digits - {dropped} | {int(rng.choice(alike or outside))}, dropped


def _text(digits: Digits) -> str:
    return SEPARATOR.join(map(str, sorted(digits)))


if __name__ == "__main__":
    write_from_command_line(write_digit_sets, description="Make the sample of pictures with several digits.")
