"""What each group of edits bought: on the Rounds page, from an experiment that is started here."""

import streamlit as st

from app import context
from app.figures import edits_figure
from app.widgets.jobs import running_job
from app.widgets.page import escape, prose
from curation.edits_overview import EDITS, EditsOverview, edits_overview
from curation.experiments import start_experiment
from curation.project import Project
from diagnostics.experiments.frame import FULL, QUICK, Cost


def edit_groups(project: Project) -> None:
    """Count the edits, show what the newest experiment says of them, offer to ask."""
    st.subheader("What each group of edits bought", anchor=False)
    found = edits_overview(project)
    if found.edits.table.empty:
        st.caption(f"{prose(found.text)} Decide on train items in Review and close the round.")
        return
    st.caption(prose(found.text))
    if context.newest_run_id() is None:
        st.caption("Train once first: what they bought is told by heads on the features of a run.")
        return
    if found.problem:
        st.warning(prose(found.problem), icon=":material/warning:")
    if found.experiment is not None:
        _result(found)
    if running_job(project) is not None:
        st.caption("Something is being trained: wait until it is finished to ask again.")
        return
    if found.experiment is None or not found.is_current:
        _ask(project, "Estimate what each group bought", found.cost, full=False)
    elif not found.experiment.info.options["full"]:
        _ask(project, "Confirm the largest by full training", found.confirm_cost, full=True)


def _result(found: EditsOverview) -> None:
    if found.experiment is None:
        return
    info, table = found.experiment.info, found.experiment.table
    st.markdown(f"**{prose(info.verdict)}** {prose(info.why)}")
    if not found.is_current:
        st.caption(
            f"That was on dataset version {info.dataset_version['number']}, under the classes and caps of then; there "
            "is a newer one."
        )
    for way, words in (
        (QUICK, "Quick estimate, heads on features"),
        (FULL, "Whole models, the largest group alone"),
    ):
        rows = table[table["way"] == way]
        if rows.empty:
            continue
        st.caption(f"{words}.")
        st.plotly_chart(
            edits_figure(rows),
            config={"displayModeBar": False},
            key=f"edits_{way}",
            alt="Difference of macro F1 with and without each group of edits",
        )
    if info.agreement:
        st.caption(prose(info.agreement))
    st.caption("Each group on top of all others. All numbers and notes stand on the Experiments page.")


def _ask(project: Project, title: str, cost: Cost | None, *, full: bool) -> None:
    if cost is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(title, key="ask_edits", icon=":material/play_arrow:", on_click=_start, args=(project, full))
        st.caption(f"Cost: {escape(str(cost))}")


@context.telling
def _start(project: Project, full: bool) -> None:
    start_experiment(project, EDITS, {"full": full}, now=context.now())
