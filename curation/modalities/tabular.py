"""Rows of a table: each column that is no label, id, split or group is a feature, whose kind is guessed.

The content of a row is the values of its features as they were taken in; columns that were ignored then do not count.
"""

import difflib
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from curation.dataset.cells import LARGEST_EXACT, are_codes, as_names, known_cells, read_dates, read_numbers
from curation.dataset.findings import NOTE, SET_ASIDE, WARNING, Check, Finding, checks_in_words_of
from curation.dataset.image_checks import Unusable
from curation.dataset.sources import CONTENT_PREFIX, Opened, Reading, Source, Table, find_columns
from curation.features import (
    CATEGORICAL,
    CONTINUOUS,
    DATE,
    FEATURES_FILE,
    IGNORED,
    LEAST_READABLE,
    Feature,
    choices,
    features_json,
    used_features,
)
from curation.modalities.content_columns import content_columns, ids_of_content, names_searched
from curation.modalities.modality import Asked, Content, Modality, TakingIn
from curation.spreadsheet import source_name
from diagnostics.errors import DataError
from diagnostics.image_files import ImageRoot
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.task import FEATURE_PREFIX, BoolArray

MAX_ROWS_TOLD = 100
MAX_MARKS_TOLD = 3
ALMOST_ALL_DISTINCT = 0.9
LEAST_FOR_IDS = 20
ALMOST_THE_LABEL = 0.9
ID_ENDINGS = ("id", "index", "uuid", "key")
MISSING = "\x00"
CHECKS = {
    "empty_row": Check(SET_ASIDE, "Rows in which no feature has a value", "Fill the row in or remove it."),
    "mixed_types": Check(
        WARNING,
        "Cells that are no numbers in a column of numbers",
        "Correct the cells, or change the column's kind.",
    ),
    "ambiguous_dates": Check(
        WARNING,
        "Dates of which day and month cannot be told apart",
        "Write them as year-month-day; until then the column is categorical.",
    ),
    "number_format": Check(
        NOTE, "Numbers that are not written plainly", "Check that they are read as they are meant."
    ),
    "ignored_column": Check(
        NOTE, "Columns that are no features", "Nothing to do. The page Data can make a feature of each."
    ),
    "missing_values": Check(
        NOTE, "Missing values", "Nothing to do: models are told that the value is missing."
    ),
}


def _claims(source: Source, opened: Opened, asked: Asked) -> str:
    if not isinstance(opened, Table):
        return ""
    if asked.feature_columns or asked.ignored_columns:
        return "its features were named"
    return "it is a table with neither paths of images nor texts"


def _reading(source: Source, opened: Opened, asked: Asked) -> Reading:
    if not isinstance(opened, Table):
        raise DataError(f"{source.path} is no table; rows are read from CSV, TSV, Parquet or JSONL.")
    names = content_columns(opened, source.asked.labels)
    if not opened.exported:
        used = find_columns(source, opened, needs_path=False).used
        names = [name for name in opened.header if name not in used]
    for name in (*asked.feature_columns, *asked.ignored_columns):
        if name not in map(source_name, names):
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(
                f"{source.path.name} has no column {name!r} that could be a feature; it has {', '.join(names)}.{hint}"
            )
    if not names:
        raise DataError(
            f"{source.path.name} has no column that could be a feature; it has {', '.join(opened.header)}."
        )
    named = {name: source_name(name) if opened.exported else name for name in names}
    return Reading(content=named, needs_path=False, suffixes=())


# ---------------------------------------------------------------- what the columns hold


@dataclass
class _Read:
    """A column as it is stored. found : what there is to say of it, as (code, message, place of the row or None)"""

    feature: Feature
    values: pd.Series
    found: list[tuple[str, str, int | None]] = field(default_factory=list)


def _read_column(name: str, cells: pd.Series, labels: pd.Series, asked: Asked) -> _Read:
    known = known_cells(cells)
    read = _typed(name, known)
    n_missing = int(known.isna().sum())
    if n_missing:
        read.found.append(("missing_values", _missing_message(name, cells, known), None))
    why = _why_ignored(read, known, labels, asked)
    if why:
        read.feature = Feature(name, IGNORED, IGNORED, why)
        read.found = [entry for entry in read.found if entry[0] == "missing_values"]
        read.found.append(("ignored_column", f"Column {name!r} is no feature: {why}.", None))
    return read


