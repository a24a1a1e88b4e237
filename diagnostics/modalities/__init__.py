"""One entry for each kind of item: how it becomes what a model reads.

A new modality is two modules and a line in MODALITIES: one with a function `open_items` (see `OpenItems`) and, if it
has networks, `open_trained` (see `OpenTrained`); one with a function `find_quick_features` (see `FindQuickFeatures`),
which is asked before every quick round and so imports no library of models at its top.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import pandas as pd

from diagnostics.errors import ConfigError
from diagnostics.explanations import Explanations
from diagnostics.image_files import ImageRoot
from diagnostics.predictions import SharedEmbeddings
from diagnostics.progress import ProgressCallback
from diagnostics.task import FloatArray, IntArray, Task
from diagnostics.training.config import TrainConfig

if TYPE_CHECKING:
    import torch

    from diagnostics.run_folder import Run
    from diagnostics.training.fold import Way
    from diagnostics.training.imbalance import Shown
    from diagnostics.training.recipe import Phase


@dataclass(frozen=True, slots=True)
class ModalityModules:
    """Where the functions of a modality are; imported when they are needed.

    items : `open_items` and `open_trained`; quick : `find_quick_features`
    own_features : the items have features of their own, so that quick rounds need no run before
    """

    items: str
    quick: str
    own_features: bool = False


MODALITIES = {
    "image": ModalityModules("diagnostics.modalities.image", "diagnostics.modalities.image_quick"),
    "text": ModalityModules(
        "diagnostics.modalities.text", "diagnostics.modalities.text_quick", own_features=True
    ),
    "tabular": ModalityModules(
        "diagnostics.modalities.tabular", "diagnostics.modalities.tabular_quick", own_features=True
    ),
}


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
    """The items of one run, taken in by their modality; positions are rows of the item table.

    config : with everything filled in that was left to the data, except perhaps `lr`
    work : how much it is to show one item to a model once, 1 = one pixel of an image to a small network; decides
        whether a run is worth several processes
    features : (n_items, n_features), of the items alone and so the same for every model, float16; None where each model
        has features of its own
    notes : what a reader of the run's numbers should know of how the items were taken in, one sentence each
    """

    config: TrainConfig
    work: float
    notes: tuple[str, ...]
    features: FloatArray | None

    @property
    def way(self) -> "Way":
        """How a model is trained on these items, see `diagnostics.training.network` and `.estimator`."""


@dataclass(frozen=True, slots=True)
class ToExplain:
    """Items that one model is to be asked about, none of which it was trained on.

    positions : (n,), most suspect first
    codes : (n,), of the label that is explained: the given one, else the one that the model predicts
    rivals : (n,), the strongest other class by this model; the class itself where none stands against it, because an
        item can have several
    n_models : how many models the run has: what is explained of each is to be bounded by it
    """

    positions: IntArray
    codes: IntArray
    rivals: IntArray
    n_models: int


class NetworkItems(OpenedItems, Protocol):
    """Items that fastai networks are trained on."""

    def prepare(
        self, folder: Path, *, on_progress: ProgressCallback, should_stop: Callable[[], bool]
    ) -> None:
        """Do what is done once a run before its models are trained; what was done is found again in `folder`."""

    def phases(self, lr: float) -> "list[Phase]":
        """The schedule of a training whose largest learning rate is `lr`."""

    def learner(
        self,
        train: IntArray,
        held_out: IntArray,
        *,
        learnt_codes: IntArray,
        shown: "Shown",
        loss_func: Any,
        path: Path,
    ) -> Any:
        """A fastai Learner with fresh weights whose loaders give the train and the held-out positions.

        learnt_codes : (n_items,), what the train positions are trained on; held-out ones keep the items' own labels
        shown : what an epoch shows of the train positions
        loss_func : of logits (n, n_classes) and codes (n,)
        The train loader tells in `batch_positions` which of `train` its last batch held, and draws by `order_rng`.
        """

    def in_order(self, positions: IntArray) -> IntArray:
        """(n,), the places in `positions` in the order in which predicting them is fastest."""

    def views(self, positions: IntArray) -> list["torch.Tensor"]:
        """Inputs for prediction on the device; the model's probabilities are averaged over the views."""

    def logits(self, network: Any, view: "torch.Tensor") -> "torch.Tensor":
        """(n, n_classes), what a network in evaluation says of a view."""

    def explain(
        self,
        network: Any,
        asked: ToExplain,
        *,
        probabilities: "Callable[[torch.Tensor], torch.Tensor]",
        should_stop: Callable[[], bool],
    ) -> Explanations | None:
        """What speaks for and against the labels, one entry for each of `asked.positions`, empty for those that it was
        too much to ask about; None if these items have no parts.

        probabilities : what logits (n, n_classes) of the network mean
        """

    def load_network(self, weights: Path) -> Any:
        """A network of the learner's kind with these weights, on the device."""

    def describe_model(self) -> Mapping[str, Any]:
        """What is needed, beside its weights, to use a trained model again; JSON-able."""


