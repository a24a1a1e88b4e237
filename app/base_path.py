"""The path that the app is served below, where a proxy puts it beside other sites: Streamlit's `server.baseUrlPath`."""

import streamlit as st


def base_path() -> str:
    """With a slash before it and none after, "" for an app that has the whole address to itself."""
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""
