"""Old quick runs go by themselves, any run by hand; no name is given twice, and what became of a run is said."""

import json
import os
from datetime import timedelta

import pytest

from curation.jobs import running_job
from curation.queues import QueueQuery, open_queue
from curation.rounds import is_untouched
from curation.run_folders import allocate_run, broken_runs, newest_run_id, removed_note
from curation.run_removal import keep_run, kept_runs, plan_removal, remove_replaced_quick_runs, remove_run
from curation.runs import list_partial_runs, list_runs, read_run
from curation.test_looks import note_look
from diagnostics.errors import ProjectError, RunError, RunGoneError
from diagnostics.run_folder import QuickInfo
from diagnostics.training.config import TrainConfig

PROBS = {"a": (0.8, 0.1, 0.1), "b": (0.1, 0.8, 0.1)}
QUICK = QuickInfo("the 5 fold models of run-0001", "run-0001", 0.1)


@pytest.fixture
def with_runs(project, add_run):
    """One full run and six quick ones, all on version 0."""
    add_run(project, "run-0001", PROBS)
    for number in range(2, 8):
        add_run(project, f"run-{number:04d}", PROBS, quick=QUICK)
    return project


def names(project):
    return [info.run_id for info in list_runs(project)]


def test_the_newest_quick_runs_stay_and_full_ones_always(with_runs, now):
    assert remove_replaced_quick_runs(with_runs, now=now, n_newest=2) == [
        "run-0002",
        "run-0003",
        "run-0004",
        "run-0005",
    ]
    assert names(with_runs) == ["run-0001", "run-0006", "run-0007"]
    assert remove_replaced_quick_runs(with_runs, now=now, n_newest=2) == []


def test_a_quick_run_that_cannot_be_removed_stays_and_the_log_says_so(with_runs, now, caplog):
    removed_note(with_runs, "run-0003").mkdir(parents=True)  # where a file is to be written
    assert remove_replaced_quick_runs(with_runs, now=now, n_newest=3) == ["run-0002", "run-0004"]
    assert names(with_runs) == ["run-0001", "run-0003", "run-0005", "run-0006", "run-0007"]
    (said,) = caplog.messages
    assert said.startswith("run-0003 (quick) could not be removed: ")
    with pytest.raises(ProjectError, match=r"run-0003 \(quick\) could not be removed: .*Winnow may write to"):
        remove_run(with_runs, "run-0003", annotator="ada", now=now)
    removed_note(with_runs, "run-0003").rmdir()
    assert remove_replaced_quick_runs(with_runs, now=now, n_newest=3) == ["run-0003"]


def test_what_something_stands_on_stays(with_runs, add_run, now):
    add_run(with_runs, "run-0008", PROBS, quick=QUICK, version=1)
    keep_run(with_runs, "run-0002")
    note_look(with_runs, ["run-0003"], place="report", annotator="ada", now=now)
    open_queue(with_runs, QueueQuery(run_id="run-0004"))
    looked_at = next(with_runs.cache_dir.glob("run-0004-*"))
    os.utime(looked_at, times=(now.timestamp(), now.timestamp()))
    removed = remove_replaced_quick_runs(with_runs, now=now + timedelta(minutes=59), n_newest=1)
    assert removed == ["run-0005", "run-0006"], "run-0007 is the newest on version 0"
    keep_run(with_runs, "run-0002", keep=False)
    assert kept_runs(with_runs) == frozenset()
    later = now + timedelta(minutes=61)
    assert remove_replaced_quick_runs(with_runs, now=later, n_newest=1) == ["run-0002", "run-0004"]


def test_a_queue_that_is_open_goes_on_when_its_run_is_removed(with_runs, now):
    queue = open_queue(with_runs, QueueQuery(run_id="run-0002"))
    before = queue.page(1, 2)
    remove_replaced_quick_runs(with_runs, now=now + timedelta(days=400), n_newest=1)
    assert not list(with_runs.cache_dir.glob("run-0002-*"))
    assert queue.page(1, 2).equals(before)
    with pytest.raises(
        RunGoneError, match=r"run-0002 \(quick\) was removed on 2027-12-06, because newer quick"
    ):
        read_run(with_runs, "run-0002")


