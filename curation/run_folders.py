"""Where a project keeps its runs: finished ones in runs/, unfinished ones in runs/partial/, and in runs/removed/ what
the ones that were removed had been."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from curation.class_caps import n_cap_changes
from curation.project import Project
from diagnostics.errors import RunError, RunGoneError, WinnowError
from diagnostics.predictions import FOLDER
from diagnostics.run_folder import INFO_FILE, SCORES_FILE, Run, RunInfo, read_run_folder, write_text
from diagnostics.training.config import TrainConfig

FORMAT_VERSION = 1
START_FILE = "start.json"
RUN_NAME = re.compile(r"run-(\d{4,})")
REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class PartialRun:
    """A run that was started and is not finished: what it was started with.

    class_change, cap_change : the last change of the classes, and of the caps on them, then, so that going on later
        trains the same
    quick : only heads are to be trained, on the decisions up to the moment when it goes on
    """

    run_id: str
    created_at: datetime
    config: TrainConfig
    version: int
    folder: Path
    class_change: int = 0
    quick: bool = False
    cap_change: int = 0


@dataclass(frozen=True, slots=True)
class BrokenRun:
    """A folder of a finished run that cannot be read. problem : what is wrong with it, a sentence"""

    run_id: str
    problem: str

    @property
    def name(self) -> str:
        """For people to read, as that of a `RunInfo`."""
        return f"{self.run_id} (cannot be read)"

    def __str__(self) -> str:
        """What to say where runs are listed.

        >>> print(BrokenRun("run-0004", "run.json is empty."))
        run-0004 cannot be read and is left out: run.json is empty. Put its folder back from a copy, or remove it.
        """
        return (
            f"{self.run_id} cannot be read and is left out: {self.problem} "
            "Put its folder back from a copy, or remove it."
        )


def list_runs(project: Project) -> list[RunInfo]:
    """The finished runs that can be read, oldest first."""
    return [found.info for found in _all_runs(project) if isinstance(found, Run)]


def broken_runs(project: Project) -> list[BrokenRun]:
    """The folders among the finished runs that cannot be read, oldest first."""
    return [found for found in _all_runs(project) if isinstance(found, BrokenRun)]


def run_number(run_id: str) -> int:
    """What runs are in order by: their names are not, as texts.

    >>> run_number("run-9999") < run_number("run-10000")
    True
    """
    return int(run_id.removeprefix("run-"))


def finished_run_ids(project: Project) -> list[str]:
    """The names of the finished runs, oldest first, also of those that cannot be read; no file is opened."""
    return [folder.name for folder in _folders(project.runs_dir)]


def newest_run_id(project: Project) -> str | None:
    """The name of the newest finished run that can be read, reading no other; None before the first."""
    for folder in reversed(_folders(project.runs_dir)):
        if isinstance(found := _open_folder(folder), Run):
            return found.info.run_id
    return None


def refuse_removed(project: Project, run_id: str) -> None:
    """raises : RunGoneError, saying what became of the run, if it was removed. run_id : any text"""
    if RUN_NAME.fullmatch(run_id) is None or (project.runs_dir / run_id).is_dir():
        return
    note = removed_note(project, run_id)
    if note.is_file():
        raise RunGoneError(str(json.loads(note.read_text(encoding="utf-8"))["text"]))


def what_became(project: Project, run_id: str) -> str:
    """Why a run is not among those listed: it was removed, cannot be read, or never was; a sentence."""
    try:
        refuse_removed(project, run_id)
    except RunGoneError as gone:
        return str(gone)
    broken = {found.run_id: found for found in broken_runs(project)}
    return str(broken.get(run_id, f"{project.info.name} has no run {run_id!r}."))


def removed_note(project: Project, run_id: str) -> Path:
    """Where it is kept that a run was removed."""
    return project.runs_dir / REMOVED / f"{run_id}.json"


def read_run(project: Project, run_id: str | None = None) -> Run:
    """A finished run; the newest one if it is not named.

    raises : RunError if there is no such run, or none at all, or it cannot be read; RunGoneError if it was removed
    """
    if run_id is None:
        return read_run_folder(project.runs_dir / _newest(project))
    refuse_removed(project, run_id)
    folder = project.runs_dir / run_id
    if RUN_NAME.fullmatch(run_id) and (folder / INFO_FILE).is_file():
        return read_run_folder(folder)
    if RUN_NAME.fullmatch(run_id) and (project.partial_runs_dir / run_id).is_dir():
        raise RunError(
            f"{run_id} is not finished. Go on with: winnow train {project.folder} --resume {run_id}"
        )
    known = ", ".join(info.run_id for info in list_runs(project)) or "none"
    raise RunError(f"{project.info.name} has no run {run_id!r}. Its finished runs: {known}.")


def newest_full_run(project: Project) -> Run | None:
    """The newest run whose models were trained whole, in folds; None if there is none."""
    full = [info for info in list_runs(project) if info.is_full and not info.in_sample]
    return read_run(project, full[-1].run_id) if full else None


def found_lr(project: Project, config: TrainConfig) -> float | None:
    """The learning rate that the newest full run with the same options found for itself, None if there is none."""
    alike = [
        info
        for info in list_runs(project)
        if info.is_full and info.config.lr is None and same_options(info.config, config)
    ]
    return alike[-1].resolved.lr if alike else None


def same_options(first: TrainConfig, second: TrainConfig) -> bool:
    """Whether two runs were asked for with the same options, whatever their seeds and learning rates, and whatever part
    of the machine they took."""
    one, other = (replace(config, seed=0, lr=None, n_threads=None).identity() for config in (first, second))
    return one == other


def list_partial_runs(project: Project) -> list[PartialRun]:
    """The runs that are not finished and can be read, oldest first; some may be running."""
    found = []
    for folder in _folders(project.partial_runs_dir):
        with suppress(RunError):
            found.append(read_start(project, folder.name))
    return found


def has_trained(project: Project) -> bool:
    """Whether a run was started here, also one that is not finished, cannot be read or was removed."""
    return bool(_numbers(project))


def allocate_run(
    project: Project, config: TrainConfig, version: int, *, now: datetime, quick: bool = False
) -> PartialRun:
    """Take the next run id and note what the run is started with. Two processes never get the same id."""
    project.partial_runs_dir.mkdir(parents=True, exist_ok=True)
    while True:
        run_id = f"run-{max(_numbers(project), default=0) + 1:04d}"
        folder = project.partial_runs_dir / run_id
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        started = PartialRun(
            run_id, now, config, version, folder, project.classes.number, quick, n_cap_changes(project)
        )
        _write_start(started)
        return started


def read_start(project: Project, run_id: str) -> PartialRun:
    """What an unfinished run was started with.

    raises : RunError if there is no such unfinished run, or it cannot be read
    """
    folder = project.partial_runs_dir / run_id
    path = folder / START_FILE
    if RUN_NAME.fullmatch(run_id) is None or not path.is_file():
        finished = (project.runs_dir / run_id / INFO_FILE).is_file() and RUN_NAME.fullmatch(run_id)
        raise RunError(
            f"{run_id} is finished already; there is nothing to resume."
            if finished
            else f"{project.info.name} has no unfinished run {run_id!r} to resume."
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return PartialRun(
            run_id=run_id,
            created_at=datetime.fromisoformat(values["created_at"]),
            config=TrainConfig.from_json(values["config"]),
            version=values["dataset_version"],
            folder=folder,
            class_change=values.get("class_change", 0),
            quick=values.get("quick", False),
            cap_change=values.get("cap_change", 0),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(
            f"{run_id} cannot be resumed: {path} is unreadable ({error}). Delete its folder and train again."
        ) from error


def _write_start(run: PartialRun) -> None:
    values = {
        "format_version": FORMAT_VERSION,
        "created_at": run.created_at.isoformat(),
        "dataset_version": run.version,
        "class_change": run.class_change,
        "cap_change": run.cap_change,
        "quick": run.quick,
        "config": run.config.to_json(),
    }
    write_text(run.folder / START_FILE, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def _newest(project: Project) -> str:
    run_id = newest_run_id(project)
    if run_id is None:
        raise RunError(
            f"{project.info.name} has no finished run yet. Train one with: winnow train {project.folder}"
        )
    return run_id


def _all_runs(project: Project) -> Iterator[Run | BrokenRun]:
    """Every finished run, or what is wrong with it, oldest first."""
    opened = (_open_folder(folder) for folder in _folders(project.runs_dir))
    return (found for found in opened if found is not None)


def _open_folder(folder: Path) -> Run | BrokenRun | None:
    """None if it is gone by now, because it was removed meanwhile."""
    missing = [name for name in (INFO_FILE, SCORES_FILE, FOLDER) if not (folder / name).exists()]
    try:
        run = read_run_folder(folder)
    except WinnowError as error:
        problem = str(error)
    else:
        if not missing:
            return run
        problem = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing in {folder}."
    return BrokenRun(folder.name, problem) if folder.is_dir() else None


def _folders(parent: Path) -> list[Path]:
    return sorted(_run_folders(parent), key=lambda folder: run_number(folder.name))


def _run_folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from (path for path in parent.iterdir() if path.is_dir() and RUN_NAME.fullmatch(path.name))


def _numbers(project: Project) -> list[int]:
    """Of all runs that there are or were; none of them is given again."""
    folders = [*_folders(project.partial_runs_dir), *_folders(project.runs_dir)]
    names = [path.stem for path in (*folders, *(project.runs_dir / REMOVED).glob("run-*.json"))]
    return [run_number(name) for name in names]
