"""A few items as pictures outside the grid."""

import base64
import html
from collections.abc import Hashable, Mapping
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from app import context

N_SHOWN = 24


def flip_strip(flips: pd.DataFrame, *, split: str) -> None:
    """The first items of a table of flips with their label and both predictions; each leads to Review.

    flips : columns item_id, label, predicted_before, predicted_after
    """
    if flips.empty:
        st.caption("None.")
        return
    shown = flips.head(N_SHOWN)
    jpegs = context.thumbnails(shown["item_id"].tolist())
    tiles = [_tile(flip, jpeg, split) for flip, jpeg in zip(shown.to_dict("records"), jpegs, strict=True)]
    st.html(f'<div class="winnow-strip">{"".join(tiles)}</div>')
    if len(flips) > N_SHOWN:
        st.caption(f"The first {N_SHOWN} of {len(flips):,}.")


def _tile(flip: Mapping[Hashable, Any], jpeg: bytes, split: str) -> str:
    """One item as HTML; everything that comes from the data is escaped."""
    given, before, after = (
        html.escape(str(flip[name])) for name in ("label", "predicted_before", "predicted_after")
    )
    link = html.escape("review?" + urlencode({"split": split, "search": str(flip["item_id"])}))
    source = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    return (
        f'<a href="{link}" target="_self"><div class="picture"><img alt="" src="{source}"></div>'
        f"<p><b>{given}</b><br>{before} → {after}</p></a>"
    )
