"""Verbs about a project as a whole: init, app, demo, doctor."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import AsJson, ProjectFolder, login_name, now
from app.printing import print_json, print_line, print_table, progress_bar
from diagnostics.errors import WinnowError

if TYPE_CHECKING:
    from curation.project import Project


MAX_COLUMNS_TOLD = 5


DEMOS = {
    "": ("digits", "winnow-demo"),
    "--text": ("queries", "winnow-demo-text"),
    "--table": ("biopsies", "winnow-demo-table"),
    "--multilabel": ("digit_sets", "winnow-demo-multilabel"),
}


class Leaks(StrEnum):
    """What becomes of training items that belong with validation or test items."""

    leave_out = "leave-out"
    keep = "keep"


def init(
    project: Annotated[Path, typer.Argument(metavar="PROJECT", help="The folder to make the project in.")],
    data: Annotated[
        Path,
        typer.Option(
            help="CSV, Parquet, JSONL, folder of class folders, or a folder with train/, valid/, test/ …"
        ),
    ],
    images: Annotated[
        Path | None, typer.Option(help="Folder or zip the paths of a table are relative to.")
    ] = None,
    val: Annotated[Path | None, typer.Option(help="A given validation set: CSV, Parquet or folder.")] = None,
    test: Annotated[Path | None, typer.Option(help="The gold test set: CSV, Parquet or folder.")] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help="Items without labels: CSV, Parquet or folder.")
    ] = None,
    path_column: Annotated[
        str | None, typer.Option(help="Column of the paths. Guessed and shown otherwise.")
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the labels.")] = None,
    label_separator: Annotated[
        str | None,
        typer.Option(
            metavar="MARK",
            help="What stands between the labels of an item that has several, such as |. (none) means that it has none "
            "of the labels, an empty cell that nobody labelled it.",
        ),
    ] = None,
    label_columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="A column that says with 1 or 0 whether an item has the label of this name. Repeatable, one a label.",
        ),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="Column of the ids. Default: the path is the id.")
    ] = None,
    split_column: Annotated[
        str | None, typer.Option(help="Column that says train, val, test or unlabelled.")
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(help="Column of what may not be in two splits, such as the patient or the product."),
    ] = None,
    label_from_name: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX", help="The label in a flat folder's file names: group `label`, or the first."
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="The classes, separated by commas. Default: the labels that occur.")
    ] = None,
    val_fraction: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share taken for validation if none is given.")
    ] = 0.2,
    seed: Annotated[
        int, typer.Option(help="Of the validation split. The same seed gives the same split.")
    ] = 0,
    encoding: Annotated[str, typer.Option(help="Of the CSV files.")] = "utf-8",
    modality: Annotated[
        str | None,
        typer.Option(help="What the items are: image, text or tabular. Guessed and said otherwise."),
    ] = None,
    text_column: Annotated[
        list[str] | None, typer.Option(help="Column of the texts; several are joined. Repeatable.")
    ] = None,
    feature_column: Annotated[
        list[str] | None, typer.Option(help="A column that is a feature; the others are none. Repeatable.")
    ] = None,
    ignore_column: Annotated[
        list[str] | None, typer.Option(help="A column that is no feature. Repeatable.")
    ] = None,
    leaks: Annotated[
        Leaks,
        typer.Option(
            help="Training items that are copies of validation or test items, or of their groups: leave them out of "
            "training (winnow leaks takes it back), or keep them."
        ),
    ] = Leaks.leave_out,
    annotator: Annotated[str, typer.Option("--as", help="Who leaves them out. Default: you.")] = "",
    json: AsJson = False,
) -> None:
    """Make a project: take a dataset in, check every item, set broken ones aside and say why."""
    from curation.dataset.intake import IntakeSpec, take_in
    from curation.label_kinds.kind import LabelForm
    from curation.leaks import leave_out_at_import
    from curation.project import Project, refuse_occupied

    refuse_occupied(project)
    if label_columns and label_column:
        raise typer.BadParameter("--label-column and --label-columns are two ways to write labels; use one.")
    spec = IntakeSpec(
        data=data,
        images=images,
        val=val,
        test=test,
        unlabelled=unlabelled,
        path_column=path_column,
        label_column=label_column,
        id_column=id_column,
        split_column=split_column,
        group_column=group_column,
        label_from_name=label_from_name,
        label_form=LabelForm(label_separator or "", tuple(label_columns or ()))
        if label_separator or label_columns
        else None,
        classes=tuple(name.strip() for name in classes.split(",")) if classes else None,
        val_fraction=val_fraction,
        seed=seed,
        encoding=encoding,
        modality=modality,
        text_columns=tuple(text_column or ()),
        feature_columns=tuple(feature_column or ()),
        ignored_columns=tuple(ignore_column or ()),
    )
    with progress_bar(quiet=json) as show:
        intake = take_in(spec, on_progress=show)
    made = Project.create(project, intake, now=now())
    if leaks == Leaks.leave_out:
        leave_out_at_import(made, annotator=annotator or login_name(), now=now())
    if intake.taken_as and not json:
        print_line(f"Taken as {made.modality.nouns}: {intake.taken_as} (--modality decides otherwise).")
    _print_made(made, json)


def app(
    project: ProjectFolder,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen on; other machines cannot reach 127.0.0.1.")
    ] = ("127.0.0.1"),
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    below: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Serve below this path, for a proxy that passes it on: /labels/cats."
        ),
    ] = None,
) -> None:
    """Open the project in the browser."""
    from app.server import serve
    from curation.project import Project

    Project.open(project)
    serve(project, port=port, address=address, headless=not browser, below=below)


def demo(
    project: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PROJECT]",
            help="The folder to make the project in. Default: winnow-demo, -text, -table or -multilabel behind it.",
        ),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Product search queries instead of digits.")] = False,
    table: Annotated[
        bool, typer.Option("--table", help="Rows of a table of measurements instead of digits.")
    ] = False,
    multilabel: Annotated[
        bool,
        typer.Option("--multilabel", help="Pictures with several digits each, and a label for each digit."),
    ] = False,
    open_app: Annotated[
        bool, typer.Option("--app/--no-app", help="Open the app when the queue is ready.")
    ] = True,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the app.")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    json: AsJson = False,
) -> None:
    """A sample with planted errors: make the project, train, rank, open the app at the Performance page."""
    from app.demo import make_demo

    asked = {"--text": text, "--table": table, "--multilabel": multilabel}
    chosen = [flag for flag, is_asked in asked.items() if is_asked]
    if len(chosen) > 1:
        raise typer.BadParameter(f"{' and '.join(chosen)} are {len(chosen)} demos; choose one.")
    sample, default = DEMOS[chosen[0] if chosen else ""]
    with progress_bar(quiet=json) as show:
        made = make_demo(project or Path(default), sample, on_progress=show)
    if json:
        print_json(made)
    else:
        print_line(f"Project: {made.project}")
        print_line(f"First ranked queue after {made.seconds:.0f} s: {made.queue}")
    if open_app:
        from app.server import serve

        serve(made.project, port=port, headless=not browser, open_page="performance")


def doctor(
    project: Annotated[
        Path | None, typer.Argument(metavar="[PROJECT]", help="Check a training of this project instead.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", help="With PROJECT: a run. Default: the newest.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Check this machine: versions, GPU, mixed precision, weights; or the training and the splits of a PROJECT."""
    if project is not None:
        return _training_check(project, run_id, json)
    if run_id is not None:
        raise typer.BadParameter("--run goes with a PROJECT.")
    return _machine_check(json)


