"""What an unfinished run needs to go on: the plan it started with, finished folds, the last finished epoch."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from diagnostics.errors import RunError
from diagnostics.explanations import Explanations, read_explanations, write_explanations
from diagnostics.run_folder import write_text
from diagnostics.task import FloatArray, IntArray
from diagnostics.training.logit_record import LogitRecord

FOLDER = "checkpoint"
PROBS_FILE, EMBEDDINGS_FILE = "probs.npy", "embeddings.npy"
LOGITS_FILE, RECORD_FILE = "train_logits.npy", "logits.npz"
EXPLAINED_FILE = "explained.npy"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a fold is: epochs finished of phase number `phase`."""

    phase: int
    epoch: int


@dataclass(frozen=True, slots=True)
class FoldPredictions:
    """What one model says of every item, memory-mapped, in the order of the plan.

    probabilities : (n_items, n_classes) float32; embeddings : (n_items, n_features) float16, of no features where the
        items have their own
    train_logits : (n_items, n_classes) float32, the mean over training batches; NaN for what it was not trained on
    """

    probabilities: FloatArray
    embeddings: FloatArray
    train_logits: FloatArray


class Checkpoints:
    """The checkpoint folder of one unfinished run; removed when the run is finished."""

    def __init__(self, run_dir: Path) -> None:
        self.folder = run_dir / FOLDER

    def open(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """Start with this plan, or go on with an equal one; returns what was noted so far.

        raises : RunError if the folder belongs to a run that was started with another plan
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "plan.json"
        if not path.is_file():
            write_text(path, json.dumps(plan, indent=1))
            return {}
        if json.loads(path.read_text()) != json.loads(json.dumps(plan)):
            raise RunError(
                f"The unfinished run in {self.folder.parent} was started with other options or other data. "
                "Start a new run, or resume this one with what it was started with."
            )
        return self.notes()

    def notes(self) -> dict[str, Any]:
        """Small values that outlive an interruption."""
        path = self.folder / "notes.json"
        values: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
        return values

    def note(self, **values: Any) -> None:
        write_text(self.folder / "notes.json", json.dumps(self.notes() | values, indent=1))

    def save_epoch(
        self, fold: int, position: Position, model: nn.Module, optimizer: Any, record: LogitRecord
    ) -> None:
        """Keep weights, optimizer and training logits after a finished epoch; the epoch before is forgotten."""
        beside = self.folder / f".epoch-{fold}.partial"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        save_weights(beside / "model.safetensors", model)
        torch.save(_plain(optimizer.state_dict()), beside / "optimizer.pt")
        sums, counts = record.state()
        np.savez(beside / RECORD_FILE, sums=sums, counts=counts)
        target = self.folder / f"epoch-{fold}-{position.phase}-{position.epoch}"
        beside.replace(target)
        for older in self.folder.glob(f"epoch-{fold}-*"):
            if older != target:
                shutil.rmtree(older)

    def epoch_of(self, fold: int) -> Position | None:
        """The last kept epoch of a fold."""
        kept = [path.name.split("-") for path in self.folder.glob(f"epoch-{fold}-*")]
        positions = [Position(int(phase), int(epoch)) for _, _, phase, epoch in kept]
        return max(positions, key=lambda position: (position.phase, position.epoch), default=None)

    def n_epochs_of(self, fold: int, epochs_of_phases: Sequence[int]) -> int:
        """How many epochs of a fold, over all phases, need not be trained again."""
        position = self.epoch_of(fold)
        return sum(epochs_of_phases[: position.phase]) + position.epoch if position else 0

    def save_history(self, fold: int, rows: Sequence[Mapping[str, Any]]) -> None:
        write_text(self.folder / f"history-{fold}.json", json.dumps(list(rows)))

    def history_of(self, fold: int) -> list[dict[str, Any]]:
        """The history rows of a fold so far."""
        path = self.folder / f"history-{fold}.json"
        rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
        return rows

    def load_model(self, fold: int, position: Position, model: nn.Module) -> None:
        load_weights(self._epoch_folder(fold, position) / "model.safetensors", model)

    def load_record(self, fold: int, position: Position, record: LogitRecord) -> None:
        with np.load(self._epoch_folder(fold, position) / RECORD_FILE) as state:
            record.load_state(state["sums"], state["counts"])

    def load_optimizer(self, fold: int, position: Position, optimizer: Any) -> None:
        path = self._epoch_folder(fold, position) / "optimizer.pt"
        optimizer.load_state_dict(torch.load(path, weights_only=True))

    def open_fold(self, fold: int, *, n_items: int, n_classes: int, n_features: int) -> "FoldPredictions":
        """Files for the predictions of a fold, to be filled and then kept with `keep_fold`."""
        beside = self.folder / f".fold-{fold}.partial"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        create = np.lib.format.open_memmap
        return FoldPredictions(
            create(beside / PROBS_FILE, mode="w+", dtype=np.float32, shape=(n_items, n_classes)),
            create(beside / EMBEDDINGS_FILE, mode="w+", dtype=np.float16, shape=(n_items, n_features)),
            create(beside / LOGITS_FILE, mode="w+", dtype=np.float32, shape=(n_items, n_classes)),
        )

    def keep_explanations(self, fold: int, positions: IntArray, explanations: Explanations | None) -> None:
        """Add what the model says speaks for and against labels, of items at these positions, to an opened fold."""
        if explanations is None:
            return
        folder = self.folder / f".fold-{fold}.partial"
        np.save(folder / EXPLAINED_FILE, positions)
        write_explanations(folder, explanations)

    def load_explanations(self, fold: int) -> tuple[IntArray, Explanations] | None:
        """Positions and explanations of a finished fold; None if it has none."""
        folder = self.folder / f"fold-{fold}"
        found = read_explanations(folder)
        return None if found is None else (np.load(folder / EXPLAINED_FILE), found)

    def keep_fold(self, fold: int) -> None:
        """The predictions of this fold are complete."""
        (self.folder / f".fold-{fold}.partial").replace(self.folder / f"fold-{fold}")

    def load_fold(self, fold: int) -> "FoldPredictions | None":
        """The predictions of a fold, None if it is not finished."""
        folder = self.folder / f"fold-{fold}"
        if not folder.is_dir():
            return None
        return FoldPredictions(
            np.load(folder / PROBS_FILE, mmap_mode="r"),
            np.load(folder / EMBEDDINGS_FILE, mmap_mode="r"),
            np.load(folder / LOGITS_FILE, mmap_mode="r"),
        )

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def _epoch_folder(self, fold: int, position: Position) -> Path:
        return self.folder / f"epoch-{fold}-{position.phase}-{position.epoch}"


def save_weights(path: Path, model: nn.Module) -> None:
    """Write the weights as safetensors, beside and then moved."""
    beside = path.with_name(f".{path.name}.partial")
    save_file(_apart(model.state_dict()), beside)
    beside.replace(path)


def _apart(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights that several layers share once for each of them, as the format has them."""
    apart: dict[str, torch.Tensor] = {}
    known: set[int] = set()
    for name, tensor in weights.items():
        apart[name] = tensor.clone() if tensor.data_ptr() in known else tensor.contiguous()
        known.add(tensor.data_ptr())
    return apart


def load_weights(path: Path, model: nn.Module) -> None:
    """Read weights into a model of the same architecture; its memory layout is kept."""
    model.load_state_dict(load_file(path))


def _plain(value: Any) -> Any:
    """Nested containers as list, dict and tensors only, which torch reads without unpickling code."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.Tensor | str | int | float) or value is None:
        return value
    return [_plain(inner) for inner in value]
