"""Quick rounds beside a review: what one is made from, when it is worth offering, and what it did to a queue."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from curation.project import Project
from curation.queues import QueueQuery, open_queue
from curation.run_folders import newest_full_run
from diagnostics.progress import ProgressCallback, ignore_progress
from diagnostics.run_folder import RunInfo
from diagnostics.task import Task
from diagnostics.training.config import TrainConfig

if TYPE_CHECKING:
    from diagnostics.training.quick import QuickInputs

OFFER_AFTER = 25
FIRST_PAGE = 60


def quick_inputs(
    project: Project,
    items: pd.DataFrame,
    task: Task,
    config: TrainConfig,
    *,
    should_stop: Callable[[], bool],
    on_progress: ProgressCallback = ignore_progress,
    decided: Collection[str] = (),
) -> "QuickInputs":
    """What heads on these items of a project are made from, see `diagnostics.training.quick`, which is imported now."""
    from diagnostics.training.quick import QuickInputs

    by_id = project.items.set_index("item_id")
    return QuickInputs(
        items=items,
        task=task,
        config=config,
        base=newest_full_run(project),
        content_of=by_id["content_hash"],
        unit_of=by_id["unit"],
        roots=tuple(project.info.roots),
        cache_dir=project.cache_dir,
        on_progress=on_progress,
        should_stop=should_stop,
        decided=decided,
    )


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
