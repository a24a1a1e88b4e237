"""Leaks between splits: how many there are and what they mean, the pairs side by side, and leaving them out."""

import html
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import context
from app.widgets.items import grid_html, item_html
from app.widgets.page import SPLIT_NAMES, table_height
from curation.leaks import LeakReport, leave_out, take_back
from curation.project import Project

N_SHOWN = 24
PAIR_KEY = "leaks_pair"
KIND_NAMES = {
    "exact": "Same {noun}",
    "near": "Nearly the same {noun}",
    "mirrored": "Nearly the mirror image",
    "group": "Same group",
}


def leak_section(project: Project, report: LeakReport) -> None:
    """Draw it."""
    noun, nouns = project.modality.noun, project.modality.nouns
    st.subheader("Leaks between splits", anchor=False)
    if not report.near_looked_for:
        st.info(
            f"Nearly the same {nouns} were not looked for: this project was made by an older Winnow. Equal files are "
            "listed. A new project from the same data looks for both.",
            icon=":material/help:",
        )
    if report.pairs.empty:
        looked = "No two splits share" if report.near_looked_for else "Equal files: no two splits share"
        st.success(
            f"{looked} any {noun} or group: none found among {report.n_items:,} items.",
            icon=":material/check:",
        )
        return
    _action(project, report)
    kinds = {kind: name.format(noun=noun) for kind, name in KIND_NAMES.items()}
    _counts(report.counts, kinds)
    _pairs(report, kinds)


def _action(project: Project, report: LeakReport) -> None:
    n_in, n_out = report.n_in_training, report.n_left_out
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if n_in:
            belong = "item belongs" if n_in == 1 else "items belong"
            st.markdown(
                f":material/warning: **{n_in:,} training {belong} with validation or test items.** These look better "
                "than they are, until the training copies are left out."
            )
            st.button(
                "Leave the training copies out of training",
                key="leaks_leave_out",
                type="primary",
                icon=":material/content_cut:",
                on_click=_leave_out,
                args=(project,),
            )
        elif n_out:
            st.markdown(
                f":material/check: **{n_out:,} training {'copy is' if n_out == 1 else 'copies are'} left out of "
                "training.** Validation and test items stay as they are."
            )
        else:
            st.markdown(":material/check: **Nothing that leaks is trained on.**")
        if n_out:
            st.button(
                f"Take {n_out:,} back in",
                key="leaks_take_back",
                icon=":material/undo:",
                on_click=_take_back,
                args=(project,),
            )
    if report.n_waiting:
        st.caption(
            f"{report.n_waiting:,} of them are still in the newest dataset version: a full training leaves them out "
            "once the open round is closed (Rounds). A quick round does at once."
        )


def _counts(counts: pd.DataFrame, kinds: Mapping[str, str]) -> None:
    pairs = [_between(row) for row in counts.to_dict("records")]
    shown = counts.assign(kind=counts["kind"].map(kinds), between=pairs)
    config = st.column_config
    st.dataframe(
        shown[["between", "kind", "n_items", "n_in_training"]],
        hide_index=True,
        height=table_height(len(shown)),
        column_config={
            "between": "Splits",
            "kind": "What they share",
            "n_items": config.NumberColumn("Items", help="Of the split that is named first."),
            "n_in_training": config.NumberColumn("Trained on", help="As decided now."),
        },
    )


def _pairs(report: LeakReport, kinds: Mapping[str, str]) -> None:
    """The pairs of two splits at a time, the most alike first, and what they mean."""
    pairs = report.pairs
    between = pairs.apply(_between, axis=1)
    counts = between.value_counts(sort=False)
    picked = st.segmented_control(
        "Pairs",
        list(counts.index),
        default=counts.index[0],
        format_func=lambda name: f"{name} ({counts[name]:,})",
        key=PAIR_KEY,
        label_visibility="collapsed",
    )
    chosen = pairs[between == (picked or counts.index[0])]
    splits = chosen[["split", "other_split"]].iloc[0].tolist()
    st.caption(report.meaning(*splits))
    shown = chosen.head(N_SHOWN)
    looks = item_html([*shown["item_id"], *shown["other_id"]])
    rows = zip(shown.to_dict("records"), looks[: len(shown)], looks[len(shown) :], strict=True)
    st.html(grid_html("winnow-pairs", [_pair(*row, kinds) for row in rows]))
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(chosen) > N_SHOWN:
            st.caption(f"The first {N_SHOWN} of {len(chosen):,} pairs.", width="content")
        st.download_button(
            "Download all pairs",
            pairs.to_csv(index=False).encode(),
            file_name="leaks.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _between(row: Mapping[Hashable, Any]) -> str:
    return f"{SPLIT_NAMES[row['split']]} ↔ {SPLIT_NAMES[row['other_split']]}"


def _pair(row: Mapping[Hashable, Any], look: str, other_look: str, kinds: Mapping[str, str]) -> str:
    """Two items as HTML; everything that comes from the data is escaped."""
    sides = (
        (row["item_id"], row["split"], look),
        (row["other_id"], row["other_split"], other_look),
    )
    figures = "".join(_side(*side) for side in sides)
    alike = row["likeness"]
    text = kinds[row["kind"]] + (f" {row['group']}" if row["kind"] == "group" else "")
    text += f" · alike to {alike:.3f}" if row["kind"] in ("near", "mirrored") else ""
    state = "left out of training" if row["left_out"] else "trained on" if row["in_training"] else ""
    badge = f"<span>{state}</span>" if state else ""
    return f'<div class="pair"><div class="sides">{figures}</div><p>{html.escape(text)} {badge}</p></div>'


def _side(item_id: str, split: str, look: str) -> str:
    name = html.escape(item_id)
    return f"<figure>{look}<figcaption><b>{SPLIT_NAMES[split]}</b><br>{name}</figcaption></figure>"


@context.telling
def _leave_out(project: Project) -> None:
    result = leave_out(project, annotator=context.annotator(), now=context.now())
    st.toast(f"{result.n_changed:,} items are left out of the next dataset version.")


@context.telling
def _take_back(project: Project) -> None:
    st.toast(f"{take_back(project, now=context.now()):,} items can be trained on again.")
