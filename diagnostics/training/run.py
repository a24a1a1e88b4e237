"""One run: out-of-fold predictions for every train item, predictions for all others, all in a run folder."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from diagnostics.dynamics import Dynamics, write_dynamics
from diagnostics.explanations import Explanations, place_explanations, write_explanations
from diagnostics.fold_arrays import FoldRows
from diagnostics.image_files import ImageRoot
from diagnostics.predictions import (
    Predictions,
    object_array,
    pick_embeddings,
    write_predictions,
)
from diagnostics.progress import ProgressCallback
from diagnostics.run_folder import (
    HISTORY_COLUMNS,
    HISTORY_FILE,
    LOG_FILE,
    RunInfo,
    write_run_info,
    write_table,
)
from diagnostics.run_scores import write_scores
from diagnostics.task import NO_LABEL, FloatArray, IntArray, Task
from diagnostics.training.checkpoint import Checkpoints, FoldPredictions
from diagnostics.training.config import TrainConfig
from diagnostics.training.crossval import combine_folds
from diagnostics.training.device import describe_device, package_versions
from diagnostics.training.fold import (
    FoldNews,
    HistoryRow,
    OpenRun,
    RunInputs,
    explained_classes,
    n_beside,
    open_run,
)
from diagnostics.training.meter import WorkMeter
from diagnostics.training.plan import HELD_BACK, TRAIN_COLUMNS, WEIGHT, kinds_of, notes_of
from diagnostics.training.planting import mean_of_unplanted
from diagnostics.training.workers import train_folds


def train_run(
    items: pd.DataFrame,
    task: Task,
    config: TrainConfig,
    *,
    roots: Sequence[ImageRoot],
    run_dir: Path,
    cache_dir: Path,
    run_id: str,
    dataset_version: Mapping[str, int | str],
    now: datetime,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
) -> RunInfo:
    """Train, predict and score into `run_dir`; called again on an unfinished `run_dir` it goes on where it was.

    items : columns TRAIN_COLUMNS; label is null where there is none; only labelled items of split train are trained
        on, and of these not those that a column HELD_BACK marks
    roots : `root` is a position in it
    now : when this call started; the run keeps the time of its first call
    should_stop : asked after every batch; a stop raises Cancelled and leaves the folder to be resumed
    raises : Cancelled, or DataError, ConfigError, WeightsError, RunError with what to do
    """
    clock = _Clock(now)
    run_dir.mkdir(parents=True, exist_ok=True)
    inputs = RunInputs(items, task, config, tuple(roots), run_dir, cache_dir)
    checkpoints = Checkpoints(run_dir)
    noted = checkpoints.open(_identity(inputs))
    clock.go_on_from(noted)
    checkpoints.note(created_at=clock.created_at.isoformat())

    def keep_row(run: OpenRun, row: HistoryRow) -> None:
        run.checkpoints.note(seconds=clock.seconds)
        _write_history(run)
        _log(run.run_dir, row)

    run = _train(inputs, on_row=keep_row, on_progress=on_progress, should_stop=should_stop)
    _write_results(run, inputs)
    info = _info(run, inputs, clock, run_id, dataset_version)
    checkpoints.remove()
    write_run_info(run_dir, info)
    return info


def train_and_predict(
    items: pd.DataFrame,
    task: Task,
    config: TrainConfig,
    *,
    wanted: pd.Index,
    roots: Sequence[ImageRoot],
    work_dir: Path,
    cache_dir: Path,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
) -> FloatArray:
    """Train as `train_run` does, score nothing: what each model says of the wanted items.

    items : as for `train_run`; wanted : ids of some of them
    work_dir : an empty folder for what is needed on the way
    returns : (n_models, n_wanted, n_classes) float32
    raises : as `train_run`
    """
    inputs = RunInputs(items, task, config, tuple(roots), work_dir, cache_dir)
    Checkpoints(work_dir).open(_identity(inputs))
    run = _train(inputs, on_row=lambda _run, _row: None, on_progress=on_progress, should_stop=should_stop)
    rows = pd.Index(run.plan.items["item_id"]).get_indexer(wanted)
    return np.stack([fold.probabilities[rows] for fold in _kept_folds(run)])


class _Clock:
    """When the run was first started, and how long it has been worked on over all calls."""

    def __init__(self, now: datetime) -> None:
        self.now = self.created_at = now
        self.earlier_s = 0.0
        self.started_s = time.monotonic()

    def go_on_from(self, noted: Mapping[str, Any]) -> None:
        if noted:
            self.created_at = datetime.fromisoformat(noted["created_at"])
            self.earlier_s = float(noted.get("seconds", 0.0))

    @property
    def call_s(self) -> float:
        return time.monotonic() - self.started_s

    @property
    def seconds(self) -> float:
        return self.earlier_s + self.call_s

    @property
    def finished_at(self) -> datetime:
        return self.now + timedelta(seconds=self.call_s)


def _identity(inputs: RunInputs) -> dict[str, Any]:
    """What must be equal for an unfinished run to go on; the order of the rows may change."""
    columns = [*TRAIN_COLUMNS, *(name for name in (HELD_BACK, WEIGHT) if name in inputs.items)]
    rows = inputs.items[columns].sort_values("item_id").astype(object)
    content = json.dumps(rows.where(rows.notna(), None).to_numpy().tolist(), ensure_ascii=False, default=str)
    read = {name: str(inputs.items[name].dtype) for name in inputs.items if name not in columns}
    return ({"read": read} if read else {}) | {
        "format_version": 1,
        "config": inputs.config.identity(),
        "classes": list(inputs.task.classes),
        "items": hashlib.sha256(content.encode()).hexdigest(),
    }


def _train(
    inputs: RunInputs,
    *,
    on_row: Callable[[OpenRun, HistoryRow], None],
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
) -> OpenRun:
    """Train the models that are not finished. on_row : told of every finished epoch"""
    run = open_run(inputs, on_progress=on_progress)
    run = run.opened.way.settle(run, on_progress=on_progress, should_stop=should_stop)
    meter = WorkMeter(run.plan, run.config, on_progress)
    models = range(run.plan.n_models)
    unfinished = [model for model in models if run.checkpoints.load_fold(model) is None]
    for model in set(models) - set(unfinished):
        meter.skip_fold(model)

    def tell(news: FoldNews) -> None:
        meter.tell(news)
        if news.row is not None:
            on_row(run, news.row)

    train_folds(run, inputs, unfinished, n_parallel=n_beside(run), should_stop=should_stop, tell=tell)
    return run


def _write_results(run: OpenRun, inputs: RunInputs) -> None:
    """What the models say of all items, in the order in which these were given, and the scores made from that."""
    items, run_dir = inputs.items, run.run_dir
    order = pd.Index(run.plan.items["item_id"]).get_indexer(pd.Index(items["item_id"]))
    write_predictions(run_dir, _predictions(run, inputs.task, order))
    if run.opened.way.is_watched:
        write_dynamics(run_dir, _dynamics(run, order))
    explanations = _explanations(run, order)
    if explanations is not None:
        write_explanations(run_dir, explanations)
    contents = items["content_hash"].astype(str).tolist()
    write_scores(run_dir, contents, config=inputs.config, why_missing=run.opened.way.why_missing)


def _write_history(run: OpenRun) -> None:
    rows = [row for model in range(run.plan.n_models) for row in run.checkpoints.history_of(model)]
    write_table(run.run_dir / HISTORY_FILE, pd.DataFrame(rows, columns=list(HISTORY_COLUMNS)))


def _log(run_dir: Path, row: HistoryRow) -> None:
    with (run_dir / LOG_FILE).open("a", encoding="utf-8") as log:
        log.write(" ".join(f"{name}={_short(value)}" for name, value in row.items()) + "\n")


def _info(
    run: OpenRun, inputs: RunInputs, clock: _Clock, run_id: str, dataset_version: Mapping[str, int | str]
) -> RunInfo:
    return RunInfo(
        run_id=run_id,
        created_at=clock.created_at,
        finished_at=clock.finished_at,
        seconds=clock.seconds,
        config=inputs.config,
        resolved=run.config,
        classes=inputs.task.classes,
        label_kind=inputs.task.label_kind,
        dataset_version=dict(dataset_version),
        device=describe_device(run.machine.device),
        n_threads=run.config.n_threads or run.machine.n_threads,
        versions=package_versions(),
        n_train=len(run.plan.labelled_train),
        n_folds=run.plan.n_models,
        in_sample=inputs.config.folds == 0,
        arch=run.config.arch,
        pretrained=run.config.pretrained,
        notes=(*notes_of(run.plan, inputs.config), *run.opened.notes),
    )


def _kept_folds(run: OpenRun) -> list[FoldPredictions]:
    loaded = [run.checkpoints.load_fold(model) for model in range(run.plan.n_models)]
    return [fold for fold in loaded if fold is not None]


def _predictions(run: OpenRun, task: Task, order: IntArray) -> Predictions:
    """One row an item, in the order in which the items were given: the places of these in the plan."""
    plan = run.plan
    kept = _kept_folds(run)
    probabilities = [fold.probabilities for fold in kept]
    folds, kinds = plan.folds[order], kinds_of(plan)[order]
    shared = run.opened.features
    features = [fold.embeddings for fold in kept] if shared is None else [shared]
    fold_embeddings = FoldRows(features, order)
    return Predictions(
        item_ids=object_array(plan.items["item_id"])[order],
        splits=object_array(plan.items["split"])[order],
        folds=folds,
        kinds=kinds,
        given_labels=plan.space.texts(plan.codes)[order],
        pred_probs=combine_folds(probabilities, folds=plan.folds)[order],
        embeddings=pick_embeddings(fold_embeddings, kinds, folds),
        classes=task.classes,
        label_kind=task.label_kind,
        fold_probs=FoldRows(probabilities, order),
        fold_embeddings=fold_embeddings,
    )


def _dynamics(run: OpenRun, order: IntArray) -> Dynamics:
    """The training logits of all models as probabilities, rows in the order in which the items were given."""
    plan = run.plan
    train_logits = [fold.train_logits for fold in _kept_folds(run)]
    learnt = mean_of_unplanted(train_logits, plan.planted)
    positions = np.concatenate([planted.positions for planted in plan.planted])
    said = [logits[planted.positions] for logits, planted in zip(train_logits, plan.planted, strict=True)]
    return Dynamics(
        probs=plan.kind.probabilities(learnt[order]),
        planted_rows=np.argsort(order)[positions],
        planted_codes=np.concatenate([planted.classes for planted in plan.planted]),
        planted_models=np.repeat(
            np.arange(plan.n_models), [len(planted.positions) for planted in plan.planted]
        ),
        planted_probs=plan.kind.probabilities(np.concatenate(said)),
    )


def _explanations(run: OpenRun, order: IntArray) -> Explanations | None:
    """What the models say of labels, each of items that it was not trained on; None if these have no parts."""
    place, codes = np.argsort(order), np.full(len(order), NO_LABEL)
    found = []
    for model, fold in enumerate(_kept_folds(run)):
        if (kept := run.checkpoints.load_explanations(model)) is not None:
            positions, explained = kept
            codes[place[positions]] = explained_classes(run, fold.probabilities, positions)
            found.append((place[positions], explained))
    if not found:
        return None
    return place_explanations(found, n_items=len(order), parts=found[0][1].parts, codes=codes)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
