"""Experiments of a project: what one would cost, start, list, read, remove them, carry out what they recommend.

Each finished one is a folder PROJECT/experiments/exp-0001 with experiment.json and its table as Parquet and CSV, moved
there when it is complete. Reading them needs no model.
"""

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from curation.class_caps import lift_cap, list_cap_changes, set_cap
from curation.edit_groups import with_edits
from curation.jobs import EXPERIMENT, JobRow, start_job
from curation.project import Project
from curation.quick_rounds import quick_inputs
from curation.replicates import replicates_of
from curation.rounds import DatasetVersion, dataset_version, training_items
from curation.run_folders import list_runs, newest_full_run, read_run
from curation.runs import WatchedJob
from diagnostics.errors import ConfigError, RunError
from diagnostics.experiments import EXPERIMENTS
from diagnostics.experiments.frame import (
    CAP,
    FULL,
    QUICK,
    WORK_PREFIX,
    Action,
    Cost,
    ExperimentData,
    Result,
    Speed,
    Trainer,
    Trainers,
    Trainings,
    Watch,
    cost_of,
    rough_quick_s,
    ruler_of,
)
from diagnostics.experiments.options import ExperimentSpec, Options, checked_options, joined_values
from diagnostics.formats import refuse_newer
from diagnostics.progress import ProgressCallback, ignore_progress
from diagnostics.run_folder import RunInfo, write_table, write_text
from diagnostics.task import FloatArray, are_among
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import NO_REMEDY
from diagnostics.training_noise import TrainingNoise

FORMAT_VERSION = 1
FOLDER, PARTIAL, CACHE = "experiments", "partial", "experiments"
INFO_FILE, TABLE_FILE, CSV_FILE = "experiment.json", "table.parquet", "table.csv"
NAME = re.compile(r"exp-(\d{4,})")
ALL: Final = "full"


@dataclass(frozen=True, slots=True)
class ExperimentInfo:
    """A finished experiment.

    name : which one, see `diagnostics.experiments.EXPERIMENTS`; options : all of them, also those left at their default
    dataset_version : whose labels it trained on and was judged by: {"number", "fingerprint", "event", …}
    outcome, verdict, why, notes, agreement, action, facts : as `diagnostics.experiments.frame.Result` has them
    trainings : how many of each kind were planned
    seconds_each : how long one took, by "quick" and "full" (one model), where some were made
    """

    experiment_id: str
    name: str
    options: Mapping[str, Any]
    created_at: datetime
    finished_at: datetime
    dataset_version: Mapping[str, int | str]
    outcome: str
    verdict: str
    why: str
    notes: tuple[str, ...]
    agreement: str
    action: Action | None
    facts: Mapping[str, Any]
    trainings: Trainings
    seconds_each: Mapping[str, float]

    @property
    def title(self) -> str:
        """Of the experiment, for people; its name if this Winnow does not know it."""
        return EXPERIMENTS[self.name].title if self.name in EXPERIMENTS else self.name

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished_at - self.created_at).total_seconds()


@dataclass(frozen=True)
class Experiment:
    """A finished experiment and its folder; the table is read when first asked for."""

    info: ExperimentInfo
    folder: Path

    @cached_property
    def table(self) -> pd.DataFrame:
        """Its numbers, one row a measurement."""
        path = self.folder / TABLE_FILE
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path} cannot be read: {error}. Remove the experiment ({self.folder.name}) and make it again."
            ) from error


def check_experiment(project: Project, name: str, options: Options) -> tuple[ExperimentSpec, dict[str, Any]]:
    """The experiment of this name and all its options.

    raises : ConfigError for an unknown experiment, or options that it cannot be made with
    """
    if name not in EXPERIMENTS:
        raise ConfigError(f"There is no experiment {name!r}; there are: {', '.join(EXPERIMENTS)}.")
    spec = EXPERIMENTS[name]
    return spec, checked_options(spec, options, project.classes.names)


