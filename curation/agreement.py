"""Validation against the gold test set over the full runs of a project, on the labels of the newest dataset version."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from curation.project import Project
from curation.reports import compare_runs, labelled_predictions
from curation.runs import list_runs, read_run
from diagnostics.agreement import FEWEST_RUNS, Agreement, Alarm, agreement, alarm_of
from diagnostics.metric_names import METRICS

SPLITS_COMPARED = ("val", "test")


@dataclass(frozen=True, slots=True)
class ProjectAgreement:
    """How validation and test moved over the full runs.

    runs : `run_columns`, oldest first; only runs with predictions for labelled items of both
    metrics : by the name of the metric, the leading one first: what the kind of label is compared by
    """

    runs: pd.DataFrame
    metrics: dict[str, Agreement]

    @property
    def verdict(self) -> str:
        """In a sentence."""
        n = len(self.runs)
        if n < FEWEST_RUNS:
            runs = "1 full run" if n == 1 else f"{n} full runs"
            return f"Too few to tell: {runs}, and it takes {FEWEST_RUNS} to see whether both move together."
        leading, found = next(iter(self.metrics.items()))
        tau = found.rank_correlation
        if np.isnan(tau.value):
            return f"Too few to tell: the {METRICS[leading].name} did not move on one of the two."
        interval = f"rank correlation {tau.value:.2f}, 95 % interval {tau.low:.2f} to {tau.high:.2f}"
        if tau.low > 0:
            return f"Validation and test order the {n} runs alike: {interval}."
        if tau.high < 0:
            return f"Validation and test order the {n} runs the other way round: {interval}."
        return f"From {n} runs it cannot be told whether validation and test move together: {interval}."


@dataclass(frozen=True, slots=True)
class RunAlarm:
    """Validation rose from one run to another, and test did not."""

    run_before: str
    run_after: str
    alarm: Alarm

    @property
    def text(self) -> str:
        """In a sentence, with its numbers."""
        found = self.alarm
        test = "got worse" if found.test_got_worse else "did not follow"
        return (
            f"From {self.run_before} to {self.run_after}, {METRICS[found.metric].name} on validation rose "
            f"by {100 * found.val.value:.1f} points ({100 * found.val.low:.1f} to "
            f"{100 * found.val.high:.1f}), and test {test}: {100 * found.test.value:+.1f} points "
            f"({100 * found.test.low:.1f} to {100 * found.test.high:.1f}). {ALARM}"
        )


ALARM = (
    "What was gained on validation is not real: look for validation items among the training items (page "
    "Data), and stop choosing by these validation labels."
)


def validation_against_test(project: Project) -> ProjectAgreement:
    """Whether the two move together over all full runs. Whoever is shown it looks at the test set.

    raises : RunError if a run cannot be read
    """
    compared = project.label_kind.compared
    rows = [_measured(project, run_id) for run_id in _full_runs(project) if _has_both(project, run_id)]
    runs = pd.DataFrame(rows, columns=list(run_columns(compared)))
    columns = {metric: (f"val_{metric}", f"test_{metric}") for metric in compared}
    return ProjectAgreement(
        runs=runs,
        metrics={
            metric: agreement(runs[val].to_numpy(float), runs[test].to_numpy(float))
            for metric, (val, test) in columns.items()
        },
    )


def run_columns(metrics: Sequence[str]) -> tuple[str, ...]:
    """Of a table of runs: run_id, version, and each metric of both splits with its interval.

    >>> run_columns(["accuracy"])[2:5]
    ('val_accuracy', 'val_accuracy_low', 'val_accuracy_high')
    """
    measured = (
        f"{split}_{metric}{end}"
        for split in SPLITS_COMPARED
        for metric in metrics
        for end in ("", "_low", "_high")
    )
    return ("run_id", "version", *measured)


def validation_alarm(project: Project) -> RunAlarm | None:
    """Whether validation rose and test did not, from the first full run, or from the one before, to the newest.

    It tells nothing else about test, so that it can watch over every round without being a look.
    """
    full = [run_id for run_id in _full_runs(project) if _has_both(project, run_id)]
    for before in dict.fromkeys(full[:1] + full[-2:-1]):
        if before != full[-1]:
            val, test = (
                compare_runs(project, split, before, full[-1]).comparison for split in SPLITS_COMPARED
            )
            if (found := alarm_of(val, test)) is not None:
                return RunAlarm(before, full[-1], found)
    return None


def _full_runs(project: Project) -> list[str]:
    return [info.run_id for info in list_runs(project) if info.quick is None]


def _has_both(project: Project, run_id: str) -> bool:
    return all(len(labelled_predictions(project, split, run_id).codes) for split in SPLITS_COMPARED)


def _measured(project: Project, run_id: str) -> dict[str, object]:
    row: dict[str, object] = {"run_id": run_id}
    for split in SPLITS_COMPARED:
        totals = labelled_predictions(project, split, run_id).totals()
        for metric in project.label_kind.compared:
            estimate = totals[metric]
            names = (f"{split}_{metric}{end}" for end in ("", "_low", "_high"))
            row |= dict(zip(names, (estimate.value, estimate.low, estimate.high), strict=True))
    return row | {"version": int(read_run(project, run_id).info.dataset_version["number"])}
