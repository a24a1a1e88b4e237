"""Read decisions from a CSV: one an item, by id or path, with a label, a verdict or both. All rows or none."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curation.class_list import ClassList
from curation.decisions.events import VERDICTS, Decision, ItemState, decision_for_label
from curation.export import PATCH_COLUMNS, shown_paths
from curation.exported_labels import read_back
from curation.project import Project
from curation.spreadsheet import is_winnow_export, undo_safe
from diagnostics.errors import DecisionError

MAX_PROBLEMS_SHOWN = 20
ID_COLUMNS = ("id", "item_id")
EXAMPLE = "Expected a CSV with a column id or path, and a column label or verdict (or both)."


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a patch; `number` counts the header as 1."""

    number: int
    item: str
    label: str
    verdict: str
    note: str


def is_winnow_patch(columns: Sequence[str]) -> bool:
    """Whether a table with these columns is a patch that Winnow exported."""
    return set(columns) >= set(PATCH_COLUMNS)


def read_patch(project: Project, path: Path) -> list[Decision]:
    """The decisions of a patch file, to be handed to `DecisionStore.decide` as one act.

    Labels are class names as of now, or ones that the classes had before; several labels are read as
    `curation.exported_labels.read_back` says.
    A row with a label alone means that this is the item's label. In a curated CSV, rows without a verdict say nothing.
    raises : DecisionError listing everything wrong with any row, by row number
    """
    by_path, rows, problems = _read_rows(path)
    ids = ids_by_path(project) if by_path else {item_id: item_id for item_id in project.items["item_id"]}
    classes, form = project.classes, project.info.label_form
    rows = [replace(row, label=read_back(row.label, form, classes)) if row.label else row for row in rows]
    known = [row for row in rows if row.item in ids]
    states = project.decisions.states([ids[row.item] for row in known])
    problems += _unknown_items(rows, ids) + _repeated_items(rows)
    problems += [text for row in known if (text := _wrong_with(row, classes))]
    if problems:
        raise _refusal(path, problems)
    return [_decision(row, states[ids[row.item]]) for row in rows]


def decision_on(
    project: Project, item_id: str, *, label: str | None = None, verdict: str | None = None, note: str = ""
) -> Decision:
    """One decision on one item, by a label, a verdict or both.

    raises : DecisionError if there is neither, or no such item
    """
    if not label and not verdict:
        raise DecisionError(f"{item_id}: give a label, a verdict ({', '.join(VERDICTS)}) or both.")
    classes = project.classes
    known = read_back(label, project.info.label_form, classes) if label else ""
    row = _Row(1, item_id, known, verdict or "", note)
    return _decision(row, project.decisions.states([item_id])[item_id])


def _decision(row: _Row, state: ItemState) -> Decision:
    """label of the row : as it is known here"""
    if not row.verdict:
        return replace(decision_for_label(state, row.label), note=row.note, expected_event=None)
    return Decision(state.item_id, row.verdict, row.label or None, note=row.note)


def _read_rows(path: Path) -> tuple[bool, list[_Row], list[str]]:
    """Whether items are named by path, the rows, and what is wrong with the shape of rows.

    raises : DecisionError if the file as a whole cannot be read
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            records = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DecisionError(f"{path} cannot be read: {error}. {EXAMPLE}") from error
    header = records[0] if records else []
    item_column = next((name for name in (*ID_COLUMNS, "path") if name in header), None)
    if item_column is None or not {"label", "verdict"} & set(header):
        raise DecisionError(f"{path.name} has the columns {', '.join(header) or '(none)'}. {EXAMPLE}")
    exported = is_winnow_export(header)
    written_by_winnow = exported or is_winnow_patch(header)
    rows, problems = [], []
    for number, cells in enumerate(records[1:], 2):
        if not any(cells):
            continue
        if len(cells) != len(header):
            problems.append(f"row {number}: {len(cells)} cells, expected {len(header)}")
            continue
        record = dict(zip(header, cells, strict=True))
        if written_by_winnow:
            record = {name: undo_safe(text) for name, text in record.items()}
        if exported and not record["verdict"]:
            continue
        texts = (record.get(name, "") for name in ("label", "verdict", "note"))
        rows.append(_Row(number, record[item_column], *texts))
    return item_column == "path", rows, problems


def ids_by_path(project: Project) -> dict[str, str]:
    """Item ids by their path, as the source has it and as an export shows it; not by one that several items share."""
    items = project.items
    shown = shown_paths(items, project.info.roots)
    has_path = items["path"] != ""
    unique = items[has_path & ~items["path"].duplicated(keep=False)]
    by_path = dict(zip(unique["path"], unique["item_id"], strict=True))
    return by_path | dict(zip(shown[has_path], items.loc[has_path, "item_id"], strict=True))


def _unknown_items(rows: Sequence[_Row], ids: Mapping[str, str]) -> list[str]:
    return [f"row {row.number}: no item {row.item!r}" for row in rows if row.item not in ids]


def _repeated_items(rows: Sequence[_Row]) -> list[str]:
    first: dict[str, int] = {}
    problems = []
    for row in rows:
        if row.item in first:
            problems.append(f"row {row.number}: {row.item!r} again, as in row {first[row.item]}")
        first.setdefault(row.item, row.number)
    return problems


def _wrong_with(row: _Row, classes: ClassList) -> str:
    if not row.label and not row.verdict:
        return f"row {row.number}: neither a label nor a verdict"
    if row.verdict and row.verdict not in VERDICTS:
        return f"row {row.number}: unknown verdict {row.verdict!r} (known: {', '.join(VERDICTS)})"
    if row.label and classes.key_of(row.label) is None:
        return f"row {row.number}: unknown class {row.label!r}"
    return ""


def _refusal(path: Path, problems: Sequence[str]) -> DecisionError:
    in_order = sorted(problems, key=lambda text: int(text.split()[1].rstrip(":")))
    shown = "; ".join(in_order[:MAX_PROBLEMS_SHOWN])
    more = f"; and {len(problems) - MAX_PROBLEMS_SHOWN} more" if len(problems) > MAX_PROBLEMS_SHOWN else ""
    return DecisionError(f"Nothing was applied: {path.name} has {len(problems)} wrong rows. {shown}{more}.")
