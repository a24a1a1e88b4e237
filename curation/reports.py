"""What the pages and the command line say about runs: one split of one run, or two sides on the same items.

The ruler is always the labels of the newest dataset version, for old runs too: a corrected validation label counts for
every run from the moment its round is closed. Classes that were renamed or merged since count under their present
names; what a run predicts is the most likely of its own classes, and in comparisons, which average over models, the
largest sum under one present name. Of several labels an item a run predicts the set that it was cut to when it was
scored, and in comparisons the set by thresholds chosen anew on the present labels, for each item without itself. The
numbers come from stored predictions; nothing is predicted here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from curation.class_list import ClassList
from curation.label_kinds.kind import Join, LabelKind
from curation.project import Project
from curation.replicates import is_replicate, replicates_of
from curation.rounds import DatasetVersion, dataset_version, training_items
from curation.run_classes import becomes, names_now
from curation.run_folders import run_number, same_options
from curation.runs import list_runs, read_run
from diagnostics.compare import Comparison, compare_sides, noise_of
from diagnostics.confusion import confused_pairs_table, confusion_matrix_table
from diagnostics.errors import RunError
from diagnostics.fold_arrays import FoldArray, FoldRows
from diagnostics.label_kinds import label_kind_of as of_labels
from diagnostics.label_kinds import space_of
from diagnostics.label_space import LabelSpace
from diagnostics.measures import Measure
from diagnostics.metrics import ClassReport, Estimate
from diagnostics.multilabel.label_sets import LabelSets
from diagnostics.multilabel.run_thresholds import read_thresholds
from diagnostics.run_folder import Run, RunInfo
from diagnostics.task import SPLITS, BoolArray, FloatArray, IntArray
from diagnostics.training_noise import TrainingNoise

REPORTED_SPLITS = tuple(split for split in SPLITS if split != "unlabelled")


@dataclass(frozen=True, slots=True)
class LabelledPredictions:
    """One split of one run against the labels of a dataset version; arrays are aligned, (n_items,).

    run_name : the run's id, marked if it is a quick one
    labels : what labels can be; codes, predicted : numbers in it, which are positions in `classes` where an item has
        one of them
    in_sample : the model was trained on these very items, so that memorised errors look right
    n_without_prediction : labelled items of the split that the run did not predict (they came later)
    """

    run_id: str
    run_name: str
    quick: bool
    split: str
    version: int
    classes: tuple[str, ...]
    labels: LabelSpace
    kind: LabelKind
    item_ids: np.ndarray
    codes: IntArray
    predicted: IntArray
    in_sample: bool
    n_without_prediction: int

    def class_report(self) -> ClassReport:
        """How well each class is recognised; where an item has several, `accuracy` is that of whole sets."""
        return self.kind.class_report(self.labels, self.codes, self.predicted)

    def totals(self) -> dict[str, Estimate]:
        """What is measured of all classes together, by the name of the metric: "accuracy", "macro_f1"; of several
        labels an item "subset_accuracy", "hamming_loss", "micro_f1", "macro_f1"."""
        return self.kind.totals(self.labels, self.codes, self.predicted)

    def label_sets(self) -> tuple[LabelSets, BoolArray]:
        """The labels of the items, and (n_items, n_classes) the classes that each is predicted to have, as
        `diagnostics.multilabel.metrics` takes them."""
        return self.labels.label_sets(self.codes), self.labels.targets(self.predicted)

    def confusion_matrix(self) -> pd.DataFrame:
        return confusion_matrix_table(self.codes, self.predicted, self.classes)

    def confused_pairs(self) -> pd.DataFrame:
        return confused_pairs_table(self.codes, self.predicted, self.classes)


@dataclass(frozen=True, slots=True)
class ClassThresholds:
    """From which probability on a run predicts each class, where an item can have several.

    values : by the present name of the class; without classes that others were merged into since
    rule, chosen_on, n_items : see `diagnostics.multilabel.run_thresholds.RunThresholds`
    """

    values: Mapping[str, float]
    rule: str
    chosen_on: str
    n_items: int


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two sides on the items of one split that all their runs predicted, on the labels of dataset version `version`.

    run_before, run_after : the runs that were asked for; name_before, name_after : marked if they are quick ones
    runs_before, runs_after : the ids of all trainings of each side, replicates that differ in the seed alone
    in_sample : a model was trained on these very items, so that memorised errors look right
    n_corrected : items measured here whose label is another one than when the earlier run was trained
    n_taken_out : labelled items of the split then that are not measured any more, because they were excluded
    notes : what else a reader of the numbers should know, one sentence each
    """

    run_before: str
    run_after: str
    name_before: str
    name_after: str
    runs_before: tuple[str, ...]
    runs_after: tuple[str, ...]
    split: str
    version: int
    in_sample: bool
    n_corrected: int
    n_taken_out: int
    notes: tuple[str, ...]
    comparison: Comparison

    @property
    def ruler_text(self) -> str:
        """On which labels the numbers stand, in a sentence or two."""
        text = f"Both sides are measured on the labels of dataset version {self.version}."
        if self.n_corrected:
            text += f" {self.n_corrected:,} of them were corrected since {self.run_before} was trained."
        if self.n_taken_out:
            text += f" {self.n_taken_out:,} items it was measured on then are excluded now."
        return text


