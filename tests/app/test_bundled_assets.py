"""Streamlit's own files are answered from memory, and nothing else is."""

import asyncio
from pathlib import Path

import httpx
import pytest
from streamlit.file_util import get_static_dir

from app.bundled_assets import BundledAssets

FOLDER = Path(get_static_dir()) / "static"


async def handed_on(scope, receive, send):
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"handed on"})


def answer(path: str, method: str = "GET", base: str = "") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=BundledAssets(handed_on, base))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


@pytest.mark.parametrize(("suffix", "kind"), [("js", "javascript"), ("css", "text/css"), ("woff2", "font")])
def test_a_file_is_answered_whole_and_kept_for_good(suffix, kind):
    path = next(FOLDER.rglob(f"*.{suffix}"))
    address = f"/static/{path.relative_to(FOLDER).as_posix()}"
    response = answer(address)
    assert answer(f"/labels{address}", base="/labels").content == response.content
    assert answer(address, base="/labels").status_code == 299
    assert response.status_code == 200
    assert response.content == path.read_bytes()
    assert kind in response.headers["content-type"]
    assert "immutable" in response.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["/", "/static/", "/static/index.html", "/static/../index.html", "/static/js/none.js", "/api/page"],
)
def test_everything_else_is_handed_on(path):
    assert answer(path).status_code == 299


def test_only_asking_is_answered():
    path = next(FOLDER.rglob("*.js"))
    assert answer(f"/static/{path.relative_to(FOLDER).as_posix()}", "POST").status_code == 299
