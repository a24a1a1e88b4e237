"""One item in full, and the notes that people write about it."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import context
from app.routes.guard import RefusedError, required
from app.routes.pages import query_in
from app.tokens import Claim
from curation.blind import hidden_items
from curation.item_details import item_details
from curation.notes import read_notes, write_note
from diagnostics.errors import StaleTextError


def item(request: Request, claim: Claim, _body: Any) -> Response:
    """GET /api/item: what the run says of an item, training items like it, and what happened to it; refused for an item
    that the person is to decide blind, if the request says `blind` as its queue does."""
    project = context.current_project()
    item_id = required(request, "id")
    if hidden_items(project, claim.annotator, [item_id], query_in(request).blind)[0]:
        raise RefusedError(
            403, "This item is in the blind sample. Decide it first; then everything about it is shown."
        )
    details = asdict(item_details(project, item_id, required(request, "run")))
    for entry in details["history"]:
        entry["at"] = entry["at"].isoformat()
    return JSONResponse(details)


def note(_request: Request, claim: Claim, body: Any) -> Response:
    """POST /api/note {id, text, number}: put a note on an item; 409 with the present one if it is another by now."""
    item_id, text, number = _note(body)
    project = context.current_project()
    try:
        written = write_note(
            project, item_id, text, seen_number=number, annotator=claim.annotator, now=context.now()
        )
    except StaleTextError as error:
        present = read_notes(project.engine, [item_id])[item_id]
        raise RefusedError(409, str(error), note=present.text, number=present.number) from error
    return JSONResponse({"note": written.text, "number": written.number})


def _note(body: Any) -> tuple[str, str, int]:
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("id"), str)
        or not isinstance(body.get("text"), str)
        or type(body.get("number")) is not int
    ):
        raise RefusedError(
            400, "A note needs the id of its item, its text and the number of the note that was seen."
        )
    return body["id"], body["text"], body["number"]
