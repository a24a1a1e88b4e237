"""The verb that makes a project: init."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import AsJson, login_name, now, with_options
from app.printing import print_json, print_line, print_table, progress_bar

if TYPE_CHECKING:
    import pandas as pd

    from curation.dataset.intake import IntakeSpec
    from curation.leaks import LeakReport
    from curation.project import Project

MAX_COLUMNS_TOLD = 5


class Leaks(StrEnum):
    """What becomes of training items that belong with validation or test items."""

    leave_out = "leave-out"
    keep = "keep"


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """Which data to take in, and how to read them."""

    data: Annotated[
        Path,
        typer.Option(
            help="CSV, Parquet, JSONL, folder of class folders, or a folder with train/, valid/, test/ …"
        ),
    ]
    images: Annotated[
        Path | None, typer.Option(help="Folder or zip the paths of a table are relative to.")
    ] = None
    val: Annotated[Path | None, typer.Option(help="A given validation set: CSV, Parquet or folder.")] = None
    test: Annotated[Path | None, typer.Option(help="The gold test set: CSV, Parquet or folder.")] = None
    unlabelled: Annotated[Path | None, typer.Option(help="Items without labels: CSV, Parquet or folder.")] = (
        None
    )
    path_column: Annotated[
        str | None, typer.Option(help="Column of the paths. Guessed and shown otherwise.")
    ] = None
    label_column: Annotated[str | None, typer.Option(help="Column of the labels.")] = None
    label_separator: Annotated[
        str | None,
        typer.Option(
            metavar="MARK",
            help="What stands between the labels of an item that has several, such as |. (none) means that it has none "
            "of the labels, an empty cell that nobody labelled it.",
        ),
    ] = None
    label_columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="A column that says with 1 or 0 whether an item has the label of this name. Repeatable, one a label.",
        ),
    ] = None
    id_column: Annotated[str | None, typer.Option(help="Column of the ids. Default: the path is the id.")] = (
        None
    )
    split_column: Annotated[
        str | None, typer.Option(help="Column that says train, val, test or unlabelled.")
    ] = None
    group_column: Annotated[
        str | None,
        typer.Option(help="Column of what may not be in two splits, such as the patient or the product."),
    ] = None
    label_from_name: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX", help="The label in a flat folder's file names: group `label`, or the first."
        ),
    ] = None
    classes: Annotated[
        str | None, typer.Option(help="The classes, separated by commas. Default: the labels that occur.")
    ] = None
    val_fraction: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share taken for validation if none is given.")
    ] = 0.2
    seed: Annotated[
        int, typer.Option(help="Of the validation split. The same seed gives the same split.")
    ] = 0
    encoding: Annotated[str, typer.Option(help="Of the CSV files.")] = "utf-8"
    modality: Annotated[
        str | None,
        typer.Option(help="What the items are: image, text or tabular. Guessed and said otherwise."),
    ] = None
    text_column: Annotated[
        list[str] | None, typer.Option(help="Column of the texts; several are joined. Repeatable.")
    ] = None
    feature_column: Annotated[
        list[str] | None, typer.Option(help="A column that is a feature; the others are none. Repeatable.")
    ] = None
    ignore_column: Annotated[
        list[str] | None, typer.Option(help="A column that is no feature. Repeatable.")
    ] = None

    def spec(self) -> "IntakeSpec":
        """The same for `curation.dataset.intake.take_in`.

        raises : BadParameter for two ways to write labels
        """
        from curation.dataset.intake import IntakeSpec
        from curation.label_kinds.kind import LabelForm

        if self.label_columns and self.label_column:
            raise typer.BadParameter(
                "--label-column and --label-columns are two ways to write labels; use one."
            )
        several = self.label_separator or self.label_columns
        form = LabelForm(self.label_separator or "", tuple(self.label_columns or ())) if several else None
        return IntakeSpec(
            data=self.data,
            images=self.images,
            val=self.val,
            test=self.test,
            unlabelled=self.unlabelled,
            path_column=self.path_column,
            label_column=self.label_column,
            id_column=self.id_column,
            split_column=self.split_column,
            group_column=self.group_column,
            label_from_name=self.label_from_name,
            label_form=form,
            classes=tuple(name.strip() for name in self.classes.split(",")) if self.classes else None,
            val_fraction=self.val_fraction,
            seed=self.seed,
            encoding=self.encoding,
            modality=self.modality,
            text_columns=tuple(self.text_column or ()),
            feature_columns=tuple(self.feature_column or ()),
            ignored_columns=tuple(self.ignore_column or ()),
        )


@with_options
def init(
    project: Annotated[Path, typer.Argument(metavar="PROJECT", help="The folder to make the project in.")],
    dataset: DatasetOptions,
    leaks: Annotated[
        Leaks,
        typer.Option(
            help="Training items that are copies of validation or test items, or of their groups: leave them out of "
            "training (winnow leaks takes it back), or keep them."
        ),
    ] = Leaks.leave_out,
    annotator: Annotated[str, typer.Option("--as", help="Who leaves them out. Default: you.")] = "",
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Keep decisions, rounds and jobs in this PostgreSQL database, postgresql://user@host/name, instead of "
            "an SQLite file in the folder. Each project makes a schema of its own there, so that many can share one. "
            "No password goes into the URL: it is read from PGPASSWORD or ~/.pgpass. Back up, and remove, the schema "
            "with the folder (pg_dump --schema, DROP SCHEMA … CASCADE). A copy of the folder opens the same decisions.",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Make a project: take a dataset in, check every item, set broken ones aside and say why."""
    from curation.database import refuse_server
    from curation.dataset.intake import take_in
    from curation.leaks import leave_out_at_import
    from curation.project import Project, refuse_occupied

    refuse_occupied(project)
    if database is not None:
        refuse_server(database)
    spec = dataset.spec()
    with progress_bar(quiet=json) as show:
        intake = take_in(spec, on_progress=show)
    made = Project.create(project, intake, now=now(), database=database)
    if leaks == Leaks.leave_out:
        leave_out_at_import(made, annotator=annotator or login_name(), now=now())
    if intake.taken_as and not json:
        print_line(f"Taken as {made.modality.nouns}: {intake.taken_as} (--modality decides otherwise).")
    _show(made, json=json)


