"""Background jobs: start, watch, cancel, resume. Each is `winnow <verb> …` in a process of its own, one row a job.

A job is alive while its process is: on the same machine that is read from the process id together with the process's
start time, from elsewhere from the heartbeat that the job writes every second.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Final

import psutil
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from curation.database import jobs, reading, writing
from curation.decisions import log
from curation.project import Project
from diagnostics.errors import Cancelled, ProjectError
from diagnostics.progress import Progress

QUEUED: Final = "queued"
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
LOST: Final = "lost"
LIVE = (QUEUED, RUNNING)
RESUMABLE = (FAILED, CANCELLED, LOST)

TRAIN: Final = "train"
EXPERIMENT: Final = "experiment"
ONE_AT_A_TIME = (TRAIN, EXPERIMENT)
QUICK, SEEDS = "--quick", "--seeds"
HEARTBEAT_S = 1.0
STALE_S = 30.0
TERM_GRACE_S = 0.8
KILL_GRACE_S = 0.4
START_TIME_TOLERANCE_S = 2.0


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it stands.

    argv : the arguments of `winnow`, the verb first
    progress : the fields of the last `Progress`; empty before the first
    run_id : the run it trains or the experiment it makes, None before it has one
    error : why it failed or was lost, and what to do; else empty
    """

    number: int
    verb: str
    argv: tuple[str, ...]
    state: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    host: str
    pid: int | None
    process_started_at: datetime | None
    heartbeat_at: datetime | None
    progress: dict[str, Any]
    run_id: str | None
    error: str
    job_id: str = ""


class Job:
    """The job that this process works on; handed out by `running_job`."""

    def __init__(self, project: Project, number: int, verb: str) -> None:
        self.job_id = _job_id(number)
        self.verb = verb
        self.run_id: str | None = None
        self._project = project
        self._number = number
        self._progress: Progress | None = None
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"heartbeat of {self.job_id}", daemon=True)

    def report(self, progress: Progress) -> None:
        """Say how far the work is; written with the next heartbeat."""
        self._progress = progress

    def should_stop(self) -> bool:
        """Whether someone has cancelled the job."""
        return self._stop.is_set()

    def belongs_to(self, run_id: str) -> None:
        """Note which run the job trains or which experiment it makes, so that it can be taken up again."""
        self.run_id = run_id
        _update(self._project, self._number, (RUNNING,), {"run_id": run_id})

    def start_heart(self) -> None:
        self._heart.start()

    def end(self, state: str, error: str = "") -> None:
        """Stop the heartbeat and write how the job ended, unless it has been cancelled from elsewhere."""
        self._ended.set()
        self._heart.join()
        _update(
            self._project,
            self._number,
            (RUNNING,),
            {"state": state, "finished_at": datetime.now(UTC), "error": error, **self._vital_signs()},
        )

    def interrupted(self, _signal: int, _frame: FrameType | None) -> None:
        """Signal handler: stop where the work stands."""
        self._stop.set()
        raise Cancelled(_stopped_text(self._project, self.verb, self.run_id))

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            # A database that is busy or full for a moment must not end the work; the next beat tries again.
            with contextlib.suppress(ProjectError):
                if not _update(self._project, self._number, (RUNNING,), self._vital_signs()):
                    self._stop.set()

    def _vital_signs(self) -> dict[str, Any]:
        signs: dict[str, Any] = {"heartbeat_at": datetime.now(UTC)}
        if self._progress is not None:
            signs["progress"] = asdict(self._progress) | {"metrics": dict(self._progress.metrics)}
        return signs


def start_job(project: Project, verb: str, argv: Sequence[str], *, now: datetime | None = None) -> JobRow:
    """Start `winnow` with these arguments (the verb first) as a detached process that logs to the jobs folder.

    raises : ProjectError if such a job is running already
    """
    started_at = now or datetime.now(UTC)
    number = _register(project, verb, argv, {"state": QUEUED}, started_at)
    project.jobs_dir.mkdir(exist_ok=True)
    command = [sys.executable, "-P", "-m", "app.cli", *argv, "--job", _job_id(number)]
    try:
        with log_path(project, _job_id(number)).open("ab") as log_file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        _update(project, number, LIVE, {"state": FAILED, "finished_at": started_at, "error": str(error)})
        raise ProjectError(f"The job could not be started: {error}.") from error
    threading.Thread(target=process.wait, daemon=True).start()
    _update(project, number, LIVE, {"pid": process.pid, "process_started_at": _start_time(process.pid)})
    return read_job(project, _job_id(number))


