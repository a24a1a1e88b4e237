"""The verb about experiments: make one, list them, show or remove one."""

import textwrap
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import AsJson, ProjectFolder, option_parameter, with_keywords
from app.printing import (
    difference_with_interval,
    print_json,
    print_line,
    print_note,
    print_table,
    print_wide_table,
    progress_bar,
)
from diagnostics.experiments import EXPERIMENTS
from diagnostics.experiments.options import ExperimentOption, ExperimentSpec, parsed_values

if TYPE_CHECKING:
    from curation.experiments import Experiment, ExperimentInfo

ExperimentId = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="For example exp-0001.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say how often it trains and how long it takes.")
]
MISSING = "–"
HEADING_WIDTH = 14
EXAMPLES = {
    "seeds": "winnow experiment seeds cats --n 5",
    "saturation": "winnow experiment saturation cats --more 50",
    "imbalance": "winnow experiment imbalance cats --full",
    "edits": "winnow experiment edits cats --since 1",
    "class-cap": "winnow experiment class-cap cats --class tabby --drop 25,50,75 --seeds 3 --full",
}

experiment = typer.Typer(
    help="Answer a question about the data by training several times; the cost is said before.",
    epilog="Example: winnow experiment seeds cats --n 5 --dry-run",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _make(spec: ExperimentSpec) -> Callable[..., None]:
    """The verb of one experiment, with one option for each of its own."""

    def make(
        project: ProjectFolder,
        *,
        dry_run: DryRun = False,
        job: Annotated[str | None, typer.Option(hidden=True)] = None,
        json: AsJson = False,
        **options: Any,
    ) -> None:
        _run(spec, project, _parsed(spec, options), dry_run=dry_run, job=job, json=json)

    own = [
        option_parameter(_python_name(name), _annotation(name, option))
        for name, option in spec.options.items()
    ]
    with_keywords(make, own)
    make.__doc__ = spec.sentence
    return make


def _python_name(name: str) -> str:
    return f"{name}_"


def _annotation(name: str, option: ExperimentOption) -> Any:
    flag = "--" + name.replace("_", "-")
    flags = [f"{flag}/--no-{flag[2:]}"] if option.kind is bool else [flag]
    kind = str if option.many else option.kind
    metavar = "A,B,…" if option.many else None
    return Annotated[kind | None, typer.Option(*flags, help=_help(option), metavar=metavar)]


def _help(option: ExperimentOption) -> str:
    sentence = option.help[0].upper() + option.help[1:]
    default = option.none_means if option.default in (None, ()) else _shown(option.default)
    return f"{sentence}. Default: {default}."


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _parsed(spec: ExperimentSpec, given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, those of several values taken apart."""
    values = {name: given[_python_name(name)] for name in spec.options}
    return {
        name: parsed_values(name, spec.options[name], value) if spec.options[name].many else value
        for name, value in values.items()
        if value is not None
    }


def _run(
    spec: ExperimentSpec, project: Any, options: dict[str, Any], *, dry_run: bool, job: str | None, json: bool
) -> None:
    from curation.experiments import experiment_arguments, experiment_cost, make_experiment
    from curation.jobs import EXPERIMENT, running_job
    from curation.project import Project

    opened = Project.open(project)
    cost = experiment_cost(opened, spec.name, options)
    if dry_run:
        return print_json({"experiment": spec.name, "cost": cost}) if json else print_line(str(cost))
    if not json:
        print_note(f"{spec.title}: {cost}")
    argv = experiment_arguments(opened, spec.name, options)
    with progress_bar(quiet=json) as show, running_job(opened, EXPERIMENT, argv, job_id=job) as watched:
        made = make_experiment(opened, spec.name, options, job=watched, on_progress=show)
    return _show(made, json=json)


def list_made(project: ProjectFolder, json: AsJson = False) -> None:
    """List the finished experiments, newest first."""
    from curation.experiments import find_experiments
    from curation.project import Project

    found = find_experiments(Project.open(project))
    infos = [each.info for each in found.made]
    if json:
        return print_json({"experiments": infos, "problems": found.problems})
    for problem in found.problems.values():
        print_note(problem)
    columns = {"experiment": "left", "": "left", "version": "right", "made": "left", "verdict": "left"}
    rows = [
        {
            "experiment": info.experiment_id,
            "": info.title,
            "version": info.dataset_version["number"],
            "made": f"{info.created_at:%Y-%m-%d %H:%M}",
            "verdict": info.verdict,
        }
        for info in infos
    ]
    return print_table("Experiments, newest first", columns, rows)


def show(project: ProjectFolder, experiment_id: ExperimentId, json: AsJson = False) -> None:
    """Show a finished experiment: its verdict, its numbers, what to know about them."""
    from curation.experiments import read_experiment
    from curation.project import Project

    _show(read_experiment(Project.open(project), experiment_id), json=json)


def remove(project: ProjectFolder, experiment_id: ExperimentId, json: AsJson = False) -> None:
    """Delete a finished experiment; what it recommended and was applied stays."""
    from curation.experiments import remove_experiment
    from curation.project import Project

    remove_experiment(Project.open(project), experiment_id)
    if json:
        return print_json({"removed": experiment_id})
    return print_line(f"Removed {experiment_id}.")


def _show(made: "Experiment", *, json: bool) -> None:
    info = made.info
    if json:
        return print_json({"experiment": info, "table": made.table})
    version = info.dataset_version["number"]
    print_line(f"{info.experiment_id}, {info.title}, on dataset version {version} ({info.seconds:.0f} s)")
    print_line(" ".join(filter(None, (info.verdict, info.why))))
    _print_numbers(made)
    for line in (info.agreement, *info.notes):
        if line:
            print_line(line)
    if info.action is not None:
        print_line(
            f"Recommended: {info.action.text}. Do it on the Experiments page, or with: {_verb_of(info)}"
        )
    return None


def _print_numbers(made: "Experiment") -> None:
    """The table without what is the same in every row, which stands above it."""
    rows = [_texts(row) for row in made.table.to_dict("records")]
    names = [
        name for name in (rows[0] if rows else ()) if any(row[name] not in ("", MISSING) for row in rows)
    ]
    alike = [name for name in names if len(rows) > 1 and len({row[name] for row in rows}) == 1]
    names = [name for name in names if name not in alike]
    kinds = {name: made.table[name].dtype.kind if name in made.table else "f" for name in names}
    columns = {_heading(name): "right" if kind in "iuf" else "left" for name, kind in kinds.items()}
    keys = list(takewhile(lambda name: kinds[name] != "f", names))
    headed = [{_heading(name): row[name] for name in names} for row in rows]
    same = "; ".join(f"{name.replace('_', ' ')} {rows[0][name]}" for name in alike)
    print_wide_table(f"Numbers ({same})" if same else "Numbers", columns, headed, n_keys=len(keys))


def _heading(name: str) -> str:
    """The name of a column, in lines that are no wider than most numbers."""
    return "\n".join(textwrap.wrap(name.replace("_", " "), HEADING_WIDTH))


def _texts(row: Mapping[Any, Any]) -> dict[str, str]:
    """The numbers of a row as texts; a difference and its interval stand together, in points."""
    texts, apart = {}, set()
    for name, value in row.items():
        stem = name.removesuffix("difference") if name.endswith("difference") else f"{name}_"
        if f"{stem}low" in row and f"{name}_difference" not in row:
            ends = [f"{stem}{end}" for end in ("low", "high")]
            texts[f"{name}, points"] = difference_with_interval(value, *(row[end] for end in ends))
            apart |= set(ends)
        elif name not in apart:
            texts[name] = _text(value)
    return texts


def _text(value: object) -> str:
    if value is None or value != value:
        return MISSING
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _verb_of(info: "ExperimentInfo") -> str:
    """The command that carries out what an experiment recommends."""
    values = {} if info.action is None else info.action.values
    return f"winnow caps PROJECT --set {values['class']!r} {values['keep']} --reason {info.experiment_id}"


for _spec in EXPERIMENTS.values():
    experiment.command(_spec.name, epilog=f"Example: {EXAMPLES[_spec.name]}")(_make(_spec))
for _verb, _name, _example in (
    (list_made, "list", "winnow experiment list cats"),
    (show, "show", "winnow experiment show cats exp-0001"),
    (remove, "remove", "winnow experiment remove cats exp-0001"),
):
    experiment.command(_name, epilog=f"Example: {_example}")(_verb)
