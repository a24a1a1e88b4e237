"""The options of an experiment as fields, drawn from the table that the command line takes them from."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.widgets.train_options import UNSET
from diagnostics.experiments.options import ExperimentOption, ExperimentSpec, parsed_values

N_COLUMNS = 3
TITLES = {
    ("seeds", "n"): "Trainings",
    ("seeds", "points"): "Difference to see (points)",
    ("class-cap", "drop"): "Left out (%)",
    ("class-cap", "margin"): "Still not worse (points)",
    ("saturation", "more"): "More labels of each class",
    ("saturation", "draws"): "Draws",
    ("saturation", "classes"): "Classes for whole models",
    ("saturation", "full_draws"): "Draws for whole models",
    ("edits", "since"): "Edits since version (0 = source)",
}
COMMON = {"full": "Train whole models", "seeds": "Seeds"}


def experiment_options(
    spec: ExperimentSpec, classes: Sequence[str], *, asked_class: str | None = None
) -> dict[str, Any]:
    """Draw one field an option; returns the values as they stand.

    asked_class : what a link asks for, where an option is a class
    raises : ConfigError for a text that is no list of numbers
    """
    chosen = {}
    names = list(spec.options)
    for start in range(0, len(names), N_COLUMNS):
        columns = st.columns(N_COLUMNS, vertical_alignment="bottom")
        for name, column in zip(names[start : start + N_COLUMNS], columns, strict=False):
            with column:
                chosen[name] = _field(spec, name, spec.options[name], classes, asked_class)
    return chosen


def _field(
    spec: ExperimentSpec,
    name: str,
    option: ExperimentOption,
    classes: Sequence[str],
    asked_class: str | None,
) -> Any:
    title = TITLES.get((spec.name, name)) or COMMON.get(name) or name.replace("_", " ").capitalize()
    words: dict[str, Any] = {"help": _help(option), "key": f"experiment_{spec.name}_{name}"}
    if option.many and option.is_class:
        asked = [name for name in classes if name == asked_class]
        return tuple(st.multiselect(title, list(classes), default=asked, placeholder=UNSET, **words))
    if option.many:
        text = st.text_input(title, value=", ".join(map(str, option.default)), **words)
        return parsed_values(name, option, text)
    if option.is_class or option.choices:
        choices = list(classes if option.is_class else option.choices)
        wanted = asked_class if option.is_class and asked_class in choices else option.default
        index = choices.index(wanted) if wanted in choices else None
        return st.selectbox(title, choices, index=index, placeholder=UNSET, **words)
    if option.kind is bool:
        return st.checkbox(title, value=bool(option.default), **words)
    if option.kind is str:
        return st.text_input(title, value=option.default, placeholder=UNSET, **words) or None
    bounds: dict[str, Any] = {
        "min_value": None if option.low is None else option.kind(option.low),
        "max_value": None if option.high is None else option.kind(option.high),
    }
    step = 1 if option.kind is int else 0.5
    return st.number_input(title, value=option.default, step=step, placeholder=UNSET, **bounds, **words)


def _help(option: ExperimentOption) -> str:
    sentence = option.help[0].upper() + option.help[1:]
    return f"{sentence}. {UNSET}: {option.none_means}." if option.none_means else f"{sentence}."
