"""One model of a run: open the run's items, train the model in the way that they say, tell how far it is."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from diagnostics.chunks import n_cores
from diagnostics.image_files import ImageRoot
from diagnostics.label_kinds.kind import Learning, learning_of
from diagnostics.modalities import Machine, OpenedItems, OpenInputs, ToExplain, open_items_of
from diagnostics.progress import ProgressCallback
from diagnostics.task import NO_LABEL, FloatArray, IntArray, Task
from diagnostics.training.checkpoint import Checkpoints
from diagnostics.training.config import TrainConfig, check_fits
from diagnostics.training.crossval import NO_FOLD
from diagnostics.training.device import pick_device, resolve_precision
from diagnostics.training.plan import VALIDATION, Plan, make_plan
from diagnostics.training.planting import NOTHING_PLANTED

NEWS_EVERY_S = 0.1
FIRST_MODEL = 0

HistoryRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FoldNews:
    """What happened to one model since the last news of it; small enough to be sent between processes.

    epoch : the one it is in, from 0
    n_trained, n_predicted : items since the last news
    items_per_s : trained on per second in this epoch
    n_epochs_before : epochs that an earlier call had finished, told once
    row : the history row of an epoch that has just finished
    """

    model: int
    epoch: int
    n_trained: int = 0
    n_predicted: int = 0
    items_per_s: float = 0.0
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
    """A run whose items are ready to be trained on; once it is settled, config has everything filled in."""

    plan: Plan
    opened: OpenedItems
    n_classes: int
    machine: Machine
    config: TrainConfig
    run_dir: Path
    checkpoints: Checkpoints

    @property
    def learning(self) -> Learning:
        """How the labels of this run are learnt."""
        return learning_of(self.plan.kind, self.plan.space)


def open_run(inputs: RunInputs, *, on_progress: ProgressCallback) -> OpenRun:
    """Decide the folds, take in the items, fix device and number format."""
    check_fits(inputs.config, inputs.task.modality, inputs.task.label_kind)
    plan = make_plan(inputs.items, inputs.task, inputs.config)
    machine = _machine(inputs.config)
    opened = open_items_of(inputs.task.modality)(
        OpenInputs(
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
    )
    config = opened.config
    if not opened.way.is_watched:
        plan = replace(plan, planted=(NOTHING_PLANTED,) * plan.n_models)
        config = replace(config, planted=0.0)
    if plan.held_out != VALIDATION:
        config = replace(config, keep_best=False, early_stopping_patience=0)
    n_classes = len(inputs.task.classes)
    return OpenRun(plan, opened, n_classes, machine, config, inputs.run_dir, Checkpoints(inputs.run_dir))


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


def n_threads_of_model(run: OpenRun) -> int:
    """How many threads each of the models has that train side by side."""
    return max(1, run.machine.n_threads // n_beside(run))


def n_beside(run: OpenRun) -> int:
    """How many of the run's models train side by side; on a GPU one."""
    if run.machine.device.type == "cuda":
        return 1
    return n_parallel_models(run.plan.n_models, n_threads=run.machine.n_threads)


def _machine(config: TrainConfig) -> Machine:
    device = pick_device()
    return Machine(device, resolve_precision(config.mixed_precision, device), config.n_threads or n_cores())


class Way(Protocol):
    """How models are trained: as networks or as estimators; asked by a run, and by each process that trains for it.

    is_watched : what the models say while they learn is recorded, and labels are planted to read it by
    why_missing : by the name of a signal of label quality that such models do not give, why
    """

    is_watched: bool
    why_missing: Mapping[str, str]

    def settle(
        self, run: OpenRun, *, on_progress: ProgressCallback, should_stop: Callable[[], bool]
    ) -> OpenRun:
        """Do what is done once before models are trained; the run with all of its configuration filled in."""

    def train(self, run: OpenRun, teller: "Teller", *, should_stop: Callable[[], bool]) -> None:
        """Train a model from where it was left, predict every item, keep predictions and what else is wanted of it."""


def train_fold(
    run: OpenRun, model: int, *, should_stop: Callable[[], bool], tell: Callable[[FoldNews], None]
) -> None:
    """Train one model of a settled run and keep in its folder what comes of it."""
    teller = Teller(run, model, tell)
    run.opened.way.train(run, teller, should_stop=should_stop)
    teller.finish()


def to_explain(run: OpenRun, model: int, probabilities: FloatArray) -> ToExplain | None:
    """The items whose labels a model is to explain: those that it held out; the first model also what none was trained
    on. None if there are none, or the classes are too few for a rival.

    probabilities : (n_items, n_classes), what the model says of every item
    """
    folds, codes = run.plan.folds, run.plan.codes
    asked = folds == model
    if model == FIRST_MODEL:
        unseen = folds == NO_FOLD
        unseen[run.plan.labelled_train] = False
        asked |= unseen
    positions = np.flatnonzero(asked)
    if not len(positions) or probabilities.shape[1] < 2:
        return None
    probs = np.array(probabilities[positions], dtype=np.float32)
    explained, rivals, support = run.plan.kind.asked(run.plan.space, codes[positions], probs)
    order = np.lexsort((support, codes[positions] == NO_LABEL))
    return ToExplain(positions[order], explained[order], rivals[order], n_models=run.plan.n_models)


def explained_classes(run: OpenRun, probabilities: FloatArray, positions: IntArray) -> IntArray:
    """(n,), which class of each item is explained, see `diagnostics.label_kinds.kind.LabelKind.asked`.

    probabilities : (n_items, n_classes), of the model that explains
    """
    plan = run.plan
    return plan.kind.asked(plan.space, plan.codes[positions], np.array(probabilities[positions]))[0]


class Teller:
    """Collects what one model does into news a few times a second, and keeps its history."""

    def __init__(self, run: OpenRun, model: int, tell: Callable[[FoldNews], None]) -> None:
        self.run = run
        self.model = model
        self.history: list[HistoryRow] = []
        self.tell = tell
        self.n_trained = self.n_predicted = 0
        self.told_s = 0.0

    def go_on_from(self, history: Sequence[HistoryRow]) -> None:
        """The epochs that an earlier call had finished."""
        self.history = list(history)
        self.tell(FoldNews(self.model, epoch=len(history), n_epochs_before=len(history)))

    def on_trained(self, epoch: int, n_items: int, items_per_s: float) -> None:
        """Items went through the model, none of them while held-out ones are evaluated."""
        self.n_trained += n_items
        self._tell(epoch, items_per_s)

    def on_predicted(self, n_items: int) -> None:
        self.n_predicted += n_items
        self._tell(len(self.history) - 1, 0.0)

    def on_epoch(self, row: HistoryRow) -> None:
        self.history.append(row)
        self.run.checkpoints.save_history(self.model, self.history)
        self._tell(row["epoch"], row["items_per_s"], row=row)

    def finish(self) -> None:
        """Tell what has not been told yet, and that nothing goes through the model any more."""
        self.told_s = 0.0
        self._tell(len(self.history) - 1, 0.0)

    def _tell(self, epoch: int, items_per_s: float, *, row: HistoryRow | None = None) -> None:
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
                items_per_s=items_per_s,
                row=row,
            )
        )
        self.n_trained = self.n_predicted = 0