def labelled_predictions(project: Project, split: str, run_id: str | None = None) -> LabelledPredictions:
    """The predictions of a run (the newest if not named) for the labelled items of a split.

    raises : RunError for a split without labels, an unknown run, or no run at all
    """
    return _labelled_predictions(project, read_run(project, run_id), split)


def class_thresholds(project: Project, run_id: str) -> ClassThresholds | None:
    """The thresholds of a run; None for one that has none, because its items have one label each.

    raises : RunError for an unknown run, or thresholds that cannot be read
    """
    run = read_run(project, run_id)
    found = read_thresholds(run.folder)
    if found is None:
        return None
    names = names_now(project, run.info, project.classes)
    values = {
        name: value
        for name, value in zip(names, found.thresholds.values.tolist(), strict=True)
        if names.count(name) == 1
    }
    return ClassThresholds(values, found.rule, found.chosen_on, found.n_items)


def compare_runs(
    project: Project, split: str = "val", before: str | None = None, after: str | None = None
) -> RunComparison:
    """What changed from one run to another, on the items that both predicted.

    before, after : run ids; not named: the newest full run (the newest of all if none is full), and the newest one of
        its kind on an earlier dataset version; a quick run is compared with a full one only if there is no other

    Each side is all replicates of its run, see `curation.replicates`; two replicates of each other are compared alone.
    How far trainings here are apart says nothing of a model from elsewhere: with an imported run there is no verdict.
    raises : RunError for a split without labels, an unknown run, or nothing to compare with
    """
    second = read_run(project, after or run_after(project))
    first = read_run(project, before or run_before(project, second.info))
    sides = [_trainings(project, run) for run in (first, second)]
    if is_replicate(first.info, second.info):
        sides = [[first], [second]]
    ruler = _ruler(project, split, [run for side in sides for run in side])
    then = _labels_then(project, first.info, split, ruler.version)
    return RunComparison(
        run_before=first.info.run_id,
        run_after=second.info.run_id,
        name_before=first.info.name,
        name_after=second.info.name,
        runs_before=tuple(run.info.run_id for run in sides[0]),
        runs_after=tuple(run.info.run_id for run in sides[1]),
        split=split,
        version=ruler.version.number,
        in_sample=any(_is_in_sample(run, ruler) for side in sides for run in side),
        n_corrected=int((ruler.labels != then.reindex(ruler.labels.index)).sum()),
        n_taken_out=int((~then.dropna().index.isin(ruler.all_labelled)).sum()),
        notes=tuple(_notes(first.info, second.info)),
        comparison=_compared(project, ruler, *sides, measure=_measure(ruler, second.info)),
    )


def _compared(
    project: Project, ruler: "_Ruler", before: Sequence[Run], after: Sequence[Run], *, measure: Measure
) -> Comparison:
    """The trainings of one side with those of the other; a side of one model borrows the noise of other runs."""
    old, new = ([_probs_on(project, run, ruler) for run in side] for side in (before, after))
    lacks_noise = any(len(side) == 1 and side[0].shape[0] == 1 for side in (old, new))
    made_elsewhere = any(run.info.imported is not None for run in (*before, *after))
    return compare_sides(
        ruler.labels.index.to_numpy(dtype=object),
        ruler.codes,
        old,
        new,
        ruler.classes.names,
        typical_noise=_typical_noise(project, ruler) if lacks_noise and not made_elsewhere else None,
        units=ruler.units,
        measure=measure,
        confounded=_confounded(*([run.info for run in side] for side in (before, after))),
    )