def experiment_cost(project: Project, name: str, options: Options) -> Cost:
    """How often an experiment trains and about how long that takes, known before it starts.

    raises : ConfigError for options it cannot be made with; DataError if the data do not do for it
    """
    spec, values = check_experiment(project, name, options)
    data = _data_for(project, spec, values, dataset_version(project))
    return cost_of(spec.load().count(data, values), _speed(project, data))


def start_experiment(project: Project, name: str, options: Options, *, now: datetime | None = None) -> JobRow:
    """Start an experiment as a background job.

    raises : as `experiment_cost`; ProjectError if something is being trained already
    """
    experiment_cost(project, name, options)
    return start_job(project, EXPERIMENT, experiment_arguments(project, name, options), now=now)


def experiment_arguments(project: Project, name: str, options: Options) -> list[str]:
    """The command line of `winnow` that makes this experiment; options that are None are left out."""
    arguments = [EXPERIMENT, name, str(project.folder)]
    for option, value in options.items():
        flag = option.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, list | tuple):
            arguments += [f"--{flag}", joined_values(value)] if value else []
        elif value is not None:
            arguments += [f"--{flag}", str(value)]
    return arguments


def make_experiment(
    project: Project,
    name: str,
    options: Options,
    *,
    job: WatchedJob | None = None,
    on_progress: ProgressCallback = ignore_progress,
    should_stop: Callable[[], bool] = lambda: False,
    now: datetime | None = None,
) -> Experiment:
    """Train as often as the experiment asks for, judge, and keep what was found.

    raises : Cancelled, or any other WinnowError; then nothing is kept but full trainings that were finished, which
        are not repeated if it is started again
    """
    started_at, began_s = now or datetime.now(UTC), time.monotonic()
    spec, values = check_experiment(project, name, options)
    version = dataset_version(project)
    data = _data_for(project, spec, values, version)
    trainings = spec.load().count(data, values)
    if job is not None:
        _remove_leftovers(project)
    experiment_id, work_dir = _allocate(project)
    try:
        if job is not None:
            job.belongs_to(experiment_id)
        watch = Watch(
            trainings,
            on_progress=_both(on_progress, job),
            should_stop=lambda: should_stop() or (job is not None and job.should_stop()),
            clock=time.monotonic,
            speed=_speed(project, data),
        )
        trainers = _trainers(project, version, data, watch, full=bool(values.get(ALL, False)))
        result = spec.load().run(data, trainers, values)
        finished_at = started_at + pd.Timedelta(seconds=time.monotonic() - began_s).to_pytimedelta()
        info = _info(experiment_id, name, values, started_at, finished_at, version, result, trainings, watch)
        _write(work_dir, info, result.table)
        work_dir.replace(project.folder / FOLDER / experiment_id)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    return read_experiment(project, experiment_id)


@dataclass(frozen=True)
class FoundExperiments:
    """The finished experiments, newest first, and those that cannot be read: by id what is wrong and what to do."""

    made: list[Experiment]
    problems: dict[str, str]


def find_experiments(project: Project) -> FoundExperiments:
    """The finished experiments; one that cannot be read does not hide the others."""
    found = FoundExperiments([], {})
    for folder in reversed(_folders(project)):
        try:
            found.made.append(_read(folder))
        except RunError as error:
            found.problems[folder.name] = str(error)
    return found


def list_experiments(project: Project) -> list[Experiment]:
    """The finished experiments that can be read, newest first."""
    return find_experiments(project).made


def read_experiment(project: Project, experiment_id: str) -> Experiment:
    """A finished experiment.

    raises : RunError if there is none of this name
    """
    return _read(_folder_of(project, experiment_id))


def remove_experiment(project: Project, experiment_id: str) -> None:
    """Delete a finished experiment, also one that cannot be read; what it recommended and was applied stays.

    raises : RunError if there is none of this name
    """
    shutil.rmtree(_folder_of(project, experiment_id))


def _folder_of(project: Project, experiment_id: str) -> Path:
    folder = project.folder / FOLDER / experiment_id
    if NAME.fullmatch(experiment_id) is None or not folder.is_dir():
        known = ", ".join(each.name for each in reversed(_folders(project))) or "none"
        raise RunError(f"{project.info.name} has no experiment {experiment_id!r}. It has: {known}.")
    return folder


