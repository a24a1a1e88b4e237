"""One class at a time: among equals the eye finds the odd one. The address holds which class, or that all are mixed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

import streamlit as st

from app import context
from app.widgets.class_editor import class_editor
from app.widgets.page import escape
from curation.project import Project
from curation.queues import CLASS_FILTERS, QueueQuery
from curation.quick_rounds import event_of

MIXED = "mixed"
OPEN: Final[Literal["open"]] = "open"
SAID_OTHERWISE = (MIXED, *CLASS_FILTERS, "pair", "search", "verdict", "annotator")
OF_A_CLASS = ("given", "given_with", "suspect_label")


def pick_class(project: Project, query: QueueQuery, params: Mapping[str, Sequence[str]]) -> QueueQuery:
    """The query for the class with the most open suspects, unless the address says what is wanted; of what is still to
    be decided, once a run has learned from decisions: it would show what was confirmed before anything else."""
    if any(name in params for name in SAID_OTHERWISE):
        return query
    mixed = context.open_view(query)
    first = next(iter(mixed.open_suspects()), None)
    if first is None:
        return query
    st.query_params[project.label_kind.class_filter] = first
    picked = mixed.query_of_class(first)
    if "decided" in params or event_of(mixed.table.run.info) == 0:
        return picked
    st.query_params["decided"] = OPEN
    return replace(picked, decided=OPEN)


def class_row(project: Project, query: QueueQuery) -> str:
    """Say which class is shown and how suspect it is; lead to the next one, or to all of them mixed.

    returns : the class that comes next, "" if there is none
    """
    queue = context.open_view(query)
    shown, suspects = queue.shown_class, queue.open_suspects()
    if shown is None:
        if suspects and query.pair is None and query.given is None:
            _mixed_row(project, query)
        return ""
    following = _following(shown, suspects)
    with st.container(key="class_row", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{escape(shown)}**: {queue.class_text(shown)}", width="content")
        if following:
            st.button(
                f"Next: {escape(following)} ({suspects[following]:,})",
                key="next_class",
                icon=":material/arrow_forward:",
                on_click=show_class,
                args=(project, following),
            )
        st.button("Mix all", key="mix_classes", type="tertiary", on_click=_go, args=({MIXED: "1"},))
        class_editor(project)
    return following


def show_class(project: Project, name: str) -> None:
    """Show a class from its first page on."""
    _go({project.label_kind.class_filter: name})


def _mixed_row(project: Project, query: QueueQuery) -> None:
    shown = f"Predicted as **{escape(query.predicted)}**" if query.predicted else "All classes mixed"
    with st.container(key="class_row", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{shown}, the most suspect items first", width="content")
        st.button("One class at a time", key="one_class", type="tertiary", on_click=_go, args=({},))
        class_editor(project)


def _following(shown: str, suspects: Mapping[str, int]) -> str:
    """The next class in the order of suspects, the first again after the last; "" if there is no other."""
    names = [name for name in suspects if name != shown]
    later = list(suspects)[list(suspects).index(shown) + 1 :] if shown in suspects else []
    return next(iter([*later, *names]), "")


def _go(params: Mapping[str, str]) -> None:
    for name in (*OF_A_CLASS, MIXED, "page"):
        st.query_params.pop(name, None)
    st.query_params.update(params)
