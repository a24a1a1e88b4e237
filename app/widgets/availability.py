"""Said in place of what a project cannot have, because of what its labels are."""

import streamlit as st

from app.widgets.page import prose
from curation.availability import why_not
from curation.project import Project


def is_missing(project: Project, feature: str) -> bool:
    """Whether a project lacks one of `curation.availability.FEATURES`; if so, why is said in a sentence."""
    why = why_not(project, feature)
    if why:
        st.info(prose(why), icon=":material/info:")
    return bool(why)
