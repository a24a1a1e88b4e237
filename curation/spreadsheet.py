"""The columns of the curated CSV, and cells that a spreadsheet cannot take for formulas, and the way back."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
MARK = "'"
EXPORTED_SCORES = (
    "predicted_label", "p_given", "p_predicted", "loss", "confusion", "margin", "entropy", "label_quality",
)  # fmt: skip
CURATED_COLUMNS = (
    "id", "path", "split", "label", "given_label", "status", "verdict", "annotator", "decided_at", "round",
    *EXPORTED_SCORES,
)  # fmt: skip
EXPORT_COLUMNS = frozenset({"id", "path", "split", "label", "given_label", "status", "verdict"})
SOURCE_PREFIX = "source:"
MANIFEST_SUFFIX = ".manifest.json"


def make_safe(text: str) -> str:
    """The text with an apostrophe before it if it could be taken for a formula (or starts with one itself).

    >>> make_safe("=1+1"), make_safe("cat")
    ("'=1+1", 'cat')
    """
    return MARK + text if text.startswith((*FORMULA_STARTS, MARK)) else text


def undo_safe(text: str) -> str:
    """The text that `make_safe` was given.

    >>> undo_safe("'=1+1"), undo_safe("cat")
    ('=1+1', 'cat')
    """
    return text.removeprefix(MARK)


def is_winnow_export(columns: Iterable[str]) -> bool:
    """Whether a table with these columns is a curated CSV that Winnow wrote."""
    return set(columns) >= EXPORT_COLUMNS


def exported_name(name: str) -> str:
    """What a column of the source is called in an export: its name, unless Winnow has a column of that name.

    >>> exported_name("age"), exported_name("label")
    ('age', 'source:label')
    """
    taken = name in CURATED_COLUMNS or name.startswith(SOURCE_PREFIX)
    return SOURCE_PREFIX + name if taken else name


def source_name(column: str) -> str:
    """The name that `exported_name` was given.

    >>> source_name("source:label")
    'label'
    """
    return column.removeprefix(SOURCE_PREFIX)


def read_manifest(export: Path) -> dict[str, Any]:
    """What the manifest beside an export says; empty if there is none."""
    try:
        values = json.loads(export.with_name(export.name + MANIFEST_SUFFIX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
