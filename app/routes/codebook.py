"""The codebook: how a class or a confused pair is to be labelled, read and written beside the grid."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import context
from app.routes.guard import RefusedError
from app.tokens import Claim
from curation.codebook import CodebookEntry, add_exemplar, read_entry, remove_exemplar, write_rule
from diagnostics.errors import StaleTextError

EXEMPLAR_CHANGES = {"add": add_exemplar, "remove": remove_exemplar}


def codebook(request: Request, _claim: Claim, _body: Any) -> Response:
    """GET /api/codebook?label=X or ?pair=A&pair=B: the rule and the exemplars of a class or a pair."""
    labels = [*request.query_params.getlist("label"), *request.query_params.getlist("pair")]
    return JSONResponse(_told(read_entry(context.current_project(), labels)))


def codebook_change(_request: Request, claim: Claim, body: Any) -> Response:
    """POST /api/codebook {labels, rule, number}, {labels, add: item_id} or {labels, remove: item_id}: the entry after
    it; 409 with the present one if the rule is another by now."""
    labels = _labels(body)
    project, now = context.current_project(), context.now()
    for name, change in EXEMPLAR_CHANGES.items():
        if isinstance(body.get(name), str):
            return JSONResponse(
                _told(change(project, labels, body[name], annotator=claim.annotator, now=now))
            )
    if not isinstance(body.get("rule"), str) or type(body.get("number")) is not int:
        raise RefusedError(
            400,
            "A codebook change is a rule with the number of the one that was seen, or add or remove with an item id.",
        )
    try:
        entry = write_rule(
            project, labels, body["rule"], seen_number=body["number"], annotator=claim.annotator, now=now
        )
    except StaleTextError as error:
        raise RefusedError(409, str(error), entry=_told(read_entry(project, labels))) from error
    return JSONResponse(_told(entry))


def _labels(body: Any) -> Sequence[str]:
    labels = body.get("labels") if isinstance(body, dict) else None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise RefusedError(400, "A codebook change needs labels: a list of one class or two.")
    return labels


def _told(entry: CodebookEntry) -> dict[str, Any]:
    return asdict(entry) | {"at": entry.at.isoformat() if entry.at else None}
