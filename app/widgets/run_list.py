"""The finished runs as a table; the one that is picked in it can be kept, or removed."""

import pandas as pd
import streamlit as st

from app import context
from app.widgets.jobs import duration_text
from app.widgets.page import EM_DASH, escape, table_height
from curation.project import Project
from curation.run_folders import broken_runs
from curation.run_removal import N_NEWEST, keep_run, kept_runs, plan_removal, remove_run
from diagnostics.run_folder import RunInfo

TABLE_KEY = "runs_table"
MODEL_PX, KEPT_PX = 130, 50


def run_list(project: Project) -> None:
    """Draw it, with the runs that cannot be read; nothing if there are none."""
    runs, broken, kept = context.finished_runs(), broken_runs(project), kept_runs(project)
    if runs or broken:
        st.subheader("Runs", anchor=False)
    for found in broken:
        st.warning(escape(str(found)), icon=":material/warning:")
        _removal(project, found.run_id)
    if not runs:
        return
    picked = _table(runs, kept)
    st.caption(
        f"Quick runs are deleted by themselves once {N_NEWEST} newer ones are there; those that you keep stay. Pick a "
        "run in the table to keep or remove it."
    )
    if picked is not None:
        st.caption(escape(f"{picked.name}: {_model_in_full(picked)}, on {picked.device}."))
        _actions(project, picked.run_id, is_kept=picked.run_id in kept)


def _table(runs: list[RunInfo], kept: frozenset[str]) -> RunInfo | None:
    """Draw the runs, with what fits beside the sidebar of a small screen; returns the one that is picked."""
    rows = [
        {
            "run": info.run_id,
            "finished": info.finished_at,
            "version": info.dataset_version["number"],
            "model": _model(info),
            "predictions": _predicted_by(info),
            "items": info.n_train,
            "took": duration_text(info.seconds),
            "kept": "kept" if info.run_id in kept else None,
        }
        for info in runs
    ]
    config = st.column_config
    event = st.dataframe(
        pd.DataFrame(rows),
        key=f"{TABLE_KEY}_{runs[0].run_id}_{len(runs)}",  # what is picked is a place, which other runs make another's
        hide_index=True,
        placeholder=EM_DASH,
        height=table_height(len(rows)),
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "run": config.TextColumn("Run"),
            "finished": config.DatetimeColumn("Finished (UTC)", format="YYYY-MM-DD HH:mm"),
            "version": config.NumberColumn("Version", help="The dataset version that it was trained on."),
            "model": config.TextColumn("Model", width=MODEL_PX),
            "predictions": config.TextColumn("Predicted by", help="What predicted the training items."),
            "items": config.NumberColumn("Items", format="localized", help="Items that it was trained on."),
            "took": config.TextColumn("Took"),
            "kept": config.TextColumn("Kept", width=KEPT_PX),
        },
    )
    places = event.selection.rows
    return runs[places[0]] if places and places[0] < len(runs) else None


def _actions(project: Project, run_id: str, *, is_kept: bool) -> None:
    title, icon = ("Let {} go", "keep_off") if is_kept else ("Keep {}", "keep")
    with st.container(horizontal=True):
        st.button(
            title.format(run_id),
            icon=f":material/{icon}:",
            key="keep_run",
            on_click=_keep,
            args=(project, run_id, not is_kept),
        )
        if not is_kept:
            _removal(project, run_id)


def _removal(project: Project, run_id: str) -> None:
    """A button that says what would go, with one that does it."""
    removal = plan_removal(project, run_id)
    with st.popover(f"Remove {run_id}", icon=":material/delete:", key=f"ask_to_remove_{run_id}"):
        st.markdown(
            f"**Remove {escape(removal.name)}?** {removal.n_bytes / 1e6:,.1f} MB are deleted, which cannot be undone."
        )
        for effect in removal.effects:
            st.markdown(f"- {escape(effect)}")
        st.button(
            "Remove it", type="primary", key=f"remove_{run_id}", on_click=_remove, args=(project, run_id)
        )


@context.telling
def _remove(project: Project, run_id: str) -> None:
    remove_run(project, run_id, annotator=context.annotator(), now=context.now())


@context.telling
def _keep(project: Project, run_id: str, keep: bool) -> None:
    keep_run(project, run_id, keep)


def _predicted_by(info: RunInfo) -> str:
    if info.imported is not None:
        return "imported, in sample" if info.in_sample else "imported"
    return f"{info.n_folds} folds" if not info.in_sample else "one, in sample"


def _model(info: RunInfo) -> str:
    """In the few words that a column has room for."""
    if info.imported is not None:
        return info.imported.name or info.imported.file
    if info.quick is not None:
        return f"quick, from {info.quick.base_run}" if info.quick.base_run else "quick"
    return f"{info.arch}, pretrained" if info.pretrained else info.arch


def _model_in_full(info: RunInfo) -> str:
    if info.imported is not None:
        return f"predictions imported from {info.imported.file}"
    if info.quick is not None:
        return f"heads on {info.quick.embeddings}"
    return _model(info)
