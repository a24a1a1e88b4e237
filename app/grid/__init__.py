"""The label grid: one component without a build step, its modules served by the app's own routes."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import streamlit as st

from app.base_path import base_path

ASSETS = Path(__file__).parent
ASSETS_URL = "/winnow/grid"

_LOADER = """
export default async function (component) {
  const url = new URL(component.data.module, document.baseURI).href;
  const module = await import(url);
  return module.mount(component);
}
"""


@dataclass(frozen=True, slots=True)
class GridData:
    """What the grid needs to ask the routes for its pages.

    card : how items are shown, a kind of card that cards.js knows
    labels : how many of the classes an item has, a kind of label that labels.js knows
    view : names the queue and its frozen order; another value means page 1 of another queue
    query : the queue as the query string of /api/page
    by : the ranker
    annotator : who decides here
    subject : the class, or the two of a confused pair, that the queue is about; empty if it is mixed
    queue : what decisions made here are filed under
    next_class : the class that comes after this queue, "" if there is none
    locked : test items cannot be decided on
    empty_text : shown when the queue has no items
    """

    project: str
    token: str
    classes: Sequence[str]
    card: str
    labels: str
    view: str
    query: str
    by: str
    annotator: str
    subject: Sequence[str]
    queue: str
    next_class: str
    locked: bool
    empty_text: str


def label_grid(
    data: GridData,
    *,
    key: str,
    on_renew: Callable[[], None],
    on_next_class: Callable[[], None],
    on_show_run: Callable[[], None],
) -> None:
    """Draw the grid.

    on_renew : called when its token has run out, or the run of its queue is gone; drawing it again hands it new ones
    on_next_class : called when the person goes on from the last item
    on_show_run : called when the person wants the queue of the newest run, which was finished since this one was opened
    """
    base = base_path()
    values = asdict(data) | {"module": f"{base}{assets_url()}/grid.js", "api": f"{base}/api/"}
    _component()(
        key=key,
        data=values,
        on_renew_change=on_renew,
        on_next_class_change=on_next_class,
        on_show_run_change=on_show_run,
        height="content",
    )


@cache
def _component():  # type: ignore[no-untyped-def]
    return st.components.v2.component(
        "winnow_label_grid", js=_LOADER, css=(ASSETS / "grid.css").read_text(encoding="utf-8")
    )


@cache
def assets_url() -> str:
    """Where the modules are served, below the app's own path; the name changes with their content, so that browsers
    may keep them for good."""
    digest = hashlib.sha256()
    for path in sorted(ASSETS.glob("*.js")):
        digest.update(path.read_bytes())
    return f"{ASSETS_URL}/{digest.hexdigest()[:16]}"
