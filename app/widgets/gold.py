"""The lock on the gold test set: looked at freely, changed only after it was opened with a reason."""

import streamlit as st

from app import context
from app.widgets.page import table_height
from curation.project import Project


def gold_banner(project: Project) -> bool:
    """Say whether test items can be decided on and let a person change that; returns whether they are locked."""
    locked = not project.decisions.test_unlocked()
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if locked:
            st.markdown(
                ":material/lock: **The test set is locked.** It is the gold standard that runs are measured on: look, "
                "but change nothing unless a label is beyond doubt wrong."
            )
            with st.popover("Unlock …"):
                _unlock_form(project)
        else:
            st.markdown(
                ":material/lock_open: **The test set is open.** Decisions here change what every run is measured on; "
                "each is logged with its person and time."
            )
            st.button("Lock again", on_click=_lock, args=(project,))
        _log(project)
    return locked


def _log(project: Project) -> None:
    """Who opened and locked it, and why; nothing as long as nobody did."""
    log = project.decisions.test_log()
    if log.empty:
        return
    with st.popover("Log", icon=":material/history:", type="tertiary"):
        st.dataframe(
            log.assign(unlocked=log["unlocked"].map({True: "Unlocked", False: "Locked"})),
            hide_index=True,
            height=table_height(len(log)),
            column_config={
                "at": st.column_config.DatetimeColumn("When (UTC)", format="YYYY-MM-DD HH:mm"),
                "unlocked": "What",
                "annotator": "Who",
                "reason": st.column_config.TextColumn("Why", width="large"),
            },
        )


def _unlock_form(project: Project) -> None:
    with st.form("unlock_test", border=False):
        reason = st.text_input(
            "Why must it change?", key="unlock_reason", max_chars=500, help="Kept in the log with your name."
        )
        if st.form_submit_button("Unlock the test set", type="primary"):
            if reason.strip():
                project.decisions.unlock_test(context.annotator(), reason.strip(), context.now())
                st.rerun()
            st.error("Say why: the reason is kept in the log.")


@context.telling
def _lock(project: Project) -> None:
    project.decisions.lock_test(context.annotator(), context.now())
