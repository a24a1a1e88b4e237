"""Texts: which models there are of them, each with a module of its own."""

import difflib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from diagnostics.errors import ConfigError, DataError
from diagnostics.image_files import ImageRoot
from diagnostics.modalities import Machine, NetworkItems, OpenedItems, OpenInputs
from diagnostics.progress import ProgressCallback

AUTO = "tfidf"
MODELS = {
    "tfidf": "diagnostics.texts.tfidf",
    "awd_lstm": "diagnostics.texts.awd_lstm",
    "transformer": "diagnostics.texts.transformer",
}


def open_items(inputs: OpenInputs) -> OpenedItems:
    """Take in the texts of a run for the model of the configuration, or tfidf; of the items count text, content_hash
    and unit.

    raises : ConfigError for a model that there is none of
    """
    if "text" not in inputs.items:
        raise DataError("These items have no column text, which models of texts read.")
    config = inputs.config
    settled = replace(config, arch=AUTO) if config.arch == "auto" else config
    opened: OpenedItems = _module_of(settled.arch).open_items(replace(inputs, config=settled))
    return opened


def open_trained(
    items: pd.DataFrame,
    *,
    about: Mapping[str, Any],
    roots: Sequence[ImageRoot],
    cache_dir: Path,
    machine: Machine,
    on_progress: ProgressCallback,
) -> NetworkItems:
    """Take in texts for a network that is trained already; about : what its `describe_model` said"""
    opened: NetworkItems = _module_of(about["arch"]).open_trained(
        items, about=about, machine=machine, on_progress=on_progress
    )
    return opened


def _module_of(arch: str) -> Any:
    """Of an architecture "name" or "name:what"."""
    name, _, _ = arch.partition(":")
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(MODELS)}."
        raise ConfigError(f"Unknown model of texts {arch!r}. {hint}")
    return importlib.import_module(MODELS[name])
