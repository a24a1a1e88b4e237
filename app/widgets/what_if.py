"""What the edits so far do to each class, as the quick round behind this queue estimates it."""

import pandas as pd
import streamlit as st

from app.widgets.jobs import running_job
from app.widgets.page import escape, table_height
from curation.project import Project
from curation.run_folders import read_run
from curation.what_if import read_what_if

MAX_NAMED = 3
EXPLANATION = (
    "F1 on the validation labels of now, of heads trained on the labels of the last full training and on those of now; "
    "the features are the same. Intervals are 95 % and hold the chance of the validation items; that the models could "
    "have come out differently is not in them. A full training can say something else."
)


def what_if_line(project: Project, run_id: str) -> None:
    """One line, with every class behind it; nothing for a full run.

    A quick round can be reviewed a moment before its estimate is there: the line then has its place already, so that
    the items below do not move under a reviewer's hands.
    """
    run = read_run(project, run_id)
    if run.info.quick is None:
        return
    table = read_what_if(run)
    if table is None and not _is_under_way(project, run_id):
        return
    text = f"Quick estimate: {'of each class, in a moment …' if table is None else what_if_text(table)}"
    with st.container(key="what_if", horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(text, width="content")
        if table is None or table.empty:
            return
        with st.popover("Each class", type="tertiary"):
            st.markdown(f"{text}\n\n{EXPLANATION}")
            _classes(table)


def _is_under_way(project: Project, run_id: str) -> bool:
    job = running_job(project)
    return job is not None and job.run_id == run_id


def what_if_text(table: pd.DataFrame) -> str:
    """In one sentence which classes the edits made better or worse, as far as that can be told.

    >>> columns = ["label", "f1_difference", "f1_difference_low", "f1_difference_high"]
    >>> what_if_text(pd.DataFrame([["boot", 0.06, 0.02, 0.10], ["hat", 0.01, -0.02, 0.04]], columns=columns))
    'with your edits, F1 on validation rises for 1 of 2 classes (boot +6 ± 4 points); for 1 it cannot be told.'
    """
    if table.empty:
        return "there is no labelled validation item, so what the edits change cannot be told."
    better = table[table["f1_difference_low"] > 0].sort_values("f1_difference", ascending=False)
    worse = table[table["f1_difference_high"] < 0].sort_values("f1_difference")
    parts = []
    for found, verb in ((better, "rises"), (worse, "falls")):
        if len(found):
            parts.append(f"{verb} for {len(found)} of {len(table)} classes ({_named(found)})")
    if not parts:
        return f"with your edits, no change of F1 on validation can be told for any of {len(table)} classes."
    n_open = len(table) - len(better) - len(worse)
    rest = f"; for {n_open} it cannot be told" if n_open else ""
    return f"with your edits, F1 on validation {' and '.join(parts)}{rest}."


def _named(found: pd.DataFrame) -> str:
    shown = [
        f"{escape(row['label'])} {100 * row['f1_difference']:+.0f} ± "
        f"{50 * (row['f1_difference_high'] - row['f1_difference_low']):.0f}"
        for row in found.head(MAX_NAMED).to_dict("records")
    ]
    more = ", …" if len(found) > MAX_NAMED else ""
    return f"{', '.join(shown)}{more} points"


def _classes(table: pd.DataFrame) -> None:
    config = st.column_config
    shown = table.sort_values("f1_difference", ascending=False)
    scores = [name for name in shown.columns if name.startswith("f1_")]
    shown[scores] = 100 * shown[scores]
    st.dataframe(
        shown,
        hide_index=True,
        height=table_height(len(shown)),
        column_config={
            "label": config.TextColumn("Class"),
            "f1_before": config.NumberColumn("F1 before (%)", format="%.1f"),
            "f1_after": config.NumberColumn("F1 after (%)", format="%.1f"),
            "f1_difference": config.NumberColumn("Difference (points)", format="%.1f"),
            "f1_difference_low": config.NumberColumn("from", format="%.1f"),
            "f1_difference_high": config.NumberColumn("to", format="%.1f"),
            "support": config.NumberColumn("Validation items"),
        },
    )
