"""The scores of a quick round: label quality from its heads, what the full run's training knew, and decisions.

The full run watched its networks learn. That is still true of every item whose label has not changed since; of a label
that a person has changed it says how a wrong one looked, and the weights of the signals are learnt from it.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from diagnostics.dynamics import read_dynamics
from diagnostics.fold_arrays import FoldRows
from diagnostics.label_quality import LABEL_RIGHT, LABEL_WRONG, LabelQuality, fit_label_quality
from diagnostics.neighbours import NearItems, nearest_of_shared, read_near_items
from diagnostics.predictions import OUT_OF_FOLD, Predictions
from diagnostics.reasons import quality_table
from diagnostics.run_folder import Run
from diagnostics.scores import scores_table
from diagnostics.signals import (
    DYNAMICS,
    MIN_PLANTED,
    MOVED_BY_LABEL,
    NO_FOLD,
    Signals,
    TrainedModels,
    signals_of,
)
from diagnostics.task import NO_LABEL, BoolArray, label_codes

NOT_PLANTED = -1
N_COMPARED = 100


def score_quick_round(
    predictions: Predictions,
    base: Run | None,
    *,
    content_hashes: pd.Series,
    decided: Collection[str],
    seed: int,
    in_space_of: Run | None = None,
) -> tuple[pd.DataFrame, LabelQuality]:
    """The scores of every item, as `diagnostics.reasons.quality_table` gives them, and the weights behind them.

    base : the full run whose networks give the features, None if they are a pretrained network's or the items' own
    in_space_of : a full run that has the same features of its items, if there is one: see `same_features`
    content_hashes : (n_items,), rows as those of the predictions
    decided : the items on which a person has said that their present label is right
    seed : of the labels that are drawn to learn the weights
    """
    now = signals_of(
        predictions, near=near_of_quick_run(predictions, base or in_space_of, content_hashes, seed)
    )
    before = now if base is None else with_training_of(base, predictions.item_ids, now)
    changed = before.codes != now.codes
    is_decided = np.isin(predictions.item_ids.astype(str), np.array(sorted(decided), dtype=str))
    verdicts = np.where(changed & is_decided, LABEL_WRONG, np.where(is_decided, LABEL_RIGHT, 0))
    quality = fit_label_quality(before, verdicts=verdicts, seed=seed)
    present = _without_training(replace(before, codes=now.codes), changed)
    return quality_table(scores_table(predictions), present, quality), quality


def same_features(run: Run | None, predictions: Predictions) -> bool:
    """Whether a full run has the very features of its items that a quick round reads, judged by a sample of them.

    So it is where they are the items' own, and not those of the run's models: what is near is then known already.
    """
    theirs = None if run is None else run.predictions.fold_embeddings
    ours = predictions.fold_embeddings
    if run is None or theirs is None or ours is None:
        return False
    if theirs.shape[0] != 1 or ours.shape[0] != 1 or theirs.shape[2] != ours.shape[2]:
        return False
    rows = pd.Index(run.predictions.item_ids).get_indexer(pd.Index(predictions.item_ids))
    both = np.flatnonzero(rows >= 0)
    both = both[:: max(1, len(both) // N_COMPARED)]
    return len(both) > 0 and np.array_equal(theirs[0, rows[both]], ours[0, both])


def near_of_quick_run(
    predictions: Predictions, base: Run | None, content_hashes: pd.Series, seed: int
) -> NearItems | None:
    """Those that the base run has found, because the features are the same; items that it did not have get none.
    Without such a run those that an earlier round found in these features."""
    if predictions.fold_embeddings is None:
        return None
    kept = None if base is None else read_near_items(base.folder)
    if base is None or kept is None:
        return nearest_of_shared(predictions, content_hashes.astype(str).tolist(), seed=seed)
    return kept.of_rows(pd.Index(base.predictions.item_ids).get_indexer(pd.Index(predictions.item_ids)))


def with_training_of(base: Run, item_ids: np.ndarray, signals: Signals) -> Signals:
    """The signals with the labels that the base run was trained on, and with what its training said of them.

    item_ids : (n_items,), whose signals these are; an item that the base run did not have keeps its label
    """
    known = base.predictions
    rows = pd.Index(known.item_ids).get_indexer(pd.Index(item_ids))
    if known.classes != signals.classes:
        return _missing(signals, f"the classes have changed since {base.info.run_id}; train in full")
    old_codes = label_codes(known.given_labels, known.classes)[rows]
    learnt = replace(signals, codes=np.where((rows >= 0) & (old_codes != NO_LABEL), old_codes, signals.codes))
    dynamics = read_dynamics(base.folder)
    if dynamics is None or known.fold_probs is None:
        return _missing(
            learnt, f"{base.info.run_id} did not record what its models said in training; train in full"
        )
    carried = dynamics.of_rows(rows)
    if len(carried.planted_rows) < MIN_PLANTED:
        return _missing(learnt, f"too few labels were planted in the training of {base.info.run_id}")
    held_out = (rows >= 0) & (known.kinds[rows] == OUT_OF_FOLD)
    planted = np.full(len(rows), NOT_PLANTED, dtype=np.int64)
    planted[carried.planted_rows] = carried.planted_models
    said = FoldRows([known.fold_probs[model] for model in range(known.fold_probs.shape[0])], rows)
    return replace(
        learnt,
        dynamics=carried,
        trained=TrainedModels(said, np.where(held_out, known.folds[rows], NO_FOLD), planted),
        missing={name: why for name, why in signals.missing.items() if name not in MOVED_BY_LABEL},
    )


def _without_training(signals: Signals, rows: BoolArray) -> Signals:
    """The signals without what training said of some items, because it was of another label."""
    if signals.dynamics is None or signals.trained is None:
        return signals
    probs = np.where(rows[:, None], np.nan, signals.dynamics.probs)
    folds = np.where(rows, NO_FOLD, signals.trained.folds)
    return replace(
        signals,
        dynamics=replace(signals.dynamics, probs=probs),
        trained=replace(signals.trained, folds=folds),
    )


def _missing(signals: Signals, why: str) -> Signals:
    return replace(signals, missing={**signals.missing, DYNAMICS: why})