@dataclass(frozen=True)
class _Ruler:
    """What runs are measured on: the labelled items of a split that all of them predicted.

    labels : by item_id; all_labelled : the ids of all labelled items of the split
    units : (n_items,), items of one group or of equal or nearly equal content are one
    """

    split: str
    version: DatasetVersion
    classes: ClassList
    space: LabelSpace
    labels: pd.Series
    all_labelled: pd.Index
    units: np.ndarray

    @property
    def codes(self) -> IntArray:
        return self.space.codes(self.labels)


def _ruler(project: Project, split: str, runs: Sequence[Run]) -> _Ruler:
    if split not in REPORTED_SPLITS:
        raise RunError(
            f"There is no report on {split!r}: only {', '.join(REPORTED_SPLITS)} have labels to compare with."
        )
    version = dataset_version(project, None)
    items = training_items(project, version).set_index("item_id")
    items = items[(items["split"] == split) & items["label"].notna()]
    measured = items
    for run in runs:
        measured = measured[measured.index.isin(run.predictions.item_ids)]
    classes = project.class_log.at(version.class_change)
    space = space_of(project.task_at(classes), measured["label"].unique())
    return _Ruler(split, version, classes, space, measured["label"], items.index, measured["unit"].to_numpy())


def _measure(ruler: _Ruler, info: RunInfo) -> Measure:
    """What the sides are measured by; sets of labels are cut as the options of a run say."""
    return of_labels(ruler.classes.kind.key).measure(ruler.space, rule=info.config.thresholds)


def _trainings(project: Project, run: Run) -> list[Run]:
    """The run and its replicates, oldest first."""
    return [
        run if info.run_id == run.info.run_id else read_run(project, info.run_id)
        for info in replicates_of(project, run.info)
    ]


class _NamedProbs:
    """What the models of a run say of some items, brought together under the present names of its classes.

    probs : (n_models, n_items, n_classes_of_run); names : (n_classes_of_run, n_classes), 1 where the name is the same
    join : (probabilities, names) -> (..., n_classes), of the kind of label
    """

    def __init__(self, probs: FoldArray, names: FloatArray, join: Join) -> None:
        self._probs, self._names, self._join = probs, names, join
        self.shape = (probs.shape[0], probs.shape[1], names.shape[1])

    def __getitem__(self, key: Any) -> FloatArray:
        return self._join(np.asarray(self._probs[key], dtype=np.float32), self._names)


def _probs_on(project: Project, run: Run, ruler: _Ruler) -> FoldArray:
    """(n_models, n_items, n_classes); one model where each item of train was predicted by the one that left it out, and
    in runs that did not keep what their models say."""
    predictions = run.predictions
    rows = pd.Index(predictions.item_ids).get_indexer(ruler.labels.index)
    if predictions.fold_probs is None or ruler.split == "train":
        said = FoldRows(predictions.pred_probs[None], rows)
    else:
        said = FoldRows(np.asarray(predictions.fold_probs), rows)
    return _NamedProbs(said, becomes(project, run.info, ruler.classes), ruler.classes.kind.join)


def _typical_noise(project: Project, ruler: _Ruler) -> TrainingNoise | None:
    """How far models are apart on these items, from the newest full run that says; None if none does."""
    full = [info for info in list_runs(project) if info.is_full]
    for info in reversed(full):
        trainings = [run for run in _trainings(project, read_run(project, info.run_id)) if _knows(run, ruler)]
        probs = [_probs_on(project, run, ruler) for run in trainings]
        if not probs:
            continue
        noise = noise_of(
            ruler.codes, probs, ruler.classes.names, units=ruler.units, measure=_measure(ruler, info)
        )
        if noise is not None:
            return noise
    return None


def _knows(run: Run, ruler: _Ruler) -> bool:
    return bool(ruler.labels.index.isin(run.predictions.item_ids).all())


def _is_in_sample(run: Run, ruler: _Ruler) -> bool:
    rows = pd.Index(run.predictions.item_ids).get_indexer(ruler.labels.index)
    return bool((run.predictions.kinds[rows] == "in_sample").any())


def _labels_then(project: Project, info: RunInfo, split: str, now: DatasetVersion) -> pd.Series:
    """The labels that a split had when a run was trained, by item_id, under the present names of the classes."""
    version = info.dataset_version
    then = DatasetVersion(
        int(version["number"]), str(version["fingerprint"]), int(version["event"]), now.class_change
    )
    items = training_items(project, then).set_index("item_id")
    labels: pd.Series = items["label"][items["split"] == split]
    return labels


