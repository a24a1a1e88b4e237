"""What the grid shows of items that are no pictures."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app import context
from app.routes.guard import ids_in
from app.routes.pages import MAX_PAGE, query_in
from app.tokens import Claim
from curation.blind import hidden_items
from curation.cards import item_cards


def cards(request: Request, claim: Claim, _body: Any) -> Response:
    """GET /api/cards: one card an item of `ids`, in their order, with what speaks for and against its label in the
    queue's run; whole=1: nothing of the items is left out. Items to be decided blind have nothing that tells a label.
    """
    project, query = context.current_project(), query_in(request)
    ids = ids_in(request, at_most=MAX_PAGE)
    found = item_cards(
        project,
        query.run_id,
        ids,
        hidden=hidden_items(project, claim.annotator, ids, query.blind),
        search=query.search,
        whole=request.query_params.get("whole") == "1",
    )
    text = json.dumps(found, default=_fields, ensure_ascii=False, separators=(",", ":"))
    return Response(text, media_type="application/json")


def _fields(card: Any) -> dict[str, Any]:
    return {name: getattr(card, name) for name in card.__slots__}
