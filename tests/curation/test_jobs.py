"""Jobs are processes: one training at a time, cancelled within 2 seconds, lost when killed, resumable."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest
import sqlalchemy as sa

from curation.database import jobs as jobs_table
from curation.database import writing
from curation.jobs import (
    KILL_GRACE_S,
    STALE_S,
    TERM_GRACE_S,
    cancel_job,
    is_alive,
    list_jobs,
    log_path,
    read_job,
    resume_job,
    running_job,
    start_job,
)
from diagnostics.errors import Cancelled, ProjectError
from diagnostics.progress import Progress

WORK = """
import sys, time
from pathlib import Path
from curation.jobs import running_job
from curation.project import Project
from diagnostics.progress import Progress

project = Project.open(Path(sys.argv[1]))
with running_job(project, "train", ["train", sys.argv[1]]) as job:
    job.belongs_to("run-0001")
    job.report(Progress("training", 3, 10, metrics={"epoch": 3}))
    print("working", flush=True)
    LOOP
"""
PATIENT = "time.sleep(60)"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


@pytest.fixture
def work(project):
    """work(loop) starts a process that is a training job of the project; it is ended after the test."""
    started = []

    def start(loop=PATIENT, *, until="working"):
        process = subprocess.Popen(
            [sys.executable, "-c", WORK.replace("LOOP", loop), str(project.folder)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        for line in process.stdout:
            if line.strip() == until:
                return process
        raise AssertionError("the process ended before it worked")

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(condition, timeout_s=60):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_job_is_running_inside_the_block_and_done_after_it(project):
    with running_job(project, "train", ["train", "p"]) as job:
        job.belongs_to("run-0001")
        job.report(Progress("training", 1, 2, metrics={"epoch": 1}))
        (row,) = list_jobs(project)
        assert (row.job_id, row.state, row.argv, row.pid) == (
            "job-0001",
            "running",
            ("train", "p"),
            os.getpid(),
        )
        assert not job.should_stop()
    row = read_job(project, "job-0001")
    assert (row.state, row.run_id, row.progress["stage"], row.progress["metrics"]) == (
        "done", "run-0001", "training", {"epoch": 1},
    )  # fmt: skip
    assert row.finished_at >= row.started_at


def test_an_error_makes_the_job_failed_and_is_kept(project):
    with pytest.raises(RuntimeError), running_job(project, "train", []):
        raise RuntimeError("the graphics card caught fire")
    assert (read_job(project, "job-0001").state, read_job(project, "job-0001").error) == (
        "failed", "the graphics card caught fire",
    )  # fmt: skip


def test_only_one_training_runs_at_a_time_and_the_loser_is_told_which(project):
    with running_job(project, "train", []):
        with pytest.raises(ProjectError, match=r"job-0001 \(train\) is running.*--cancel job-0001"):
            start_job(project, "train", ["train", str(project.folder)])
        with running_job(project, "rank", []):
            assert len(list_jobs(project)) == 2
    with running_job(project, "train", []) as job:
        assert job.job_id == "job-0003"


def test_a_cancelled_job_is_gone_and_shown_as_cancelled_within_two_seconds(project, work):
    assert TERM_GRACE_S + KILL_GRACE_S < 2
    process = work()
    assert cancel_job(project, "job-0001").state == "cancelled"
    process.wait(timeout=60)
    with pytest.raises(ProjectError, match="over already"):
        cancel_job(project, "job-0001")


def test_a_job_that_does_not_listen_is_killed(project, work):
    process = work(STUBBORN, until="deaf")
    row = cancel_job(project, "job-0001")
    process.wait(timeout=60)
    assert row.state == "cancelled"


def test_what_a_job_started_ends_with_it(project, work):
    child = "import subprocess; child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); time.sleep(60)"
    process = work(child)
    pid = int(process.stdout.readline())
    cancel_job(project, "job-0001")
    assert wait_for(
        lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    )


def test_an_interrupted_job_is_cancelled_and_says_how_to_go_on(project):
    with pytest.raises(Cancelled, match="--resume run-0001"), running_job(project, "train", []) as job:
        job.belongs_to("run-0001")
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    assert read_job(project, "job-0001").state == "cancelled"


def test_a_killed_job_is_shown_as_lost_with_what_to_do(project, work):
    process = work()
    assert wait_for(lambda: read_job(project, "job-0001").progress.get("done") == 3)
    process.kill()
    process.wait()
    (row,) = list_jobs(project)
    assert row.state == "lost"
    assert "vanished" in row.error
    assert "--resume run-0001" in row.error
    with running_job(project, "train", []):
        pass


def test_a_job_whose_row_was_taken_away_stops(project, monkeypatch):
    monkeypatch.setattr("curation.jobs.HEARTBEAT_S", 0.02)
    with running_job(project, "train", []) as job:
        with writing(project.engine) as connection:
            connection.execute(jobs_table.update().values(state="cancelled"))
        assert wait_for(job.should_stop)
    assert read_job(project, "job-0001").state == "cancelled"


def test_another_process_with_the_same_id_is_not_taken_for_the_job(project, now):
    with running_job(project, "train", []):
        (row,) = list_jobs(project)
        assert is_alive(row, now)
        assert not is_alive(replace(row, process_started_at=row.process_started_at - timedelta(hours=1)), now)


def test_a_job_on_another_machine_lives_by_its_heartbeat(project):
    with running_job(project, "train", []):
        (row,) = list_jobs(project)
    elsewhere = replace(row, host="elsewhere")
    assert is_alive(elsewhere, row.heartbeat_at + timedelta(seconds=STALE_S - 1))
    assert not is_alive(elsewhere, row.heartbeat_at + timedelta(seconds=STALE_S + 1))


def test_a_job_whose_process_never_began_is_failed_with_the_last_line_of_its_log(project):
    row = start_job(project, "train", ["no-such-verb"])
    assert row.state == "queued"
    assert wait_for(lambda: list_jobs(project)[0].state == "failed", timeout_s=30)
    assert "no-such-verb" in read_job(project, row.job_id).error
    assert log_path(project, row.job_id).is_file()


def test_resuming_goes_on_with_the_run_of_the_job(project, monkeypatch, now):
    with pytest.raises(RuntimeError), running_job(project, "train", ["train", "p", "--epochs", "3"]) as job:
        job.belongs_to("run-0001")
        raise RuntimeError
    started = []
    monkeypatch.setattr(
        "curation.jobs.start_job", lambda project, verb, argv, *, now: started.append(list(argv))
    )
    resume_job(project, "job-0001", now=now)
    (project.partial_runs_dir / "run-0001").mkdir()
    resume_job(project, "job-0001", now=now)
    assert started == [
        ["train", "p", "--epochs", "3"],
        ["train", str(project.folder), "--resume", "run-0001"],
    ]


def test_a_job_that_is_done_cannot_be_resumed(project):
    with running_job(project, "train", []):
        pass
    with pytest.raises(ProjectError, match="is done; there is nothing to resume"):
        resume_job(project, "job-0001")


@pytest.mark.parametrize(
    ("job_id", "text"), [("job-0009", "has no job 'job-0009'"), ("x", "look like job-0001")]
)
def test_an_unknown_job_is_refused(project, job_id, text):
    with pytest.raises(ProjectError, match=text):
        read_job(project, job_id)


def test_a_job_that_was_cancelled_before_its_process_began_does_not_begin(project, now):
    with writing(project.engine) as connection:
        row = {
            "number": 1,
            "verb": "train",
            "argv": [],
            "state": "queued",
            "created_at": now,
            "host": "h",
            "error": "",
        }
        connection.execute(sa.insert(jobs_table), row)
    cancel_job(project, "job-0001", now=now)
    with (
        pytest.raises(Cancelled, match="before it began"),
        running_job(project, "train", [], job_id="job-0001"),
    ):
        pass
