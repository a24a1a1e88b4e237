"""Trainings of the same thing: runs on the same data with the same options but another seed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from time import monotonic

from curation.project import Project
from curation.rounds import dataset_version
from curation.run_folders import list_partial_runs, list_runs, run_number, same_options
from curation.runs import WatchedJob, train_project
from diagnostics.progress import Progress, ProgressCallback, ignore_progress
from diagnostics.run_folder import RunInfo
from diagnostics.training.config import TrainConfig


def replicates_of(project: Project, info: RunInfo) -> list[RunInfo]:
    """The finished runs that differ from a run in their seed alone, this one among them, oldest first.

    The same data, classes and options, trained whole; of runs with the same seed one counts, this one or the newest.
    A quick run stands alone: others like it look at the same features. So does an imported one.
    """
    if not info.is_full:
        return [info]
    of_seed = {other.config.seed: other for other in list_runs(project) if is_replicate(info, other)}
    of_seed[info.config.seed] = info
    return sorted(of_seed.values(), key=lambda other: run_number(other.run_id))


def is_replicate(info: RunInfo, other: RunInfo) -> bool:
    """Whether two runs were trained whole on the same data with the same options, whatever their seeds."""
    return (
        info.is_full
        and other.is_full
        and info.dataset_version["fingerprint"] == other.dataset_version["fingerprint"]
        and info.classes == other.classes
        and same_recipe(info, other)
    )


def same_recipe(info: RunInfo, other: RunInfo) -> bool:
    """Whether two runs were trained in the same way: the same options, and the same learning rate unless both found
    their own."""
    found_both = info.config.lr is None and other.config.lr is None
    return same_options(info.config, other.config) and (found_both or info.resolved.lr == other.resolved.lr)


def train_seeds(
    project: Project,
    config: TrainConfig,
    n_seeds: int,
    *,
    job: WatchedJob | None = None,
    on_progress: ProgressCallback = ignore_progress,
    should_stop: Callable[[], bool] = lambda: False,
    now: Callable[[], datetime],
) -> list[str]:
    """Train on the newest dataset version with the seed of `config` and the next ones; returns the ids of the runs.

    Each is a run like any other. What is there already is kept: finished trainings of the same data and options are
    not made again, and an unfinished one goes on. So the same call after a stop does the rest.
    raises : as `train_project`
    """
    several = _SeveralTrainings(n_seeds)
    run_ids = []
    for seed in range(config.seed, config.seed + n_seeds):
        several.begin_next()
        of_seed = replace(config, seed=seed)
        run_ids.append(
            _finished(project, of_seed)
            or train_project(
                project,
                of_seed,
                job=None if job is None else _OneOfSeveral(job, several),
                on_progress=lambda progress: on_progress(several.progress_of(progress)),
                should_stop=should_stop,
                resume_run_id=_unfinished(project, of_seed),
                now=now(),
            )
        )
    return run_ids


def _finished(project: Project, config: TrainConfig) -> str | None:
    """The newest finished run with these options on the newest dataset version, if there is one."""
    fingerprint = dataset_version(project).fingerprint
    found = [
        info.run_id
        for info in list_runs(project)
        if info.is_full
        and info.dataset_version["fingerprint"] == fingerprint
        and info.classes == project.task.classes
        and info.config.seed == config.seed
        and same_options(info.config, config)
        and config.lr in (None, info.resolved.lr)
    ]
    return found[-1] if found else None


def _unfinished(project: Project, config: TrainConfig) -> str | None:
    """The newest unfinished run with these options on the newest dataset version, if there is one."""
    version = dataset_version(project)
    found = [
        run.run_id
        for run in list_partial_runs(project)
        if not run.quick
        and (run.version, run.class_change, run.cap_change)
        == (version.number, version.class_change, version.cap_change)
        and run.config.seed == config.seed
        and same_options(run.config, config)
        and config.lr in (None, run.config.lr)
    ]
    return found[-1] if found else None


class _SeveralTrainings:
    """How far several trainings are together: each counts as much as the one that is running."""

    def __init__(self, n_trainings: int) -> None:
        self._n_trainings = n_trainings
        self._n_begun = 0
        self._began_s = 0.0

    def begin_next(self) -> None:
        self._n_begun += 1
        self._began_s = monotonic()

    def progress_of(self, progress: Progress) -> Progress:
        """That of all trainings, from that of the one that is running."""
        n_done = self._n_begun - 1
        metrics = dict(progress.metrics)
        if "seconds_left" in metrics:
            whole_s = monotonic() - self._began_s + metrics["seconds_left"]
            metrics["seconds_left"] += whole_s * (self._n_trainings - self._n_begun)
        return replace(
            progress,
            stage=f"training {self._n_begun} of {self._n_trainings}: {progress.stage}",
            done=n_done * progress.total + progress.done,
            total=self._n_trainings * progress.total,
            metrics=metrics,
        )


class _OneOfSeveral:
    """The job as one of the trainings sees it."""

    def __init__(self, job: WatchedJob, several: _SeveralTrainings) -> None:
        self._job = job
        self._several = several

    def belongs_to(self, run_id: str) -> None:
        self._job.belongs_to(run_id)

    def report(self, progress: Progress) -> None:
        self._job.report(self._several.progress_of(progress))

    def should_stop(self) -> bool:
        return self._job.should_stop()
