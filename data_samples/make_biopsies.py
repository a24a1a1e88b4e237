"""Make data_samples/biopsies: measurements of cells as table rows, some with a planted wrong label.

    python -m data_samples.make_biopsies --out FOLDER

The same version of this script writes the same bytes on every machine.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer

from data_samples.sample_files import PREFIXES, write_csv, write_from_command_line

SEED = 27
SIZES = {"train": 340, "valid": 90, "test": 90, "unlabelled": 49}
ERROR_RATE = 0.08
MISSING_RATE = 0.03

MEASURED = (
    "mean radius", "mean texture", "mean compactness", "mean concavity", "mean concave points", "worst texture",
    "worst area", "worst smoothness", "worst concave points",
)  # fmt: skip
IN_STEPS = {"mean symmetry": "symmetry", "mean fractal dimension": "outline", "area error": "area error"}
STEPS = ("low", "middle", "high")
SOMETIMES_MISSING = ("mean texture", "worst smoothness", "outline")
FIRST_DAY, N_DAYS = date(2024, 1, 8), 360

FloatArray = npt.NDArray[np.float64]

README = """# Biopsies

569 rows of scikit-learn's copy of the UCI set *Breast Cancer Wisconsin (Diagnostic)* (W. Wolberg, O. Mangasarian,
N. Street and W. Street, 1993, CC BY 4.0): the nuclei of cells measured on pictures of fine needle aspirates, and
whether the tumour was malignant or benign. For trying Winnow out, not for medicine.

Changed: 12 of the 30 measurements are kept. Nine are as in the source. `symmetry`, `outline` (the fractal dimension)
and `area error` are cut into low, middle and high at thirds of all rows. 3 % of the cells of `mean texture`,
`worst smoothness` and `outline` are left empty at random. `entered_on` is a date drawn at random, which the source
does not have and which says nothing of the tumour. Labels of `train.csv` are partly replaced.

| file | what |
|---|---|
| `train.csv` | `id`, 13 features, `label`: 340 rows, 27 (8 %) with a planted wrong label |
| `valid.csv`, `test.csv` | the same: 90 rows each, labels as in the source |
| `unlabelled.csv` | the same without `label`: 49 rows |
| `planted_errors.csv` | `id,given_label,true_label`: for scoring only, never read by Winnow |

`python -m data_samples.make_biopsies --out FOLDER` makes the folder again, byte for byte.
"""


def write_biopsies(folder: Path) -> None:
    """Write tables and README into a folder that does not exist yet."""
    rng = np.random.default_rng(SEED)
    source = load_breast_cancer()
    names = [str(name) for name in source.target_names]
    labels = [names[code] for code in source.target]
    columns = _columns(dict(zip(map(str, source.feature_names), source.data.T, strict=True)), rng)
    order = rng.permutation(len(labels))
    folder.mkdir(parents=True)
    start = 0
    for split, size in SIZES.items():
        rows = order[start : start + size]
        start += size
        ids = [f"{PREFIXES[split]}{number:03d}" for number in range(size)]
        true = [labels[row] for row in rows]
        given = true
        if split == "train":
            given = _plant_errors(true, names, rng)
            planted = zip(ids, given, true, strict=True)
            wrong = [row for row in planted if row[1] != row[2]]
            write_csv(folder / "planted_errors.csv", ("id", "given_label", "true_label"), wrong)
        table = {"id": ids} | {name: [column[row] for row in rows] for name, column in columns.items()}
        if split != "unlabelled":
            table["label"] = given
        write_csv(folder / f"{split}.csv", tuple(table), zip(*table.values(), strict=True))
    (folder / "README.md").write_bytes(README.encode())


def _columns(source: dict[str, FloatArray], rng: np.random.Generator) -> dict[str, list[str]]:
    """The features as they are written."""
    columns = {name: [repr(float(value)) for value in source[name]] for name in MEASURED}
    columns |= {name: _in_steps(source[measured]) for measured, name in IN_STEPS.items()}
    n_rows = len(columns["mean radius"])
    for name in SOMETIMES_MISSING:
        for row in np.flatnonzero(rng.random(n_rows) < MISSING_RATE):
            columns[name][row] = ""
    days = rng.integers(N_DAYS, size=n_rows)
    columns["entered_on"] = [(FIRST_DAY + timedelta(days=int(day))).isoformat() for day in days]
    return columns


def _in_steps(values: FloatArray) -> list[str]:
    """Which third of the values each one is in."""
    cuts = np.quantile(values, (1 / 3, 2 / 3))
    return [STEPS[step] for step in np.searchsorted(cuts, values)]


def _plant_errors(true: Sequence[str], names: Sequence[str], rng: np.random.Generator) -> list[str]:
    """The labels with ERROR_RATE of them the other one."""
    given = list(true)
    for row in rng.choice(len(true), size=round(ERROR_RATE * len(true)), replace=False):
        given[row] = next(name for name in names if name != true[row])
    return given


if __name__ == "__main__":
    write_from_command_line(write_biopsies, description="Make the sample of table rows.")
