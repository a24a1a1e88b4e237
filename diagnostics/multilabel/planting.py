"""Labels added to items or taken from them on purpose, in what one model trains on."""

from collections.abc import Sequence

import numpy as np

from diagnostics.label_space import LabelSpace
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.task import BoolArray, FloatArray, IntArray
from diagnostics.training.planting import NOTHING_PLANTED, PlantedLabels


def plant_toggles(
    space: LabelSpace, trained_on: Sequence[IntArray], codes: IntArray, *, share: float, seed: int
) -> tuple[LabelSpace, tuple[PlantedLabels, ...]]:
    """Draw for each model a share of its training items, and for each of them one label to take from it or to add.

    Half lose a label that they have, each with the same chance; half get one that they have not, as often as items have
    it. Items with no label, or with all of them, have no choice.
    trained_on : per model the positions it trains on; codes : (n_items,)
    returns : the space with the sets that come of it; and one entry a model. An item is planted in one model at most
    """
    rng = np.random.default_rng(seed)
    usual = space.targets(codes[np.concatenate(trained_on)]).mean(axis=0)
    turns = rng.permutation(len(codes)) % len(trained_on)
    drawn = []
    for model, positions in enumerate(trained_on):
        mine = positions[turns[positions] == model]
        chosen = np.sort(rng.choice(mine, min(round(share * len(positions)), len(mine)), replace=False))
        if not len(chosen):
            drawn.append(NOTHING_PLANTED)
            continue
        targets = space.targets(codes[chosen])
        columns = _columns(targets, usual, rng)
        targets[np.arange(len(chosen)), columns] ^= True
        texts = LabelSets(space.classes, targets, np.ones(len(chosen), dtype=np.bool_)).texts()
        space = space.with_texts(texts)
        drawn.append(PlantedLabels(chosen, space.codes(texts), columns))
    return space, tuple(drawn)


def _columns(targets: BoolArray, usual: FloatArray, rng: np.random.Generator) -> IntArray:
    """(n,), the class of each item whose label is toggled. usual : (n_classes,), how often items have each"""
    loses = rng.permutation(len(targets)) * 2 < len(targets)
    loses = np.where(targets.any(axis=1) & ~targets.all(axis=1), loses, targets.all(axis=1))
    chances = np.where(targets == loses[:, None], np.where(loses[:, None], 1.0, usual + 1e-9), 0.0)
    cumulative = chances.cumsum(axis=1)
    columns: IntArray = (cumulative < rng.random(len(targets))[:, None] * cumulative[:, -1:]).sum(axis=1)
    return columns
