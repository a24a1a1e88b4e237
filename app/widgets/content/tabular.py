"""The columns of the table: what each holds, and which of them models read as what, to be changed in place."""

import streamlit as st

from app import context
from app.widgets.page import escape, table_height
from curation.features import KINDS, edit_features
from curation.project import Project

EDITOR_KEY, N_EDITS_KEY = "features", "features_edits"
MEANINGS = "continuous = a number, categorical = one of several names, date = its parts, ignored = models do not see it"


def tabular_section(project: Project) -> None:
    """Draw it; a change is kept at once, and the next training uses it."""
    st.subheader("Columns", anchor=False)
    st.caption(
        "What models read of each row. Change a kind in its cell: the next training uses it; what was trained before "
        "stays as it is."
    )
    table = context.feature_table_now()
    key = f"{EDITOR_KEY}-{st.session_state.get(N_EDITS_KEY, 0)}"
    config = st.column_config
    st.data_editor(
        table[["name", "kind", "values", "n_missing", "n_distinct", "why"]],
        key=key,
        hide_index=True,
        height=table_height(len(table)),
        disabled=["name", "values", "n_missing", "n_distinct", "why"],
        on_change=_change,
        args=(project, key, table["name"].tolist()),
        column_config={
            "name": "Column",
            "kind": config.SelectboxColumn("Kind", options=list(KINDS), required=True, help=MEANINGS),
            "values": config.TextColumn("Values", width="medium"),
            "n_missing": config.NumberColumn("Missing", format="localized"),
            "n_distinct": config.NumberColumn("Different values", format="localized"),
            "why": config.TextColumn("Why it was ignored", width="medium"),
        },
    )
    edited = table[table["kind"] != table["guessed"]]
    if len(edited):
        told = ", ".join(edited["name"] + " (" + edited["guessed"] + ")")
        st.caption(f"Changed by hand, with what it was taken in as: {escape(told)}.")


@context.telling
def _change(project: Project, key: str, names: list[str]) -> None:
    changes = st.session_state[key]["edited_rows"]
    st.session_state[N_EDITS_KEY] = st.session_state.get(N_EDITS_KEY, 0) + 1  # so that the editor begins anew
    kinds = {names[row]: change["kind"] for row, change in changes.items() if "kind" in change}
    edit_features(project.folder, project.items, kinds)
    st.toast("Kept. The next training uses it.")
