"""What there is to know of a kind of label: how many of the classes an item has, and what follows from it."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from diagnostics.label_space import LabelSpace, Texts
from diagnostics.measures import Measure
from diagnostics.probability_rows import ProbabilityRows
from diagnostics.task import BoolArray, FloatArray, IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import Remedy
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


@dataclass(frozen=True, slots=True)
class CheckWords:
    """What the checks of a training call its numbers.

    whole : the share of items whose label is right
    by_epoch : what is measured after each epoch
    given_back, right_on_new, on_new : how much of the labels that models learnt from, and of those of new items, is
        right; with {share}
    most_common : of what a model says that always says the same
    """

    whole: str
    by_epoch: str
    given_back: str
    right_on_new: str
    on_new: str
    most_common: str


class LabelKind(Protocol):
    """How many of the classes an item has. Codes are those of a label space, -1 = not labelled.

    key : of `diagnostics.label_kinds.LABEL_KINDS`, and of `Task.label_kind`
    learning : the module with the class `Learning` of this kind, which imports torch
    scoring : the module that finds the scores of runs, see `diagnostics.label_kinds.scoring`
    notes : what a reader of the numbers of a run with folds should know, one sentence each
    words : of the checks of a training
    usual_gain : how far, of the way from chance to knowing every training label, a learning rate that fits comes in the
        best of its epochs, at least
    own_scale : the remedies of imbalance after which the training loss is no plain mean cross-entropy
    remedies : what can be done about classes of different sizes, by their names in the configuration
    rows : what each row of probabilities from elsewhere must be
    """

    key: str
    learning: str
    scoring: str
    notes: tuple[str, ...]
    words: CheckWords
    usual_gain: float
    own_scale: tuple[str, ...]
    remedies: Mapping[str, Remedy]
    rows: ProbabilityRows

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
        self, space: LabelSpace, trained_on: Sequence[IntArray], codes: IntArray, *, share: float, seed: int
    ) -> tuple[LabelSpace, tuple[PlantedLabels, ...]]:
        """As `diagnostics.training.planting.plant_labels`: one entry a model; and the space, in which planted labels
        have numbers, too."""

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

    def cut(self, probs: FloatArray, thresholds: FloatArray | None) -> BoolArray:
        """(n_items, n_classes), the classes that items are predicted to have.

        thresholds : (n_classes,) of a run that has some, see `diagnostics.multilabel.run_thresholds`
        """

    def n_right(self, targets: BoolArray, predicted: BoolArray) -> FloatArray:
        """(n_items,), how many answers of each item are right by what is measured after each epoch; `n_asked` each."""

    def n_asked(self, n_classes: int) -> int:
        """How many answers an item has."""

    def chance_loss(self, n_of_class: IntArray, n_items: int, *, smoothing: float) -> float:
        """The mean loss, in nats, of who knows nothing but how common each class is.

        n_of_class : (n_classes,), how many of the items have each
        smoothing : of the labels, in [0, 1]
        """

    def least_loss(self, n_classes: int, *, smoothing: float) -> float:
        """What the mean loss cannot fall below, in nats; with a smoothing of 1 the loss of who knows nothing."""

    def chance_f1(self, n_of_class: IntArray, n_items: int) -> float:
        """The best micro F1 of what always says the same; NaN without items."""

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
