import numpy as np
import pandas as pd
import pytest

from diagnostics.label_space import set_space, single_space
from diagnostics.rows.unusual import (
    FEWEST_OTHERS,
    class_values,
    read_class_values,
    unusual_values,
    write_class_values,
)

CLASSES = ("setosa", "virginica")
SPACE = single_space(CLASSES)


def known_of(labels=None, **features):
    items = pd.DataFrame({f"feature:{name}": values for name, values in features.items()})
    return class_values(items, SPACE.codes(labels or ["setosa"] * len(items)), SPACE)


def said(known, label="setosa", counted=None, **row):
    """What is unusual of one row that is not itself among the items, unless `counted` names its label there."""
    rows = pd.DataFrame({f"feature:{name}": pd.Series([value]) for name, value in row.items()})
    return unusual_values(known, rows, [label], counted_labels=[counted])[0]


LENGTHS = np.arange(200.0)


def test_a_value_far_above_those_of_its_class_is_unusual():
    assert said(known_of(length=LENGTHS), length=1000.0) == {"length": "higher than all 200 other “setosa”"}
    assert said(known_of(length=LENGTHS), length=-1000.0) == {"length": "lower than all 200 other “setosa”"}


def test_the_share_of_the_others_is_told():
    lengths = np.concatenate([LENGTHS, [900.0, 901.0]])
    assert said(known_of(length=lengths), length=899.0) == {"length": "higher than 99 % of “setosa”"}


def test_a_value_at_the_edge_of_its_class_is_not_unusual():
    assert said(known_of(length=LENGTHS), length=201.0) == {}


def test_a_value_that_many_others_share_is_not_unusual_however_far_out():
    lengths = np.concatenate([np.zeros(190), np.full(10, 50.0)])
    assert said(known_of(length=lengths), length=50.0) == {}


def test_a_value_other_than_the_one_that_all_have_is_unusual():
    assert said(known_of(n_legs=np.full(50, 4.0)), n_legs=5.0) == {
        "n_legs": "higher than all 50 other “setosa”"
    }


def test_an_item_does_not_count_among_the_others():
    lengths = np.concatenate([LENGTHS, [1000.0]])
    words = said(known_of(length=lengths), counted="setosa", length=1000.0)
    assert words == {"length": "higher than all 200 other “setosa”"}


def test_an_item_that_was_counted_in_another_class_counts_nowhere_in_this_one():
    known = known_of(length=LENGTHS)
    assert said(known, counted="virginica", length=1000.0) == said(known, counted=None, length=1000.0)


@pytest.mark.parametrize("n_others", [FEWEST_OTHERS - 1, FEWEST_OTHERS])
def test_of_a_small_class_nothing_is_said(n_others):
    known = known_of(length=np.arange(float(n_others)), colour=["red"] * n_others)
    words = said(known, length=1000.0, colour="blue")
    assert len(words) == (0 if n_others < FEWEST_OTHERS else 2)


def test_a_row_of_a_class_without_items_or_without_a_label_is_not_judged():
    known = known_of(length=LENGTHS)
    assert said(known, label="virginica", length=1000.0) == {}
    assert said(known, label=None, length=1000.0) == {}
    assert said(known, label="unheard of", length=1000.0) == {}


def test_a_category_that_hardly_anyone_of_the_class_has_is_unusual():
    known = known_of(colour=["red"] * 229 + ["blue"])
    assert said(known, colour="green") == {"colour": "none of 230 other “setosa” has it"}
    assert said(known, colour="blue") == {"colour": "1 of 230 other “setosa” has it"}
    assert said(known, colour="blue", counted="setosa") == {"colour": "none of 229 other “setosa” has it"}
    assert said(known, colour="red") == {}


def test_where_all_categories_are_rare_none_is_unusual():
    known = known_of(code=[f"number {number}" for number in range(200)])
    assert said(known, code="number 7", counted="setosa") == {}


def test_a_missing_value_is_unusual_where_the_class_hardly_lacks_any():
    lengths = LENGTHS.copy()
    lengths[0] = np.nan
    assert said(known_of(length=lengths), length=np.nan) == {
        "length": "missing, as in 1 of 200 other “setosa”"
    }
    lengths[:20] = np.nan
    assert said(known_of(length=lengths), length=np.nan) == {}


def test_dates_are_later_or_earlier():
    days = pd.Series(pd.date_range("2020-01-01", periods=100))
    words = said(known_of(sold=days), sold=pd.Timestamp("1950-01-01"))
    assert words == {"sold": "earlier than all 100 other “setosa”"}


def test_only_labelled_items_are_counted():
    known = known_of(labels=["setosa"] * 100 + [None] * 100, length=LENGTHS)
    assert known.n_items.tolist() == [100, 0]


def test_a_feature_that_is_unknown_or_of_another_kind_is_not_judged():
    known = known_of(length=LENGTHS)
    assert said(known, length="long", width=3.0) == {}


def test_what_was_written_is_read_back(tmp_path):
    colours = ["red"] * 199 + ["blue"]
    known = known_of(length=LENGTHS, colour=colours)
    assert read_class_values(tmp_path) is None
    write_class_values(tmp_path, known)
    again = read_class_values(tmp_path)
    row = {"length": 1000.0, "colour": "blue"}
    assert said(again, **row) == said(known, **row) != {}


def test_every_row_is_judged_like_a_row_alone():
    rng = np.random.default_rng(0)
    lengths = np.where(np.arange(60) % 30, rng.random(60), 40.0)
    labels = [CLASSES[row // 30] for row in range(60)]
    items = pd.DataFrame({"feature:length": lengths, "feature:colour": rng.choice(["a", "b"], 60)})
    known = class_values(items, SPACE.codes(labels), SPACE)
    together = unusual_values(known, items, labels, counted_labels=labels)
    alone = [
        unusual_values(known, items.iloc[[row]], labels[row : row + 1], counted_labels=labels[row : row + 1])[
            0
        ]
        for row in range(60)
    ]
    assert together == alone
    assert [row for row, words in enumerate(together) if "length" in words] == [0, 30]


def test_an_item_with_several_labels_counts_for_each_of_its_classes():
    space = set_space(CLASSES, ["setosa|virginica", "setosa", "(none)"])
    items = pd.DataFrame({"feature:length": [1.0, 2.0, 3.0, 4.0]})
    known = class_values(items, space.codes(["setosa|virginica", "setosa", "(none)", None]), space)
    assert known.n_items.tolist() == [2, 1]
    assert known.numbers.tolist() == [[1.0, 2.0, 1.0]]