def start_quick_round(project: Project, *, now: datetime | None = None) -> JobRow:
    """Start to train heads on the decisions up to now, see `curation.runs.train_project`.

    raises : ProjectError if a training is running already
    """
    return start_job(project, "train", ["train", str(project.folder), QUICK], now=now)


@contextlib.contextmanager
def running_job(project: Project, verb: str, argv: Sequence[str], job_id: str | None = None) -> Iterator[Job]:
    """Be a job while the block runs: heartbeat, progress, cancelling, and in the end done, cancelled or failed.

    job_id : the job that `start_job` made for this process; without it the process registers itself
    raises : ProjectError if such a job is running already; Cancelled if the job is cancelled
    """
    now = datetime.now(UTC)
    alive = {
        "state": RUNNING,
        "started_at": now,
        "heartbeat_at": now,
        "pid": os.getpid(),
        "process_started_at": _start_time(os.getpid()),
    }
    if job_id is None:
        number = _register(project, verb, argv, alive, now)
    else:
        number = _number(job_id)
        if not _update(project, number, (QUEUED,), alive):
            raise Cancelled(f"{job_id} was cancelled before it began.")
    job = Job(project, number, verb)
    job.start_heart()
    try:
        with _handling_signals(job):
            yield job
    except (Cancelled, KeyboardInterrupt):
        job.end(CANCELLED)
        raise
    except BaseException as error:
        job.end(FAILED, str(error) or type(error).__name__)
        raise
    job.end(DONE)


def list_jobs(project: Project, *, now: datetime | None = None, at_most: int | None = None) -> list[JobRow]:
    """All jobs, or so many, newest first; those whose process has vanished are marked lost."""
    with reading(project.engine) as connection:
        rows = _read(connection, at_most=at_most)
    asked_at = now or datetime.now(UTC)
    gone = [row for row in rows if row.state in LIVE and not is_alive(row, asked_at)]
    if not gone:
        return rows
    for row in gone:
        _mark_lost(project, row, asked_at)
    with reading(project.engine) as connection:
        return _read(connection, at_most=at_most)


def latest_job(project: Project, *, now: datetime | None = None) -> JobRow | None:
    """The job that was started last, if any."""
    return next(iter(list_jobs(project, now=now, at_most=1)), None)


def read_job(project: Project, job_id: str) -> JobRow:
    """One job.

    raises : ProjectError if there is no such job
    """
    with reading(project.engine) as connection:
        found = _read(connection, jobs.c.number == _number(job_id))
    if not found:
        raise ProjectError(f"{project.info.name} has no job {job_id!r}. See: winnow jobs {project.folder}")
    return found[0]


def cancel_job(project: Project, job_id: str, *, now: datetime | None = None) -> JobRow:
    """Stop a job: ask its process to end, then kill it and all it started. Returns when it is gone, within 2 s.

    raises : ProjectError if the job is over already
    """
    row = read_job(project, job_id)
    if row.state not in LIVE:
        raise ProjectError(f"{job_id} is over already: it is {row.state}.")
    if row.host == socket.gethostname() and row.pid is not None and _is_same_process(row):
        _end_process(row.pid)
    cancelled = {"state": CANCELLED, "finished_at": now or datetime.now(UTC)}
    _update(project, row.number, LIVE, cancelled)
    return read_job(project, job_id)


def resume_job(project: Project, job_id: str, *, now: datetime | None = None) -> JobRow:
    """Start a job again that failed, was cancelled or lost; its run goes on where it was last kept: after a
    finished fold, or an epoch that ended at most 5 s before. Of several trainings the finished ones stay.

    raises : ProjectError if the job is running or done, or another one is running
    """
    list_jobs(project, now=now)
    row = read_job(project, job_id)
    if row.state not in RESUMABLE:
        raise ProjectError(f"{job_id} is {row.state}; there is nothing to resume.")
    argv: Sequence[str] = row.argv
    if SEEDS not in argv and row.run_id is not None and (project.partial_runs_dir / row.run_id).is_dir():
        argv = [row.verb, str(project.folder), "--resume", row.run_id]
    return start_job(project, row.verb, argv, now=now)


def is_alive(row: JobRow, now: datetime) -> bool:
    """Whether the process of a live job is still there."""
    if row.host != socket.gethostname() or row.pid is None:
        last_sign = row.heartbeat_at or row.created_at
        return now - last_sign < timedelta(seconds=STALE_S)
    return _is_same_process(row)


def log_path(project: Project, job_id: str) -> Path:
    """Where a detached job writes what it prints."""
    return project.jobs_dir / f"{job_id}.log"


# ------------------------------------------------------------ rows


