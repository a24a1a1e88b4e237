"""A small part of a sample for each modality, and the cheapest way to train on it.

A new modality is tested through the whole loop as soon as it has an entry in SAMPLES.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from curation.dataset.intake import IntakeSpec
from data_samples import biopsies_folder, digits_folder, queries_folder
from diagnostics.training.config import TrainConfig

N_ROWS = {"train": 80, "valid": 24, "test": 24, "unlabelled": 12}


@dataclass(frozen=True)
class Sample:
    """What the contract tests need of a modality.

    data : fills an empty folder with a small dataset: train, val, test, unlabelled
    again : how an export of it is taken in; it gets the export and the folder of the data
    config : the cheapest training in folds
    """

    data: Callable[[Path], IntakeSpec]
    again: Callable[[Path, Path], IntakeSpec]
    config: TrainConfig


def _digits(folder: Path) -> IntakeSpec:
    """Two digits, read where they lie."""
    source = digits_folder()
    _write_head(source, folder, only=("0", "1"))
    (folder / "unlabelled.csv").write_text(
        "path\n"
        + "".join(f"images/unlabelled/un{number:04d}.png\n" for number in range(N_ROWS["unlabelled"]))
    )
    return _spec(folder, "image", images=source)


def _digits_again(export: Path, folder: Path) -> IntakeSpec:
    return IntakeSpec(data=export, images=digits_folder())


def _queries(folder: Path) -> IntakeSpec:
    _write_head(queries_folder(), folder, only=("lamps", "bedding"))
    return _spec(folder, "text")


def _biopsies(folder: Path) -> IntakeSpec:
    _write_head(biopsies_folder(), folder)
    return _spec(folder, "tabular")


def _table_again(export: Path, folder: Path) -> IntakeSpec:
    return IntakeSpec(data=export)


def _spec(folder: Path, modality: str, images: Path | None = None) -> IntakeSpec:
    names = {"data": "train", "val": "valid", "test": "test", "unlabelled": "unlabelled"}
    paths = {role: folder / f"{name}.csv" for role, name in names.items()}
    return IntakeSpec(**paths, images=images, modality=modality)


def _write_head(source: Path, folder: Path, only: tuple[str, ...] = ()) -> None:
    """The first rows of each table of a sample; of labelled ones those with these labels."""
    for path in source.glob("*.csv"):
        if path.stem not in N_ROWS:
            continue
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        if only and "label" in header:
            rows = [row for row in rows if row[header.index("label")] in only]
        with (folder / path.name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows[: N_ROWS[path.stem]]])


SAMPLES = {
    "image": Sample(
        data=_digits,
        again=_digits_again,
        config=TrainConfig(folds=2, epochs=1, image_size_px=8, lr=0.01, planted=0.1, n_threads=1),
    ),
    "text": Sample(
        data=_queries, again=_table_again, config=TrainConfig(arch="tfidf", folds=2, planted=0.1, n_threads=1)
    ),
    "tabular": Sample(
        data=_biopsies,
        again=_table_again,
        config=TrainConfig(arch="gradient_boosting", folds=2, planted=0.1, n_threads=1),
    ),
}
