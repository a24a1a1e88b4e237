"""The class editor, as a visitor of the Data page uses it."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import app
from app import context
from app.widgets.page import prose
from curation.class_list import ClassEdit
from curation.classes import apply
from curation.decisions.events import Decision
from curation.project import Project

MAIN = Path(app.__file__).with_name("main.py")


def opened() -> AppTest:
    at = AppTest.from_file(str(MAIN), default_timeout=30)
    at.session_state["classes_open"] = True
    return at.run()


def pick(at, kind):
    return at.segmented_control(key="classes_kind").set_value(kind).run()


def said(at):
    return " ".join(str(element.value) for kind in (at.info, at.warning, at.caption) for element in kind)


def confirm(at):
    return at.button(key="classes_confirm")


def change(project, *what):
    return apply(project, ClassEdit(*what), annotator="bob", now=context.now())


def test_the_editor_is_drawn_only_when_it_is_open(project):
    at = AppTest.from_file(str(MAIN), default_timeout=30).run()
    assert not at.exception
    assert not [field for field in at.text_input if field.key == "classes_name"]


def test_a_rename_is_previewed_with_counts_and_then_done(project):
    item_id = project.items.query("split == 'train' and given_label == 'blue'")["item_id"].iloc[0]
    project.decisions.decide([Decision(item_id, "label_wrong", "red")], annotator="ada", now=context.now())
    at = opened()
    assert confirm(at).disabled
    at.selectbox(key="classes_which").set_value("red").run()
    at.text_input(key="classes_name").set_value("crimson").run()
    wanted = (
        "14 items are labelled `red` (train 7, val 4, test 3), 1 decision names it; they become `crimson`."
    )
    assert prose(wanted) in said(at)
    assert project.task.classes == ("blue", "green", "red")
    confirm(at).click().run()
    assert not at.exception
    assert project.task.classes == ("blue", "green", "crimson")
    assert at.text_input(key="classes_name").value == ""
    assert at.selectbox(key="classes_which").value == "crimson"
    assert prose("rename `red` to `crimson` – ada") in said(at)
    assert "crimson" in at.dataframe[0].value["name"].tolist()


def test_a_merge_leaves_one_class(project):
    at = pick(opened(), "merge")
    at.selectbox(key="classes_which").set_value("green").run()
    at.selectbox(key="classes_into").set_value("red").run()
    assert "which then has 26" in said(at)
    confirm(at).click().run()
    assert not at.exception
    assert project.task.classes == ("blue", "red")
    assert (at.selectbox(key="classes_which").value, at.selectbox(key="classes_into").value) == (
        "red",
        "blue",
    )


def test_a_merge_of_the_last_two_says_why_not(project):
    change(project, "merge", "blue", "red")
    at = pick(opened(), "merge")
    assert "only 2 classes" in at.warning[0].value
    assert confirm(at).disabled


def test_an_added_class_can_be_taken_back(project):
    at = pick(opened(), "add")
    at.text_input(key="classes_name").set_value("violet").run()
    confirm(at).click().run()
    assert project.task.classes == ("blue", "green", "red", "violet")
    at.button(key="classes_undo").click().run()
    assert not at.exception
    assert project.task.classes == ("blue", "green", "red")
    assert at.button(key="classes_undo").disabled


def test_a_name_that_is_taken_is_refused_before_anything_happens(project):
    at = pick(opened(), "add")
    at.text_input(key="classes_name").set_value("RED").run()
    assert prose("`RED` differs from the class `red` only by case or blanks") in at.warning[0].value
    assert confirm(at).disabled


def test_a_field_that_changes_after_the_preview_is_not_confirmed_unseen(project):
    at = pick(opened(), "add")
    at.text_input(key="classes_name").set_value("violet").run()
    at.text_input(key="classes_name").set_value("violent")
    confirm(at).click().run()
    assert "changed after the preview" in at.error[0].value
    assert project.task.classes == ("blue", "green", "red")
    confirm(at).click().run()
    assert project.task.classes[-1] == "violent"


def test_an_undo_of_a_change_that_somebody_else_made_since_is_refused(project):
    change(project, "rename", "red", "crimson")
    at = opened()
    change(Project.open(project.folder), "rename", "blue", "navy")
    at.button(key="classes_undo").click().run()
    assert "changed the classes since" in at.error[0].value
    assert project.task.classes == ("navy", "green", "crimson")


NAMES = [
    "<img src=x onerror=alert(1)>",
    "<script>alert('1')</script>",
    "**bold** :red[red] $x$ `code` | [a](b)",
    "\"double\" 'single' \\ back",
    "👩‍🚀🏳️‍🌈",
    "חתול שחור",
    "قطة",
    "x" * 200,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_strange_name_is_shown_as_it_is_on_every_page(project, name):
    change(project, "rename", "red", name)
    at = opened()
    assert not at.exception
    assert name in at.dataframe[0].value["name"].tolist()
    assert name in at.selectbox(key="classes_which").options
    at.selectbox(key="classes_which").set_value(name).run()
    at.text_input(key="classes_name").set_value("plain").run()
    assert prose(f"labelled `{name}`") in said(at)
    for page in ("performance", "review", "rounds", "export", "train"):
        at = at.switch_page(f"views/{page}.py").run()
        assert not at.exception
        assert not at.error


def test_html_in_a_name_never_reaches_a_page_as_html(project):
    change(project, "rename", "red", NAMES[0])
    at = opened()
    for page in (None, "performance", "review"):
        if page is not None:
            at = at.switch_page(f"views/{page}.py").run()
        for element in (*at.markdown, *at.caption, *at.info, *at.warning):
            assert NAMES[0] not in element.value
