"""Read predictions that were made elsewhere: an array of probabilities, or a table with one column a class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from curation.dataset.sources import ID_NAMES, LABEL_NAMES, PARQUET_SUFFIXES, PATH_NAMES, SPLIT_NAMES
from curation.export import read_header
from curation.other_predictions import checked_classes, read_class_names, read_probs
from diagnostics.errors import DataError
from diagnostics.task import FloatArray

TABLE_SUFFIXES = (".csv", *PARQUET_SUFFIXES)
ABOUT_ITEMS = {*ID_NAMES, *PATH_NAMES, *LABEL_NAMES, *SPLIT_NAMES}
BATCH_ROWS = 50_000
EXPECTED = (
    "Expected a .npy array of shape (n_items, n_classes), or a .csv or .parquet with one column a class"
)


@dataclass(frozen=True, slots=True)
class ItemNames:
    """What names the item of each row. are_paths : by path, else by id; file : where the names come from"""

    names: Sequence[str]
    are_paths: bool
    file: str


@dataclass(frozen=True, slots=True)
class PredictionFile:
    """Probabilities as they came.

    pred_probs : (n_rows, n_columns), memory-mapped; not checked
    classes : (n_columns,), names as the file or its reader gives them
    items : None if nothing says which item each row belongs to
    """

    pred_probs: FloatArray
    classes: tuple[str, ...]
    items: ItemNames | None


def read_prediction_file(
    path: Path, *, classes: str | None, ids: Path | None, work_dir: Path, known_classes: Sequence[str]
) -> PredictionFile:
    """Read an array, or a table into an array in `work_dir`, a part at a time.

    classes : a file that names the classes of the columns, or their names with commas; a table says it by itself, and
        can have columns that say nothing but its items' id, path, label or split; others if the classes are named
    ids : a file that names the item of each row; a table has a column of ids or paths instead
    known_classes : those of the project, to be named in errors
    raises : DataError for what cannot be read or does not fit together
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist, or is no file. {EXPECTED}.")
    if path.suffix.lower() in TABLE_SUFFIXES:
        return _read_table(path, classes, ids, work_dir, known_classes)
    if path.suffix.lower() != ".npy":
        raise DataError(f"{path.name} is neither. {EXPECTED}.")
    pred_probs = read_probs(path)
    if classes is None:
        raise DataError(
            f"Nothing says which class each of the {pred_probs.shape[1]} columns of {path.name} belongs to. Name them "
            "in their order with --classes, in a file, one on each line, or with commas; those of the project are "
            f"{','.join(known_classes)}."
        )
    names = checked_classes(_class_names(classes), pred_probs.shape[1], where=_where(classes))
    items = None if ids is None else read_item_names(ids, len(pred_probs), path.name)
    return PredictionFile(pred_probs, names, items)