@dataclass(frozen=True, slots=True)
class Actor:
    """How a kind of action is carried out, taken back, and recognised as being in force.

    apply, undo : called with (project, values, annotator=, now=, reason=)
    is_applied(project, values, reason) : it is in force because of this reason
    """

    apply: Callable[..., object]
    undo: Callable[..., object]
    is_applied: Callable[[Project, Mapping[str, Any], str], bool]


def _apply_cap(project: Project, values: Mapping[str, Any], **who: Any) -> None:
    set_cap(project, values["class"], values["keep"], **who)


def _undo_cap(project: Project, values: Mapping[str, Any], **who: Any) -> None:
    lift_cap(project, values["class"], **who)


def _is_capped(project: Project, values: Mapping[str, Any], reason: str) -> bool:
    newest = {change.key: change for change in list_cap_changes(project)}
    change = newest.get(str(project.classes.key_of(values["class"])))
    return change is not None and (change.keep, change.reason) == (values["keep"], reason)


ACTORS: dict[str, Actor] = {CAP: Actor(_apply_cap, _undo_cap, _is_capped)}


def is_applied(project: Project, info: ExperimentInfo) -> bool:
    """Whether what an experiment recommended is in force because of it."""
    action = info.action
    return action is not None and ACTORS[action.kind].is_applied(project, action.values, info.experiment_id)


def apply_action(project: Project, experiment_id: str, *, annotator: str, now: datetime) -> Action:
    """Carry out what an experiment recommends; returns it.

    raises : RunError if there is no such experiment, or it recommends nothing; whatever stands in the way of it
    """
    action = _action_of(project, experiment_id)
    ACTORS[action.kind].apply(project, action.values, annotator=annotator, now=now, reason=experiment_id)
    return action


def undo_action(project: Project, experiment_id: str, *, annotator: str, now: datetime) -> Action:
    """Take back what an experiment recommended and was applied; returns it. Raises as `apply_action`."""
    action = _action_of(project, experiment_id)
    ACTORS[action.kind].undo(project, action.values, annotator=annotator, now=now, reason=experiment_id)
    return action


def _action_of(project: Project, experiment_id: str) -> Action:
    action = read_experiment(project, experiment_id).info.action
    if action is None:
        raise RunError(f"{experiment_id} recommends nothing that could be carried out.")
    return action


def experiment_data(project: Project, version: DatasetVersion | None = None) -> ExperimentData:
    """What experiments train on and are judged by: the newest dataset version, or this one."""
    version = version or dataset_version(project)
    items = training_items(project, version)
    task = project.task_at(project.class_log.at(version.class_change))
    is_trained_on = (items["split"] == "train") & items["label"].notna() & ~items["held_back"]
    train = items[is_trained_on].reset_index(drop=True)
    base = newest_full_run(project)
    config = base.info.config if base is not None else TrainConfig()
    lr = base.info.resolved.lr if base is not None else config.lr
    return ExperimentData(
        train_items=train,
        ruler=ruler_of(items, task, rule=config.thresholds),
        task=task,
        config=config,
        single=replace(config, folds=0, planted=0.0, lr=lr, keep_best=False, early_stopping_patience=0),
        known_seeds=tuple(sorted(info.config.seed for info in _replicates(project, version))),
    )


def _data_for(
    project: Project, spec: ExperimentSpec, options: Options, version: DatasetVersion
) -> ExperimentData:
    """The data of an experiment, with what it needs beside them."""
    data = experiment_data(project, version)
    more = MORE_DATA.get(spec.name)
    return data if more is None else more(project, version, data, options)


def _with_edits(
    project: Project, version: DatasetVersion, data: ExperimentData, options: Options
) -> ExperimentData:
    return with_edits(project, version, data, since=options["since"])


MORE_DATA: dict[str, Callable[[Project, DatasetVersion, ExperimentData, Options], ExperimentData]] = {
    "edits": _with_edits
}