def _typed(name: str, known: pd.Series) -> _Read:
    """The column as numbers if nearly all its values are, else as dates if all are, else as names."""
    n_known = int(known.notna().sum())
    if n_known == 0:
        return _as(name, CATEGORICAL, known.astype("str"))
    numbers = read_numbers(known)
    n_bad = int(numbers.unreadable.sum())
    if n_bad <= (1 - LEAST_READABLE) * n_known and not are_codes(known[~numbers.unreadable]):
        if n_bad:
            read = _as(name, CONTINUOUS, known.astype("str"))
            read.found += _mixed(name, known, numbers.unreadable)
            return read
        read = _as(name, CONTINUOUS, pd.Series(numbers.values, index=known.index))
        if numbers.written:
            place = int(np.flatnonzero(known.notna() & ~known.fillna("").str.fullmatch(r"[+-]?\d*"))[0])
            message = (
                f"Column {name!r} has numbers with {numbers.written}: {known.iloc[place]!r} is read as "
                f"{numbers.values[place]:g}."
            )
            read.found.append(("number_format", message, place))
        return read
    dates = read_dates(known)
    if len(dates.fits) == 1:
        return _as(name, DATE, dates.values)
    read = _as(name, CATEGORICAL, known.astype("str"))
    if len(dates.fits) > 1:
        message = f"Column {name!r} holds dates that can be read as {' or as '.join(dates.fits)}."
        read.found.append(("ambiguous_dates", message, int(np.flatnonzero(known.notna())[0])))
    elif 0 < n_bad <= n_known / 2:
        place = int(np.flatnonzero(numbers.unreadable)[0])
        message = (
            f"Column {name!r}: {n_known - n_bad} of {n_known} values are numbers and {n_bad} are not, such as "
            f"{known.iloc[place]!r}; the column is categorical."
        )
        read.found.append(("mixed_types", message, place))
    return read


def _as(name: str, kind: str, values: pd.Series) -> _Read:
    return _Read(Feature(name, kind, kind), values)


def _mixed(name: str, known: pd.Series, unreadable: BoolArray) -> list[tuple[str, str, int | None]]:
    places = np.flatnonzero(unreadable)
    told: list[tuple[str, str, int | None]] = [
        (
            "mixed_types",
            f"Column {name!r}: {known.iloc[place]!r} is no number; it counts as missing.",
            int(place),
        )
        for place in places[:MAX_ROWS_TOLD]
    ]
    if len(places) > MAX_ROWS_TOLD:
        message = f"Column {name!r}: {len(places) - MAX_ROWS_TOLD} more cells are no numbers."
        told.append(("mixed_types", message, None))
    return told


def _missing_message(name: str, cells: pd.Series, known: pd.Series) -> str:
    marks = cells[known.isna()].astype("str").str.strip().value_counts()
    listed = ", ".join(
        f"{repr(mark) if mark else 'empty'} × {n}" for mark, n in marks.head(MAX_MARKS_TOLD).items()
    )
    return f"Column {name!r}: {int(known.isna().sum())} of {len(known)} values are missing ({listed})."


def _why_ignored(read: _Read, known: pd.Series, labels: pd.Series, asked: Asked) -> str:
    """Why the column is no feature, as the end of a sentence; "" if it is one."""
    name = read.feature.name
    if name in asked.ignored_columns:
        return "--ignore-column names it"
    if asked.feature_columns:
        return "" if name in asked.feature_columns else "--feature-column names others"
    values = known.dropna()
    if values.empty:
        return "it is empty"
    if values.nunique() == 1:
        return f"its only value is {values.iloc[0]!r}"
    if _is_the_label(known, labels):
        return "it says the same as the label"
    if _is_an_id(read, values, len(known)):
        return "almost every row has another value, as in a column of ids"
    return ""


def _is_the_label(known: pd.Series, labels: pd.Series) -> bool:
    """Whether the values are the labels, or other words for them, one a class."""
    labelled = ((labels != "") & known.notna()).to_numpy()
    if not labelled.any():
        return False
    pairs = pd.DataFrame({"value": known.to_numpy()[labelled], "label": labels.to_numpy()[labelled]})
    if (pairs["value"] == pairs["label"]).mean() >= ALMOST_THE_LABEL:
        return True
    different = pairs.drop_duplicates()
    renamed = len(different) == different["value"].nunique() == different["label"].nunique()
    return bool(renamed and len(different) > 1 and len(pairs) > len(different))


def _is_an_id(read: _Read, values: pd.Series, n_rows: int) -> bool:
    if len(values) < LEAST_FOR_IDS:
        return False
    n_distinct = values.nunique()
    if read.feature.kind == CATEGORICAL:
        return bool(n_distinct > ALMOST_ALL_DISTINCT * len(values))
    if read.feature.kind != CONTINUOUS or n_distinct < n_rows or not values.str.fullmatch(r"\d+").all():
        return False
    numbers = values.astype(np.float64)
    counts_up = numbers.max() - numbers.min() + 1 == len(numbers)
    return bool(counts_up or read.feature.name.lower().endswith(ID_ENDINGS))


