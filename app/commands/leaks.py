"""The verb about leaks between splits."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import AsJson, ProjectFolder, login_name, now
from app.printing import print_json, print_line, print_table

if TYPE_CHECKING:
    from curation.leaks import LeakReport

N_SHOWN = 20


def leaks(
    project: ProjectFolder,
    exclude: Annotated[
        bool, typer.Option("--exclude", help="Leave the training items that leak out of training.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take everything back that the leak guard left out.")
    ] = False,
    annotator: Annotated[str, typer.Option("--as", help="With --exclude: who asks for it.")] = "",
    json: AsJson = False,
) -> None:
    """Show which items are copies, near copies or of a group that validation or test hold out."""
    from curation.leaks import leave_out, read_leaks, take_back
    from curation.project import Project

    if exclude and undo:
        raise typer.BadParameter("Give either --exclude or --undo.")
    opened = Project.open(project)
    n_changed = 0
    if exclude:
        n_changed = leave_out(opened, annotator=annotator or login_name(), now=now()).n_changed
    if undo:
        n_changed = take_back(opened, now=now())
    report = read_leaks(opened)
    if json:
        return print_json(_as_json(report, n_changed))
    _print(report, opened.modality.nouns)
    if report.n_waiting:
        print_line(
            f"{report.n_waiting} of those left out are still in the newest dataset version; the next full training "
            f"leaves them out once their round is closed: winnow rounds {project} --close"
        )
    if exclude:
        print_line(f"{n_changed} items left out of training. Take it back: winnow leaks {project} --undo")
    elif undo:
        print_line(f"{n_changed} items can be trained on again.")
    elif report.n_in_training:
        print_line(f"Leave them out of training: winnow leaks {project} --exclude --as NAME")
    return None


def _as_json(report: "LeakReport", n_changed: int) -> dict[str, object]:
    return {
        "n_items": report.n_items,
        "near_looked_for": report.near_looked_for,
        "n_in_training": report.n_in_training,
        "n_left_out": report.n_left_out,
        "n_waiting": report.n_waiting,
        "n_changed": n_changed,
        "counts": report.counts,
        "pairs": report.pairs,
    }


def _print(report: "LeakReport", nouns: str) -> None:
    if not report.near_looked_for:
        print_line(f"Nearly the same {nouns} were not looked for: this project was made by an older Winnow.")
    if report.pairs.empty:
        return print_line(f"None found among {report.n_items:,} items.")
    headings = {
        "kind": "left", "items": "right", "of": "left", "like": "left", "trained on": "right", "meaning": "left",
    }  # fmt: skip
    columns = ("kind", "n_items", "split", "other_split", "n_in_training", "meaning")
    rows = report.counts[list(columns)].to_numpy()
    print_table("Leaks between splits", headings, [dict(zip(headings, row, strict=True)) for row in rows])
    for pair in report.pairs.head(N_SHOWN).to_dict("records"):
        left = "; left out of training" if pair["left_out"] else ""
        print_line(f"{pair['item_id']} ({pair['split']}) is {pair['said']}{left}")
    if len(report.pairs) > N_SHOWN:
        print_line(f"… and {len(report.pairs) - N_SHOWN:,} more pairs: --json lists all.")
    return None
