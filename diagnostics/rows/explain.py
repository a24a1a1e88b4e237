"""Which features of a row matter most for its label: each feature's value is replaced by those of a few other rows, and
what the model then says of the label is held against what it said before. It asks the model only, whatever that is.
"""

from collections.abc import Callable

import numpy as np

from diagnostics.errors import Cancelled
from diagnostics.explanations import Explanations, explanations_of
from diagnostics.modalities import ToExplain
from diagnostics.task import BoolArray, FloatArray, IntArray

N_DRAWS = 3
MOST_PREDICTIONS = 1_000_000
FEWEST_EXPLAINED = 2_000
ROWS_AT_ONCE = 8_192
SMALLEST_PROBABILITY = 0.01

PredictRows = Callable[[FloatArray], FloatArray]


def explain_rows(
    predict: PredictRows,
    values: FloatArray,
    feature_of: IntArray,
    names: tuple[str, ...],
    asked: ToExplain,
    *,
    seed: int,
    should_stop: Callable[[], bool],
) -> Explanations:
    """How much each feature speaks for the label: the log odds of the label, less those with the feature's value
    replaced by that of another row, on average over N_DRAWS rows drawn at random.

    predict : (n, n_columns) → (n, n_classes) probabilities, of a model that was not trained on the items asked for
    values : (n_items, n_columns), all rows of the run; feature_of : (n_columns,), the place in `names`
    returns : one entry an item asked for; those that `n_explained` leaves out, the least suspect, have no parts
    raises : Cancelled
    """
    n = n_explained(len(asked.positions), len(names), n_models=asked.n_models)
    rng = np.random.default_rng(seed)
    found = [
        _effects(
            predict,
            values,
            feature_of,
            asked,
            slice(start, min(start + _items_at_once(), n)),
            rng,
            should_stop,
        )
        for start in range(0, n, _items_at_once())
    ]
    places = np.arange(len(names))
    parts = [(places, places + 1, effects) for block in found for effects in block]
    empty = np.empty(0, dtype=np.int64)
    parts += [(empty, empty, np.empty(0))] * (len(asked.positions) - n)
    return explanations_of(parts, names)


def n_explained(n_asked: int, n_features: int, *, n_models: int) -> int:
    """Of how many items asked of one model a run can afford explanations: as many as MOST_PREDICTIONS allow for all of
    its models together, in any case FEWEST_EXPLAINED of the run.

    >>> n_explained(2_000, 30, n_models=5), n_explained(20_000, 30, n_models=5), n_explained(20_000, 3_000, n_models=5)
    (2000, 2222, 400)
    """
    affordable = MOST_PREDICTIONS // (n_models * max(1, n_features) * N_DRAWS)
    return min(n_asked, max(affordable, FEWEST_EXPLAINED // n_models))


def _items_at_once() -> int:
    return ROWS_AT_ONCE // N_DRAWS


def _effects(
    predict: PredictRows,
    values: FloatArray,
    feature_of: IntArray,
    asked: ToExplain,
    part: slice,
    rng: np.random.Generator,
    should_stop: Callable[[], bool],
) -> FloatArray:
    """(n, n_features) of these of the items asked for."""
    positions, codes = asked.positions[part], asked.codes[part]
    own = values[positions]
    before = _log_odds(predict(own), codes)
    others = _other_rows(positions, len(values), rng)
    repeated, repeated_codes = np.repeat(own, N_DRAWS, axis=0), np.repeat(codes, N_DRAWS)
    effects = np.zeros((len(positions), int(feature_of.max()) + 1))
    for feature in range(effects.shape[1]):
        if should_stop():
            raise Cancelled("Stopped while asking what speaks for the labels.")
        columns = np.flatnonzero(feature_of == feature)
        replaced = repeated.copy()
        replaced[:, columns] = values[np.ix_(others, columns)]
        changed = _differ(replaced[:, columns], repeated[:, columns])
        after = np.repeat(before, N_DRAWS)
        if changed.any():
            after[changed] = _log_odds(predict(replaced[changed]), repeated_codes[changed])
        effects[:, feature] = (before[:, None] - after.reshape(-1, N_DRAWS)).mean(axis=1)
    return effects


def _other_rows(positions: IntArray, n_items: int, rng: np.random.Generator) -> IntArray:
    """(n × N_DRAWS,), for each position N_DRAWS others; itself if there is no other."""
    steps = rng.integers(1, max(2, n_items), size=(len(positions), N_DRAWS))
    return ((positions[:, None] + steps) % n_items).ravel()


def _differ(values: FloatArray, others: FloatArray) -> BoolArray:
    """(n,), whether rows differ; missing is the same as missing."""
    differ: BoolArray = ((values != others) & ~(np.isnan(values) & np.isnan(others))).any(axis=1)
    return differ


def _log_odds(probs: FloatArray, codes: IntArray) -> FloatArray:
    given = probs[np.arange(len(codes)), codes]
    odds: FloatArray = np.log((given + SMALLEST_PROBABILITY) / (1 - given + SMALLEST_PROBABILITY))
    return odds
