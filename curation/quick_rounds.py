"""Quick rounds beside a review: when one is worth offering, and what it did to a queue."""

from dataclasses import replace

from curation.project import Project
from curation.queues import QueueQuery, open_queue
from diagnostics.run_folder import RunInfo

OFFER_AFTER = 25
FIRST_PAGE = 60


def event_of(run: RunInfo) -> int:
    """The last decision that a run learned from."""
    return int(run.dataset_version["event"])


def n_moved_up(project: Project, query: QueueQuery, new_run: str, *, first_page: int = FIRST_PAGE) -> int:
    """How many undecided items a new run puts onto a queue's first page that were behind it, or not in it, before.

    query : the queue as it is shown; its run is the old one
    """
    before, after = (
        open_queue(project, replace(query, run_id=run_id, decided="open", as_of_event=None))
        for run_id in (query.run_id, new_run)
    )
    places = [before.position(item_id) for item_id in after.item_ids(0, first_page)]
    return sum(place is None or place > first_page for place in places)


def moved_text(n_moved: int) -> str:
    """The news of a new run in one line.

    >>> moved_text(12), moved_text(0)
    ('Queue updated, 12 items moved up to the first page.', 'Queue updated, the first page has the same items.')
    """
    if not n_moved:
        return "Queue updated, the first page has the same items."
    items = "1 item" if n_moved == 1 else f"{n_moved} items"
    return f"Queue updated, {items} moved up to the first page."
