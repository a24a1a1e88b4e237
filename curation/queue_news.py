"""What is new about a queue while somebody reviews it: what it has still to give, and whether it can be ranked anew."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

from curation.jobs import FAILED, LIVE, LOST, QUICK, JobRow, latest_job
from curation.project import Project
from curation.queues import Queue, QueueQuery, open_queue
from curation.quick_rounds import OFFER_AFTER, event_of, moved_text, n_moved_up
from curation.run_folders import newest_run_id, read_run
from curation.yield_meter import hint, queue_yield

MAX_KEPT = 64
N_OTHERS = 3
LONGEST_UNTOLD = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class NewerQueue:
    """A run that was finished after the one that the queue is of, the last decision that it learned from, and what it
    changes in words."""

    run_id: str
    event: int
    text: str


@dataclass(frozen=True, slots=True)
class QueueNews:
    """What a reviewer should know about the queue.

    text : what it has still to give, in words; "" where nothing can be said
    n_since : items decided on since the newest run, which need not be the queue's, learned its labels
    offer_at : from so many on a quick round pays
    job : what the quick round that is under way does, in words, "" if none is
    newer : the newest run's queue, None if this is it
    problem : why the last quick round failed, "" if it did not
    """

    text: str
    n_since: int
    offer_at: int
    job: str
    newer: NewerQueue | None
    problem: str


Value = TypeVar("Value")
_Key = tuple[str, QueueQuery, str]


@dataclass(frozen=True, slots=True)
class _Told:
    """What was said of a queue's yield: as of which event, when, and up to which event it has been asked for since."""

    event: int
    at: datetime
    text: str
    asked: int

    def is_good(self, event: int, now: datetime) -> bool:
        """Finding it anew takes some 20 ms: it waits until nobody has decided anything since it was asked for last."""
        return self.event == event or (self.asked != event and now - self.at < LONGEST_UNTOLD)


class _Kept(Generic[Value]):
    """The last values by key; the least recently used are dropped."""

    def __init__(self) -> None:
        self._values: OrderedDict[_Key, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _Key, make: Callable[[], Value], *, is_good: Callable[[Value], bool]) -> Value:
        """The value that is kept, if it is still good, else a new one."""
        with self._lock:
            if key not in self._values or not is_good(self._values[key]):
                self._values[key] = make()
            self._values.move_to_end(key)
            while len(self._values) > MAX_KEPT:
                self._values.popitem(last=False)
            return self._values[key]

    def put(self, key: _Key, value: Value) -> None:
        """Keep this value from now on."""
        with self._lock:
            self._values[key] = value


_yields: _Kept[_Told] = _Kept()
_newer: _Kept[NewerQueue] = _Kept()


def read_news(project: Project, queue: Queue, now: datetime) -> QueueNews:
    """What is new about a queue of a finished run; cheap enough to be asked every second. Who asks is looking at it."""
    queue.table.index.mark_used()
    run = queue.table.run.info
    event = project.decisions.last_event()
    newest = newest_run_id(project) or run.run_id
    newer = None
    if newest != run.run_id:
        newer = _newer.get(
            (str(project.folder), queue.query, newest),
            lambda: _newer_queue(project, queue, newest),
            is_good=lambda _: True,
        )
    key = (str(project.folder), queue.query, run.run_id)
    told = _yields.get(
        key,
        lambda: _Told(event, now, _yield_text(project, queue), event),
        is_good=lambda told: told.is_good(event, now),
    )
    _yields.put(key, replace(told, asked=event))
    job = latest_job(project, now=now)
    return QueueNews(
        text=told.text,
        n_since=project.decisions.n_changed_since(newer.event if newer else event_of(run)),
        offer_at=OFFER_AFTER,
        job=_under_way(job, newest),
        newer=newer,
        problem=_problem_of(job, newer),
    )


def _newer_queue(project: Project, queue: Queue, newest: str) -> NewerQueue:
    event = event_of(read_run(project, newest).info)
    return NewerQueue(newest, event, moved_text(n_moved_up(project, queue.query, newest)))


def _yield_text(project: Project, queue: Queue) -> str:
    """What deciding here has brought and will bring, and what pays more, if something does."""
    if queue.query.splits != ("train",):
        return ""
    found, others = queue_yield(queue), {}
    if queue.shown_class is not None:
        mixed = open_queue(project, queue.query_of_class(None))
        found = queue_yield(queue, learn_from=mixed)
        names = [name for name in mixed.open_suspects() if name != queue.shown_class][:N_OTHERS]
        for name in names:
            other = open_queue(project, queue.query_of_class(name))
            others[f"Class `{name}`"] = queue_yield(other, learn_from=mixed)
    advice = hint(found, others)
    says_more = advice.advice in ("switch", "stop") and advice.text != f"{found}."
    return f"{found}." + (f" {advice.text}" if says_more else "")


def _under_way(job: JobRow | None, newest: str) -> str:
    """A quick round's run is there, and can be shown, before the estimate of what the edits change is."""
    if job is None or job.state not in LIVE or QUICK not in job.argv:
        return ""
    if job.run_id == newest:
        return "Estimating what your edits change …"
    return f"Ranking anew with your decisions: {job.progress.get('stage') or 'starting'}"


def _problem_of(job: JobRow | None, newer: NewerQueue | None) -> str:
    """Why the last quick round failed, unless a newer queue has come of another one."""
    if job is None or job.state not in (FAILED, LOST) or QUICK not in job.argv or newer is not None:
        return ""
    return f"The queue could not be updated: {job.error}"
