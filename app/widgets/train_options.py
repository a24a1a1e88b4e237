"""The training options as a form, drawn from the table that the command line takes its options from."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from diagnostics.model_choices import MODEL_CHOICES, options_of
from diagnostics.training.config import OPTIONS, Option, TrainConfig
from diagnostics.training.imbalance import IMBALANCE

N_COLUMNS = 3
MAX_SEEDS = 50
ARCH = "arch"
UNSET = "Chosen for you"
TITLES = {
    "arch": "Model",
    "lr": "Learning rate",
    "augment": "Augmentation",
    "n_threads": "CPU threads",
    "imbalance": "Rare classes",
    "early_stopping_patience": "Early stopping (epochs)",
    "keep_best": "Keep the best epoch",
    "pretrained": "Pretrained weights",
    "planted": "Planted wrong labels (share)",
}
CHOICE_NAMES: dict[str, Mapping[Any, str]] = {
    "resize": {
        "squish": "Squish: nothing is cut",
        "crop": "Crop: the middle square",
        "pad": "Pad: grey bars",
    },
    "imbalance": {name: remedy.title for name, remedy in IMBALANCE.items()},
    "augment": {
        "none": "None",
        "light": "Light: small shifts",
        "standard": "Standard: also zooms, turns, light",
    },
    "flip": {None: UNSET, True: "Yes", False: "No"},
    "mixed_precision": {
        "auto": UNSET,
        "off": "Off: full precision",
        "fp16": "Half precision (fp16)",
        "bf16": "Half precision (bf16)",
    },
    "thresholds": {
        "best_f1": "Best F1 of each class",
        "0.5": "0.5 for all classes",
        "0.2": "0.2 for all classes",
    },
}


def train_options(modality: str, label_kind: str) -> dict[str, object]:
    """Draw one field an option that the model, the items and their labels have; returns the values that differ from the
    defaults."""
    defaults, arch = TrainConfig(), _model_field(modality)
    options = options_of(modality, label_kind, arch)
    del options[ARCH]
    chosen: dict[str, object] = {} if arch == defaults.arch else {ARCH: arch}
    for start in range(0, len(options), N_COLUMNS):
        names = list(options)[start : start + N_COLUMNS]
        for name, column in zip(names, st.columns(N_COLUMNS, vertical_alignment="bottom"), strict=False):
            with column:
                value = option_field(name, options[name], key=f"train_{name}")
            if value != getattr(defaults, name):
                chosen[name] = value
    return chosen


def _model_field(modality: str) -> str:
    """The models that these items have, each with what it is; other names can be typed."""
    choices = {choice.arch: choice for choice in MODEL_CHOICES[modality]}
    field, told = st.columns([1, N_COLUMNS - 1], vertical_alignment="bottom")
    with field:
        arch = st.selectbox(
            option_title(ARCH),
            list(choices),
            key=f"train_{ARCH}",
            format_func=lambda name: choices[name].title if name in choices else name,
            accept_new_options=True,
            help=_help(OPTIONS[ARCH]),
        )
    choice = choices.get(arch)
    if choice is not None:
        told.markdown(choice.sentence)
        if lacking := choice.lacks():
            told.caption(f":material/cloud_off: {lacking}")
    return str(arch)


def seeds_field() -> int:
    """Draw the field for the number of trainings; returns it."""
    return int(
        st.columns(N_COLUMNS)[0].number_input(
            "Trainings (seeds)",
            min_value=1,
            max_value=MAX_SEEDS,
            value=1,
            key="train_seeds",
            help="Train so many times on the same data, each with another seed, from the seed in the options on. "
            "Comparisons then know how much a training moves the numbers by chance, and see smaller differences. "
            "What is trained already with these options is kept.",
        )
    )


def option_title(name: str) -> str:
    """The option's name as a label.

    >>> option_title("image_size_px"), option_title("lr")
    ('Image size (px)', 'Learning rate')
    """
    words = name.removesuffix("_px").replace("_", " ")
    title = TITLES.get(name, words[0].upper() + words[1:])
    return f"{title} (px)" if name.endswith("_px") else title


def option_field(name: str, option: Option, *, key: str) -> object:
    """Draw the field of an option with its default; returns its value."""
    default = getattr(TrainConfig(), name)
    title, text = option_title(name), _help(option)
    if name in CHOICE_NAMES:
        names = CHOICE_NAMES[name]
        values = option.choices or tuple(names)
        index = values.index(default)
        return st.selectbox(title, values, index=index, format_func=names.__getitem__, help=text, key=key)
    if option.kind is bool:
        return st.checkbox(title, value=bool(default), help=text, key=key)
    if option.kind is str:
        return st.text_input(title, value=default, help=text, key=key, placeholder=UNSET) or default
    return _number(title, option, default, text, key)


def _number(title: str, option: Option, default: Any, text: str, key: str) -> object:
    bounds: dict[str, Any] = {"min_value": option.kind(option.low), "max_value": option.kind(option.high)}
    if option.kind is int:
        bounds["step"] = 1
    else:
        bounds |= {"step": 0.01 if default is not None else 0.001, "format": "%.4g"}
    return st.number_input(title, value=default, help=text, key=key, placeholder=UNSET, **bounds)


def _help(option: Option) -> str:
    sentence = option.help[0].upper() + option.help[1:]
    return f"{sentence}. {UNSET}: {option.none_means}." if option.none_means else f"{sentence}."