def _show(project: "Project", *, json: bool) -> None:
    from curation.dataset.findings import count_findings
    from curation.leaks import read_leaks

    found = count_findings(project.findings, project.checks)
    found = found[found["n"] > 0]
    leaks = read_leaks(project)
    if json:
        return print_json(_as_json(project, found, leaks))
    _print_items(project)
    if found.empty:
        print_line(f"{len(project.checks)} checks found nothing wrong.")
    for row in found.to_dict("records"):
        print_line(f"{row['severity']}: {row['n']} × {row['title']}. {row['remedy']}")
    _print_leaks(project, leaks)
    if place := project.info.database:
        print_line(
            f"Decisions, rounds and jobs: {place.url}, schema {place.schema}. Back it up with the folder: "
            f"pg_dump --schema={place.schema} {quote(str(place.url))}"
        )
    if not found.empty:
        print_line(f"Every finding, with file and row: winnow app {project.folder}, page Data; or --json.")
    return print_line(f"Next: winnow train {project.folder}")


def _as_json(project: "Project", found: "pd.DataFrame", leaks: "LeakReport") -> Mapping[str, object]:
    return {
        "project": project.folder,
        "classes": project.info.classes,
        "modality": project.info.modality,
        "columns": project.info.columns,
        "content": project.info.content,
        "label_kind": project.info.label_kind,
        "n_items": project.n_items(),
        "counts": project.counts(),
        "fingerprint": project.info.fingerprint,
        "database": project.database.to_json(),
        "leaks": {"n_in_training": leaks.n_in_training, "n_left_out": leaks.n_left_out},
        "findings": found,
        "details": project.findings,
    }


def _print_items(project: "Project") -> None:
    from diagnostics.task import SPLITS

    used = _columns_used(project)
    columns = f"; columns used: {', '.join(used)}" if used else ""
    print_line(f"{project.folder}: {len(project.items)} {project.modality.nouns}{columns}")
    headings = {"class": "left"} | dict.fromkeys(SPLITS, "right")
    rows = project.counts().to_numpy()
    print_table("Items", headings, [dict(zip(headings, row, strict=True)) for row in rows])


def _columns_used(project: "Project") -> list[str]:
    used = [f"{role} = {name}" for role, name in project.info.columns.items()]
    content = project.info.content
    if content:
        n_more = len(content) - MAX_COLUMNS_TOLD
        more = [f"{n_more} more"] if n_more > 0 else []
        used.append(f"{project.modality.nouns} = {' + '.join([*content[:MAX_COLUMNS_TOLD], *more])}")
    if form := str(project.info.label_form):
        used.append(f"labels = {form}")
    return used


def _print_leaks(project: "Project", leaks: "LeakReport") -> None:
    if leaks.n_left_out:
        print_line(
            f"{leaks.n_left_out} training items belong with validation or test items and are left out of training: "
            f"winnow leaks {project.folder} shows them, with --undo it takes that back."
        )
    if leaks.n_in_training:
        print_line(
            f"WARNING: {leaks.n_in_training} training items belong with validation or test items, so that these look "
            f"better than they are. Split the data anew, or: winnow leaks {project.folder} --exclude --as NAME"
        )
