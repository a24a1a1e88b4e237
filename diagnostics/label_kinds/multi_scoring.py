"""The scores of runs whose items have several labels; see `diagnostics.label_kinds.scoring.Scoring`.

The columns are those of one label an item, with these meanings. predicted_label: the set at the thresholds.
second_label: the class of the item's most suspect pair, of items without labels the one nearest to its threshold;
p_second: the probability that the item has it. suspect: `missing` or `superfluous` where the value of that pair is more
probably wrong than right or another one is predicted, else "". p_given, p_predicted: the smallest probability of all
pairs of the given, of the predicted set. loss, entropy: means over the classes. margin: of the worst pair. confusion:
the smallest distance of a probability to its threshold. label_quality: that the whole set is right.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from diagnostics.chunks import for_each_chunk, native_rows
from diagnostics.dynamics import Dynamics, read_dynamics
from diagnostics.label_kinds.scoring import Scored
from diagnostics.label_quality import FILE as QUALITY_FILE
from diagnostics.label_quality import LABEL_RIGHT
from diagnostics.label_space import set_space
from diagnostics.multilabel.label_quality import PairQuality, fit_pair_quality
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.run_thresholds import FILE as THRESHOLDS_FILE
from diagnostics.multilabel.run_thresholds import predict_sets
from diagnostics.multilabel.scores import HALF, Pairs, check_probabilities, kinds_of
from diagnostics.multilabel.signals import NeighbourSupport, PairSignals, pair_signals
from diagnostics.neighbours import NearItems
from diagnostics.predictions import Predictions
from diagnostics.reasons import DOUBTS, LABELS_SEEN
from diagnostics.run_folder import Run
from diagnostics.scores import SCORE_COLUMNS
from diagnostics.signals import DYNAMICS, MIN_PLANTED, NEIGHBOURS, TRAINED
from diagnostics.task import BoolArray, FloatArray, IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.quick_scores import near_of_quick_run

SUSPECT_COLUMN = "suspect"
CHUNK_CELLS = 250_000
NOT_SUSPECT = ""
WHY_MISSING: Mapping[str, str] = {
    NEIGHBOURS: "no embeddings of all items by one model; train again",
    DYNAMICS: f"what models said in training was not recorded, or fewer than {MIN_PLANTED} labels were planted to tell "
    "how wrong ones look there; train again",
    TRAINED: "with several labels an item, what finished models say of the items that they learnt is not used",
}


def score_run(
    run_dir: Path,
    predictions: Predictions,
    near: NearItems | None,
    *,
    content_hashes: Sequence[str],
    config: TrainConfig,
    why_missing: Mapping[str, str],
) -> Scored:
    """Quality is learnt from held-out predictions and, where there are features, from neighbours."""
    return _score(
        predictions,
        near,
        content_hashes,
        decided=(),
        config=config,
        why_missing=why_missing,
        dynamics=read_dynamics(run_dir),
    )


def score_quick_run(
    predictions: Predictions,
    base: Run | None,
    *,
    content_hashes: pd.Series,
    decided: Collection[str],
    config: TrainConfig,
    in_space_of: Run | None = None,
) -> Scored:
    """With the neighbours that the base run has found, because the features are the same, and with what its models said
    in training of items whose labels are still the same."""
    return _score(
        predictions,
        near_of_quick_run(predictions, base or in_space_of, content_hashes, config.seed),
        content_hashes.astype(str).tolist(),
        decided=decided,
        config=config,
        why_missing={},
        dynamics=None if base is None else carried_dynamics(base.folder, base.predictions, predictions),
    )


def carried_dynamics(run_dir: Path, then: Predictions, now: Predictions) -> Dynamics | None:
    """What the models of a full run said in training, of items that have the same labels still, rows as those of `now`;
    None if it is not known, or the classes are others.

    then : the predictions of the full run
    """
    dynamics = read_dynamics(run_dir)
    if dynamics is None or then.classes != now.classes:
        return None
    rows = pd.Index(then.item_ids).get_indexer(pd.Index(now.item_ids))
    same = (rows >= 0) & (then.given_labels[rows] == now.given_labels)
    return dynamics.of_rows(np.where(same, rows, -1))


def _score(
    predictions: Predictions,
    near: NearItems | None,
    content_hashes: Sequence[str],
    *,
    decided: Collection[str],
    config: TrainConfig,
    why_missing: Mapping[str, str],
    dynamics: Dynamics | None = None,
) -> Scored:
    label_sets = _label_sets(predictions)
    probs = predictions.pred_probs
    signals = pair_signals(
        label_sets, probs, splits=predictions.splits, kinds=predictions.kinds, near=near, dynamics=dynamics
    )
    quality = fit_pair_quality(
        signals, verdicts=_verdicts(predictions, decided, len(label_sets.classes)), seed=config.seed
    )
    predicted, thresholds = predict_sets(
        label_sets,
        probs,
        splits=predictions.splits,
        kinds=predictions.kinds,
        units=content_hashes,
        rule=config.thresholds,
        seed=config.seed,
    )
    found = _one_pass(signals, quality, predicted.targets, thresholds.thresholds.values)
    about = {
        "item_id": predictions.item_ids,
        "split": predictions.splits,
        "kind": predictions.kinds,
        "given_label": predictions.given_labels,
    }
    table = pd.DataFrame(about).join(_columns(found, predicted.targets, label_sets))
    missing = _missing(signals, why_missing)
    return Scored(
        table.assign(**_reason_columns(signals, found.suspect)),
        {QUALITY_FILE: _quality_json(quality, missing), THRESHOLDS_FILE: thresholds.to_json()},
    )


def _label_sets(predictions: Predictions) -> LabelSets:
    space = set_space(predictions.classes, predictions.given_labels)
    return space.label_sets(space.codes(predictions.given_labels))


def _verdicts(predictions: Predictions, decided: Collection[str], n_classes: int) -> IntArray | None:
    """(n_items, n_classes): who decided about an item has looked at all of its labels."""
    if not decided:
        return None
    is_decided = np.isin(predictions.item_ids.astype(str), np.array(sorted(decided), dtype=str))
    return np.repeat(np.where(is_decided, LABEL_RIGHT, 0)[:, None], n_classes, axis=1)


@dataclass(frozen=True)
class _Found:
    """Numbers of n items, (n_items,) each; suspect : the class of the pair that is looked at first."""

    suspect: IntArray
    is_suspect: BoolArray
    p_given: FloatArray
    p_predicted: FloatArray
    p_second: FloatArray
    loss: FloatArray
    confusion: FloatArray
    margin: FloatArray
    entropy: FloatArray
    label_quality: FloatArray


def _one_pass(
    signals: PairSignals, quality: PairQuality, predicted: BoolArray, thresholds: FloatArray
) -> _Found:
    n_items, n_classes = signals.pred_probs.shape
    numbers = [np.full(n_items, np.nan) for _ in range(8)]
    found = _Found(np.zeros(n_items, dtype=np.int64), np.zeros(n_items, dtype=bool), *numbers)

    def score(rows: slice) -> None:
        probs = native_rows(signals.pred_probs, rows)
        check_probabilities(probs, signals.label_sets.classes, first_row=rows.start)
        pairs = Pairs(
            signals.label_sets.targets[rows],
            probs.astype(np.float64),
            quality.of(signals, rows),
            thresholds,
        )
        _score_chunk(found, rows, pairs, predicted[rows], signals.label_sets.labelled[rows])

    for_each_chunk(score, n_items, n_classes, max(1, CHUNK_CELLS // n_classes))
    return found


def _score_chunk(found: _Found, rows: slice, pairs: Pairs, predicted: BoolArray, labelled: BoolArray) -> None:
    places, probs = np.arange(len(labelled)), pairs.probs
    distance = np.abs(probs - pairs.thresholds)
    worst = np.where(labelled[:, None], pairs.quality, distance).argmin(axis=1)
    differs = predicted[places, worst] != pairs.targets[places, worst]
    found.suspect[rows] = worst
    found.is_suspect[rows] = labelled & (differs | (pairs.quality[places, worst] < HALF))
    found.p_second[rows] = probs[places, worst]
    found.p_predicted[rows] = np.where(predicted, probs, 1 - probs).min(axis=1)
    found.confusion[rows] = distance.min(axis=1)
    found.entropy[rows] = pairs.entropy.mean(axis=1)
    p_given = np.where(pairs.targets, probs, 1 - probs).min(axis=1)
    of_labelled = {
        "p_given": p_given,
        "loss": pairs.loss.mean(axis=1),
        "margin": pairs.margin.min(axis=1),
        "label_quality": pairs.quality.prod(axis=1),
    }
    for name, values in of_labelled.items():
        getattr(found, name)[rows] = np.where(labelled, values, np.nan)


def _columns(found: _Found, predicted: BoolArray, label_sets: LabelSets) -> pd.DataFrame:
    sets = LabelSets(label_sets.classes, predicted, np.ones(len(predicted), dtype=bool))
    given = label_sets.targets[np.arange(len(found.suspect)), found.suspect]
    columns = {
        "predicted_label": sets.texts(),
        "second_label": np.asarray(label_sets.classes, dtype=object)[found.suspect],
    }
    columns |= {name: getattr(found, name) for name in SCORE_COLUMNS if name not in columns}
    table = pd.DataFrame(columns)[list(SCORE_COLUMNS)]
    suspect = np.where(found.is_suspect, kinds_of(given), NOT_SUSPECT)
    return table.assign(**{SUSPECT_COLUMN: pd.Series(suspect, dtype="str")})


def _reason_columns(signals: PairSignals, suspect: IntArray) -> dict[str, pd.Series]:
    """`diagnostics.reasons.QUALITY_COLUMNS` of the suspect pair: neighbour_count of n_neighbours have the label."""
    n_items, labelled = len(suspect), signals.label_sets.labelled
    doubts = signals.doubts_at(np.arange(n_items), suspect)
    columns = {}
    for name, title in DOUBTS.items():
        known = doubts[:, signals.names.index(name)] if name in signals.names else np.full(n_items, np.nan)
        columns[title] = pd.Series(np.where(labelled, known, np.nan))
    columns |= {name: pd.Series([None] * n_items, dtype="str") for name in LABELS_SEEN}
    counts, totals = np.zeros(n_items, dtype=np.int64), np.zeros(n_items, dtype=np.int64)
    near = signals.supports.get(NEIGHBOURS)
    if isinstance(near, NeighbourSupport):
        counts, totals = near.counts_at(np.arange(n_items), suspect)
    known_near = pd.Series(totals > 0)
    nothing = pd.Series(np.zeros(n_items), dtype="Int32").where(pd.Series(np.zeros(n_items, dtype=bool)))
    return columns | {
        "neighbour_count": pd.Series(counts, dtype="Int32").where(known_near),
        "n_neighbours": pd.Series(totals, dtype="Int32").where(known_near),
        "model_count": nothing,
        "n_models": nothing,
    }


def _missing(signals: PairSignals, why_missing: Mapping[str, str]) -> dict[str, str]:
    return {
        name: why_missing.get(name, why) for name, why in WHY_MISSING.items() if name not in signals.names
    }


def _quality_json(quality: PairQuality, missing: Mapping[str, str]) -> dict[str, Any]:
    """As `LabelQuality.to_json`; the weights of labels that items have, and of those that they have not."""
    return {
        "format_version": 1,
        "weights": [asdict(weights) for weights in quality.given],
        "weights_not_given": [asdict(weights) for weights in quality.not_given],
        "missing": dict(missing),
    }
