"""Each item has one of the classes."""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from diagnostics.errors import DataError
from diagnostics.label_kinds.kind import Problem, Question
from diagnostics.label_space import LabelSpace, Texts, single_space
from diagnostics.measures import Measure, classes_measure
from diagnostics.probability_rows import ProbabilityRows, no_number, outside, sums_to_another
from diagnostics.task import NO_LABEL, FloatArray, IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.crossval import make_folds
from diagnostics.training.imbalance import item_weights
from diagnostics.training.planting import PlantedLabels, plant_labels

SMALLEST_PROBABILITY = 1e-7


class OneLabel:
    """See `diagnostics.label_kinds.kind.LabelKind`."""

    key = "single"
    learning = "diagnostics.label_kinds.single_learning"
    scoring = "diagnostics.label_kinds.single_scoring"
    notes: tuple[str, ...] = ()
    rows = ProbabilityRows(
        "a distribution over the {n_classes} classes",
        (
            no_number(),
            outside("if these are logits, give their softmax"),
            sums_to_another("give the probabilities of all classes; these items have one label each"),
        ),
    )

    def space(self, classes: Sequence[str], texts: Texts) -> LabelSpace:
        return single_space(classes).with_texts(texts)

    def refuse(self, config: TrainConfig) -> None:
        """Nothing is refused."""

    def check_trainable(self, space: LabelSpace, codes: IntArray) -> None:
        n_present = len(np.unique(codes))
        if n_present < 2:
            raise DataError(
                f"Training needs labelled train items of at least 2 classes; found {len(codes)} items of {n_present}. "
                f"The classes are {', '.join(space.classes[:10])}."
            )

    def make_folds(
        self, space: LabelSpace, codes: IntArray, units: Sequence[str], *, n_folds: int, seed: int
    ) -> IntArray:
        return make_folds(codes, units, n_folds=n_folds, seed=seed)

    def plant_labels(
        self, trained_on: Sequence[IntArray], codes: IntArray, *, share: float, seed: int
    ) -> tuple[PlantedLabels, ...]:
        return plant_labels(trained_on, codes, share=share, seed=seed)

    def item_weights(
        self, imbalance: str, space: LabelSpace, codes: IntArray, *, trained: str = "the quick estimate"
    ) -> FloatArray:
        return item_weights(imbalance, codes, len(space.classes), trained=trained)

    def problems(self, space: LabelSpace, codes: IntArray) -> list[Problem]:
        """One: which of the classes."""
        return [Problem(codes, len(space.classes))]

    def join(self, answers: Sequence[FloatArray]) -> FloatArray:
        return answers[0]

    def probabilities(self, logits: FloatArray) -> FloatArray:
        probs: FloatArray = softmax(logits, axis=1)
        return probs

    def mean_loss(self, space: LabelSpace, codes: IntArray, probs: FloatArray) -> float:
        said = probs[np.arange(len(codes)), codes]
        return float(-np.log(np.maximum(said, SMALLEST_PROBABILITY)).mean()) if len(codes) else 0.0

    def share_right(self, space: LabelSpace, codes: IntArray, probs: FloatArray) -> float:
        return float(np.mean(probs.argmax(axis=1) == codes)) if len(codes) else 0.0

    def measure(self, space: LabelSpace, *, rule: str) -> Measure:
        return classes_measure(space.classes)

    def questions(self, explained: IntArray, rivals: IntArray) -> list[Question]:
        return [Question(0, np.arange(len(explained)), explained, rivals)]

    def asked(
        self, space: LabelSpace, codes: IntArray, probs: FloatArray
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """The given class, the predicted one of items without a label; its probability."""
        rows, others = np.arange(len(codes)), probs.copy()
        explained = np.where(codes == NO_LABEL, probs.argmax(axis=1), codes)
        support = others[rows, explained]
        others[rows, explained] = -1
        return explained, others.argmax(axis=1), support
