"""Validation against the gold test set, shown when a person asks for it: it is a look at test."""

import streamlit as st

from app import context
from app.figures import agreement_figure
from app.widgets.page import interval_text, prose
from app.widgets.test_looks import looks_line
from curation.agreement import ProjectAgreement, validation_against_test
from curation.project import Project
from curation.test_looks import note_look
from diagnostics.metric_names import METRICS
from diagnostics.metrics import Estimate

SHOWN_KEY, PLACE = "agreement_shown", "agreement"


def alarm_box() -> None:
    """Says so if validation rose and test did not; nothing else."""
    alarm = context.validation_alarm_now()
    if alarm is not None:
        st.error(
            f"**Validation rises and test does not.** {prose(alarm.text)}", icon=":material/notifications:"
        )


def agreement_section(project: Project) -> None:
    """Behind a button how both moved over the full runs."""
    st.subheader("Validation against test", anchor=False)
    run_ids = [info.run_id for info in context.finished_runs() if info.quick is None]
    if st.session_state.get(SHOWN_KEY) != run_ids:
        st.caption(
            "Do both move together over all full runs? To see it is a look at the test set, and is counted "
            "as one. An alarm at the top of this page watches without being asked: it sounds when "
            "validation rises and test does not."
        )
        st.button(
            "Compare with test",
            icon=":material/visibility:",
            on_click=_show,
            args=(project, run_ids),
            disabled=not run_ids,
        )
        return
    looks_line(project)
    _agreement(validation_against_test(project))


@context.telling
def _show(project: Project, run_ids: list[str]) -> None:
    note_look(project, run_ids, place=PLACE, annotator=context.annotator(), now=context.now())
    st.session_state[SHOWN_KEY] = run_ids


def _agreement(found: ProjectAgreement) -> None:
    st.markdown(prose(found.verdict))
    if found.runs.empty:
        st.caption("No full run has predictions for labelled items of both validation and test.")
        return
    for column, (metric, of_metric) in zip(
        st.columns(len(found.metrics)), found.metrics.items(), strict=True
    ):
        title = METRICS[metric].title
        with column:
            st.plotly_chart(
                agreement_figure(found.runs, metric, title),
                config={"displayModeBar": False},
                key=f"agreement_{metric}",
                alt=f"{title} of every full run on validation and on test",
            )
            if of_metric.enough:
                _numbers(of_metric.same_way, of_metric.rank_correlation, of_metric.gap_trend)


def _numbers(same_way: Estimate, rank_correlation: Estimate, gap_trend: Estimate) -> None:
    st.caption(
        f"Steps in the same direction: {_estimate(same_way)} · Kendall's rank correlation: "
        f"{_estimate(rank_correlation)} · validation minus test changes by {_points(gap_trend.value)} points "
        f"a run ({_points(gap_trend.low)} to {_points(gap_trend.high)}). Intervals are 95 %."
    )


def _points(value: float) -> str:
    """
    >>> _points(-0.0111), _points(-1e-9)
    ('-1.1', '+0.0')
    """
    return f"{round(100 * value, 1) + 0.0:+.1f}"


def _estimate(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} ({interval_text(estimate.low, estimate.high)})"
