import numpy as np

from diagnostics.confusion import confused_pairs_table, confusion_matrix_table

CLASSES = ("cat", "dog", "eel")
CODES = np.array([0, 0, 0, 1, 1, 2, -1])
PREDICTED = np.array([0, 1, 1, 0, 1, 2, 0])


def test_the_matrix_counts_every_given_class_against_every_predicted_one():
    table = confusion_matrix_table(CODES, PREDICTED, CLASSES).set_index(["given_label", "predicted_label"])
    assert table.loc[("cat", "dog"), "n"] == 2
    assert table.loc[("cat", "dog"), "share"] == 2 / 3
    assert table["n"].sum() == 6


def test_a_class_without_items_has_no_shares():
    table = confusion_matrix_table(np.array([0]), np.array([0]), ("cat", "dog"))
    assert table[table["given_label"] == "dog"]["share"].isna().all()


def test_a_pair_counts_both_directions():
    pairs = confused_pairs_table(CODES, PREDICTED, CLASSES)
    assert len(pairs) == 1
    pair = pairs.iloc[0]
    assert (pair["first_label"], pair["second_label"]) == ("cat", "dog")
    assert (pair["n"], pair["n_first_as_second"], pair["n_second_as_first"]) == (3, 2, 1)
    assert pair["share"] == 3 / 5


def test_the_most_confused_pair_comes_first():
    codes = np.array([0, 1, 1, 2, 2])
    predicted = np.array([1, 2, 2, 2, 1])
    pairs = confused_pairs_table(codes, predicted, CLASSES)
    assert list(zip(pairs["first_label"], pairs["second_label"], strict=True)) == [
        ("dog", "eel"),
        ("cat", "dog"),
    ]
