"""Streamlit's own scripts, styles and fonts, served from memory.

A browser that opens a page for the first time asks for sixty of them; Streamlit reads each in a thread, after four
layers of middleware, and that is a fifth of the time until the page is there.
"""

import mimetypes
from functools import cache
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.file_util import get_static_dir

ADDRESS = "/static/"
FOR_GOOD = b"public, immutable, max-age=31536000"
SERVED = (".js", ".css", ".woff2")

Headers = list[tuple[bytes, bytes]]


class BundledAssets:
    """ASGI middleware that answers for the files below `static/`, whose names change with their content."""

    def __init__(self, app: ASGIApp, base: str = "") -> None:
        """base : the path that the app is served below"""
        self._app = app
        folder = Path(get_static_dir()) / "static"
        self._paths = {
            base + ADDRESS + path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.suffix in SERVED
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET for one of the files; hand on everything else."""
        path = (
            self._paths.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        )
        if path is None:
            await self._app(scope, receive, send)
            return
        headers, body = _read(path)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@cache
def _read(path: Path) -> tuple[Headers, bytes]:
    """The headers and the content of a file; kept, because it does not change while the app runs."""
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", FOR_GOOD),
        (b"x-content-type-options", b"nosniff"),
    ]
    return headers, body