def read_item_names(path: Path, n_rows: int, probs_name: str) -> ItemNames:
    """What names the item of each row: one name on each line of a text, or a table's column of ids or paths.

    raises : DataError if the file cannot be read or has another number of rows
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist, or is no file.")
    if path.suffix.lower() in TABLE_SUFFIXES:
        header = _header(path)
        column = _item_column(header) or (header[0] if len(header) == 1 else None)
        if column is None:
            raise DataError(
                f"{path.name} has no column of ids or paths; it has {', '.join(header)}. Call it id."
            )
        batches = _batches(path, (column,), ())
        names = [name for batch in batches for name in _texts(batch.column(0))]
        found = ItemNames(names, column.lower() in PATH_NAMES, path.name)
    else:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f"{path} cannot be read as text in UTF-8: {error}.") from error
        found = ItemNames(lines, False, path.name)
    if len(found.names) != n_rows:
        raise DataError(
            f"{path.name} names {len(found.names):,} items and {probs_name} has {n_rows:,} rows: row i of one must "
            "belong to row i of the other."
        )
    return found


def _read_table(
    path: Path, classes: str | None, ids: Path | None, work_dir: Path, known_classes: Sequence[str]
) -> PredictionFile:
    header = _header(path)
    item_column = None if ids is not None else _item_column(header)
    columns = [name for name in header if name in known_classes or name.strip().lower() not in ABOUT_ITEMS]
    if classes is not None:
        names = _class_names(classes)
        columns = list(checked_classes(names, len(names), where=_where(classes)))
        lost = [name for name in columns if name not in header]
        if lost:
            raise DataError(
                f"{path.name} has no column {', '.join(map(repr, lost))}; it has {', '.join(header)}."
            )
    if not columns:
        raise DataError(f"{path.name} has no column of probabilities. {EXPECTED}.")
    made = work_dir / "table.float32"
    item_names: list[str] = []
    wanted = (item_column,) if item_column else ()
    with made.open("wb") as file:
        for batch in _batches(path, wanted, columns):
            if item_column:
                item_names += _texts(batch.column(0))
            numbers = [
                _numbers(path, name, batch.column(len(wanted) + place)) for place, name in enumerate(columns)
            ]
            np.column_stack(numbers).tofile(file)
    n_rows = made.stat().st_size // (4 * len(columns))
    if not n_rows:
        raise DataError(f"{path.name} has a header and no rows.")
    pred_probs: FloatArray = np.memmap(made, dtype=np.float32, mode="r", shape=(n_rows, len(columns)))
    items = ItemNames(item_names, item_column.lower() in PATH_NAMES, path.name) if item_column else None
    if ids is not None:
        items = read_item_names(ids, n_rows, path.name)
    return PredictionFile(pred_probs, tuple(columns), items)


def _header(path: Path) -> list[str]:
    try:
        parquet = path.suffix.lower() in PARQUET_SUFFIXES
        header = pq.read_schema(path).names if parquet else list(read_header(path))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path.name} cannot be read: {error}.") from error
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated or not header:
        what = f"several columns named {', '.join(map(repr, repeated))}" if repeated else "no header"
        raise DataError(f"{path.name} has {what}.")
    return header


def _item_column(header: Sequence[str]) -> str | None:
    lower = {name.strip().lower(): name for name in reversed(header)}
    return next((lower[name] for name in (*ID_NAMES, *PATH_NAMES) if name in lower), None)


def _batches(path: Path, texts: Sequence[str], numbers: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The columns of texts, then those of numbers, a part of the rows at a time."""
    columns = [*texts, *numbers]
    try:
        if path.suffix.lower() in PARQUET_SUFFIXES:
            for batch in pq.ParquetFile(path).iter_batches(batch_size=BATCH_ROWS, columns=columns):
                yield batch.select(columns)
            return
        kinds = dict.fromkeys(texts, pa.string()) | dict.fromkeys(numbers, pa.float64())
        options = pc.ConvertOptions(column_types=kinds, include_columns=columns, strings_can_be_null=False)
        yield from pc.open_csv(path, convert_options=options)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path.name} cannot be read: {error}.") from error


def _numbers(path: Path, name: str, column: pa.Array) -> FloatArray:
    """(n,) float32, NaN where there is none."""
    try:
        values: FloatArray = column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float32)
    except pa.ArrowException as error:
        raise DataError(f"{path.name}: column {name!r} is {column.type}, expected probabilities.") from error
    return values


def _texts(column: pa.Array) -> list[str]:
    """Numbers as they are written, nothing for what is missing."""
    texts: list[str] = column.cast(pa.string()).fill_null("").to_pylist()
    return texts


def _class_names(text: str) -> list[str]:
    """From a file, or with commas."""
    path = Path(text)
    if path.is_file():
        return read_class_names(path)
    if "," not in text:
        raise DataError(f"--classes {text} is no file that there is, nor several names with commas.")
    return [name.strip() for name in text.split(",") if name.strip()]


def _where(classes: str) -> str:
    return Path(classes).name if Path(classes).is_file() else "--classes"
