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

import numpy as np
from scipy import sparse

from diagnostics.chunks import chunks_of
from diagnostics.fold_arrays import FoldArray
from diagnostics.influence import WHOLE_METRICS, Metrics, Ratios, mean_of_parts, ratios_of, squares
from diagnostics.task import FloatArray, IntArray

FOLDS, SEEDS, TYPICAL, NONE = "folds", "seeds", "typical", "none"


@dataclass(frozen=True)
class Training:
    """What the models of one training predict, together and each alone.

    predicted : (n_items,) positions of classes, by the mean of the models' probabilities
    by_model : (n_models, n_items)
    """

    predicted: IntArray
    by_model: IntArray

    @property
    def n_models(self) -> int:
        return len(self.by_model)


@dataclass(frozen=True)
class TrainingNoise:
    """Variances that training again gives to the numbers of one model; arrays (n_columns,) as in `Metrics`.

    spread : over models, measured on these items
    by_items : the part of it that the sample of items alone makes
    df : degrees of freedom behind `spread`
    source : FOLDS or SEEDS
    """

    spread: FloatArray
    by_items: FloatArray
    df: float
    source: str

    @property
    def main_of_whole(self) -> float:
        """The main effect of training on accuracy and macro F1, the mean of both variances; can be below 0."""
        return float((self.spread - self.by_items)[: len(WHOLE_METRICS)].mean())


def read_trainings(trainings: Sequence[FoldArray], rows: IntArray) -> tuple[list[Training], IntArray]:
    """The predictions of trainings for some items, and that of all of them together.

    trainings : each (n_models, n_items, n_classes) probabilities
    rows : (n_rows,) positions of items
    returns : the trainings, and (n_rows,) by the mean of the trainings' probabilities
    """
    n_rows = len(rows)
    found = [
        Training(np.empty(n_rows, dtype=np.int64), np.empty((probs.shape[0], n_rows), dtype=np.int64))
        for probs in trainings
    ]
    together = np.empty(n_rows, dtype=np.int64)
    n_classes = trainings[0].shape[2]
    for part in chunks_of(n_rows, n_classes):
        of_all = np.zeros((len(rows[part]), n_classes), dtype=np.float32)
        for training, probs in zip(found, trainings, strict=True):
            total = np.zeros_like(of_all)
            for model in range(training.n_models):
                said = np.asarray(probs[model, rows[part]], dtype=np.float32)
                training.by_model[model, part] = said.argmax(axis=1)
                total += said
            training.predicted[part] = total.argmax(axis=1)
            of_all += total / training.n_models
        together[part] = of_all.argmax(axis=1)
    return found, together


def measure_noise(
    trainings: Sequence[Training], codes: IntArray, metrics: Metrics, units: sparse.csr_array | None = None
) -> TrainingNoise | None:
    """The noise of one model, from the fold models of each training and from the trainings; None if there is one model.

    codes : (n_items,) of the labels, all known
    units : (n_units, n_items), which items count as one, if some do

    The noise of a training is that of one model divided by the number of its models. Fold models and trainings are
    averaged with their degrees of freedom as weights; but where the trainings alone say more they are believed, because
    what all models of a training have in common moves those alone.
    """
    of_folds = [
        _Estimate(*_spread(training.by_model, codes, metrics, units), training.n_models - 1)
        for training in trainings
        if training.n_models > 1
    ]
    if len(trainings) < 2:
        return _noise(of_folds, FOLDS) if of_folds else None
    n_models = 1 / float(np.mean([1 / training.n_models for training in trainings]))
    predicted = np.array([training.predicted for training in trainings])
    spread, by_items = _spread(predicted, codes, metrics, units)
    of_seeds = _Estimate(n_models * spread, n_models * by_items, len(trainings) - 1)
    alone, together = _noise([of_seeds], SEEDS), _noise([of_seeds, *of_folds], SEEDS)
    return alone if alone.main_of_whole > together.main_of_whole else together


@dataclass(frozen=True)
class _Estimate:
    spread: FloatArray
    by_items: FloatArray
    df: int


def _noise(estimates: Sequence[_Estimate], source: str) -> TrainingNoise:
    dfs = [estimate.df for estimate in estimates]
    return TrainingNoise(
        spread=np.average([estimate.spread for estimate in estimates], axis=0, weights=dfs),
        by_items=np.average([estimate.by_items for estimate in estimates], axis=0, weights=dfs),
        df=float(sum(dfs)),
        source=source,
    )


def _spread(
    predictions: IntArray, codes: IntArray, metrics: Metrics, units: sparse.csr_array | None
) -> tuple[FloatArray, FloatArray]:
    """The variance of the numbers over predictions of the same items, and what the items alone make of it.

    predictions : (n_predictions, n_items), two at least
    A number that is not defined for some of the predictions has no spread.
    """
    ratios = [ratios_of(codes, predicted, metrics) for predicted in predictions]
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
