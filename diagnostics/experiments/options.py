"""What a person may choose of an experiment, and what is checked of it. Loads no library."""

import csv
import difflib
import importlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from diagnostics.errors import ConfigError

if TYPE_CHECKING:
    from diagnostics.experiments.frame import ExperimentModule

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExperimentOption:
    """One thing to choose; the command line and the page draw their fields from it.

    kind : bool, int, float or str
    default : the value if nothing is chosen, a tuple if `many`; None : chosen by the experiment, see `none_means`
    low, high : inclusive bounds of a number
    choices : what a text may be
    many : several values, on the command line with commas between them; none only if `none_means` says what that is
    is_class : the text is the name of a class
    """

    kind: type
    help: str
    default: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    many: bool = False
    is_class: bool = False
    none_means: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentSpec:
    """One experiment.

    name : as on the command line; title, sentence : for people, the sentence says which question it answers
    module : where its functions are; imported when they are needed
    """

    name: str
    title: str
    sentence: str
    module: str
    options: Mapping[str, ExperimentOption] = field(default_factory=dict)

    def load(self) -> "ExperimentModule":
        """Its functions `count` and `run`."""
        loaded: Any = importlib.import_module(self.module)
        return loaded  # type: ignore[no-any-return]


def checked_options(spec: ExperimentSpec, given: Options, classes: Sequence[str]) -> dict[str, Any]:
    """All options of an experiment: those given, the others at their defaults.

    classes : the names that an option which names a class may have
    raises : ConfigError naming every option that is unknown or cannot have its value
    """
    unknown = [name for name in given if name not in spec.options]
    problems = [_unknown(name, list(spec.options)) for name in unknown]
    values: dict[str, Any] = {
        name: given.get(name) if given.get(name) is not None else option.default
        for name, option in spec.options.items()
    }
    for name, option in spec.options.items():
        several: Sequence[Any] = values[name] if option.many else [values[name]]
        problems += [text for value in several if (text := _problem(name, option, value, classes))]
        if option.many and not values[name] and not option.none_means:
            problems.append(f"{name} needs at least one value")
    if problems:
        raise ConfigError(f"The experiment {spec.name} cannot be made like this: {'; '.join(problems)}.")
    return {name: tuple(value) if spec.options[name].many else value for name, value in values.items()}


def parsed_values(name: str, option: ExperimentOption, text: str) -> tuple[Any, ...]:
    """The values of an option that takes several, from a text with commas between them; quotes hold one together.

    raises : ConfigError if one is not of its kind

    >>> parsed_values("drop", ExperimentOption(int, "", (), many=True), "25, 50")
    (25, 50)
    >>> parsed_values("classes", ExperimentOption(str, "", (), many=True), 'bus, "van, white"')
    ('bus', 'van, white')
    """
    parts = [part for row in csv.reader([text], skipinitialspace=True) for part in row]
    try:
        return tuple(option.kind(part.strip()) for part in parts if part.strip())
    except ValueError:
        raise ConfigError(
            f"{name} takes {_KINDS[option.kind]} or several with commas between them; found {text!r}."
        ) from None


def joined_values(values: Sequence[Any]) -> str:
    """The text that `parsed_values` takes apart.

    >>> joined_values(["bus", "van, white"])
    'bus,"van, white"'
    """
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(values)
    return written.getvalue()


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"it has no option {name!r}" + (f" (did you mean {near[0]!r}?)" if near else "")


def _problem(name: str, option: ExperimentOption, value: Any, classes: Sequence[str]) -> str:
    """What is wrong with one value; "" if nothing is."""
    if value is None:
        return "" if option.none_means else f"{name} must have a value"
    if isinstance(value, bool) != (option.kind is bool):
        return f"{name} must be {_KINDS[option.kind]}, found {value!r}"
    if not isinstance(value, (int, float) if option.kind is float else option.kind):
        return f"{name} must be {_KINDS[option.kind]}, found {value!r}"
    if option.choices and value not in option.choices:
        return f"{name} must be one of {', '.join(option.choices)}, found {value!r}"
    if option.is_class and value not in classes:
        near = difflib.get_close_matches(str(value), classes, n=1, cutoff=0.5)
        return f"there is no class {value!r}" + (f" (did you mean {near[0]!r}?)" if near else "")
    if not isinstance(value, int | float) or option.low is None or option.high is None:
        return ""
    if option.low <= value <= option.high:
        return ""
    return f"{name} must lie between {option.low:g} and {option.high:g}, found {value:g}"


_KINDS = {bool: "yes or no", int: "a whole number", float: "a number", str: "text"}
