"""What every route asks of a request before it is served, and how its errors are answered.

Every request carries a token that a page of this server signed for one project and one person. What changes something
must also come from a page of this server, and be small. Errors are answered as {"error": "what to do"}.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app import context
from app.tokens import Claim, TokenError, verify
from diagnostics.errors import RunGoneError, StorageError, WinnowError

MAX_BODY_BYTES = 4_000_000

Handler = Callable[[Request, Claim, Any], Response]


class RefusedError(Exception):
    """A request that is not served: its HTTP status, what to do, and what else the answer tells."""

    def __init__(self, status: int, text: str, **more: Any) -> None:
        super().__init__(text)
        self.status = status
        self.more = more


def guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The route of a handler: served in a thread, after the token, the origin and the size of the body were checked."""

    async def endpoint(request: Request) -> Response:
        try:
            claim = _claim(request)
            body = await _body(request) if request.method == "POST" else None
            response = await run_in_threadpool(handler, request, claim, body)
        except RefusedError as refused:
            return _error(refused.status, str(refused), **refused.more)
        except TokenError as error:
            return _error(401, str(error))
        except StorageError as error:
            return _error(503, str(error))
        except RunGoneError as error:
            return _error(410, str(error))
        except WinnowError as error:
            return _error(400, str(error))
        except UnicodeEncodeError:
            return _error(400, "A text in the request holds half a character (a lone surrogate). Remove it.")
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
    return json_of(data.decode("utf-8", errors="replace"))


def json_of(text: str) -> Any:
    """A text read as JSON; refused if it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise RefusedError(400, f"Not readable as JSON: {error}.") from error


def _error(status: int, text: str, **more: Any) -> JSONResponse:
    plain = text.encode("utf-8", errors="replace").decode("utf-8")
    return JSONResponse({"error": plain, **more}, status_code=status, headers={"Cache-Control": "no-store"})


def required(request: Request, name: str) -> str:
    """A parameter that must be there."""
    value = request.query_params.get(name, "")
    if not value:
        raise RefusedError(400, f"The request must say {name}.")
    return value


def whole(request: Request, name: str, default: int, *, low: int = 1) -> int:
    """A parameter that is a whole number of at least `low`."""
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or int(text) < low:
        raise RefusedError(400, f"{name} must be a whole number of at least {low}, found {text!r}.")
    return int(text)


def ids_in(request: Request, *, at_most: int) -> list[str]:
    """The item ids that a request names as a JSON list."""
    ids = json_of(required(request, "ids"))
    if not isinstance(ids, list) or len(ids) > at_most or not all(isinstance(one, str) for one in ids):
        raise RefusedError(400, f"ids must be a JSON list of at most {at_most} item ids.")
    return ids