def test_the_name_of_a_removed_run_is_not_given_again(with_runs, now):
    remove_run(with_runs, "run-0007", annotator="ada", now=now)
    with pytest.raises(RunGoneError, match="by ada"):
        read_run(with_runs, "run-0007")
    assert allocate_run(with_runs, TrainConfig(), 0, now=now).run_id == "run-0008"
    with pytest.raises(RunError, match="was removed"):
        plan_removal(with_runs, "run-0007")


def test_what_goes_with_a_full_run_is_said_first(with_runs, now):
    found = plan_removal(with_runs, "run-0001")
    in_folder = sum(path.stat().st_size for path in (with_runs.runs_dir / "run-0001").rglob("*.*"))
    assert found.n_bytes == in_folder > 0
    assert "run-0002, run-0003, run-0004, run-0005, run-0006, run-0007 can no longer" in found.effects[0]
    assert "for quick rounds and experiments there is no other" in found.effects[1]
    assert len(found.effects) == 2, "there are other runs on version 0"
    assert plan_removal(with_runs, "run-0002").effects == ()


def test_features_by_its_models_and_what_a_killed_process_left_go_with_a_run(with_runs, now):
    features = with_runs.cache_dir / "embeddings" / "run-0001"
    left = with_runs.runs_dir / ".run-0009.0a1b2c3d.removed"
    for folder in (features, left):
        folder.mkdir(parents=True)
        (folder / "embeddings.npy").write_bytes(bytes(1000))
    before = plan_removal(with_runs, "run-0001").n_bytes
    (features / "embeddings.npy").write_bytes(bytes(3000))
    assert plan_removal(with_runs, "run-0001").n_bytes == before + 2000
    remove_run(with_runs, "run-0001", annotator="ada", now=now)
    assert not features.exists()
    assert not list(with_runs.runs_dir.glob(".*"))


def test_where_a_run_was_the_labels_from_the_source_are_settled(project, add_run, now):
    assert is_untouched(project)
    add_run(project, "run-0001", PROBS)
    (project.runs_dir / "run-0001" / "run.json").write_text("{", encoding="utf-8")
    assert not is_untouched(project)
    remove_run(project, "run-0001", annotator="ada", now=now)
    assert not is_untouched(project)


def test_a_run_that_is_kept_or_may_be_in_use_by_a_job_is_not_removed(with_runs, now):
    keep_run(with_runs, "run-0002")
    with pytest.raises(RunError, match="--let-go run-0002"):
        remove_run(with_runs, "run-0002", annotator="ada", now=now)
    with pytest.raises(ProjectError, match="annotator is empty"):
        remove_run(with_runs, "run-0003", annotator=" ", now=now)
    with running_job(with_runs, "train", ["train"]), pytest.raises(ProjectError, match="job-0001 is at work"):
        remove_run(with_runs, "run-0003", annotator="ada", now=now)
    assert len(names(with_runs)) == 7


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("run.json", "{", "not readable JSON"),
        ("run.json", "[]", "holds no fields"),
        ("run.json", json.dumps({"format_version": 1}), "lacks the field"),
        ("scores.parquet", None, "scores.parquet is missing"),
        ("run.json", None, "has no run.json"),
    ],
)
def test_a_run_that_cannot_be_read_is_named_and_the_others_are_listed(
    project, add_run, now, name, content, problem
):
    for run_id in ("run-0001", "run-0002"):
        add_run(project, run_id, PROBS)
    path = project.runs_dir / "run-0002" / name
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert names(project)[-1] == newest_run_id(project) == "run-0001"
    assert read_run(project).info.run_id == "run-0001"
    (broken,) = broken_runs(project)
    assert broken.run_id == "run-0002"
    assert problem in str(broken)
    remove_run(project, "run-0002", annotator="ada", now=now)
    assert broken_runs(project) == []


def test_an_unfinished_run_that_cannot_be_read_does_not_hide_the_others(project, now):
    started = allocate_run(project, TrainConfig(), 0, now=now)
    broken = allocate_run(project, TrainConfig(), 0, now=now)
    (broken.folder / "start.json").write_text("{", encoding="utf-8")
    assert list_partial_runs(project) == [started]
    assert allocate_run(project, TrainConfig(), 0, now=now).run_id == "run-0003"
