"""What there is to know of a kind of label: how many of the classes an item has, and what follows from it."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from diagnostics.label_space import LabelSpace, Texts
from diagnostics.measures import Measure
from diagnostics.task import FloatArray, IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.planting import PlantedLabels

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from diagnostics.training.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Problem:
    """What a model that is fitted at once learns: one of n_classes for each item; codes : (n_items,)"""

    codes: IntArray
    n_classes: int


@dataclass(frozen=True, slots=True)
class Question:
    """What the model of one problem is to explain.

    problem : its number; places : (n,) which of the items; codes, rivals : (n,) of what it tells apart
    """

    problem: int
    places: IntArray
    codes: IntArray
    rivals: IntArray


class LabelKind(Protocol):
    """How many of the classes an item has. Codes are those of a label space, -1 = not labelled.

    key : of `diagnostics.label_kinds.LABEL_KINDS`, and of `Task.label_kind`
    learning : the module with the class `Learning` of this kind, which imports torch
    scoring : the module that finds the scores of runs, see `diagnostics.label_kinds.scoring`
    notes : what a reader of the numbers of a run with folds should know, one sentence each
    """

    key: str
    learning: str
    scoring: str
    notes: tuple[str, ...]

    def space(self, classes: Sequence[str], texts: Texts) -> LabelSpace:
        """What labels can be, of these classes, those of some texts among them."""

    def refuse(self, config: TrainConfig) -> None:
        """raises : ConfigError for what such labels cannot be trained with, and why"""

    def check_trainable(self, space: LabelSpace, codes: IntArray) -> None:
        """raises : DataError if the labels of the training items leave nothing to tell apart"""

    def make_folds(
        self, space: LabelSpace, codes: IntArray, units: Sequence[str], *, n_folds: int, seed: int
    ) -> IntArray:
        """As `diagnostics.training.crossval.make_folds`: each class in equal shares."""

    def plant_labels(
        self, trained_on: Sequence[IntArray], codes: IntArray, *, share: float, seed: int
    ) -> tuple[PlantedLabels, ...]:
        """As `diagnostics.training.planting.plant_labels`: one entry a model."""

    def item_weights(
        self, imbalance: str, space: LabelSpace, codes: IntArray, *, trained: str = "the quick estimate"
    ) -> FloatArray:
        """As `diagnostics.training.imbalance.item_weights`."""

    def problems(self, space: LabelSpace, codes: IntArray) -> list[Problem]:
        """What is fitted at once to learn these labels; all items have one."""

    def join(self, answers: Sequence[FloatArray]) -> FloatArray:
        """(n_items, n_classes) probabilities from those of each of the problems, (n_items, its n_classes)."""

    def probabilities(self, logits: FloatArray) -> FloatArray:
        """(n_items, n_classes), what logits of a model mean."""

    def mean_loss(self, space: LabelSpace, codes: IntArray, probs: FloatArray) -> float:
        """The mean loss of labelled items in nats; 0 without items."""

    def share_right(self, space: LabelSpace, codes: IntArray, probs: FloatArray) -> float:
        """How much of labelled items is predicted right, in [0, 1]; 0 without items."""

    def measure(self, space: LabelSpace, *, rule: str) -> Measure:
        """What trainings are compared by; rule : `TrainConfig.thresholds`"""

    def questions(self, explained: IntArray, rivals: IntArray) -> list[Question]:
        """The same as questions to the models of the problems. explained, rivals : (n_items,) classes, see `asked`"""

    def asked(
        self, space: LabelSpace, codes: IntArray, probs: FloatArray
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """For each item the class that a model is asked to explain, its strongest rival, and how well the class's given
        value is supported, which puts the items in order; each (n_items,)."""


class Learning(Protocol):
    """How networks and heads learn labels of one kind; asked in the processes that train."""

    def loss(self, config: TrainConfig, codes: IntArray, device: "torch.device") -> Any:
        """What a network is trained with; codes : (n_train,) of its training items"""

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """(n, n_classes)."""

    def loss_sum(self, logits: "Tensor", codes: "Tensor") -> "Tensor":
        """Over held-out items, in nats."""

    def n_right(self, logits: "Tensor", codes: "Tensor") -> "Tensor":
        """How many of the items are predicted right, an item in part if it is so in part."""

    def outcome(self, codes: IntArray, device: "torch.device") -> "Outcome":
        """What heads learn; codes : (n_items,), read at labelled items"""


def learning_of(kind: LabelKind, space: LabelSpace) -> Learning:
    """How labels of this space are learnt; torch is imported now."""
    learning: Learning = importlib.import_module(kind.learning).Learning(space)
    return learning
