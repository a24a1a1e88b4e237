"""Verbs that make models: train, jobs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import AsJson, ProjectFolder, now, with_train_options
from app.printing import plain, print_json, print_line, print_table, progress_bar

if TYPE_CHECKING:
    from diagnostics.run_folder import RunInfo


@with_train_options
def train(
    project: ProjectFolder,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with an unfinished run.")] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Train only heads on features that are there, on the decisions up to now. Seconds.",
        ),
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="So many trainings, with --seed and the seeds after it; those that are there are kept.",
        ),
    ] = 1,
    job: Annotated[str | None, typer.Option(hidden=True)] = None,
    json: AsJson = False,
    **options: Any,
) -> None:
    """Train on the newest dataset version, predict every item, score it."""
    from curation.jobs import running_job
    from curation.project import Project
    from curation.replicates import train_seeds
    from curation.runs import read_run, train_project
    from diagnostics.training.config import TrainConfig

    if seeds > 1 and (quick or resume is not None):
        raise typer.BadParameter(
            "--seeds is for full trainings and goes on by itself with those that are not finished; "
            "leave out --quick and --resume."
        )

    opened = Project.open(project)
    config = TrainConfig.from_json({name: value for name, value in options.items() if value is not None})
    argv = [str(opened.folder) if argument == str(project) else argument for argument in sys.argv[1:]]
    with progress_bar(quiet=json) as show, running_job(opened, "train", argv, job_id=job) as watched:
        if seeds > 1:
            run_ids = train_seeds(opened, config, seeds, job=watched, on_progress=show, now=now)
        else:
            run_ids = [
                train_project(
                    opened, config, job=watched, on_progress=show, resume_run_id=resume, quick=quick
                )
            ]
    return _show_trained([read_run(opened, run_id).info for run_id in run_ids], project, json=json)


def jobs(
    project: ProjectFolder,
    cancel: Annotated[str | None, typer.Option(metavar="JOB", help="Stop a job.")] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="JOB", help="Go on with a lost or cancelled job.")
    ] = None,
    json: AsJson = False,
) -> None:
    """List background jobs; cancel or resume one."""
    from curation.jobs import cancel_job, list_jobs, resume_job
    from curation.project import Project

    opened = Project.open(project)
    if cancel is not None:
        cancel_job(opened, cancel, now=now())
    if resume is not None:
        resume_job(opened, resume, now=now())
    rows = list_jobs(opened, now=now())
    if json:
        return print_json({"jobs": rows})
    columns = {"job": "left", "verb": "left", "state": "left", "run": "left", "started": "left", "": "left"}
    print_table("Jobs, newest first", columns, [_job_row(row) for row in rows])
    return None


def _show_trained(infos: "Sequence[RunInfo]", project: Path, *, json: bool) -> None:
    if json:
        last = infos[-1]
        about = {"run_id": last.run_id, "run_ids": [info.run_id for info in infos]}
        return print_json({**about, "seconds": last.seconds, "info": plain(last)})
    for info in infos:
        print_line(f"{info.name} finished in {info.seconds:.0f} s on {info.device}.")
        if info.quick is not None:
            print_line(f"Features of {info.quick.embeddings}. The numbers are an estimate.")
    return print_line(f"Next: winnow report {project}, winnow rank {project}, winnow app {project}")


def _job_row(row: Any) -> dict[str, object]:
    return {
        "job": row.job_id,
        "verb": row.verb,
        "state": row.state,
        "run": row.run_id or "–",
        "started": f"{row.started_at:%Y-%m-%d %H:%M}" if row.started_at else "–",
        "": row.error or "",
    }
