"""Runs of a project: train one on a dataset version, list and read them. Models are imported only to train."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from curation.project import Project
from curation.rounds import dataset_version, training_items
from curation.run_folders import PartialRun, allocate_run, list_partial_runs, list_runs, read_run, read_start
from diagnostics.errors import Cancelled, WinnowError
from diagnostics.progress import Progress, ProgressCallback, ignore_progress
from diagnostics.run_folder import RunInfo
from diagnostics.training.config import TrainConfig

__all__ = ["PartialRun", "WatchedJob", "list_partial_runs", "list_runs", "read_run", "train_project"]


class WatchedJob(Protocol):
    """The job that a training belongs to, see `curation.jobs.running_job`."""

    def belongs_to(self, run_id: str) -> None: ...

    def report(self, progress: Progress) -> None: ...

    def should_stop(self) -> bool: ...


def train_project(
    project: Project,
    config: TrainConfig,
    *,
    job: WatchedJob | None = None,
    on_progress: ProgressCallback = ignore_progress,
    should_stop: Callable[[], bool] = lambda: False,
    resume_run_id: str | None = None,
    now: datetime | None = None,
) -> str:
    """Train on the newest dataset version, predict and score every item; returns the id of the finished run.

    resume_run_id : go on with this unfinished run, with the options and the dataset version that it was started with;
        `config` is not used then
    raises : Cancelled, which leaves the run to be resumed; any other WinnowError, which removes a run that was new
    """
    started_at = now or datetime.now(UTC)
    if resume_run_id is None:
        run = allocate_run(project, config, dataset_version(project).number, now=started_at)
    else:
        run = read_start(project, resume_run_id)
    if job is not None:
        job.belongs_to(run.run_id)

    def watch(progress: Progress) -> None:
        on_progress(progress)
        if job is not None:
            job.report(progress)

    def stop() -> bool:
        return should_stop() or (job is not None and job.should_stop())

    try:
        _train(project, run, watch, stop, started_at)
    except Cancelled:
        raise
    except WinnowError:
        if resume_run_id is None:
            shutil.rmtree(run.folder)
        raise
    run.folder.replace(project.runs_dir / run.run_id)
    return run.run_id


def _train(
    project: Project,
    run: PartialRun,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
    now: datetime,
) -> RunInfo:
    from diagnostics.training.run import train_run

    version = dataset_version(project, run.version, class_change=run.class_change)
    return train_run(
        training_items(project, version),
        project.task_at(project.class_log.at(version.class_change)),
        run.config,
        roots=project.info.roots,
        run_dir=run.folder,
        cache_dir=project.cache_dir,
        run_id=run.run_id,
        dataset_version={
            "number": version.number,
            "fingerprint": version.fingerprint,
            "event": version.event,
            "class_change": version.class_change,
        },
        now=now,
        on_progress=on_progress,
        should_stop=should_stop,
    )
