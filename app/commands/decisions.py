"""Verbs about a person's work: decide, undo, rounds, export."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import Annotator, AsJson, ProjectFolder, RunId, login_name, now
from app.printing import print_json, print_line, print_table

if TYPE_CHECKING:
    from curation.decisions.store import DecisionStore


def decide(
    project: ProjectFolder,
    annotator: Annotator,
    patch: Annotated[
        Path | None,
        typer.Option("--from", help="CSV with id or path, and label and/or verdict. All rows or none."),
    ] = None,
    item: Annotated[str | None, typer.Option(help="One item's id, instead of a file.")] = None,
    label: Annotated[
        str | None,
        typer.Option(help="With --item: its right label; several as cat|dog, none of them as (none)."),
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(help="With --item: label_right, ambiguous, out_of_scope or bad_item.")
    ] = None,
    note: Annotated[str, typer.Option(help="With --item: a note.")] = "",
    unlock_test: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Unlock the gold test set for this command; the reason is logged."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Decide on items: put a label right, confirm it, exclude an item. All rows are applied or none."""
    from curation.patches import decision_on, read_patch
    from curation.project import Project

    if (patch is None) == (item is None):
        raise typer.BadParameter("Give either --from PATCH or --item ID.")
    if item is None and (label is not None or verdict is not None or note):
        raise typer.BadParameter("--label, --verdict and --note go with --item; a patch brings its own.")
    opened = Project.open(project)
    decisions = (
        read_patch(opened, patch)
        if patch is not None
        else [decision_on(opened, str(item), label=label, verdict=verdict, note=note)]
    )
    with _test_unlocked(opened.decisions, annotator, unlock_test):
        result = opened.decisions.decide(decisions, annotator=annotator, now=now())
    if json:
        return print_json(result)
    print_line(f"{result.n_changed} changed, {result.n_already} were so already.")
    return None


def undo(
    project: ProjectFolder,
    annotator: Annotator,
    steps: Annotated[int, typer.Option(min=1, help="How many of your last acts.")] = 1,
    redo: Annotated[bool, typer.Option("--redo", help="Do again what was undone.")] = False,
    json: AsJson = False,
) -> None:
    """Take back your last decisions (or, with --redo, do them again)."""
    from curation.project import Project

    store = Project.open(project).decisions
    step = store.redo if redo else store.undo
    results: list[Any] = []
    for _ in range(steps):
        result = step(annotator, now())
        if result is None:
            break
        results.append(result)
    if json:
        return print_json({"steps": len(results), "acts": results})
    word = "redone" if redo else "undone"
    print_line(f"{len(results)} steps {word}, {sum(result.n_changed for result in results)} items changed.")
    for conflict in (conflict for result in results for conflict in result.conflicts):
        print_line(f"left as it is, changed since by someone else: {conflict}")
    return None


def rounds(
    project: ProjectFolder,
    close: Annotated[
        bool, typer.Option("--close", help="Close the open round: fix a dataset version.")
    ] = False,
    annotator: Annotated[str, typer.Option("--as", help="Who closes it.")] = "",
    json: AsJson = False,
) -> None:
    """List the rounds, or close the open one; the next run trains on the version that closing fixes."""
    from curation.project import Project
    from curation.rounds import close_round, rounds_table

    opened = Project.open(project)
    if close:
        close_round(opened, annotator=annotator or login_name(), now=now())
    table = rounds_table(opened)
    if json:
        return print_json({"rounds": table})
    columns = {
        "round": "right",
        "version": "right",
        "opened": "left",
        "closed": "left",
        "decisions": "right",
        "runs": "left",
    }
    print_table("Rounds", columns, [_round_row(row) for row in table.to_dict("records")])
    return None


def export(
    project: ProjectFolder,
    out: Annotated[Path, typer.Option(help="The curated CSV; a manifest is written beside it.")],
    patch: Annotated[Path | None, typer.Option(help="Write the changes alone to this CSV, too.")] = None,
    run_id: RunId = None,
    leave_out_capped: Annotated[
        bool, typer.Option("--leave-out-capped", help="Leave out train items above the cap on their class.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Write every item with its current label, status, decision and scores."""
    from curation.export import export_curated
    from curation.project import Project

    written = export_curated(
        Project.open(project), out, patch=patch, run_id=run_id, leave_out_capped=leave_out_capped
    )
    if json:
        return print_json(written)
    print_line(f"Written: {', '.join(str(path) for path in written.paths)}")
    columns = {"status": "left", "items": "right"}
    print_table("Items", columns, [{"status": key, "items": n} for key, n in written.statuses.items()])
    return None


@contextmanager
def _test_unlocked(store: "DecisionStore", annotator: str, reason: str | None) -> Iterator[None]:
    """Unlock the test set for a while, if a reason is given; it is locked again whatever happens."""
    if reason is None:
        yield
        return
    was_unlocked = store.test_unlocked()
    store.unlock_test(annotator, reason, now())
    try:
        yield
    finally:
        if not was_unlocked:
            store.lock_test(annotator, now())


def _round_row(row: Mapping[Any, Any]) -> dict[str, object]:
    is_open = str(row["closed"]) in {"None", "NaT"}
    return {
        **row,
        "opened": f"{row['opened']:%Y-%m-%d %H:%M}",
        "closed": "open" if is_open else f"{row['closed']:%Y-%m-%d %H:%M}",
        "runs": row["runs"] or "–",
    }
