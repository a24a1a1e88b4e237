"""Quick rounds beside a review: when one is worth offering, and what it did to a queue."""

from dataclasses import dataclass, replace

from curation.project import Project
from curation.queues import QueueQuery, open_queue
from curation.run_folders import list_runs
from diagnostics.errors import RunError
from diagnostics.run_folder import RunInfo

OFFER_AFTER = 25
FIRST_PAGE = 60


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
