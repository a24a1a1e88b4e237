"""A comparison on a page: the verdict in a sentence, the whole, and every class."""

from typing import Any

import pandas as pd
import streamlit as st

from app.figures import MAX_DIFFERENCES, METRIC_NAMES, class_difference_figure
from app.widgets.page import EM_DASH, escape, table_height
from diagnostics.compare import (
    BROKEN,
    CANNOT_TELL,
    FIXED,
    IMPROVED,
    STILL_WRONG,
    VERDICT_RULE,
    WORSE,
    Comparison,
    verdict_text,
)
from diagnostics.metric_names import METRICS

CHANGES = {FIXED: "Fixed", BROKEN: "Broken", STILL_WRONG: "Still wrong"}
VERDICT_BOXES = {
    IMPROVED: (st.success, ":material/trending_up:"),
    WORSE: (st.error, ":material/trending_down:"),
    CANNOT_TELL: (st.info, ":material/question_mark:"),
}


def verdict_box(comparison: Comparison) -> None:
    """The verdict on the whole, with the numbers behind it and what it would take where it cannot be told."""
    verdict, _, rest = verdict_text(comparison).partition(":")
    box, icon = VERDICT_BOXES[comparison.verdict]
    box(f"**{verdict}**:{escape(rest)}", icon=icon)


def whole_cards(comparison: Comparison) -> None:
    """The metrics of the whole with the intervals of their differences, and how many items were fixed and broken."""
    rows = comparison.whole.to_dict("records")
    columns = st.columns(len(rows) + 2)
    for column, row in zip(columns, rows, strict=False):
        with column.container(border=True, gap="xxsmall", height="stretch"):
            value = EM_DASH if row["after"] != row["after"] else f"{row['after']:.3f}"
            st.metric(
                METRICS[row["metric"]].title, value, help="After; the mean over the trainings of that side."
            )
            st.caption(
                f"before {row['before']:.3f}  \n"
                f"{difference_text(row['difference'], row['low'], row['high'])}  \n**{row['verdict']}**"
            )
    for column, change in zip(columns[len(rows) :], (FIXED, BROKEN), strict=True):
        with column.container(border=True, gap="xxsmall", height="stretch"):
            st.metric(CHANGES[change], f"{comparison.n_flips(change):,}")
            st.caption("wrong before, right after" if change == FIXED else "right before, wrong after")


def class_differences(comparison: Comparison) -> None:
    """The difference of one metric in every class with its interval, as a figure, and all of them as a table."""
    metric = st.segmented_control(
        "Metric",
        list(METRIC_NAMES),
        format_func=METRIC_NAMES.__getitem__,
        default="f1",
        required=True,
        label_visibility="collapsed",
    )
    st.plotly_chart(
        class_difference_figure(comparison.classes, str(metric)),
        config={"displayModeBar": False},
        key="differences",
        alt="Difference of every class with its 95 % interval",
    )
    if comparison.classes[f"{metric}_difference"].count() > MAX_DIFFERENCES:
        half = MAX_DIFFERENCES // 2
        st.caption(
            f"Drawn: the {half} largest and the {half} smallest differences. The table has all classes."
        )
    class_table(comparison)
    st.caption(VERDICT_RULE)


def class_table(comparison: Comparison) -> None:
    """Every class with its verdict, the largest gain of F1 first."""
    classes = comparison.classes.sort_values("f1_difference", ascending=False, na_position="last")
    shown: dict[str, Any] = {
        "label": classes["label"],
        "support": classes["support"],
        "verdict": classes["verdict"],
        "p_adjusted": classes["p_adjusted"],
        "f1": [
            EM_DASH if before != before or after != after else f"{before:.2f} → {after:.2f}"
            for before, after in zip(classes["f1_before"], classes["f1_after"], strict=True)
        ],
    }
    for metric in METRIC_NAMES:
        parts = (classes[f"{metric}_{part}"] for part in ("difference", "low", "high"))
        shown[f"{metric}_difference"] = [difference_text(*row) for row in zip(*parts, strict=True)]
    shown["n_needed"] = classes["n_needed"].where(classes["verdict"] == CANNOT_TELL)
    config = st.column_config
    columns: dict[str, Any] = {
        "label": config.TextColumn("Class"),
        "support": config.NumberColumn("Items"),
        "verdict": config.TextColumn("Verdict on F1"),
        "p_adjusted": config.NumberColumn("p (Holm)", format="%.3f"),
        "f1": config.TextColumn("F1"),
        "n_needed": config.NumberColumn(
            "Needed for 1 point",
            format="localized",
            help="Labelled items of this class with which a difference of 1 point would be seen, 80 % of the time. "
            "Empty where the trainings differ by too much for any number of items.",
        ),
    }
    for metric, title in METRIC_NAMES.items():
        columns[f"{metric}_difference"] = config.TextColumn(
            f"{title}, difference", help="After minus before, with its 95 % interval."
        )
    st.dataframe(
        pd.DataFrame(shown),
        hide_index=True,
        placeholder=EM_DASH,
        column_config=columns,
        height=table_height(len(classes)),
    )


def difference_text(value: float, low: float, high: float) -> str:
    """A difference with its interval, "–" where it is not defined.

    >>> difference_text(0.043, -0.01, 0.096)
    '+0.043 (-0.010 to +0.096)'
    """
    return EM_DASH if value != value else f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
