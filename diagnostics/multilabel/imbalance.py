"""What a training can do about classes of different sizes where an item has several labels: one ordered table.

Each class is a question of its own, has the item the label or not, so a remedy can weigh the items that have it against
those that have not. Repeating items until all classes are as large as the largest is none: an item that is repeated
for one of its labels is repeated for all of them. No model is loaded for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diagnostics.training.imbalance import (
    FOCAL_LOSS,
    IMBALANCE,
    NO_REMEDY,
    WEIGHTED_LOSS,
    Remedy,
    draw_by_weight,
    draw_each_once,
    inverse_root_weights,
    n_all,
)

if TYPE_CHECKING:  # `winnow --help` reads this table, and pandas would hold it up
    from diagnostics.label_space import LabelSpace
    from diagnostics.task import FloatArray, IntArray


def positive_weights(n_have: IntArray, n_items: int) -> FloatArray:
    """What a label that an item has weighs against one that it has not: the root of how many items lack the class for
    each that has it; 1 for classes that nobody has or nobody lacks.

    n_have : (n_classes,), how many of n_items have each class

    >>> positive_weights(np.array([20, 50, 0]), 100).tolist()
    [2.0, 1.0, 1.0]
    """
    n_lack = n_items - n_have
    is_told_apart = (n_have > 0) & (n_lack > 0)
    weights: FloatArray = np.sqrt(np.where(is_told_apart, n_lack / np.maximum(n_have, 1), 1.0))
    return weights


def draw_weights(space: LabelSpace, codes: IntArray) -> FloatArray:
    """(n_items,), how often each item is drawn for others: as its rarest class asks, see `inverse_root_weights`; items
    with none of the classes as the largest does. Items without a label, -1, weigh 1.
    """
    n_have = space.by_class(np.bincount(codes[codes >= 0], minlength=len(space)))
    of_class = inverse_root_weights(n_have)
    least = of_class.min(initial=1.0)
    of_label = np.where(space.members, of_class, least).max(axis=1, initial=least)
    weights: FloatArray = np.append(of_label, 1.0)[codes]
    return weights


def _draw_weighted(space: LabelSpace, codes: IntArray, rng: np.random.Generator) -> IntArray:
    return draw_by_weight(draw_weights(space, codes), rng)


def _alike(space: LabelSpace, codes: IntArray) -> FloatArray:
    return np.ones((len(codes), len(space.classes)))


def _by_pair(space: LabelSpace, codes: IntArray) -> FloatArray:
    is_labelled = codes >= 0
    targets = space.targets(codes)
    positive = positive_weights(targets.sum(axis=0), int(is_labelled.sum()))
    weights: FloatArray = np.where(targets, positive, 1.0)
    return weights


def _by_item(space: LabelSpace, codes: IntArray) -> FloatArray:
    weights: FloatArray = np.repeat(draw_weights(space, codes)[:, None], len(space.classes), axis=1)
    return weights


SET_REMEDIES: dict[str, Remedy] = {
    NO_REMEDY: Remedy(IMBALANCE[NO_REMEDY].title, IMBALANCE[NO_REMEDY].help, draw_each_once, n_all, _alike),
    WEIGHTED_LOSS: Remedy(
        IMBALANCE[WEIGHTED_LOSS].title,
        "a label that an item has weighs the square root of how many items lack it for each that has it",
        draw_each_once,
        n_all,
        _by_pair,
    ),
    "weighted_sampling": Remedy(
        IMBALANCE["weighted_sampling"].title,
        "items are drawn with replacement, with the inverse square root of the size of their rarest class",
        _draw_weighted,
        n_all,
        _by_item,
    ),
    FOCAL_LOSS: Remedy(
        IMBALANCE[FOCAL_LOSS].title,
        "labels that the model is sure of count less",
        draw_each_once,
        n_all,
        None,
    ),
}
