"""Items drawn outside the grid, each by its kind of card; everything that comes from the data is escaped."""

import base64
import html
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from app import context
from curation.cards import card_kind, item_cards

N_SHOWN = 24
N_CELLS = 4


def item_html(item_ids: Sequence[str]) -> list[str]:
    """What each item looks like, as HTML; small, and without what a run says of it.

    raises : KeyError or DecisionError for an unknown item
    """
    return LOOKS[_kind()](item_ids)


def prepare_items(item_ids: Sequence[str], run_id: str) -> None:
    """Make what the grid will ask for to show these items of a run's queue: the first look at it is kept."""
    project = context.current_project()
    if card_kind(project).make is None:
        context.thumbnails(list(item_ids))
    else:
        item_cards(project, run_id, item_ids)


def grid_html(layout: str, parts: Sequence[str]) -> str:
    """Parts that hold items side by side, as wide as the items' kind of card needs. layout : a class of app.css"""
    return f'<div class="{layout} winnow-{_kind()}">{"".join(parts)}</div>'


def flip_strip(flips: pd.DataFrame, *, split: str) -> None:
    """The first items of a table of flips with their label and both predictions; each leads to Review.

    flips : columns item_id, label, predicted_before, predicted_after
    """
    if flips.empty:
        st.caption("None.")
        return
    shown = flips.head(N_SHOWN)
    looks = item_html(shown["item_id"].tolist())
    tiles = [_tile(flip, look, split) for flip, look in zip(shown.to_dict("records"), looks, strict=True)]
    st.html(grid_html("winnow-strip", tiles))
    if len(flips) > N_SHOWN:
        st.caption(f"The first {N_SHOWN} of {len(flips):,}.")


def _tile(flip: Mapping[Hashable, Any], look: str, split: str) -> str:
    given, before, after = (
        html.escape(str(flip[name])) for name in ("label", "predicted_before", "predicted_after")
    )
    link = html.escape("review?" + urlencode({"split": split, "search": str(flip["item_id"])}))
    return (
        f'<a href="{link}" target="_self">{look}'
        f'<p class="labels"><b>{given}</b><br>{before} → {after}</p></a>'
    )


def _kind() -> str:
    return card_kind(context.current_project()).name


def _pictures(item_ids: Sequence[str]) -> list[str]:
    sources = [base64.b64encode(jpeg).decode() for jpeg in context.thumbnails(list(item_ids))]
    return [
        f'<div class="picture"><img alt="" src="data:image/jpeg;base64,{source}"></div>' for source in sources
    ]


def _texts(item_ids: Sequence[str]) -> list[str]:
    cards: Sequence[Any] = item_cards(context.current_project(), None, item_ids)
    return [f'<div class="words"><p>{html.escape(card.text)}</p></div>' for card in cards]


def _rows(item_ids: Sequence[str]) -> list[str]:
    cards: Sequence[Any] = item_cards(context.current_project(), None, item_ids)
    return [f'<dl class="values">{"".join(map(_cell, card.cells[:N_CELLS]))}</dl>' for card in cards]


def _cell(cell: Any) -> str:
    value = "<i>missing</i>" if cell.value is None else html.escape(cell.value)
    return f"<dt>{html.escape(cell.name)}</dt><dd>{value}</dd>"


LOOKS: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "picture": _pictures,
    "text": _texts,
    "row": _rows,
}