# ---------------------------------------------------------------- taking in


@contextmanager
def _take_in(
    rows: pd.DataFrame, roots: Sequence[ImageRoot], asked: Asked, on_progress: ProgressCallback
) -> Iterator[TakingIn]:
    names = [name.removeprefix(CONTENT_PREFIX) for name in rows.columns if name.startswith(CONTENT_PREFIX)]
    no_table = rows.loc[rows[CONTENT_PREFIX + names[0]].isna(), "source"]
    if len(no_table):
        raise DataError(f"{no_table.iloc[0]} is no table with the columns {', '.join(names)}.")
    columns = []
    for done, name in enumerate(names):
        on_progress(Progress("reading columns", done, len(names)))
        columns.append(_read_column(name, rows[CONTENT_PREFIX + name], rows["label"], asked))
    used = [read for read in columns if read.feature.kind != IGNORED]
    if not used:
        raise DataError(
            "No column is a feature: "
            + "; ".join(f"{read.feature.name!r}: {read.feature.why}" for read in columns)
            + ". Name those that are with --feature-column."
        )
    hashes = _content_hashes(used)
    named = rows.assign(item_id=ids_of_content(rows, hashes))
    table = pd.DataFrame(
        {"content_hash": pd.Series(hashes, dtype=object)}
        | {FEATURE_PREFIX + read.feature.name: read.values.to_numpy() for read in columns}
    ).astype({FEATURE_PREFIX + read.feature.name: read.values.dtype for read in columns})
    nothing = np.flatnonzero(np.all([read.values.isna() for read in used], axis=0)).tolist()
    unusable = {place: Unusable("empty_row", "No feature has a value in this row.") for place in nothing}
    content = Content(
        table=table.drop(index=nothing),
        stored=tuple(FEATURE_PREFIX + name for name in names),
        unusable=unusable,
        alike=lambda items, on_progress: None,
        findings=[
            _finding(code, message, named, place) for read in columns for code, message, place in read.found
        ],
        files={FEATURES_FILE: features_json(read.feature for read in columns)},
    )
    yield TakingIn(named, lambda: content)


def _finding(code: str, message: str, rows: pd.DataFrame, place: int | None) -> Finding:
    if place is None:
        return Finding(code, message)
    row = rows.iloc[place]
    return Finding(code, message, str(row["source"]), int(row["row"]), str(row["path"]), str(row["item_id"]))


def _content_hashes(used: Sequence[_Read]) -> list[str]:
    """SHA-256 of the values of each row, whatever the order of the columns."""
    ordered = sorted(used, key=lambda read: read.feature.name)
    start = hashlib.sha256(json.dumps([read.feature.name for read in ordered], ensure_ascii=False).encode())
    digests = []
    for cells in zip(*(as_names(read.values).fillna(MISSING) for read in ordered), strict=True):
        digest = start.copy()
        digest.update("\x1f".join(cells).encode())
        digests.append(digest.hexdigest())
    return digests


# ---------------------------------------------------------------- what becomes of it


def _searched(table: pa.Table) -> pa.ChunkedArray:
    """The name and the values of a row, told apart by line ends, which no search holds."""
    names = [name for name in table.column_names if name.startswith(FEATURE_PREFIX)]
    cells = [pc.fill_null(table[name].cast(pa.large_string()), "") for name in names]
    return pc.binary_join_element_wise(names_searched(table), *cells, pa.scalar("\n", pa.large_string()))


def _exported(items: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    columns = {name: _as_written(items[FEATURE_PREFIX + name]) for name in names}
    return pd.DataFrame(columns, index=items.index)


def _as_written(column: pd.Series) -> pd.Series:
    """Whole numbers without a point, dates as ISO 8601."""
    if pd.api.types.is_float_dtype(column):
        known = column.dropna()
        are_whole = (known == known.round()) & (known.abs() < LARGEST_EXACT)
        return column.astype("Int64") if are_whole.all() else column
    return as_names(column)


TABULAR = Modality(
    key="tabular",
    noun="row",
    nouns="rows",
    checks=checks_in_words_of("row", "rows", CHECKS),
    claims=_claims,
    reading=_reading,
    take_in=_take_in,
    searched=_searched,
    exported=_exported,
    training_content=used_features,
    training_choices=choices,
)
