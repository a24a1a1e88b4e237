"""The verb about caps: list them, set and lift one, take the last change back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import AsJson, ProjectFolder, login_name, now
from app.printing import print_json, print_line, print_table

if TYPE_CHECKING:
    from curation.class_caps import CapChange
    from curation.project import Project


def caps(
    project: ProjectFolder,
    set_: Annotated[
        tuple[str, int] | None,
        typer.Option("--set", metavar="CLASS N", help="Train on at most N train items of a class."),
    ] = None,
    lift: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Train on all items of a class again.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last change, whoever made it.")] = False,
    reason: Annotated[str, typer.Option(help="--set, --lift: why; kept with the change.")] = "",
    annotator: Annotated[str, typer.Option("--as", help="Who changes them. Default: your login.")] = "",
    json: AsJson = False,
) -> None:
    """List the caps on classes, or set, lift or take one back; what is above a cap stays and is only predicted."""
    from curation.class_caps import lift_cap, set_cap, undo_cap
    from curation.project import Project

    if (set_ is not None) + (lift is not None) + undo > 1:
        raise typer.BadParameter("Give one of --set, --lift and --undo at a time.")
    if reason and set_ is None and lift is None:
        raise typer.BadParameter("--reason goes with --set or --lift.")
    opened, who = Project.open(project), annotator or login_name()
    change = None
    if set_ is not None:
        change = set_cap(opened, *set_, annotator=who, now=now(), reason=reason)
    if lift is not None:
        change = lift_cap(opened, lift, annotator=who, now=now(), reason=reason)
    undone = undo_cap(opened, annotator=who, now=now()) if undo else None
    return _list(opened, change, undone, json=json)


def _list(project: "Project", change: "CapChange | None", undone: "CapChange | None", *, json: bool) -> None:
    from curation.class_caps import cap_table, described
    from curation.rounds import training_items, version_now

    table = cap_table(project, training_items(project, version_now(project)))
    if json:
        return print_json({"caps": table, "change": change, "undone": undone})
    for word, made in (("Done", change), ("Taken back", undone)):
        if made is not None:
            print_line(f"{word}: {described(project, made)}. It counts from the next training on.")
    if table.empty:
        return print_line("No cap is in force: every labelled train item is trained on.")
    columns = {
        "class": "left", "at most": "right", "items": "right", "only predicted": "right",
        "their other labels": "right", "why": "left", "by": "left", "set": "left",
    }  # fmt: skip
    print_table("Caps", columns, [_texts(row) for row in table.to_dict("records")])
    if project.label_kind.cap_note:
        print_line(project.label_kind.cap_note)
    return None


def _texts(row: dict[Any, Any]) -> dict[str, object]:
    return {
        "class": row["class"],
        "at most": row["keep"],
        "items": row["items"],
        "only predicted": row["held_back"],
        "their other labels": row["other_labels"],
        "why": row["reason"],
        "by": row["annotator"],
        "set": f"{row['at']:%Y-%m-%d %H:%M}",
    }
