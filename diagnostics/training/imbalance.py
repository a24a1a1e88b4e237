"""What a training can do about classes of different sizes: one ordered table. No model is loaded for it.

A remedy is what an epoch shows and what an item weighs; the losses that go with it are in `recipe.LOSSES`. The counts
are always those of the items that the one model is trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diagnostics.errors import ConfigError

if TYPE_CHECKING:  # `winnow --help` reads this table, and pandas would hold it up
    from diagnostics.task import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way to train in spite of imbalance.

    title, help : what it is called, and what it does in a few words
    draw : the positions that an epoch shows, (n_drawn,), from the codes (n_items,) of the training items
    n_drawn : how many those are, from the number of items of each class
    class_weights : what an item of each class weighs in the loss of a head, from those numbers; this is what the draw
        and the loss of a full training come to on average. None = no head can be trained so
    """

    title: str
    help: str
    draw: Callable[[IntArray, np.random.Generator], IntArray]
    n_drawn: Callable[[IntArray], int]
    class_weights: Callable[[IntArray], FloatArray] | None


def equal_weights(counts: IntArray) -> FloatArray:
    """(n_classes,) ones."""
    return np.ones(len(counts))


def inverse_root_weights(counts: IntArray) -> FloatArray:
    """The root of the smallest class's size over the root of each class's: 1 for the rarest.

    counts : (n_classes,); a class that nobody has weighs as much as the rarest

    >>> inverse_root_weights(np.array([400, 100, 0])).tolist()
    [0.5, 1.0, 1.0]
    """
    smallest = counts[counts > 0].min(initial=np.iinfo(np.int64).max)
    weights: FloatArray = np.sqrt(np.minimum(1.0, smallest / np.maximum(counts, 1)))
    return weights


def repetitions(counts: IntArray) -> FloatArray:
    """How often an item of each class is shown until its class is as large as the largest; 1 for classes of nobody.

    >>> repetitions(np.array([400, 100, 0])).tolist()
    [1.0, 4.0, 1.0]
    """
    repeated: FloatArray = np.where(counts > 0, counts.max() / np.maximum(counts, 1), 1.0)
    return repeated


def draw_each_once(codes: IntArray, rng: np.random.Generator) -> IntArray:
    """Every position once, in random order."""
    return rng.permutation(len(codes))


def draw_repeated(codes: IntArray, rng: np.random.Generator) -> IntArray:
    """Every class as often as the largest, in random order: whole copies, the rest drawn without replacement.

    >>> drawn = draw_repeated(np.array([0, 0, 0, 1, 1]), np.random.default_rng(0))
    >>> np.bincount(np.array([0, 0, 0, 1, 1])[drawn]).tolist()
    [3, 3]
    """
    largest = int(np.bincount(codes).max())
    parts = []
    for code in np.unique(codes):
        positions = np.flatnonzero(codes == code)
        n_copies, n_more = divmod(largest, len(positions))
        parts += [np.tile(positions, n_copies), rng.choice(positions, n_more, replace=False)]
    return rng.permutation(np.concatenate(parts))


def draw_weighted(codes: IntArray, rng: np.random.Generator) -> IntArray:
    """As many positions as there are items, with replacement, in proportion to the weights of their classes.

    So does fastai's WeightedDL; here the generator is passed in, so that an epoch does not depend on those before it.
    """
    weights = inverse_root_weights(np.bincount(codes))[codes]
    drawn: IntArray = rng.choice(len(codes), size=len(codes), p=weights / weights.sum())
    return drawn


def _n_all(counts: IntArray) -> int:
    return int(counts.sum())


def _n_repeated(counts: IntArray) -> int:
    return int(counts.max() * (counts > 0).sum())


NO_REMEDY, FOCAL_LOSS = "none", "focal_loss"
IMBALANCE: dict[str, Remedy] = {
    NO_REMEDY: Remedy("None", "every item counts the same", draw_each_once, _n_all, equal_weights),
    "oversample": Remedy(
        "Oversampling",
        "items of rare classes are repeated until each class is as large as the largest",
        draw_repeated,
        _n_repeated,
        repetitions,
    ),
    "weighted_loss": Remedy(
        "Weighted loss",
        "an item's loss weighs the inverse square root of its class's size, 1 for the rarest",
        draw_each_once,
        _n_all,
        inverse_root_weights,
    ),
    "weighted_sampling": Remedy(
        "Weighted sampling",
        "items are drawn with replacement with these weights",
        draw_weighted,
        _n_all,
        inverse_root_weights,
    ),
    FOCAL_LOSS: Remedy(
        "Focal loss",
        "items that the model is sure of count less",
        draw_each_once,
        _n_all,
        None,
    ),
}


def count_classes(codes: IntArray, n_classes: int) -> IntArray:
    """(n_classes,), how many items each class has; items without a label are not counted."""
    return np.bincount(codes[codes >= 0], minlength=n_classes)


def item_weights(
    imbalance: str, codes: IntArray, n_classes: int, *, trained: str = "the quick estimate"
) -> FloatArray:
    """(n_items,), what each item weighs in a loss, by the size of its class; 1 for those without a label.

    trained : what is trained so, in words
    raises : ConfigError if that cannot be: a loss that changes while a network learns is no weight
    """
    class_weights = IMBALANCE[imbalance].class_weights
    if class_weights is None:
        usable = ", ".join(name for name, remedy in IMBALANCE.items() if remedy.class_weights is not None)
        raise ConfigError(
            f"{IMBALANCE[imbalance].title} is not available in {trained}, which can be trained with {usable}. "
            f"Train in full, with a network, for imbalance={imbalance}."
        )
    of_class = class_weights(count_classes(codes, n_classes))
    weights: FloatArray = np.where(codes >= 0, of_class[codes], 1.0)
    return weights
