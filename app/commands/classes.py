"""The verb about classes: list them, add, rename and merge them, take the last change back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import AsJson, ProjectFolder, login_name, now
from app.printing import print_json, print_line, print_table

if TYPE_CHECKING:
    from curation.class_list import ClassEdit
    from curation.project import Project


def classes(
    project: ProjectFolder,
    add: Annotated[str | None, typer.Option(metavar="NAME", help="Add a class, after the others.")] = None,
    rename: Annotated[
        tuple[str, str] | None, typer.Option(metavar="OLD NEW", help="Give a class another name.")
    ] = None,
    merge: Annotated[
        tuple[str, str] | None, typer.Option(metavar="OLD INTO", help="Count one class as another one.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last change, whoever made it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    annotator: Annotated[str, typer.Option("--as", help="Who changes them. Default: your login.")] = "",
    json: AsJson = False,
) -> None:
    """List the classes, or add, rename or merge one; labels and decisions stay as they are and can be had back."""
    from curation.class_list import ADD, MERGE, RENAME, ClassEdit
    from curation.project import Project

    edits = [
        *([ClassEdit(ADD, add)] if add is not None else []),
        *([ClassEdit(RENAME, *rename)] if rename is not None else []),
        *([ClassEdit(MERGE, *merge)] if merge is not None else []),
    ]
    if len(edits) + undo > 1:
        raise typer.BadParameter("Give one of --add, --rename, --merge and --undo at a time.")
    if dry_run and not edits and not undo:
        raise typer.BadParameter("--dry-run goes with --add, --rename, --merge or --undo.")
    opened, who = Project.open(project), annotator or login_name()
    if undo:
        return _undo(opened, who, dry_run=dry_run, json=json)
    if edits:
        return _edit(opened, edits[0], who, dry_run=dry_run, json=json)
    return _list(opened, json=json)


def _list(project: "Project", *, json: bool) -> None:
    from curation.classes import class_table, described, last_change
    from diagnostics.task import SPLITS

    table, last = class_table(project), last_change(project)
    if json:
        return print_json({**_classes_now(project), "classes": table, "last_change": last})
    records: list[dict[str, Any]] = list(table.to_dict("records"))  # type: ignore[arg-type]
    rows = [row | {"key": "" if row["key"] == row["name"] else row["key"]} for row in records]
    splits = [split for split in SPLITS if table[split].any()]
    keys = ["key"] if any(row["key"] for row in rows) else []
    texts: dict[str, str] = {"name": "left", **dict.fromkeys(keys, "left")}
    print_table("Classes", texts | dict.fromkeys([*splits, "decisions"], "right"), rows)
    if last is not None:
        print_line(f"Last change: {described(project, last)} ({last.annotator}, {last.at:%Y-%m-%d %H:%M})")
    return None


def _edit(project: "Project", edit: "ClassEdit", who: str, *, dry_run: bool, json: bool) -> None:
    from curation.classes import apply, preview

    previewed = preview(project, edit)
    change = None if dry_run else apply(project, edit, annotator=who, now=now())
    if json:
        return print_json(
            {"dry_run": dry_run, "preview": previewed, "change": change, **_classes_now(project)}
        )
    print_line(str(previewed))
    _say_done(project, dry_run=dry_run)
    return None


def _undo(project: "Project", who: str, *, dry_run: bool, json: bool) -> None:
    from curation.classes import check_undo, described, undo_last

    undone = check_undo(project)
    if not dry_run:
        undo_last(project, annotator=who, now=now(), expected=undone.number)
    if json:
        return print_json({"dry_run": dry_run, "undone": undone, **_classes_now(project)})
    print_line(f"Taken back: {described(project, undone)}.")
    if dry_run:
        print_line("Nothing was changed (--dry-run).")
    return None


def _say_done(project: "Project", *, dry_run: bool) -> None:
    if dry_run:
        return print_line("Nothing was changed (--dry-run).")
    return print_line(f"Done. To take it back: winnow classes {project.folder} --undo")


def _classes_now(project: "Project") -> dict[str, Any]:
    found = project.classes
    return {"class_change": found.number, "names": found.names}
