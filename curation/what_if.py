"""What the edits so far do to each class, as far as a quick round can tell: the line under the review.

Two sets of heads on the same features and folds: one learned from the labels that the newest full run was trained on,
the other, the newest quick round, from those of now. Both are measured on the validation labels of now.
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
from curation.run_classes import names_now
from curation.run_folders import newest_full_run, read_run
from diagnostics.compare import F1_COLUMNS, f1_differences
from diagnostics.errors import RunError
from diagnostics.progress import ProgressCallback, ignore_progress
from diagnostics.run_folder import Run, write_table
from diagnostics.task import label_codes

FOLDER, FILE = "what_if", "what_if.parquet"


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
    after = _labels_of(project, run).reindex(items["item_id"])
    items, after = items[after.notna().to_numpy()], after.dropna()
    if items.empty:
        return pd.DataFrame(columns=list(F1_COLUMNS))
    before = _before(project, run, items["item_id"], now, on_progress, should_stop)
    classes = project.task.classes
    codes, old, new = (label_codes(labels, classes) for labels in (items["label"], before, after))
    return f1_differences(codes, old, new, classes)


def write_what_if(run: Run, table: pd.DataFrame) -> None:
    """Keep the table in the run's folder."""
    write_table(run.folder / FILE, table)


def read_what_if(run: Run) -> pd.DataFrame | None:
    """The table that the quick round kept; None if it kept none."""
    path = run.folder / FILE
    return pd.read_parquet(path) if path.is_file() else None


def _labels_of(project: Project, run: Run) -> pd.Series:
    """The present name of the class that a run predicts for each item, by item_id."""
    names = pd.Series(names_now(project, run.info, project.classes), dtype=object)
    predictions = run.predictions
    predicted = names.iloc[predictions.pred_probs.argmax(axis=1)]
    return pd.Series(predicted.to_numpy(), index=predictions.item_ids)


def _before(
    project: Project,
    run: Run,
    item_ids: pd.Series,
    now: DatasetVersion,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
) -> pd.Series:
    """What heads on the labels of before predict for these items."""
    base = newest_full_run(project)
    then = dataset_version(project, 0) if base is None else _version_of(base)
    then = replace(then, class_change=now.class_change, cap_change=now.cap_change)
    path = _path_of(project, run, then)
    if path.is_file():
        kept = pd.read_parquet(path).set_index("item_id")["predicted"].reindex(item_ids)
        if kept.notna().all():
            return kept
    predicted = _predict_before(project, run, then, now, on_progress, should_stop)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, predicted.rename_axis("item_id").reset_index(name="predicted"))
    return predicted.reindex(item_ids)


def _predict_before(
    project: Project,
    run: Run,
    then: DatasetVersion,
    now: DatasetVersion,
    on_progress: ProgressCallback,
    should_stop: Callable[[], bool],
) -> pd.Series:
    from diagnostics.training.quick import predict_quick

    old = training_items(project, then)
    present = training_items(project, now)
    new_validation = present[(present["split"] == "val") & ~present["item_id"].isin(old["item_id"])]
    items = pd.concat([old, new_validation], ignore_index=True)
    inputs = quick_inputs(
        project, items, project.task, run.info.config, on_progress=on_progress, should_stop=should_stop
    )
    codes = predict_quick(inputs).argmax(axis=1)
    validation = (items["split"] == "val").to_numpy()
    names = pd.Series(project.task.classes, dtype=object)
    return pd.Series(
        names.iloc[codes[validation]].to_numpy(), index=items["item_id"][validation].to_numpy(dtype=object)
    )


def _version_of(run: Run) -> DatasetVersion:
    version = run.info.dataset_version
    return DatasetVersion(int(version["number"]), str(version["fingerprint"]), int(version["event"]))


def _path_of(project: Project, run: Run, then: DatasetVersion) -> Path:
    """One file for what the heads of before depend on: features, labels, classes."""
    quick = run.info.quick
    caps = named_caps(project, project.classes, then.cap_change)
    parts = [
        quick and quick.embeddings,
        then.event,
        list(project.task.classes),
        run.info.config.to_json(),
        caps,
    ]
    name = hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:24]
    return project.cache_dir / FOLDER / f"{name}.parquet"
