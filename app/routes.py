"""The few routes beside Streamlit: pages of a queue, thumbnails, pictures and decisions for the label grid.

Every request carries a token that a page of this server signed for one project and one person. What changes something
must also come from a page of this server, and be small. Errors are answered as {"error": "what to do"}.
"""

import io
import json
import os
import struct
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from PIL import Image
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from app import context
from app.grid import ASSETS, assets_url
from app.queue_link import query_of
from app.tokens import Claim, TokenError, verify
from curation.decisions.events import Decision
from curation.decisions.store import ActResult
from diagnostics.errors import DecisionError, WinnowError
from diagnostics.image_files import decode_image

MAX_BODY_BYTES = 4_000_000
MAX_ACTS = 500
MAX_PAGE = 300
SHOWN_DIRECTLY = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
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
    "label",
    "verdict",
    "status",
    "annotator",
    "event",
    "reason",
)

STATE_FIELDS = ("verdict", "status", "label", "annotator", "event")

Handler = Callable[[Request, Claim, Any], Response]


class RefusedError(Exception):
    """A request that is not served: its HTTP status and what to do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def make_routes() -> list[BaseRoute]:
    """The routes to serve beside Streamlit."""
    return [
        Route("/api/page", _endpoint(page), methods=["GET"]),
        Route("/api/thumbs", _endpoint(thumbs), methods=["GET"]),
        Route("/api/image", _endpoint(image), methods=["GET"]),
        Route("/api/decisions", _endpoint(decisions), methods=["POST"]),
        Route("/api/undo", _endpoint(undo), methods=["POST"]),
        Route("/api/redo", _endpoint(redo), methods=["POST"]),
        Mount(assets_url(), _GridAssets(directory=ASSETS), name="grid"),
    ]


# ---------------------------------------------------------------- what is served


def page(request: Request, claim: Claim, _body: Any) -> Response:
    """GET /api/page: one page of a queue as column arrays, with how far the queue is decided."""
    params = {name: request.query_params.getlist(name) for name in request.query_params}
    project = context.current_project()
    classes = project.classes
    query = query_of(
        params, run_id=_required(request, "run"), classes=classes.names, former=classes.former_names
    )
    size = min(_whole(request, "size", 60), MAX_PAGE)
    queue = context.open_view(query)
    total = len(queue)
    n_pages = max(1, -(-total // size))
    number = min(_whole(request, "page", 1), n_pages)
    table = queue.page(number, size)
    return JSONResponse(
        {
            "page": number,
            "n_pages": n_pages,
            "total": total,
            "n_decided": queue.n_decided(),
            "view": request.url.query.partition("&page=")[0],
            "items": {name: _plain(table[name]) for name in PAGE_COLUMNS},
            "can_undo": project.decisions.can_undo(claim.annotator),
            "can_redo": project.decisions.can_redo(claim.annotator),
        }
    )


def thumbs(request: Request, _claim: Claim, _body: Any) -> Response:
    """GET /api/thumbs: uint32 count, that many uint32 lengths (little-endian), then the JPEG bytes."""
    ids = _json(_required(request, "ids"))
    if not isinstance(ids, list) or len(ids) > MAX_PAGE or not all(isinstance(one, str) for one in ids):
        raise RefusedError(400, f"ids must be a JSON list of at most {MAX_PAGE} item ids.")
    try:
        jpegs = context.thumbnails(ids)
    except KeyError as error:
        raise RefusedError(404, f"There is no item {error}.") from error
    header = struct.pack(f"<{len(jpegs) + 1}I", len(jpegs), *(len(jpeg) for jpeg in jpegs))
    return Response(
        header + b"".join(jpegs),
        media_type="image/jpeg",
        headers={"Cache-Control": "private, max-age=3600"},
    )


def image(request: Request, _claim: Claim, _body: Any) -> Response:
    """GET /api/image: the full picture, as it is if a browser can show it, else as PNG."""
    data = context.current_project().read_image(_required(request, "id"))
    with Image.open(io.BytesIO(data)) as picture:
        media_type = SHOWN_DIRECTLY.get(picture.format or "")
    if media_type is None:
        out = io.BytesIO()
        decode_image(data).save(out, "PNG")
        data, media_type = out.getvalue(), "image/png"
    return Response(data, media_type=media_type)


def decisions(_request: Request, claim: Claim, body: Any) -> Response:
    """POST /api/decisions {client, acts: [{seq, queue, decisions: [...]}]}: each act is one step, applied at most
    once."""
    client, acts = _batch(body)
    results = [_decide(claim, client, act) for act in acts]
    refused = {result["seq"] for result in results if result["error"]}
    touched = {
        decision["item_id"]: None
        for act in acts
        if act["seq"] not in refused
        for decision in act["decisions"]
    }
    return JSONResponse({"results": results, "states": _states(list(touched)), **_steps(claim)})


def undo(_request: Request, claim: Claim, body: Any) -> Response:
    """POST /api/undo {client, seq}: take back one's own last act; the same client and seq again answer the same."""
    client, seq = _numbered(body)
    result = context.current_project().decisions.undo(
        claim.annotator, context.now(), client_id=client, client_seq=seq
    )
    return _step_answer(claim, result, nothing="There is nothing of yours to undo.", done="Undone")


