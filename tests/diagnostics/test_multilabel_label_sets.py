import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.errors import DataError
from diagnostics.multilabel.label_sets import (
    LabelSets,
    check_class_names,
    label_sets_of_columns,
    labels_in,
    parse_label_sets,
)

CAT_DOG = ("cat", "dog")


def test_labelled_with_none_is_not_the_same_as_not_labelled():
    sets = parse_label_sets(["(none)", "", None, "dog"], CAT_DOG)
    assert sets.labelled.tolist() == [True, False, False, True]
    assert sets.targets.tolist() == [[False, False]] * 3 + [[False, True]]


def test_text_may_have_any_order_spaces_and_a_label_twice_and_is_written_in_the_order_of_the_classes():
    assert parse_label_sets([" dog| cat |dog"], CAT_DOG).texts().tolist() == ["cat|dog"]


def test_another_separator_separates():
    sets = parse_label_sets(["dog; cat"], CAT_DOG, separator=";")
    assert sets.texts(separator=";").tolist() == ["cat;dog"]


def test_all_rows_with_unknown_labels_are_reported_together():
    texts = ["cat", "cow|dog", "cat||dog", "eel", "eel", "eel", "eel"]
    with pytest.raises(
        DataError,
        match=r"none of the 2 classes: row 1: 'cow'; row 2: nothing between two separators; row 3: 'eel'.*and 1 more.*"
        r"\(none\)",
    ):
        parse_label_sets(texts, CAT_DOG)


@pytest.mark.parametrize(
    ("classes", "separator", "message"),
    [
        (("a|b", "c"), "|", "'a|b' contains the separator '|'"),
        (("a", "(none)"), "|", "'\\(none\\)' stands for no label at all"),
        (("a ", ""), "|", "'a ', '' is empty or has spaces around it"),
        (("a", "b", "a"), "|", "'a' occurs more than once"),
        (("a",), " ", "cannot separate labels"),
        (("a",), "n", "cannot separate labels"),
        ((), "|", "no classes"),
    ],
)
def test_names_that_could_not_be_read_back_are_refused(classes, separator, message):
    with pytest.raises(DataError, match=message):
        check_class_names(classes, separator=separator)


def test_one_hot_columns_know_none_from_not_labelled():
    cells = pd.DataFrame({"cat": ["1", "0", "", None], "dog": ["TRUE", "no", " ", None]})
    sets = label_sets_of_columns(cells)
    assert sets.texts().tolist() == ["cat|dog", "(none)", "", ""]


def test_numbers_and_booleans_are_read_as_one_hot_columns_too():
    cells = pd.DataFrame({"cat": [1.0, np.nan], "dog": [True, None]})
    assert label_sets_of_columns(cells).texts().tolist() == ["cat|dog", ""]


def test_an_empty_cell_in_a_labelled_row_is_refused_because_it_could_mean_two_things():
    cells = pd.DataFrame({"cat": ["1", "", "2"], "dog": ["", "", "0"]})
    with pytest.raises(DataError, match=r"row 0, column 'dog': ''; row 2, column 'cat': '2'\. Leave all"):
        label_sets_of_columns(cells)


def test_the_labels_that_occur_are_the_classes_where_none_are_named():
    assert labels_in(["b|a", "(none)", None, "c "]) == ("a", "b", "c")


def test_labels_of_an_item_that_is_not_labelled_are_refused():
    with pytest.raises(DataError, match="Row 1 has labels and is marked as not labelled"):
        LabelSets(CAT_DOG, np.array([[False, True], [True, False]]), np.array([True, False]))


def test_targets_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="Expected targets of 1 items and 2 classes"):
        LabelSets(CAT_DOG, np.zeros((1, 3), dtype=bool), np.ones(1, dtype=bool))
    with pytest.raises(DataError, match="Targets must be true or false; found int64"):
        LabelSets(CAT_DOG, np.zeros((1, 2), dtype=np.int64), np.ones(1, dtype=bool))


names = st.text(st.characters(blacklist_characters="|", blacklist_categories=("Cs",)), min_size=1, max_size=6)
classes_strategy = st.lists(
    names.map(str.strip).filter(lambda name: name and name != "(none)"), min_size=1, max_size=5, unique=True
).map(tuple)


@given(classes_strategy, st.integers(0, 2**32), st.integers(0, 30))
@settings(max_examples=60)
def test_what_is_written_is_read_back(classes, seed, n_items):
    rng = np.random.default_rng(seed)
    labelled = rng.random(n_items) < 0.7
    sets = LabelSets(classes, (rng.random((n_items, len(classes))) < 0.4) & labelled[:, None], labelled)
    for again in (parse_label_sets(sets.texts(), classes), label_sets_of_columns(sets.columns())):
        assert again.classes == classes
        np.testing.assert_array_equal(again.targets, sets.targets)
        np.testing.assert_array_equal(again.labelled, sets.labelled)
