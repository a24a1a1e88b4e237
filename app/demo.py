"""The demos: samples with planted errors, each from nothing to a ranked queue."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from data_samples import biopsies_folder, digit_sets_folder, digits_folder, queries_folder
from diagnostics.progress import ProgressCallback

if TYPE_CHECKING:
    from curation.project import Project

QUEUE_FILE = "ranked-train.csv"


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of data_samples.

    unlabelled : the table or folder of its items without labels; images : where paths lead, "" = its own folder
    separator : what stands between the labels of an item; "" = it has one
    """

    folder: Callable[[], Path]
    unlabelled: str
    modality: str
    images: str = ""
    separator: str = ""


SAMPLES = {
    "digits": Sample(digits_folder, "images/unlabelled", "image"),
    "queries": Sample(queries_folder, "unlabelled.csv", "text"),
    "biopsies": Sample(biopsies_folder, "unlabelled.csv", "tabular"),
    "digit_sets": Sample(digit_sets_folder, "unlabelled.csv", "image", "images.zip", "|"),
}


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo made: the project, its run, and the ranked queue as a CSV, after so many seconds."""

    project: Path
    run_id: str
    queue: Path
    seconds: float


def make_demo(folder: Path, sample: str = "digits", *, on_progress: ProgressCallback) -> Demo:
    """Take a sample of SAMPLES in, train five folds, rank the training items. A demo made earlier is used again."""
    from curation.export import write_table
    from curation.jobs import running_job
    from curation.project import Project, is_project
    from curation.queues import QueueQuery, ranked_table
    from curation.runs import list_runs, train_project
    from diagnostics.training.config import TrainConfig

    started = time.perf_counter()
    project = Project.open(folder) if is_project(folder) else _take_in(folder, sample, on_progress)
    if not list_runs(project):
        with running_job(project, "train", ["train", str(project.folder)]) as job:
            train_project(project, TrainConfig(), job=job, on_progress=on_progress)
    run_id = list_runs(project)[-1].run_id
    queue = project.folder / QUEUE_FILE
    write_table(ranked_table(project, QueueQuery(run_id=run_id, splits=("train",))), queue)
    return Demo(project.folder, run_id, queue, round(time.perf_counter() - started, 2))


def _take_in(folder: Path, sample: str, on_progress: ProgressCallback) -> "Project":
    from curation.dataset.intake import IntakeSpec, take_in
    from curation.label_kinds.kind import LabelForm
    from curation.project import Project

    chosen = SAMPLES[sample]
    data = chosen.folder()
    spec = IntakeSpec(
        data=data / "train.csv",
        val=data / "valid.csv",
        test=data / "test.csv",
        unlabelled=data / chosen.unlabelled,
        modality=chosen.modality,
        images=data / chosen.images if chosen.images else None,
        label_form=LabelForm(chosen.separator),
    )
    return Project.create(folder, take_in(spec, on_progress=on_progress), now=datetime.now(UTC))
