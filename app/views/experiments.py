"""Experiments: ask a question about the data, see what the answer costs, train, and read it with error bars."""

import streamlit as st

from app import context
from app.widgets.class_caps import caps_in_force
from app.widgets.experiment_options import experiment_options
from app.widgets.experiment_result import experiment_card, unreadable_card
from app.widgets.jobs import ENDED_BADLY, job_log, job_problem, running_job, watch_job
from app.widgets.page import empty_state, escape, heading
from curation.experiments import experiment_cost, find_experiments, start_experiment
from curation.jobs import EXPERIMENT, latest_job
from curation.project import Project
from diagnostics.errors import WinnowError
from diagnostics.experiments import EXPERIMENTS

OF_A_CLASS = "class-cap"  # what a link that names a class asks for


def show() -> None:
    """The page."""
    project = context.current_project()
    heading(
        "Experiments",
        "A question about the data, answered by training several times: what is chance, and what would help.",
    )
    if context.newest_run_id() is None:
        empty_state(
            "Train once first: experiments train as that run did, and say by its speed what they cost.",
            page="train",
            action="Go to Train",
            icon=":material/model_training:",
        )
        return
    if running_job(project) is None:
        _last_problem(project)
        _start(project)
    watch_job(project, compact=False)
    caps_in_force(project)
    found = find_experiments(project)
    st.subheader("Results", anchor=False)
    if not found.made:
        st.caption(
            "Results appear here, newest first. Begin with Seeds: it says how much of a difference is chance."
        )
    for experiment_id, problem in found.problems.items():
        unreadable_card(project, experiment_id, problem)
    for experiment in found.made:
        experiment_card(project, experiment)


def _last_problem(project: Project) -> None:
    last = latest_job(project, now=context.now())
    if last is not None and last.verb == EXPERIMENT and last.state in ENDED_BADLY:
        job_problem(project, last)
        job_log(project, last)


def _start(project: Project) -> None:
    asked_class = st.query_params.get("class")
    with st.container(border=True):
        name = st.segmented_control(
            "Experiment",
            list(EXPERIMENTS),
            format_func=lambda each: EXPERIMENTS[each].title,
            default=OF_A_CLASS if asked_class else next(iter(EXPERIMENTS)),
            required=True,
            label_visibility="collapsed",
        )
        spec = EXPERIMENTS[str(name)]
        st.markdown(escape(spec.sentence))
        try:
            options = experiment_options(spec, project.classes.names, asked_class=asked_class)
            cost = experiment_cost(project, spec.name, options)
        except WinnowError as error:
            st.warning(escape(str(error)), icon=":material/warning:")
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                f"Start {spec.title.lower()}",
                type="primary",
                icon=":material/play_arrow:",
                on_click=_begin,
                args=(project, spec.name, options),
            )
            st.caption(f"Cost: {escape(str(cost))}")


@context.telling
def _begin(project: Project, name: str, options: dict[str, object]) -> None:
    start_experiment(project, name, options, now=context.now())


if __name__ == "__main__":
    show()
