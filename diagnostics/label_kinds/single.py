"""Each item has one of the classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import entr, softmax

from diagnostics.errors import DataError
from diagnostics.label_kinds.kind import CheckWords, Problem, Question
from diagnostics.label_space import LabelSpace, Texts, single_space
from diagnostics.measures import Measure, classes_measure
from diagnostics.probability_rows import ProbabilityRows, no_number, outside, sums_to_another
from diagnostics.task import NO_LABEL, BoolArray, FloatArray, IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.crossval import make_folds
from diagnostics.training.imbalance import FOCAL_LOSS, Remedy
from diagnostics.training.label_choices import ONE_LABEL
from diagnostics.training.planting import PlantedLabels, plant_labels

SMALLEST_PROBABILITY = 1e-7


class OneLabel:
    """See `diagnostics.label_kinds.kind.LabelKind`."""

    key = ONE_LABEL.key
    learning = "diagnostics.label_kinds.single_learning"
    scoring = "diagnostics.label_kinds.single_scoring"
    notes: tuple[str, ...] = ()
    words = CheckWords(
        whole="accuracy",
        by_epoch="accuracy",
        given_back="the models give back {share} of the labels they learnt from",
        right_on_new="On {share} of the validation items they are right",
        on_new="{share} of the validation items",
        most_common="the most common class",
    )
    usual_gain = 0.25
    own_scale: tuple[str, ...] = (FOCAL_LOSS,)
    remedies: Mapping[str, Remedy] = ONE_LABEL.remedies
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
        self, space: LabelSpace, trained_on: Sequence[IntArray], codes: IntArray, *, share: float, seed: int
    ) -> tuple[LabelSpace, tuple[PlantedLabels, ...]]:
        return space, plant_labels(trained_on, codes, share=share, seed=seed)

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

    def cut(self, probs: FloatArray, thresholds: FloatArray | None) -> BoolArray:
        """The most probable class."""
        predicted: BoolArray = np.zeros(probs.shape, dtype=np.bool_)
        predicted[np.arange(len(probs)), probs.argmax(axis=1)] = True
        return predicted

    def n_right(self, targets: BoolArray, predicted: BoolArray) -> FloatArray:
        right: FloatArray = np.count_nonzero(targets & predicted, axis=1).astype(np.float64)
        return right

    def n_asked(self, n_classes: int) -> int:
        return 1

    def chance_loss(self, n_of_class: IntArray, n_items: int, *, smoothing: float) -> float:
        shares = n_of_class / max(1, n_items) * (1 - smoothing) + smoothing / len(n_of_class)
        return float(entr(shares).sum())

    def least_loss(self, n_classes: int, *, smoothing: float) -> float:
        """The entropy of a label of which `smoothing` is spread evenly over all classes."""
        shares = np.full(n_classes, smoothing / n_classes)
        shares[0] += 1 - smoothing
        return float(entr(shares).sum())

    def chance_f1(self, n_of_class: IntArray, n_items: int) -> float:
        """That of the most common class, which is an accuracy."""
        return float(n_of_class.max()) / n_items if n_items else np.nan

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
