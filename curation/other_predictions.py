"""Rank the predictions of any other model: an array of probabilities and a table of labels, without a project."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from curation.class_list import listed as names_listed
from curation.dataset.sources import ID_NAMES, LABEL_NAMES
from curation.queues import RANKERS
from diagnostics.errors import DataError
from diagnostics.label_issues import find_label_issues
from diagnostics.scores import SCORE_COLUMNS, score_columns, score_items
from diagnostics.task import NO_LABEL, FloatArray, IntArray

RANKED_COLUMNS = ("rank", "item_id", "given_label", *SCORE_COLUMNS, "is_issue")
CLASS_NAMES = ("class", "name", *LABEL_NAMES)
WHOLE_NUMBER = r"0|[1-9]\d{0,8}"
MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class OtherPredictions:
    """Row i of everything belongs to one item.

    item_ids : (n_items,) of str; the row number, from 0, where the table of labels has no id
    codes : (n_items,), positions of the given labels in `classes`, -1 where there is none
    pred_probs : (n_items, n_classes), memory-mapped
    """

    item_ids: Sequence[str]
    codes: IntArray
    classes: tuple[str, ...]
    pred_probs: FloatArray


@dataclass(frozen=True, slots=True)
class Ranking:
    """Items in the order in which to look at them.

    table : RANKED_COLUMNS, most suspect first
    n_left_out : items that have no value to rank by, such as those without a label
    """

    table: pd.DataFrame
    n_issues: int
    n_left_out: int


def read_other_predictions(probs: Path, labels: Path, classes: Path | None = None) -> OtherPredictions:
    """Read a `.npy` of (n_items, n_classes) probabilities and a table with a label column and perhaps one of ids.

    classes : a file that names the classes in the order of the columns, one on each line, or a table. Without it,
        labels that are whole numbers below n_classes are column numbers, and otherwise the different labels, sorted,
        must be as many as there are columns.
    raises : DataError for files that cannot be read, do not fit each other, or hold labels that are no class; rows are
        counted from 0, as in the array
    """
    pred_probs = read_probs(probs)
    table = read_table(labels, n_rows=len(pred_probs), beside=probs.name)
    column = column_named(table, LABEL_NAMES)
    if column is None:
        raise DataError(
            f"{labels.name} has no column that looks like a label; it has {', '.join(table.columns)}. Call it label."
        )
    names = table[column].str.strip()
    known = classes_of_columns(names, pred_probs.shape[1], labels, classes)
    return OtherPredictions(item_ids(table), _codes(names, known, labels), known, pred_probs)


def rank_other_predictions(
    found: OtherPredictions,
    *,
    by: str = "label_quality",
    k: int = 2,
    filter_by: str = "prune_by_noise_rate",
    device: str = "cpu",
) -> Ranking:
    """Score all items, mark the label issues that confident learning finds with this filter, rank by one of RANKERS.

    Equal items stay in their order.
    device : where the scores are computed, see `score_items`
    """
    scores = score_items(found.codes, found.pred_probs, k=k, device=device)
    issues = find_label_issues(found.codes, found.pred_probs, filter_by=filter_by, scores=scores)
    is_issue = np.zeros(len(found.codes), dtype=bool)
    is_issue[issues.rows] = True
    suspicion = getattr(scores, by) * (1 if RANKERS[by].ascending else -1)
    order = np.argsort(suspicion, kind="stable")[: np.count_nonzero(~np.isnan(suspicion))]
    labels = np.array([*found.classes, None], dtype=object)
    table = score_columns(scores, found.classes).assign(
        item_id=np.asarray(found.item_ids, dtype=object), given_label=labels[found.codes], is_issue=is_issue
    )
    ranked = table.iloc[order].assign(rank=np.arange(1, len(order) + 1))
    n_left_out = len(table) - len(order)
    return Ranking(ranked[list(RANKED_COLUMNS)].reset_index(drop=True), len(issues.rows), n_left_out)


def read_probs(path: Path) -> FloatArray:
    """(n_items, n_classes), memory-mapped; what is in it is not looked at.

    raises : DataError if the file holds no such array
    """
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError) as error:
        raise DataError(
            f"{path} is not an array of numbers as numpy.save writes it. Write it with numpy.save, as "
            "float32 or float64."
        ) from error
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.shape[1] == 0:
        shape = found.shape if isinstance(found, np.ndarray) else "of several arrays"
        raise DataError(
            f"{path.name} is {shape}; expected one array of shape (n_items, n_classes). Two classes need two columns."
        )
    return found


def read_table(path: Path, *, n_rows: int | None = None, beside: str = "") -> pd.DataFrame:
    """A CSV as text, "" where a cell is empty; a blank line is a row.

    n_rows : how many rows it must have, one for each row of the array `beside`; None = any number
    raises : DataError if it cannot be read, or has another number of rows
    """
    try:
        table = pd.read_csv(path, dtype=str, na_filter=False, index_col=False, skip_blank_lines=False)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a CSV in UTF-8: {error}.") from error
    if n_rows is not None and len(table) != n_rows:
        raise DataError(
            f"{path.name} has {len(table)} rows and {beside} has {n_rows}: row i of one must belong to row i of the "
            "other."
        )
    return table.fillna("")


def column_named(table: pd.DataFrame, usual: Sequence[str]) -> str | None:
    """The column with the first of these names that there is, in whatever case."""
    lower = {name.strip().lower(): name for name in reversed(table.columns)}
    return next((lower[name] for name in usual if name in lower), None)


def item_ids(table: pd.DataFrame) -> list[str]:
    """The ids that a table gives; the row numbers, from 0, if it has none."""
    column = column_named(table, ID_NAMES)
    ids: list[str] = table[column].tolist() if column is not None else [str(row) for row in range(len(table))]
    return ids


def classes_of_columns(labels: pd.Series, n_classes: int, path: Path, listed: Path | None) -> tuple[str, ...]:
    """The classes of the columns of an array: those listed in a file, else told from the labels in `path`.

    labels : text without spaces around it, "" where there is none
    raises : DataError if they are not n_classes
    """
    if listed is not None:
        return _listed_classes(listed, n_classes)
    given = labels[labels != ""].drop_duplicates()
    whole = bool(given.str.fullmatch(WHOLE_NUMBER).all())
    if whole and (given.empty or given.astype(int).max() < n_classes):
        return tuple(str(code) for code in range(n_classes))
    if len(given) != n_classes:
        raise DataError(
            f"{path.name} has {len(given)} different labels, and the probabilities have {n_classes} columns. Name the "
            f"classes in the order of the columns with --classes. The labels are {names_listed(sorted(given))}."
        )
    return tuple(sorted(given, key=int if whole else str))


def _listed_classes(path: Path, n_classes: int) -> tuple[str, ...]:
    return checked_classes(read_class_names(path), n_classes, where=path.name)


def read_class_names(path: Path) -> list[str]:
    """The names that a file gives: one on each line, or those of a table's column.

    raises : DataError if it cannot be read
    """
    if path.suffix.lower() == ".csv":
        table = read_table(path)
        column = column_named(table, CLASS_NAMES) or table.columns[0]
        names = table[column].str.strip().tolist()
    else:
        try:
            names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read as text in UTF-8: {error}.") from error
    return [name for name in names if name]


def checked_classes(names: Sequence[str], n_classes: int, *, where: str) -> tuple[str, ...]:
    """The names as a tuple.

    where : what they come from
    raises : DataError if one is named twice, or there are not n_classes of them
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{where} names {', '.join(map(repr, repeated))} more than once.")
    if len(names) != n_classes:
        raise DataError(
            f"{where} names {len(names)} classes, and the probabilities have {n_classes} columns."
        )
    return tuple(names)


def _codes(labels: pd.Series, classes: tuple[str, ...], path: Path) -> IntArray:
    codes = pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)
    unknown = np.flatnonzero((codes == NO_LABEL) & (labels != "").to_numpy())
    if len(unknown):
        named = "; ".join(
            f"row {row}: {_with_hint(labels.iloc[row], classes)}" for row in unknown[:MAX_NAMED]
        )
        more = f"; and {len(unknown) - MAX_NAMED} more" if len(unknown) > MAX_NAMED else ""
        raise DataError(f"{path.name} has labels that are none of the {len(classes)} classes: {named}{more}.")
    return codes


def _with_hint(label: str, classes: Sequence[str]) -> str:
    near = difflib.get_close_matches(label, classes, n=1)
    return f"{label!r} (did you mean {near[0]!r}?)" if near else repr(label)
