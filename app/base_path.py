"""The path that the app is served below, where a proxy puts it beside other sites: Streamlit's `server.baseUrlPath`."""

import streamlit as st


def as_base_path(path: str) -> str:
    """With a slash before it and none after; "" for an app that has the whole address to itself.

    >>> as_base_path("labels/cats/"), as_base_path("/")
    ('/labels/cats', '')
    """
    bare = path.strip("/")
    return f"/{bare}" if bare else ""


def base_path() -> str:
    """That of the app that is being served, or of Streamlit's settings before it is."""
    return as_base_path(str(st.get_option("server.baseUrlPath") or ""))
