"""The verb about the runs that there are: list them, keep or remove one."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import AsJson, ProjectFolder, login_name, now
from app.printing import print_json, print_line, print_note, print_table

if TYPE_CHECKING:
    from curation.run_removal import Removal
    from diagnostics.run_folder import RunInfo


def runs(
    project: ProjectFolder,
    remove: Annotated[
        str | None, typer.Option(metavar="RUN", help="Delete a run; says what goes and asks.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="RUN", help="Never delete a quick run by itself.")
    ] = None,
    let_go: Annotated[str | None, typer.Option(metavar="RUN", help="The opposite of --keep.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="--remove: do not ask.")] = False,
    annotator: Annotated[str, typer.Option("--as", help="Who removes it. Default: your login.")] = "",
    json: AsJson = False,
) -> None:
    """List the finished runs; keep or remove one. Old quick runs go by themselves when new ones have come."""
    from curation.project import Project
    from curation.run_folders import broken_runs, list_runs
    from curation.run_removal import keep_run, kept_runs, plan_removal, remove_run

    if sum(option is not None for option in (remove, keep, let_go)) > 1:
        raise typer.BadParameter("Give one of --remove, --keep and --let-go at a time.")
    if (yes or annotator) and remove is None:
        raise typer.BadParameter("--yes and --as go with --remove.")
    opened = Project.open(project)
    if keep is not None:
        keep_run(opened, keep)
    if let_go is not None:
        keep_run(opened, let_go, keep=False)
    removed = None
    if remove is not None:
        _confirm(plan_removal(opened, remove), asks=not (yes or json))
        removed = remove_run(opened, remove, annotator=annotator or login_name(), now=now())
    found, broken, kept = list_runs(opened), broken_runs(opened), kept_runs(opened)
    if json:
        rows = [
            {"run_id": info.run_id, "kept": info.run_id in kept, "info": info.to_json()} for info in found
        ]
        return print_json({"runs": rows, "broken": broken, "removed": removed})
    if removed is not None:
        print_line(f"Removed {removed.name}: {_megabytes(removed.n_bytes)}.")
    columns = {"run": "left", "version": "right", "model": "left", "trained on": "right", "": "left"}
    print_table("Finished runs, newest first", columns, [_row(info, kept) for info in reversed(found)])
    for each in broken:
        print_note(str(each))
    return None


def _confirm(removal: "Removal", *, asks: bool) -> None:
    """Say what goes and ask; raises Abort if the answer is no."""
    if not asks:
        return
    print_line(f"This deletes {removal.name}: {_megabytes(removal.n_bytes)}. It cannot be undone.")
    for effect in removal.effects:
        print_line(effect)
    typer.confirm("Delete it?", abort=True)


def _row(info: "RunInfo", kept: frozenset[str]) -> dict[str, object]:
    return {
        "run": info.name,
        "version": info.dataset_version["number"],
        "model": info.arch,
        "trained on": f"{info.n_train:,}",
        "": "kept" if info.run_id in kept else "",
    }


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
