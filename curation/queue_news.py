"""What is new about a queue while somebody reviews it: what it has still to give, and whether it can be ranked anew."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from curation.jobs import FAILED, LIVE, LOST, QUICK, JobRow, latest_job
from curation.project import Project
from curation.queues import Queue, QueueQuery
from curation.quick_rounds import OFFER_AFTER, event_of, moved_text, n_moved_up
from curation.run_folders import newest_run_id

MAX_KEPT = 64


@dataclass(frozen=True, slots=True)
class NewerQueue:
    """A run that was finished after the one that the queue is of, and what it changes in words."""

    run_id: str
    text: str


@dataclass(frozen=True, slots=True)
class QueueNews:
    """What a reviewer should know about the queue.

    text : what it has still to give, in words; "" where nothing can be said
    n_since : items decided on since its run learned its labels; offer_at : from so many on a quick round pays
    job : how far the quick round is that is under way, "" if none is
    newer : the newest run's queue, None if this is it
    problem : why the last quick round failed, "" if it did not
    """

    text: str
    n_since: int
    offer_at: int
    job: str
    newer: NewerQueue | None
    problem: str


@dataclass(frozen=True, slots=True)
class _Slow:
    """The parts that change only with a decision or a run, and cost too much to be found every second."""

    text: str
    n_since: int
    newer: NewerQueue | None


_kept: "OrderedDict[tuple[str, QueueQuery, int, str], _Slow]" = OrderedDict()
_keeping = Lock()


def read_news(project: Project, queue: Queue, now: datetime) -> QueueNews:
    """What is new about a queue of a finished run; cheap enough to be asked every second."""
    newest = newest_run_id(project) or queue.table.run.info.run_id
    key = (str(project.folder), queue.query, project.decisions.last_event(), newest)
    with _keeping:
        if key not in _kept:
            _kept[key] = _slow(project, queue, newest)
        _kept.move_to_end(key)
        while len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
        slow = _kept[key]
    job = latest_job(project, now=now)
    return QueueNews(
        slow.text, slow.n_since, OFFER_AFTER, _under_way(job), slow.newer, _problem_of(job, slow.newer)
    )


def _slow(project: Project, queue: Queue, newest: str) -> _Slow:
    run = queue.table.run.info
    _, changed = project.decisions.changed_since(event_of(run))
    newer = None
    if newest != run.run_id:
        newer = NewerQueue(newest, moved_text(n_moved_up(project, queue.query, newest)))
    return _Slow("", len(changed), newer)


def _under_way(job: JobRow | None) -> str:
    if job is None or job.state not in LIVE or QUICK not in job.argv:
        return ""
    return job.progress.get("stage") or "starting"


def _problem_of(job: JobRow | None, newer: NewerQueue | None) -> str:
    """Why the last quick round failed, unless a newer queue has come of another one."""
    if job is None or job.state not in (FAILED, LOST) or QUICK not in job.argv or newer is not None:
        return ""
    return f"The queue could not be updated: {job.error}"
