"""The start of a quick round from the review screen."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import context
from app.tokens import Claim
from curation.jobs import start_quick_round


def quick_round(_request: Request, _claim: Claim, _body: Any) -> Response:
    """POST /api/quick_round: start to rank everything anew with the decisions so far; the answer comes at once."""
    job = start_quick_round(context.current_project(), now=context.now())
    return JSONResponse({"job": job.job_id})
