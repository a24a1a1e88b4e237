"""One label an item: which classes are taken for which."""

from typing import Literal

import pandas as pd
import streamlit as st

from app.figures import MAX_MATRIX_CLASSES, confusion_matrix_figure
from app.widgets.page import EM_DASH, SPLIT_NAMES, table_height
from app.widgets.results.result import Result
from curation.reports import LabelledPredictions


def confusions(found: LabelledPredictions) -> None:
    """The confusion matrix, and beside it the pairs that are confused most; of many classes the pairs alone."""
    if len(found.classes) > MAX_MATRIX_CLASSES:
        _confused_pairs(found, pair_width="large")
        return
    matrix, pairs = st.columns([3, 2], gap="medium")
    with matrix:
        _confusion_matrix(found)
    with pairs:
        _confused_pairs(found)


def _confusion_matrix(found: LabelledPredictions) -> None:
    st.subheader("Confusion matrix", anchor=False)
    event = st.plotly_chart(
        confusion_matrix_figure(found.confusion_matrix(), found.classes),
        on_select="rerun",
        selection_mode="points",
        key=f"matrix_{found.split}",
        config={"displayModeBar": False},
        alt="Confusion matrix: rows are labels, columns are predictions",
    )
    st.caption("Colour: share of the label's items. Click a cell to review its items.")
    for point in event.selection.points:
        given, predicted = point["customdata"][:2]
        params = {"split": found.split, "given": str(given), "predicted": str(predicted)}
        st.switch_page("views/review.py", query_params=params)


def _confused_pairs(found: LabelledPredictions, *, pair_width: Literal["medium", "large"] = "medium") -> None:
    st.subheader("Confused pairs", anchor=False)
    pairs = found.confused_pairs()
    if pairs.empty:
        st.caption(f"No item of {SPLIT_NAMES[found.split]} is predicted as another class than its label.")
        return
    shown = pd.DataFrame(
        {
            "pair": pairs["first_label"].astype(str) + "  ↔  " + pairs["second_label"].astype(str),
            "n": pairs["n"],
            "share": 100 * pairs["share"],
            "forth": pairs["n_first_as_second"],
            "back": pairs["n_second_as_first"],
        }
    )
    config = st.column_config
    event = st.dataframe(
        shown,
        hide_index=True,
        placeholder=EM_DASH,
        height=table_height(len(shown)),
        key=f"pairs_{found.split}",
        on_select="rerun",
        selection_mode="single-cell",
        column_config={
            "pair": config.TextColumn("Pair", width=pair_width),
            "n": config.NumberColumn("Items", help="Labelled as one and predicted as the other, both ways."),
            "share": config.NumberColumn(
                "Share", format="%.1f %%", help="Of all items labelled with either."
            ),
            "forth": config.NumberColumn("→", help="Labelled as the first, predicted as the second."),
            "back": config.NumberColumn("←", help="Labelled as the second, predicted as the first."),
        },
    )
    st.caption("Click a pair to review its items.")
    for row, _column in event.selection.cells:
        first, second = pairs["first_label"].iloc[row], pairs["second_label"].iloc[row]
        st.switch_page(
            "views/review.py", query_params={"split": found.split, "pair": [str(first), str(second)]}
        )


one_label = Result(
    thresholds_text=lambda thresholds: "",
    confusions=confusions,
)
