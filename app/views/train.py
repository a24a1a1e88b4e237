"""Train: start a run, watch it, stop it, take it up again, and look at how training went."""

import streamlit as st

from app import context
from app.figures import loss_curves_figure, lr_finder_figure
from app.widgets.import_predictions import import_section
from app.widgets.jobs import (
    ENDED_BADLY,
    job_log,
    job_problem,
    log_tail,
    running_job,
    watch_job,
)
from app.widgets.page import heading
from app.widgets.run_list import run_list
from app.widgets.train_options import seeds_field, train_options
from app.widgets.training_check import training_check
from curation.jobs import TRAIN, latest_job, start_job, start_quick_round
from curation.project import Project
from curation.rounds import close_round, current_round, dataset_version
from curation.runs import read_run
from diagnostics.modalities import has_own_features
from diagnostics.run_folder import LOG_FILE, Run
from diagnostics.training.config import TrainConfig


def show() -> None:
    """The page."""
    project = context.current_project()
    heading("Train", "Train on the current dataset version, predict every item, and score every label.")
    if running_job(project) is None:
        _start(project)
    import_section(project)
    watch_job(project, compact=False)
    job = latest_job(project, now=context.now())
    if job is not None and job.verb == TRAIN and job.state != "done":
        job_log(project, job)
    run_list(project)
    run_id = context.current_run_id()
    if run_id is None:
        st.caption("Loss curves and the list of runs appear here once the first run has finished.")
        return
    run = read_run(project, run_id)
    training_check(project, run_id)
    _curves(project, run)
    with st.expander(f"Log of {run_id}", icon=":material/article:"):
        text = log_tail(run.folder / LOG_FILE)
        st.code(text or "This run wrote no log.", language=None, wrap_lines=True)


def _start(project: Project) -> None:
    last = latest_job(project, now=context.now())
    if last is not None and last.verb == TRAIN and last.state in ENDED_BADLY:
        job_problem(project, last)
    n_open = context.n_open_decisions()
    with st.container(border=True):
        if n_open:
            st.info(
                f"{n_open:,} decisions of round {current_round(project).number} are not in the next run until the "
                "round is closed: a run trains on the version that the last closed round fixed.",
                icon=":material/info:",
            )
        with st.expander("Options", icon=":material/tune:", key="train_options"):
            options = train_options(project.info.modality, project.info.label_kind)
            n_seeds = seeds_field()
        config = TrainConfig.from_json(options)
        title = f"Train {config.folds} folds" if config.folds else "Train one model"
        if n_seeds > 1:
            title += f", {n_seeds} times"
            options["seeds"] = n_seeds
        with st.container(horizontal=True):
            if n_open:
                _start_button(
                    project, options, f"Close round and {title[0].lower()}{title[1:]}", closing=True
                )
            _start_button(project, options, title if not n_open else f"{title} without them", closing=False)
            if context.newest_run_id() is not None or has_own_features(project.info.modality):
                st.button(
                    "Quick round",
                    icon=":material/bolt:",
                    help="Trains only a linear model, on the items' own features or on what the last full run knows of "
                    "them, with the decisions up to now. Takes seconds; a full training confirms it.",
                    on_click=_begin_quick,
                    args=(project,),
                )
        version = dataset_version(project, None)
        st.caption(
            f"Trains on dataset version {version.number}, in the background; closing the browser does not stop it."
        )


def _start_button(project: Project, options: dict[str, object], title: str, *, closing: bool) -> None:
    primary = closing or not context.n_open_decisions()
    st.button(
        title,
        key="close_and_train" if closing else "train",
        type="primary" if primary else "secondary",
        icon=":material/play_arrow:",
        on_click=_begin,
        args=(project, options, closing),
    )


@context.telling
def _begin(project: Project, options: dict[str, object], closing: bool) -> None:
    if closing:
        close_round(project, annotator=context.annotator(), now=context.now())
    start_job(project, "train", train_arguments(project, options), now=context.now())


@context.telling
def _begin_quick(project: Project) -> None:
    start_quick_round(project, now=context.now())


def train_arguments(project: Project, options: dict[str, object]) -> list[str]:
    """The command line of `winnow` that trains this project with these options."""
    arguments = ["train", str(project.folder)]
    for name, value in options.items():
        flag = name.removesuffix("_px").replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            arguments += [f"--{flag}", str(value)]
    return arguments


def _curves(project: Project, run: Run) -> None:
    if run.info.imported is not None:
        st.caption(" ".join(("These predictions were imported: there is no curve to show.", *run.info.notes)))
        return
    if run.info.quick is not None:
        trained = run.info.quick.base_run
        if trained is None:
            st.caption("A quick round trains only heads, in one step: there is no curve to show.")
            return
        st.caption(
            f"{run.info.run_id} is a quick round: only heads were trained. These curves are of {trained}, whose "
            "models give the features."
        )
        run = read_run(project, trained)
    if run.fitted_at_once:
        st.caption(f"{run.info.arch} is fitted at once, without epochs: there is no curve to show.")
        return
    left, right = st.columns(2, gap="medium")
    plain = {"displayModeBar": False}
    with left:
        st.subheader(f"Loss of {run.info.run_id}", anchor=False)
        st.caption(
            "One colour a fold; high peaks are cut off. What the curves say is in the training check above: a "
            "validation loss that rises alone is no overfitting yet."
        )
        st.plotly_chart(loss_curves_figure(run.history), config=plain, key="loss_curves", alt="Loss curves")
    with right:
        st.subheader("Learning rate finder", anchor=False)
        if run.lr_finder.empty:
            st.caption(
                "The learning rate of this run was given: by hand, or by an earlier run with the same options, so that "
                "the two can be compared."
            )
            return
        st.caption("Loss at growing learning rates; the rate is taken where it falls steadily.")
        st.plotly_chart(
            lr_finder_figure(run.lr_finder), config=plain, key="lr_finder", alt="Learning rate finder"
        )


if __name__ == "__main__":
    show()
