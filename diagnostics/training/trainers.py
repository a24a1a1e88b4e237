"""Two ways to train again and again on parts of the same items: heads on features that are there, and whole models."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from diagnostics.errors import DataError
from diagnostics.experiments.frame import WORK_PREFIX, Trainer
from diagnostics.image_files import ImageRoot
from diagnostics.label_kinds.kind import learning_of
from diagnostics.label_space import LabelSpace
from diagnostics.progress import ProgressCallback
from diagnostics.task import NO_LABEL, FloatArray, IntArray, Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.heads import HeadFold, HeadSpace, fit_linear_heads, head_space
from diagnostics.training.imbalance import NO_REMEDY, item_weights
from diagnostics.training.lbfgs import Point
from diagnostics.training.plan import WEIGHT
from diagnostics.training.quick import Prepared, model_of
from diagnostics.training.run import train_and_predict

LEFT_OUT = 0.1
ONE_THREAD_CELLS = 500_000
KEPT_FILE = "{key}.npy"
SAFE_START = 0.01
"""From which penalty on a head may begin where one on all items ended. Below it the minimum is so flat that the descent
stops at its tolerance with much that was learnt of items that are left out: on digits with a penalty of 0.001 a class
lost 3.4 points of F1 with a quarter of its labels, where heads at their minimum lose 6.8; from 0.01 on both
lose the same within 0.2 points."""


@dataclass(frozen=True, slots=True)
class FullInputs:
    """What whole models are trained from.

    items : columns TRAIN_COLUMNS; all train items that an experiment may train on, and the ruler
    """

    items: pd.DataFrame
    task: Task
    config: TrainConfig
    roots: tuple[ImageRoot, ...]
    cache_dir: Path
    on_progress: ProgressCallback
    should_stop: Callable[[], bool]


def quick_trainer(prepared: Prepared, ruler: pd.Index, *, should_stop: Callable[[], bool]) -> Trainer:
    """A trainer of heads on features that are there.

    prepared : the items that an experiment may train on, and the ruler, with their features
    ruler : the ids of the items to predict

    One training is one head a fold, each on the train items outside its fold. The seed decides the folds; where
    features come from the fold models of a run the folds are those of the run, and each head leaves out a further
    tenth of the contents, chosen by the seed. Heads on all train items are trained first, once: they choose the
    strength of the penalty for all others, which begin where they ended if it is SAFE_START or more.
    """
    plan = prepared.plan
    ids = pd.Index(plan.items["item_id"])
    ruler_rows = ids.get_indexer(ruler)

    @cache
    def on_everything() -> _Everything:
        return _on_everything(prepared, should_stop)

    def train(items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
        rows = _rows_of(items, ids)
        space = plan.space.with_texts(items["label"])
        codes = np.full(len(ids), NO_LABEL, dtype=np.int64)
        codes[rows] = space.codes(items["label"])
        imbalance = NO_REMEDY if config is None else config.imbalance
        own_weights = np.ones((len(ids), 1))
        own_weights[rows, 0] = items.get(WEIGHT, 1.0)
        torch.set_num_threads(_n_threads(prepared))
        everything = on_everything()
        heads = fit_linear_heads(
            _head_folds(prepared, everything, rows, space, codes[rows], seed),
            learning_of(plan.kind, space).outcome(codes, prepared.machine.device),
            n_items=len(ids),
            device=prepared.machine.device,
            strength=everything.strength,
            weights=own_weights * item_weights(plan.kind.remedies, imbalance, space, codes),
            should_stop=should_stop,
        )
        return heads.fold_probs[:, ruler_rows]

    return train


@dataclass(frozen=True, slots=True)
class _Everything:
    """What heads on all train items leave to those on parts of them.

    spaces : of each fold, the features in which its head is trained; ends : where it ended
    """

    spaces: Sequence[HeadSpace]
    ends: Sequence[Point]
    strength: float


def _n_threads(prepared: Prepared) -> int:
    """One for a few items: there two take as long, and longer on a machine that is busy with something else."""
    _, n_items, n_features = prepared.shared.read().shape
    return 1 if n_items * n_features <= ONE_THREAD_CELLS else prepared.machine.n_threads


def _on_everything(prepared: Prepared, should_stop: Callable[[], bool]) -> _Everything:
    plan, features, device = prepared.plan, prepared.shared.read(), prepared.machine.device
    train = plan.labelled_train
    models = [head_space(features[model], train, device) for model in range(features.shape[0])]
    spaces = [models[model_of(features, fold)] for fold in range(prepared.n_folds)]
    heads = fit_linear_heads(
        [
            HeadFold(space, train[plan.folds[train] != fold], train[plan.folds[train] == fold])
            for fold, space in enumerate(spaces)
        ],
        learning_of(plan.kind, plan.space).outcome(plan.codes, device),
        n_items=len(plan.codes),
        device=device,
        should_stop=should_stop,
    )
    return _Everything(spaces, heads.points, heads.strength)


def _head_folds(
    prepared: Prepared,
    everything: _Everything,
    rows: IntArray,
    space: LabelSpace,
    codes: IntArray,
    seed: int,
) -> list[HeadFold]:
    """One a fold. rows : (n,) positions of the train items; codes : (n,) of their labels in `space`"""
    units = prepared.plan.items["unit"].iloc[rows].tolist()
    if prepared.base_run is None:
        folds = prepared.plan.kind.make_folds(space, codes, units, n_folds=prepared.n_folds, seed=seed)
        kept = np.ones(len(rows), dtype=np.bool_)
    else:
        folds = prepared.plan.folds[rows]
        kept = np.array([share_of(unit, seed) >= LEFT_OUT for unit in units])
    return [
        HeadFold(
            everything.spaces[fold],
            train=rows[(folds != fold) & kept],
            held_out=rows[folds == fold],
            start=everything.ends[fold] if everything.strength >= SAFE_START else None,
        )
        for fold in range(prepared.n_folds)
    ]


def full_trainer(inputs: FullInputs, ruler: pd.Index) -> Trainer:
    """A trainer of whole models: with folds as the configuration says, one model if it says none.

    Items that are left out of a training keep their place without a label, so that pictures are decoded once. Those
    that weigh more are shown more often, or weigh more in the loss of a model that is fitted at once.
    """
    ids = pd.Index(inputs.items["item_id"])
    is_train = (inputs.items["split"] == "train").to_numpy()

    def train(items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
        _rows_of(items, ids)
        labels = pd.Series(items["label"].to_numpy(dtype=object), index=pd.Index(items["item_id"]))
        learnt = inputs.items["label"].astype(object).mask(is_train)
        learnt = learnt.where(~is_train, labels.reindex(ids).to_numpy())
        trained = inputs.items.assign(label=learnt.to_numpy())
        if WEIGHT in items:
            weights = items.set_index("item_id")[WEIGHT].reindex(ids).fillna(1.0)
            trained = trained.assign(**{WEIGHT: weights.to_numpy()})
        with tempfile.TemporaryDirectory(dir=inputs.cache_dir, prefix=WORK_PREFIX) as work_dir:
            return train_and_predict(
                trained,
                inputs.task,
                replace(config or inputs.config, seed=seed),
                wanted=ruler,
                roots=inputs.roots,
                work_dir=Path(work_dir),
                cache_dir=inputs.cache_dir,
                on_progress=inputs.on_progress,
                should_stop=inputs.should_stop,
            )

    return train


def remembering(
    trainer: Trainer,
    folder: Path,
    identity: Mapping[str, object],
    default: TrainConfig,
    *,
    on_kept: Callable[[], None] = lambda: None,
) -> Trainer:
    """The same trainer, which keeps what it found in `folder` and does not train the same again.

    on_kept : told each time that nothing had to be trained
    identity : whatever else the outcome depends on, JSON-able: ruler, classes, images
    default : the configuration that counts if none is given
    """

    def train(items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
        used = replace(config or default, seed=seed)
        path = folder / KEPT_FILE.format(key=_key(items, used, identity))
        if path.is_file():
            on_kept()
            kept: FloatArray = np.load(path)
            return kept
        found = trainer(items, seed=seed, config=config)
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.partial")
        with beside.open("wb") as file:
            np.save(file, found.astype(np.float16))
        beside.replace(path)
        return found

    return train


def share_of(content: str, seed: int) -> float:
    """Where a content stands in an order that only it and the seed decide, in [0, 1).

    >>> share_of("a", 0) == share_of("a", 0), share_of("a", 0) == share_of("a", 1)
    (True, False)
    """
    return int(hashlib.sha256(f"{seed}:{content}".encode()).hexdigest()[:12], 16) / 16**12


def _rows_of(items: pd.DataFrame, known: pd.Index) -> IntArray:
    rows = known.get_indexer(pd.Index(items["item_id"])).astype(np.int64)
    if (rows < 0).any():
        strange = items["item_id"].iloc[int(np.flatnonzero(rows < 0)[0])]
        raise DataError(f"{strange!r} is none of the items that this experiment was started with.")
    if items["label"].isna().any():
        raise DataError("An experiment trains on items with a label only.")
    return rows


def _key(items: pd.DataFrame, config: TrainConfig, identity: Mapping[str, object]) -> str:
    columns = [name for name in ("item_id", "label", WEIGHT) if name in items]
    rows = items[columns].sort_values("item_id").astype(str).to_numpy().tolist()
    text = json.dumps([rows, config.to_json(), dict(identity)], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
