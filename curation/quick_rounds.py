"""Quick rounds beside a review: when one is worth offering, and what it did to the queue."""

from dataclasses import dataclass

import numpy as np

from curation.project import Project
from curation.queues import QueueQuery, open_queue
from curation.run_folders import list_runs
from diagnostics.errors import RunError
from diagnostics.run_folder import RunInfo
from diagnostics.task import IntArray

OFFER_AFTER = 25
FIRST_PAGE = 60
FAR_RANKS = 100


@dataclass(frozen=True, slots=True)
class QuickOffer:
    """Whether a quick round would have something new to learn from.

    n_decided : items whose decision was made, changed or taken back since the newest run
    """

    n_decided: int
    offer_after: int = OFFER_AFTER

    @property
    def is_due(self) -> bool:
        return self.n_decided >= self.offer_after


@dataclass(frozen=True, slots=True)
class QueueMoves:
    """What changed in a queue from one run to the next, among the items that nobody has decided on.

    n_into_first_page : items of the new first page that were not on the old one
    n_far_up : items that moved up by more than so many ranks; those of the first page that did count here too
    """

    n_into_first_page: int
    n_far_up: int

    def __str__(self) -> str:
        """One line for the reviewer.

        >>> str(QueueMoves(n_into_first_page=12, n_far_up=3))
        'Queue updated, 12 items moved up to the first page.'
        """
        if not self.n_into_first_page:
            return "Queue updated, the first page has the same items."
        items = "item" if self.n_into_first_page == 1 else "items"
        return f"Queue updated, {self.n_into_first_page} {items} moved up to the first page."


def quick_offer(project: Project, *, offer_after: int = OFFER_AFTER) -> QuickOffer:
    """How many items were decided on since the newest run, of whatever kind, was given its labels.

    raises : RunError if there is no run, which has to come first
    """
    runs = list_runs(project)
    if not runs:
        raise RunError("Quick rounds begin after the first full run. Train once: winnow train.")
    _, changed = project.decisions.changed_since(event_of(runs[-1]))
    return QuickOffer(len(changed), offer_after)


def event_of(run: RunInfo) -> int:
    """The last decision that a run learned from."""
    return int(run.dataset_version["event"])


def queue_moves(
    project: Project,
    old_run: str,
    new_run: str,
    by: str,
    *,
    splits: tuple[str, ...] = ("train",),
    first_page: int = FIRST_PAGE,
    far_ranks: int = FAR_RANKS,
) -> QueueMoves:
    """What the new run changed in the queue of undecided items ranked by `by`."""
    before, after = (
        _items_in_order(project, QueueQuery(run_id=run_id, by=by, splits=splits, decided="open"))
        for run_id in (old_run, new_run)
    )
    return count_moves(before, after, first_page=first_page, far_ranks=far_ranks)


def count_moves(before: IntArray, after: IntArray, *, first_page: int, far_ranks: int) -> QueueMoves:
    """Compare two orders of items.

    before, after : item numbers, each at most once, first in the queue first; an item that was not in the queue before
        counts as having been behind its end

    >>> count_moves(np.array([7, 8, 9, 5]), np.array([5, 7, 8, 9]), first_page=2, far_ranks=2)
    QueueMoves(n_into_first_page=1, n_far_up=1)
    """
    n_numbers = int(max(before.max(initial=-1), after.max(initial=-1))) + 1
    old_ranks = np.full(n_numbers, len(before), dtype=np.int64)
    old_ranks[before] = np.arange(len(before))
    climbed = old_ranks[after] - np.arange(len(after))
    return QueueMoves(
        n_into_first_page=int((old_ranks[after[:first_page]] >= first_page).sum()),
        n_far_up=int((climbed > far_ranks).sum()),
    )


def _items_in_order(project: Project, query: QueueQuery) -> IntArray:
    queue = open_queue(project, query)
    numbers: IntArray = queue.table.item_rows[queue.rows].astype(np.int64)
    return numbers
