"""Several labels an item: taken in, decided on, renamed and merged, and what stands after that."""

import json

import pandas as pd
import pytest

from curation.class_list import ClassEdit, ClassList
from curation.classes import apply, class_table, preview, undo_last
from curation.codebook import read_entry
from curation.dataset.intake import IntakeSpec, take_in
from curation.decisions.events import LABEL_RIGHT, LABEL_WRONG, LABELLED, Decision
from curation.export import export_curated
from curation.label_kinds import label_kind_of
from curation.label_kinds.kind import LabelForm
from curation.patches import decision_on, read_patch
from curation.project import INFO_FILE, NO_LABEL_ROW, NONE_ROW, Project
from curation.standing import StandingDecisions
from diagnostics.errors import ClassError, DataError, DecisionError
from diagnostics.progress import ignore_progress
from tests.curation.conftest import SET_ROWS

ADA = "ada"


def taken_in(tmp_path, text, **options):
    (tmp_path / "items.csv").write_text(text)
    spec = IntakeSpec(data=tmp_path / "items.csv", modality="text", text_columns=("text",), **options)
    return take_in(spec, on_progress=ignore_progress)


def labels_of(intake):
    return dict(zip(intake.items["text"], intake.items["given_label"].fillna("no label"), strict=True))


def codes_of(intake):
    return sorted(intake.findings["code"])


SEPARATED = """text,label
one red,red; shoe
two red,shoe;red
three,(none)
four,
five,red;;shoe
six,red;red
seven,"red;a|b"
"""


def test_labels_with_a_mark_between_them_are_kept_in_one_form(tmp_path):
    intake = taken_in(tmp_path, SEPARATED, label_form=LabelForm(separator=";"))
    assert labels_of(intake) == {
        "one red": "red|shoe",
        "two red": "red|shoe",
        "three": "(none)",
        "four": "no label",
        "six": "red",
    }
    assert intake.classes == ("red", "shoe")
    assert intake.items.set_index("text")["split"]["four"] == "unlabelled"


def test_labels_that_cannot_be_read_are_set_aside_and_told(tmp_path):
    intake = taken_in(tmp_path, SEPARATED, label_form=LabelForm(separator=";"))
    found = intake.findings.set_index("code")["message"]
    assert codes_of(intake) == ["empty_label", "repeated_label", "unreadable_labels", "unreadable_labels"]
    assert list(found["unreadable_labels"]) == [
        "There is nothing between two separators in 'red;;shoe'.",
        "The name 'a|b' has '|' in it.",
    ]
    assert found["repeated_label"] == "'red' is named more than once in 'red;red'."


def test_labels_that_are_none_of_the_given_classes_are_told_with_the_nearest(tmp_path):
    text = "text,label\none,red|shoe\ntwo,red\nthree,shoe|redd\n"
    intake = taken_in(tmp_path, text, label_form=LabelForm(separator="|"), classes=("shoe", "red"))
    assert labels_of(intake) == {"one": "shoe|red", "two": "red"}
    message = intake.findings.set_index("code")["message"]["unknown_class"]
    assert message == "'redd' is none of the 2 classes. Did you mean 'red'?"


def test_a_column_for_each_label_is_read_as_sets(tmp_path):
    text = "text,red,shoe\none,1,0\ntwo,yes,TRUE\nthree,0,0\nfour,,\nfive,1,perhaps\n"
    intake = taken_in(tmp_path, text, label_form=LabelForm(columns=("shoe", "red")))
    assert labels_of(intake) == {"one": "red", "two": "shoe|red", "three": "(none)", "four": "no label"}
    message = intake.findings.set_index("code")["message"]["unreadable_labels"]
    assert message == "Expected 1 or 0 in column 'shoe', found 'perhaps'."
    with pytest.raises(DataError, match=r"no column 'rod' \(--label-columns\).* Did you mean 'red'\?"):
        taken_in(tmp_path, text, label_form=LabelForm(columns=("shoe", "rod")))


