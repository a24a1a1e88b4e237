"""The samples that ship with Winnow are what their scripts make."""

import csv

from data_samples import digits_folder
from data_samples.make_digits import write_digits


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_script_makes_the_digits_again_byte_for_byte(tmp_path):
    write_digits(tmp_path / "digits")
    assert files_of(tmp_path / "digits") == files_of(digits_folder())


def test_planted_errors_are_eight_percent_of_train_and_nowhere_else():
    with (digits_folder() / "planted_errors.csv").open() as file:
        planted = list(csv.DictReader(file))
    assert len(planted) == 48
    assert all(row["path"].startswith("images/train/") for row in planted)
    assert all(row["given_label"] != row["true_label"] for row in planted)
