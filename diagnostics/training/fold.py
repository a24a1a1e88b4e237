"""One model of a run: open the run's items, train the model, predict every item, keep both."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from diagnostics.chunks import n_cores
from diagnostics.image_files import ImageRoot
from diagnostics.modalities import Machine, OpenedItems, open_items_of
from diagnostics.progress import ProgressCallback
from diagnostics.run_folder import WEIGHTS_FOLDER, write_text
from diagnostics.task import Task
from diagnostics.training.checkpoint import Checkpoints, save_weights
from diagnostics.training.config import TrainConfig
from diagnostics.training.device import (
    pick_device,
    prepare_torch,
    resolve_precision,
    seed_everything,
)
from diagnostics.training.fit import BatchNews, FoldReport, HistoryRow, find_lr, fit_fold
from diagnostics.training.logit_record import LogitRecord
from diagnostics.training.plan import VALIDATION, Plan, make_plan
from diagnostics.training.predict import output_sizes, predict
from diagnostics.training.recipe import phases_of

PREDICT_BATCH_SIZE = 256
PROVISIONAL_LR = 1e-3
NEWS_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class FoldNews:
    """What happened to one model since the last news of it; small enough to be sent between processes.

    epoch : the one it is in, from 0
    n_trained, n_predicted : items since the last news
    images_per_s : trained on per second in this epoch
    n_epochs_before : epochs that an earlier call had finished, told once
    row : the history row of an epoch that has just finished
    """

    model: int
    epoch: int
    n_trained: int = 0
    n_predicted: int = 0
    images_per_s: float = 0.0
    n_epochs_before: int = 0
    row: HistoryRow | None = None


@dataclass(frozen=True, slots=True)
class RunInputs:
    """All that a process needs to open a run; items as given to `train_run`."""

    items: pd.DataFrame
    task: Task
    config: TrainConfig
    roots: tuple[ImageRoot, ...]
    run_dir: Path
    cache_dir: Path


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run whose items are ready to be trained on; config has everything but perhaps `lr` filled in."""

    plan: Plan
    opened: OpenedItems
    machine: Machine
    config: TrainConfig
    run_dir: Path
    checkpoints: Checkpoints


