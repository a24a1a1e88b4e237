"""Train one model: learning rate finder, one-cycle phases, and what is recorded and kept after each epoch."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.fp16 import MixedPrecision
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import SuggestionMethod
from fastai.learner import Learner, Recorder

from diagnostics.errors import Cancelled, RunError, WinnowError
from diagnostics.label_kinds.kind import Learning
from diagnostics.modalities import Machine
from diagnostics.run_folder import HISTORY_COLUMNS, LR_FINDER_COLUMNS
from diagnostics.task import FloatArray
from diagnostics.training.checkpoint import Checkpoints, Position, load_weights, save_weights
from diagnostics.training.config import TrainConfig
from diagnostics.training.device import autocast, seed_everything
from diagnostics.training.fold import HistoryRow
from diagnostics.training.logit_record import LogitRecord
from diagnostics.training.recipe import Phase

CHECKPOINT_EVERY_S = 5.0
FINDER_STEPS = 80
LARGEST_FOUND_LR = 0.02
FINDER_LRS = (1e-5, 1.0)


@dataclass(frozen=True)
class FoldReport:
    """Who is told what while a fold is trained.

    should_stop : asked after every batch
    on_batch : told what each batch was
    on_epoch : told the history row of each finished epoch
    """

    should_stop: Callable[[], bool]
    on_batch: Callable[["BatchNews"], None]
    on_epoch: Callable[[HistoryRow], None]


@dataclass(frozen=True, slots=True)
class BatchNews:
    """One batch went through the model. epoch counts from 0; n_trained is 0 while held-out items are evaluated."""

    epoch: int
    n_trained: int
    items_per_s: float


def find_lr(
    learner: Learner,
    *,
    phases: Sequence[Phase],
    machine: Machine,
    should_stop: Callable[[], bool],
    seed: int,
) -> pd.DataFrame:
    """Run the learning rate finder; the learner is not to be used afterwards.

    returns : the curve, columns LR_FINDER_COLUMNS; loss is smoothed, one row is chosen
    raises : Cancelled
    """
    seed_everything(seed, 0, 0)
    learner.freeze_to(phases[0].freeze_to)
    stop = _StopOnRequest(should_stop)
    with learner.no_bar(), learner.added_cbs([stop, *_precision_callbacks(machine)]):
        suggested = learner.lr_find(
            start_lr=FINDER_LRS[0],
            end_lr=FINDER_LRS[1],
            num_it=FINDER_STEPS,
            show_plot=False,
            suggest_funcs=SuggestionMethod.Valley,
        )
    if stop.stopped:
        raise Cancelled("Stopped while looking for the learning rate.")
    lrs = np.asarray(learner.recorder.lrs, dtype=float)
    losses = np.asarray([float(loss) for loss in learner.recorder.losses])
    chosen = suggested.valley if phases[0].frozen else lr_below_minimum(lrs, losses)
    nearest = np.argmin(np.abs(np.log(lrs) - np.log(chosen)))
    table = pd.DataFrame({"lr": lrs, "loss": losses, "chosen": np.arange(len(lrs)) == nearest})
    return table[list(LR_FINDER_COLUMNS)]


def lr_below_minimum(lrs: FloatArray, losses: FloatArray) -> float:
    """A third of the learning rate at which the smoothed loss is lowest, at most LARGEST_FOUND_LR.

    For a network trained from scratch over a whole one-cycle, fastai's valley rule, made for fine-tuning, is several
    times too careful; this rule came out near the best of a grid on the sets it was tried on. On few items the loss can
    stay flat up to rates at which Adam no longer converges, hence the bound.

    >>> lr_below_minimum(np.array([0.015, 0.03, 0.06]), np.array([2.0, 0.5, 3.0]))
    0.01
    """
    return min(float(lrs[np.nanargmin(losses)]) / 3, LARGEST_FOUND_LR)


def fit_fold(
    learner: Learner,
    *,
    fold: int,
    phases: Sequence[Phase],
    config: TrainConfig,
    machine: Machine,
    held_out: str,
    history: Sequence[HistoryRow],
    logits: LogitRecord,
    learning: Learning,
    checkpoints: Checkpoints,
    report: FoldReport,
) -> None:
    """Train the learner's model through all phases, from the last checkpoint of this fold if there is one.

    logits : filled with what the model says of its training batches in the second half of the epochs
    learning : how the labels are learnt
    held_out : the name of the items behind valid_loss and accuracy
    history : the rows of this fold's epochs up to the checkpoint
    raises : Cancelled if asked to stop, RunError if the loss is no number any more
    """
    done = checkpoints.epoch_of(fold)
    if done is not None:
        checkpoints.load_model(fold, done, learner.model)
        checkpoints.load_record(fold, done, logits)
    n_before = 0
    n_epochs = sum(phase.n_epochs for phase in phases)
    record = _FoldRecord(
        fold, held_out, config, list(history), logits, n_epochs // 2, learning, checkpoints, report
    )
    for number, phase in enumerate(phases):
        if record.stopped_early:
            break
        if done is None or number >= done.phase:
            resume_at = done.epoch if done is not None and done.phase == number else 0
            _fit_phase(learner, number, phase, resume_at, n_before, machine, record)
        n_before += phase.n_epochs
    if config.keep_best and record.best_path.is_file():
        load_weights(record.best_path, learner.model)


def _fit_phase(
    learner: Learner,
    number: int,
    phase: Phase,
    resume_at: int,
    n_before: int,
    machine: Machine,
    record: "_FoldRecord",
) -> None:
    if resume_at >= phase.n_epochs:
        return
    learner.freeze_to(phase.freeze_to)
    if resume_at:
        record.checkpoints.load_optimizer(record.fold, Position(number, resume_at), learner.opt)
    watch = _EpochWatch(number, phase, resume_at, n_before, record)
    _remove_default_callbacks(learner)
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(
            phase.n_epochs,
            phase.lr,
            moms=phase.moms,
            start_epoch=resume_at,
            cbs=[watch, *_precision_callbacks(machine)],
        )
    if watch.problem is not None:
        raise watch.problem


def _remove_default_callbacks(learner: Learner) -> None:
    """No progress bar, no table on the terminal."""
    for callback in list(learner.cbs):
        if isinstance(callback, ProgressCallback | Recorder):
            learner.remove_cb(callback)


def _precision_callbacks(machine: Machine) -> list[Callback]:
    if machine.precision == "off":
        return []
    if machine.device.type == "cuda" and machine.precision == "fp16":
        return [MixedPrecision()]
    return [_Bfloat16(machine)]


class _Bfloat16(Callback):  # type: ignore[misc]
    """Run the forward pass in bfloat16, whose range needs no scaling of the loss."""

    order = 10

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def before_batch(self) -> None:
        self.context = autocast(self.machine.device, self.machine.precision)
        self.context.__enter__()

    def after_pred(self) -> None:
        self.context.__exit__(None, None, None)
        self.learn.pred = self.pred.float()


class _StopOnRequest(Callback):  # type: ignore[misc]
    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self.should_stop = should_stop
        self.stopped = False

    def after_batch(self) -> None:
        if self.should_stop():
            self.stopped = True
            raise CancelFitException


class _FoldRecord:
    """What is known of a fold across its phases: its history, its best epoch, when it was last kept."""

    def __init__(
        self,
        fold: int,
        held_out: str,
        config: TrainConfig,
        history: list[HistoryRow],
        logits: LogitRecord,
        record_from: int,
        learning: Learning,
        checkpoints: Checkpoints,
        report: FoldReport,
    ) -> None:
        self.fold = fold
        self.held_out = held_out
        self.config = config
        self.history = history
        self.logits = logits
        self.record_from = record_from
        self.learning = learning
        self.checkpoints = checkpoints
        self.report = report
        self.best_path = checkpoints.folder / f"best-{fold}.safetensors"
        self.kept_at_s = time.monotonic()

    @property
    def stopped_early(self) -> bool:
        patience = self.config.early_stopping_patience
        if not patience or not self.history:
            return False
        best = int(np.argmin([row["valid_loss"] for row in self.history]))
        return len(self.history) - 1 - best >= patience

    def add(self, row: HistoryRow, model: torch.nn.Module) -> None:
        is_best = all(row["valid_loss"] < earlier["valid_loss"] for earlier in self.history)
        self.history.append(row)
        self.report.on_epoch(row)
        if self.config.keep_best and is_best:
            save_weights(self.best_path, model)

    def keep_epoch(self, position: Position, learner: Learner, *, now_s: float) -> None:
        """Epochs of less than a few seconds are not worth a checkpoint each."""
        if now_s - self.kept_at_s >= CHECKPOINT_EVERY_S:
            self.checkpoints.save_epoch(self.fold, position, learner.model, learner.opt, self.logits)
            self.kept_at_s = time.monotonic()


class _EpochWatch(Callback):  # type: ignore[misc]
    """Seeds each epoch by its number, so that resuming changes nothing; measures; keeps; stops on request.

    fastai rewrites the text of exceptions that leave a callback, so `problem` carries them out.
    """

    order = 60

    def __init__(
        self, phase_number: int, phase: Phase, resume_at: int, n_before: int, record: _FoldRecord
    ) -> None:
        self.phase_number = phase_number
        self.phase = phase
        self.resume_at = resume_at
        self.n_before = n_before
        self.record = record
        self.problem: WinnowError | None = None

    def before_epoch(self) -> None:
        numbers = (self.record.config.seed, 1 + self.record.fold, 1 + self.n_before + self.epoch)
        seed = seed_everything(*numbers)
        self.learn.dls.train.order_rng = np.random.default_rng(seed)
        self.started_s = time.monotonic()
        self.train_s = 0.0
        self.n_trained = self.n_evaluated = 0
        self.loss_sum, self.valid_loss_sum, self.n_correct = (torch.zeros(()) for _ in range(3))

    def after_batch(self) -> None:
        n_items = len(self.yb[0])
        if self.training:
            self.n_trained += n_items
            self._record_logits()
            self.loss_sum = self.loss_sum.to(self.loss.device) + self.loss.detach() * n_items
        else:
            self._evaluate(n_items)
        elapsed_s = max(1e-9, time.monotonic() - self.started_s)
        self.record.report.on_batch(
            BatchNews(
                epoch=self.n_before + self.epoch,
                n_trained=n_items if self.training else 0,
                items_per_s=self.n_trained / elapsed_s,
            )
        )
        if self.record.report.should_stop():
            self.problem = Cancelled("Training was stopped.")
            raise CancelFitException

    def _record_logits(self) -> None:
        """What the model said before it learnt from the batch; epochs that a resumed run skips have no batches."""
        if self.n_before + self.epoch >= self.record.record_from:
            self.record.logits.add(self.learn.dls.train.batch_positions, self.pred.detach())

    def _evaluate(self, n_items: int) -> None:
        codes = self.yb[0]
        self.n_evaluated += n_items
        learning = self.record.learning
        loss = learning.loss_sum(self.pred.float(), codes)
        self.valid_loss_sum = self.valid_loss_sum.to(loss.device) + loss
        self.n_correct = self.n_correct.to(loss.device) + learning.n_right(self.pred, codes)

    def after_train(self) -> None:
        self.train_s = time.monotonic() - self.started_s

    def after_epoch(self) -> None:
        if self.epoch < self.resume_at:
            return
        row = self._row()
        if not np.isfinite(row["train_loss"]):
            self.problem = RunError(
                f"The training loss is no number any more in epoch {row['epoch']} of fold {row['fold']}. "
                "Set a smaller lr, or mixed_precision off."
            )
            raise CancelFitException
        self.record.add(row, self.learn.model)
        position = Position(self.phase_number, self.epoch + 1)
        self.record.keep_epoch(position, self.learn, now_s=time.monotonic())
        if self.record.stopped_early:
            raise CancelFitException

    def _row(self) -> HistoryRow:
        seconds = time.monotonic() - self.started_s
        values = (
            self.record.fold,
            self.n_before + self.epoch,
            self.phase.name,
            float(self.loss_sum) / max(1, self.n_trained),
            float(self.valid_loss_sum) / max(1, self.n_evaluated),
            float(self.n_correct) / max(1, self.n_evaluated),
            self.record.held_out,
            self.n_trained / max(1e-9, self.train_s),
            seconds,
        )
        return dict(zip(HISTORY_COLUMNS, values, strict=True))
