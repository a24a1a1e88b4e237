"""Rounds: what was decided in each, close the open one, and what a run on the corrected data changed."""

from typing import Any

import pandas as pd
import streamlit as st

from app import context
from app.figures import METRIC_NAMES, class_difference_figure
from app.widgets.agreement import agreement_section
from app.widgets.page import EM_DASH, SPLIT_NAMES, empty_state, heading, interval_text, table_height
from app.widgets.pictures import flip_strip
from curation.project import Project
from curation.reports import RunComparison, compare_runs
from curation.rounds import close_round, current_round, rounds_table
from diagnostics.compare import BROKEN, FIXED, STILL_WRONG
from diagnostics.run_folder import RunInfo

CHANGES = {FIXED: "Fixed", BROKEN: "Broken", STILL_WRONG: "Still wrong"}


def show() -> None:
    """The page."""
    project = context.current_project()
    heading(
        "Rounds",
        "A round collects decisions. Closing it fixes a dataset version, the next run trains on it, and this page "
        "shows what that changed.",
    )
    _close(project)
    _rounds(project)
    runs = context.finished_runs()
    st.subheader("Before and after", anchor=False)
    if len(runs) < 2:
        empty_state(
            "A comparison needs two finished runs; there is one."
            if runs
            else "There is no finished run yet.",
            page="train",
            action="Go to Train",
            icon=":material/model_training:",
        )
        return
    _comparison(project, runs)
    agreement_section(project)


def _close(project: Project) -> None:
    n_decisions = context.n_open_decisions()
    st.button(
        f"Close round {current_round(project).number}",
        type="primary",
        icon=":material/task_alt:",
        on_click=_close_round,
        args=(project,),
        disabled=n_decisions == 0,
        help="Fixes the decisions made so far as the next dataset version.",
    )
    if n_decisions == 0:
        st.caption("Nothing was decided in the open round yet: go through a queue in Review first.")


@context.telling
def _close_round(project: Project) -> None:
    closed = close_round(project, annotator=context.annotator(), now=context.now())
    st.toast(f"Round {closed.number} is closed. The next run trains on dataset version {closed.number}.")


def _rounds(project: Project) -> None:
    table = rounds_table(project)
    verdicts = _standing_verdicts(project, table["round"])
    config = st.column_config
    st.dataframe(
        pd.concat([table.assign(closed=_closed_texts(table["closed"])), verdicts], axis=1),
        hide_index=True,
        placeholder=EM_DASH,
        column_order=["round", "version", "opened", "closed", "decisions", *verdicts.columns, "runs"],
        column_config={
            "round": config.NumberColumn("Round"),
            "version": config.NumberColumn(
                "Starts from version", help="Closing round n fixes dataset version n."
            ),
            "opened": config.DatetimeColumn("Opened (UTC)", format="YYYY-MM-DD HH:mm"),
            "closed": config.TextColumn("Closed (UTC)"),
            "decisions": config.NumberColumn("Decisions"),
            "runs": config.TextColumn("Runs on that version"),
        },
    )


def _standing_verdicts(project: Project, numbers: pd.Series) -> pd.DataFrame:
    """How often each verdict stands from each round; a column a verdict that occurs, named in words."""
    states = project.decisions.state_table()
    counts = states.groupby(["round", "verdict"]).size().unstack(fill_value=0)
    counts = counts.reindex(numbers, fill_value=0).reset_index(drop=True)
    return counts.rename(columns=lambda verdict: verdict.replace("_", " ").capitalize()).rename_axis(
        columns=None
    )


def _closed_texts(closed: pd.Series) -> pd.Series:
    texts: pd.Series = closed.dt.strftime("%Y-%m-%d %H:%M").fillna("open")
    return texts


