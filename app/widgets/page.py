"""How every page begins, and what it says when there is nothing to show yet."""

import re
from typing import Literal

import streamlit as st

GAP = "\u2009"
EM_DASH = "–"
NO_BREAK = "\u00a0"


def heading(title: str, sentence: str) -> None:
    """The page's title and one sentence on what it is for."""
    st.title(title, anchor=False)
    st.caption(sentence)


def empty_state(text: str, *, page: str, action: str, icon: str) -> None:
    """Say what is missing and lead to the page that makes it."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown(f"**{escape(text)}**", text_alignment="center")
        if st.button(action, icon=icon, type="primary"):
            st.switch_page(f"views/{page}.py")
        st.space("small")


def escape(text: str) -> str:
    """Text from data, to be shown inside Markdown as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()#+-.!|<>~:$&" else char for char in text)


def prose(text: str) -> str:
    """Sentences of the library for Markdown: names that they mark as `code` are quoted, all else is shown as it is.

    >>> print(prose("No cap on `cat` is recommended"))
    No cap on “cat” is recommended
    """
    return escape(re.sub("`([^`]*)`", "“\\1”", text))


def interval_text(low: float, high: float) -> str:
    """A 95 % interval of a share, "–" where there is nothing to estimate from.

    >>> interval_text(0.5, 0.75)
    '0.50 – 0.75'
    """
    if low != low or high != high:
        return EM_DASH
    return f"{low:.2f} – {high:.2f}"


def estimate_metric(label: str, value: float, low: float, high: float, *, help_text: str) -> None:
    """One number with its 95 % interval."""
    shown = EM_DASH if value != value else f"{value:.3f}"
    st.metric(label, shown, help=help_text)
    st.caption(f"95 % interval {interval_text(low, high).replace(' ', NO_BREAK)}")


MAX_ROWS_SHOWN = 13


def table_height(n_rows: int) -> int | Literal["content"]:
    """The height of a table: as high as its rows, up to a bound from which it scrolls."""
    return "content" if n_rows <= MAX_ROWS_SHOWN else 36 * MAX_ROWS_SHOWN


SPLIT_NAMES = {
    "train": "Train",
    "val": "Validation",
    "test": "Test (gold)",
    "unlabelled": "Unlabelled",
}
