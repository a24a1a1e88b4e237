"""The classes of a project in a popover: how often each occurs; add, rename and merge them after a preview."""

from typing import Any, Literal

import streamlit as st

from app import context
from app.widgets.page import SPLIT_NAMES, escape, table_height
from curation.class_list import ADD, MAX_NAME, MERGE, RENAME, ClassChange, ClassEdit
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
        _inputs(list(project.classes.names))
        _confirm(project)
        _undo(project)


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


def _inputs(names: list[str]) -> None:
    """The fields that the picked kind of change needs; `_asked` reads them."""
    kind = _kind()
    if kind != ADD:
        _select("Class" if kind == RENAME else "Merge this class", names, CLASS_KEY)
    if kind == MERGE:
        _select("into", [name for name in names if name != st.session_state[CLASS_KEY]], INTO_KEY)
    else:
        st.text_input(
            "New name" if kind == RENAME else "Name of the new class", key=NAME_KEY, max_chars=MAX_NAME
        )


def _select(title: str, names: list[str], key: str) -> None:
    if st.session_state.get(key) not in names:
        st.session_state.pop(key, None)
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
    return ClassEdit(kind, str(state[CLASS_KEY]), name if kind == RENAME else state.get(INTO_KEY))


def _confirm(project: Project) -> None:
    edit = _asked()
    complete = bool(edit.name if edit.kind == ADD else edit.to)
    possible = complete and _previewed(project, edit)
    title, icon = KINDS[edit.kind]
    st.button(
        f"{title} class",
        key="classes_confirm",
        type="primary",
        icon=icon,
        on_click=_apply,
        args=(project, edit),
        disabled=not possible,
    )


def _previewed(project: Project, edit: ClassEdit) -> bool:
    """Say what the change does, or why it cannot be made; returns whether it can."""
    try:
        st.info(escape(str(preview(project, edit))))
    except ClassError as error:
        st.warning(escape(str(error)))
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
    st.toast(escape(f"Done: {edit}."))


def _undo(project: Project) -> None:
    last = last_change(project)
    st.button(
        "Undo last change",
        key="classes_undo",
        icon=":material/undo:",
        on_click=_take_back,
        args=(project, last),
        disabled=last is None,
    )
    if last is not None:
        st.caption(escape(f"{described(project, last)} – {last.annotator}, {last.at:%Y-%m-%d %H:%M} UTC"))


@context.telling
def _take_back(project: Project, last: ClassChange) -> None:
    undo_last(project, annotator=context.annotator(), now=context.now(), expected=last.number)
    st.toast(escape(f"Taken back: {described(project, last)}."))
