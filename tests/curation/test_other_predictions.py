import numpy as np
import pandas as pd
import pytest

from curation.other_predictions import (
    RANKED_COLUMNS,
    rank_other_predictions,
    read_other_predictions,
    read_probs,
)
from diagnostics.errors import DataError

PROBS = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]], dtype=np.float32)


@pytest.fixture
def files(tmp_path):
    """Write an array and the text of a table; returns their paths."""

    def write(probs, labels, classes=None, *, classes_name="classes.txt"):
        np.save(tmp_path / "probs.npy", probs)
        (tmp_path / "labels.csv").write_text(labels, encoding="utf-8")
        if classes is None:
            return tmp_path / "probs.npy", tmp_path / "labels.csv"
        (tmp_path / classes_name).write_text(classes, encoding="utf-8")
        return tmp_path / "probs.npy", tmp_path / "labels.csv", tmp_path / classes_name

    return write


def test_the_label_that_the_model_denies_comes_first_and_is_an_issue(files):
    found = read_other_predictions(*files(PROBS, "id,label\na,cat\nb,cat\nc,cat\nd,dog\ne,dog\n"))
    ranking = rank_other_predictions(found)
    assert tuple(ranking.table.columns) == RANKED_COLUMNS
    first = ranking.table.iloc[0]
    assert (first["rank"], first["item_id"], first["given_label"], first["predicted_label"]) == (
        1,
        "c",
        "cat",
        "dog",
    )
    assert ranking.table["is_issue"].tolist() == [True, False, False, False, False]
    assert ranking.n_issues == 1


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("loss", "cebda"),
        ("margin", "cebda"),
        ("label_quality", "cedba"),
        ("confusion", "ebdac"),
        ("entropy", "ebdac"),
    ],
)
def test_every_ranker_puts_the_suspect_first_and_equal_items_in_their_order(files, by, order):
    found = read_other_predictions(*files(PROBS, "id,label\na,cat\nb,cat\nc,cat\nd,dog\ne,dog\n"))
    assert "".join(rank_other_predictions(found, by=by).table["item_id"]) == order


def test_torch_ranks_as_the_kernels_do(files):
    found = read_other_predictions(*files(PROBS, "id,label\na,cat\nb,cat\nc,cat\nd,dog\ne,dog\n"))
    expected = rank_other_predictions(found)
    ranking = rank_other_predictions(found, device="cpu:0")
    assert ranking.n_issues == expected.n_issues
    pd.testing.assert_frame_equal(ranking.table, expected.table, rtol=1e-5)


def test_without_ids_an_item_is_its_row(files):
    found = read_other_predictions(*files(PROBS, "label\n0\n0\n0\n1\n1\n"))
    assert rank_other_predictions(found).table["item_id"].iloc[0] == "2"


def test_whole_numbers_are_columns_even_if_a_class_has_no_item(files):
    probs = np.full((2, 4), 0.25)
    found = read_other_predictions(*files(probs, "label\n3\n0\n"))
    assert found.classes == ("0", "1", "2", "3")
    assert found.codes.tolist() == [3, 0]


def test_whole_numbers_that_are_no_columns_are_sorted_as_numbers(files):
    probs = np.full((3, 3), 1 / 3)
    found = read_other_predictions(*files(probs, "label\n10\n9\n2\n"))
    assert found.classes == ("2", "9", "10")


def test_names_are_sorted_where_no_classes_are_given(files):
    found = read_other_predictions(*files(PROBS, "label\ndog\ncat\ncat\ncat\ncat\n"))
    assert found.classes == ("cat", "dog")
    assert found.codes.tolist() == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dog\ncat\n", "classes.txt"),
        ("class\ndog\ncat\n", "classes.csv"),
        ("\ufeffdog\r\ncat\r\n\r\n", "c.txt"),
    ],
)
def test_classes_are_the_columns_in_the_order_of_their_file(files, text, name):
    found = read_other_predictions(*files(PROBS, "label\ncat\ncat\ndog\ndog\ndog\n", text, classes_name=name))
    assert found.classes == ("dog", "cat")
    assert found.codes.tolist() == [1, 1, 0, 0, 0]


def test_an_item_without_a_label_is_ranked_by_what_needs_none(files):
    found = read_other_predictions(*files(PROBS, "id,label\na,0\nb,\nc,0\nd,1\ne,1\n"))
    by_loss, by_entropy = rank_other_predictions(found), rank_other_predictions(found, by="entropy")
    assert "b" not in set(by_loss.table["item_id"])
    assert by_loss.n_left_out == 1
    assert set(by_entropy.table["item_id"]) == set("abcde")
    assert pd.isna(by_entropy.table.set_index("item_id").loc["b", "given_label"])


def test_a_blank_line_is_a_row_without_a_label(files):
    found = read_other_predictions(*files(PROBS, "label\n0\n\n0\n1\n1\n"))
    assert found.codes.tolist() == [0, -1, 0, 1, 1]


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ("label\n0\n1\n", None, "labels.csv has 2 rows and probs.npy has 5"),
        ("name\n0\n0\n0\n1\n1\n", None, "labels.csv has no column that looks like a label; it has name"),
        (
            "label\ncat\ncat\ndog\ncow\ncow\n",
            None,
            "3 different labels, and the probabilities have 2 columns.*--classes.*cat, cow, dog",
        ),
        ("label\n0\n0\n0\n1\n2\n", None, "3 different labels"),
        ("label\ncat\ncat\ndgo\ndog\ncow\n", "cat\ndog\n", "row 2: 'dgo' .did you mean 'dog'.*row 4: 'cow'"),
        (
            "label\ncat\ncat\ncat\ndog\ndog\n",
            "cat\n",
            "classes.txt names 1 classes, and the probabilities have 2",
        ),
        ("label\ncat\ncat\ncat\ndog\ndog\n", "cat\ncat\n", "classes.txt names 'cat' more than once"),
        ("", None, "labels.csv cannot be read as a CSV"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_what_to_do(files, labels, classes, message):
    with pytest.raises(DataError, match=message):
        read_other_predictions(*files(PROBS, labels, classes))


def test_of_many_unknown_labels_some_are_named_and_the_rest_counted(files):
    with pytest.raises(DataError, match=r"row 0: 'x'.*row 4: 'x'; and 2 more"):
        read_other_predictions(*files(np.full((7, 2), 0.5), "label\n" + "x\n" * 7, "cat\ndog\n"))


@pytest.mark.parametrize("array", [np.ones(3), np.ones((3, 0)), np.ones((1, 2, 3))])
def test_an_array_of_another_shape_is_refused(files, array):
    with pytest.raises(DataError, match=r"expected one array of shape \(n_items, n_classes\)"):
        read_other_predictions(*files(array, "label\n0\n0\n0\n"))


def test_what_is_no_array_is_refused(files, tmp_path):
    _, labels = files(PROBS, "label\n0\n")
    for name, content, message in (
        ("a.npy", b"no array", "is not an array of numbers"),
        ("b.npy", None, "does not exist"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            read_other_predictions(tmp_path / name, labels)
    np.savez(tmp_path / "c.npz", PROBS)
    with pytest.raises(DataError, match="of several arrays"):
        read_other_predictions(tmp_path / "c.npz", labels)


def test_a_file_that_is_no_array_says_how_to_write_one_and_never_to_load_it_unsafely(tmp_path):
    (tmp_path / "probs.npy").write_text("label\ncat\n")
    with pytest.raises(DataError, match="Write it with numpy") as error:
        read_probs(tmp_path / "probs.npy")
    assert "pickle" not in str(error.value)
