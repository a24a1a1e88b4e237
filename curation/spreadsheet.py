"""Text cells that a spreadsheet cannot take for formulas, and the way back."""

from collections.abc import Iterable

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
MARK = "'"
EXPORT_COLUMNS = frozenset({"id", "path", "split", "label", "given_label", "status", "verdict"})


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
