"""The caps in force: which classes are trained on with fewer items, why, and the way back."""

import streamlit as st

from app import context
from app.widgets.page import escape, prose
from curation.class_caps import cap_table, described, last_cap_change, lift_cap, undo_cap
from curation.project import Project
from curation.rounds import training_items, version_now


def caps_in_force(project: Project) -> None:
    """Draw them, with a button to lift each and one to take back the last change; nothing if there are none."""
    last = last_cap_change(project)
    if last is None:
        return
    table = cap_table(project, training_items(project, version_now(project)))
    with st.container(border=True):
        st.markdown("**Caps on classes**")
        if table.empty:
            st.caption("None is in force.")
        elif project.label_kind.cap_note:
            st.caption(project.label_kind.cap_note)
        for row in table.to_dict("records"):
            left, right = st.columns([6, 1], vertical_alignment="center")
            reason = f" · {escape(row['reason'])}" if row["reason"] else ""
            n_others = row["other_labels"]
            others = f", and with them {n_others:,} labels of other classes" if n_others else ""
            left.markdown(
                f"{escape(row['class'])}: at most {row['keep']:,} of {row['items']:,} train items are trained on; "
                f"{row['held_back']:,} are only predicted{others}{reason} · {escape(row['annotator'])}"
            )
            right.button(
                "Lift",
                key=f"lift_{row['class']}",
                on_click=_lift,
                args=(project, row["class"]),
                width="stretch",
            )
        st.button(
            f"Take back: {prose(described(project, last))}",
            key="undo_cap",
            icon=":material/undo:",
            on_click=_undo,
            args=(project, last.number),
        )


@context.telling
def _lift(project: Project, name: str) -> None:
    lift_cap(project, name, annotator=context.annotator(), now=context.now())


@context.telling
def _undo(project: Project, number: int) -> None:
    undo_cap(project, annotator=context.annotator(), now=context.now(), expected=number)