def _confounded(before: Sequence[RunInfo], after: Sequence[RunInfo]) -> str:
    """That one side is quick and the other is not, or that each has a learning rate of its own, which the finder chose;
    "" if neither is so, several trainings a side show what the rate does, or both have the same."""
    first, second = before[0], after[0]
    if (first.quick is None) != (second.quick is None):
        return (
            "One run is quick and one is not: most of the difference may be that of the two ways to train, so that no "
            "verdict is given. Train both in one way to see what the data do."
        )
    if first.quick or second.quick or not same_options(first.config, second.config):
        return ""
    if first.resolved.lr == second.resolved.lr or None in (first.resolved.lr, second.resolved.lr):
        return ""
    if min(len(before), len(after)) > 1 or (first.config.lr and second.config.lr):
        return ""
    return (
        f"The finder chose another learning rate for {second.run_id} ({second.resolved.lr:.2g}) than for "
        f"{first.run_id} ({first.resolved.lr:.2g}), and that can make a difference like this one. Train again with "
        f"--lr {first.resolved.lr:.2g} to see what the data do."
    )


def _notes(before: RunInfo, after: RunInfo) -> list[str]:
    notes = []
    quick = [info.run_id for info in (before, after) if info.quick is not None]
    if quick:
        notes.append(
            f"{' and '.join(quick)}: only heads were trained, on features that were there. How far other features "
            "would have moved the numbers is in no interval; a full training can say something else."
        )
    imported = [info.run_id for info in (before, after) if info.imported is not None]
    if imported:
        notes.append(
            f"{' and '.join(imported)}: predictions of one model that was trained elsewhere. How far another training "
            "of it would have come out from it is not known, so that no verdict is given; nor whether the model, its "
            "options or the data made a difference."
        )
    if before.is_full and after.is_full and not same_options(before.config, after.config):
        notes.append(
            "The two sides were trained with other options: a difference may come from them, not from the data."
        )
    return notes


def _labelled_predictions(project: Project, run: Run, split: str) -> LabelledPredictions:
    if split not in REPORTED_SPLITS:
        raise RunError(
            f"There is no report on {split!r}: only {', '.join(REPORTED_SPLITS)} have labels to compare with."
        )
    version = dataset_version(project, None)
    items = training_items(project, version)
    items = items[(items["split"] == split) & items["label"].notna()]
    predictions = run.predictions
    rows = pd.Index(predictions.item_ids).get_indexer(pd.Index(items["item_id"]))
    known = rows >= 0
    rows = rows[known]
    classes = project.class_log.at(version.class_change)
    names = dict(zip(run.info.classes, names_now(project, run.info, classes), strict=True))
    places, then = pd.factorize(classes.kind.predicted(run, rows))
    now = classes.labels_as(then, names)
    labels = items["label"][known]
    space = space_of(project.task_at(classes), [*labels.unique(), *now])
    return LabelledPredictions(
        run_id=run.info.run_id,
        run_name=run.info.name,
        quick=run.info.quick is not None,
        split=split,
        version=version.number,
        classes=classes.names,
        labels=space,
        kind=classes.kind,
        item_ids=predictions.item_ids[rows],
        codes=space.codes(labels),
        predicted=space.codes(now)[places],
        in_sample=bool((predictions.kinds[rows] == "in_sample").any()),
        n_without_prediction=int((~known).sum()),
    )


def run_after(project: Project) -> str | None:
    """What is compared with an earlier run if nothing is said: the newest run that is not quick, because the
    difference of a quick one from it is mostly that of the two ways to train. None if all are quick: the newest."""
    full = [info.run_id for info in list_runs(project) if info.quick is None]
    return full[-1] if full else None


def run_before(project: Project, after: RunInfo) -> str:
    """What a run is compared with if nothing is said: the newest run of the same kind on an earlier dataset version;
    failing that, the one just before, of any kind.

    raises : RunError if no run finished before it
    """
    runs = [info for info in list_runs(project) if run_number(info.run_id) < run_number(after.run_id)]
    alike = [info for info in runs if _kind_of(info) == _kind_of(after)]
    version = _version_of(after)
    earlier = [info for info in alike if _version_of(info) < version]
    candidates = earlier or alike or runs
    if not candidates:
        raise RunError(
            f"There is nothing to compare {after.run_id} with: no run finished before it. "
            "Review some items, close the round (winnow rounds PROJECT --close) and train again."
        )
    return candidates[-1].run_id


def _kind_of(info: RunInfo) -> tuple[bool, bool]:
    """Whether whole models were trained, and where."""
    return info.quick is None, info.imported is None


def _version_of(info: RunInfo) -> int:
    return int(info.dataset_version["number"])
