"""What several independent sources say of every item: each supports some classes, and so doubts a label or not.

| signal | source |
|---|---|
| held_out | the probabilities of a model that did not see the item, or of several such |
| neighbours | the labels of the nearest training items, copies left out, in the space of a model that did not see it |
| dynamics | what the models said of the item in their own training batches, in the second half of the epochs |
| trained | the probabilities of the finished models that were trained on the item |

A label is doubted as much as the best other class is supported more than it. The doubt of a label that an item does not
have can be had as well: the item's own label has not moved the first two, and for the others labels are planted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from diagnostics.dynamics import Dynamics
from diagnostics.fold_arrays import FoldArray
from diagnostics.neighbours import NearItems, Neighbours
from diagnostics.predictions import IN_SAMPLE, OUT_OF_FOLD, ObjectArray, Predictions
from diagnostics.task import NO_LABEL, BoolArray, FloatArray, IntArray, label_codes

HELD_OUT, NEIGHBOURS, DYNAMICS, TRAINED = "held_out", "neighbours", "dynamics", "trained"
SIGNALS = (HELD_OUT, NEIGHBOURS, DYNAMICS, TRAINED)
MOVED_BY_LABEL = (DYNAMICS, TRAINED)
SMALLEST_SUPPORT = {HELD_OUT: 1e-4, NEIGHBOURS: 0.05, DYNAMICS: 1e-4, TRAINED: 1e-4}
MIN_PLANTED = 20
NO_FOLD = -1
CHUNK_CELLS = 4_000_000


@dataclass(frozen=True)
class Votes:
    """What n_models choose for each item.

    codes : (n_items,), the class that most of them choose; counts : (n_items,), how many do, in [0, n_models]
    """

    codes: IntArray
    counts: IntArray
    n_models: int


@dataclass(frozen=True)
class TrainedModels:
    """What the finished models say of the items that they were trained on.

    fold_probs : (n_models, n_items, n_classes)
    folds : (n_items,), the model that was not trained on the item; NO_FOLD: none was
    planted : (n_items,), the model that learnt another label of the item on purpose, -1 if none did
    """

    fold_probs: FoldArray
    folds: IntArray
    planted: IntArray

    def support(self, rows: IntArray) -> FloatArray:
        """(n, n_classes), the mean over the models that learnt the item's own label; NaN rows where none did."""
        total = np.zeros((len(rows), self.fold_probs.shape[2]))
        count = np.zeros((len(rows), 1))
        for model in range(self.fold_probs.shape[0]):
            own = (self.folds[rows] != NO_FOLD) & (self.folds[rows] != model) & (self.planted[rows] != model)
            total[own] += self.fold_probs[model, rows[own]]
            count[own] += 1
        support: FloatArray = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        return support

    def of(self, models: IntArray, rows: IntArray) -> FloatArray:
        """(n, n_classes), what one model each says of the rows."""
        said = np.empty((len(rows), self.fold_probs.shape[2]))
        for model in np.unique(models):
            said[models == model] = self.fold_probs[model, rows[models == model]]
        return said


