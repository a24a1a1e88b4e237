"""Results on the gold test set are shown when a person picks them; each look is noted, their number is said."""

from collections.abc import Sequence

import streamlit as st

from app import context
from curation.project import Project
from curation.test_looks import looks_at_test, note_look

TEST = "test"


@context.telling
def note_picked_test(key: str, run_ids: Sequence[str], place: str) -> None:
    """For the on_change of a split picker: notes a look at these runs if test was picked."""
    if st.session_state.get(key) == TEST:
        note_look(
            context.current_project(), run_ids, place=place, annotator=context.annotator(), now=context.now()
        )


def looks_line(project: Project) -> None:
    """How often the test set was looked at, beside its results."""
    st.caption(f":material/visibility: {looks_at_test(project)}")
