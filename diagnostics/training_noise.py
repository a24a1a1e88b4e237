"""How much the numbers of a model move when it is trained again: read from fold models, from seeds, or from other runs.

The items that a number is measured on and the training are two crossed sources of chance, as cases and readers are in
studies of diagnosis (B. D. Gallas et al., Communications in Statistics 38, 2009). That a training suits some items more
than others shows in the items already, which is why resampling trainings and items at once counts it twice (A. B. Owen,
The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007). What is missing there is the main effect of training:
by how much a training is better on all items. Here it is the spread of the numbers over trainings less what the sample
of items alone would make of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from diagnostics.chunks import chunks_of
from diagnostics.fold_arrays import FoldArray
from diagnostics.influence import Ratios, mean_of_parts, squares
from diagnostics.task import FloatArray, IntArray

FOLDS, SEEDS, TYPICAL, NONE = "folds", "seeds", "typical", "none"
MAX_GROUPS = 5


class Measured(Protocol):
    """What makes numbers of predictions, see `diagnostics.measures.AnyMetrics`."""

    @property
    def whole(self) -> tuple[str, ...]: ...

    def ratios(self, codes: IntArray, predicted: Any) -> Ratios: ...


@dataclass(frozen=True)
class Training:
    """What the models of one training predict, all together and some of them together.

    predicted : (n_items,) positions of classes, or (n_items, n_classes) of booleans, by the mean of the models'
        probabilities
    by_some : (n_subsets, …), the same for each of `subsets_of` the models; no rows if there is one model
    """

    predicted: Any
    by_some: Any
    n_models: int


@dataclass(frozen=True)
class TrainingNoise:
    """Variances that training again gives to the numbers of one model; arrays (n_columns,) as in `Metrics`.

    spread : over models, measured on these items
    by_items : the part of it that the sample of items alone makes
    df : degrees of freedom behind `spread`
    source : FOLDS or SEEDS
    n_whole : how many of the columns are numbers of all classes together
    """

    spread: FloatArray
    by_items: FloatArray
    df: float
    source: str
    n_whole: int

    @property
    def main_of_whole(self) -> float:
        """The main effect of training on accuracy and macro F1, the mean of their variances; can be below 0."""
        return float((self.spread - self.by_items)[: self.n_whole].mean())


def read_trainings(trainings: Sequence[FoldArray], rows: IntArray) -> tuple[list[Training], IntArray]:
    """The predictions of trainings for some items, and that of all of them together.

    trainings : each (n_models, n_items, n_classes) probabilities
    rows : (n_rows,) positions of items
    returns : the trainings, and (n_rows,) by the mean of the trainings' probabilities
    """
    n_rows = len(rows)
    found = []
    for probs in trainings:
        n_models, n_subsets = probs.shape[0], len(subsets_of(probs.shape[0]))
        found.append(Training(np.empty(n_rows, np.int64), np.empty((n_subsets, n_rows), np.int64), n_models))
    together = np.empty(n_rows, dtype=np.int64)
    n_classes = trainings[0].shape[2]
    for part in chunks_of(n_rows, n_classes):
        of_all = np.zeros((len(rows[part]), n_classes), dtype=np.float32)
        for training, probs in zip(found, trainings, strict=True):
            said = [
                np.asarray(probs[model, rows[part]], dtype=np.float32) for model in range(training.n_models)
            ]
            total = np.sum(said, axis=0)
            for number, subset in enumerate(subsets_of(training.n_models)):
                training.by_some[number, part] = np.sum([said[model] for model in subset], axis=0).argmax(
                    axis=1
                )
            training.predicted[part] = total.argmax(axis=1)
            of_all += total / training.n_models
        together[part] = of_all.argmax(axis=1)
    return found, together


def subsets_of(n_models: int) -> list[tuple[int, ...]]:
    """The subsets of the models of a training that tell how far its numbers would move: all of about half of them.

    More than 5 models are taken as 5 groups. None for a single model.

    >>> subsets_of(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    groups = [
        tuple(group.tolist()) for group in np.array_split(np.arange(n_models), min(n_models, MAX_GROUPS))
    ]
    if len(groups) < 2:
        return []
    return [sum(chosen, start=()) for chosen in combinations(groups, _size_of_subsets(len(groups)))]


def _size_of_subsets(n_groups: int) -> int:
    return (n_groups + 1) // 2


def measure_noise(
    trainings: Sequence[Training], codes: IntArray, metrics: Measured, units: sparse.csr_array | None = None
) -> TrainingNoise | None:
    """The noise of one model, from the fold models of each training and from the trainings; None if there is one model.

    codes : (n_items,) of the labels, all known
    units : (n_units, n_items), which items count as one, if some do

    The noise of a training is that of one model divided by the number of its models. Fold models and trainings are
    averaged with their degrees of freedom as weights; but where the trainings alone say more they are believed, because
    what all models of a training have in common moves those alone.
    """
    of_folds = [
        _of_subsets(training, codes, metrics, units) for training in trainings if training.n_models > 1
    ]
    if len(trainings) < 2:
        return _noise(of_folds, FOLDS, metrics) if of_folds else None
    n_models = 1 / float(np.mean([1 / training.n_models for training in trainings]))
    predicted = np.array([training.predicted for training in trainings])
    spread, by_items = _spread(predicted, codes, metrics, units)
    of_seeds = _Estimate(n_models * spread, n_models * by_items, len(trainings) - 1)
    alone = _noise([of_seeds], SEEDS, metrics)
    together = _noise([of_seeds, *of_folds], SEEDS, metrics)
    return alone if alone.main_of_whole > together.main_of_whole else together


@dataclass(frozen=True)
class _Estimate:
    spread: FloatArray
    by_items: FloatArray
    df: int


def _of_subsets(
    training: Training, codes: IntArray, metrics: Measured, units: sparse.csr_array | None
) -> _Estimate:
    """The noise of one model from subsets of the models of a training: the delete-d jackknife (J. Shao and C. F. J. Wu,
    Annals of Statistics 17, 1989).

    Not from single models, because what many models say together can move by more than their numbers alone would make
    one think: a class that wins seldom. Not from all but one, whose few changed items are multiplied by too much.
    """
    n_groups = min(training.n_models, MAX_GROUPS)
    size = _size_of_subsets(n_groups)
    n_subsets = len(training.by_some)
    factor = training.n_models * size / (n_groups - size) * (n_subsets - 1) / n_subsets
    spread, by_items = _spread(training.by_some, codes, metrics, units)
    return _Estimate(factor * spread, factor * by_items, n_groups - 1)


def _noise(estimates: Sequence[_Estimate], source: str, metrics: Measured) -> TrainingNoise:
    dfs = [estimate.df for estimate in estimates]
    return TrainingNoise(
        spread=np.average([estimate.spread for estimate in estimates], axis=0, weights=dfs),
        by_items=np.average([estimate.by_items for estimate in estimates], axis=0, weights=dfs),
        df=float(sum(dfs)),
        source=source,
        n_whole=len(metrics.whole),
    )


def _spread(
    predictions: Any, codes: IntArray, metrics: Measured, units: sparse.csr_array | None
) -> tuple[FloatArray, FloatArray]:
    """The variance of the numbers over predictions of the same items, and what the items alone make of it.

    predictions : (n_predictions, …), as `Training.by_some`, two at least
    A number that is not defined for some of the predictions has no spread.
    """
    ratios = [metrics.ratios(codes, predicted) for predicted in predictions]
    values = np.array([each.values() for each in ratios])
    influences = [influence_of(each, units) for each in ratios]
    mean = squares(mean_of_parts(influences))
    by_items = sum(squares(influence) - mean for influence in influences) / (len(influences) - 1)
    return np.nan_to_num(values.var(axis=0, ddof=1)), np.asarray(by_items)


def influence_of(ratios: Ratios, units: sparse.csr_array | None) -> sparse.csr_array:
    """(n_units, n_columns), how far each item, or all that count as one, moves each number."""
    return in_units(ratios.influences(), units)


def in_units(influences: sparse.csr_array, units: sparse.csr_array | None) -> sparse.csr_array:
    """(n_items, n_columns) → (n_units, n_columns): the sums over the items that count as one."""
    return influences if units is None else sparse.csr_array(units @ influences)
