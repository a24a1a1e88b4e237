"""What independent sources say of every item-label pair: how much each supports that the item has the label.

The sources have the names they have for items with one label, see `diagnostics.signals`. A pair's given value, has or
has not, is doubted as much as the other value is supported more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from diagnostics.chunks import Rows
from diagnostics.dynamics import Dynamics
from diagnostics.errors import DataError
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.neighbours import N_NEIGHBOURS, NOBODY, NearItems
from diagnostics.predictions import IN_SAMPLE, OUT_OF_FOLD, ObjectArray
from diagnostics.signals import DYNAMICS, HELD_OUT, MIN_PLANTED, NEIGHBOURS, SMALLEST_SUPPORT
from diagnostics.task import BoolArray, FloatArray, IntArray


class Support(Protocol):
    """How much a source supports, in [0, 1], that items have labels; NaN for items of which it cannot say."""

    def of(self, rows: Rows) -> FloatArray:
        """(n, n_classes), of all pairs of some items."""

    def at(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """(n,), of single pairs."""


@dataclass(frozen=True)
class PlantedPairs:
    """Pairs whose value was toggled in the training of one model each; (n_planted,).

    rows, columns : whose they are; probs : of having the label, by that model while it learnt the toggled value
    """

    rows: IntArray
    columns: IntArray
    probs: FloatArray


@dataclass(frozen=True)
class PairSignals:
    """What the sources say of n items.

    pred_probs : (n_items, n_classes), each in [0, 1]; may be memory-mapped
    supports : by the source's name, held_out first
    ranked : (n_items,), the labelled items of train and val: what may be learnt from; test is never ranked by
    out_of_fold : (n_items,), of which one model speaks that held the item out; of others several or another one do
    planted : pairs whose value was toggled in the training of one model; None without signals that the value moves
    """

    label_sets: LabelSets
    pred_probs: FloatArray
    supports: Mapping[str, Support]
    ranked: BoolArray
    out_of_fold: BoolArray
    planted: PlantedPairs | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.supports)

    def doubts(self, rows: Rows) -> FloatArray:
        """(n, n_classes, n_signals), the doubt of every given value; high = suspect, NaN = nothing is known."""
        sign = np.where(self.label_sets.targets[rows], -1.0, 1.0)
        return np.stack(
            [sign * log_odds(name, support.of(rows)) for name, support in self.supports.items()], -1
        )

    def doubts_at(self, rows: IntArray, columns: IntArray) -> FloatArray:
        """(n, n_signals), the same of single pairs."""
        sign = np.where(self.label_sets.targets[rows, columns], -1.0, 1.0)
        said = [log_odds(name, support.at(rows, columns)) for name, support in self.supports.items()]
        return sign[:, None] * np.column_stack(said)

    def planted_doubts(self, value: bool) -> FloatArray:
        """(n, n_signals), the doubts of the planted pairs that were given this value, as their model saw them."""
        if self.planted is None:
            return np.empty((0, len(self.names)))
        mine = self.label_sets.targets[self.planted.rows, self.planted.columns] != value
        rows, columns = self.planted.rows[mine], self.planted.columns[mine]
        doubts = -self.doubts_at(rows, columns)
        if DYNAMICS in self.supports:
            said = log_odds(DYNAMICS, self.planted.probs[mine])
            doubts[:, self.names.index(DYNAMICS)] = -said if value else said
        return doubts


def log_odds(name: str, support: FloatArray) -> FloatArray:
    """ln of how many times more a source supports the label than its absence; above 0 = the item has it.

    >>> log_odds("held_out", np.array([0.5, 1.0])).round(2)
    array([0.  , 9.21])
    """
    smallest = SMALLEST_SUPPORT[name]
    values = np.asarray(support, dtype=np.float64)
    odds: FloatArray = np.log((values + smallest) / (1 - values + smallest))
    return odds


def pair_signals(
    label_sets: LabelSets,
    pred_probs: FloatArray,
    *,
    splits: ObjectArray | None = None,
    kinds: ObjectArray | None = None,
    near: NearItems | None = None,
    dynamics: Dynamics | None = None,
) -> PairSignals:
    """The signals of a run, or of the probabilities of any model.

    pred_probs : (n_items, n_classes), each in [0, 1], out of sample; may be memory-mapped
    splits, kinds : (n_items,), see `Predictions`; None: all are out-of-fold items of train
    near : see `diagnostics.neighbours.nearest_items`; None = no neighbours are known
    dynamics : of models some of whose labels were planted; None = what models said in training is not known
    raises : DataError for probabilities of other items or classes
    """
    if pred_probs.shape != label_sets.targets.shape:
        raise DataError(
            f"Expected probabilities of {len(label_sets)} items and {len(label_sets.classes)} classes; found shape "
            f"{pred_probs.shape}."
        )
    n_items = len(label_sets)
    splits = np.full(n_items, "train", dtype=object) if splits is None else splits
    kinds = np.full(n_items, OUT_OF_FOLD, dtype=object) if kinds is None else kinds
    supports: dict[str, Support] = {HELD_OUT: HeldOutSupport(pred_probs, kinds == IN_SAMPLE)}
    if near is not None:
        usable = (splits == "train") & label_sets.labelled
        supports[NEIGHBOURS] = NeighbourSupport.from_near(label_sets.targets, near, usable)
    planted = None
    if dynamics is not None and len(dynamics.planted_rows) >= MIN_PLANTED:
        rows, columns = dynamics.planted_rows, dynamics.planted_codes
        planted = PlantedPairs(rows, columns, dynamics.planted_probs[np.arange(len(rows)), columns])
        supports[DYNAMICS] = HeldOutSupport(dynamics.probs, np.zeros(n_items, dtype=np.bool_))
    return PairSignals(
        label_sets,
        pred_probs,
        supports,
        ranked=label_sets.labelled & np.isin(splits, ("train", "val")),
        out_of_fold=kinds == OUT_OF_FOLD,
        planted=planted,
    )


@dataclass(frozen=True)
class HeldOutSupport:
    """The probabilities of a model that did not see the item.

    in_sample : (n_items,), of which only models trained on the item speak
    """

    pred_probs: FloatArray
    in_sample: BoolArray

    def of(self, rows: Rows) -> FloatArray:
        said = np.array(self.pred_probs[rows], dtype=np.float64)
        said[self.in_sample[rows]] = np.nan
        return said

    def at(self, rows: IntArray, columns: IntArray) -> FloatArray:
        said = np.array(self.pred_probs[rows, columns], dtype=np.float64)
        said[self.in_sample[rows]] = np.nan
        return said


@dataclass(frozen=True)
class NeighbourSupport:
    """Which share of an item's nearest labelled training items have each label, weighted by squared cosine.

    near, weights : (n_items, k), those items and how much each counts, 0 where there are fewer
    """

    targets: BoolArray
    near: IntArray
    weights: FloatArray

    @classmethod
    def from_near(cls, targets: BoolArray, near: NearItems, usable: BoolArray) -> "NeighbourSupport":
        """usable : (n_items,), who may count: labelled training items"""
        known = (near.rows != NOBODY) & usable[near.rows]
        order = np.argsort(~known, axis=1, kind="stable")[:, :N_NEIGHBOURS]
        known = np.take_along_axis(known, order, axis=1)
        cosines = np.take_along_axis(np.asarray(near.cosines, dtype=np.float32), order, axis=1)
        weights = np.where(known, np.square(cosines), 0)
        return cls(targets, np.take_along_axis(near.rows, order, axis=1), weights)

    def of(self, rows: Rows) -> FloatArray:
        weights = self.weights[rows]
        shares = np.einsum("nk,nkc->nc", weights, self.targets[self.near[rows]], dtype=np.float64)
        return _share(shares, weights.sum(axis=1, keepdims=True))

    def at(self, rows: IntArray, columns: IntArray) -> FloatArray:
        weights = self.weights[rows]
        have = (weights * self.targets[self.near[rows], columns[:, None]]).sum(axis=1, dtype=np.float64)
        return _share(have, weights.sum(axis=1))

    def counts_at(self, rows: IntArray, columns: IntArray) -> tuple[IntArray, IntArray]:
        """(n,) each, how many neighbours of single pairs' items have the label, and how many there are."""
        known = self.weights[rows] > 0
        have = self.targets[self.near[rows], columns[:, None]] & known
        return have.sum(axis=1), known.sum(axis=1)


def _share(have: FloatArray, total: FloatArray) -> FloatArray:
    share: FloatArray = np.divide(have, total, out=np.full_like(have, np.nan), where=total > 0)
    return share