def _machine_check(json: bool) -> None:
    from diagnostics.environment import check_environment

    findings = check_environment()
    if json:
        print_json({"checks": findings})
    else:
        columns = {"check": "left", "outcome": "left", "detail": "left", "what to do": "left"}
        rows: list[dict[str, object]] = [
            {"check": row.name, "outcome": row.outcome, "detail": row.detail, "what to do": row.remedy}
            for row in findings
        ]
        print_table("This machine", columns, rows)
    if any(row.outcome == "problem" for row in findings):
        raise WinnowError("At least one check found a problem; see the table.")


def _training_check(folder: Path, run_id: str | None, json: bool) -> None:
    from curation.project import Project
    from curation.runs import read_run
    from curation.training_checks import training_findings
    from diagnostics.checks import ISSUE, OUTCOMES, TIP

    opened = Project.open(folder)
    info = read_run(opened, run_id).info
    findings = training_findings(opened, info.run_id)
    if json:
        return print_json({"run_id": info.run_id, "findings": findings})
    counts = [(sum(finding.outcome == outcome for finding in findings), outcome) for outcome in OUTCOMES]
    print_line(f"{info.name}: " + ", ".join(f"{n} {outcome}" for n, outcome in counts if n))
    for finding in findings:
        print_line(f"{finding.code} {finding.outcome}: {finding.title}. {finding.seen}")
        if finding.outcome in (ISSUE, TIP):
            print_line(f"      Why it matters: {finding.why}")
            print_line(f"      What to do: {finding.remedy}")
    return None


def _print_made(project: "Project", json: bool) -> None:
    from curation.dataset.findings import count_findings
    from curation.leaks import read_leaks
    from diagnostics.task import SPLITS

    counts = project.counts()
    found = count_findings(project.findings, project.checks)
    found = found[found["n"] > 0]
    leaks = read_leaks(project)
    if json:
        return print_json(
            {
                "project": project.folder,
                "classes": project.info.classes,
                "modality": project.info.modality,
                "columns": project.info.columns,
                "content": project.info.content,
                "label_kind": project.info.label_kind,
                "n_items": project.n_items(),
                "counts": counts,
                "fingerprint": project.info.fingerprint,
                "leaks": {"n_in_training": leaks.n_in_training, "n_left_out": leaks.n_left_out},
                "findings": found,
                "details": project.findings,
            }
        )
    used = [f"{role} = {name}" for role, name in project.info.columns.items()]
    if project.info.content:
        n_more = len(project.info.content) - MAX_COLUMNS_TOLD
        more = [f"{n_more} more"] if n_more > 0 else []
        told = " + ".join([*project.info.content[:MAX_COLUMNS_TOLD], *more])
        used.append(f"{project.modality.nouns} = {told}")
    used += [f"labels = {project.info.label_form}"] if str(project.info.label_form) else []
    columns = f"; columns used: {', '.join(used)}" if used else ""
    print_line(f"{project.folder}: {len(project.items)} {project.modality.nouns}{columns}")
    headings = {"class": "left"} | dict.fromkeys(SPLITS, "right")
    print_table("Items", headings, [dict(zip(headings, row, strict=True)) for row in counts.to_numpy()])
    if found.empty:
        print_line(f"{len(project.checks)} checks found nothing wrong.")
    for row in found.to_dict("records"):
        print_line(f"{row['severity']}: {row['n']} × {row['title']}. {row['remedy']}")
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
    if not found.empty:
        print_line(f"Every finding, with file and row: winnow app {project.folder}, page Data; or --json.")
    print_line(f"Next: winnow train {project.folder}")
    return None
