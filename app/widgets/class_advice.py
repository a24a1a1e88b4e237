"""What to do next, class by class: a line with its evidence, and a button that leads to the queue or the experiment."""

from collections.abc import Sequence

import streamlit as st

from app.widgets.page import escape
from curation.advice import URGENT, Action, ClassAdvice, class_advice
from curation.project import Project

MAX_SHOWN = 6
PAGES = {"review": "views/review.py", "experiments": "views/experiments.py"}
SLOW = "Comparing unlabelled items with the known items of classes that are missed …"


def advice_section(project: Project, run_id: str) -> None:
    """The urgent lines; the others are folded."""
    st.subheader("What to do next", anchor=False)
    with st.spinner(SLOW, show_time=True):
        lines = class_advice(project, run_id)
    urgent = [line for line in lines if line.advice in URGENT]
    shown, folded = urgent[:MAX_SHOWN], [*urgent[MAX_SHOWN:], *(line for line in lines if line not in urgent)]
    st.caption(_summary(len(urgent), len(lines)))
    _lines(shown)
    if folded:
        with st.expander(f"{len(folded)} more classes" if shown else f"All {len(folded)} classes"):
            _lines(folded)


def _summary(n_urgent: int, n_classes: int) -> str:
    judged = (
        "Judged on validation, never on test, by 95 % intervals: what they cannot tell apart is left alone."
    )
    if not n_urgent:
        return f"Nothing stands out in {n_classes} classes. {judged}"
    return f"{n_urgent} of {n_classes} classes need something. {judged}"


def _lines(lines: Sequence[ClassAdvice]) -> None:
    for line in lines:
        with st.container(border=True):
            text, buttons = st.columns([5, 1.7], vertical_alignment="center")
            also = f" :gray[Also: {escape(', '.join(line.also))}.]" if line.also else ""
            text.markdown(
                f"**{escape(line.label)}**: {escape(line.advice)}  \n{escape(line.text)}{also}",
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
