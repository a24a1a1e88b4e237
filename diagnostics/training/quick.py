"""A quick round: only heads are trained, one a fold, on features that are there already; seconds instead of minutes.

The features are such as never saw a label of these data, a pretrained network's or the items' own, or else those of the
fold models of an earlier run: the head that predicts an item is trained on the features of the one model that did not
see it.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from diagnostics.chunks import n_cores
from diagnostics.errors import RunError
from diagnostics.fold_arrays import FoldArray
from diagnostics.image_files import ImageRoot
from diagnostics.label_kinds import label_kind_of
from diagnostics.label_kinds.kind import learning_of
from diagnostics.label_kinds.scoring import scoring_of, write_scored
from diagnostics.modalities import EmbedInputs, Machine, QuickFeatures, quick_features_of
from diagnostics.predictions import (
    MEAN_OF_FOLDS,
    OUT_OF_FOLD,
    Predictions,
    SharedEmbeddings,
    object_array,
    pick_embeddings,
    write_predictions,
)
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.run_folder import QuickInfo, Run, RunInfo, write_run_info
from diagnostics.task import NO_LABEL, FloatArray, IntArray, Task, are_among
from diagnostics.training.config import TrainConfig
from diagnostics.training.crossval import NO_FOLD, absent_classes, combine_folds
from diagnostics.training.device import (
    describe_device,
    package_versions,
    pick_device,
    resolve_precision,
)
from diagnostics.training.embeddings import embed_with_run
from diagnostics.training.heads import HeadFold, Heads, fit_linear_heads
from diagnostics.training.imbalance import NO_REMEDY, item_weights
from diagnostics.training.plan import Plan, held_back_notes, make_plan
from diagnostics.training.quick_scores import same_features


@dataclass(frozen=True, slots=True)
class QuickInputs:
    """What a quick round is made from.

    items : columns TRAIN_COLUMNS, as for `train_run`
    config : of it count folds, seed, imbalance, n_threads, mixed_precision and what chooses the features, see the
        `find_quick_features` of the modality
    base : the newest full run with folds, None if there is none
    content_of, unit_of : the content hash and the unit of every item of the project, by item_id
    decided : the items on which a person has said that their present label is right
    """

    items: pd.DataFrame
    task: Task
    config: TrainConfig
    base: Run | None
    content_of: pd.Series
    unit_of: pd.Series
    roots: tuple[ImageRoot, ...]
    cache_dir: Path
    on_progress: ProgressCallback
    should_stop: Callable[[], bool]
    decided: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """Items in the order of a plan, the fold that holds each out, and their features.

    source : whose features they are, in words
    base_run : None if they owe nothing to a label of these data
    pretrained : they are those of a network trained on other data
    """

    plan: Plan
    shared: SharedEmbeddings
    machine: Machine
    source: str
    base_run: str | None
    arch: str
    pretrained: bool = False

    @property
    def n_folds(self) -> int:
        return self.plan.n_models


def prepare_quick(inputs: QuickInputs) -> Prepared:
    """Decide folds and find or compute features: those that the modality has without labels, else the base run's.

    raises : RunError if there are neither; WeightsError if a pretrained network is asked for that is not here;
        ConfigError if heads cannot be trained as the configuration says
    """
    _check_remedy(inputs)
    machine = _machine(inputs.config)
    torch.set_num_threads(machine.n_threads)
    features = quick_features_of(inputs.task.modality)(inputs.config, inputs.base)
    if features is not None:
        return _prepare_with_features(inputs, features, machine)
    if inputs.base is None:
        raise RunError(
            "A quick round needs features, and there are none: no weights of a pretrained network are on this machine, "
            "and no full run with folds is finished; imported predictions bring no models. Train once: winnow train."
        )
    return _prepare_with_run(inputs, inputs.base, machine)


def fit_quick(
    prepared: Prepared,
    *,
    imbalance: str = NO_REMEDY,
    should_stop: Callable[[], bool],
    on_progress: ProgressCallback,
) -> Heads:
    """Train one head a fold on the labelled train items; each predicts every item, in the order of the plan.

    imbalance : one of those that heads can be trained with, see `diagnostics.training.imbalance`
    raises : ConfigError for another
    """
    plan, features = prepared.plan, prepared.shared.read()
    folds = plan.folds
    train = np.zeros(len(folds), dtype=np.bool_)
    train[plan.labelled_train] = True
    parts = [
        HeadFold(
            read_features=partial(features.__getitem__, model_of(features, fold)),
            train=np.flatnonzero(train & (folds != fold)),
            held_out=np.flatnonzero(train & (folds == fold)),
        )
        for fold in range(prepared.n_folds)
    ]

    def tell(n_done: int) -> None:
        on_progress(Progress("heads", n_done, prepared.n_folds, f"head {n_done} of {prepared.n_folds}"))

    tell(0)
    return fit_linear_heads(
        parts,
        learning_of(plan.kind, plan.space).outcome(plan.codes, prepared.machine.device),
        n_items=len(plan.codes),
        device=prepared.machine.device,
        weights=item_weights(
            plan.kind.remedies, imbalance, plan.space, np.where(train, plan.codes, NO_LABEL)
        ),
        should_stop=should_stop,
        on_fold=tell,
    )


def predict_quick(inputs: QuickInputs) -> FloatArray:
    """What heads on the labels of the items predict for each of them, (n_items, n_classes), rows in their order."""
    prepared = prepare_quick(inputs)
    plan = prepared.plan
    heads = fit_quick(
        prepared,
        imbalance=inputs.config.imbalance,
        should_stop=inputs.should_stop,
        on_progress=inputs.on_progress,
    )
    order = pd.Index(plan.items["item_id"]).get_indexer(pd.Index(inputs.items["item_id"]))
    probs: FloatArray = combine_folds(list(heads.fold_probs), folds=plan.folds)[order]
    return probs


def model_of(features: FoldArray, fold: int) -> int:
    """Whose features the head of a fold reads: those of the model of its fold, or of the only one there is."""
    return 0 if features.shape[0] == 1 else fold


def train_quick_run(
    inputs: QuickInputs,
    *,
    run_dir: Path,
    home: Path,
    run_id: str,
    dataset_version: Mapping[str, int | str],
    now: datetime,
) -> RunInfo:
    """Train heads, predict and score every item into `run_dir`, as `train_run` does for whole models.

    home : where the run folder will be moved to
    raises : as `prepare_quick`; DataError if there is not enough to train on; Cancelled, which leaves nothing worth
        keeping but embeddings in the cache
    """
    started_s = time.monotonic()
    prepared = prepare_quick(inputs)
    heads = fit_quick(
        prepared,
        imbalance=inputs.config.imbalance,
        should_stop=inputs.should_stop,
        on_progress=inputs.on_progress,
    )
    predictions = _predictions(prepared, heads, inputs)
    run_dir.mkdir(parents=True, exist_ok=True)
    write_predictions(run_dir, predictions, home=home)
    scored = scoring_of(predictions.label_kind).score_quick_run(
        predictions,
        inputs.base if prepared.base_run is not None else None,
        content_hashes=inputs.content_of.reindex(predictions.item_ids),
        decided=inputs.decided,
        config=inputs.config,
        in_space_of=inputs.base if same_features(inputs.base, predictions) else None,
    )
    write_scored(run_dir, scored)
    seconds = time.monotonic() - started_s
    info = RunInfo(
        run_id=run_id,
        created_at=now,
        finished_at=now + timedelta(seconds=seconds),
        seconds=seconds,
        config=inputs.config,
        resolved=replace(
            inputs.config, arch=prepared.arch, folds=prepared.n_folds, n_threads=prepared.machine.n_threads
        ),
        classes=inputs.task.classes,
        label_kind=inputs.task.label_kind,
        dataset_version=dict(dataset_version),
        device=describe_device(prepared.machine.device),
        n_threads=prepared.machine.n_threads,
        versions=package_versions(),
        n_train=len(prepared.plan.labelled_train),
        n_folds=prepared.n_folds,
        in_sample=False,
        arch=prepared.arch,
        pretrained=prepared.pretrained,
        notes=tuple(_notes(prepared, heads, inputs)),
        quick=QuickInfo(prepared.source, prepared.base_run, heads.strength),
    )
    write_run_info(run_dir, info)
    return info


def _prepare_with_features(inputs: QuickInputs, features: QuickFeatures, machine: Machine) -> Prepared:
    plan = make_plan(inputs.items, inputs.task, replace(inputs.config, folds=0))
    train = plan.labelled_train
    folds = np.full(len(plan.items), NO_FOLD, dtype=np.int64)
    units = plan.items["unit"].iloc[train].tolist()
    n_folds = max(2, inputs.config.folds)
    folds[train] = plan.kind.make_folds(
        plan.space, plan.codes[train], units, n_folds=n_folds, seed=inputs.config.seed
    )
    return Prepared(
        plan=replace(plan, folds=folds, n_models=n_folds),
        shared=features.embed(_embed_inputs(inputs, plan.items, machine)),
        machine=machine,
        source=features.source,
        base_run=None,
        arch=features.arch,
        pretrained=features.pretrained,
    )


def _prepare_with_run(inputs: QuickInputs, base: Run, machine: Machine) -> Prepared:
    plan = make_plan(inputs.items, inputs.task, replace(inputs.config, folds=0))
    folds = keep_folds(
        plan.items,
        plan.codes,
        base_folds=pd.Series(base.predictions.folds, index=base.predictions.item_ids),
        unit_of=inputs.unit_of,
        n_folds=base.info.n_folds,
        seed=inputs.config.seed,
    )
    return Prepared(
        plan=replace(plan, folds=folds, n_models=base.info.n_folds),
        shared=embed_with_run(base, _embed_inputs(inputs, plan.items, machine), inputs.content_of),
        machine=machine,
        source=f"the {base.info.n_folds} fold models of {base.info.run_id} ({base.info.arch})",
        base_run=base.info.run_id,
        arch=base.info.arch,
    )


def keep_folds(
    items: pd.DataFrame,
    codes: IntArray,
    *,
    base_folds: pd.Series,
    unit_of: pd.Series,
    n_folds: int,
    seed: int,
) -> IntArray:
    """The fold that holds each item out, so that no head is trained on features of a model that saw what it predicts.

    items : columns item_id, split, unit; codes : (n_items,), -1 = no label
    base_folds : by item_id the fold of the run whose features are used, -1 = none of its models was trained on it
    unit_of : the unit of every item that the run had, by item_id
    returns : (n_items,); -1 for items that are not trained on and that no model of the run was trained on

    An item keeps its fold, whatever became of its label, and items of a unit that a model was trained on get the fold
    of that unit. Labelled train items that no model has seen are dealt out by their unit and the seed.
    """
    seen = base_folds[base_folds != NO_FOLD]
    fold_of = pd.Series(seen.to_numpy(), index=pd.Index(unit_of.reindex(seen.index).to_numpy(dtype=object)))
    fold_of = fold_of[~fold_of.index.duplicated()]
    units = items["unit"]
    known = fold_of.reindex(pd.Index(units)).fillna(NO_FOLD).to_numpy(dtype=np.int64)
    held_out = are_among(items["item_id"], seen.index) | (items["split"] == "train").to_numpy()
    folds = np.where(held_out, known, NO_FOLD)
    new = (items["split"] == "train").to_numpy() & (codes != NO_LABEL) & (folds == NO_FOLD)
    folds[new] = [
        int(hashlib.sha256(f"{seed}:{unit}".encode()).hexdigest(), 16) % n_folds for unit in units[new]
    ]
    return folds


def _check_remedy(inputs: QuickInputs) -> None:
    """raises : ConfigError if heads cannot be trained with the configured remedy for imbalance"""
    kind = label_kind_of(inputs.task.label_kind)
    kind.refuse(inputs.config)
    nobody = np.empty(0, dtype=np.int64)
    item_weights(kind.remedies, inputs.config.imbalance, kind.space(inputs.task.classes, []), nobody)


def _machine(config: TrainConfig) -> Machine:
    device = pick_device()
    return Machine(device, resolve_precision(config.mixed_precision, device), config.n_threads or n_cores())


def _embed_inputs(inputs: QuickInputs, items: pd.DataFrame, machine: Machine) -> EmbedInputs:
    return EmbedInputs(
        items=items,
        modality=inputs.task.modality,
        roots=inputs.roots,
        cache_dir=inputs.cache_dir,
        machine=machine,
        on_progress=inputs.on_progress,
        should_stop=inputs.should_stop,
    )


def _predictions(prepared: Prepared, heads: Heads, inputs: QuickInputs) -> Predictions:
    """One row an item, in the order in which the items were given."""
    plan = prepared.plan
    order = pd.Index(plan.items["item_id"]).get_indexer(pd.Index(inputs.items["item_id"]))
    folds = plan.folds[order]
    kinds = np.where(folds != NO_FOLD, OUT_OF_FOLD, MEAN_OF_FOLDS).astype(object)
    shared = prepared.shared.at(order)
    features = shared.read()
    return Predictions(
        item_ids=object_array(plan.items["item_id"])[order],
        splits=object_array(plan.items["split"])[order],
        folds=folds,
        kinds=kinds,
        given_labels=plan.space.texts(plan.codes)[order],
        pred_probs=combine_folds(list(heads.fold_probs), folds=plan.folds)[order],
        embeddings=pick_embeddings(features, kinds, folds),
        classes=inputs.task.classes,
        label_kind=inputs.task.label_kind,
        fold_probs=heads.fold_probs[:, order],
        fold_embeddings=features,
        shared_embeddings=shared,
    )


def _notes(prepared: Prepared, heads: Heads, inputs: QuickInputs) -> Sequence[str]:
    plan = prepared.plan
    return [
        f"Quick round: only heads were trained, on features of {prepared.source}. Its numbers are an estimate; a full "
        "training confirms them.",
        *held_back_notes(plan),
        *absent_classes(
            plan.space,
            np.where(plan.items["split"] == "train", plan.codes, NO_LABEL),
            plan.folds,
            n_folds=prepared.n_folds,
        ),
    ]
