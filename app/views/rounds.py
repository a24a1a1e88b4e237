"""Rounds: what was decided in each, close the open one, and what a run on the corrected data changed."""

import pandas as pd
import streamlit as st

from app import context
from app.widgets.agreement import agreement_section, alarm_box
from app.widgets.comparison import CHANGES, class_differences, verdict_box, whole_cards
from app.widgets.edit_groups import edit_groups
from app.widgets.items import flip_strip
from app.widgets.page import EM_DASH, SPLIT_NAMES, empty_state, heading
from app.widgets.test_looks import TEST, looks_line, note_picked_test
from curation.project import Project
from curation.reports import RunComparison, compare_runs, run_after, run_before
from curation.rounds import close_round, current_round, rounds_table
from diagnostics.compare import FIXED
from diagnostics.run_folder import RunInfo


def show() -> None:
    """The page."""
    project = context.current_project()
    heading(
        "Rounds",
        "A round collects decisions. Closing it fixes a dataset version, the next run trains on it, and this page "
        "shows what that changed.",
    )
    alarm_box()
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
    else:
        _comparison(project, runs)
        agreement_section(project)
    edit_groups(project)


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
            "version": config.NumberColumn("From version", help="Closing round n fixes dataset version n."),
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
    versions = {info.run_id: f"{info.name} · version {info.dataset_version['number']}" for info in runs}
    before_column, after_column, split_column = st.columns([1, 1, 1.4], vertical_alignment="bottom")
    newest = run_after(project)
    after = after_column.selectbox(
        "After",
        ids[:-1],
        index=ids.index(newest) if newest in ids[:-1] else 0,
        format_func=versions.__getitem__,
    )
    earlier = ids[ids.index(after) + 1 :]
    before = before_column.selectbox(
        "Before",
        earlier,
        index=earlier.index(run_before(project, runs[ids.index(after)])),
        format_func=versions.__getitem__,
        help="Runs that differ from the one chosen in the seed alone are averaged with it.",
    )
    key = f"rounds_split_{before}_{after}"
    split = split_column.segmented_control(
        "Measured on",
        ["val", "test", "train"],
        format_func=SPLIT_NAMES.__getitem__,
        default="val",
        required=True,
        key=key,
        on_change=note_picked_test,
        args=(key, (before, after), "rounds"),
    )
    found = compare_runs(project, str(split), before, after)
    if split == TEST:
        looks_line(project)
    verdict_box(found.comparison)
    if found.in_sample:
        st.warning("In sample: at least one run predicts items it was trained on.", icon=":material/warning:")
    whole_cards(found.comparison)
    st.caption(
        f"{found.comparison.n_items:,} items that both sides predicted. "
        + " ".join((found.ruler_text, found.comparison.noise.text, *found.notes))
    )
    class_differences(found.comparison)
    _flips(found)


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
