"""Make data_samples/digits: real handwritten digits, some of them with a planted wrong label.

    python -m data_samples.make_digits --out FOLDER

The same version of this script writes the same bytes on every machine.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits

from data_samples.sample_files import PREFIXES, write_csv, write_from_command_line

SEED = 20
SIZES = {"train": 600, "valid": 150, "test": 150, "unlabelled": 100}
N_CLASSES = 10
LARGEST_INK = 16
ERROR_RATE = 0.08
LOOK_ALIKE_SHARE = 0.8
LOOK_ALIKES = {
    0: (6,),
    1: (7, 4, 8),
    2: (3,),
    3: (8, 5, 9),
    4: (1, 9),
    5: (3, 6, 9),
    6: (5, 0),
    7: (1,),
    8: (3, 1, 9),
    9: (8, 4, 3),
}

IntArray = npt.NDArray[np.int64]

README = """# Digits

1,000 handwritten digits of 8 × 8 pixels from scikit-learn's copy of the UCI set *Optical Recognition of Handwritten
Digits* (E. Alpaydin and C. Kaynak, 1998, CC BY 4.0), drawn with a seed, as PNG files whose names carry no class.
Changed: selected, renamed, scaled from 17 to 256 shades, labels of `train.csv` partly replaced.

| file | what |
|---|---|
| `train.csv` | `path,label`: 600 images, 48 (8 %) with a planted wrong label, mostly of a digit that looks alike |
| `valid.csv`, `test.csv` | `path,label`: 150 images each, labels as in the source |
| `images/unlabelled/` | 100 images without labels |
| `planted_errors.csv` | `path,given_label,true_label`: for scoring only, never read by Winnow |

`python -m data_samples.make_digits --out FOLDER` makes the folder again, byte for byte.
"""


def write_digits(folder: Path) -> None:
    """Write images, tables and README into a folder that does not exist yet."""
    rng = np.random.default_rng(SEED)
    source = load_digits()
    chosen = _choose(source.target, rng)
    folder.mkdir(parents=True)
    for split, rows in chosen.items():
        paths = [f"images/{split}/{PREFIXES[split]}{number:04d}.png" for number in range(len(rows))]
        (folder / "images" / split).mkdir(parents=True)
        for path, row in zip(paths, rows, strict=True):
            _write_png(folder / path, source.images[row])
        true = source.target[rows]
        if split == "train":
            given = _plant_errors(true, rng)
            wrong = np.flatnonzero(given != true)
            planted = [(paths[row], given[row], true[row]) for row in wrong]
            write_csv(folder / "planted_errors.csv", ("path", "given_label", "true_label"), planted)
            true = given
        if split != "unlabelled":
            write_csv(folder / f"{split}.csv", ("path", "label"), zip(paths, true, strict=True))
    (folder / "README.md").write_bytes(README.encode())


def _choose(targets: IntArray, rng: np.random.Generator) -> dict[str, IntArray]:
    """Rows of each split, each with equally many of every digit, in random order."""
    pools = [rng.permutation(np.flatnonzero(targets == digit)) for digit in range(N_CLASSES)]
    chosen = {}
    start = 0
    for split, size in SIZES.items():
        stop = start + size // N_CLASSES
        chosen[split] = rng.permutation(np.concatenate([pool[start:stop] for pool in pools]))
        start = stop
    return chosen


def _plant_errors(true: IntArray, rng: np.random.Generator) -> IntArray:
    """The labels with ERROR_RATE of them wrong, most of those taken from the digits that look alike."""
    given = true.copy()
    for row in rng.choice(len(true), size=round(ERROR_RATE * len(true)), replace=False):
        digit = int(true[row])
        alike: Sequence[int] = LOOK_ALIKES[digit]
        others = [other for other in range(N_CLASSES) if other != digit]
        given[row] = rng.choice(alike if rng.random() < LOOK_ALIKE_SHARE else others)
    return given


def _write_png(path: Path, ink: npt.NDArray[np.float64]) -> None:
    """Stored, not compressed: the bytes then do not depend on the version of the compression library."""
    pixels = np.round(ink * (255 / LARGEST_INK)).astype(np.uint8)
    Image.fromarray(pixels).save(path, format="PNG", compress_level=0)


if __name__ == "__main__":
    write_from_command_line(write_digits, description="Make the digits sample.")