def redo(_request: Request, claim: Claim, body: Any) -> Response:
    """POST /api/redo {client, seq}: do again what one has undone."""
    client, seq = _numbered(body)
    result = context.current_project().decisions.redo(
        claim.annotator, context.now(), client_id=client, client_seq=seq
    )
    return _step_answer(claim, result, nothing="There is nothing of yours to redo.", done="Done again")


# ---------------------------------------------------------------- decisions


def _numbered(body: Any) -> tuple[str, int]:
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("client"), str)
        or not isinstance(body.get("seq"), int)
    ):
        raise RefusedError(400, "The request must name its client and its seq.")
    return body["client"], body["seq"]


def _batch(body: Any) -> tuple[str, list[dict[str, Any]]]:
    if not isinstance(body, dict) or not isinstance(body.get("client"), str) or not body["client"]:
        raise RefusedError(400, "The request must name its client.")
    acts = body.get("acts")
    if not isinstance(acts, list) or not all(_is_act(act) for act in acts):
        raise RefusedError(
            400, "Every act needs a whole number seq and a list of decisions, each with item_id and verdict."
        )
    if len(acts) > MAX_ACTS:
        raise RefusedError(413, f"At most {MAX_ACTS} acts a request; found {len(acts)}.")
    return body["client"], acts


def _is_act(act: Any) -> bool:
    return (
        isinstance(act, dict)
        and isinstance(act.get("seq"), int)
        and isinstance(act.get("decisions"), list)
        and all(
            isinstance(decision, dict)
            and isinstance(decision.get("item_id"), str)
            and isinstance(decision.get("verdict"), str)
            for decision in act["decisions"]
        )
    )


def _decide(claim: Claim, client: str, act: dict[str, Any]) -> dict[str, Any]:
    """Apply one act; what a person can put right is told in its result, the other acts go on."""
    wanted = [
        Decision(
            item_id=decision["item_id"],
            verdict=decision["verdict"],
            label=decision.get("label"),
            note=str(decision.get("note", "")),
            rank=decision.get("rank"),
            queue=str(act.get("queue", "")),
            expected_event=decision.get("expected_event"),
        )
        for decision in act["decisions"]
    ]
    store = context.current_project().decisions
    try:
        result = store.decide(
            wanted, annotator=claim.annotator, now=context.now(), client_id=client, client_seq=act["seq"]
        )
    except DecisionError as error:
        return {"seq": act["seq"], "n_changed": 0, "conflicts": [], "error": str(error)}
    return {
        "seq": act["seq"],
        "n_changed": result.n_changed,
        "conflicts": [str(conflict) for conflict in result.conflicts],
        "error": "",
    }


def _states(item_ids: list[str]) -> dict[str, dict[str, Any]]:
    """The committed state of these items, as the grid keeps it."""
    states = context.current_project().decisions.states(item_ids)
    return {
        item_id: {name: getattr(state, name) for name in STATE_FIELDS} for item_id, state in states.items()
    }


def _steps(claim: Claim) -> dict[str, bool]:
    store = context.current_project().decisions
    return {"can_undo": store.can_undo(claim.annotator), "can_redo": store.can_redo(claim.annotator)}


def _step_answer(claim: Claim, result: ActResult | None, *, nothing: str, done: str) -> Response:
    if result is None:
        return JSONResponse({"message": nothing, "conflicts": [], **_steps(claim)})
    conflicts = [str(conflict) for conflict in result.conflicts]
    items = "1 item" if result.n_changed == 1 else f"{result.n_changed:,} items"
    message = " ".join([f"{done}: {items}.", *conflicts])
    return JSONResponse({"message": message, "conflicts": conflicts, **_steps(claim)})


# ---------------------------------------------------------------- guarding


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            claim = _claim(request)
            body = await _body(request) if request.method == "POST" else None
            response = await run_in_threadpool(handler, request, claim, body)
        except RefusedError as refused:
            return _error(refused.status, str(refused))
        except TokenError as error:
            return _error(401, str(error))
        except WinnowError as error:
            return _error(400, str(error))
        except OperationalError as error:
            return _error(503, f"The decision store cannot be reached ({error.orig}). Nothing was saved.")
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return endpoint


def _claim(request: Request) -> Claim:
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise RefusedError(403, "Requests from other sites are refused.")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenError("The request carries no token. Reload the page.")
    return verify(token, context.project_key(), secret=context.TOKEN_SECRET, now=context.now())


async def _body(request: Request) -> Any:
    origin = request.headers.get("origin", "")
    if urlsplit(origin).netloc != request.headers.get("host", ""):
        raise RefusedError(
            403, f"Decisions are taken from this server's own pages, not from {origin or 'elsewhere'}."
        )
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise RefusedError(413, f"A request may have at most {MAX_BODY_BYTES:,} bytes.")
    return _json(data.decode("utf-8", errors="replace"))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise RefusedError(400, f"Not readable as JSON: {error}.") from error


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status, headers={"Cache-Control": "no-store"})


def _required(request: Request, name: str) -> str:
    value = request.query_params.get(name, "")
    if not value:
        raise RefusedError(400, f"The request must say {name}.")
    return value


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise RefusedError(400, f"{name} must be a whole number of at least 1, found {text!r}.")
    return int(text)


def _plain(column: pd.Series) -> list[Any]:
    """A column as JSON values; what is missing becomes null."""
    return column.astype(object).where(column.notna(), None).tolist()


class _GridAssets(StaticFiles):
    """The grid's modules and nothing else; their address changes with their content, so browsers keep them for good."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return super().lookup_path(path) if path.endswith(".js") else ("", None)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
