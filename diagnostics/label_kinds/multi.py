"""Each item has any number of the classes, none among them."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import entr, expit

from diagnostics.errors import ConfigError, DataError
from diagnostics.label_kinds.kind import CheckWords, Problem, Question
from diagnostics.label_space import LabelSpace, Texts, set_space
from diagnostics.measures import Measure, sets_measure
from diagnostics.multilabel.planting import plant_toggles
from diagnostics.multilabel.splits import make_multilabel_folds
from diagnostics.probability_rows import ProbabilityRows, no_number, outside
from diagnostics.task import NO_LABEL, BoolArray, FloatArray, IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import FOCAL_LOSS, IMBALANCE, WEIGHTED_LOSS, Remedy
from diagnostics.training.label_choices import SEVERAL_LABELS
from diagnostics.training.planting import PlantedLabels

SMALLEST_PROBABILITY = 1e-7
HALF = 0.5


class SeveralLabels:
    """See `diagnostics.label_kinds.kind.LabelKind`. Each class is a question of its own: has the item the label?"""

    key = SEVERAL_LABELS.key
    learning = "diagnostics.label_kinds.multi_learning"
    scoring = "diagnostics.label_kinds.multi_scoring"
    notes: tuple[str, ...] = ()
    words = CheckWords(
        whole="share of sets right",
        by_epoch="label-wise accuracy",
        given_back="the models give back the labels they learnt from with a micro F1 of {share}",
        right_on_new="On the validation items it is {share}",
        on_new="{share} there",
        most_common="the most common classes",
    )
    usual_gain = 0.05
    own_scale: tuple[str, ...] = (FOCAL_LOSS, WEIGHTED_LOSS)
    remedies: Mapping[str, Remedy] = SEVERAL_LABELS.remedies
    rows = ProbabilityRows(
        "probabilities from 0 to 1 of each of the {n_classes} classes by itself",
        (no_number(), outside("if these are logits, give their sigmoid")),
        if_all_sum_to_1="Every row sums to 1, as after a softmax: a model of several labels an item gives each class "
        "its own sigmoid. If this one is of one label an item, its thresholds and scores mean little here.",
    )

    def space(self, classes: Sequence[str], texts: Texts) -> LabelSpace:
        return set_space(classes, texts)

    def refuse(self, config: TrainConfig) -> None:
        """Remedies that go by the one class of each item."""
        if config.imbalance not in self.remedies:
            raise ConfigError(
                f"{IMBALANCE[config.imbalance].title} goes by the one class of each item, and these items can have "
                "several: an item that is repeated for one of its labels is repeated for all of them. "
                f"Use imbalance={' or '.join(self.remedies)}."
            )

    def check_trainable(self, space: LabelSpace, codes: IntArray) -> None:
        targets = space.targets(codes)
        if not (targets.any(axis=0) & ~targets.all(axis=0)).any():
            raise DataError(
                f"Training needs a class that some labelled train items have and some have not; found {len(codes)} "
                f"items, and none of the classes {', '.join(space.classes[:10])} is so."
            )

    def make_folds(
        self, space: LabelSpace, codes: IntArray, units: Sequence[str], *, n_folds: int, seed: int
    ) -> IntArray:
        return make_multilabel_folds(space.label_sets(codes), units, n_folds=n_folds, seed=seed)

    def plant_labels(
        self, space: LabelSpace, trained_on: Sequence[IntArray], codes: IntArray, *, share: float, seed: int
    ) -> tuple[LabelSpace, tuple[PlantedLabels, ...]]:
        return plant_toggles(space, trained_on, codes, share=share, seed=seed)

    def problems(self, space: LabelSpace, codes: IntArray) -> list[Problem]:
        """One a class: 0 = has it not, 1 = has it."""
        targets = space.targets(codes).astype(np.int64)
        return [Problem(targets[:, place], 2) for place in range(len(space.classes))]

    def join(self, answers: Sequence[FloatArray]) -> FloatArray:
        return np.column_stack([probs[:, 1] for probs in answers])

    def probabilities(self, logits: FloatArray) -> FloatArray:
        probs: FloatArray = expit(logits)
        return probs

    def mean_loss(self, space: LabelSpace, codes: IntArray, probs: FloatArray) -> float:
        """Binary cross-entropy, the mean over the classes."""
        said = np.where(space.targets(codes), probs, 1 - probs)
        return float(-np.log(np.maximum(said, SMALLEST_PROBABILITY)).mean()) if len(codes) else 0.0

    def share_right(self, space: LabelSpace, codes: IntArray, probs: FloatArray) -> float:
        """Of the pairs of item and class, with a label predicted from a half on."""
        return float(np.mean((probs >= HALF) == space.targets(codes))) if len(codes) else 0.0

    def cut(self, probs: FloatArray, thresholds: FloatArray | None) -> BoolArray:
        """All whose probability reaches the threshold; a half without any."""
        predicted: BoolArray = probs >= (HALF if thresholds is None else thresholds)
        return predicted

    def n_right(self, targets: BoolArray, predicted: BoolArray) -> FloatArray:
        right: FloatArray = np.count_nonzero(targets == predicted, axis=1).astype(np.float64)
        return right

    def n_asked(self, n_classes: int) -> int:
        """For each class, whether it has it."""
        return n_classes

    def chance_loss(self, n_of_class: IntArray, n_items: int, *, smoothing: float) -> float:
        shares = n_of_class / max(1, n_items) * (1 - smoothing) + smoothing * HALF
        return float((entr(shares) + entr(1 - shares)).mean())

    def least_loss(self, n_classes: int, *, smoothing: float) -> float:
        """The entropy of an answer of which `smoothing` is spread over yes and no."""
        return float(entr([smoothing * HALF, 1 - smoothing * HALF]).sum())

    def chance_f1(self, n_of_class: IntArray, n_items: int) -> float:
        """That of as many of the most common classes as are best to say always."""
        if not n_items:
            return np.nan
        shares = np.sort(n_of_class / n_items)[::-1]
        said = np.arange(1, len(shares) + 1)
        return float((2 * shares.cumsum() / (said + shares.sum())).max())

    def measure(self, space: LabelSpace, *, rule: str) -> Measure:
        return sets_measure(space, rule=rule)

    def questions(self, explained: IntArray, rivals: IntArray) -> list[Question]:
        """What speaks for having a class, and against it."""
        return [
            Question(
                int(place),
                places,
                np.ones(len(places), dtype=np.int64),
                np.zeros(len(places), dtype=np.int64),
            )
            for place in np.unique(explained)
            for places in [np.flatnonzero(explained == place)]
        ]

    def asked(
        self, space: LabelSpace, codes: IntArray, probs: FloatArray
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """The class whose given value the model supports least, of items without a label the most probable one; a
        label's rival is that the item has it not, so the class itself."""
        support = np.where(space.targets(codes), probs, 1 - probs)
        support[codes == NO_LABEL] = 1 - probs[codes == NO_LABEL]
        explained = support.argmin(axis=1)
        return explained, explained, support[np.arange(len(codes)), explained]
