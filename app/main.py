"""What Streamlit runs for every visitor: the pages, the sidebar, and the one place where known errors are shown."""

from pathlib import Path

import streamlit as st

from app import context
from app.widgets.page import escape
from app.widgets.sidebar import sidebar
from diagnostics.errors import WinnowError

PAGES = (
    ("data", "Data", ":material/database:"),
    ("train", "Train", ":material/model_training:"),
    ("performance", "Performance", ":material/monitoring:"),
    ("review", "Review", ":material/grid_view:"),
    ("rounds", "Rounds", ":material/history:"),
    ("experiments", "Experiments", ":material/science:"),
    ("export", "Export", ":material/ios_share:"),
)


REVIEW = "review"
SIDEBAR_PX = 236
STATIC = Path(__file__).parent / "static"
WORDMARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 28" width="120" height="28">'
    '<g fill="#2a8a96"><circle cx="6" cy="9" r="3"/><circle cx="14" cy="15" r="3"/><circle cx="6" cy="20" r="2"/>'
    '<text x="24" y="21" font-family="sans-serif" font-size="20" '
    'font-weight="700">Winnow</text></g></svg>'
)


def main() -> None:
    """Draw the sidebar and the chosen page."""
    st.set_page_config(
        page_title="Winnow",
        page_icon=str(STATIC / "icon.png"),
        layout="wide",
        initial_sidebar_state=SIDEBAR_PX,
    )
    st.html(STATIC / "app.css")
    if st.context.theme.type == "dark":
        st.html(STATIC / "dark.css")
    st.logo(WORDMARK, size="large")
    pages = [
        st.Page(f"views/{name}.py", title=title, icon=icon, url_path=name, default=name == "data")
        for name, title, icon in PAGES
    ]
    page = st.navigation(pages)
    if page.url_path != REVIEW:
        context.leave_review()
    if problem := context.take_problem():
        st.error(escape(problem), icon=":material/error:")
    try:
        for became in context.forget_lost_runs():
            instead = "The newest run is shown instead." if context.finished_runs() else "There is no other."
            st.info(f"{escape(became)} {instead}", icon=":material/history:")
        sidebar(context.current_project())
        page.run()
    except WinnowError as error:
        st.error(escape(str(error)), icon=":material/error:")


if __name__ == "__main__":
    main()
