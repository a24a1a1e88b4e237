"""What the checks of a training look at: curves, counts and results as plain values, so that they can be made up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from diagnostics.chunks import chunks_of
from diagnostics.label_kinds import label_kind_of
from diagnostics.label_kinds.kind import LabelKind
from diagnostics.metrics import Estimate, n_independent, share_of_answers
from diagnostics.predictions import IN_SAMPLE, OUT_OF_FOLD, Predictions
from diagnostics.task import BoolArray, FloatArray, IntArray

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
    label_kind : how many of the classes an item has
    own_scale : the name of the training loss if it is no mean cross-entropy, in which how far it has come from chance
        could be read, perhaps one weighted by class; "" if it is
    quick : only heads were trained; fitted_at_once : the models have no epochs
    counts : COUNT_COLUMNS, one row a class: labelled items of each split that have it, and how many validation items of
        the class are predicted to have it
    n_items : the labelled items of each split
    accuracy : the share of labelled validation items whose label is predicted right as a whole; NaN without any
    micro_f1 : of the labels of these items; with one label an item the same number
    fit : micro F1 of the training labels that the models that learnt from them give back; None if it was not kept
    answers : as how many independent answers an item counts that is measured after an epoch; 1 with one label an item
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
    label_kind: LabelKind
    own_scale: str
    quick: bool
    fitted_at_once: bool
    counts: pd.DataFrame
    n_items: Mapping[str, int]
    accuracy: Estimate
    micro_f1: Estimate
    fit: Estimate | None
    answers: float
    n_exact_leaks: int | None
    n_near_leaks: int | None
    looks: TestLooks
    n_full_runs: int
    imported: bool = False

    @cached_property
    def chance_f1(self) -> float:
        """Micro F1 of what always says the same of training items."""
        return self.label_kind.chance_f1(self.counts["train"].to_numpy(), self.n_items["train"])

    @cached_property
    def curves(self) -> "Curves":
        n_of_class, n_items = self.counts["train"].to_numpy(), self.n_items["train"]
        return curves_of(self.history, self.label_kind, n_of_class, n_items, self.label_smoothing)


@dataclass(frozen=True)
class Curves:
    """The mean over the models at each epoch, (n_epochs,).

    learned : how far the training loss has come from knowing only how common each class is (0) to knowing every label
        (1); below 0 it is worse than at the start. A loss with label smoothing cannot fall below the entropy of its
        smoothed labels, which is the 1.
    valid_loss, accuracy : on held-out items, NaN where there is no number
    chance_loss : on held-out items, of who knows only how common each class is, in nats; chance_train_loss : the same
        on training items, whose labels are smoothed
    blind_loss : on held-out items, of who knows not even that
    least_loss : what the training loss cannot fall below
    held_out : the name of the items behind valid_loss and accuracy
    n_models : how many models the mean is over
    """

    learned: FloatArray
    train_loss: FloatArray
    valid_loss: FloatArray
    accuracy: FloatArray
    chance_loss: float
    chance_train_loss: float
    blind_loss: float
    least_loss: float
    held_out: str
    n_models: int

    def __len__(self) -> int:
        return len(self.learned)


def curves_of(
    history: pd.DataFrame, kind: LabelKind, n_of_class: IntArray, n_items: int, label_smoothing: float
) -> Curves:
    """The curves of a history; models that stopped early count as long as they went on.

    n_of_class : (n_classes,), how many of the n_items labelled training items have each
    """
    means: Mapping[str, FloatArray] = {
        name: history.groupby("epoch")[name].agg(lambda values: values.mean(skipna=False)).to_numpy(float)
        for name in ("train_loss", "valid_loss", "accuracy")
    }
    chance = kind.chance_loss(n_of_class, n_items, smoothing=label_smoothing)
    floor = kind.least_loss(len(n_of_class), smoothing=label_smoothing)
    span = max(chance - floor, np.finfo(float).tiny)
    return Curves(
        learned=(chance - means["train_loss"]) / span,
        train_loss=means["train_loss"],
        valid_loss=means["valid_loss"],
        accuracy=means["accuracy"],
        chance_loss=kind.chance_loss(n_of_class, n_items, smoothing=0.0),
        chance_train_loss=chance,
        blind_loss=kind.least_loss(len(n_of_class), smoothing=1.0),
        least_loss=floor,
        held_out=str(history["held_out"].iloc[0]) if len(history) else "",
        n_models=int(history["fold"].nunique()),
    )


def learnt_from(predictions: Predictions) -> BoolArray:
    """(n_items,) which items a model of the run learnt from: not those that were held back by a cap."""
    learnt: BoolArray = np.isin(predictions.kinds.astype(str), (OUT_OF_FOLD, IN_SAMPLE))
    return learnt


def fit_of(predictions: Predictions, thresholds: FloatArray | None = None) -> Estimate | None:
    """Micro F1 of the training labels that the models that learnt from them give back, each model counting the same.

    thresholds : (n_classes,) of the run, where it has some
    None if the run did not keep what every model says, or has no training items.
    """
    learnt = np.flatnonzero(learnt_from(predictions))
    if predictions.fold_probs is None or not len(learnt):
        return None
    kind, targets_of = label_kind_of(predictions.label_kind), _targets_of(predictions)
    held_out = predictions.kinds[learnt] == OUT_OF_FOLD
    n_found, n_named, n_said = (np.zeros(len(learnt)) for _ in range(3))
    for model in range(predictions.fold_probs.shape[0]):
        saw = np.flatnonzero(~(held_out & (predictions.folds[learnt] == model)))
        for part in chunks_of(len(saw), len(predictions.classes)):
            rows = saw[part]
            said = kind.cut(np.asarray(predictions.fold_probs[model, learnt[rows]]), thresholds)
            found, named = found_of_named(targets_of(learnt[rows]), said)
            n_found[rows] += found
            n_named[rows] += named
        n_said[saw] += 1
    return share_of_answers(n_found / n_said, n_named / n_said)


def found_of_named(targets: BoolArray, predicted: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Of each item how many labels are found, and how many are named, the mean of those it has and those predicted: the
    sum of the first over that of the second is micro F1, with one label an item the accuracy.

    targets, predicted : (n_items, n_classes); returns : (n_items,) each
    """
    found = np.count_nonzero(targets & predicted, axis=1)
    named = (np.count_nonzero(targets, axis=1) + np.count_nonzero(predicted, axis=1)) / 2
    return found.astype(np.float64), named.astype(np.float64)