@dataclass(frozen=True)
class Signals:
    """What the sources say of n items.

    codes : (n_items,) of the given labels, -1 = none; splits, kinds : (n_items,), see `Predictions`
    pred_probs : (n_items, n_classes), may be memory-mapped
    missing : the signals that cannot be had for any item, and why
    votes : None if only one model speaks for each item
    """

    classes: tuple[str, ...]
    codes: IntArray
    splits: ObjectArray
    kinds: ObjectArray
    pred_probs: FloatArray
    neighbours: Neighbours | None
    dynamics: Dynamics | None
    trained: TrainedModels | None
    votes: Votes | None
    missing: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in SIGNALS if name not in self.missing)

    def doubts(self, rows: IntArray, codes: IntArray) -> FloatArray:
        """The doubt of these labels of these items by every signal of `names`.

        rows, codes : (n,), codes in [0, n_classes)
        returns : (n, n_signals); high = suspect; NaN where a signal has nothing to say of the item
        """
        step = max(1, CHUNK_CELLS // len(self.classes))
        doubts = np.empty((len(rows), len(self.names)))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            for column, name in enumerate(self.names):
                support = self.support(name, rows[part])
                doubts[part, column] = doubt_of(support, codes[part], smallest=SMALLEST_SUPPORT[name])
        return doubts

    def planted(self) -> tuple[IntArray, IntArray, FloatArray]:
        """Rows, codes and doubts (n_planted, n_signals) of the labels planted in training, as their model saw them."""
        if self.dynamics is None:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty((0, len(self.names)))
        rows, codes = self.dynamics.planted_rows, self.dynamics.planted_codes
        doubts = self.doubts(rows, codes)
        for column, name in enumerate(self.names):
            if name in MOVED_BY_LABEL:
                support = self._while_planted(name)
                doubts[:, column] = doubt_of(support, codes, smallest=SMALLEST_SUPPORT[name])
        return rows, codes, doubts

    def _while_planted(self, name: str) -> FloatArray:
        """(n_planted, n_classes), the support by the one model that learnt the planted label."""
        if self.dynamics is None:
            return np.empty((0, len(self.classes)))
        if name == TRAINED and self.trained is not None:
            return self.trained.of(self.dynamics.planted_models, self.dynamics.planted_rows)
        return np.asarray(self.dynamics.planted_probs, dtype=np.float64)

    def support(self, name: str, rows: IntArray) -> FloatArray:
        """(n, n_classes), how much a signal supports each class for these items; NaN rows where it cannot say."""
        if name == NEIGHBOURS and self.neighbours is not None:
            return self.neighbours.support(rows, len(self.classes))
        if name == DYNAMICS and self.dynamics is not None:
            return np.asarray(self.dynamics.probs[rows], dtype=np.float64)
        if name == TRAINED and self.trained is not None:
            return self.trained.support(rows)
        support = np.array(self.pred_probs[rows], dtype=np.float64)
        support[self.kinds[rows] == IN_SAMPLE] = np.nan
        return support

    def ranked(self) -> BoolArray:
        """(n_items,), the labelled items of train and val: what may be learnt from; test is never ranked by."""
        ranked: BoolArray = (self.codes != NO_LABEL) & np.isin(self.splits, ("train", "val"))
        return ranked


def doubt_of(support: FloatArray, codes: IntArray, *, smallest: float) -> FloatArray:
    """The log of how many times more the best other class is supported than the label; above 0 = another is.

    support : (n, n_classes), at least 0
    codes : (n,)
    smallest : added to both, so that no support at all is no infinite doubt
    returns : (n,); NaN where the support is NaN, or where there is no other class

    >>> doubt_of(np.array([[0.8, 0.1], [0.1, 0.8]]), np.array([0, 0]), smallest=0.1).round(2)
    array([-1.5,  1.5])
    """
    rows = np.arange(len(support))
    given = support[rows, codes]
    if support.shape[1] < 2:
        return np.full(len(support), np.nan)
    others = support.copy()
    others[rows, codes] = -np.inf
    doubt: FloatArray = np.log((others.max(axis=1) + smallest) / (given + smallest))
    return doubt


def signals_of(
    predictions: Predictions,
    *,
    dynamics: Dynamics | None = None,
    near: NearItems | None = None,
) -> Signals:
    """Collect what a run knows of its items; what it does not know is named in `missing`.

    dynamics, near : rows as those of the predictions; see `diagnostics.neighbours.nearest_items`
    """
    missing = _missing(predictions, dynamics, near)
    codes = label_codes(predictions.given_labels, predictions.classes)
    learnt = (predictions.splits == "train") & (codes != NO_LABEL)
    return Signals(
        classes=predictions.classes,
        codes=codes,
        splits=predictions.splits,
        kinds=predictions.kinds,
        pred_probs=predictions.pred_probs,
        neighbours=None if near is None else near.labels(codes, learnt),
        dynamics=None if DYNAMICS in missing else dynamics,
        trained=None if TRAINED in missing else _trained_models(predictions, dynamics),
        votes=_votes(predictions),
        missing=missing,
    )


def _missing(predictions: Predictions, dynamics: Dynamics | None, near: NearItems | None) -> dict[str, str]:
    missing = {}
    labelled = np.array([label is not None for label in predictions.given_labels])
    if labelled.any() and (predictions.kinds[labelled] == IN_SAMPLE).all():
        missing[HELD_OUT] = "every labelled item was trained on; train with folds"
    if near is None:
        missing[NEIGHBOURS] = "no embeddings of all items by one model; train again"
    if dynamics is None:
        missing[DYNAMICS] = "what the models said in training was not recorded; train again"
    elif len(dynamics.planted_rows) < MIN_PLANTED:
        missing[DYNAMICS] = (
            f"{len(dynamics.planted_rows)} labels were planted, {MIN_PLANTED} are needed to tell how wrong labels look "
            "in training; plant a larger share or train on more items"
        )
    if DYNAMICS in missing:
        missing[TRAINED] = (
            "how wrong labels look to models trained on them is not known: " + missing[DYNAMICS]
        )
    elif predictions.fold_probs is None:
        missing[TRAINED] = "no probabilities of all items by every model; train again"
    return missing


def _trained_models(predictions: Predictions, dynamics: Dynamics | None) -> TrainedModels | None:
    if predictions.fold_probs is None or dynamics is None:
        return None
    folds = np.where(predictions.kinds == OUT_OF_FOLD, predictions.folds, NO_FOLD)
    planted = np.full(len(predictions), -1, dtype=np.int64)
    planted[dynamics.planted_rows] = dynamics.planted_models
    return TrainedModels(predictions.fold_probs, folds, planted)


def _votes(predictions: Predictions) -> Votes | None:
    """Every model's first choice, those that were trained on the item among them."""
    probs = predictions.fold_probs
    if probs is None or probs.shape[0] < 2:
        return None
    n_models, n_items, n_classes = probs.shape
    codes, counts = np.zeros(n_items, dtype=np.int64), np.zeros(n_items, dtype=np.int64)
    step = max(1, CHUNK_CELLS // n_classes)
    for start in range(0, n_items, step):
        part = slice(start, min(start + step, n_items))
        rows = np.arange(part.stop - part.start)
        chosen = np.zeros((len(rows), n_classes), dtype=np.int16)
        for model in range(n_models):
            chosen[rows, np.asarray(probs[model, part]).argmax(axis=1)] += 1
        codes[part] = chosen.argmax(axis=1)
        counts[part] = chosen[rows, codes[part]]
    return Votes(codes, counts, n_models)
