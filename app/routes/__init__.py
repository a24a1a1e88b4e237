"""The few routes beside Streamlit: what the label grid asks of this server, by subject a file."""

import os
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from app.grid import ASSETS, assets_url
from app.routes.cards import cards
from app.routes.codebook import codebook, codebook_change
from app.routes.decisions import bulk_preview, decisions, redo, undo
from app.routes.guard import MAX_BODY_BYTES, guarded
from app.routes.items import item, note
from app.routes.pages import changes, page
from app.routes.pictures import image, thumbs
from app.routes.quick_round import quick_round

__all__ = ["MAX_BODY_BYTES", "make_routes"]

GET = {
    "/api/page": page,
    "/api/changes": changes,
    "/api/bulk": bulk_preview,
    "/api/item": item,
    "/api/codebook": codebook,
    "/api/cards": cards,
    "/api/thumbs": thumbs,
    "/api/image": image,
}
POST = {
    "/api/decisions": decisions,
    "/api/undo": undo,
    "/api/redo": redo,
    "/api/note": note,
    "/api/quick_round": quick_round,
    "/api/codebook": codebook_change,
}


def make_routes(base: str = "") -> list[BaseRoute]:
    """The routes to serve beside Streamlit. base : the path that both are below, see `app.base_path`"""
    return [
        *(Route(base + path, guarded(handler), methods=["GET"]) for path, handler in GET.items()),
        *(Route(base + path, guarded(handler), methods=["POST"]) for path, handler in POST.items()),
        Route(f"{base}/data", _first_page, methods=["GET"]),
        Mount(base + assets_url(), _GridAssets(directory=ASSETS), name="grid"),
    ]


def _first_page(request: Request) -> Response:
    """The page Data is the first one, which Streamlit knows by no other address than that of the app."""
    return RedirectResponse(request.url.replace(path=request.url.path.removesuffix("data")))


class _GridAssets(StaticFiles):
    """The grid's modules and nothing else; their address changes with their content, so browsers keep them for good."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return super().lookup_path(path) if path.endswith(".js") else ("", None)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