def open_run(inputs: RunInputs, *, on_progress: ProgressCallback) -> OpenRun:
    """Decide the folds, take in the items, fix device, number format and threads of this process."""
    plan = make_plan(inputs.items, inputs.task, inputs.config)
    machine = _machine(inputs.config)
    opened = open_items_of(inputs.task.modality)(
        plan.items,
        task=inputs.task,
        codes=plan.codes,
        config=inputs.config,
        n_train=plan.n_shown(0, inputs.config),
        roots=inputs.roots,
        cache_dir=inputs.cache_dir,
        machine=machine,
        on_progress=on_progress,
    )
    config = opened.config
    if plan.held_out != VALIDATION:
        config = replace(config, keep_best=False, early_stopping_patience=0)
    run = OpenRun(plan, opened, machine, config, inputs.run_dir, Checkpoints(inputs.run_dir))
    prepare_torch(max(1, machine.n_threads // n_beside(run)))
    return run


def n_parallel_models(n_models: int, *, n_threads: int) -> int:
    """How many models a CPU trains side by side: small networks on one thread each are faster than one on many.

    With fewer threads than models, a few more than there are threads, so that none is idle at the end: 5 models on
    2 threads take 2.5 times as long as one if 3 begin together (3, then 2), but 3 times if 2 do (2, 2, then 1).

    >>> [n_parallel_models(5, n_threads=n_threads) for n_threads in (1, 2, 4, 16)]
    [1, 3, 5, 5]
    """
    if n_threads == 1:
        return 1
    n_waves = max(1, n_models // n_threads)
    return math.ceil(n_models / n_waves)


def n_beside(run: OpenRun) -> int:
    """How many of the run's models train side by side; on a GPU one."""
    if run.machine.device.type == "cuda":
        return 1
    return n_parallel_models(run.plan.n_models, n_threads=run.machine.n_threads)


def _machine(config: TrainConfig) -> Machine:
    device = pick_device()
    return Machine(device, resolve_precision(config.mixed_precision, device), config.n_threads or n_cores())


def find_run_lr(run: OpenRun, *, should_stop: Callable[[], bool]) -> pd.DataFrame:
    """The learning rate finder's curve on the first model."""
    return find_lr(
        _learner(run, 0),
        phases=phases_of(run.config, PROVISIONAL_LR),
        machine=run.machine,
        should_stop=should_stop,
        seed=run.config.seed,
    )


def train_fold(
    run: OpenRun, model: int, *, should_stop: Callable[[], bool], tell: Callable[[FoldNews], None]
) -> None:
    """Train one model from its last checkpoint, predict, and keep weights and predictions in the run folder.

    run : with config.lr set
    """
    phases = phases_of(run.config, run.config.lr or PROVISIONAL_LR)
    n_before = run.checkpoints.n_epochs_of(model, [phase.n_epochs for phase in phases])
    history = run.checkpoints.history_of(model)[:n_before]
    teller = _Teller(run, model, history, tell)
    tell(FoldNews(model, epoch=n_before, n_epochs_before=n_before))
    learner = _learner(run, model)
    n_items = len(run.plan.items)
    n_classes, n_features = output_sizes(learner.model)
    logits = LogitRecord(len(run.plan.trained_on(model)), n_classes)
    fit_fold(
        learner,
        fold=model,
        phases=phases,
        config=run.config,
        machine=run.machine,
        held_out=run.plan.held_out,
        history=history,
        logits=logits,
        checkpoints=run.checkpoints,
        report=FoldReport(should_stop=should_stop, on_batch=teller.on_batch, on_epoch=teller.on_epoch),
    )
    _keep_weights(run, model, learner.model)
    kept = run.checkpoints.open_fold(model, n_items=n_items, n_classes=n_classes, n_features=n_features)
    predict(
        learner.model,
        run.opened,
        np.arange(n_items),
        probabilities=kept.probabilities,
        embeddings=kept.embeddings,
        machine=run.machine,
        batch_size=PREDICT_BATCH_SIZE,
        should_stop=should_stop,
        on_batch=teller.on_predicted,
    )
    kept.train_logits[:] = np.nan
    kept.train_logits[run.plan.trained_on(model)] = logits.means()
    run.checkpoints.keep_fold(model)
    teller.finish()


def _learner(run: OpenRun, model: int) -> Any:
    seed_everything(run.config.seed, 1 + model, 0)
    return run.opened.learner(
        run.plan.trained_on(model),
        run.plan.evaluated[model],
        learnt_codes=run.plan.learnt_codes(model),
        path=run.checkpoints.folder,
    )


def _keep_weights(run: OpenRun, model: int, network: Any) -> None:
    folder = run.run_dir / WEIGHTS_FOLDER
    folder.mkdir(exist_ok=True)
    save_weights(folder / f"fold-{model}.safetensors", network)
    about = {"format_version": 1, **run.opened.describe_model()}
    write_text(folder / "model.json", json.dumps(about, indent=1, ensure_ascii=False))


class _Teller:
    """Collects what one model does into news a few times a second."""

    def __init__(
        self, run: OpenRun, model: int, history: Sequence[HistoryRow], tell: Callable[[FoldNews], None]
    ) -> None:
        self.run = run
        self.model = model
        self.history = list(history)
        self.tell = tell
        self.n_trained = self.n_predicted = 0
        self.told_s = 0.0

    def on_batch(self, news: BatchNews) -> None:
        self.n_trained += news.n_trained
        self._tell(news.epoch, news.images_per_s)

    def on_predicted(self, n_items: int) -> None:
        self.n_predicted += n_items
        self._tell(len(self.history) - 1, 0.0)

    def on_epoch(self, row: HistoryRow) -> None:
        self.history.append(row)
        self.run.checkpoints.save_history(self.model, self.history)
        self._tell(row["epoch"], row["images_per_s"], row=row)

    def finish(self) -> None:
        """Tell what has not been told yet, and that nothing goes through the model any more."""
        self.told_s = 0.0
        self._tell(len(self.history) - 1, 0.0)

    def _tell(self, epoch: int, images_per_s: float, *, row: HistoryRow | None = None) -> None:
        now_s = time.monotonic()
        if row is None and now_s - self.told_s < NEWS_EVERY_S:
            return
        self.told_s = now_s
        self.tell(
            FoldNews(
                self.model,
                epoch=epoch,
                n_trained=self.n_trained,
                n_predicted=self.n_predicted,
                images_per_s=images_per_s,
                row=row,
            )
        )
        self.n_trained = self.n_predicted = 0
