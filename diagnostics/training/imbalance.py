"""What a training can do about classes of different sizes, for items with one label: one ordered table. No model is
loaded for it.

A remedy is what an epoch shows and what an item weighs; the losses that go with it are in `recipe.LOSSES`. The counts
are always those of the items that the one model is trained on. Those for items with several labels are in
`diagnostics.multilabel.imbalance`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diagnostics.errors import ConfigError

if TYPE_CHECKING:  # `winnow --help` reads this table, and pandas would hold it up
    from diagnostics.label_space import LabelSpace
    from diagnostics.task import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Shown:
    """What an epoch shows of the items that a model is trained on: `n` of them; draw : (generator) -> their positions
    among these, (n,)
    """

    n: int
    draw: Callable[[np.random.Generator], IntArray]


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way to train in spite of imbalance. Codes are (n_items,) of labels in a space, of the training items.

    title, help : what it is called, and what it does in a few words
    draw : (space, codes, generator) -> the positions that an epoch shows, (n_drawn,)
    n_drawn : (space, codes) -> how many those are
    weights : (space, codes) -> what each item weighs in the loss of a head, (n_items, 1), or each of its classes,
        (n_items, n_classes); items without a label, -1, weigh 1. This is what the draw and the loss of a full training
        come to on average. None = no head can be trained so; of two remedies with the same function heads know one
    """

    title: str
    help: str
    draw: Callable[[LabelSpace, IntArray, np.random.Generator], IntArray]
    n_drawn: Callable[[LabelSpace, IntArray], int]
    weights: Callable[[LabelSpace, IntArray], FloatArray] | None


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


def draw_each_once(space: LabelSpace, codes: IntArray, rng: np.random.Generator) -> IntArray:
    """Every position once, in random order, (n_items,)."""
    return rng.permutation(len(codes))


def draw_by_weight(weights: FloatArray, rng: np.random.Generator) -> IntArray:
    """As many positions as there are items, with replacement, in proportion to their weights, (n_items,).

    So does fastai's WeightedDL; here the generator is passed in, so that an epoch does not depend on those before it.
    """
    drawn: IntArray = rng.choice(len(weights), size=len(weights), p=weights / weights.sum())
    return drawn


def n_all(space: LabelSpace, codes: IntArray) -> int:
    """As many as there are."""
    return len(codes)


def _draw_repeated(space: LabelSpace, codes: IntArray, rng: np.random.Generator) -> IntArray:
    """Every class as often as the largest, in random order: whole copies, the rest drawn without replacement."""
    largest = int(np.bincount(codes).max())
    parts = []
    for code in np.unique(codes):
        positions = np.flatnonzero(codes == code)
        n_copies, n_more = divmod(largest, len(positions))
        parts += [np.tile(positions, n_copies), rng.choice(positions, n_more, replace=False)]
    return rng.permutation(np.concatenate(parts))


def _n_repeated(space: LabelSpace, codes: IntArray) -> int:
    counts = np.bincount(codes)
    return int(counts.max() * (counts > 0).sum())


def _draw_weighted(space: LabelSpace, codes: IntArray, rng: np.random.Generator) -> IntArray:
    """In proportion to the weights of the classes."""
    return draw_by_weight(inverse_root_weights(np.bincount(codes))[codes], rng)


def _equal(counts: IntArray) -> FloatArray:
    return np.ones(len(counts))


def _by_class(of_class: Callable[[IntArray], FloatArray]) -> Callable[[LabelSpace, IntArray], FloatArray]:
    """(n_items, 1), what an item of each class weighs; of_class : (n_classes,) from the sizes of the classes"""

    def weights(space: LabelSpace, codes: IntArray) -> FloatArray:
        found = np.append(of_class(count_classes(codes, len(space.classes))), 1.0)[codes]
        return found[:, None]

    return weights


_rooted = _by_class(inverse_root_weights)

NO_REMEDY, WEIGHTED_LOSS, FOCAL_LOSS = "none", "weighted_loss", "focal_loss"
IMBALANCE: dict[str, Remedy] = {
    NO_REMEDY: Remedy("None", "every item counts the same", draw_each_once, n_all, _by_class(_equal)),
    "oversample": Remedy(
        "Oversampling",
        "items of rare classes are repeated until each class is as large as the largest",
        _draw_repeated,
        _n_repeated,
        _by_class(repetitions),
    ),
    WEIGHTED_LOSS: Remedy(
        "Weighted loss",
        "an item's loss weighs the inverse square root of its class's size, 1 for the rarest",
        draw_each_once,
        n_all,
        _rooted,
    ),
    "weighted_sampling": Remedy(
        "Weighted sampling",
        "items are drawn with replacement with these weights",
        _draw_weighted,
        n_all,
        _rooted,
    ),
    FOCAL_LOSS: Remedy(
        "Focal loss",
        "items that the model is sure of count less",
        draw_each_once,
        n_all,
        None,
    ),
}


def count_classes(codes: IntArray, n_classes: int) -> IntArray:
    """(n_classes,), how many items each class has; items without a label are not counted."""
    return np.bincount(codes[codes >= 0], minlength=n_classes)


def item_weights(
    remedies: Mapping[str, Remedy],
    imbalance: str,
    space: LabelSpace,
    codes: IntArray,
    *,
    trained: str = "the quick estimate",
) -> FloatArray:
    """(n_items, 1) or (n_items, n_classes), what each item or each of its classes weighs in a loss, see `Remedy`.

    remedies : of the kind of label
    trained : what is trained so, in words
    raises : ConfigError if that cannot be: a loss that changes while a network learns is no weight
    """
    remedy = remedies[imbalance]
    if remedy.weights is None:
        usable = ", ".join(name for name, other in remedies.items() if other.weights is not None)
        raise ConfigError(
            f"{remedy.title} is not available in {trained}, which can be trained with {usable}. "
            f"Train in full, with a network, for imbalance={imbalance}."
        )
    return remedy.weights(space, codes)
