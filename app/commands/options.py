"""Arguments and options that several verbs share."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from diagnostics.training.config import NETWORK_OPTIONS, OPTIONS, Option, TrainConfig

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


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a verb take dataclasses of options: each of their fields becomes one option of the command line."""
    parameters = list(inspect.signature(command).parameters.values())
    groups: dict[str, Any] = {p.name: p.annotation for p in parameters if is_dataclass(p.annotation)}

    @wraps(command)
    def called(*args: Any, **given: Any) -> None:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(*args, **given, **made)

    taken = [_parameters_of(each.annotation) if each.name in groups else [each] for each in parameters]
    return _with_parameters(called, list(chain.from_iterable(taken)))


def with_keywords(command: Callable[..., None], options: Iterable[inspect.Parameter]) -> Callable[..., None]:
    """Let a verb that takes **options take these, after its first parameter."""
    parameters = inspect.signature(command).parameters.values()
    first, *others = (each for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD)
    return _with_parameters(command, [first, *options, *others])


def option_parameter(name: str, annotation: Any) -> inspect.Parameter:
    """An option that is None unless it is given."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def with_train_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a verb that takes **options one command-line option for each field of the training configuration."""
    options = [option_parameter(name, _annotation(name, option)) for name, option in OPTIONS.items()]
    return with_keywords(command, options)


def given_flags(group: Any) -> list[str]:
    """The options of a dataclass of them that differ from their defaults: ["--out-pairs"]."""
    changed = [each.name for each in fields(group) if getattr(group, each.name) != each.default]
    return ["--" + name.replace("_", "-") for name in changed]


def refuse_flags(flags: Sequence[str], reason: str) -> None:
    """Misuse, if any of these options was given; `reason` completes the sentence about them."""
    if flags:
        raise typer.BadParameter(f"{', '.join(flags)} {reason}")


def _parameters_of(group: Any) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=field.type,
        )
        for field in fields(group)
    ]


def _with_parameters(
    command: Callable[..., None], parameters: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """What typer reads is changed; all parameters but the first are keywords."""
    first, *others = parameters
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in others]
    command.__signature__ = inspect.Signature([first, *keywords])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in (first, *keywords)}
    return command


def _annotation(name: str, option: Option) -> Any:
    flag = "--" + name.removesuffix("_px").replace("_", "-")
    flags = [f"{flag}/--no-{flag[2:]}"] if option.kind is bool else [flag]
    return Annotated[option.kind | None, typer.Option(*flags, help=_help(name, option))]


def _help(name: str, option: Option) -> str:
    only = [f"{modality} items" for modality in option.modalities]
    only += option.labels
    only += ["models with epochs"] if name in NETWORK_OPTIONS else []
    items = f" (only {', '.join(only)})" if only else ""
    if option.none_means:
        return f"{option.help}{items}. Default: {option.none_means}."
    default = getattr(TrainConfig(), name)
    shown = str(default).lower() if isinstance(default, bool) else default
    return f"{option.help}{items}. Default: {shown}."
