"""What to do next, class by class: a line with its evidence, and a button that leads to the queue or the experiment."""

from collections.abc import Sequence

import streamlit as st

from app.widgets.page import escape, prose
from curation.advice import NEEDED, TOO_FEW, Action, ClassAdvice, class_advice
from curation.project import Project

MAX_SHOWN = 4
PAGES = {"review": "views/review.py", "experiments": "views/experiments.py"}
SLOW = "Looking at what each class needs …"


def advice_section(project: Project, run_id: str) -> None:
    """The lines of classes that need something; the others are folded."""
    st.subheader("What to do next", anchor=False)
    with st.spinner(SLOW, show_time=True):
        lines = class_advice(project, run_id)
    n_needed = sum(line.advice in NEEDED for line in lines)
    n_too_few = sum(line.advice == TOO_FEW for line in lines)
    st.caption(_summary(n_needed, n_too_few, len(lines)))
    shown, folded = lines[: min(MAX_SHOWN, n_needed)], lines[min(MAX_SHOWN, n_needed) :]
    _lines(shown)
    if folded:
        with st.expander(f"{len(folded)} more classes" if shown else f"All {len(folded)} classes"):
            _lines(folded)


def _summary(n_needed: int, n_too_few: int, n_classes: int) -> str:
    found = f"{n_needed} of {n_classes} classes need something" if n_needed else "No class stands out"
    unjudged = f"; {n_too_few} cannot be judged, their validation items are too few" if n_too_few else ""
    return (
        f"{found}{unjudged}. Judged on validation, never on test, by 95 % intervals: what they cannot tell "
        "apart is left alone."
    )


def _lines(lines: Sequence[ClassAdvice]) -> None:
    for line in lines:
        with st.container(border=True, gap="xxsmall"):
            text, buttons = st.columns([5, 1.4], vertical_alignment="center")
            also = f" :gray[Also: {prose(', '.join(line.also))}.]" if line.also else ""
            text.markdown(
                f"**{escape(line.label)}**: {prose(line.advice)}  \n{prose(line.text)}{also}",
            )
            for number, action in enumerate(line.actions):
                with buttons:
                    _button(line.label, action, first=number == 0)


def _button(label: str, action: Action, *, first: bool) -> None:
    pressed = st.button(
        action.title,
        key=f"advice_{label}_{action.title}",
        type="secondary" if first else "tertiary",
        width="stretch",
    )
    if pressed:
        st.switch_page(PAGES[action.target], query_params=_params(action))


def _params(action: Action) -> dict[str, str | list[str]]:
    """The parameters of an address; a name that occurs twice has a list."""
    found: dict[str, list[str]] = {}
    for name, value in action.params:
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}
