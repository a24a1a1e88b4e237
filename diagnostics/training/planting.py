"""Labels swapped on purpose in a small share of what each model trains on, to learn how wrong labels look there.

A planted label stays inside the training of one model: no table, prediction or export of the user's data ever has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from diagnostics.task import FloatArray, IntArray


@dataclass(frozen=True)
class PlantedLabels:
    """The changed labels of one model.

    positions : (n,), of the plan's items; codes : (n,), what it learns of them instead
    classes : (n,), the class that is swapped in; of several labels an item, the one that is added or taken away
    """

    positions: IntArray
    codes: IntArray
    classes: IntArray

    def in_place_of(self, codes: IntArray) -> IntArray:
        """(n_items,) codes with the planted ones in their places; `codes` stays as it is."""
        learnt = codes.copy()
        learnt[self.positions] = self.codes
        return learnt


NOTHING_PLANTED = PlantedLabels(*(np.empty(0, dtype=np.int64) for _ in range(3)))


def plant_labels(
    trained_on: Sequence[IntArray], codes: IntArray, *, share: float, seed: int
) -> tuple[PlantedLabels, ...]:
    """Draw for each model a share of its training items and for each of them another class that occurs, all alike.

    trained_on : per model the positions it trains on
    codes : (n_items,), -1 = no label
    returns : one a model; an item is planted in one model at most, so that others learn its own label

    >>> planted = plant_labels([np.arange(0, 8), np.arange(2, 10)], np.arange(10) % 2, share=0.25, seed=0)
    >>> [len(labels.positions) for labels in planted]
    [2, 2]
    """
    rng = np.random.default_rng(seed)
    classes = np.unique(codes[np.concatenate(trained_on)])
    turns = rng.permutation(len(codes)) % len(trained_on)
    return tuple(
        _plant(positions[turns[positions] == model], round(share * len(positions)), codes, classes, rng)
        for model, positions in enumerate(trained_on)
    )


def _plant(
    candidates: IntArray, n_planted: int, codes: IntArray, classes: IntArray, rng: np.random.Generator
) -> PlantedLabels:
    chosen = np.sort(rng.choice(candidates, min(n_planted, len(candidates)), replace=False))
    places = np.searchsorted(classes, codes[chosen])
    steps = rng.integers(1, len(classes), size=len(chosen))
    swapped_in = classes[(places + steps) % len(classes)]
    return PlantedLabels(chosen, swapped_in, swapped_in)


def mean_of_unplanted(values: Sequence[FloatArray], planted: Sequence[PlantedLabels]) -> FloatArray:
    """The mean over the models that learnt an item's own label.

    values : per model (n_items, n_columns), NaN rows where it learnt nothing of the item
    returns : (n_items, n_columns) float32; NaN where no model learnt the item's own label
    """
    sums = np.zeros(values[0].shape, dtype=np.float32)
    counts = np.zeros(len(sums), dtype=np.float32)
    for of_model, labels in zip(values, planted, strict=True):
        usable = ~np.isnan(of_model[:, 0])
        usable[labels.positions] = False
        sums[usable] += of_model[usable]
        counts[usable] += 1
    with np.errstate(invalid="ignore"):
        means: FloatArray = sums / counts[:, None]
    return means
