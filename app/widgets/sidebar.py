"""The sidebar: which project, round and run this is, who decides, and what is being trained."""

import streamlit as st

from app import context
from app.widgets.jobs import watch_job
from app.widgets.page import escape
from curation.project import Project
from curation.rounds import current_round, dataset_version

N_SHOWN = 22  # characters for which the picker has room

_REMEMBER = """
export default function ({ data }) {
  const name = encodeURIComponent(data.name);
  document.cookie = `${data.cookie}=${name}; path=/; max-age=31536000; SameSite=Lax`;
}
"""


def sidebar(project: Project) -> None:
    """Draw it; the run picked and the name typed here are what `context` answers with."""
    with st.sidebar:
        with st.container(gap="xsmall"):
            st.markdown(f"**{escape(project.info.name)}**")
            version = dataset_version(project, None)
            st.caption(f"Round {current_round(project).number} · dataset version {version.number}")
        _run_picker()
        watch_job(project, compact=True)
        _who()


def _run_picker() -> None:
    runs = context.finished_runs()
    if not runs:
        st.caption("No finished run yet")
        return
    titles = {info.run_id: f"{info.name} · version {info.dataset_version['number']}" for info in runs}
    # The newest run is named below the picker, which would go on showing the name that it had before.
    titles = {context.NEWEST: "Newest"} | titles
    picked = st.selectbox(
        "Run shown",
        list(titles),
        format_func=titles.__getitem__,
        key=context.RUN_KEY,
        persist_state="session",
        help="Performance, Review and Export use the predictions of this run.",
    )
    name = runs[0].name if picked == context.NEWEST else titles[picked]
    if picked == context.NEWEST or len(name) > N_SHOWN:
        st.caption(escape(name))


def _who() -> None:
    st.text_input(
        "Deciding as",
        context.usual_name(),
        key=context.ANNOTATOR_KEY,
        max_chars=context.MAX_NAME,
        help="Kept with every decision; undo takes back your own. Remembered in this browser.",
    )
    _remember()(
        key="remember_annotator",
        data={"name": context.annotator(), "cookie": context.ANNOTATOR_COOKIE},
        height=1,
    )


@st.cache_resource
def _remember():  # type: ignore[no-untyped-def]
    return st.components.v2.component("winnow_remember", js=_REMEMBER)
