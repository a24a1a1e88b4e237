"""The training doctor on a run of a project: its facts are gathered here, judged in `diagnostics.checks`."""

import numpy as np
import pandas as pd

from curation.availability import TRAINING_CHECKS, refuse_unavailable
from curation.dataset.duplicates import EXACT, HELD_OUT
from curation.project import Project
from curation.reports import labelled_predictions
from curation.rounds import dataset_version, training_items
from curation.run_classes import names_now
from curation.run_folders import found_lr
from curation.runs import list_runs, read_run
from curation.test_looks import looks_at_test
from diagnostics.checks import TrainingFinding, check_training
from diagnostics.checks.facts import COUNT_COLUMNS, TestLooks, TrainingFacts, fit_of, learnt_from
from diagnostics.run_folder import Run
from diagnostics.task import NO_LABEL
from diagnostics.training.imbalance import FOCAL_LOSS


def training_findings(project: Project, run_id: str | None = None) -> list[TrainingFinding]:
    """What the training checks say of a run (the newest if it is not named), issues first.

    raises : RunError if there is no such run, or none at all; ProjectError for labels that there are no checks for
    """
    refuse_unavailable(project, TRAINING_CHECKS)
    return check_training(training_facts(project, read_run(project, run_id)))


def training_facts(project: Project, run: Run) -> TrainingFacts:
    """What the checks look at, validation and test by the labels of the newest dataset version."""
    looks = looks_at_test(project)
    leaking = _leaking(project, run)
    return TrainingFacts(
        history=run.history,
        lr=run.info.resolved.lr,
        lr_by_hand=run.info.config.lr not in (None, found_lr(project, run.info.config)),
        label_smoothing=run.info.resolved.label_smoothing or 0.0,
        cross_entropy=run.info.resolved.imbalance != FOCAL_LOSS,
        quick=run.info.quick is not None,
        fitted_at_once=run.fitted_at_once,
        counts=_counts(project, run),
        fit=fit_of(run.predictions),
        n_exact_leaks=int((leaking == EXACT).sum()),
        n_near_leaks=int((leaking != EXACT).sum()) if project.near_looked_for else None,
        looks=TestLooks(looks.n, len(looks.people), len(looks.run_ids)),
        n_full_runs=sum(info.quick is None for info in list_runs(project)),
        imported=run.info.imported is not None,
    )


def _leaking(project: Project, run: Run) -> pd.Series:
    """Of each item that the run learnt from and that belongs with a held-out one, how: the gravest of LEAK_KINDS."""
    predictions = run.predictions
    learnt = predictions.item_ids[learnt_from(predictions)]
    leaks = project.leaks
    leaks = leaks[leaks["item_id"].isin(learnt) & leaks["other_split"].isin(HELD_OUT)]
    return leaks.drop_duplicates("item_id")["kind"]


def _counts(project: Project, run: Run) -> pd.DataFrame:
    """COUNT_COLUMNS; training items by the labels that the run learnt from."""
    version = dataset_version(project)
    classes = project.task_at(project.class_log.at(version.class_change)).classes
    names = names_now(project, run.info, project.class_log.at(version.class_change))
    now_of = dict(zip(run.info.classes, names, strict=True))
    predictions = run.predictions
    learnt = pd.Series(predictions.given_labels[learnt_from(predictions)]).map(now_of)
    items = training_items(project, version)
    columns: dict[str, pd.Series] = {"train": learnt.value_counts()}
    for split in ("val", "test"):
        columns[split] = items.loc[items["split"] == split, "label"].value_counts()
    found = labelled_predictions(project, "val", run.info.run_id)
    right = found.codes[(found.codes == found.predicted) & (found.codes != NO_LABEL)]
    columns["val_hits"] = pd.Series(np.bincount(right, minlength=len(classes)), index=list(classes))
    table = pd.DataFrame({name: counts.reindex(classes) for name, counts in columns.items()}).fillna(0)
    return table.astype("int64").rename_axis("label").reset_index()[list(COUNT_COLUMNS)]
