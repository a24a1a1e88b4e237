"""The training doctor on a run of a project: its facts are gathered here, judged in `diagnostics.checks`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curation.dataset.duplicates import EXACT, HELD_OUT
from curation.project import Project
from curation.reports import LabelledPredictions, labelled_predictions
from curation.rounds import dataset_version, training_items
from curation.run_classes import names_now
from curation.run_folders import found_lr
from curation.runs import list_runs, read_run
from curation.test_looks import looks_at_test
from diagnostics.checks import TrainingFinding, check_training
from diagnostics.checks.facts import (
    COUNT_COLUMNS,
    TestLooks,
    TrainingFacts,
    answers_of,
    fit_of,
    found_of_named,
    learnt_from,
)
from diagnostics.label_kinds import label_kind_of, space_of
from diagnostics.metrics import proportion, share_of_answers
from diagnostics.multilabel.run_thresholds import read_thresholds
from diagnostics.run_folder import Run
from diagnostics.task import IntArray, are_among
from diagnostics.training.imbalance import IMBALANCE


def training_findings(project: Project, run_id: str | None = None) -> list[TrainingFinding]:
    """What the training checks say of a run (the newest if it is not named), issues first.

    raises : RunError if there is no such run, or none at all
    """
    return check_training(training_facts(project, read_run(project, run_id)))


def training_facts(project: Project, run: Run) -> TrainingFacts:
    """What the checks look at, validation and test by the labels of the newest dataset version."""
    looks = looks_at_test(project)
    leaking = _leaking(project, run)
    found = labelled_predictions(project, "val", run.info.run_id)
    counts = _counts(project, run, found)
    thresholds = read_thresholds(run.folder)
    kind, remedy = label_kind_of(run.info.label_kind), run.info.resolved.imbalance
    return TrainingFacts(
        history=run.history,
        lr=run.info.resolved.lr,
        lr_by_hand=run.info.config.lr not in (None, found_lr(project, run.info.config)),
        label_smoothing=run.info.resolved.label_smoothing or 0.0,
        label_kind=kind,
        own_scale=IMBALANCE[remedy].title if remedy in kind.own_scale else "",
        quick=run.info.quick is not None,
        fitted_at_once=run.fitted_at_once,
        counts=counts.by_class,
        n_items=counts.n_items,
        accuracy=proportion(float(np.count_nonzero(found.codes == found.predicted)), len(found.codes)),
        micro_f1=share_of_answers(
            *found_of_named(found.labels.targets(found.codes), found.labels.targets(found.predicted))
        ),
        fit=fit_of(run.predictions, None if thresholds is None else thresholds.thresholds.values),
        answers=answers_of(run.predictions),
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
    leaks = leaks[are_among(leaks["item_id"], learnt) & leaks["other_split"].isin(HELD_OUT)]
    return leaks.drop_duplicates("item_id")["kind"]


@dataclass(frozen=True, slots=True)
class _Counts:
    """by_class : COUNT_COLUMNS, training items by the labels that the run learnt from; n_items : labelled, by split"""

    by_class: pd.DataFrame
    n_items: dict[str, int]


def _counts(project: Project, run: Run, found: LabelledPredictions) -> _Counts:
    version = dataset_version(project)
    classes = project.class_log.at(version.class_change)
    names = dict(zip(run.info.classes, names_now(project, run.info, classes), strict=True))
    predictions = run.predictions
    places, then = pd.factorize(predictions.given_labels[learnt_from(predictions)])
    items = training_items(project, version)
    labels = {"train": pd.Series(classes.labels_as(then, names), dtype=object).iloc[places]}
    labels |= {split: items.loc[items["split"] == split, "label"].dropna() for split in HELD_OUT}
    columns: dict[str, IntArray] = {}
    for split, texts in labels.items():
        space = space_of(project.task_at(classes), texts)
        columns[split] = space.by_class(np.bincount(space.codes(texts), minlength=len(space)))
    targets, predicted = (found.labels.targets(codes) for codes in (found.codes, found.predicted))
    columns["val_hits"] = np.count_nonzero(targets & predicted, axis=0)
    table = pd.DataFrame({"label": classes.names} | columns)[list(COUNT_COLUMNS)]
    return _Counts(table, {split: len(texts) for split, texts in labels.items()})
