"""The web process: Streamlit and the routes of the label grid, served together by one ASGI server."""

import gc
import importlib
import os
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from app import context
from app.base_path import as_base_path, base_path
from app.bundled_assets import BundledAssets
from app.main import PAGES
from app.routes import make_routes
from app.theme import theme_options
from app.widgets.items import prepare_items
from curation.queues import QueueQuery
from diagnostics.errors import WinnowError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_PAGE = "data"
FIRST_PAGE = 60
MAIN_SCRIPT = Path(__file__).with_name("main.py")


def serve(
    project_folder: Path,
    *,
    port: int = 8501,
    address: str = "127.0.0.1",
    open_page: str = DEFAULT_PAGE,
    headless: bool = True,
    below: str | None = None,
) -> None:
    """Serve the app for one project until it is stopped; `headless` = do not open a browser.

    below : the path that it is served below; None = that of Streamlit's settings, which is usually none
    open_page : data, train, performance, review, rounds or export
    """
    os.environ[context.PROJECT_VARIABLE] = str(project_folder.resolve())
    context.current_project()
    for page, *_ in PAGES:
        importlib.import_module(f"app.views.{page}")
    warm_up()
    path = "" if open_page == DEFAULT_PAGE else open_page
    host = "localhost" if address in LOOPBACK else address
    base = base_path() if below is None else as_base_path(below)
    app = make_app(f"http://{host}:{port}{base}/{path}", base=base, open_browser=not headless)
    app.run(config=server_options(port=port, address=address, base=base))


def make_app(url: str, *, base: str = "", open_browser: bool) -> st.App:
    """The ASGI application; the project comes from the environment. `url` is printed once it serves.

    base : the path that it is served below, see `app.base_path`
    """
    return st.App(
        MAIN_SCRIPT,
        routes=make_routes(base),
        middleware=[Middleware(BundledAssets, base=base)],
        lifespan=_lifespan(url, open_browser),
    )


def server_options(*, port: int, address: str, base: str = "") -> dict[str, object]:
    """Every Streamlit option that the app relies on."""
    options: dict[str, object] = {
        "server.port": port,
        "server.address": address,
        "server.baseUrlPath": base.strip("/"),
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.enableStaticServing": False,
        "browser.gatherUsageStats": False,
        "browser.serverAddress": "localhost" if address in LOOPBACK else address,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "full",
        "client.showSidebarNavigation": True,
        "logger.hideWelcomeMessage": True,
        "runner.postScriptGC": False,
        "runner.magicEnabled": False,
    }
    if address in LOOPBACK:
        options["server.allowedHosts"] = list(LOOPBACK)
    return options | theme_options()


def _lifespan(url: str, open_browser: bool):  # type: ignore[no-untyped-def]
    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[dict[str, object]]:
        freeze_imports()
        sys.stdout.write(f"Winnow is at {url} (Ctrl+C stops it)\n")
        sys.stdout.flush()
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        yield {}

    return lifespan


def warm_up() -> None:
    """Read what the first visit to Review needs, before anybody waits for it."""
    try:
        if (run_id := context.newest_run_id()) is None:
            return
        query = QueueQuery(run_id=run_id)
        mixed = context.open_view(query)
        queue = context.open_view(mixed.query_of_class(next(iter(mixed.open_suspects()), None)))
        prepare_items(queue.item_ids(0, FIRST_PAGE), run_id)
    except WinnowError:
        return  # the page that needs it says what is wrong


def freeze_imports() -> None:
    """Keep what the imports made out of every later garbage collection, which would hold up answers."""
    gc.collect()
    gc.freeze()
