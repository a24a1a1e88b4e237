"""Which model of a run trains on what, and is judged by what."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.label_kinds import label_kind_of
from diagnostics.label_kinds.kind import LabelKind
from diagnostics.label_space import LabelSpace
from diagnostics.predictions import IN_SAMPLE, MEAN_OF_FOLDS, OUT_OF_FOLD, SINGLE_MODEL, ObjectArray
from diagnostics.task import NO_LABEL, FloatArray, IntArray, Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.crossval import NO_FOLD, absent_classes
from diagnostics.training.imbalance import Shown
from diagnostics.training.planting import NOTHING_PLANTED, PlantedLabels

TRAIN_COLUMNS = ("item_id", "path", "root", "split", "label", "content_hash", "unit")
HELD_BACK, WEIGHT = "held_back", "weight"
MAX_EVALUATED = 1000
VALIDATION, FOLD, IN_SAMPLE_TRAIN = "val", "fold", "train (in sample)"


@dataclass(frozen=True)
class Plan:
    """Which model trains on what; every model predicts all items. Positions are rows of `items`.

    items : sorted by item_id, so that nothing depends on the order in which they came
    kind, space : of the labels
    codes : (n_items,) of the labels in that space, -1 = none
    folds : (n_items,), -1 for what no model holds out
    copies : (n_items,), how often an item stands among those that a model is trained on
    evaluated : per model the positions behind valid_loss and accuracy; held_out : their name
    planted : per model the labels that are changed in its training; none if one model is trained on all items
    """

    items: pd.DataFrame
    kind: LabelKind
    space: LabelSpace
    codes: IntArray
    folds: IntArray
    copies: IntArray
    n_models: int
    held_out: str
    evaluated: tuple[IntArray, ...]
    planted: tuple[PlantedLabels, ...]

    @property
    def labelled_train(self) -> IntArray:
        return _labelled_train(self.items, self.codes)

    def trained_on(self, model: int) -> IntArray:
        """Positions; an item that counts several times stands there as often."""
        seen = _trained_on(self.labelled_train, self.folds, model)
        return np.repeat(seen, self.copies[seen])

    def n_shown(self, model: int, config: TrainConfig) -> int:
        """How many items an epoch shows to a model, repeated ones as often as they are."""
        return self.shown(model, config).n

    def shown(self, model: int, config: TrainConfig) -> Shown:
        """What an epoch shows to a model of the items that it is trained on."""
        remedy = self.kind.remedies[config.imbalance]
        codes = self.learnt_codes(model)[self.trained_on(model)]
        return Shown(remedy.n_drawn(self.space, codes), partial(remedy.draw, self.space, codes))

    def learnt_codes(self, model: int) -> IntArray:
        """(n_items,) the labels that a model is given, planted ones among them."""
        return self.planted[model].in_place_of(self.codes)


def make_plan(items: pd.DataFrame, task: Task, config: TrainConfig) -> Plan:
    """Decide folds and what is evaluated after each epoch: labelled validation items if there are any, else the fold.

    items : columns TRAIN_COLUMNS, and perhaps HELD_BACK: True for labelled train items that are only predicted, and
        WEIGHT: how much an item counts, see `copies_of`
    raises : DataError if there is not enough to train on; ConfigError for what such labels cannot be trained with
    """
    missing = [name for name in TRAIN_COLUMNS if name not in items]
    if missing:
        raise DataError(f"The items to train on lack the columns {', '.join(missing)}.")
    ordered = items.sort_values("item_id", ignore_index=True)
    kind = label_kind_of(task.label_kind)
    kind.refuse(config)
    space = kind.space(task.classes, ordered["label"])
    codes = space.codes(ordered["label"])
    train = _labelled_train(ordered, codes)
    kind.check_trainable(space, codes[train])
    folds = np.full(len(ordered), NO_FOLD, dtype=np.int64)
    if config.folds:
        units = ordered["unit"].iloc[train].tolist()
        folds[train] = kind.make_folds(space, codes[train], units, n_folds=config.folds, seed=config.seed)
    n_models = config.folds or 1
    held_out, evaluated = _evaluated(
        ordered["split"].to_numpy(dtype=object), codes, train, folds, n_models, config.seed
    )
    planted = (NOTHING_PLANTED,) * n_models
    if config.folds:
        seen = [_trained_on(train, folds, model) for model in range(n_models)]
        space, planted = kind.plant_labels(space, seen, codes, share=config.planted, seed=config.seed)
    copies = np.ones(len(ordered), dtype=np.int64)
    if WEIGHT in ordered:
        copies[train] = copies_of(ordered[WEIGHT].to_numpy(dtype=float)[train], seed=config.seed)
    return Plan(ordered, kind, space, codes, folds, copies, n_models, held_out, evaluated, planted)


def copies_of(weights: FloatArray, *, seed: int) -> IntArray:
    """Whole numbers in place of weights: items of equal weight have in all as many copies as they weigh.

    weights : (n_items,), 0 or more, 1 = as one item

    A weight of 2.5 is 2 copies of half of the items and 3 of the others, drawn by the seed. Copies work for whatever
    a model is: networks are shown them, estimators that weigh their items count them.

    >>> copies_of(np.array([1, 2.5, 2.5, 2.5, 2.5]), seed=0).sum()
    np.int64(11)
    """
    copies: IntArray = np.floor(weights).astype(np.int64)
    rng = np.random.default_rng(seed)
    for weight in np.unique(weights[weights > copies]):
        alike = np.flatnonzero(weights == weight)
        n_more = round(len(alike) * (weight - np.floor(weight)))
        copies[rng.choice(alike, n_more, replace=False)] += 1
    return copies


def _labelled_train(items: pd.DataFrame, codes: IntArray) -> IntArray:
    """Positions of the labelled items of split train that are not held back."""
    labelled = (items["split"] == "train").to_numpy() & (codes != NO_LABEL)
    if HELD_BACK in items:
        labelled &= ~items[HELD_BACK].to_numpy(dtype=np.bool_)
    return np.flatnonzero(labelled)


def _trained_on(positions: IntArray, folds: IntArray, model: int) -> IntArray:
    seen: IntArray = positions[folds[positions] != model]
    return seen


def _evaluated(
    splits: ObjectArray, codes: IntArray, train: IntArray, folds: IntArray, n_models: int, seed: int
) -> tuple[str, tuple[IntArray, ...]]:
    """At most 1,000 items a model, the same in every epoch."""
    validation = np.flatnonzero((splits == "val") & (codes != NO_LABEL))
    if len(validation):
        return VALIDATION, (_at_most(validation, seed),) * n_models
    if (folds != NO_FOLD).any():
        return FOLD, tuple(_at_most(np.flatnonzero(folds == model), seed) for model in range(n_models))
    return IN_SAMPLE_TRAIN, (_at_most(train, seed),)


def _at_most(positions: IntArray, seed: int) -> IntArray:
    if len(positions) <= MAX_EVALUATED:
        return positions
    return np.sort(np.random.default_rng(seed).choice(positions, MAX_EVALUATED, replace=False))


def kinds_of(plan: Plan) -> ObjectArray:
    """(n_items,) how each item's prediction was made, one of diagnostics.predictions.KINDS."""
    if (plan.folds != NO_FOLD).any():
        return np.where(plan.folds != NO_FOLD, OUT_OF_FOLD, MEAN_OF_FOLDS).astype(object)
    kinds = np.full(len(plan.items), SINGLE_MODEL, dtype=object)
    kinds[plan.labelled_train] = IN_SAMPLE
    return kinds


def notes_of(plan: Plan, config: TrainConfig) -> list[str]:
    """What a reader of the run's numbers should know."""
    notes = []
    if config.folds:
        notes += absent_classes(plan.space, plan.codes, plan.folds, n_folds=config.folds)
        notes += plan.kind.notes
    notes += held_back_notes(plan)
    n_planted = sum(len(planted.positions) for planted in plan.planted)
    if n_planted:
        notes.append(
            f"{n_planted} labels were changed on purpose, each in the training of one model alone, to learn how wrong "
            "labels look; the data keep their own."
        )
    if (config.keep_best or config.early_stopping_patience) and plan.held_out != VALIDATION:
        notes.append(
            "keep_best and early stopping were left off: without a validation set they would choose the epoch by the "
            "very items whose out-of-fold predictions are wanted."
        )
    return notes


def held_back_notes(plan: Plan) -> list[str]:
    """A sentence on the items that are held back, if there are any."""
    n_held_back = int(plan.items[HELD_BACK].sum()) if HELD_BACK in plan.items else 0
    if not n_held_back:
        return []
    return [
        f"{n_held_back} labelled train items are above the cap on their class: predicted, not trained on."
    ]
