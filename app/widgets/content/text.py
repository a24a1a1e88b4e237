"""How long the texts are: histograms, and the longest and the shortest ones."""

import pandas as pd
import streamlit as st

from app.figures import lengths_figure
from curation.dataset.findings import count_findings
from curation.project import Project
from curation.text_lengths import text_lengths

UNIT_KEY, UNITS = "length_unit", ("words", "characters")


def text_section(project: Project) -> None:
    """Draw it."""
    lengths = text_lengths(project.items)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Text lengths", anchor=False)
        picked = st.segmented_control(
            "Length in",
            UNITS,
            default=UNITS[0],
            format_func=str.capitalize,
            key=UNIT_KEY,
            label_visibility="collapsed",
        )
    unit = picked or UNITS[0]
    st.plotly_chart(
        lengths_figure(lengths.of(unit), unit=unit),
        config={"displayModeBar": False},
        key="lengths",
        alt=f"How many texts have how many {unit}",
    )
    counts = count_findings(project.findings, project.modality.checks).set_index("code")["n"]
    st.caption(f"{lengths.said(unit)} Empty texts that were set aside: {counts['empty_text']:,}.")
    with st.expander("The shortest and the longest texts"):
        _texts(lengths.shortest)
        _texts(lengths.longest)


def _texts(table: pd.DataFrame) -> None:
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "name": "Text",
            "words": st.column_config.NumberColumn("Words", format="localized"),
            "characters": st.column_config.NumberColumn("Characters", format="localized"),
            "text": st.column_config.TextColumn("How it begins", width="large"),
        },
    )
