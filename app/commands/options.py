"""Arguments and options that several verbs share."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from diagnostics.training.config import LABELS_OF, NETWORK_OPTIONS, OPTIONS, Option, TrainConfig

ProjectFolder = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
RunId = Annotated[str | None, typer.Option("--run", help="A run, for example run-0001. Default: the newest.")]
Annotator = Annotated[str, typer.Option("--as", help="Who decides. The name is kept with every decision.")]


class Split(StrEnum):
    """The splits that have labels to report on."""

    train = "train"
    val = "val"
    test = "test"


class ThresholdRule(StrEnum):
    """From which probability on one of several labels is predicted."""

    best_f1 = "best_f1"
    half = "0.5"
    fifth = "0.2"


def now() -> datetime:
    """The time that a verb hands to the libraries."""
    return datetime.now(UTC)


def login_name() -> str:
    """Who acts if no name is given."""
    from getpass import getuser

    return getuser()


def with_train_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb that takes **options one command-line option for each field of the training configuration."""
    signature = inspect.signature(command)
    fixed = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name, option)
        )
        for name, option in OPTIONS.items()
    ]
    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in fixed[1:]]
    command.__signature__ = signature.replace(parameters=[fixed[0], *options, *keyword_only])  # type: ignore[attr-defined]
    command.__annotations__ |= {parameter.name: parameter.annotation for parameter in options}
    return command


def _annotation(name: str, option: Option) -> Any:
    flag = "--" + name.removesuffix("_px").replace("_", "-")
    flags = [f"{flag}/--no-{flag[2:]}"] if option.kind is bool else [flag]
    return Annotated[option.kind | None, typer.Option(*flags, help=_help(name, option))]


def _help(name: str, option: Option) -> str:
    only = [f"{modality} items" for modality in option.modalities]
    only += [LABELS_OF[kind] for kind in option.label_kinds]
    only += ["models with epochs"] if name in NETWORK_OPTIONS else []
    items = f" (only {', '.join(only)})" if only else ""
    if option.none_means:
        return f"{option.help}{items}. Default: {option.none_means}."
    default = getattr(TrainConfig(), name)
    shown = str(default).lower() if isinstance(default, bool) else default
    return f"{option.help}{items}. Default: {shown}."
