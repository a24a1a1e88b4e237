"""One entry for each kind of item: how it becomes what a model reads.

A new modality is a module with a function `open_items` (see `OpenItems`) and a line in MODALITIES.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import pandas as pd

from diagnostics.errors import ConfigError
from diagnostics.image_files import ImageRoot
from diagnostics.progress import ProgressCallback
from diagnostics.task import IntArray, Task
from diagnostics.training.config import TrainConfig

if TYPE_CHECKING:
    import torch

MODALITIES = {"image": "diagnostics.modalities.image"}


@dataclass(frozen=True, slots=True)
class Machine:
    """Where models run.

    precision : "off", "fp16" or "bf16"
    n_threads : CPU threads of the whole run
    """

    device: "torch.device"
    precision: str
    n_threads: int


class OpenedItems(Protocol):
    """The items of one run, ready to be trained on and predicted; positions are rows of the item table."""

    config: TrainConfig

    def learner(self, train: IntArray, held_out: IntArray, *, learnt_codes: IntArray, path: Path) -> Any:
        """A fastai Learner with fresh weights whose loaders give the train and the held-out positions.

        learnt_codes : (n_items,), what the train positions are trained on; held-out ones keep the items' own labels
        The train loader tells in `batch_positions` which of `train` its last batch held.
        """

    def views(self, positions: IntArray) -> list["torch.Tensor"]:
        """Inputs for prediction on the device; the model's probabilities are averaged over the views."""

    def load_network(self, weights: Path) -> Any:
        """A network of the learner's kind with these weights, on the device."""

    def describe_model(self) -> Mapping[str, Any]:
        """What is needed, beside its weights, to use a trained model again; JSON-able."""


class OpenItems(Protocol):
    """Take in the items of a run: decode or index what is needed and fill in the configuration."""

    def __call__(
        self,
        items: pd.DataFrame,
        *,
        task: Task,
        codes: IntArray,
        config: TrainConfig,
        n_train: int,
        roots: Sequence[ImageRoot],
        cache_dir: Path,
        machine: Machine,
        on_progress: ProgressCallback,
    ) -> OpenedItems: ...


class OpenTrained(Protocol):
    """Take in items for a network that is trained already; `about` is what `describe_model` said of it."""

    def __call__(
        self,
        items: pd.DataFrame,
        *,
        about: Mapping[str, Any],
        roots: Sequence[ImageRoot],
        cache_dir: Path,
        machine: Machine,
        on_progress: ProgressCallback,
    ) -> OpenedItems: ...


def open_trained_of(modality: str) -> OpenTrained:
    """The function that takes in items of a modality for a trained network; raises as `open_items_of`."""
    return cast(OpenTrained, _module_of(modality).open_trained)


def open_items_of(modality: str) -> OpenItems:
    """The function that takes in the items of a modality; its libraries are loaded now.

    raises : ConfigError for a modality that there is no entry for
    """
    return cast(OpenItems, _module_of(modality).open_items)


def _module_of(modality: str) -> Any:
    if modality not in MODALITIES:
        raise ConfigError(f"Unknown modality {modality!r}; known: {', '.join(MODALITIES)}.")
    return importlib.import_module(MODALITIES[modality])