def _replicates(project: Project, version: DatasetVersion) -> list[RunInfo]:
    """The newest full run and those that differ from it in their seed alone, if they are on this version and kept what
    each of their models said."""
    base = newest_full_run(project)
    if base is None or base.info.dataset_version["fingerprint"] != version.fingerprint:
        return []
    found = replicates_of(project, base.info)
    return [info for info in found if read_run(project, info.run_id).predictions.fold_probs is not None]


# ------------------------------------------------------------ training


def _trainers(
    project: Project, version: DatasetVersion, data: ExperimentData, watch: Watch, *, full: bool
) -> Trainers:
    from diagnostics.training.quick import prepare_quick
    from diagnostics.training.trainers import quick_trainer

    items = training_items(project, version)
    is_ruler = are_among(items["item_id"], data.ruler.item_ids)
    items = pd.concat([data.train_items, data.spare_items, items[is_ruler]], ignore_index=True)
    trainers = Trainers(quick=None, full=None, typical_noise=_typical_noise(project, data))
    try:
        config = replace(data.config, imbalance=NO_REMEDY)  # which some heads cannot be trained with
        inputs = quick_inputs(project, items, data.task, config, should_stop=watch.should_stop)
        prepared = prepare_quick(inputs)
        heads = quick_trainer(prepared, _ruler_ids(data), should_stop=watch.should_stop)
        trainers = replace(trainers, quick=watch.over(QUICK, heads), quick_features=prepared.source)
    except RunError as error:
        if not full:
            raise
        trainers = replace(trainers, why_no_quick=str(error))
    if full:
        trainers = replace(trainers, full=_full_trainer(project, version, data, items, watch))
    return trainers


def _typical_noise(project: Project, data: ExperimentData) -> TrainingNoise | None:
    base = newest_full_run(project)
    said = None if base is None else _predicted_by(project, base.info, data)
    return None if said is None else data.ruler.noise_of([said])


def _ruler_ids(data: ExperimentData) -> pd.Index:
    ids: pd.Index = pd.Index(data.ruler.item_ids, dtype=object)
    return ids


