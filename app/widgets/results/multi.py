"""Several labels an item: each class by itself, which labels go together, and which are taken for which."""

from typing import Any

import pandas as pd
import streamlit as st

from app.figures import MAX_MATRIX_CLASSES, together_figure
from app.widgets.page import EM_DASH, escape, table_height
from app.widgets.results.result import Result
from curation.reports import ClassThresholds, LabelledPredictions
from diagnostics.multilabel.metrics import confusion_table, exchanged_table, together_table
from diagnostics.multilabel.run_thresholds import ASKED_FOR, HELD_OUT, NOWHERE, VALIDATION

RULES = {"best_f1": "with the best F1", "0.5": "of one half", "0.2": "of 0.2"}
CHOSEN_ON = {
    VALIDATION: "chosen on {n:,} labelled validation items, for each without itself",
    HELD_OUT: "chosen on {n:,} labelled items of validation and of train, which were held out, for each without itself",
    ASKED_FOR: "as asked for",
    NOWHERE: "because too few labelled items were held out to choose others on",
}
CELLS = (
    ("n_both", "Labelled and predicted"),
    ("n_missed", "Labelled, not predicted"),
    ("n_added", "Predicted, not labelled"),
    ("n_neither", "Neither"),
)


def thresholds_text(thresholds: ClassThresholds) -> str:
    """Where the thresholds are from, in a sentence."""
    rule = RULES["0.5"] if thresholds.chosen_on == NOWHERE else RULES[thresholds.rule]
    return f"Thresholds {rule}, {CHOSEN_ON[thresholds.chosen_on].format(n=thresholds.n_items)}."


def confusions(found: LabelledPredictions) -> None:
    """Which labels go together, and beside it one class by itself; below, which are taken for which."""
    together, one = st.columns([3, 2], gap="medium")
    with together:
        _together(found)
    with one:
        _one_class(found)
        _exchanged(found)


def _together(found: LabelledPredictions) -> None:
    st.subheader("Labels that go together", anchor=False)
    if len(found.classes) > MAX_MATRIX_CLASSES:
        st.caption(f"Drawn for up to {MAX_MATRIX_CLASSES} classes; here are the pairs that occur most.")
        _together_table(found)
        return
    event = st.plotly_chart(
        together_figure(together_table(*found.label_sets()), found.classes),
        on_select="rerun",
        selection_mode="points",
        key=f"together_{found.split}",
        config={"displayModeBar": False},
        alt="How many items have both of two labels: as given below the diagonal, as predicted above it",
    )
    st.caption(
        "How many items have both labels: below the diagonal as given, above it as predicted. A model that has "
        "understood the labels draws about the same above as below. Click a cell to review its items."
    )
    for point in event.selection.points:
        one, other, side = point["customdata"][:3]
        _review_both(found.split, str(one), str(other), str(side))


def _together_table(found: LabelledPredictions) -> None:
    table = together_table(*found.label_sets())
    number = st.column_config.NumberColumn
    event = st.dataframe(
        table,
        hide_index=True,
        height=table_height(len(table)),
        key=f"together_table_{found.split}",
        on_select="rerun",
        selection_mode="single-cell",
        column_config={
            "first_label": "One",
            "second_label": "Other",
            "n_given": number("Given", help="Items that have both, as given."),
            "n_predicted": number("Predicted", help="Items that are predicted to have both."),
            "n_by_chance": number("By chance", format="%.1f", help="If given labels did not go together."),
        },
    )
    st.caption(
        "Click a row to review the items that have both labels as given; on “Predicted”, as predicted."
    )
    for row, column in event.selection.cells:
        one, other = str(table["first_label"].iloc[row]), str(table["second_label"].iloc[row])
        _review_both(found.split, one, other, "predicted" if column == "n_predicted" else "given")


def _review_both(split: str, one: str, other: str, side: str) -> None:
    """Open the items that have both labels. side : "given" or "predicted" """
    beside = {} if one == other else {f"{side}_with": other}
    st.switch_page("views/review.py", query_params={"split": split, side: one, **beside})


def _one_class(found: LabelledPredictions) -> None:
    st.subheader("One class", anchor=False)
    table = confusion_table(*found.label_sets()).set_index("label")
    by_errors = (table["n_missed"] + table["n_added"]).sort_values(ascending=False, kind="stable")
    name = st.selectbox(
        "Class", list(by_errors.index), key=f"one_class_{found.split}", label_visibility="collapsed"
    )
    row: dict[str, Any] = table.loc[name].to_dict()
    for cells in (CELLS[:2], CELLS[2:]):
        for column, (key, title) in zip(st.columns(2), cells, strict=True):
            with column.container(border=True, gap="xxsmall"):
                st.metric(title, f"{row[key]:,}", label_visibility="collapsed")
                st.caption(title)
    st.caption(f"Items of this split, by whether they have “{escape(str(name))}”.")


def _exchanged(found: LabelledPredictions) -> None:
    st.subheader("Taken for one another", anchor=False)
    table = exchanged_table(*found.label_sets())
    if table.empty:
        st.caption("No item lacks a label in its prediction and has another instead.")
        return
    shown = pd.DataFrame(
        {
            "pair": table["given_label"].astype(str) + "  →  " + table["predicted_label"].astype(str),
            "n": table["n"],
            "share": 100 * table["share"],
        }
    )
    config = st.column_config
    event = st.dataframe(
        shown,
        hide_index=True,
        placeholder=EM_DASH,
        height=table_height(len(shown)),
        key=f"exchanged_{found.split}",
        on_select="rerun",
        selection_mode="single-cell",
        column_config={
            "pair": config.TextColumn("Labelled → predicted", width="medium"),
            "n": config.NumberColumn(
                "Items", help="Have the first and not the second; predicted the other way."
            ),
            "share": config.NumberColumn(
                "Share", format="%.1f %%", help="Of the items with the first label."
            ),
        },
    )
    st.caption("Click a row to review its items.")
    for row, _column in event.selection.cells:
        given, predicted = str(table["given_label"].iloc[row]), str(table["predicted_label"].iloc[row])
        params = {"split": found.split, "given": given, "pair": [given, predicted]}
        st.switch_page("views/review.py", query_params=params)


several_labels = Result(
    thresholds_text=thresholds_text,
    confusions=confusions,
)
