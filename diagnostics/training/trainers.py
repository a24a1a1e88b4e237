"""Two ways to train again and again on parts of the same items: heads on features that are there, and whole models."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.experiments.frame import WORK_PREFIX, Trainer
from diagnostics.image_files import ImageRoot
from diagnostics.label_kinds.kind import learning_of
from diagnostics.label_space import LabelSpace
from diagnostics.progress import ProgressCallback
from diagnostics.task import NO_LABEL, FloatArray, IntArray, Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.heads import HeadFold, fit_linear_heads
from diagnostics.training.imbalance import NO_REMEDY, item_weights
from diagnostics.training.quick import Prepared, model_of
from diagnostics.training.run import train_and_predict

LEFT_OUT = 0.1
KEPT_FILE = "{key}.npy"


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
    tenth of the contents, chosen by the seed.
    """
    plan = prepared.plan
    ids = pd.Index(plan.items["item_id"])
    ruler_rows = ids.get_indexer(ruler)

    def train(items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
        rows = _rows_of(items, ids)
        space = plan.kind.space(plan.space.classes, items["label"])
        codes = space.codes(items["label"])
        of_all = np.concatenate([codes, np.full(len(ruler), NO_LABEL)])
        imbalance = NO_REMEDY if config is None else config.imbalance
        weights = item_weights(plan.kind.remedies, imbalance, space, codes)
        if "weight" in items:
            weights = weights * items["weight"].to_numpy(dtype=np.float32)[:, None]
        heads = fit_linear_heads(
            _head_folds(prepared, rows, ruler_rows, space, codes, seed),
            learning_of(plan.kind, space).outcome(of_all, prepared.machine.device),
            n_items=len(of_all),
            device=prepared.machine.device,
            weights=np.concatenate([weights, np.ones((len(ruler), weights.shape[1]))]),
            should_stop=should_stop,
        )
        return heads.fold_probs[:, len(rows) :]

    return train


def _head_folds(
    prepared: Prepared, rows: IntArray, ruler: IntArray, space: LabelSpace, codes: IntArray, seed: int
) -> list[HeadFold]:
    """One a fold; positions are those of the train items, and after them the ruler.

    codes : (n_rows,) of the labels of the train items in `space`
    """
    units = prepared.plan.items["unit"].iloc[rows].tolist()
    if prepared.base_run is None:
        folds = prepared.plan.kind.make_folds(space, codes, units, n_folds=prepared.n_folds, seed=seed)
        kept = np.ones(len(rows), dtype=np.bool_)
    else:
        folds = prepared.plan.folds[rows]
        kept = np.array([share_of(unit, seed) >= LEFT_OUT for unit in units])
    features = prepared.shared.at(np.concatenate([rows, ruler])).read()
    return [
        HeadFold(
            read_features=partial(features.__getitem__, model_of(features, fold)),
            train=np.flatnonzero((folds != fold) & kept),
            held_out=np.flatnonzero(folds == fold),
        )
        for fold in range(prepared.n_folds)
    ]


def full_trainer(inputs: FullInputs, ruler: pd.Index) -> Trainer:
    """A trainer of whole models: with folds as the configuration says, one model if it says none.

    Items that are left out of a training keep their place without a label, so that pictures are decoded once.
    """
    ids = pd.Index(inputs.items["item_id"])
    is_train = (inputs.items["split"] == "train").to_numpy()

    def train(items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
        _rows_of(items, ids)
        labels = pd.Series(items["label"].to_numpy(dtype=object), index=pd.Index(items["item_id"]))
        learnt = inputs.items["label"].astype(object).mask(is_train)
        learnt = learnt.where(~is_train, labels.reindex(ids).to_numpy())
        with tempfile.TemporaryDirectory(dir=inputs.cache_dir, prefix=WORK_PREFIX) as work_dir:
            return train_and_predict(
                inputs.items.assign(label=learnt.to_numpy()),
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
    columns = [name for name in ("item_id", "label", "weight") if name in items]
    rows = items[columns].sort_values("item_id").astype(str).to_numpy().tolist()
    text = json.dumps([rows, config.to_json(), dict(identity)], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
