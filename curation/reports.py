"""What the pages and the command line say about runs: one split of one run, or two runs on the same items.

The ruler is always the labels of the newest dataset version, for old runs too: a corrected validation label counts for
every run from the moment its round is closed. Classes that were renamed or merged since count under their present
names; what a run predicts is the most likely of its own classes. The numbers come from stored predictions; nothing is
predicted here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curation.project import Project
from curation.rounds import dataset_version, training_items
from curation.run_classes import names_now
from curation.runs import list_runs, read_run
from diagnostics.compare import PlainComparison, compare_predictions
from diagnostics.confusion import confused_pairs_table, confusion_matrix_table
from diagnostics.errors import RunError
from diagnostics.metrics import ClassReport, class_report
from diagnostics.run_folder import Run, RunInfo
from diagnostics.task import SPLITS, IntArray, label_codes

REPORTED_SPLITS = tuple(split for split in SPLITS if split != "unlabelled")


@dataclass(frozen=True, slots=True)
class LabelledPredictions:
    """One split of one run against the labels of a dataset version; arrays are aligned, (n_items,).

    run_name : the run's id, marked if it is a quick one
    codes, predicted : positions in `classes`
    in_sample : the model was trained on these very items, so that memorised errors look right
    n_without_prediction : labelled items of the split that the run did not predict (they came later)
    """

    run_id: str
    run_name: str
    quick: bool
    split: str
    version: int
    classes: tuple[str, ...]
    item_ids: np.ndarray
    codes: IntArray
    predicted: IntArray
    in_sample: bool
    n_without_prediction: int

    def class_report(self) -> ClassReport:
        return class_report(self.codes, self.predicted, self.classes)

    def confusion_matrix(self) -> pd.DataFrame:
        return confusion_matrix_table(self.codes, self.predicted, self.classes)

    def confused_pairs(self) -> pd.DataFrame:
        return confused_pairs_table(self.codes, self.predicted, self.classes)


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs on the items of one split that both predicted, against the labels of dataset version `version`.

    name_before, name_after : the runs' ids, marked if they are quick ones
    """

    run_before: str
    run_after: str
    name_before: str
    name_after: str
    split: str
    version: int
    in_sample: bool
    comparison: PlainComparison


def labelled_predictions(project: Project, split: str, run_id: str | None = None) -> LabelledPredictions:
    """The predictions of a run (the newest if not named) for the labelled items of a split.

    raises : RunError for a split without labels, an unknown run, or no run at all
    """
    return _labelled_predictions(project, read_run(project, run_id), split)


def compare_runs(
    project: Project, split: str = "val", before: str | None = None, after: str | None = None
) -> RunComparison:
    """What changed from one run to another, on the items that both predicted.

    before, after : run ids; not named: the newest full run (the newest of all if none is full), and the newest one of
        its kind on an earlier dataset version; a quick run is compared with a full one only if there is no other
    """
    run_after = read_run(project, after or _newest_to_compare(project))
    run_before = read_run(project, before or _run_before(project, run_after))
    old, new = (_labelled_predictions(project, run, split) for run in (run_before, run_after))
    _, in_old, in_new = np.intersect1d(old.item_ids, new.item_ids, assume_unique=True, return_indices=True)
    return RunComparison(
        run_before=run_before.info.run_id,
        run_after=run_after.info.run_id,
        name_before=run_before.info.name,
        name_after=run_after.info.name,
        split=split,
        version=new.version,
        in_sample=old.in_sample or new.in_sample,
        comparison=compare_predictions(
            new.item_ids[in_new],
            new.codes[in_new],
            old.predicted[in_old],
            new.predicted[in_new],
            new.classes,
        ),
    )


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
    names = names_now(project, run.info, project.class_log.at(version.class_change))
    predicted_names = np.asarray(names, dtype=object)[predictions.pred_probs[rows].argmax(axis=1)]
    classes = project.task_at(project.class_log.at(version.class_change)).classes
    return LabelledPredictions(
        run_id=run.info.run_id,
        run_name=run.info.name,
        quick=run.info.quick is not None,
        split=split,
        version=version.number,
        classes=classes,
        item_ids=predictions.item_ids[rows],
        codes=label_codes(items["label"][known], classes),
        predicted=label_codes(predicted_names, classes),
        in_sample=bool((predictions.kinds[rows] == "in_sample").any()),
        n_without_prediction=int((~known).sum()),
    )


def _run_before(project: Project, after: Run) -> str:
    """The newest run of the same kind on an earlier dataset version; failing that, the one just before, of any kind."""
    runs = [info for info in list_runs(project) if info.run_id < after.info.run_id]
    alike = [info for info in runs if (info.quick is None) == (after.info.quick is None)]
    version = _version_of(after.info)
    earlier = [info for info in alike if _version_of(info) < version]
    candidates = earlier or alike or runs
    if not candidates:
        raise RunError(
            f"There is nothing to compare {after.info.run_id} with: no run finished before it. "
            "Review some items, close the round (winnow rounds PROJECT --close) and train again."
        )
    newest: str = max(info.run_id for info in candidates)
    return newest


def _newest_to_compare(project: Project) -> str | None:
    """The newest full run: the difference of a quick one from it is mostly that of the two ways to train."""
    full = [info.run_id for info in list_runs(project) if info.quick is None]
    return full[-1] if full else None


def _version_of(info: RunInfo) -> int:
    return int(info.dataset_version["number"])