def answers_of(predictions: Predictions) -> float:
    """As how many independent answers a held-out item counts, by what is measured after each epoch; at least 1.

    Labelled train and validation items that a model had not learnt from tell it; test is never asked.
    """
    kind, targets_of = label_kind_of(predictions.label_kind), _targets_of(predictions)
    asked = (predictions.kinds != IN_SAMPLE) & np.isin(predictions.splits, ("train", "val"))
    rows = np.flatnonzero(asked & pd.notna(predictions.given_labels))
    if not len(rows):
        return 1.0
    right = np.zeros(len(rows))
    for part in chunks_of(len(rows), len(predictions.classes)):
        said = kind.cut(np.asarray(predictions.pred_probs[rows[part]]), None)
        right[part] = kind.n_right(targets_of(rows[part]), said)
    answered = np.full(len(rows), float(kind.n_asked(len(predictions.classes))))
    return max(1.0, n_independent(right, answered) / len(rows))


def _targets_of(predictions: Predictions) -> Callable[[IntArray], BoolArray]:
    """(rows) -> (n_rows, n_classes), the classes that items have by the labels of the run."""
    kind = label_kind_of(predictions.label_kind)
    space = kind.space(predictions.classes, predictions.given_labels)
    codes = space.codes(predictions.given_labels)
    return lambda rows: space.targets(codes[rows])