def _register(project: Project, verb: str, argv: Sequence[str], values: dict[str, Any], now: datetime) -> int:
    """Write a new row and return its number; of two that ask for the same verb at once only one gets it."""
    list_jobs(project, now=now)
    with writing(project.engine) as connection:
        log.take_head(connection)
        training = sa.and_(jobs.c.verb.in_(ONE_AT_A_TIME), jobs.c.state.in_(LIVE))
        if verb in ONE_AT_A_TIME and (others := _read(connection, training)):
            raise ProjectError(
                f"{others[0].job_id} ({others[0].verb}) is {others[0].state} on this project; one at a time. "
                f"Wait for it, or stop it with: winnow jobs {project.folder} --cancel {others[0].job_id}"
            )
        last = connection.execute(sa.select(sa.func.max(jobs.c.number))).scalar() or 0
        row = {"verb": verb, "argv": list(argv), "created_at": now, "host": socket.gethostname(), "error": ""}
        connection.execute(jobs.insert(), row | values | {"number": last + 1})
        return int(last) + 1


def _update(project: Project, number: int, states: Sequence[str], values: dict[str, Any]) -> bool:
    """Change a job that is in one of these states; False if it is not."""
    with writing(project.engine) as connection:
        wanted = sa.and_(jobs.c.number == number, jobs.c.state.in_(states))
        return connection.execute(jobs.update().where(wanted).values(values)).rowcount == 1


def _read(
    connection: Connection, where: sa.ColumnElement[bool] | None = None, *, at_most: int | None = None
) -> list[JobRow]:
    columns = [jobs.c[field.name] for field in fields(JobRow) if field.name != "job_id"]
    query = sa.select(*columns).order_by(jobs.c.number.desc()).limit(at_most)
    return [_job_row(row) for row in connection.execute(query if where is None else query.where(where))]


def _job_row(row: Row[Any]) -> JobRow:
    values = row._asdict()
    values |= {"argv": tuple(row.argv), "progress": row.progress or {}, "job_id": _job_id(row.number)}
    return JobRow(**values)


def _mark_lost(project: Project, row: JobRow, now: datetime) -> None:
    if row.state == QUEUED:
        told = _last_line(log_path(project, row.job_id)) or "it wrote nothing to its log"
        values = {"state": FAILED, "error": f"The process ended before it began to work: {told}"}
    else:
        what = "The process vanished: it was killed, or the machine was restarted."
        values = {"state": LOST, "error": f"{what} {_stopped_text(project, row.verb, row.run_id)}"}
    _update(project, row.number, (row.state,), values | {"finished_at": now})


def _stopped_text(project: Project, verb: str, run_id: str | None) -> str:
    if verb == EXPERIMENT:
        return "Start it again: full trainings that were finished are not repeated."
    if run_id is None:
        return "Stopped before a run began; start it again."
    return f"{run_id} can go on from where it was last kept: winnow train {project.folder} --resume {run_id}"


def _last_line(path: Path) -> str:
    if not path.is_file():
        return ""
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")


def _job_id(number: int) -> str:
    return f"job-{number:04d}"


def _number(job_id: str) -> int:
    digits = job_id.removeprefix("job-")
    if not digits.isdecimal():
        raise ProjectError(f"{job_id!r} is not the name of a job; they look like job-0001.")
    return int(digits)


# ------------------------------------------------------------ processes


@contextlib.contextmanager
def _handling_signals(job: Job) -> Iterator[None]:
    """Let SIGTERM and SIGINT cancel the job; only the main thread may set handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, job.interrupted) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_time(pid: int) -> datetime | None:
    """When a process started, None if it is gone."""
    try:
        return datetime.fromtimestamp(psutil.Process(pid).create_time(), UTC)
    except psutil.NoSuchProcess:
        return None


def _is_same_process(row: JobRow) -> bool:
    if row.pid is None or row.process_started_at is None or _is_zombie(row.pid):
        return False
    started = _start_time(row.pid)
    tolerance = timedelta(seconds=START_TIME_TOLERANCE_S)
    return started is not None and abs(started - row.process_started_at) <= tolerance


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _end_process(pid: int) -> None:
    """SIGTERM to a process and all below it, then SIGKILL to those that are left."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        leads_group = os.getpgid(pid) == pid
    except (psutil.NoSuchProcess, ProcessLookupError):
        return
    _signal(family, signal.SIGTERM)
    _, left = psutil.wait_procs(family, timeout=TERM_GRACE_S)
    _signal(left, signal.SIGKILL)
    if leads_group:
        # Children that the process started meanwhile, or that lost their parent, are still in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    psutil.wait_procs(left, timeout=KILL_GRACE_S)


def _signal(processes: Sequence[Any], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
