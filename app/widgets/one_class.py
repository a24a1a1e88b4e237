"""One class at a time: among equals the eye finds the odd one. The address holds which class, or that all are mixed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from app import context
from app.widgets.class_editor import class_editor
from app.widgets.page import escape
from curation.project import Project
from curation.queues import QueueQuery

MIXED = "mixed"
SAID_OTHERWISE = (MIXED, "given", "predicted", "pair", "like", "search", "verdict", "annotator")


def pick_class(query: QueueQuery, params: Mapping[str, Sequence[str]]) -> QueueQuery:
    """The query for the class with the most open suspects, unless the address says what is wanted."""
    if any(name in params for name in SAID_OTHERWISE):
        return query
    suspects = context.open_view(query).open_suspects()
    if not suspects:
        return query
    given = next(iter(suspects))
    st.query_params["given"] = given
    return replace(query, given=given)


def class_row(project: Project, query: QueueQuery) -> str:
    """Say which class is shown and how suspect it is; lead to the next one, or to all of them mixed.

    returns : the class that comes next, "" if there is none
    """
    suspects = context.open_view(query).open_suspects()
    if query.given is None:
        if suspects and query.pair is None:
            _mixed_row(project)
        return ""
    n_items = context.open_view(query).counts()["given"].get(query.given, 0)
    following = _following(query.given, suspects)
    with st.container(key="class_row", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"**{escape(query.given)}**: {suspects.get(query.given, 0):,} of {n_items:,} labels suspect and open",
            width="content",
        )
        if following:
            st.button(
                f"Next: {escape(following)} ({suspects[following]:,})",
                key="next_class",
                icon=":material/arrow_forward:",
                on_click=show_class,
                args=(following,),
            )
        st.button("Mix all", key="mix_classes", type="tertiary", on_click=_go, args=({MIXED: "1"},))
        class_editor(project)
    return following


def show_class(given: str) -> None:
    """Show a class from its first page on."""
    _go({"given": given})


def _mixed_row(project: Project) -> None:
    with st.container(key="class_row", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("All classes mixed, the most suspect items first", width="content")
        st.button("One class at a time", key="one_class", type="tertiary", on_click=_go, args=({},))
        class_editor(project)


def _following(given: str, suspects: Mapping[str, int]) -> str:
    """The next class in the order of suspects, the first again after the last; "" if there is no other."""
    names = [name for name in suspects if name != given]
    later = list(suspects)[list(suspects).index(given) + 1 :] if given in suspects else []
    return next(iter([*later, *names]), "")


def _go(params: Mapping[str, str]) -> None:
    for name in ("given", MIXED, "page"):
        st.query_params.pop(name, None)
    st.query_params.update(params)
