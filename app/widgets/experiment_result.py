"""A finished experiment as a card: the verdict first, then the figure, what is recommended, notes and numbers."""

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import context
from app.figures import (
    class_cap_figure,
    edits_figure,
    imbalance_figure,
    learning_curves_figure,
    saturation_figure,
    seeds_figure,
)
from app.widgets.experiment_options import option_title
from app.widgets.page import EM_DASH, escape, prose, table_height
from curation.experiments import (
    Experiment,
    ExperimentInfo,
    apply_action,
    is_applied,
    remove_experiment,
    undo_action,
)
from curation.project import Project
from diagnostics.errors import RunError
from diagnostics.experiments.frame import (
    CANNOT_TELL,
    FULL,
    MEASURED,
    NOT_RECOMMENDED,
    QUICK,
    RECOMMENDED,
    seconds_text,
)

FIGURES: dict[str, Callable[[pd.DataFrame], go.Figure]] = {
    "seeds": seeds_figure,
    "class-cap": class_cap_figure,
    "saturation": saturation_figure,
    "imbalance": imbalance_figure,
    "edits": edits_figure,
}
OF_BOTH_WAYS = ("saturation",)  # whole models judge some of the classes, heads all
ICONS = {
    RECOMMENDED: ":material/recommend:",
    NOT_RECOMMENDED: ":material/block:",
    CANNOT_TELL: ":material/help:",
    MEASURED: ":material/straighten:",
}
WAYS = {FULL: "whole models", QUICK: "heads on features"}


def experiment_card(project: Project, experiment: Experiment) -> None:
    """Draw it."""
    info = experiment.info
    with st.container(border=True):
        _head(project, info)
        st.markdown(f"**{prose(info.verdict)}** {prose(info.why)}")
        try:
            table = experiment.table
        except RunError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
        _figure(info, table)
        _action(project, info)
        if info.agreement:
            st.caption(prose(info.agreement))
        with st.expander("Numbers and notes", icon=":material/table:"):
            for note in info.notes:
                st.caption(prose(note))
            _table(table)


def unreadable_card(project: Project, experiment_id: str, problem: str) -> None:
    """Say what is wrong with one that cannot be read, and offer to remove it."""
    with st.container(border=True):
        left, right = st.columns([6, 1], vertical_alignment="center")
        left.error(f"**{escape(experiment_id)}**: {escape(problem)}", icon=":material/error:")
        _remove_button(right, project, experiment_id)


def _head(project: Project, info: ExperimentInfo) -> None:
    left, right = st.columns([6, 1], vertical_alignment="center")
    left.markdown(
        f"{ICONS[info.outcome]} {escape(info.title)} · {escape(info.experiment_id)}",
    )
    left.caption(
        f"Dataset version {info.dataset_version['number']} · {info.created_at:%Y-%m-%d %H:%M} UTC · took "
        f"{seconds_text(info.seconds)} · {escape(_options_text(info))}"
    )
    _remove_button(right, project, info.experiment_id)


def _remove_button(place: DeltaGenerator, project: Project, experiment_id: str) -> None:
    place.button(
        "Remove",
        key=f"remove_{experiment_id}",
        on_click=_remove,
        args=(project, experiment_id),
        help="Deletes this result. What it recommended and was applied stays.",
        width="stretch",
    )


def _options_text(info: ExperimentInfo) -> str:
    shown = {name: value for name, value in info.options.items() if value not in (None, [], ())}
    return " · ".join(f"{option_title(info.name, name)}: {_said(value)}" for name, value in shown.items())


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _figure(info: ExperimentInfo, table: pd.DataFrame) -> None:
    if info.name not in FIGURES:
        return
    has_whole = (table["way"] == FULL).any()
    if info.name in OF_BOTH_WAYS and has_whole:
        st.caption(f"Trained: {WAYS[QUICK]}, and {WAYS[FULL]} for some classes.")
        _chart(FIGURES[info.name](table), f"figure_{info.experiment_id}", info.title)
        st.caption("F1 with a part of the labels and with all of them.")
        _chart(
            learning_curves_figure(info.facts["curves"]), f"curves_{info.experiment_id}", "Learning curves"
        )
        return
    way = FULL if has_whole else QUICK
    st.caption(f"Trained: {WAYS[way]}.")
    _chart(FIGURES[info.name](table[table["way"] == way]), f"figure_{info.experiment_id}", info.title)


def _chart(figure: go.Figure, key: str, title: str) -> None:
    st.plotly_chart(figure, config={"displayModeBar": False}, key=key, alt=title)


def _action(project: Project, info: ExperimentInfo) -> None:
    if info.action is None:
        return
    applied = is_applied(project, info)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Undo: {prose(info.action.text)}" if applied else prose(info.action.text),
            key=f"action_{info.experiment_id}",
            icon=":material/undo:" if applied else ":material/check:",
            on_click=_undo if applied else _apply,
            args=(project, info.experiment_id),
        )
        if applied:
            st.caption("In force: the next training follows it.")


def _table(table: pd.DataFrame) -> None:
    empty = [name for name in table if table[name].isna().all()]
    shown = table.drop(columns=empty)
    config = {
        str(name): st.column_config.NumberColumn(str(name).replace("_", " "), format="%.3f")
        if shown[name].dtype.kind == "f" and "needed" not in str(name)
        else st.column_config.Column(str(name).replace("_", " "))
        for name in shown
    }
    st.dataframe(
        shown,
        hide_index=True,
        placeholder=EM_DASH,
        column_config=config,
        height=table_height(len(shown)),
    )


@context.telling
def _apply(project: Project, experiment_id: str) -> None:
    apply_action(project, experiment_id, annotator=context.annotator(), now=context.now())


@context.telling
def _undo(project: Project, experiment_id: str) -> None:
    undo_action(project, experiment_id, annotator=context.annotator(), now=context.now())


@context.telling
def _remove(project: Project, experiment_id: str) -> None:
    remove_experiment(project, experiment_id)
