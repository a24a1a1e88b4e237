"""The samples that ship with Winnow are what their scripts make."""

import csv

import pytest

from data_samples import biopsies_folder, digit_sets_folder, digits_folder, queries_folder
from data_samples.make_biopsies import write_biopsies
from data_samples.make_digit_sets import write_digit_sets
from data_samples.make_digits import write_digits
from data_samples.make_queries import write_queries

SAMPLES = [
    (digits_folder(), write_digits, "path", 600),
    (queries_folder(), write_queries, "id", 900),
    (biopsies_folder(), write_biopsies, "id", 340),
    (digit_sets_folder(), write_digit_sets, "path", 600),
]
LABELS = ("label", "labels")
of_every_sample = pytest.mark.parametrize(
    ("folder", "write", "key", "n_train"), SAMPLES, ids=[sample[0].name for sample in SAMPLES]
)


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows_of(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@of_every_sample
def test_the_script_makes_a_sample_again_byte_for_byte(folder, write, key, n_train, tmp_path):
    write(tmp_path / "made")
    assert files_of(tmp_path / "made") == files_of(folder)


@of_every_sample
def test_planted_errors_are_eight_percent_of_train_and_nowhere_else(folder, write, key, n_train):
    planted = rows_of(folder / "planted_errors.csv")
    given = {row[key]: _label(row, "") for row in rows_of(folder / "train.csv")}
    assert len(given) == n_train
    assert len(planted) == round(0.08 * n_train)
    assert all(_label(row, "given_") == given[row[key]] for row in planted)
    assert all(_label(row, "given_") != _label(row, "true_") for row in planted)


def _label(row: dict[str, str], before: str) -> str:
    return next(row[before + name] for name in LABELS if before + name in row)


def test_an_error_in_a_set_is_a_digit_dropped_added_or_swapped():
    for row in rows_of(digit_sets_folder() / "planted_errors.csv"):
        given, true = (set(row[name].split("|")) for name in ("given_labels", "true_labels"))
        lacks, extra = {"dropped": (1, 0), "added": (0, 1), "swapped": (1, 1)}[row["error"]]
        assert (len(true - given), len(given - true)) == (lacks, extra)
        assert row["class"] in (true - given or given - true)


def test_no_query_is_in_two_files():
    texts = [
        row["text"]
        for path in queries_folder().glob("*.csv")
        if path.name != "planted_errors.csv"
        for row in rows_of(path)
    ]
    assert len(texts) == len(set(texts)) == 1500
