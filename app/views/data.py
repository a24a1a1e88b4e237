"""Data: what was taken in, and everything that was found to be wrong with it."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import context
from app.widgets.class_editor import class_editor
from app.widgets.content import content_section
from app.widgets.leaks import leak_section
from app.widgets.page import SPLIT_NAMES, escape, heading, table_height
from curation.dataset.checks import shown_names
from curation.dataset.findings import count_findings
from curation.leaks import read_leaks
from curation.project import Project
from diagnostics.task import SPLITS

SEVERITIES = {
    "set aside": ("Set aside", "not in the dataset until it is put right", ":material/block:"),
    "warning": ("Warnings", "in the dataset, worth a look", ":material/warning:"),
    "note": ("Notes", "for your information", ":material/info:"),
}
FINDING_COLUMNS = ["source", "row", "path", "message"]


def show() -> None:
    """The page."""
    project = context.current_project()
    heading(
        "Data", "What was taken in, split by split, and what is wrong with it. The source is never changed."
    )
    _totals(project)
    leaks = read_leaks(project)
    if not context.finished_runs() and st.button(
        "Train a first model",
        type="secondary" if leaks.n_in_training else "primary",
        icon=":material/model_training:",
    ):
        st.switch_page("views/train.py")
    leak_section(project, leaks)
    _findings(project)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Classes", anchor=False)
        class_editor(project)
    st.caption("Items by the label that the source gives them.")
    _class_table(project)
    content_section(project)
    st.subheader("How it was read", anchor=False)
    _how_it_was_read(project)


def _totals(project: Project) -> None:
    per_split = project.items["split"].value_counts()
    shown = [split for split in SPLITS if per_split.get(split, 0)]
    columns = st.columns(len(shown) + 1)
    for column, split in zip(columns, shown, strict=False):
        column.metric(SPLIT_NAMES[split], f"{per_split[split]:,}", border=True)
    columns[-1].metric("Classes", f"{len(project.task.classes):,}", border=True)


def _findings(project: Project) -> None:
    st.subheader("Findings", anchor=False)
    findings = project.findings
    counts = count_findings(findings, project.checks)
    silent = counts[counts["n"] == 0]
    if findings.empty:
        st.success(
            f"{len(silent)} checks were made on every item; none found anything.", icon=":material/check:"
        )
    for severity, (title, meaning, icon) in SEVERITIES.items():
        kinds = counts[(counts["severity"] == severity) & (counts["n"] > 0)]
        if not kinds.empty:
            st.markdown(f"{icon} **{title}: {kinds['n'].sum():,}** – {meaning}")
        for kind in kinds.to_dict("records"):
            _finding(kind, findings[findings["code"] == kind["code"]])
    with st.container(horizontal=True, vertical_alignment="center"):
        title = "Which checks" if findings.empty else f"{len(silent)} checks found nothing"
        with st.popover(title, icon=":material/check:", type="tertiary"):
            st.markdown("\n".join(f"- {escape(title)}" for title in silent["title"]))
        if not findings.empty:
            st.download_button(
                "Download all findings",
                findings.to_csv(index=False).encode(),
                file_name="findings.csv",
                mime="text/csv",
                icon=":material/download:",
                on_click="ignore",
            )


def _finding(kind: Mapping[Hashable, Any], rows: pd.DataFrame) -> None:
    with st.expander(f"{escape(str(kind['title']))} · {kind['n']:,}"):
        st.markdown(f"**What to do:** {escape(str(kind['remedy']))}")
        st.dataframe(
            rows.assign(path=shown_names(rows))[FINDING_COLUMNS],
            hide_index=True,
            height=table_height(len(rows)),
            column_config={
                "source": "Source",
                "row": st.column_config.NumberColumn("Row"),
                "path": "Item",
                "message": st.column_config.TextColumn("What was found", width="large"),
            },
        )


def _class_table(project: Project) -> None:
    counts = project.counts()
    splits = [split for split in SPLITS if counts[split].any()]
    config = st.column_config
    top = int(counts[splits].to_numpy().max(initial=1))
    columns: dict[str, Any] = {"label": config.TextColumn("Class")}
    for split in splits:
        columns[split] = config.ProgressColumn(
            SPLIT_NAMES[split], format="localized", min_value=0, max_value=top
        )
    st.dataframe(
        counts[["label", *splits]], hide_index=True, column_config=columns, height=table_height(len(counts))
    )


def _how_it_was_read(project: Project) -> None:
    lines = [
        f"- {escape(str(name))} column: {escape(str(value))}" for name, value in project.info.columns.items()
    ]
    if str(project.info.label_form):
        lines.append(f"- labels: {escape(str(project.info.label_form))}")
    if project.info.content:
        named = ", ".join(escape(name) for name in project.info.content)
        lines.append(f"- {project.modality.nouns} from: {named}")
    lines.append(f"- seed of the split: {project.info.seed}")
    lines.append(f"- fingerprint: `{project.info.fingerprint[:16]}`")
    st.markdown("\n".join(lines))


if __name__ == "__main__":
    show()
