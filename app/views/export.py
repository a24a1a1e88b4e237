"""Export: the curated dataset as a CSV, the changes alone as a patch, and a manifest that says what they come from."""

from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from app import context
from app.widgets.page import heading
from curation.export import export_curated
from curation.project import Project

STATUS_TEXTS = {
    "kept": "as it came, or confirmed",
    "relabelled": "has another label",
    "added": "was unlabelled and got a label",
    "excluded": "bad or out of scope",
    "unsure": "ambiguous; keeps its label",
}
MIME = {".csv": "text/csv", ".json": "application/json"}


def show() -> None:
    """The page."""
    project = context.current_project()
    heading(
        "Export",
        "Every item with its current label and decision, in the order of the source. The source itself stays as it is.",
    )
    _preview(project)
    st.caption(
        "Three files: the curated table of all items (it opens as a new project), the changes alone as a patch that "
        "`winnow decide` replays, and a manifest of what they were made from."
    )
    if st.button("Prepare the files", type="primary", icon=":material/ios_share:"):
        _prepare(project)


def _preview(project: Project) -> None:
    statuses = project.decisions.state_table()["status"].value_counts()
    n_decided = int(statuses.sum())
    counts = {status: int(statuses.get(status, 0)) for status in STATUS_TEXTS}
    counts["kept"] += len(project.items) - n_decided
    for column, (status, text) in zip(st.columns(len(STATUS_TEXTS)), STATUS_TEXTS.items(), strict=True):
        with column.container(border=True, gap="xxsmall", height="stretch"):
            st.metric(status.capitalize(), f"{counts[status]:,}")
            st.caption(text)


def _prepare(project: Project) -> None:
    with TemporaryDirectory() as folder:
        written = export_curated(
            project,
            Path(folder) / "curated.csv",
            patch=Path(folder) / "changes.csv",
            run_id=context.current_run_id(),
        )
        files = {path.name: path.read_bytes() for path in written.paths}
    scores = (
        f"with the scores of {written.run_id}" if written.run_id else "without scores: there is no run yet"
    )
    st.success(f"{written.n_items:,} items, {scores}.", icon=":material/check:")
    with st.container(horizontal=True):
        for name, data in files.items():
            st.download_button(
                name,
                data,
                file_name=name,
                mime=MIME[Path(name).suffix],
                icon=":material/download:",
                on_click="ignore",
            )


if __name__ == "__main__":
    show()
