"""What the edits so far do to each class, as far as a quick round can tell: the line under the review.

Two sets of heads on the same features and folds: one learned from the labels that the newest full run was trained on,
the other, the newest quick round, from those of now. Both are measured on the validation labels of now; sets of labels
are cut at thresholds that are chosen there anew for each of the two, for each item without itself.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from curation.class_caps import named_caps
from curation.project import Project
from curation.quick_rounds import quick_inputs
from curation.rounds import DatasetVersion, dataset_version, training_items, version_now
from curation.run_classes import becomes
from curation.run_folders import newest_full_run, read_run
from diagnostics.compare import F1_COLUMNS, f1_differences
from diagnostics.errors import RunError
from diagnostics.label_kinds import label_kind_of, space_of
from diagnostics.progress import ProgressCallback, ignore_progress
from diagnostics.run_folder import Run, write_table
from diagnostics.task import FloatArray, are_among

FOLDER, FILE = "what_if", "what_if.parquet"
FILE_FORMAT = 2  # of what is kept of the heads of before


def what_if(
    project: Project,
    run_id: str,
    *,
    on_progress: ProgressCallback = ignore_progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> pd.DataFrame:
    """F1 of each class on validation by heads on the labels before and after the edits, F1_COLUMNS; empty without
    validation labels.

    run_id : the quick round whose predictions are the ones after the edits
    raises : RunError if that is no quick round

    The heads of before are trained once for each full run and kept in the cache.
    """
    run = read_run(project, run_id)
    if run.info.quick is None:
        raise RunError(f"{run_id} is a full run; what the edits do is told by quick rounds.")
    now = version_now(project)
    items = training_items(project, now)
    items = items[(items["split"] == "val") & items["label"].notna()]
    items = items[are_among(items["item_id"], run.predictions.item_ids)]
    if items.empty:
        return pd.DataFrame(columns=list(F1_COLUMNS))
    before = _before(project, run, items["item_id"], now, on_progress, should_stop)
    space = space_of(project.task, items["label"].unique())
    return f1_differences(
        space.codes(items["label"]),
        before,
        _after(project, run, items["item_id"]),
        project.task.classes,
        measure=label_kind_of(project.task.label_kind).measure(space, rule=run.info.config.thresholds),
    )


def write_what_if(run: Run, table: pd.DataFrame) -> None:
    """Keep the table in the run's folder."""
    write_table(run.folder / FILE, table)


def read_what_if(run: Run) -> pd.DataFrame | None:
    """The table that the quick round kept; None if it kept none."""
    path = run.folder / FILE
    return pd.read_parquet(path) if path.is_file() else None


def _after(project: Project, run: Run, item_ids: pd.Series) -> FloatArray:
    """(n_items, n_classes), what the quick round says of these items, in the classes as they are now."""
    rows = pd.Index(run.predictions.item_ids).get_indexer(pd.Index(item_ids))
    return project.label_kind.join(
        run.predictions.pred_probs[rows], becomes(project, run.info, project.classes)
    )


def _before(
    project: Project,
    run: Run,
    item_ids: pd.Series,
    now: DatasetVersion,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
) -> FloatArray:
    """(n_items, n_classes), what heads on the labels of before say of these items."""
    base = newest_full_run(project)
    then = dataset_version(project, 0) if base is None else _version_of(base)
    then = replace(then, class_change=now.class_change, cap_change=now.cap_change)
    path = _path_of(project, run, then)
    if path.is_file():
        kept = pd.read_parquet(path).set_index("item_id")
        if are_among(item_ids, kept.index).all():
            return kept.loc[item_ids].to_numpy()
    probs = _predict_before(project, run, then, now, on_progress, should_stop)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, probs.reset_index())
    return probs.loc[item_ids].to_numpy()


def _predict_before(
    project: Project,
    run: Run,
    then: DatasetVersion,
    now: DatasetVersion,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
) -> pd.DataFrame:
    """One row a validation item, by item_id; one column a class, named by its place."""
    from diagnostics.training.quick import predict_quick

    old = training_items(project, then)
    present = training_items(project, now)
    new_validation = present[(present["split"] == "val") & ~are_among(present["item_id"], old["item_id"])]
    items = pd.concat([old, new_validation], ignore_index=True)
    inputs = quick_inputs(
        project, items, project.task, run.info.config, on_progress=on_progress, should_stop=should_stop
    )
    probs = predict_quick(inputs)
    validation = (items["split"] == "val").to_numpy()
    return pd.DataFrame(
        probs[validation],
        index=pd.Index(items["item_id"][validation], name="item_id"),
        columns=[str(place) for place in range(probs.shape[1])],
    )


def _version_of(run: Run) -> DatasetVersion:
    version = run.info.dataset_version
    return DatasetVersion(int(version["number"]), str(version["fingerprint"]), int(version["event"]))


def _path_of(project: Project, run: Run, then: DatasetVersion) -> Path:
    """One file for what the heads of before depend on: features, labels, classes."""
    quick = run.info.quick
    caps = named_caps(project, project.classes, then.cap_change)
    parts = [
        FILE_FORMAT,
        quick and quick.embeddings,
        then.event,
        list(project.task.classes),
        run.info.config.to_json(),
        caps,
    ]
    name = hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:24]
    return project.cache_dir / FOLDER / f"{name}.parquet"
