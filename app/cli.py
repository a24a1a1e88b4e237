"""The command line: each verb does what its page does.

Errors are one line on stderr; the exit code is 1 for something wrong with the user's input and 2 for misuse.
Libraries are imported inside the verbs, so that `winnow --help` answers at once and verbs that need no model load none.
"""

import sys

import typer

from app.commands import (
    agreement,
    caps,
    classes,
    decisions,
    intake,
    leaks,
    predictions,
    project,
    ranking,
    reports,
    run_list,
    runs,
)
from app.commands.experiments import experiment
from app.printing import print_note
from diagnostics.errors import WinnowError

USER_ERROR, MISUSE = 1, 2
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

VERBS = (
    (intake.init, "winnow init cats --data train.csv --images photos.zip --test test.csv"),
    (leaks.leaks, "winnow leaks cats --exclude --as ada"),
    (runs.train, "winnow train cats --folds 5 --epochs 16"),
    (predictions.predict, "winnow predict cats --import probs.npy --classes classes.txt --out-of-fold"),
    (reports.report, "winnow report cats --split val --json"),
    (ranking.rank, "winnow rank cats --out ranked.csv"),
    (decisions.decide, "winnow decide cats --from patch.csv --as ada"),
    (decisions.undo, "winnow undo cats --as ada --steps 3"),
    (classes.classes, "winnow classes cats --merge kitten cat --dry-run"),
    (caps.caps, "winnow caps cats --set tabby 400 --as ada"),
    (decisions.export, "winnow export cats --out curated.csv --patch changes.csv"),
    (reports.compare, "winnow compare cats --split test"),
    (decisions.rounds, "winnow rounds cats --close --as ada"),
    (agreement.agreement, "winnow agreement cats --as ada"),
    (run_list.runs, "winnow runs cats --remove run-0007"),
    (runs.jobs, "winnow jobs cats --cancel job-0003"),
    (project.doctor, "winnow doctor cats --run run-0002"),
    (project.app, "winnow app cats --port 8501"),
    (project.demo, "winnow demo --no-app --json"),
)

cli = typer.Typer(
    name="winnow",
    help="Find what is wrong with a labelled dataset, put it right, and see whether that helped.",
    epilog="A first look: winnow demo",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for verb, example in VERBS:
    cli.command(epilog=f"Example: {example}")(verb)
cli.add_typer(experiment, name="experiment")


def main() -> None:
    """The `winnow` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        result = cli(args=arguments, prog_name="winnow", standalone_mode=False)
    except WinnowError as error:
        return _fail(str(error), USER_ERROR)
    except UsageError as error:
        return _fail(f"{error.format_message()} See winnow --help.", MISUSE)  # type: ignore[attr-defined]
    except (typer.Abort, KeyboardInterrupt):
        return _fail("Stopped.", USER_ERROR)
    return result if isinstance(result, int) else 0


def _fail(message: str, exit_code: int) -> int:
    print_note("winnow: " + " ".join(message.split()))
    return exit_code


if __name__ == "__main__":
    main()
