"""What belongs together, and where that crosses splits."""

import numpy as np
import pandas as pd
import pytest

from curation.dataset.duplicates import barred_by, leaks_of, units_of
from curation.dataset.near_duplicates import PLAIN, Likeness


def items(*rows: tuple[str, str, str, str | None]) -> pd.DataFrame:
    """rows : item_id, split, content, group"""
    return pd.DataFrame(rows, columns=["item_id", "split", "content_hash", "group"]).astype("str")


def likeness(look: list[int], *pairs: tuple[int, int, float, bool]) -> Likeness:
    first, second, cosine, mirrored = zip(*pairs, strict=True) if pairs else ((), (), (), ())
    return Likeness(
        look=np.array(look),
        first=np.array(first, dtype=np.int64),
        second=np.array(second, dtype=np.int64),
        cosine=np.array(cosine, dtype=np.float32),
        mirrored=np.array(mirrored, dtype=np.bool_),
        complete=True,
    )


def pairs_of(table: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(zip(table["item_id"], table["other_id"], table["kind"], strict=True))


def test_an_item_that_belongs_with_no_other_is_a_unit_named_after_its_content():
    table = items(("a", "train", "A", None), ("b", "train", "B", None))
    assert units_of(table, likeness([0, 1])).tolist() == ["A", "B"]


def test_content_likeness_and_group_join_into_one_unit():
    table = items(
        ("a", "train", "A", "p1"), ("same", "train", "A", None), ("near", "train", "N", None),
        ("of group", "train", "G", "p1"), ("other", "train", "O", "p2"), ("plain", "train", "P", None),
        ("plain too", "train", "Q", None),
    )  # fmt: skip
    units = units_of(table, likeness([0, 0, 1, 2, 3, PLAIN, PLAIN], (0, 1, 0.97, False)))
    assert len(set(units[:4])) == 1
    assert len(set(units)) == 4


def test_a_unit_does_not_depend_on_the_order_of_the_rows():
    table = items(("a", "train", "A", "p2"), ("b", "train", "A", "p1"), ("c", "train", "C", None))
    turned = table.iloc[::-1].reset_index(drop=True)
    assert units_of(turned, None).tolist() == units_of(table, None).tolist()[::-1]


def test_a_training_copy_is_named_beside_the_item_it_copies():
    table = items(("a", "train", "A", None), ("b", "train", "B", None), ("t", "test", "A", None))
    leaks = leaks_of(table, None)
    assert pairs_of(leaks) == [("a", "t", "exact")]
    assert leaks["likeness"].tolist() == [1.0]


def test_the_gravest_kind_tells_what_two_items_share():
    table = items(("a", "train", "A", "p"), ("n", "train", "N", None), ("v", "val", "V", "p"))
    leaks = leaks_of(table, likeness([0, 1, 2], (0, 2, 0.95, True), (1, 2, 0.98, False)))
    assert pairs_of(leaks) == [("n", "v", "near"), ("a", "v", "mirrored")]


def test_equal_looks_of_different_files_are_nearly_the_same():
    table = items(("a", "train", "A", None), ("t", "test", "T", None))
    assert pairs_of(leaks_of(table, likeness([0, 0]))) == [("a", "t", "near")]


def test_a_group_in_two_splits_is_a_leak_and_a_copy_within_one_split_is_none():
    table = items(
        ("a", "train", "A", "p"), ("b", "train", "A", "p"), ("v", "val", "V", "p"), ("t", "test", "V", "q")
    )
    leaks = leaks_of(table, None)
    assert pairs_of(leaks) == [("v", "t", "exact"), ("a", "v", "group"), ("b", "v", "group")]
    assert leaks["likeness"].isna().tolist() == [False, True, True]
    assert leaks["group"].iloc[-1] == "p"


def test_an_item_can_belong_with_validation_and_with_test():
    table = items(("a", "train", "A", None), ("v", "val", "A", None), ("t", "test", "A", None))
    assert pairs_of(leaks_of(table, None)) == [("a", "v", "exact"), ("a", "t", "exact"), ("v", "t", "exact")]


@pytest.mark.parametrize("n_copies", [2, 2000])
def test_many_copies_give_a_pair_for_each_item_not_for_each_two(n_copies):
    rows = [
        (f"{split}{number}", split, "A", None) for split in ("train", "test") for number in range(n_copies)
    ]
    assert len(leaks_of(items(*rows), None)) == n_copies


def test_an_unlabelled_item_that_belongs_with_a_held_out_one_is_barred_and_why():
    table = items(
        ("u", "unlabelled", "A", None), ("w", "unlabelled", "W", "p 7"), ("x", "unlabelled", "X", None),
        ("v", "val", "V", "p 7"), ("t", "test", "A", None),
    )  # fmt: skip
    assert barred_by(leaks_of(table, None), "image") == {
        "u": "the same image as t (test)",
        "w": "of group 'p 7', like v (val)",
    }
