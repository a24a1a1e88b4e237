"""Runs of a project: train one on a dataset version, list and read them. Models are imported only to train."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from curation.decisions.events import LABEL_RIGHT, LABEL_WRONG, LABELLED
from curation.project import Project
from curation.queues import prepare_queues
from curation.quick_rounds import quick_inputs
from curation.rounds import DatasetVersion, dataset_version, training_items, version_now
from curation.run_folders import (
    PartialRun,
    allocate_run,
    found_lr,
    list_partial_runs,
    list_runs,
    read_run,
    read_start,
)
from curation.run_removal import remove_replaced_quick_runs
from curation.what_if import what_if, write_what_if
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
    quick: bool = False,
    now: datetime | None = None,
) -> str:
    """Train on the newest dataset version, predict and score every item; returns the id of the finished run.

    quick : train only heads on features that are there, on the decisions up to now whether their round is closed or
        not; see `diagnostics.training.quick`
    config : where it names no learning rate, that which an earlier full run with the same options found is used again:
        rounds are to differ in their data, not in what the finder happened to see
    resume_run_id : go on with this unfinished run, with the options and the dataset version that it was started with;
        `config` and `quick` are not used then
    raises : Cancelled, which leaves a full run to be resumed; any other WinnowError, which removes a run that was new
    """
    started_at = now or datetime.now(UTC)
    if resume_run_id is None:
        if config.lr is None and not quick:
            config = replace(config, lr=found_lr(project, config))
        run = allocate_run(project, config, dataset_version(project).number, now=started_at, quick=quick)
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

    train = _train_quick if run.quick else _train
    try:
        train(project, run, watch, stop, started_at)
    except WinnowError as error:
        resumable = isinstance(error, Cancelled) and not run.quick
        if not resumable and resume_run_id is None:
            shutil.rmtree(run.folder)
        raise
    run.folder.replace(project.runs_dir / run.run_id)
    prepare_queues(project, run.run_id)
    if run.quick:
        table = what_if(project, run.run_id, on_progress=watch, should_stop=stop)
        write_what_if(read_run(project, run.run_id), table)
        remove_replaced_quick_runs(project, now=datetime.now(UTC) if now is None else now)
    return run.run_id


def _train(
    project: Project,
    run: PartialRun,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
    now: datetime,
) -> RunInfo:
    from diagnostics.training.run import train_run

    version = dataset_version(project, run.version, class_change=run.class_change, cap_change=run.cap_change)
    return train_run(
        training_items(project, version),
        project.task_at(project.class_log.at(version.class_change)),
        run.config,
        roots=project.info.roots,
        run_dir=run.folder,
        cache_dir=project.cache_dir,
        run_id=run.run_id,
        dataset_version=version.to_json(),
        now=now,
        on_progress=on_progress,
        should_stop=should_stop,
    )


def _train_quick(
    project: Project,
    run: PartialRun,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
    now: datetime,
) -> RunInfo:
    from diagnostics.training.quick import train_quick_run

    version = version_now(project)
    inputs = quick_inputs(
        project,
        training_items(project, version),
        project.task_at(project.class_log.at(version.class_change)),
        run.config,
        on_progress=on_progress,
        should_stop=should_stop,
        decided=_confirmed(project, version),
    )
    return train_quick_run(
        inputs,
        run_dir=run.folder,
        home=project.runs_dir / run.run_id,
        run_id=run.run_id,
        dataset_version=version.to_json(),
        now=now,
    )


def _confirmed(project: Project, version: DatasetVersion) -> frozenset[str]:
    """The items on which, at this version, a person has said which label is right."""
    labels = project.decisions.labels_at(version.event)
    is_confirmed = labels["verdict"].isin((LABEL_RIGHT, LABEL_WRONG, LABELLED))
    return frozenset(labels["item_id"][is_confirmed])
