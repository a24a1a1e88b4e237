"""Background jobs as a person sees them: what runs, how far it is, what went wrong."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from app import context
from app.widgets.page import escape
from curation.jobs import EXPERIMENT, LIVE, JobRow, cancel_job, list_jobs, log_path, resume_job
from curation.project import Project
from diagnostics.experiments import EXPERIMENTS

ENDED_BADLY = {"failed": "It failed.", "lost": "It was lost.", "cancelled": "It was cancelled."}
LOG_LINES = 200
RESUMED = {
    False: "Goes on from the epoch or fold that was kept last, at most a few seconds before it stopped.",
    True: "Starts again; full trainings that were finished are not repeated.",
}


def running_job(project: Project) -> JobRow | None:
    """The job that is queued or running, if any."""
    return next((job for job in list_jobs(project, now=context.now()) if job.state in LIVE), None)


def watch_job(project: Project, *, compact: bool) -> None:
    """Show the running job and redraw it every second; once it has ended the whole page is drawn anew."""
    if running_job(project) is not None:
        _watch(project, compact)


@st.fragment(run_every=1)
def _watch(project: Project, compact: bool) -> None:
    job = running_job(project)
    if job is None:
        st.rerun(scope="app")
    if compact:
        _progress(job)
    else:
        _card(project, job)


def _card(project: Project, job: JobRow) -> None:
    with st.container(border=True):
        left, right = st.columns([6, 1], vertical_alignment="center")
        left.markdown(f"**{escape(job.run_id or job.job_id)}** {_doing(job)}")
        right.button(
            "Cancel", key="cancel_job", on_click=_cancel, args=(project, job.job_id), width="stretch"
        )
        _progress(job)
        numbers = live_numbers(job.progress.get("metrics", {}))
        for column, (title, value) in zip(st.columns(max(len(numbers), 1)), numbers.items(), strict=False):
            column.metric(title, value)


def _doing(job: JobRow) -> str:
    """What a job does, after its name."""
    if job.verb != EXPERIMENT:
        return "is being trained"
    spec = EXPERIMENTS.get(job.argv[1]) if len(job.argv) > 1 else None
    return f"is being made: {spec.title}" if spec is not None else "is being made"


def _progress(job: JobRow) -> None:
    progress = job.progress or {}
    total = progress.get("total") or 0
    share = min(1.0, progress.get("done", 0) / total) if total else 0.0
    words = [progress.get("stage") or "starting", progress.get("detail") or ""]
    st.progress(share, text=escape(" · ".join(word for word in words if word)))


def live_numbers(metrics: Mapping[str, float]) -> dict[str, str]:
    """The numbers of a running training as titles and texts, those that are known.

    >>> live_numbers({"fold": 1, "n_folds": 5, "items_per_s": 1234.5})
    {'Fold': '1 of 5', 'Items a second': '1,234'}
    """
    shown = {}
    if metrics.get("n_folds", 0) > 1 and "fold" in metrics:
        shown["Fold"] = f"{int(metrics['fold'])} of {int(metrics['n_folds'])}"
    if "epoch" in metrics and "n_epochs" in metrics:
        shown["Epoch"] = f"{int(metrics['epoch'])} of {int(metrics['n_epochs'])}"
    for name, title, form in LIVE_NUMBERS:
        if name in metrics:
            shown[title] = format(metrics[name], form)
    if "seconds_left" in metrics:
        shown["Time left"] = duration_text(metrics["seconds_left"])
    return shown


LIVE_NUMBERS = (
    ("train_loss", "Training loss", ".3f"),
    ("valid_loss", "Validation loss", ".3f"),
    ("accuracy", "Accuracy", ".3f"),
    ("items_per_s", "Items a second", ",.0f"),
)


def job_problem(project: Project, job: JobRow) -> None:
    """Say how a job ended badly, and offer to take it up again."""
    text = f"**{escape(job.run_id or job.job_id)}**: {ENDED_BADLY[job.state]} {escape(job.error)}"
    with st.container(border=True):
        if job.state == "cancelled":
            st.info(text, icon=":material/pause_circle:")
        else:
            st.error(text, icon=":material/error:")
        st.button(
            "Resume",
            icon=":material/resume:",
            help=RESUMED[job.verb == EXPERIMENT],
            on_click=_resume,
            args=(project, job.job_id),
        )


def log_tail(path: Path) -> str:
    """The last lines of a log, "" if there is none."""
    if not path.is_file():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])


def job_log(project: Project, job: JobRow) -> None:
    """What a job has printed, folded away."""
    with st.expander(f"Log of {job.job_id}", icon=":material/article:"):
        text = log_tail(log_path(project, job.job_id))
        st.code(text or "It has printed nothing.", language=None, wrap_lines=True)


@context.telling
def _cancel(project: Project, job_id: str) -> None:
    cancel_job(project, job_id, now=context.now())


@context.telling
def _resume(project: Project, job_id: str) -> None:
    resume_job(project, job_id, now=context.now())


def duration_text(seconds: float) -> str:
    """A length of time in words.

    >>> duration_text(75), duration_text(4000)
    ('1 min 15 s', '1 h 6 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
