import numpy as np
import pytest

from diagnostics.errors import DataError
from diagnostics.task import label_codes, targets_of


def test_missing_labels_of_every_kind_have_no_code():
    assert list(label_codes(["dog", None, float("nan"), "", "cat"], ("cat", "dog"))) == [1, -1, -1, -1, 0]


def test_labels_that_are_no_class_are_named():
    with pytest.raises(DataError, match="eel"):
        label_codes(["cat", "eel"], ("cat", "dog"))


def test_targets_have_one_true_a_row_and_none_without_a_label():
    assert targets_of(np.array([1, -1]), 2).tolist() == [[False, True], [False, False]]