def _full_trainer(
    project: Project, version: DatasetVersion, data: ExperimentData, items: pd.DataFrame, watch: Watch
) -> Trainer:
    from diagnostics.training.trainers import FullInputs, full_trainer, remembering

    inputs = FullInputs(
        items=items,
        task=data.task,
        config=data.single,
        roots=tuple(project.info.roots),
        cache_dir=project.cache_dir,
        on_progress=watch.within,
        should_stop=watch.should_stop,
    )
    identity = {"classes": list(data.task.classes), "ruler": list(data.ruler.item_ids)}
    kept = remembering(
        watch.over(FULL, full_trainer(inputs, _ruler_ids(data))),
        project.cache_dir / CACHE,
        identity,
        data.single,
        on_kept=lambda: watch.skip(FULL),
    )
    known = {info.config.seed: info for info in _replicates(project, version)}

    def train(items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
        is_run = items is data.train_items and config == data.config
        found = _predicted_by(project, known[seed], data) if is_run and seed in known else None
        return found if found is not None else kept(items, seed=seed, config=config)

    return train


def _predicted_by(project: Project, info: RunInfo, data: ExperimentData) -> FloatArray | None:
    """What each model of a run said of the ruler; None if it did not keep that or lacks some of the items."""
    predictions = read_run(project, info.run_id).predictions
    rows = pd.Index(predictions.item_ids).get_indexer(_ruler_ids(data))
    if predictions.fold_probs is None or (rows < 0).any() or predictions.classes != data.task.classes:
        return None
    models = range(predictions.fold_probs.shape[0])
    return np.stack([predictions.fold_probs[model, rows] for model in models])


def _speed(project: Project, data: ExperimentData) -> Speed:
    """Of the newest experiments that trained in each way; failing that, of the newest full run, and for heads what
    so many items and classes take about."""
    past = [found.info for found in list_experiments(project)]
    quick_s = next((info.seconds_each[QUICK] for info in past if QUICK in info.seconds_each), None)
    rough = "" if quick_s else "a rough estimate from the number of items and classes"
    quick_s = quick_s or rough_quick_s(len(data.train_items), len(data.task.classes))
    made = next((info for info in past if FULL in info.seconds_each), None)
    if made is not None:
        return Speed(quick_s, made.seconds_each[FULL], made.experiment_id, rough)
    full = [info for info in list_runs(project) if info.is_full]
    if not full:
        return Speed(quick_s, quick_source=rough)
    return Speed(quick_s, full[-1].seconds / full[-1].n_folds, full[-1].run_id, rough)


def _both(on_progress: ProgressCallback, job: WatchedJob | None) -> ProgressCallback:
    def tell(progress: Any) -> None:
        on_progress(progress)
        if job is not None:
            job.report(progress)

    return tell


# ------------------------------------------------------------ folders


def _info(
    experiment_id: str,
    name: str,
    options: Options,
    created_at: datetime,
    finished_at: datetime,
    version: DatasetVersion,
    result: Result,
    trainings: Trainings,
    watch: Watch,
) -> ExperimentInfo:
    quick_s, full_s = watch.seconds_each(QUICK), watch.seconds_each(FULL)
    each = {QUICK: quick_s, FULL: full_s and full_s / trainings.n_models}
    return ExperimentInfo(
        experiment_id=experiment_id,
        name=name,
        options=dict(options),
        created_at=created_at,
        finished_at=finished_at,
        dataset_version=version.to_json(),
        outcome=result.outcome,
        verdict=result.verdict,
        why=result.why,
        notes=result.notes,
        agreement=result.agreement,
        action=result.action,
        facts=dict(result.facts),
        trainings=trainings,
        seconds_each={way: seconds for way, seconds in each.items() if seconds},
    )


def _write(folder: Path, info: ExperimentInfo, table: pd.DataFrame) -> None:
    write_table(folder / TABLE_FILE, table)
    write_table(folder / CSV_FILE, table)
    values = {field.name: getattr(info, field.name) for field in fields(info)}
    values |= {
        "created_at": info.created_at.isoformat(),
        "finished_at": info.finished_at.isoformat(),
        "action": None if info.action is None else asdict(info.action),
        "trainings": asdict(info.trainings),
    }
    text = json.dumps({"format_version": FORMAT_VERSION} | values, indent=1, ensure_ascii=False)
    write_text(folder / INFO_FILE, text + "\n")


def _read(folder: Path) -> Experiment:
    path = folder / INFO_FILE
    if not path.is_file():
        raise RunError(f"{path} is missing. Remove the experiment ({folder.name}) and make it again.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        refuse_newer(path, values["format_version"], FORMAT_VERSION)
        return Experiment(_info_from(values), folder)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RunError(
            f"{path} cannot be read: {error!r}. Remove the experiment ({folder.name}) and make it again."
        ) from error


def _info_from(values: Mapping[str, Any]) -> ExperimentInfo:
    known = {field.name: values[field.name] for field in fields(ExperimentInfo)}
    known |= {
        "created_at": datetime.fromisoformat(values["created_at"]),
        "finished_at": datetime.fromisoformat(values["finished_at"]),
        "notes": tuple(values["notes"]),
        "action": None if values["action"] is None else Action(**values["action"]),
        "trainings": Trainings(**values["trainings"]),
    }
    return ExperimentInfo(**known)


def _allocate(project: Project) -> tuple[str, Path]:
    """The next id and an empty folder to work in. Two processes never get the same."""
    partial = project.folder / FOLDER / PARTIAL
    partial.mkdir(parents=True, exist_ok=True)
    while True:
        taken = [*_folders(project), *partial.glob("exp-*")]
        number = max((int(folder.name.removeprefix("exp-")) for folder in taken), default=0) + 1
        folder = partial / f"exp-{number:04d}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder.name, folder


def _remove_leftovers(project: Project) -> None:
    """What an experiment left that was killed; for the job that works now, of which there is one at a time."""
    partial = project.folder / FOLDER / PARTIAL
    for folder in (*partial.glob("exp-*"), *project.cache_dir.glob(f"{WORK_PREFIX}*")):
        shutil.rmtree(folder, ignore_errors=True)


def _folders(project: Project) -> list[Path]:
    parent = project.folder / FOLDER
    found = [path for path in parent.glob("exp-*") if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.name.removeprefix("exp-")))