class FittedEstimator(Protocol):
    """A model that was fitted at once."""

    def predict(self, positions: IntArray) -> FloatArray:
        """(n, n_classes) probabilities, rows sum to 1."""

    def explain(self, asked: ToExplain, *, should_stop: Callable[[], bool]) -> Explanations | None:
        """As `NetworkItems.explain`, by what `predict` says."""


class EstimatorItems(OpenedItems, Protocol):
    """Items that models are fitted to at once, without epochs and learning rate; `features` are the items' own."""

    def fit(
        self,
        train: IntArray,
        codes: IntArray,
        *,
        n_classes: int,
        weights: FloatArray,
        seed: int,
        should_stop: Callable[[], bool],
        on_share: Callable[[float], None],
    ) -> FittedEstimator:
        """Fit a model. Whatever it has to choose it chooses by a part of the training items.

        train : (n,) positions; codes : (n,) labels to learn, in [0, n_classes), of which some may not occur; weights :
        (n,) how much each counts, 1 = as one item
        should_stop : asked now and then; a stop raises Cancelled
        on_share : told how much of the fit is done, in [0, 1]
        """


@dataclass(frozen=True, slots=True)
class OpenInputs:
    """The items of a run, and how they are to be trained on.

    items : columns TRAIN_COLUMNS, and those that hold what the items are
    codes : (n_items,), of labels in the space of the run, -1 = not labelled
    n_train : how many items an epoch of the first model shows
    """

    items: pd.DataFrame
    task: Task
    codes: IntArray
    config: TrainConfig
    n_train: int
    roots: tuple[ImageRoot, ...]
    cache_dir: Path
    machine: Machine
    on_progress: ProgressCallback


class OpenItems(Protocol):
    """Take in the items of a run: decode or index what is needed and fill in the configuration."""

    def __call__(self, inputs: OpenInputs) -> OpenedItems: ...


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
    ) -> NetworkItems: ...


@dataclass(frozen=True, slots=True)
class EmbedInputs:
    """What is to be embedded, and where and how. items : columns TRAIN_COLUMNS without label, and content columns"""

    items: pd.DataFrame
    modality: str
    roots: tuple[ImageRoot, ...]
    cache_dir: Path
    machine: Machine
    on_progress: ProgressCallback
    should_stop: Callable[[], bool]


class QuickFeatures(Protocol):
    """Features for quick rounds that owe nothing to a label of these data."""

    @property
    def arch(self) -> str:
        """What computes them."""

    @property
    def pretrained(self) -> bool:
        """Whether that is a network trained on other data."""

    @property
    def source(self) -> str:
        """Whose features they are, in words."""

    def embed(self, inputs: EmbedInputs) -> SharedEmbeddings:
        """(1, n_rows, n_features), computed once for each content and kept in the cache."""


class FindQuickFeatures(Protocol):
    """The features that quick rounds use, None if they are to be those of the fold models of `base`.

    base : the newest full run with folds, None if there is none
    raises : WeightsError if the configuration asks for a pretrained network that is not here
    """

    def __call__(self, config: TrainConfig, base: "Run | None") -> QuickFeatures | None: ...


def open_trained_of(modality: str) -> OpenTrained:
    """The function that takes in items of a modality for a trained network; raises as `open_items_of`."""
    return cast(OpenTrained, importlib.import_module(_modules_of(modality).items).open_trained)


def open_items_of(modality: str) -> OpenItems:
    """The function that takes in the items of a modality; its libraries are loaded now.

    raises : ConfigError for a modality that there is no entry for
    """
    return cast(OpenItems, importlib.import_module(_modules_of(modality).items).open_items)


def quick_features_of(modality: str) -> FindQuickFeatures:
    """The function that finds a modality's features for quick rounds; raises as `open_items_of`."""
    return cast(FindQuickFeatures, importlib.import_module(_modules_of(modality).quick).find_quick_features)


def has_own_features(modality: str) -> bool:
    """Whether the items have features of their own, so that quick rounds need no run before; loads no library."""
    return _modules_of(modality).own_features


def _modules_of(modality: str) -> ModalityModules:
    if modality not in MODALITIES:
        raise ConfigError(f"Unknown modality {modality!r}; known: {', '.join(MODALITIES)}.")
    return MODALITIES[modality]
