"""One page of a queue for the grid, and what changed on it since."""

from dataclasses import asdict
from typing import Any

import pandas as pd
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import context
from app.queue_link import query_of
from app.routes.guard import required, whole
from app.tokens import Claim
from curation.blind import hidden_items
from curation.decisions.events import KEPT, ItemState
from curation.notes import read_notes
from curation.pace import read_pace
from curation.queue_news import read_news
from curation.queues import Queue, QueueQuery
from curation.run_folders import refuse_removed

MAX_PAGE = 300
PAGE_COLUMNS = (
    "item_id",
    "path",
    "split",
    "kind",
    "rank",
    "given_label",
    "predicted_label",
    "p_given",
    "p_predicted",
    "second_label",
    "p_second",
    "suspect",
    "suspect_label",
    "label",
    "verdict",
    "status",
    "annotator",
    "event",
    "seen",
    "reason",
)

HIDDEN: dict[str, Any] = {
    **dict.fromkeys(("path", "kind", "given_label", "predicted_label", "p_given", "p_predicted")),
    **dict.fromkeys(("second_label", "p_second", "suspect_label", "label", "top", "verdict", "annotator")),
    "suspect": "",
    "status": KEPT,
    "seen": "",
    "reason": "",
    "note": "",
}
STATE_FIELDS = ("verdict", "status", "label", "annotator", "event")


def page(request: Request, claim: Claim, _body: Any) -> Response:
    """GET /api/page: one page of a queue as column arrays, with how far the queue is decided."""
    project = context.current_project()
    queue = context.open_view(query_in(request))
    number, size, n_pages = _place(request, queue)
    outlook = project.decisions.outlook(claim.annotator)
    table = queue.page(number, size)
    items = {name: _plain(table[name]) for name in PAGE_COLUMNS}
    items["note"], items["note_number"] = _notes_of(items["item_id"])
    items["top"] = queue.top_classes(number, size)
    items["blind"] = hidden_items(project, claim.annotator, items["item_id"], queue.query.blind).tolist()
    _hide(items)
    return JSONResponse(
        {
            "page": number,
            "n_pages": n_pages,
            "total": len(queue),
            "n_decided": queue.n_decided(),
            "view": request.url.query.partition("&page=")[0],
            "items": items,
            "pace": pace_of(claim),
            **asdict(outlook),
        }
    )


def changes(request: Request, claim: Claim, _body: Any) -> Response:
    """GET /api/changes: the states of those items of a page that have events after `since`; the person's pace, if there
    are events after `paced`, the event that the last one told was of; and what is new about the queue."""
    project = context.current_project()
    store = project.decisions
    queue = context.open_view(query_in(request))
    since = whole(request, "since", 0, low=0)
    outlook = store.outlook(claim.annotator)
    changed: dict[str, ItemState] = {}
    if outlook.event > since:
        number, size, _ = _place(request, queue)
        changed = store.changed_among(queue.item_ids((number - 1) * size, number * size), since)
        hidden = hidden_items(project, claim.annotator, list(changed), queue.query.blind)
        changed = {
            item_id: changed[item_id] for item_id, hide in zip(changed, hidden, strict=True) if not hide
        }
    states = states_json(changed)
    for state, note, number in zip(states.values(), *_notes_of(list(states)), strict=True):
        state |= {"note": note, "note_number": number}
    pace = pace_of(claim) if outlook.event > whole(request, "paced", 0, low=0) else None
    return JSONResponse(
        {
            "states": states,
            "n_decided": queue.n_decided(),
            "pace": pace,
            "news": asdict(read_news(project, queue, context.now())),
            **asdict(outlook),
        }
    )


def query_in(request: Request) -> QueueQuery:
    """The queue that a request names.

    raises : RunGoneError if its run was removed, though a queue of it is open still
    """
    run_id = required(request, "run")
    refuse_removed(context.current_project(), run_id)
    params = {name: request.query_params.getlist(name) for name in request.query_params}
    classes = context.current_project().classes
    return query_of(params, run_id=run_id, classes=classes.names, former=classes.former_names)


def states_json(states: dict[str, ItemState]) -> dict[str, dict[str, Any]]:
    """States as the grid keeps them, by item."""
    return {
        item_id: {name: getattr(state, name) for name in STATE_FIELDS} for item_id, state in states.items()
    }


def pace_of(claim: Claim) -> dict[str, Any]:
    """How fast this person decides."""
    return asdict(read_pace(context.current_project().engine, claim.annotator))


def _notes_of(item_ids: list[str]) -> tuple[list[str], list[int]]:
    """The text and the number of each item's note, "" and 0 where it never had one."""
    notes = read_notes(context.current_project().engine, item_ids)
    found = [notes.get(item_id) for item_id in item_ids]
    return [note.text if note else "" for note in found], [note.number if note else 0 for note in found]


def _hide(items: dict[str, list[Any]]) -> None:
    """Put into the columns of blind items what an item has of which nothing is known."""
    for place in [place for place, hide in enumerate(items["blind"]) if hide]:
        for name, nothing in HIDDEN.items():
            items[name][place] = nothing


def _place(request: Request, queue: Queue) -> tuple[int, int, int]:
    """The page that is asked for, the last one at most; its size; how many there are."""
    size = min(whole(request, "size", 60), MAX_PAGE)
    n_pages = max(1, -(-len(queue) // size))
    return min(whole(request, "page", 1), n_pages), size, n_pages


def _plain(column: pd.Series) -> list[Any]:
    """A column as JSON values; what is missing becomes null."""
    return column.astype(object).where(column.notna(), None).tolist()
