import numpy as np
import pytest

from curation.other_label_sets import (
    PAIR_COLUMNS,
    SET_COLUMNS,
    rank_other_set_predictions,
    read_other_set_predictions,
)
from diagnostics.errors import DataError

PROBS = np.array([[0.9, 0.8], [0.9, 0.1], [0.2, 0.1], [0.1, 0.95]], dtype=np.float32)
LABELS = "id,label\na,cat|dog\nb,cat\nc,(none)\nd,cat\n"
ONE_HOT = "id,cat,dog\na,1,1\nb,1,0\nc,0,0\nd,1,0\n"


@pytest.fixture
def files(tmp_path):
    """Write an array and the text of a table; returns their paths."""

    def write(probs, labels, classes=None):
        np.save(tmp_path / "probs.npy", probs)
        (tmp_path / "labels.csv").write_text(labels, encoding="utf-8")
        if classes is None:
            return tmp_path / "probs.npy", tmp_path / "labels.csv"
        (tmp_path / "classes.txt").write_text(classes, encoding="utf-8")
        return tmp_path / "probs.npy", tmp_path / "labels.csv", tmp_path / "classes.txt"

    return write


def test_the_wrong_pairs_come_first_and_say_whether_a_label_is_missing_or_superfluous(files):
    ranking = rank_other_set_predictions(read_other_set_predictions(*files(PROBS, LABELS)))
    assert tuple(ranking.pairs.columns) == PAIR_COLUMNS
    first = ranking.pairs[["rank", "item_id", "label", "kind"]].head(2).to_numpy().tolist()
    assert first == [[1, "d", "dog", "missing"], [2, "d", "cat", "superfluous"]]
    assert ranking.pairs["probability"].head(2).tolist() == pytest.approx([0.95, 0.1])
    assert ranking.pairs["is_issue"].tolist() == [True, True] + [False] * 6
    assert (ranking.n_pairs, ranking.n_pair_issues) == (8, 2)


def test_an_item_says_what_it_has_what_is_predicted_and_which_label_is_suspect(files):
    ranking = rank_other_set_predictions(read_other_set_predictions(*files(PROBS, LABELS)))
    assert tuple(ranking.items.columns) == SET_COLUMNS
    first = ranking.items.iloc[0]
    assert first[["item_id", "given_labels", "predicted_labels", "suspect_label", "kind"]].tolist() == [
        "d",
        "cat",
        "dog",
        "dog",
        "missing",
    ]
    assert (ranking.n_item_issues, ranking.items["is_issue"].sum()) == (1, 1)
    assert ranking.items.set_index("item_id").loc["c", "predicted_labels"] == "(none)"


@pytest.mark.parametrize(
    "labels",
    [
        ONE_HOT,
        LABELS.replace("|", " ; "),
        LABELS.replace("cat", "0").replace("dog", "1"),
        "id,dog,cat,what else\na,1,1,\nb,0,1,\nc,0,0,\nd,0,1,\n",
    ],
)
def test_other_ways_to_write_the_same_sets_rank_alike(files, labels):
    expected = rank_other_set_predictions(read_other_set_predictions(*files(PROBS, LABELS)))
    separator = ";" if ";" in labels else "|"
    listed = "cat\ndog\n" if "what else" in labels else None
    found = read_other_set_predictions(*files(PROBS, labels, listed), separator=separator)
    ranking = rank_other_set_predictions(found)
    assert ranking.items["item_id"].tolist() == expected.items["item_id"].tolist()
    np.testing.assert_array_equal(ranking.items["label_quality"], expected.items["label_quality"])


@pytest.mark.parametrize("by", ["label_quality", "loss", "margin"])
def test_every_score_puts_the_wrong_item_first(files, by):
    ranking = rank_other_set_predictions(read_other_set_predictions(*files(PROBS, LABELS)), by=by)
    assert ranking.items["item_id"].iloc[0] == "d"
    assert ranking.pairs["item_id"].iloc[0] == "d"


def test_an_item_that_nobody_labelled_is_ranked_by_entropy_alone(files):
    found = read_other_set_predictions(*files(PROBS, LABELS.replace("d,cat", "d,")))
    by_loss = rank_other_set_predictions(found, by="loss")
    assert (by_loss.n_left_out, set(by_loss.items["item_id"]), by_loss.n_pairs) == (1, set("abc"), 6)
    by_entropy = rank_other_set_predictions(found, by="entropy").items.set_index("item_id")
    assert by_entropy.loc["d", "given_labels"] == ""
    assert by_entropy.loc["d", ["suspect_label", "kind"]].isna().all()
    assert not by_entropy.loc["d", "is_issue"]


def test_a_lower_threshold_predicts_more_labels(files):
    found = read_other_set_predictions(*files(PROBS, LABELS))
    items = rank_other_set_predictions(found, threshold="0.2").items.set_index("item_id")
    assert items.loc["c", "predicted_labels"] == "cat"


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ("label\ncat\ndog\n", None, "labels.csv has 2 rows and probs.npy has 4"),
        ("label\ncat|dog\ncat\ncow\n\n", None, "3 different labels, and the probabilities have 2 columns"),
        ("label\ncat|dog\ncat\ncow\n\n", "cat\ndog\n", "none of the 2 classes: row 2: 'cow'"),
        ("id,cat\na,1\nb,1\nc,1\nd,1\n", None, "its header, names 1 classes, and the probabilities have 2"),
        (ONE_HOT, "cat\ncow\n", "no column that looks like a label, and none for 'cow'; it has id, cat, dog"),
        (ONE_HOT.replace("b,1,0", "b,1,x"), None, "row 1, column 'dog': 'x'"),
        ("label\na|b\n\n\n\n", "a|b\nc\n", r"'a\|b' contains the separator"),
    ],
)
def test_files_that_do_not_fit_are_refused_with_what_to_do(files, labels, classes, message):
    with pytest.raises(DataError, match=message):
        read_other_set_predictions(*files(PROBS, labels, classes))


def test_a_value_that_is_no_probability_is_refused_with_its_row_and_column(files):
    probs = PROBS.copy()
    probs[2, 1] = 1.2
    found = read_other_set_predictions(*files(probs, LABELS))
    with pytest.raises(DataError, match=r"Row 2, column 1 \(dog\) of the probabilities is 1\.2"):
        rank_other_set_predictions(found)
