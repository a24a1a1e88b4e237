"""What is checked of predictions that come from elsewhere, on arrays alone."""

import numpy as np
import pytest

from diagnostics.errors import DataError
from diagnostics.imported_run import check_embeddings
from diagnostics.label_kinds import label_kind_of
from diagnostics.probability_rows import check_rows
from diagnostics.progress import ignore_progress

PROBS = np.array([[0.5, 0.5], [0.9, 0.1], [0.25, 0.75], [1.0, 0.0]])


def checked(probs, label_kind="single") -> list[str]:
    rows = label_kind_of(label_kind).rows
    return check_rows(probs, rows, name="p.npy", row_name="row {}".format, on_progress=ignore_progress)


@pytest.mark.parametrize(
    ("probs", "text"),
    [
        (
            np.log(PROBS + 1e-3),
            r"4 with values outside 0 to 1 \(row 0, .*\): if these are logits, give their softmax",
        ),
        (
            np.where(PROBS == 0.9, np.nan, PROBS),
            r"1 of 4 rows .* 1 with a class that has no number .* \(row 1\)",
        ),
        (PROBS * [[1], [0.5], [1], [0.9]], r"2 that do not sum to 1 \(row 1, row 3\)"),
    ],
    ids=["logits", "NaN", "sums"],
)
def test_what_is_no_distribution_is_named_with_its_rows(probs, text):
    with pytest.raises(DataError, match=text):
        checked(probs)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_distributions_of_any_float_pass(dtype):
    assert checked(PROBS.astype(dtype)) == []


def test_of_several_labels_each_column_is_a_probability_by_itself():
    assert checked(PROBS * [[1], [0.5], [1], [0.9]], "multi") == []
    with pytest.raises(DataError, match=r"2 with values outside 0 to 1 \(row 0, row 3\).*give their sigmoid"):
        checked(np.array([[-2.0, 1], [0, 1], [1, 1], [0.5, 3]]), "multi")


def test_several_labels_that_all_sum_to_1_are_no_error_but_are_told():
    (note,) = checked(PROBS, "multi")
    assert "as after a softmax" in note


def test_all_kinds_of_wrong_rows_are_told_at_once():
    probs = np.array([[np.nan, 1.0], [2.0, -1.0], [0.5, 0.1]])
    with pytest.raises(DataError, match=r"3 of 3 rows.*no number.*outside.*do not sum to 1"):
        checked(probs)


@pytest.mark.parametrize(("size", "scale"), [(1.0, 1.0), (1e6, 1e-3), (1e-6, 1e9), (0.0, 1.0)])
def test_embeddings_are_scaled_only_where_float16_could_not_hold_them(size, scale):
    found = check_embeddings(np.full((2, 2), size), name="e.npy", row_name=str)
    assert found == pytest.approx(scale)
