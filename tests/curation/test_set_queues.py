"""Queues of items with several labels: by the class that is suspect, by pairs of classes, by two classes at once."""

import numpy as np
import pandas as pd
import pytest

from curation.decisions.events import LABEL_RIGHT, Decision
from curation.imported_predictions import ImportSpec, import_predictions
from curation.label_kinds.kind import LabelForm
from curation.queues import QueueQuery, open_queue
from diagnostics.errors import ProjectError
from diagnostics.progress import ignore_progress

CLASSES = ("cat", "dog", "fox")
SETS = [tuple(name for bit, name in enumerate(CLASSES) if number >> bit & 1) for number in range(8)]
N_ITEMS = 40
SHOWN = {  # what is in an item where its label says something else
    "i01": ("dog",),  # labelled cat
    "i09": ("dog", "cat"),  # labelled cat: dog is missing
    "i10": ("cat",),  # labelled dog
    "i11": ("cat",),  # labelled cat and dog: dog is superfluous
    "i15": ("dog",),  # labelled with all three
}


@pytest.fixture
def sets(make_project, tmp_path, now):
    """40 train items and 2 unlabelled ones; a model knows what is in each, and of the unlabelled ones is torn between
    cat and dog in u1, and sure in u2."""
    names = [f"i{place:02d}" for place in range(N_ITEMS)]
    given = [SETS[place % 8] for place in range(N_ITEMS)]
    rows = [(name, "train", "|".join(has) or "(none)") for name, has in zip(names, given, strict=True)]
    rows += [("u1", "unlabelled", None), ("u2", "unlabelled", None)]
    project = make_project(rows, label_form=LabelForm(separator="|"))
    shown = [SHOWN.get(name, has) for name, has in zip(names, given, strict=True)]
    probs = [[0.9 if name in has else 0.1 for name in CLASSES] for has in shown]
    table = pd.DataFrame([*probs, [0.55, 0.45, 0.1], [0.99, 0.01, 0.3]], columns=CLASSES)
    table.assign(id=[*names, "u1", "u2"]).to_parquet(tmp_path / "p.parquet")
    spec = ImportSpec(probs=tmp_path / "p.parquet", out_of_fold=True, thresholds="0.5")
    import_predictions(project, spec, now=now, on_progress=ignore_progress)
    return project


def ids(project, **query) -> list[str]:
    return sorted(open_queue(project, QueueQuery(**query)).item_ids())


def test_a_class_is_filtered_by_whether_it_is_itself_suspect(sets):
    missing = ids(sets, suspect_label="dog", suspect="missing")
    superfluous = ids(sets, suspect_label="dog", suspect="superfluous")
    assert "i09" in missing
    assert "i11" in superfluous
    assert ids(sets, suspect_label="dog") == sorted(missing + superfluous)
    page = open_queue(sets, QueueQuery(suspect_label="dog")).page(1, 60)
    assert set(page["suspect_label"]) == {"dog"}


def test_the_suspects_of_each_class_are_counted_and_said(sets):
    counts = open_queue(sets, QueueQuery()).counts()["suspect_label"]
    assert counts == {name: n for name in CLASSES if (n := len(ids(sets, suspect_label=name)))}
    assert sum(counts.values()) == len(SHOWN)
    for (suspect, name), n in open_queue(sets, QueueQuery(suspect="missing")).suspect_counts().items():
        assert len(ids(sets, suspect=suspect, suspect_label=name)) == n
    queue = open_queue(sets, QueueQuery(suspect_label="dog"))
    kinds = queue.counts()["suspect"]
    n_dog = counts["dog"]
    told = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    assert queue.class_text("dog") == f"{n_dog} of {n_dog} suspects open ({told})"


def test_one_class_at_a_time_goes_by_the_suspect_class(sets, now):
    queue = open_queue(sets, QueueQuery())
    suspects = queue.open_suspects()
    assert queue.shown_class is None
    assert suspects == queue.counts()["suspect_label"]
    sets.decisions.decide([Decision("i09", LABEL_RIGHT)], annotator="ada", now=now)
    of_dog = open_queue(sets, queue.query_of_class("dog"))
    assert of_dog.shown_class == "dog"
    assert of_dog.open_suspects()["dog"] == suspects["dog"] - 1


def test_a_pair_is_one_class_given_and_the_other_predicted_in_its_place(sets):
    assert ids(sets, pair=("cat", "dog")) == ids(sets, pair=("dog", "cat")) == ["i01", "i10"]
    assert ids(sets, pair=("dog", "cat"), given="cat") == ["i01"]
    pairs = open_queue(sets, QueueQuery()).pair_counts()
    assert pairs.to_numpy().tolist() == [["cat", "dog", 2]]


def test_of_unlabelled_items_a_pair_has_those_that_the_model_is_torn_about(sets):
    assert ids(sets, pair=("cat", "dog"), splits=("unlabelled",), by="confusion") == ["u1"]


def test_items_with_two_classes_at_once(sets):
    both = [f"i{place:02d}" for place in range(N_ITEMS) if {"cat", "dog"} <= set(SETS[place % 8])]
    assert ids(sets, given="cat", given_with="dog") == both
    predicted = sorted((set(both) | {"i09"}) - {"i11", "i15"})
    assert ids(sets, predicted="dog", predicted_with="cat") == predicted


def test_an_unknown_suspect_class_is_named(sets):
    with pytest.raises(ProjectError, match="No such class: owl"):
        open_queue(sets, QueueQuery(suspect_label="owl"))


def test_one_label_an_item_has_no_suspect_class_and_nothing_given_twice(project, add_run):
    add_run(project, "run-0001", dict.fromkeys("abcdvtuw", (0.2, 0.5, 0.3)))
    assert open_queue(project, QueueQuery()).counts()["suspect_label"] == {}
    assert ids(project, suspect_label="dog") == ids(project, given="cat", given_with="dog") == []
    assert np.size(ids(project, pair=("cat", "dog"))) == 2
