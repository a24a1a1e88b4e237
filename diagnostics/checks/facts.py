"""What the checks of a training look at: curves, counts and results as plain values, so that they can be made up."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from diagnostics.metrics import Estimate, proportion
from diagnostics.predictions import IN_SAMPLE, OUT_OF_FOLD, Predictions
from diagnostics.task import BoolArray, FloatArray, label_codes

COUNT_COLUMNS = ("label", "train", "val", "test", "val_hits")


@dataclass(frozen=True, slots=True)
class TestLooks:
    """How often results on the gold test set were looked at: n times, by so many people, of so many runs."""

    __test__ = False

    n: int
    n_people: int
    n_runs: int


@dataclass(frozen=True)
class TrainingFacts:
    """One finished run.

    history : run_folder.HISTORY_COLUMNS, one row a fold and epoch; empty for a run without curves
    lr : the largest learning rate, None if it is not known; lr_by_hand : a person chose it, not the finder in
        this run or in the one that it was taken over from
    label_smoothing : as it was trained, in [0, 0.5]
    cross_entropy : the training loss is one, perhaps weighted; others are on a scale of their own
    quick : only heads were trained; fitted_at_once : the models have no epochs
    counts : COUNT_COLUMNS, one row a class: labelled items of each split, and how many validation items of the class
        are predicted right
    fit : the share of training labels that the models that learnt from them give back; None if it was not kept
    n_exact_leaks, n_near_leaks : training items that validation or test hold out as well, or nearly the same ones, or
        others of their group; None = nobody has looked
    looks : at the gold test set
    n_full_runs : of the project, this one among them
    imported : the predictions were made elsewhere
    """

    history: pd.DataFrame
    lr: float | None
    lr_by_hand: bool
    label_smoothing: float
    cross_entropy: bool
    quick: bool
    fitted_at_once: bool
    counts: pd.DataFrame
    fit: Estimate | None
    n_exact_leaks: int | None
    n_near_leaks: int | None
    looks: TestLooks
    n_full_runs: int
    imported: bool = False

    def n_items(self, split: str) -> int:
        """The labelled items of a split."""
        return int(self.counts[split].sum())

    @cached_property
    def accuracy(self) -> Estimate:
        """On the labelled validation items; NaN without any."""
        return proportion(float(self.counts["val_hits"].sum()), self.n_items("val"))

    @cached_property
    def majority(self) -> float:
        """The share of the most common class among the training labels: what always saying it would get right."""
        n = self.n_items("train")
        return float(self.counts["train"].max()) / n if n else np.nan

    @cached_property
    def curves(self) -> "Curves":
        return curves_of(self.history, self.counts["train"].to_numpy(), self.label_smoothing)


@dataclass(frozen=True)
class Curves:
    """The mean over the models at each epoch, (n_epochs,).

    learned : how far the training loss has come from knowing only how common each class is (0) to knowing every label
        (1); below 0 it is worse than at the start. A loss with label smoothing cannot fall below the entropy of its
        smoothed labels, which is the 1.
    valid_loss, accuracy : on held-out items, NaN where there is no number
    chance_loss : of who knows only how common each class is: the entropy of the training labels, in nats
    least_loss : what the training loss cannot fall below
    held_out : the name of the items behind valid_loss and accuracy
    n_models : how many models the mean is over
    """

    learned: FloatArray
    train_loss: FloatArray
    valid_loss: FloatArray
    accuracy: FloatArray
    chance_loss: float
    least_loss: float
    held_out: str
    n_models: int

    def __len__(self) -> int:
        return len(self.learned)


def curves_of(history: pd.DataFrame, n_of_class: FloatArray, label_smoothing: float) -> Curves:
    """The curves of a history; models that stopped early count as long as they went on.

    n_of_class : (n_classes,) labelled training items
    """
    means: Mapping[str, FloatArray] = {
        name: history.groupby("epoch")[name].agg(lambda values: values.mean(skipna=False)).to_numpy(float)
        for name in ("train_loss", "valid_loss", "accuracy")
    }
    chance, floor = _entropy(n_of_class), _smoothed_floor(len(n_of_class), label_smoothing)
    span = max(chance - floor, np.finfo(float).tiny)
    return Curves(
        learned=(chance - means["train_loss"]) / span,
        train_loss=means["train_loss"],
        valid_loss=means["valid_loss"],
        accuracy=means["accuracy"],
        chance_loss=chance,
        least_loss=floor,
        held_out=str(history["held_out"].iloc[0]) if len(history) else "",
        n_models=int(history["fold"].nunique()),
    )


def _entropy(n_of_class: FloatArray) -> float:
    shares = n_of_class[n_of_class > 0] / max(1, n_of_class.sum())
    return float(-(shares * np.log(shares)).sum())


def _smoothed_floor(n_classes: int, smoothing: float) -> float:
    """The entropy of a label of which `smoothing` is spread evenly over all classes."""
    if not smoothing:
        return 0.0
    rest = smoothing / n_classes
    top = 1 - smoothing + rest
    return float(-(top * np.log(top) + (n_classes - 1) * rest * np.log(rest)))


def learnt_from(predictions: Predictions) -> BoolArray:
    """(n_items,) which items a model of the run learnt from: not those that were held back by a cap."""
    learnt: BoolArray = np.isin(predictions.kinds.astype(str), (OUT_OF_FOLD, IN_SAMPLE))
    return learnt


def fit_of(predictions: Predictions) -> Estimate | None:
    """The share of training labels that the models that learnt from them give back, each model counting the same.

    None if the run did not keep what every model says, or has no training items.
    """
    learnt = np.flatnonzero(learnt_from(predictions))
    if predictions.fold_probs is None or not len(learnt):
        return None
    codes = label_codes(predictions.given_labels[learnt], predictions.classes)
    held_out = predictions.kinds[learnt] == OUT_OF_FOLD
    n_right, n_said = np.zeros(len(learnt)), np.zeros(len(learnt))
    for model in range(predictions.fold_probs.shape[0]):
        saw = ~(held_out & (predictions.folds[learnt] == model))
        said = np.asarray(predictions.fold_probs[model, learnt[saw]]).argmax(axis=1)
        n_right[saw] += said == codes[saw]
        n_said[saw] += 1
    return proportion(float((n_right / n_said).sum()), len(learnt))
