"""Decisions, undo and redo as the grid sends them; the answer comes after the commit."""

from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import context
from app.queue_link import query_of
from app.routes.guard import RefusedError, required
from app.routes.pages import query_in, states_json
from app.tokens import Claim
from curation.blind import hidden_in
from curation.bulk import apply_bulk, preview_bulk
from curation.decisions.events import Decision
from curation.decisions.store import ActResult
from diagnostics.errors import DecisionError, ProjectError, RunError, StorageError

MAX_ACTS = 500
MAX_STATES = 300
MAX_CONFLICTS = 20


def decisions(_request: Request, claim: Claim, body: Any) -> Response:
    """POST /api/decisions {client, acts: [{seq, queue, decisions: [...]} or {seq, queue, bulk: {query, choice, label,
    expected_n}}]}: each act is one step, applied at most once."""
    client, acts = _batch(body)
    results = [_decide(claim, client, act) for act in acts]
    refused = {result["seq"] for result in results if result["error"]}
    touched = {
        decision["item_id"]: None
        for act in acts
        if act["seq"] not in refused
        for decision in act.get("decisions", ())
    }
    return JSONResponse({"results": results, **_after(claim, list(touched))})


def bulk_preview(request: Request, claim: Claim, _body: Any) -> Response:
    """GET /api/bulk: what a choice would do to everything in a queue."""
    queue = context.open_view(query_in(request))
    project = context.current_project()
    preview = preview_bulk(
        queue,
        project.decisions,
        required(request, "choice"),
        label=request.query_params.get("label") or None,
        hidden=hidden_in(project, queue, claim.annotator),
    )
    return JSONResponse(asdict(preview))


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


# ---------------------------------------------------------------- what was sent


def _numbered(body: Any) -> tuple[str, int]:
    if not isinstance(body, dict) or not isinstance(body.get("client"), str) or not _is_int(body.get("seq")):
        raise RefusedError(400, "The request must name its client and its seq.")
    return body["client"], body["seq"]


def _batch(body: Any) -> tuple[str, list[dict[str, Any]]]:
    if not isinstance(body, dict) or not isinstance(body.get("client"), str) or not body["client"]:
        raise RefusedError(400, "The request must name its client.")
    acts = body.get("acts")
    if not isinstance(acts, list) or not all(_is_act(act) for act in acts):
        raise RefusedError(
            400,
            "Every act needs a whole number seq, and either a list of decisions, each with item_id and verdict, or "
            "bulk with query, choice and expected_n.",
        )
    if len(acts) > MAX_ACTS:
        raise RefusedError(413, f"At most {MAX_ACTS} acts a request; found {len(acts)}.")
    return body["client"], acts


def _is_act(act: Any) -> bool:
    if not isinstance(act, dict) or not _is_int(act.get("seq")) or ("bulk" in act) == ("decisions" in act):
        return False
    if "bulk" in act:
        return _is_bulk(act["bulk"])
    return isinstance(act["decisions"], list) and all(_is_decision(decision) for decision in act["decisions"])


def _is_bulk(bulk: Any) -> bool:
    return (
        isinstance(bulk, dict)
        and isinstance(bulk.get("query"), str)
        and isinstance(bulk.get("choice"), str)
        and isinstance(bulk.get("label"), str | None)
        and _is_int(bulk.get("expected_n"))
    )


def _is_decision(decision: Any) -> bool:
    return (
        isinstance(decision, dict)
        and isinstance(decision.get("item_id"), str)
        and isinstance(decision.get("verdict"), str)
        and isinstance(decision.get("label"), str | None)
        and isinstance(decision.get("note"), str | None)
        and isinstance(decision.get("blind", False), bool)
        and all(decision.get(name) is None or _is_int(decision[name]) for name in ("rank", "expected_event"))
    )


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# ---------------------------------------------------------------- acts


def _decide(claim: Claim, client: str, act: dict[str, Any]) -> dict[str, Any]:
    """Apply one act; what a person can put right is told in its result, the other acts go on."""
    apply = _bulk if "bulk" in act else _single
    try:
        return _result(act["seq"], apply(claim, client, act))
    except StorageError:
        raise
    except (DecisionError, ProjectError, RunError) as error:
        nothing = ActResult(0, 0, 0, [], 0)
        return _result(act["seq"], nothing, error=str(error))


def _single(claim: Claim, client: str, act: dict[str, Any]) -> ActResult:
    wanted = [
        Decision(
            item_id=decision["item_id"],
            verdict=decision["verdict"],
            label=decision.get("label"),
            note=decision.get("note") or "",
            rank=decision.get("rank"),
            queue=str(act.get("queue", "")),
            expected_event=decision.get("expected_event"),
            blind=decision.get("blind", False),
        )
        for decision in act["decisions"]
    ]
    return context.current_project().decisions.decide(
        wanted,
        annotator=claim.annotator,
        now=context.now(),
        client_id=client,
        client_seq=act["seq"],
        leave_barred=True,
    )


def _bulk(claim: Claim, client: str, act: dict[str, Any]) -> ActResult:
    bulk = act["bulk"]
    params = parse_qs(bulk["query"])
    project = context.current_project()
    query = query_of(
        params, run_id=_run_in(params), classes=project.classes.names, former=project.classes.former_names
    )
    queue = context.open_view(query)
    return apply_bulk(
        queue,
        project.decisions,
        bulk["choice"],
        label=bulk.get("label"),
        expected_n=bulk["expected_n"],
        annotator=claim.annotator,
        now=context.now(),
        shown_in=str(act.get("queue", "")),
        client_id=client,
        client_seq=act["seq"],
        hidden=hidden_in(project, queue, claim.annotator),
    )


def _run_in(params: dict[str, list[str]]) -> str:
    if not params.get("run"):
        raise DecisionError("Nothing was applied: the query of a bulk act must name its run.")
    return params["run"][0]


def _result(seq: int, result: ActResult, error: str = "") -> dict[str, Any]:
    return {
        "seq": seq,
        "n_changed": result.n_changed,
        "n_already": result.n_already,
        "n_refused": result.n_refused,
        "reason": result.reason,
        "conflicts": _texts(result),
        "n_conflicts": len(result.conflicts),
        "error": error,
    }


def _texts(result: ActResult) -> list[str]:
    return [str(conflict) for conflict in result.conflicts[:MAX_CONFLICTS]]


def _step_answer(claim: Claim, result: ActResult | None, *, nothing: str, done: str) -> Response:
    if result is None:
        answer = {"message": nothing, "conflicts": [], "n_conflicts": 0, "n_changed": 0}
        return JSONResponse(answer | _after(claim, []))
    items = "1 item" if result.n_changed == 1 else f"{result.n_changed:,} items"
    answer = {
        "message": " ".join([f"{done}: {items}.", *_texts(result)]),
        "conflicts": _texts(result),
        "n_conflicts": len(result.conflicts),
        "n_changed": result.n_changed,
    }
    touched = context.current_project().decisions.items_of_act(result.act, at_most=MAX_STATES)
    return JSONResponse(answer | _after(claim, touched))


def _after(claim: Claim, item_ids: list[str]) -> dict[str, Any]:
    """The committed states of items, how far the log is, and what can be undone."""
    store = context.current_project().decisions
    outlook, states = store.outlook_on(claim.annotator, item_ids[:MAX_STATES])
    return {"states": states_json(states), **asdict(outlook)}
