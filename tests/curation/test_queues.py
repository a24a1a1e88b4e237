"""Queues: which way each ranking goes, what the filters let through, and that the order stays while people decide."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.class_list import ClassEdit
from curation.classes import apply
from curation.decisions.events import Decision
from curation.queues import PAGE_COLUMNS, RANKED_COLUMNS, RANKERS, QueueQuery, open_queue, ranked_table
from diagnostics.errors import ProjectError
from diagnostics.predictions import FOLDER

PROBS = {
    "a": (0.98, 0.01, 0.01),  # cat, surely right
    "b": (0.90, 0.06, 0.04),  # dog, surely a cat
    "c": (0.40, 0.25, 0.35),  # fox, the model hesitates
    "d": (0.05, 0.60, 0.35),  # cat, a dog or a fox
    "v": (0.20, 0.70, 0.10),
    "t": (0.10, 0.10, 0.80),
    "u": (0.48, 0.47, 0.05),
    "w": (0.10, 0.20, 0.70),
}


@pytest.fixture
def ranked(project, add_run):
    add_run(project, "run-0001", PROBS)
    return project


def ids(project, **query):
    return open_queue(project, QueueQuery(**query)).item_ids()


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("loss", ["d", "b", "c", "a"]),
        ("confusion", ["c", "d", "b", "a"]),
        ("margin", ["b", "d", "c", "a"]),
        ("entropy", ["c", "d", "b", "a"]),
    ],
)
def test_the_most_suspect_item_comes_first(ranked, by, order):
    assert ids(ranked, by=by) == order


def test_label_quality_puts_the_lowest_first(ranked):
    quality = ranked_table(ranked, QueueQuery(by="label_quality"))["label_quality"]
    assert quality.is_monotonic_increasing
    assert ids(ranked, by="label_quality")[-1] == "a"


def test_confusion_can_compare_the_k_largest(ranked):
    table = ranked_table(ranked, QueueQuery(by="confusion", k=3))
    assert table["item_id"].tolist() == ["c", "d", "b", "a"]
    assert table["confusion"].round(4).tolist() == [0.15, 0.55, 0.86, 0.97]


def test_items_without_a_value_are_left_out_and_counted(ranked):
    queue = open_queue(ranked, QueueQuery(splits=("train", "unlabelled"), by="loss"))
    assert (len(queue), queue.n_left_out) == (4, 2)
    queue = open_queue(ranked, QueueQuery(splits=("unlabelled",), by="entropy"))
    assert (queue.item_ids(), queue.n_left_out) == (["u", "w"], 0)


def test_equal_items_come_by_their_id(make_project, add_run):
    project = make_project([(name, "train", "cat") for name in ("z", "b", "y", "a")])
    add_run(project, "run-0001", dict.fromkeys(("z", "b", "y", "a"), (0.5, 0.3, 0.2)))
    for by in RANKERS:
        assert ids(project, by=by) == ["a", "b", "y", "z"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"given": "cat"}, ["d", "a"]),
        ({"predicted": "cat"}, ["b", "c", "a"]),
        ({"pair": ("cat", "dog")}, ["d", "b"]),
        ({"pair": ("dog", "cat")}, ["d", "b"]),
        ({"pair": ("cat", "dog"), "splits": ("unlabelled",), "by": "confusion"}, ["u"]),
        ({"search": "IMG/B"}, ["b"]),
        ({"search": "."}, ["d", "b", "c", "a"]),
        ({"search": ".*"}, []),
        ({"splits": ("val", "test"), "by": "loss"}, ["v", "t"]),
    ],
)
def test_filters_let_through_what_they_name(ranked, query, expected):
    assert ids(ranked, **query) == expected


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"by": "luck"}, "no ranking 'luck'"),
        ({"given": "cow"}, "No such class: cow"),
        ({"splits": ("trian",)}, "no split trian"),
        ({"pair": ("cat", "cat")}, "two different classes"),
        ({"k": 1, "by": "confusion"}, "at least 2"),
        ({"decided": "maybe"}, "decided must be one of"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(ranked, query, text):
    with pytest.raises(ProjectError, match=text):
        open_queue(ranked, QueueQuery(**query))


def test_the_order_stays_while_people_decide_and_the_page_shows_their_decisions(ranked, now):
    queue = open_queue(ranked, QueueQuery(decided="open"))
    ranked.decisions.decide([Decision("b", "label_wrong", "cat", note="paws")], annotator="ada", now=now)
    page = queue.page(1, 3)
    assert tuple(page.columns) == PAGE_COLUMNS
    assert page["item_id"].tolist() == ["d", "b", "c"]
    assert page["label"].tolist() == ["cat", "cat", "fox"]
    assert page[["verdict", "status", "annotator", "event", "note"]].iloc[1].tolist() == [
        "label_wrong", "relabelled", "ada", 1, "paws",
    ]  # fmt: skip
    assert page["event"].tolist() == [0, 1, 0]
    assert queue.n_decided() == 1
    assert ids(ranked, decided="open") == ["d", "c", "a"]
    assert ids(ranked, decided="decided") == ["b"]


def test_a_queue_can_be_opened_as_it_was_at_an_event(ranked, now):
    ranked.decisions.decide([Decision("b", "bad_item")], annotator="ada", now=now)
    ranked.decisions.decide([Decision("c", "bad_item")], annotator="ada", now=now)
    ranked.decisions.undo("ada", now)
    assert ids(ranked, decided="open", as_of_event=1) == ["d", "c", "a"]
    assert ids(ranked, decided="open", as_of_event=2) == ["d", "a"]
    assert ids(ranked, decided="open") == ["d", "c", "a"]


def test_pages_are_slices_and_end_where_the_queue_ends(ranked):
    queue = open_queue(ranked, QueueQuery())
    assert [queue.page(number, 3)["rank"].tolist() for number in (1, 2, 3)] == [[1, 2, 3], [4], []]
    with pytest.raises(ProjectError, match="counted from 1"):
        queue.page(0, 3)


def test_an_item_knows_its_place(ranked):
    queue = open_queue(ranked, QueueQuery())
    assert [queue.position(item_id) for item_id in ("d", "a", "v", "nowhere")] == [1, 4, None, None]


def test_each_filter_counts_what_its_values_would_show_given_the_others(ranked, now):
    ranked.decisions.decide([Decision("d", "bad_item")], annotator="ada", now=now)
    counts = open_queue(ranked, QueueQuery(given="cat", decided="open")).counts()
    assert counts["given"] == {"cat": 1, "dog": 1, "fox": 1}
    assert counts["predicted"] == {"cat": 1}
    assert counts["decided"] == {"any": 2, "open": 1, "decided": 1}
    assert counts["split"] == {"train": 1}


def test_confused_pairs_are_counted_both_ways(ranked):
    pairs = open_queue(ranked, QueueQuery()).pair_counts()
    assert pairs.to_numpy().tolist() == [["cat", "dog", 2], ["cat", "fox", 1]]


def test_the_ranked_table_has_the_promised_columns_and_keeps_every_digit(ranked):
    table = ranked_table(ranked, QueueQuery(splits=("train", "unlabelled"), by="entropy"))
    assert tuple(table.columns) == RANKED_COLUMNS
    assert table["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    row = table.set_index("item_id").loc["b"]
    assert (row["given_label"], row["predicted_label"], row["second_label"]) == ("dog", "cat", "dog")
    assert row["loss"] == pytest.approx(-np.log(0.06))
    assert table.set_index("item_id").loc["u", "given_label"] is None


def test_the_reason_says_who_predicted_and_what(ranked):
    def reason(item_id, **query):
        return open_queue(ranked, QueueQuery(**query)).page(1, 10).set_index("item_id")["reason"][item_id]

    assert (
        reason("b")
        == "The model, which never saw this item, says `cat` with 90 %; given label `dog` gets 6 %."
    )
    assert reason("a", by="margin").endswith("says `cat` with 98 %, as labelled; next is `dog` with 1 %.")
    assert reason("v", splits=("val",)).startswith(
        "The models, none of which saw this item, say `dog` with 70 %"
    )
    assert reason("c", by="confusion") == (
        "The model, which never saw this item, says `cat` with 40 %, then `fox` with 35 %; "
        "the first and number 2 differ by 0.05."
    )


def test_in_sample_predictions_are_marked(project, add_run):
    add_run(project, "run-0001", PROBS, kind="in_sample")
    page = open_queue(project, QueueQuery()).page(1, 4)
    assert set(page["kind"]) == {"in_sample"}
    assert page["reason"].str.startswith("In sample:").all()


@settings(max_examples=25)
@given(data=st.data())
def test_a_queue_is_what_sorting_by_hand_gives(make_project, add_run, data):
    n_items = data.draw(st.integers(1, 12))
    labels = data.draw(
        st.lists(st.sampled_from(["cat", "dog", "fox", None]), min_size=n_items, max_size=n_items)
    )
    weights = data.draw(st.lists(st.tuples(*[st.integers(1, 4)] * 3), min_size=n_items, max_size=n_items))
    names = data.draw(st.permutations([f"i{number:02d}" for number in range(n_items)]))
    project = make_project(
        [
            (name, "unlabelled" if label is None else "train", label)
            for name, label in zip(names, labels, strict=True)
        ]
    )
    add_run(project, "run-0001", {name: np.array(w) / sum(w) for name, w in zip(names, weights, strict=True)})
    by = data.draw(st.sampled_from(list(RANKERS)))
    ranker = RANKERS[by]
    found = open_queue(project, QueueQuery(splits=("train", "unlabelled"), by=by))
    table = found.ranked_table()
    sign = 1 if ranker.ascending else -1
    keys = [
        (sign * value, item_id) for value, item_id in zip(table[ranker.column], table["item_id"], strict=True)
    ]
    assert keys == sorted(keys)
    assert len(found) + found.n_left_out == n_items
    pages = [item_id for number in range(1, 6) for item_id in found.page(number, 3)["item_id"]]
    assert pages == table["item_id"].tolist() == found.item_ids()


def test_a_verdict_and_a_person_can_be_asked_for(ranked, now):
    store = ranked.decisions
    store.decide(
        [Decision("a", "label_right"), Decision("b", "label_wrong", "cat")], annotator="ada", now=now
    )
    store.decide([Decision("c", "label_right")], annotator="bob", now=now)
    assert ids(ranked, verdict="label_right") == ["c", "a"]
    assert ids(ranked, verdict="none") == ["d"]
    assert ids(ranked, annotator="ada") == ["b", "a"]
    assert ids(ranked, annotator="ada", verdict="label_right") == ["a"]
    assert ids(ranked, annotator="eve") == []


def test_each_verdict_and_person_says_how_many_items_it_would_show(ranked, now):
    store = ranked.decisions
    store.decide(
        [Decision("a", "label_right"), Decision("b", "label_wrong", "cat")], annotator="ada", now=now
    )
    store.decide([Decision("c", "label_right")], annotator="bob", now=now)
    counts = open_queue(ranked, QueueQuery(annotator="ada", verdict="label_right")).counts()
    assert counts["verdict"] == {"label_wrong": 1, "label_right": 1}
    assert counts["annotator"] == {"ada": 1, "bob": 1}
    assert open_queue(ranked, QueueQuery()).counts()["verdict"] == {
        "label_wrong": 1,
        "label_right": 2,
        "none": 1,
    }


def test_a_verdict_and_a_person_are_as_of_the_event_that_the_query_names(ranked, now):
    store = ranked.decisions
    store.decide([Decision("a", "label_right")], annotator="ada", now=now)
    event = store.last_event()
    store.decide([Decision("a", "ambiguous"), Decision("b", "label_right")], annotator="bob", now=now)
    store.undo("bob", now)
    store.decide([Decision("d", "label_right")], annotator="ada", now=now)
    assert ids(ranked, verdict="label_right", as_of_event=event) == ["a"]
    assert ids(ranked, annotator="ada", as_of_event=event) == ["a"]
    assert ids(ranked, verdict="none", as_of_event=0) == ["d", "b", "c", "a"]
    assert ids(ranked, annotator="ada") == ["d", "a"]
    counts = open_queue(ranked, QueueQuery(as_of_event=event)).counts()
    assert (counts["annotator"], counts["verdict"]) == ({"ada": 1}, {"label_right": 1, "none": 3})


@pytest.mark.parametrize(
    ("query", "text"), [({"verdict": "wrong"}, "verdict must be"), ({"blind": 2}, "blind share")]
)
def test_a_filter_with_an_unknown_value_is_refused(ranked, query, text):
    with pytest.raises(ProjectError, match=text):
        open_queue(ranked, QueueQuery(**query))


def test_the_top_classes_of_a_page_come_most_probable_first(ranked):
    queue = open_queue(ranked, QueueQuery())
    assert queue.item_ids(0, 2) == ["d", "b"]
    assert queue.top_classes(1, 2) == [[1, 2, 0], [0, 1, 2]]
    assert queue.top_classes(9, 2) == []


@pytest.fixture
def embedded(ranked):
    """The same run; of the training items a and c were made by the first model, whose embeddings are compared."""
    folder = ranked.runs_dir / "run-0001" / FOLDER
    values = {"a": (1, 0), "c": (0, 1), "u": (0.2, 1), "w": (1, 0.1)}
    np.save(
        folder / "embeddings.npy", np.array([values.get(name, (1, 1)) for name in PROBS], dtype=np.float16)
    )
    return ranked


def test_unlabelled_items_come_in_the_order_of_their_likeness_to_a_class(embedded):
    assert ids(embedded, splits=("unlabelled",), like="cat") == ["w", "u"]
    assert ids(embedded, splits=("unlabelled",), like="fox") == ["u", "w"]
    page = open_queue(embedded, QueueQuery(splits=("unlabelled",), like="fox")).page(1, 2)
    assert page["reason"][0].startswith("Cosine 0.98 with the nearest known items of `fox`. ")


def test_likeness_goes_with_the_other_filters_and_has_counts(embedded, clock):
    embedded.decisions.decide([Decision("w", "labelled", "cat")], annotator="ada", now=clock())
    queue = open_queue(embedded, QueueQuery(splits=("unlabelled",), like="cat", decided="open"))
    assert (queue.item_ids(), queue.counts()["decided"]) == (["u"], {"any": 2, "open": 1, "decided": 1})


def test_likeness_follows_a_class_that_others_were_merged_into(embedded, clock):
    apply(embedded, ClassEdit("merge", "fox", "cat"), annotator="ada", now=clock())
    assert len(ids(embedded, splits=("unlabelled",), like="cat")) == 2
    assert ids(embedded, splits=("unlabelled",), like="fox") == ids(
        embedded, splits=("unlabelled",), like="cat"
    )


def test_a_run_without_embeddings_leaves_the_items_out_and_says_how_many(ranked):
    queue = open_queue(ranked, QueueQuery(splits=("unlabelled",), like="cat"))
    assert (len(queue), queue.n_left_out) == (0, 2)


def test_only_unlabelled_items_are_ranked_by_likeness(ranked):
    with pytest.raises(ProjectError, match="Only unlabelled items"):
        open_queue(ranked, QueueQuery(like="cat"))
