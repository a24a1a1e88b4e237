"""Adding, renaming and merging the classes of a project: what is counted, shown, exported and trained on afterwards."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.class_list import ClassEdit
from curation.classes import apply, check_undo, class_table, described, last_change, preview, undo_last
from curation.decisions.events import Decision
from curation.export import export_curated
from curation.migrations.upgrade import config
from curation.patches import read_patch
from curation.project import Project
from curation.queues import QueueQuery, open_queue, ranked_table
from curation.reports import compare_runs, labelled_predictions
from curation.rounds import close_round, dataset_version, training_items
from curation.run_folders import allocate_run, read_start
from diagnostics.errors import ClassError, DecisionError, ProjectError, RunError
from diagnostics.training.config import TrainConfig

PROBS = {
    "a": (0.1, 0.8, 0.1),
    "b": (0.7, 0.2, 0.1),
    "c": (0.3, 0.1, 0.6),
    "d": (0.6, 0.3, 0.1),
    "v": (0.5, 0.4, 0.1),
    "u": (0.45, 0.5, 0.05),
}


@pytest.fixture
def edit(project, now):
    """edit("rename", "dog", "hound") changes the classes of the project; edit("undo") takes the last change back."""

    def change(*what):
        if what == ("undo",):
            return undo_last(project, annotator="ada", now=now)
        return apply(project, ClassEdit(*what), annotator="ada", now=now)

    return change


@pytest.fixture
def say(store, now):
    """say("a", "dog") gives an item a label; say("a", verdict="bad_item") another verdict."""

    def decide(item_id, label=None, verdict="label_wrong", note=""):
        return store.decide([Decision(item_id, verdict, label, note=note)], annotator="ada", now=now)

    return decide


def state_of(store, item_id):
    state = store.states([item_id])[item_id]
    return state.given_label, state.label, state.verdict


# ------------------------------------------------------------ decisions


def test_a_rename_is_seen_everywhere_and_decides_nothing(project, store, edit, say):
    say("a", "dog")
    edit("rename", "dog", "hound")
    assert project.task.classes == ("cat", "hound", "fox")
    assert state_of(store, "a") == ("cat", "hound", "label_wrong")
    assert state_of(store, "b") == ("hound", "hound", None)
    assert store.state_table()["label"].tolist() == ["hound"]
    labels = store.labels_at(store.last_event()).set_index("item_id")
    assert labels.loc["b", ["given_label", "label", "status"]].tolist() == ["hound", "hound", "kept"]
    assert [event.new_label for event in store.history("a")] == ["hound"]
    assert [event.new_label for event in store.all_events()] == ["dog"]
    assert store.last_event() == 1
    assert project.counts().set_index("label").loc["hound", ["train", "val"]].tolist() == [1, 1]


def test_an_added_class_can_be_decided_at_once(project, store, edit, say):
    edit("add", "ant")
    say("a", "ant")
    assert state_of(store, "a") == ("cat", "ant", "label_wrong")
    assert project.task.classes == ("cat", "dog", "fox", "ant")


def test_after_a_merge_a_decision_for_the_other_class_says_the_label_is_right(store, edit, say):
    say("a", "dog")
    edit("merge", "cat", "dog")
    assert state_of(store, "a") == ("dog", "dog", "label_right")
    assert store.state_table()[["label", "verdict", "status"]].to_numpy().tolist() == [
        ["dog", "label_right", "kept"]
    ]
    assert store.labels_at(1).set_index("item_id").loc["a", "status"] == "kept"
    assert say("a", "dog").n_already == 1
    edit("undo")
    assert state_of(store, "a") == ("cat", "dog", "label_wrong")


def test_confirming_a_merged_label_still_confirms_it_once_the_merge_is_taken_back(store, edit, say):
    edit("merge", "cat", "dog")
    say("a", "dog")
    assert state_of(store, "a") == ("dog", "dog", "label_right")
    edit("undo")
    assert state_of(store, "a") == ("cat", "cat", "label_right")


def test_a_note_on_a_merged_decision_does_not_change_what_was_decided(store, edit, say):
    say("a", "dog")
    edit("merge", "cat", "dog")
    assert say("a", "dog", note="a puppy").n_changed == 1
    edit("undo")
    assert state_of(store, "a") == ("cat", "dog", "label_wrong")


def test_a_label_that_an_exclusion_leaves_alone_comes_back_with_the_merge_taken_back(store, edit, say):
    say("c", "dog")
    edit("merge", "dog", "cat")
    say("c", verdict="bad_item")
    assert state_of(store, "c") == ("fox", "cat", "bad_item")
    edit("undo")
    assert state_of(store, "c") == ("fox", "dog", "bad_item")


def test_a_page_from_before_a_rename_still_decides_for_the_same_class(store, edit, say):
    edit("rename", "dog", "hound")
    say("a", "dog")
    assert state_of(store, "a") == ("cat", "hound", "label_wrong")
    with pytest.raises(DecisionError, match=r"unknown class 'hond' \(did you mean 'hound'\?\)"):
        say("c", "hond")


def test_undoing_a_decision_after_a_rename_gives_back_the_given_label(store, edit, say, now):
    say("a", "dog")
    edit("rename", "cat", "tom")
    store.undo("ada", now)
    assert state_of(store, "a") == ("tom", "tom", None)
    store.redo("ada", now)
    assert state_of(store, "a") == ("tom", "dog", "label_wrong")


def test_a_conflict_is_told_in_present_names(store, edit, say, now):
    say("a", "dog")
    edit("rename", "dog", "hound")
    late = Decision("a", "label_wrong", "fox", expected_event=0)
    (conflict,) = store.decide([late], annotator="bob", now=now).conflicts
    assert str(conflict) == "a: it is label wrong with `hound` by ada; not made label wrong with `fox`"


# ------------------------------------------------------------ counts


def test_a_preview_counts_what_a_merge_would_touch(project, edit, say, add_run):
    add_run(project, "run-0001", PROBS)
    say("a", "dog")
    say("u", "cat", verdict="labelled")
    found = preview(project, ClassEdit("merge", "cat", "dog"))
    assert dict(found.given) == {"train": 2}
    assert dict(found.present) == {"train": 2}
    assert (found.n_items, found.n_into, found.n_decisions, found.n_agreeing) == (2, 3, 1, 1)
    assert (found.runs, found.n_classes) == (("run-0001",), 2)
    assert str(found) == (
        "2 items are labelled `cat`, 1 decision names it; they become `dog`, which then has 5. 1 decision between "
        "the two will say what the given label says. The next training has 2 classes. run-0001 will show it as `dog`."
    )
    edit("merge", "cat", "dog")
    (row,) = class_table(project).query("name == 'dog'").to_dict("records")
    assert (row["train"], row["val"], row["given"], row["decisions"]) == (4, 1, 4, 2)


def test_previewing_changes_nothing(project):
    preview(project, ClassEdit("rename", "dog", "hound"))
    assert project.classes.number == 0
    assert project.task.classes == ("cat", "dog", "fox")


def test_a_preview_is_refused_with_the_words_of_the_change(project, edit):
    for bad in (ClassEdit("add", "dog"), ClassEdit("merge", "dog", "dog")):
        with pytest.raises(ClassError) as asked:
            preview(project, bad)
        with pytest.raises(ClassError) as done:
            edit(bad.kind, bad.name, bad.to)
        assert str(asked.value) == str(done.value)


def test_the_table_of_classes_counts_labels_as_they_are_now(project, edit, say):
    say("a", "dog")
    edit("add", "ant")
    say("u", "ant", verdict="labelled")
    table = class_table(project).set_index("name")
    assert table["train"].to_dict() == {"cat": 1, "dog": 2, "fox": 1, "ant": 1}
    assert table["given"].to_dict() == {"cat": 2, "dog": 2, "fox": 2, "ant": 0}
    assert table["decisions"].to_dict() == {"cat": 0, "dog": 1, "fox": 0, "ant": 1}


# ------------------------------------------------------------ undo


def test_changes_are_told_and_taken_back_one_by_one(project, edit):
    edit("rename", "dog", "hound")
    edit("merge", "cat", "hound")
    assert described(project, last_change(project)) == "merge `cat` into `hound`"
    assert described(project, edit("undo")) == "merge `cat` into `hound`"
    assert described(project, last_change(project)) == "rename `dog` to `hound`"
    edit("undo")
    assert last_change(project) is None
    with pytest.raises(ClassError, match="no change of the classes to take back"):
        edit("undo")
    assert [change.kind for change in project.class_log.changes()] == ["rename", "merge", "undo", "undo"]
    assert described(project, project.class_log.changes()[2]) == "undo: merge `cat` into `hound`"


def test_an_added_class_that_decisions_name_is_not_taken_away(project, store, edit, say, now):
    edit("add", "ant")
    say("a", "ant")
    store.undo("ada", now)
    with pytest.raises(ClassError, match=r"in use by decisions\. Merge it into another class instead"):
        edit("undo")
    with pytest.raises(ClassError, match="in use by decisions"):
        check_undo(project)
    assert project.task.classes == ("cat", "dog", "fox", "ant")


def test_an_added_class_that_a_training_knows_is_not_taken_away(project, edit, now):
    edit("add", "ant")
    allocate_run(project, TrainConfig(), 0, now=now)
    with pytest.raises(ClassError, match="in use by run-0001"):
        edit("undo")


def test_an_added_class_that_nobody_used_is_taken_away(project, edit):
    edit("add", "ant")
    edit("undo")
    assert project.task.classes == ("cat", "dog", "fox")
    edit("add", "ant")
    assert project.task.classes == ("cat", "dog", "fox", "ant")


def test_an_undo_of_another_change_than_the_one_seen_is_refused(project, edit, now):
    seen = edit("rename", "dog", "hound")
    edit("rename", "cat", "tom")
    with pytest.raises(ClassError, match="Someone has changed the classes since"):
        undo_last(project, annotator="bob", now=now, expected=seen.number)


# ------------------------------------------------------------ runs


def test_a_queue_over_a_run_from_before_a_rename_shows_the_new_name(project, edit, add_run):
    add_run(project, "run-0001", PROBS)
    before = ranked_table(project, QueueQuery(by="loss"))
    forget_class_change(project)
    edit("rename", "dog", "hound")
    after = ranked_table(project, QueueQuery(by="loss"))
    assert after["item_id"].tolist() == before["item_id"].tolist() == ["a", "b", "c", "d"]
    assert after["loss"].tolist() == before["loss"].tolist()
    assert after["predicted_label"].tolist() == ["hound", "cat", "fox", "cat"]
    assert after["given_label"].tolist() == ["cat", "hound", "fox", "cat"]
    assert ranked_table(project, QueueQuery(given="hound"))["item_id"].tolist() == ["b"]
    assert ranked_table(project, QueueQuery(given="dog"))["item_id"].tolist() == ["b"]
    assert "`hound`" in open_queue(project, QueueQuery()).page(1, 4)["reason"][0]


def test_a_queue_over_a_run_from_before_a_merge_shows_one_class(project, edit, add_run):
    add_run(project, "run-0001", PROBS)
    edit("merge", "cat", "dog")
    queue = open_queue(project, QueueQuery(splits=("train", "unlabelled"), by="confusion"))
    shown = queue.ranked_table().set_index("item_id")
    assert shown.loc["a", ["given_label", "predicted_label"]].tolist() == ["dog", "dog"]
    assert shown.loc["u", ["predicted_label", "second_label"]].tolist() == ["dog", "dog"]
    assert shown.loc["a", "confusion"] == pytest.approx(0.7)
    assert queue.counts()["given"] == {"dog": 3, "fox": 1}
    assert queue.pair_counts().empty
    assert open_queue(project, QueueQuery(pair=("dog", "fox"))).item_ids() == []
    with pytest.raises(ProjectError, match="'dog' twice"):
        open_queue(project, QueueQuery(pair=("cat", "dog")))


def test_a_class_that_a_run_does_not_know_gives_an_empty_queue(project, edit, add_run):
    add_run(project, "run-0001", PROBS)
    edit("add", "ant")
    assert len(open_queue(project, QueueQuery(predicted="ant"))) == 0
    with pytest.raises(ProjectError, match="The run knows 3 classes"):
        open_queue(project, QueueQuery(by="confusion", k=4))


def test_a_run_from_between_two_changes_knows_the_names_of_then(project, edit, add_run):
    add_run(project, "run-0001", PROBS)
    edit("rename", "dog", "cat two")
    edit("rename", "cat", "dog")
    add_run(project, "run-0002", PROBS)
    edit("rename", "dog", "tom")
    for run_id in ("run-0001", "run-0002"):
        ranked = ranked_table(project, QueueQuery(run_id=run_id))
        assert ranked.set_index("item_id")["predicted_label"].to_dict() == {
            "a": "cat two", "b": "tom", "c": "fox", "d": "tom",
        }  # fmt: skip
    found = compare_runs(project, "val", "run-0001", "run-0002")
    assert found.comparison.n_flips("fixed") == 0
    assert found.comparison.n_flips("broken") == 0


def forget_class_change(project):
    """Make run-0001 one that was written before runs said which classes they know."""
    path = project.runs_dir / "run-0001" / "run.json"
    values = json.loads(path.read_text())
    del values["dataset_version"]["class_change"]
    path.write_text(json.dumps(values))


def change_info(project, info, **version):
    path = project.runs_dir / info.run_id / "run.json"
    values = json.loads(path.read_text())
    values["dataset_version"] |= version
    path.write_text(json.dumps(values))


def test_a_run_of_another_history_of_the_classes_is_refused(project, add_run):
    info = add_run(project, "run-0001", PROBS)
    change_info(project, info, class_change=3)
    with pytest.raises(ProjectError, match=r"no class change 3; the project has 0"):
        open_queue(project, QueueQuery())
    change_info(project, info, class_change=0)
    path = project.runs_dir / "run-0001" / "run.json"
    path.write_text(path.read_text().replace('"fox"', '"cow"'))
    with pytest.raises(RunError, match=r"knows classes that .* does not have: cow"):
        labelled_predictions(project, "val")


def test_a_report_counts_merged_classes_as_one(project, edit, add_run):
    add_run(project, "run-0001", PROBS)
    assert labelled_predictions(project, "val").class_report().accuracy.value == 0.0
    edit("merge", "dog", "cat")
    found = labelled_predictions(project, "val")
    assert found.classes == ("cat", "fox")
    assert found.class_report().accuracy.value == 1.0


# ------------------------------------------------------------ training and versions


def test_what_is_trained_next_has_the_classes_of_now(project, edit):
    source = dataset_version(project)
    edit("merge", "cat", "dog")
    merged = dataset_version(project)
    assert (source.class_change, merged.class_change) == (0, 1)
    assert merged.fingerprint != source.fingerprint
    assert set(training_items(project, merged)["label"].dropna()) == {"dog", "fox"}
    assert set(training_items(project, source)["label"].dropna()) == {"cat", "dog", "fox"}
    assert project.task_at(project.class_log.at(merged.class_change)).classes == ("dog", "fox")


def test_a_class_change_that_was_taken_back_gives_the_same_fingerprint(project, edit):
    source = dataset_version(project)
    edit("rename", "cat", "tom")
    edit("undo")
    assert dataset_version(project).fingerprint == source.fingerprint


def test_a_training_that_goes_on_later_has_the_classes_it_was_started_with(project, edit, now):
    run = allocate_run(project, TrainConfig(), 0, now=now)
    edit("merge", "cat", "dog")
    again = read_start(project, run.run_id)
    version = dataset_version(project, again.version, class_change=again.class_change)
    assert set(training_items(project, version)["label"].dropna()) == {"cat", "dog", "fox"}
    path = run.folder / "start.json"
    values = json.loads(path.read_text())
    del values["class_change"]
    path.write_text(json.dumps(values))
    assert read_start(project, run.run_id).class_change == 0


def test_closing_a_round_after_a_merge_keeps_its_version(project, edit, say, now):
    say("c", "dog")
    edit("merge", "dog", "cat")
    close_round(project, "ada", now)
    items = training_items(project, dataset_version(project)).set_index("item_id")
    assert items.loc["c", "label"] == "cat"
    edit("undo")
    items = training_items(project, dataset_version(project)).set_index("item_id")
    assert items.loc["c", "label"] == "dog"


# ------------------------------------------------------------ export


def read_csv(path):
    with path.open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_an_export_has_present_labels_and_given_labels_as_the_source_says(
    project, edit, say, add_run, tmp_path
):
    add_run(project, "run-0001", PROBS)
    say("a", "dog")
    edit("rename", "dog", "=hound")
    edit("merge", "cat", "fox")
    export_curated(project, tmp_path / "out.csv", patch=tmp_path / "patch.csv")
    rows = read_csv(tmp_path / "out.csv")
    assert (rows["a"]["label"], rows["a"]["given_label"]) == ("'=hound", "cat")
    assert (rows["b"]["label"], rows["b"]["given_label"], rows["b"]["status"]) == ("'=hound", "dog", "kept")
    assert (rows["d"]["label"], rows["d"]["given_label"], rows["d"]["predicted_label"]) == (
        "fox",
        "cat",
        "fox",
    )
    assert read_csv(tmp_path / "patch.csv")["a"]["label"] == "'=hound"
    manifest = json.loads((tmp_path / "out.csv.manifest.json").read_text())
    assert manifest["class_change"] == 2
    assert manifest["classes"] == ["=hound", "fox"]
    assert manifest["classes_of_source"] == {"cat": "fox", "dog": "=hound", "fox": "fox"}


def test_a_patch_written_after_a_rename_says_the_same_when_it_is_read_back(
    project, store, edit, say, tmp_path, now
):
    say("a", "dog")
    say("c", verdict="label_right")
    edit("rename", "dog", "'hound'")
    export_curated(project, tmp_path / "out.csv", patch=tmp_path / "patch.csv")
    for path in (tmp_path / "out.csv", tmp_path / "patch.csv"):
        result = store.decide(read_patch(project, path), annotator="bob", now=now)
        assert (result.n_changed, result.n_already) == (0, 2)
    before = store.state_table()[["item_id", "label", "verdict"]]
    store.undo("ada", now)
    store.undo("ada", now)
    store.decide(read_patch(project, tmp_path / "patch.csv"), annotator="bob", now=now)
    assert store.state_table()[["item_id", "label", "verdict"]].equals(before)


def test_a_patch_written_before_a_rename_is_understood_after_it(project, store, edit, tmp_path, now):
    patch = tmp_path / "patch.csv"
    patch.write_text("id,label\na,dog\nb,dog\n")
    edit("rename", "dog", "hound")
    store.decide(read_patch(project, patch), annotator="bob", now=now)
    assert state_of(store, "a") == ("cat", "hound", "label_wrong")
    assert state_of(store, "b") == ("hound", "hound", "label_right")
    patch.write_text("id,label\na,cow\n")
    with pytest.raises(DecisionError, match="row 2: unknown class 'cow'"):
        read_patch(project, patch)


# ------------------------------------------------------------ against a model that is easy to read


class Model:
    """Items point at class objects, class objects at what they were merged into; undo puts the old pointers back."""

    def __init__(self, rows, classes):
        self.classes = [{"name": name, "into": None} for name in classes]
        named = {each["name"]: each for each in self.classes}
        self.given = {item_id: named.get(label) for item_id, _, label in rows}
        self.label = dict(self.given)
        self.decided = set()
        self.pile, self.acts = [], []

    def root(self, each):
        while each is not None and each["into"] is not None:
            each = each["into"]
        return each

    def live(self):
        return [each for each in self.classes if each["into"] is None]

    def names(self):
        return [each["name"] for each in self.live()]

    def labels(self):
        shown = {item_id: self.root(each) for item_id, each in self.label.items()}
        return {item_id: each and each["name"] for item_id, each in shown.items()}

    def say(self, item_id, name):
        (wanted,) = [each for each in self.live() if each["name"] == name]
        if item_id in self.decided and self.root(self.label[item_id]) is wanted:
            return
        self.acts.append((item_id, self.label[item_id], item_id in self.decided))
        self.decided.add(item_id)
        self.label[item_id] = self.given[item_id] if self.root(self.given[item_id]) is wanted else wanted

    def change(self, kind, one, to):
        named = {each["name"]: each for each in self.live()}
        self.pile.append((list(self.classes), [dict(each) for each in self.classes]))
        if kind == "add":
            self.classes.append({"name": one, "into": None})
        elif kind == "rename":
            named[one]["name"] = to
        else:
            named[one]["into"] = named[to]

    def take_back_saying(self):
        if not self.acts:
            return
        item_id, self.label[item_id], was_decided = self.acts.pop()
        if not was_decided:
            self.decided.discard(item_id)

    def undo(self):
        classes, before = self.pile.pop()
        self.classes = classes
        for each, old in zip(classes, before, strict=True):
            each.update(old)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["say", "say", "say", "take back", "add", "rename", "merge", "undo"]),
        st.integers(0, 20),
        st.integers(0, 20),
    ),
    max_size=16,
)


@settings(max_examples=25)
@given(steps=STEPS)
def test_labels_are_those_of_a_naive_model_whatever_is_decided_and_changed(make_project, clock, steps):
    rows = (("a", "train", "cat"), ("b", "train", "dog"), ("u", "unlabelled", None))
    project = make_project(rows, ("cat", "dog", "fox"))
    model, store = Model(rows, ("cat", "dog", "fox")), project.decisions
    for number, (kind, one, other) in enumerate(steps):
        names = model.names()
        name, rest = names[one % len(names)], [each for each in names if each != names[one % len(names)]]
        if kind == "say":
            item_id = "abu"[other % 3]
            store.decide([Decision(item_id, "label_wrong", name)], annotator="ada", now=clock())
            model.say(item_id, name)
        elif kind == "take back":
            store.undo("ada", clock())
            model.take_back_saying()
        elif kind == "undo":
            step_back(project, model, clock())
        else:
            kind = "add" if kind == "merge" and len(names) == 2 else kind
            to = {"add": None, "rename": f"new {number}", "merge": rest[other % len(rest)]}[kind]
            what = ClassEdit(kind, f"new {number}" if kind == "add" else name, to)
            apply(project, what, annotator="ada", now=clock())
            model.change(kind, what.name, to)
        check(project, model)


def step_back(project, model, now):
    try:
        undo_last(project, annotator="ada", now=now)
    except ClassError as refused:
        assert not model.pile or "in use by decisions" in str(refused)
    else:
        model.undo()


def check(project, model):
    """Everything that tells labels says the same."""
    store, labels = project.decisions, model.labels()
    assert list(project.task.classes) == model.names()
    states = store.states(list(labels))
    assert {item_id: state.label for item_id, state in states.items()} == labels
    assert {item_id for item_id, state in states.items() if state.verdict is not None} == model.decided
    table = store.labels_at(store.last_event()).astype(object)
    told = {row.item_id: None if row.label != row.label else row.label for row in table.itertuples()}
    assert told == labels
    for state in states.values():
        if state.verdict is not None:
            wanted = "labelled" if state.given_label is None else "label_wrong"
            assert state.verdict == ("label_right" if state.label == state.given_label else wanted)
    counted = class_table(project).set_index("name")[["train", "val", "test", "unlabelled"]].sum(axis=1)
    expected = {name: list(labels.values()).count(name) for name in model.names()}
    assert counted.to_dict() == expected
    assert np.all(counted >= 0)


# ------------------------------------------------------------ projects from before


def test_a_project_from_before_classes_could_change_has_those_of_its_source(project, now):
    project.database_path.unlink()
    engine = sa.create_engine(f"sqlite:///{project.database_path}")
    settings_ = config()
    with engine.begin() as connection:
        settings_.attributes |= {"connection": connection, "now": now}
        command.upgrade(settings_, "0001")
    engine.dispose()
    opened = Project.open(project.folder)
    assert opened.task.classes == ("cat", "dog", "fox")
    apply(opened, ClassEdit("rename", "dog", "hound"), annotator="ada", now=now)
    assert opened.task.classes == ("cat", "hound", "fox")


# ------------------------------------------------------------ two processes

RENAME = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from curation.class_list import ClassEdit
from curation.classes import apply
from curation.project import Project
from diagnostics.errors import ClassError

project, me = Project.open(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    apply(project, ClassEdit("add", f"{me} {number}"), annotator=me, now=datetime.now(UTC))
"""


def test_a_change_by_another_process_is_seen_by_a_project_that_is_open(project, store):
    assert project.task.classes == ("cat", "dog", "fox")
    items = project.items
    command_line = [
        sys.executable,
        "-m",
        "app.cli",
        "classes",
        str(project.folder),
        "--rename",
        "dog",
        "hound",
    ]
    subprocess.run(command_line, check=True, capture_output=True)
    assert project.task.classes == ("cat", "hound", "fox")
    assert state_of(store, "b") == ("hound", "hound", None)
    assert project.items is items
    assert project.decisions is store


def test_two_processes_changing_classes_at_once_lose_no_change(project):
    n_changes = 25
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RENAME, str(project.folder), name, str(n_changes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("ada", "bob")
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            process.communicate()
            assert process.returncode == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [change.number for change in project.class_log.changes()] == list(range(1, 2 * n_changes + 1))
    wanted = {f"{name} {number}" for name in ("ada", "bob") for number in range(n_changes)}
    assert set(project.task.classes) == {"cat", "dog", "fox"} | wanted
