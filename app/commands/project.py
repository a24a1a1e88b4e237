"""Verbs about a project and the machine: app, demo, doctor."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import AsJson, ProjectFolder
from app.printing import print_json, print_line, print_table, progress_bar
from diagnostics.errors import WinnowError

DEMOS = {
    "": ("digits", "winnow-demo"),
    "--text": ("queries", "winnow-demo-text"),
    "--table": ("biopsies", "winnow-demo-table"),
    "--multilabel": ("digit_sets", "winnow-demo-multilabel"),
}


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
