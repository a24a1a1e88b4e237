"""Gradient boosting on encoded rows: scikit-learn's, which takes categories and missing values as they are.

Its trees are few, shallow and regularised, and each split chooses among a part of the features: with wrong labels among
the training items that found more of them, and gave better probabilities, than scikit-learn's defaults and than early
stopping on a part of the training items. The best temperature that could be found for its probabilities was near 1, so
nothing is calibrated. (Tried out of fold on four sets of tests/benchmarks/bench_tabular.py.)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from diagnostics.errors import Cancelled
from diagnostics.rows.encoding import EncodedRows
from diagnostics.task import BoolArray, FloatArray, IntArray

MAX_BINS = 255
N_TREES = 100
TREES_A_STEP = 20
LEAF_ITEMS, FEWEST_LEAF_ITEMS, LEAF_SHARE = 20, 3, 10
CELLS_A_THREAD = 500_000
SETTINGS = {
    "learning_rate": 0.1,
    "max_leaf_nodes": 16,
    "max_features": 0.3,
    "l2_regularization": 20.0,
    "early_stopping": False,
}


def in_bins(rows: EncodedRows) -> FloatArray:
    """(n_items, n_columns), the values; in a column of more than MAX_BINS different numbers, the number of the quantile
    that each lies in, whatever its label. scikit-learn does the same for each model, but with weights takes minutes.
    """
    values = rows.values.copy()
    for column in np.flatnonzero(~rows.is_category):
        present = np.unique(values[~np.isnan(values[:, column]), column])
        if len(present) > MAX_BINS:
            values[:, column] = _binned(values[:, column])
    return values


def _binned(values: FloatArray) -> FloatArray:
    missing = np.isnan(values)
    edges = np.unique(np.quantile(values[~missing], np.linspace(0, 1, MAX_BINS + 1)[1:-1]))
    return np.where(missing, np.nan, np.searchsorted(edges, values))


@dataclass(frozen=True)
class BoostedTrees:
    """A fitted model.

    columns : which columns of the encoded rows it reads; none of those that were missing in every training item
    model : None if there is no column left, or only one class: it says what is commonest
    shares : (n_classes,), of the classes in the weighted training items
    """

    model: HistGradientBoostingClassifier | None
    columns: IntArray
    shares: FloatArray
    n_threads: int

    def predict(self, values: FloatArray) -> FloatArray:
        """(n, n_classes) float64 probabilities; classes that it was not trained on have 0.

        values : (n, n_columns), as it was fitted to; a category that no training item had counts as missing
        """
        probs = np.zeros((len(values), len(self.shares)))
        if self.model is None:
            probs[:] = self.shares
            return probs
        with threadpool_limits(self.n_threads, user_api="openmp"):
            probs[:, self.model.classes_] = self.model.predict_proba(values[:, self.columns])
        return probs


def fit_boosted_trees(
    values: FloatArray,
    is_category: BoolArray,
    codes: IntArray,
    n_classes: int,
    *,
    weights: FloatArray,
    seed: int,
    n_threads: int,
    should_stop: Callable[[], bool],
    on_share: Callable[[float], None],
) -> BoostedTrees:
    """Fit on the training items.

    values : (n, n_columns), as from `in_bins`; is_category : (n_columns,)
    codes : (n,) in [0, n_classes); weights : (n,), at least 0
    n_threads : at most; few cells are faster on one, which also waits for no other process
    should_stop : asked every few trees; a stop raises Cancelled; on_share : told how much is done, in [0, 1]
    """
    n_threads = min(n_threads, 1 + values.size // CELLS_A_THREAD)
    columns = np.flatnonzero(~np.isnan(values).all(axis=0))
    shares = np.bincount(codes, weights, minlength=n_classes)
    shares = shares / shares.sum()
    if not len(columns) or (shares > 0).sum() < 2:
        return BoostedTrees(None, columns, shares, n_threads)
    model = HistGradientBoostingClassifier(
        categorical_features=is_category[columns] if is_category[columns].any() else None,
        min_samples_leaf=min(LEAF_ITEMS, max(FEWEST_LEAF_ITEMS, len(values) // LEAF_SHARE)),
        random_state=seed,
        warm_start=True,
        **SETTINGS,
    )
    with threadpool_limits(n_threads, user_api="openmp"):
        for n_trees in range(TREES_A_STEP, N_TREES + 1, TREES_A_STEP):
            if should_stop():
                raise Cancelled("Training was stopped.")
            model.set_params(max_iter=n_trees).fit(values[:, columns], codes, sample_weight=weights)
            on_share(n_trees / N_TREES)
    return BoostedTrees(model, columns, shares, n_threads)
