"""Runs that go: quick ones by themselves once newer ones have taken their place, any of them by hand.

Of a run that was removed stays what it was, so that its name is never given again and a link to it can say what became
of it. A process that has its files open keeps reading them.
"""

import json
import logging
import shutil
import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from curation.jobs import LIVE, list_jobs
from curation.project import Project
from curation.run_folders import (
    BrokenRun,
    broken_runs,
    list_runs,
    newest_full_run,
    read_run,
    removed_note,
)
from curation.test_looks import looks_at_test
from diagnostics.errors import ProjectError, RunError
from diagnostics.run_folder import RunInfo, write_text

LOG = logging.getLogger(__name__)

FORMAT_VERSION = 1
KEPT_FILE = "kept"
N_NEWEST = 5
IN_USE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes with a run, before it is removed.

    name : for people to read
    n_bytes : on disk, with what is kept in the cache for it
    effects : what will not be there or not be possible any more, one sentence each
    """

    run_id: str
    name: str
    n_bytes: int
    effects: tuple[str, ...]


def replaced_quick_runs(
    runs: Sequence[RunInfo], needed: Collection[str], *, n_newest: int = N_NEWEST
) -> list[str]:
    """The quick runs that newer ones have taken the place of, oldest first.

    runs : all there are, oldest first
    needed : runs that stay whatever their age
    n_newest : so many quick runs stay; so does the newest one on each dataset version, which rounds are compared by
    """
    quick = [info for info in runs if info.quick is not None]
    newest_on = {info.dataset_version["number"]: info.run_id for info in quick}
    kept = {*needed, *newest_on.values(), *(info.run_id for info in quick[-n_newest:])}
    return [info.run_id for info in quick if info.run_id not in kept]


def remove_replaced_quick_runs(project: Project, *, now: datetime, n_newest: int = N_NEWEST) -> list[str]:
    """Remove them; returns their names. Those that a person keeps, has looked at on the test set, or looks at now stay.

    A full or an imported run is never removed by itself. One that cannot be removed stays, which is said in the log;
    the next quick round tries again.
    """
    needed = {*kept_runs(project), *_in_use(project, now), *looks_at_test(project).run_ids}
    runs = {info.run_id: info for info in list_runs(project)}
    replaced = replaced_quick_runs(list(runs.values()), needed, n_newest=n_newest)
    return [run_id for run_id in replaced if _could_remove(project, runs[run_id], now)]


def _could_remove(project: Project, replaced: RunInfo, now: datetime) -> bool:
    try:
        _remove(project, replaced, "because newer quick rounds have taken its place", now)
    except ProjectError as error:
        LOG.warning("%s Newer quick rounds have taken its place; the next one tries again.", error)
        return False
    return True


def kept_runs(project: Project) -> frozenset[str]:
    """The runs that a person wants to be kept."""
    return frozenset(path.parent.name for path in project.runs_dir.glob(f"run-*/{KEPT_FILE}"))


def keep_run(project: Project, run_id: str, keep: bool = True) -> None:
    """Keep a run until it is let go again, or let it go: a quick one may then be removed by itself.

    raises : RunError if there is no such run
    """
    path = read_run(project, run_id).folder / KEPT_FILE
    if keep:
        path.touch()
    else:
        path.unlink(missing_ok=True)


def plan_removal(project: Project, run_id: str) -> Removal:
    """What removing a run would take away.

    raises : RunError if there is no such run, or a person keeps it
    """
    found = _found(project, run_id)
    if run_id in kept_runs(project):
        raise RunError(
            f"{run_id} is being kept. Let it go first: winnow runs {project.folder} --let-go {run_id}"
        )
    folders = [project.runs_dir / run_id, *_cached(project, run_id)]
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    n_bytes = sum(path.stat().st_size for path in files)
    effects = _effects(project, found) if isinstance(found, RunInfo) else []
    return Removal(run_id, found.name, n_bytes, tuple(effects))


def remove_run(project: Project, run_id: str, *, annotator: str, now: datetime) -> Removal:
    """Remove a finished run, whatever its kind; returns what went.

    raises : as `plan_removal`; ProjectError while a job is at work, which may read it, if nobody is named, or if the
        project's folder does not let it go
    """
    who = annotator.strip()
    if not who:
        raise ProjectError("Removing a run names who removes it; the annotator is empty.")
    removal = plan_removal(project, run_id)
    busy = [job.job_id for job in list_jobs(project, now=now) if job.state in LIVE]
    if busy:
        raise ProjectError(f"{busy[0]} is at work and may read {run_id}. Wait for it, or cancel it first.")
    _remove(project, _found(project, run_id), f"by {who}", now)
    return removal


def _effects(project: Project, info: RunInfo) -> list[str]:
    """What else changes when a run goes, one sentence each."""
    others = [other for other in list_runs(project) if other.run_id != info.run_id]
    version = info.dataset_version["number"]
    effects = []
    resting = [
        other.run_id for other in others if other.quick is not None and other.quick.base_run == info.run_id
    ]
    if resting:
        effects.append(
            f"{', '.join(resting)} can no longer show similar items: their features are those of {info.run_id}."
        )
    newest = newest_full_run(project)
    if newest is not None and newest.info.run_id == info.run_id:
        before = [other.run_id for other in others if other.is_full and not other.in_sample]
        stand_in = f"{before[-1]} takes its place." if before else "there is no other."
        effects.append(f"It is the newest full training; for quick rounds and experiments {stand_in}")
    if not any(other.dataset_version["number"] == version for other in others):
        effects.append(f"It is the only run on dataset version {version}, which can then not be compared.")
    if info.run_id in looks_at_test(project).run_ids:
        effects.append("Its results on the test set were looked at and cannot be shown again.")
    return effects


def _found(project: Project, run_id: str) -> RunInfo | BrokenRun:
    for broken in broken_runs(project):
        if broken.run_id == run_id:
            return broken
    return read_run(project, run_id).info


def _remove(project: Project, found: RunInfo | BrokenRun, why: str, now: datetime) -> None:
    """Note what it was, take it out of sight at once, then delete it, and what a process that was killed has left.

    raises : ProjectError if nothing can be written or moved there; then the run stays
    """
    try:
        _put_away(project, found, why, now)
    except OSError as error:
        raise ProjectError(
            f"{found.name} could not be removed: {error}. Check that Winnow may write to {project.runs_dir}."
        ) from error
    for gone in (*project.runs_dir.glob(".run-*.removed"), *_cached(project, found.run_id)):
        shutil.rmtree(gone, ignore_errors=True)


def _put_away(project: Project, found: RunInfo | BrokenRun, why: str, now: datetime) -> None:
    run_id = found.run_id
    values = {
        "format_version": FORMAT_VERSION,
        "removed_at": now.isoformat(),
        "text": f"{found.name} was removed on {now:%Y-%m-%d}, {why}.",
        "run": found.to_json() if isinstance(found, RunInfo) else None,
    }
    note = removed_note(project, run_id)
    note.parent.mkdir(exist_ok=True)
    write_text(note, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    with suppress(FileNotFoundError):  # another process was first
        (project.runs_dir / run_id).replace(project.runs_dir / f".{run_id}.{uuid.uuid4().hex[:8]}.removed")


def _cached(project: Project, run_id: str) -> list[Path]:
    """What is kept of a run beside it, and can be made again only from it: queues, and features by its models."""
    return [*project.cache_dir.glob(f"{run_id}-*"), *project.cache_dir.glob(f"*/{run_id}")]


def _in_use(project: Project, now: datetime) -> set[str]:
    """The runs whose queues somebody has looked at within the last hour, see `curation.run_index`."""
    since, found = (now - IN_USE).timestamp(), set()
    for folder in project.cache_dir.glob("run-*-*"):
        with suppress(FileNotFoundError):  # another process has made room
            if folder.stat().st_mtime > since:
                found.add(folder.name.rpartition("-")[0])
    return found
