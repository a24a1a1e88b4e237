"""Performance: how well each class is recognised, and which classes are taken for which."""

from typing import Any

import pandas as pd
import streamlit as st

from app import context
from app.widgets.class_advice import advice_section
from app.widgets.page import (
    EM_DASH,
    empty_state,
    estimate_metric,
    heading,
    interval_text,
    table_height,
)
from app.widgets.results import RESULTS
from app.widgets.test_looks import TEST, looks_line, note_picked_test
from curation.reports import ClassThresholds, LabelledPredictions, class_thresholds, labelled_predictions
from diagnostics.metric_names import METRICS
from diagnostics.metrics import UNDERPERFORMING, UNDERPERFORMING_RULE, ClassReport

MARKS = {UNDERPERFORMING: "▼ underperforming"}
PREDICTED_COLUMNS = ("precision", "precision_interval")


def show() -> None:
    """The page."""
    heading(
        "Performance",
        "How well the model recognises each class, worst first. Click a class to review its items.",
    )
    run_id = context.current_run_id()
    if run_id is None:
        empty_state(
            "There is no finished run yet, so there is nothing to measure.",
            page="train",
            action="Train a first model",
            icon=":material/model_training:",
        )
        return
    split = _split_picker(run_id)
    project = context.current_project()
    found = labelled_predictions(project, split, run_id)
    if len(found.codes) == 0:
        st.info(f"{run_id} has no predictions for labelled items of this split.", icon=":material/info:")
        return
    _warnings(found)
    report, result = found.class_report(), RESULTS[project.label_kind.key]
    if split == TEST:
        looks_line(project)
    _totals(report, found)
    advice_section(project, run_id)
    thresholds = class_thresholds(project, run_id)
    _class_table(report, split, thresholds)
    if thresholds is not None:
        st.caption(result.thresholds_text(thresholds))
    result.confusions(found)


def _split_picker(run_id: str) -> str:
    """Test is shown only right after it was picked for this run, so that no look goes uncounted."""
    key = f"performance_split_{run_id}"
    names = {"val": "Validation", "test": "Test (gold)", "train": "Train"}
    picked = st.segmented_control(
        "Measured on",
        list(names),
        format_func=names.__getitem__,
        default="val",
        required=True,
        key=key,
        on_change=note_picked_test,
        args=(key, [run_id], "performance"),
        label_visibility="collapsed",
    )
    return str(picked)


def _warnings(found: LabelledPredictions) -> None:
    if found.in_sample:
        st.warning(
            "**In sample.** The model was trained on these very items, labels and errors alike, so these numbers are "
            "too good and memorised label errors look right. Train with folds to get predictions out of fold.",
            icon=":material/warning:",
        )
    elif found.split == "train":
        st.caption("Out of fold: each training item is predicted by a model that did not see it.")
    elif found.split == "test":
        st.caption(
            "The gold test set is only looked at: changing one of its labels needs an explicit unlock, which is logged."
        )
    if found.n_without_prediction:
        st.caption(f"{found.n_without_prediction:,} labelled items came after this run and are not counted.")


def _totals(report: ClassReport, found: LabelledPredictions) -> None:
    n_under = int((report.table["mark"] == UNDERPERFORMING).sum())
    *measured, items, under = st.columns(len(found.kind.compared) + 2)
    estimates = found.totals()
    for column, metric in zip(measured, found.kind.compared, strict=True):
        with column.container(border=True, gap="xxsmall", height="stretch"):
            estimate, names = estimates[metric], METRICS[metric]
            estimate_metric(names.title, estimate.value, estimate.low, estimate.high, help_text=names.meaning)
    with items.container(border=True, gap="xxsmall", height="stretch"):
        st.metric("Items", f"{report.n_items:,}")
        st.caption("with a label and a prediction")
    with under.container(border=True, gap="xxsmall", height="stretch"):
        st.metric("Underperforming", f"{n_under} of {len(report.table)}")
        st.caption("classes, by the rule below")


def _class_table(report: ClassReport, split: str, thresholds: ClassThresholds | None) -> None:
    st.subheader("Classes", anchor=False)
    table = _with_intervals(report.worst_first())
    if thresholds is not None:
        table["threshold"] = table["label"].map(thresholds.values)
    event = st.dataframe(
        table,
        hide_index=True,
        placeholder=EM_DASH,
        width="stretch",
        height=table_height(len(table)),
        on_select="rerun",
        selection_mode="single-cell",
        key=f"classes_{split}",
        column_config=_class_columns(),
    )
    st.caption(
        f"{UNDERPERFORMING_RULE} A click opens Review: on a precision, what the model predicts as that class; "
        "anywhere else in the row, what is labelled as it."
    )
    for row, column in event.selection.cells:
        side = "predicted" if column in PREDICTED_COLUMNS else "given"
        st.switch_page("views/review.py", query_params={"split": split, side: str(table["label"].iloc[row])})


def _with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    shown: dict[str, Any] = {"label": table["label"], "mark": table["mark"].replace(MARKS)}
    for name in ("f1", "precision", "recall"):
        shown[name] = table[name]
        shown[f"{name}_interval"] = [
            interval_text(low, high)
            for low, high in zip(table[f"{name}_low"], table[f"{name}_high"], strict=True)
        ]
    shown |= {"support": table["support"], "n_predicted": table["n_predicted"]}
    return pd.DataFrame(shown)


def _class_columns() -> dict[str, Any]:
    config = st.column_config
    columns: dict[str, Any] = {
        "label": config.TextColumn("Class"),
        "mark": config.TextColumn("Mark", width=130, help=UNDERPERFORMING_RULE),
        "support": config.NumberColumn("Labelled", help="Items with this label (support)."),
        "n_predicted": config.NumberColumn("Predicted", help="Items the model predicts as this class."),
        "threshold": config.NumberColumn(
            "Threshold", format="%.2f", help="From which probability on the class is predicted."
        ),
    }
    helps = {
        "f1": "Harmonic mean of precision and recall.",
        "precision": "Of the items predicted as this class, the share labelled so.",
        "recall": "Of the items labelled as this class, the share predicted so.",
    }
    for name, text in helps.items():
        title = "F1" if name == "f1" else name.capitalize()
        columns[name] = config.NumberColumn(title, format="%.3f", help=text)
        columns[f"{name}_interval"] = config.TextColumn("95 %", help=f"95 % interval of the {title}.")
    return columns


if __name__ == "__main__":
    show()