def test_a_folder_has_no_columns_of_labels(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.txt").write_text("one")
    with pytest.raises(DataError, match="is no table, so that it has no columns of labels"):
        take_in(
            IntakeSpec(data=tmp_path, label_form=LabelForm(columns=("cat",))), on_progress=ignore_progress
        )


def test_a_project_of_an_older_winnow_has_one_label_an_item(project):
    path = project.folder / INFO_FILE
    values = json.loads(path.read_text())
    del values["label_form"]
    path.write_text(json.dumps(values))
    assert Project.open(project.folder).info.label_form == LabelForm()


def test_validation_gets_its_share_of_every_label_and_copies_stay_together(tmp_path):
    rows = [(f"text {n // 2}", "rare|usual" if n % 20 < 2 else "usual") for n in range(200)]
    text = "text,label\n" + "".join(f"{words},{label}\n" for words, label in rows)
    items = taken_in(tmp_path, text, label_form=LabelForm(separator="|")).items
    rare = items[items["given_label"] == "rare|usual"]
    assert (rare["split"] == "val").sum() == 4
    assert (items.groupby("content_hash")["split"].nunique() == 1).all()


def test_an_item_counts_for_each_of_its_classes(set_project):
    counts = set_project.counts().set_index("label")
    assert list(counts.index) == ["cat", "dog", "fox", NONE_ROW, NO_LABEL_ROW]
    assert counts["train"].to_dict() == {"cat": 2, "dog": 3, "fox": 1, NONE_ROW: 1, NO_LABEL_ROW: 0}
    assert set_project.n_items() == {"train": 4, "val": 1, "test": 1, "unlabelled": 2}


def test_adding_and_removing_a_label_are_decisions_on_the_set(set_project, clock):
    store = set_project.decisions
    for label, verdict in (("fox|cat|dog", LABEL_WRONG), ("dog|cat", LABEL_RIGHT), ("(none)", LABEL_WRONG)):
        store.decide([Decision("a", LABEL_WRONG, label)], annotator=ADA, now=clock())
        assert store.states(["a"])["a"].verdict == verdict
    assert store.states(["a"])["a"].label == "(none)"
    store.undo(ADA, clock())
    assert store.states(["a"])["a"].label == "cat|dog"
    store.decide([Decision("u", LABELLED, "(none)")], annotator=ADA, now=clock())
    assert store.states(["u"])["u"].status == "added"


def test_a_label_with_a_class_that_is_none_is_refused_by_name(set_project, clock):
    with pytest.raises(DecisionError, match=r"unknown class 'cat\|hog'"):
        set_project.decisions.decide([Decision("a", LABEL_WRONG, "cat|hog")], annotator=ADA, now=clock())


def test_a_rename_and_a_merge_act_on_the_members_and_come_back_whole(set_project, clock):
    store = set_project.decisions
    store.decide([Decision("b", LABEL_WRONG, "dog|fox")], annotator=ADA, now=clock())
    apply(set_project, ClassEdit("rename", "cat", "kitten"), annotator=ADA, now=clock())
    assert store.states(["a"])["a"].label == "kitten|dog"
    apply(set_project, ClassEdit("merge", "fox", "dog"), annotator=ADA, now=clock())
    states = store.states(["b", "d"])
    assert states["b"].label == "dog"
    assert states["b"].verdict == LABEL_RIGHT
    assert states["d"].label == "kitten|dog"
    store.decide([Decision("d", LABEL_WRONG, "dog")], annotator=ADA, now=clock())
    undo_last(set_project, annotator=ADA, now=clock())
    states = store.states(["b", "d"])
    assert states["b"].label == "dog|fox"
    assert states["d"].label == "dog|fox"


def test_a_preview_of_a_merge_counts_members(set_project):
    found = preview(set_project, ClassEdit("merge", "fox", "dog"))
    assert found.given == {"train": 1, "test": 1}
    table = class_table(set_project).set_index("name")
    assert table["train"].to_dict() == {"cat": 2, "dog": 3, "fox": 1}


def test_a_class_that_a_set_names_cannot_be_taken_back(set_project, clock):
    apply(set_project, ClassEdit("add", "owl"), annotator=ADA, now=clock())
    set_project.decisions.decide([Decision("a", LABEL_WRONG, "cat|owl")], annotator=ADA, now=clock())
    with pytest.raises(ClassError, match="in use by decisions"):
        undo_last(set_project, annotator=ADA, now=clock())


def test_no_class_may_be_named_like_a_set(set_project, clock):
    for name in ("red|blue", "(none)"):
        with pytest.raises(ClassError, match="cannot be called"):
            apply(set_project, ClassEdit("add", name), annotator=ADA, now=clock())


def test_keys_of_sets_are_found_in_any_order():
    classes = ClassList.of_source(("cat", "dog"), label_kind_of("multi"))
    assert classes.current("dog|cat") == "cat|dog"
    assert classes.current("(none)") == "(none)"
    assert classes.current("cat|hog") is None


def test_labels_are_read_back_with_the_mark_of_the_source(make_project, tmp_path, clock):
    project = make_project(SET_ROWS, label_form=LabelForm(separator=";"))
    (tmp_path / "patch.csv").write_text("id,label\na,fox; dog\nb,fox|cat\nc,(none)\n")
    decisions = read_patch(project, tmp_path / "patch.csv")
    project.decisions.decide(decisions, annotator=ADA, now=clock())
    assert [project.decisions.states([item])[item].label for item in "abc"] == [
        "dog|fox",
        "cat|fox",
        "(none)",
    ]
    assert decision_on(project, "d", label="dog ;cat").label == "cat|dog"
    (tmp_path / "patch.csv").write_text("id,label\na,fox;hog\n")
    with pytest.raises(DecisionError, match="row 2: unknown class 'fox;hog'"):
        read_patch(project, tmp_path / "patch.csv")


def test_an_export_writes_sets_as_the_source_unless_a_name_has_the_mark_in_it(make_project, tmp_path, clock):
    project = make_project(SET_ROWS, label_form=LabelForm(separator=";"))
    export_curated(project, tmp_path / "one.csv")
    assert pd.read_csv(tmp_path / "one.csv")["label"][0] == "cat;dog"
    apply(project, ClassEdit("rename", "cat", "cat; any"), annotator=ADA, now=clock())
    export_curated(project, tmp_path / "two.csv")
    assert pd.read_csv(tmp_path / "two.csv")["label"][0] == "cat; any|dog"


def test_an_entry_of_the_codebook_is_about_classes_not_sets(set_project):
    assert read_entry(set_project, ["cat"]).labels == ("cat",)
    with pytest.raises(DecisionError, match=r"'cat\|dog' is no class"):
        read_entry(set_project, ["cat|dog"])


def test_what_stands_gets_new_sets_as_people_decide(set_project, clock):
    items = set_project.item_index
    rows = items.rows_of(items.ids.to_pylist()).astype("int32")
    following = StandingDecisions(set_project.decisions, rows, rows)
    before = following.now()
    assert list(before.labels.texts(before.of(rows).given)[:3]) == ["cat|dog", "dog", "(none)"]
    set_project.decisions.decide([Decision("c", LABEL_WRONG, "cat|fox")], annotator=ADA, now=clock())
    now = following.now()
    assert now.labels.texts(now.of(rows[2:3]).label).tolist() == ["cat|fox"]
    assert now.labels.names[: len(before.labels)] == before.labels.names
