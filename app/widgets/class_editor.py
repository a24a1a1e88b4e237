"""The classes of a project in a popover: how often each occurs; add, rename and merge them after a preview."""

from typing import Any, Literal

import streamlit as st

from app import context
from app.widgets.page import SPLIT_NAMES, prose, table_height
from curation.class_list import ADD, MAX_NAME, MERGE, RENAME, ClassChange, ClassEdit, ClassList
from curation.classes import apply, class_table, described, last_change, preview, undo_last
from curation.project import Project
from diagnostics.errors import ClassError
from diagnostics.task import SPLITS

OPEN_KEY, KIND_KEY = "classes_open", "classes_kind"
CLASS_KEY, INTO_KEY, NAME_KEY = "classes_which", "classes_into", "classes_name"
KINDS: dict[Literal["add", "rename", "merge"], tuple[str, str]] = {
    RENAME: ("Rename", ":material/edit:"),
    MERGE: ("Merge", ":material/merge:"),
    ADD: ("Add", ":material/add:"),
}


def class_editor(project: Project) -> None:
    """Draw it; what is confirmed in it is in force at once, here and in every other page and process."""
    popover = st.popover("Edit classes", key=OPEN_KEY, icon=":material/sell:", on_change="rerun")
    if not popover.open:
        return
    with popover:
        _classes(project)
        st.segmented_control(
            "What to do",
            list(KINDS),
            default=RENAME,
            format_func=lambda kind: KINDS[kind][0],
            key=KIND_KEY,
            label_visibility="collapsed",
        )
        _inputs(project.classes)
        edit = _asked()
        complete = bool(edit.name if edit.kind == ADD else edit.to)
        possible = complete and _previewed(project, edit)
        last = last_change(project)
        with st.container(horizontal=True):
            _confirm_button(project, edit, disabled=not possible)
            _undo_button(project, last)
        if last is not None:
            made = f"{last.annotator}, {last.at:%Y-%m-%d %H:%M} UTC"
            st.caption(prose(f"Last change: {described(project, last)} – {made}"))


def _classes(project: Project) -> None:
    table = class_table(project)
    shown = [split for split in SPLITS if table[split].any()]
    config = st.column_config
    counts: dict[str, Any] = {
        split: config.NumberColumn(SPLIT_NAMES[split], format="localized") for split in shown
    }
    st.dataframe(
        table[["name", *shown, "decisions"]],
        hide_index=True,
        height=table_height(len(table)),
        column_config={
            "name": "Class",
            **counts,
            "decisions": config.NumberColumn("Decisions", help="Decisions that stand and say this class."),
        },
    )
    st.caption("Items by their label as of now.")


def _inputs(classes: ClassList) -> None:
    """The fields that the picked kind of change needs; `_asked` reads them."""
    kind = _kind()
    if kind != ADD:
        _select("Class" if kind == RENAME else "Merge this class", classes, list(classes.names), CLASS_KEY)
    if kind == MERGE:
        others = [name for name in classes.names if name != st.session_state[CLASS_KEY]]
        _select("into", classes, others, INTO_KEY)
    else:
        st.text_input(
            "New name" if kind == RENAME else "Name of the new class", key=NAME_KEY, max_chars=MAX_NAME
        )


def _select(title: str, classes: ClassList, names: list[str], key: str) -> None:
    """A class to pick; one that was renamed or merged since it was picked is followed to what it is now."""
    picked = classes.current(str(st.session_state.get(key)))
    st.session_state[key] = picked if picked in names else names[0]
    st.selectbox(title, names, key=key)


def _kind() -> Literal["add", "rename", "merge"]:
    kind: Literal["add", "rename", "merge"] = st.session_state.get(KIND_KEY) or RENAME
    return kind


def _asked() -> ClassEdit:
    """The change that the fields say, as they are now."""
    kind, state = _kind(), st.session_state
    name = str(state.get(NAME_KEY) or "").strip()
    if kind == ADD:
        return ClassEdit(ADD, name)
    return ClassEdit(kind, str(state.get(CLASS_KEY) or ""), name if kind == RENAME else state.get(INTO_KEY))


def _confirm_button(project: Project, edit: ClassEdit, *, disabled: bool) -> None:
    title, icon = KINDS[edit.kind]
    st.button(
        f"{title} class",
        key="classes_confirm",
        type="primary",
        icon=icon,
        on_click=_apply,
        args=(project, edit),
        disabled=disabled,
    )


def _previewed(project: Project, edit: ClassEdit) -> bool:
    """Say what the change does, or why it cannot be made; returns whether it can."""
    try:
        st.info(prose(str(preview(project, edit))))
    except ClassError as error:
        st.warning(prose(str(error)))
        return False
    return True


@context.telling
def _apply(project: Project, edit: ClassEdit) -> None:
    if _asked() != edit:
        raise ClassError(
            "The fields were changed after the preview, so nothing was done. Look again and confirm."
        )
    apply(project, edit, annotator=context.annotator(), now=context.now())
    st.session_state[NAME_KEY] = ""
    st.toast(prose(f"Done: {edit}."))


def _undo_button(project: Project, last: ClassChange | None) -> None:
    st.button(
        "Undo last change",
        key="classes_undo",
        icon=":material/undo:",
        on_click=_take_back,
        args=(project, last),
        disabled=last is None,
    )


@context.telling
def _take_back(project: Project, last: ClassChange) -> None:
    undo_last(project, annotator=context.annotator(), now=context.now(), expected=last.number)
    st.toast(prose(f"Taken back: {described(project, last)}."))
