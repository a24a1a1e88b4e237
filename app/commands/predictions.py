"""The verb about models that were trained elsewhere: predict."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import AsJson, ProjectFolder, ThresholdRule, now, with_options
from app.printing import IN_SAMPLE_NOTE, plain, print_json, print_line, progress_bar

if TYPE_CHECKING:
    from curation.imported_predictions import ImportSpec


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What `curation.imported_predictions.ImportSpec` says, under the same names."""

    probs: Annotated[
        Path,
        typer.Option(
            "--import",
            metavar="PROBS",
            help="Probabilities of any model: a .npy of shape (n_items, n_classes), or a .csv or .parquet with one "
            "column a class and one of ids or paths. Of items with one label each row sums to 1; of several labels "
            "each column is a probability by itself, as after a sigmoid.",
        ),
    ]
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|A,B,C",
            help="The classes in the order of the columns: a file with one on each line, or names with commas. A table "
            "says it by itself.",
        ),
    ] = None
    ids: Annotated[
        Path | None,
        typer.Option(
            help="The item of each row: a .txt with one id on each line, or a table with a column id or path, such as "
            "an export. Default: all items of the project in the order of an export."
        ),
    ] = None
    out_of_fold: Annotated[
        bool,
        typer.Option(
            "--out-of-fold",
            help="Training items were predicted by models that were not trained on them. Without it they count as in "
            "sample.",
        ),
    ] = False
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="A .npy of shape (n_items, n_features), of one model: for neighbours and likeness."
        ),
    ] = None
    name: Annotated[str, typer.Option(help="What to call the model.")] = ""
    partly: Annotated[
        bool, typer.Option("--partly", help="Leave items without a prediction out instead of refusing.")
    ] = False
    thresholds: Annotated[
        ThresholdRule,
        typer.Option(
            help="Several labels an item: from which probability on one is predicted. best_f1: of each class the one "
            "with the best F1 where the items are held out; or the same for all.",
        ),
    ] = ThresholdRule.best_f1

    def spec(self) -> "ImportSpec":
        from curation.imported_predictions import ImportSpec

        return ImportSpec(**asdict(self) | {"thresholds": self.thresholds.value})


@with_options
def predict(project: ProjectFolder, predictions: ImportOptions, json: AsJson = False) -> None:
    """Make a run from the predictions of any model, for all but training: queues, reports, comparison, advice."""
    from curation.imported_predictions import import_predictions
    from curation.project import Project
    from curation.rounds import rounds_table
    from curation.run_folders import read_run
    from diagnostics.label_quality import read_label_quality

    opened = Project.open(project)
    n_open = int(rounds_table(opened)["decisions"].iloc[-1])
    with progress_bar(quiet=json) as show:
        run_id = import_predictions(opened, predictions.spec(), now=now(), on_progress=show)
    run = read_run(opened, run_id)
    n_items = len(run.predictions)
    quality = read_label_quality(run.folder)
    missing = {} if quality is None else quality.missing
    if json:
        return print_json(
            {
                "run_id": run_id,
                "n_items": n_items,
                "in_sample": run.info.in_sample,
                "n_decisions_left_out": n_open,
                "missing_signals": missing,
                "notes": run.info.notes,
                "info": plain(run.info),
            }
        )
    print_line(f"{run.info.name}: {n_items:,} items" + (IN_SAMPLE_NOTE if run.info.in_sample else ""))
    for note in run.info.notes:
        print_line(note)
    for signal, why in missing.items():
        print_line(f"Label quality without {signal.replace('_', ' ')}: {why}.")
    if n_open:
        print_line(
            f"{n_open:,} decisions of the open round are not in this run: winnow rounds {project} --close first, and "
            "import again, if the model was trained with them."
        )
    print_line(f"Next: winnow report {project}, winnow rank {project}, winnow app {project}")
    return None