def _comparison(project: Project, runs: list[RunInfo]) -> None:
    ids = [info.run_id for info in runs]
    versions = {info.run_id: f"{info.run_id} · version {info.dataset_version['number']}" for info in runs}
    before_column, after_column, split_column = st.columns([1, 1, 1.4], vertical_alignment="bottom")
    after = after_column.selectbox("After", ids[:-1], format_func=versions.__getitem__)
    earlier = ids[ids.index(after) + 1 :]
    before = before_column.selectbox("Before", earlier, format_func=versions.__getitem__)
    split = split_column.segmented_control(
        "Measured on",
        ["val", "test", "train"],
        format_func=SPLIT_NAMES.__getitem__,
        default="val",
        required=True,
    )
    found = compare_runs(project, str(split), before, after)
    if found.in_sample:
        st.warning("In sample: at least one run predicts items it was trained on.", icon=":material/warning:")
    _totals(found)
    st.caption(
        f"Both runs on the same {found.comparison.after.n_items:,} items, against the labels of dataset version "
        f"{found.version}. One run each: nothing here says yet whether a difference is more than chance. Where the "
        "intervals overlap widely, it may well be."
    )
    _class_table(found)
    metric = st.segmented_control(
        "Metric",
        list(METRIC_NAMES),
        format_func=METRIC_NAMES.__getitem__,
        default="f1",
        required=True,
        label_visibility="collapsed",
    )
    figure = class_difference_figure(found.comparison.classes, str(metric))
    st.plotly_chart(
        figure, config={"displayModeBar": False}, key="differences", alt="Before and after, class by class"
    )
    _flips(found)


def _totals(found: RunComparison) -> None:
    comparison = found.comparison
    pairs = (
        ("Accuracy", comparison.before.accuracy, comparison.after.accuracy, comparison.accuracy_difference),
        ("Macro F1", comparison.before.macro_f1, comparison.after.macro_f1, comparison.macro_f1_difference),
    )
    columns = st.columns(4)
    for column, (title, before, after, difference) in zip(columns, pairs, strict=False):
        with column.container(border=True, gap="xxsmall", height="stretch"):
            st.metric(title, f"{after.value:.3f}", delta=f"{difference:+.3f}", delta_color="off")
            st.caption(
                f"before {before.value:.3f} ({interval_text(before.low, before.high)})  \n"
                f"after {after.value:.3f} ({interval_text(after.low, after.high)})"
            )
    for column, change in zip(columns[2:], (FIXED, BROKEN), strict=True):
        with column.container(border=True, gap="xxsmall", height="stretch"):
            st.metric(CHANGES[change], f"{comparison.n_flips(change):,}")
            st.caption("wrong before, right after" if change == FIXED else "right before, wrong after")


def _class_table(found: RunComparison) -> None:
    classes = found.comparison.classes.sort_values("f1_difference", ascending=False, na_position="last")
    shown: dict[str, Any] = {"label": classes["label"], "support": classes["support"]}
    for metric in METRIC_NAMES:
        shown[metric] = [
            f"{before:.2f} → {after:.2f}" if before == before and after == after else EM_DASH
            for before, after in zip(classes[f"{metric}_before"], classes[f"{metric}_after"], strict=True)
        ]
        shown[f"{metric}_difference"] = classes[f"{metric}_difference"]
    config = st.column_config
    columns: dict[str, Any] = {
        "label": config.TextColumn("Class"),
        "support": config.NumberColumn("Items"),
    }
    for metric, title in METRIC_NAMES.items():
        columns[metric] = config.TextColumn(title)
        columns[f"{metric}_difference"] = config.NumberColumn(
            "±", format="%+.3f", help=f"{title}, after minus before."
        )
    st.dataframe(
        pd.DataFrame(shown),
        hide_index=True,
        placeholder=EM_DASH,
        column_config=columns,
        height=table_height(len(classes)),
    )


def _flips(found: RunComparison) -> None:
    st.subheader("Items whose prediction changed", anchor=False)
    flips = found.comparison.flips
    if flips.empty:
        st.caption("Both runs predict the same class for every item.")
        return
    names = {change: f"{name} ({found.comparison.n_flips(change):,})" for change, name in CHANGES.items()}
    change = st.segmented_control(
        "Change",
        list(CHANGES),
        format_func=names.__getitem__,
        default=FIXED,
        required=True,
        label_visibility="collapsed",
    )
    flip_strip(flips[flips["change"] == change], split=found.split)


if __name__ == "__main__":
    show()
