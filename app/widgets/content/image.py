"""The sizes of the images."""

import streamlit as st

from app.figures import image_sizes_figure
from curation.project import Project


def image_section(project: Project) -> None:
    """Draw it."""
    st.subheader("Image sizes", anchor=False)
    sizes = project.items[["width", "height"]].drop_duplicates()
    if len(sizes) == 1:
        width, height = sizes.iloc[0]
        st.markdown(f"All {len(project.items):,} images are {width} × {height} px.")
        return
    st.plotly_chart(
        image_sizes_figure(project.items),
        config={"displayModeBar": False},
        key="sizes",
        alt="Widths and heights of the images",
    )
