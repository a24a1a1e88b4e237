"""Read what a dataset is given as - a table, a folder, a zip - into rows of path, label, id, split and content."""

import csv
import difflib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from curation.dataset.findings import Finding
from curation.spreadsheet import exported_name, is_winnow_export, undo_safe
from diagnostics.errors import DataError
from diagnostics.image_files import ImageRoot
from diagnostics.multilabel.label_sets import HAS, HAS_NOT, LABELLED_WITH_NONE, SEPARATOR

PATH_NAMES = ("path", "file_path", "filepath", "image_path", "file", "filename", "file_name", "image", "img")
LABEL_NAMES = (
    "label", "class", "category", "target", "given_label", "class_name", "labels", "intent",
)  # fmt: skip
ID_NAMES = ("id", "item_id", "image_id", "uid", "uuid")
SPLIT_NAMES = ("split", "set", "subset", "partition")
SPLIT_VALUES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "holdout"),
    "unlabelled": ("unlabelled", "unlabeled"),
}
SPLIT_OF_VALUE = {value: split for split, values in SPLIT_VALUES.items() for value in values}
SPLIT_OF_FOLDER = {
    "train": "train",
    "valid": "val",
    "val": "val",
    "validation": "val",
    "test": "test",
    "unlabelled": "unlabelled",
    "unlabeled": "unlabelled",
}
FALLBACK_ENCODINGS = ("utf-16", "cp1252")
DELIMITERS = ",;\t|"
PARQUET_SUFFIXES = (".parquet", ".pq")
JSON_SUFFIXES = (".jsonl", ".ndjson")
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", *PARQUET_SUFFIXES, *JSON_SUFFIXES)
MAX_CELL = 2**31 - 1

RAW_COLUMNS = ("path", "label", "item_id", "split", "group", "source", "row", "root")
CONTENT_PREFIX = (
    "content:"  # before the name of a source column whose cells are, or hold, the content of items
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what; None = there is no such column.

    labels : one a class, which say whether an item has it; () = there are none. Of what is asked for, the classes.
    """

    path: str | None = None
    label: str | None = None
    id: str | None = None
    split: str | None = None
    group: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def used(self) -> frozenset[str]:
        """The columns that hold something."""
        return frozenset((*self.named.values(), *self.labels))

    @property
    def named(self) -> dict[str, str]:
        """The column of each role that one column alone has."""
        roles = {name: getattr(self, name) for name in ("path", "label", "id", "split", "group")}
        return {role: name for role, name in roles.items() if name is not None}


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to read.

    role : "data", "val", "test" or "unlabelled"
    images : where a table's paths lead; None = the table's own folder
    asked : column names that the user gave
    """

    path: Path
    role: str
    images: Path | None
    asked: Columns
    label_from_name: str | None
    encoding: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it stands, every cell a text; of an export of Winnow, without the marks against formulas.

    numbers : the file row of each row (header = 1); findings : on the rows that are not sound and not here
    """

    header: list[str]
    rows: list[list[str]]
    numbers: list[int]
    findings: list[Finding]
    exported: bool

    def column(self, name: str, *, at_most: int | None = None) -> list[str]:
        """The cells of a column, or of its first few rows."""
        place = self.header.index(name)
        return [row[place] for row in self.rows[:at_most]]


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder or a zip, as relative posix paths, sorted."""

    root: ImageRoot
    names: list[str]


Opened = Table | Listing


@dataclass(frozen=True, slots=True)
class Reading:
    """How the sources of a dataset are read, which the modality decides by what the main one holds.

    content : the columns of tables that hold content, and what the content is named; needs_path : whether each row
        names a file
    suffixes : what names of files end in that are items
    """

    content: Mapping[str, str]
    needs_path: bool
    suffixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """What was read: rows with RAW_COLUMNS (all text but row and root) and a column CONTENT_PREFIX + name for each
    content (all text, None where the source is no table), the findings so far, the columns used.

    root : position in the list of roots that the caller keeps
    """

    rows: pd.DataFrame
    findings: list[Finding]
    columns: Columns


def open_source(source: Source) -> Opened:
    """Look into a source: all cells of a table, or the names of the files in a folder or zip.

    raises : DataError if the source as a whole cannot be read
    """
    if not source.path.exists():
        raise DataError(f"{source.path} does not exist. Check the path given for --{source.role}.")
    if source.path.is_file() and source.path.suffix.lower() in TABLE_SUFFIXES:
        return _open_table(source)
    if source.path.is_file() and source.path.suffix.lower() != ".zip":
        raise DataError(
            f"{source.path} is no table ({', '.join(TABLE_SUFFIXES)}), no folder and no zip file. "
            f"Check the path given for --{source.role}."
        )
    root = ImageRoot.at(source.path)
    names = root.names()
    if not names:
        raise DataError(f"{source.path} holds no files.")
    return Listing(root, names)


def read_source(source: Source, opened: Opened, reading: Reading, roots: list[ImageRoot]) -> Raw:
    """Make rows of what a source holds; adds the root of its files to `roots` unless it is there.

    raises : DataError if a column that is needed is not there, or the folders tell no classes
    """
    if isinstance(opened, Table):
        return _read_table(source, opened, reading, roots)
    return _read_listing(source, opened, reading, roots)


# ---------------------------------------------------------------- tables


def _open_table(source: Source) -> Table:
    suffix = source.path.suffix.lower()
    if suffix in PARQUET_SUFFIXES:
        header, records, findings = _parquet_rows(source.path)
    elif suffix in JSON_SUFFIXES:
        header, records, findings = _json_rows(source)
    else:
        header, records, findings = _csv_rows(source)
    numbers, rows = [number for number, _ in records], [fields for _, fields in records]
    if exported := is_winnow_export(header):
        header = [undo_safe(name) for name in header]
        rows = [[undo_safe(field) for field in fields] for fields in rows]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(f"{source.path.name} has several columns named {', '.join(map(repr, repeated))}.")
    if not rows and not findings:
        raise DataError(f"{source.path.name} has a header and no rows. Expected one row an item.")
    return Table(header, rows, numbers, findings, exported)


def _read_table(source: Source, table: Table, reading: Reading, roots: list[ImageRoot]) -> Raw:
    columns = find_columns(source, table, needs_path=reading.needs_path)
    root = _root_number(ImageRoot.at(source.images or source.path.parent), roots)
    frame = _frame(source, table, columns, reading, root)
    findings = list(table.findings)
    left_out = np.zeros(len(frame), dtype=np.bool_)
    if columns.labels:
        frame["label"], unreadable = _labels_of_columns(table, columns.labels, source.asked.labels)
        rows = frame.iloc[list(unreadable)]
        told = zip(unreadable.values(), rows["source"], rows["row"], rows["path"], strict=True)
        findings += [Finding("unreadable_labels", *each) for each in told]
        left_out[list(unreadable)] = True
    frame["path"] = frame["path"].map(_plain)
    frame["label"] = frame["label"].map(lambda label: label if label.strip() else "")
    frame["group"] = frame["group"].map(str.strip)
    if table.exported:
        status = pd.Series(table.column("status"), dtype=object)
        frame.loc[status == "added", "split"] = "train"
        findings += _excluded(frame[status == "excluded"])
        left_out |= (status == "excluded").to_numpy(dtype=np.bool_)
    frame = frame[~left_out].reset_index(drop=True)
    return _raw(frame, findings, columns, source)


def _frame(source: Source, table: Table, columns: Columns, reading: Reading, root: int) -> pd.DataFrame:
    """The cells of a table as they are: RAW_COLUMNS and what the items are read from.

    root : its number among the image roots
    raises : DataError if a column that is to be read is not there
    """
    lost = [name for name in reading.content if name not in table.header]
    if lost:
        raise DataError(
            f"{source.path.name} lacks the columns {', '.join(map(repr, lost))}; it has {', '.join(table.header)}."
        )
    return pd.DataFrame(
        {name: _cells(table, column) for name, column in zip(RAW_COLUMNS, _named(columns), strict=False)}
        | {"source": source.path.name, "row": table.numbers, "root": root}
        | {CONTENT_PREFIX + name: table.column(column) for column, name in reading.content.items()},
        dtype=object,
    )


def _labels_of_columns(
    table: Table, names: Sequence[str], classes: Sequence[str]
) -> tuple[list[str], dict[int, str]]:
    """The label text of each row of a table with one column a class, and what is wrong with those that have none.

    names : of the columns; classes : what they say whether an item has
    A row whose cells are all empty has no label; with some empty ones it cannot be read.
    """
    cells = np.array([table.column(name) for name in names], dtype=object).reshape(
        len(names), len(table.rows)
    )
    values = np.char.lower(np.char.strip(cells.astype(str)))
    has, empty = np.isin(values, HAS), values == ""
    known = has | np.isin(values, HAS_NOT)
    labelled = ~empty.all(axis=0)
    wrong = ~known & labelled
    unreadable = {}
    for place in np.flatnonzero(wrong.any(axis=0)).tolist():
        column = int(np.flatnonzero(wrong[:, place])[0])
        unreadable[place] = f"Expected 1 or 0 in column {names[column]!r}, found {cells[column, place]!r}."
    labels = [""] * len(table.rows)
    for place in np.flatnonzero(labelled).tolist():
        of_row = [name for name, is_so in zip(classes, has[:, place], strict=True) if is_so]
        labels[place] = SEPARATOR.join(of_row) or LABELLED_WITH_NONE
    return labels, unreadable


def _cells(table: Table, column: str | None) -> list[str]:
    return [""] * len(table.rows) if column is None else table.column(column)


def _excluded(rows: pd.DataFrame) -> list[Finding]:
    told = zip(*(rows[name] for name in ("source", "row", "path", "item_id")), strict=True)
    return [Finding("excluded", "Excluded by an earlier decision.", *place) for place in told]


def _plain(path: str) -> str:
    """One spelling a file: "./a.png" and "x//a.png" are a.png and x/a.png."""
    return PurePosixPath(path).as_posix() if "./" in path or "//" in path else path


def _named(columns: Columns) -> tuple[str | None, ...]:
    return columns.path, columns.label, columns.id, columns.split, columns.group


def _csv_rows(source: Source) -> tuple[list[str], list[tuple[int, list[str]]], list[Finding]]:
    """The header, (file row, fields) of each sound row, and a finding for each that is not."""
    csv.field_size_limit(MAX_CELL)
    text = _decode(source.path, source.encoding)
    if not text.strip():
        raise DataError(f"{source.path.name} is empty. Expected a header row, then one row an item.")
    text = text.lstrip("\r\n")
    delimiter = max(DELIMITERS, key=lambda mark: _n_fields(text, mark))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    findings: list[Finding] = []
    records: list[tuple[int, list[str]]] = []
    header: list[str] = []
    line = 0
    try:
        for fields in reader:
            row, line = line + 1, reader.line_num
            if not fields:
                continue
            if not header:
                header = [name.strip() for name in fields]
            elif len(fields) != len(header):
                message = f"Expected {len(header)} fields as in the header, found {len(fields)}."
                findings.append(Finding("ragged_row", message, source.path.name, row, fields[0]))
            else:
                records.append((row, fields))
    except csv.Error as error:
        raise DataError(
            f"{source.path.name}, row {line + 1}: the CSV cannot be read from here on: {error}. "
            "Check the quotes: one that is opened must be closed, and one inside a quoted cell is doubled."
        ) from error
    return header, records, findings


def _n_fields(text: str, delimiter: str) -> int:
    """How many columns the first row has if this is the delimiter."""
    return len(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), ()))


def _decode(path: Path, encoding: str) -> str:
    data = path.read_bytes()
    try:
        return data.decode(decodable(encoding))
    except LookupError as error:
        raise DataError(f"Python knows no encoding {encoding!r}. Try --encoding utf-8 or cp1252.") from error
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise DataError(
            f"{path.name}, row {row}: byte {byte:#04x} at position {error.start} is not {encoding}. "
            f"{_encoding_hint(data)}"
        ) from error


def decodable(encoding: str) -> str:
    """The encoding, with a byte-order mark if there may be one."""
    return "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding


def _encoding_hint(data: bytes) -> str:
    guess = FALLBACK_ENCODINGS[0] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else FALLBACK_ENCODINGS[1]
    try:
        data.decode(guess)
    except UnicodeDecodeError:
        return "Save the file as UTF-8, or name its encoding with --encoding."
    return f"It can be read as {guess}: use --encoding {guess}, or save the file as UTF-8."


def _parquet_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]], list[Finding]]:
    try:
        table = pd.read_parquet(path, dtype_backend="numpy_nullable")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as Parquet: {error}.") from error
    if any(table.index.names):
        table = table.reset_index()
    texts = pd.DataFrame({name: _whole(table[name]).astype("string").fillna("") for name in table.columns})
    header = [str(name) for name in table.columns]
    records = zip(range(2, len(table) + 2), map(list, texts.itertuples(index=False)), strict=True)
    return header, list(records), []


def _json_rows(source: Source) -> tuple[list[str], list[tuple[int, list[str]]], list[Finding]]:
    """The same of a file with one JSON object a line; its lines count from 1, and what is no text is as it is written.

    The columns are the names that occur, in the order in which they do.
    """
    findings: list[Finding] = []
    found: list[tuple[int, dict[str, str]]] = []
    for row, line in enumerate(source.path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            text = line.decode(decodable(source.encoding))
            values = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        except (UnicodeDecodeError, ValueError) as error:
            findings.append(
                Finding("unreadable_row", f"It is no line of JSON: {error}.", source.path.name, row)
            )
            continue
        if isinstance(values, dict):
            found.append((row, {name: _cell(value) for name, value in values.items()}))
        else:
            message = 'Expected a JSON object such as {"text": …, "label": …}.'
            findings.append(Finding("unreadable_row", message, source.path.name, row))
    header = list(dict.fromkeys(name for _, values in found for name in values))
    if not header:
        raise DataError(
            f"{source.path.name} has no line that is a JSON object. Expected one object an item and line."
        )
    return header, [(row, [values.get(name, "") for name in header]) for row, values in found], findings


def _cell(value: object) -> str:
    """A JSON value as a cell: texts and numbers as they are written, "" for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _whole(values: pd.Series) -> pd.Series:
    """Whole numbers that became floats because some were missing are written as whole numbers."""
    if not pd.api.types.is_float_dtype(values):
        return values
    known = values.dropna()
    return values.astype("Int64") if (known == known.round()).all() else values


def find_columns(source: Source, table: Table, *, needs_path: bool) -> Columns:
    """Which columns of a table hold what. A path that is not needed is used if it is asked for, or if Winnow wrote it.

    raises : DataError if one that is needed or asked for is not there
    """
    header, asked = table.header, source.asked
    usual_paths = PATH_NAMES if needs_path else PATH_NAMES[: int(table.exported)]
    has_label = source.role != "unlabelled" and not asked.labels
    found = Columns(
        path=_column(source, header, asked.path, usual_paths, "path"),
        label=_column(source, header, asked.label, LABEL_NAMES, "label") if has_label else None,
        id=_column(source, header, asked.id, ID_NAMES, "id"),
        split=_column(source, header, asked.split, SPLIT_NAMES, "split") if source.role == "data" else None,
        group=_column(source, header, asked.group, (), "group"),
        labels=_label_columns(source, table),
    )
    if found.path is None and needs_path:
        raise DataError(_no_column(source, header, "path"))
    if found.label is None and has_label:
        raise DataError(_no_column(source, header, "label"))
    return found


def _label_columns(source: Source, table: Table) -> tuple[str, ...]:
    """The columns of the classes that the user named; none in a source of unlabelled items."""
    if source.role == "unlabelled":
        return ()
    header = table.header
    columns = tuple(exported_name(name) if table.exported else name for name in source.asked.labels)
    lost = [name for name in columns if name not in header]
    if lost:
        near = difflib.get_close_matches(lost[0], header, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(
            f"{source.path.name} has no column {', '.join(map(repr, lost))} (--label-columns); "
            f"it has {', '.join(header)}.{hint}"
        )
    return columns


def _column(
    source: Source, header: Sequence[str], asked: str | None, usual: Sequence[str], role: str
) -> str | None:
    """The column the user named, else the first usual name that occurs."""
    if asked is not None and source.role == "data":
        if asked in header:
            return asked
        near = difflib.get_close_matches(asked, header, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(
            f"{source.path.name} has no column {asked!r} (--{role}-column); it has {', '.join(header)}.{hint}"
        )
    if asked is not None and asked in header:
        return asked
    lower = {name.lower(): name for name in reversed(header)}
    return next((lower[name] for name in usual if name in lower), None)


def _no_column(source: Source, header: Sequence[str], role: str) -> str:
    return (
        f"{source.path.name} has no column that looks like a {role}; it has {', '.join(header)}. "
        f"Name it with --{role}-column."
    )


# ---------------------------------------------------------------- folders and zips


def _read_listing(source: Source, listing: Listing, reading: Reading, roots: list[ImageRoot]) -> Raw:
    if source.asked.labels and source.role != "unlabelled":
        raise DataError(
            f"{source.path} is no table, so that it has no columns of labels. Give a table with these columns."
        )
    number = _root_number(listing.root, roots)
    names = listing.names
    if source.role == "unlabelled":
        rows, findings = [(name, "", "") for name in names], list[Finding]()
    elif source.label_from_name is not None:
        rows, findings = _labels_from_names(names, source)
    else:
        top = _wrapper(names) if listing.root.kind == "zip" else ""
        inner = [name.removeprefix(top) for name in names]
        read = _split_folders if any(_split_of(name) for name in inner) else _class_folders
        placed, stray = read(inner, source)
        rows = [(top + name, label, split) for name, label, split in placed]
        findings = _stray(stray, source, reading)
    full = [(path, label, "", split, "", source.path.name, 0, number) for path, label, split in rows]
    frame = pd.DataFrame(full, columns=list(RAW_COLUMNS), dtype=object)
    return _raw(
        frame.assign(**dict.fromkeys(map(_content, reading.content), "")), findings, Columns(), source
    )


def _content(name: str) -> str:
    return CONTENT_PREFIX + name


def _wrapper(names: Sequence[str]) -> str:
    """The one folder that a zip wraps everything in, with its slash; "" if there is none."""
    tops = {name.partition("/")[0] for name in names}
    return f"{tops.pop()}/" if len(tops) == 1 and all(name.count("/") > 1 for name in names) else ""


def _split_of(name: str) -> str | None:
    folder, slash, _ = name.partition("/")
    return SPLIT_OF_FOLDER.get(folder.lower()) if slash else None


def _class_folders(names: Sequence[str], source: Source) -> tuple[list[tuple[str, str, str]], list[str]]:
    """The class is the first folder; files beside the class folders cannot be placed."""
    rows = [(name, name.partition("/")[0], "") for name in names if "/" in name]
    if not rows:
        raise DataError(
            f"{source.path} has no sub-folders to take classes from. Give a table with labels, or "
            "--label-from-name REGEX if the file names hold them."
        )
    return rows, [name for name in names if "/" not in name]


def _split_folders(names: Sequence[str], source: Source) -> tuple[list[tuple[str, str, str]], list[str]]:
    """The split is the first folder, the class the second; without train/, other folders are classes to train on."""
    has_train = any(_split_of(name) == "train" for name in names)
    rows: list[tuple[str, str, str]] = []
    stray: list[str] = []
    for name in names:
        split, parts = _split_of(name), name.split("/")
        if split == "unlabelled":
            rows.append((name, "", split))
        elif split is not None and len(parts) > 2:
            rows.append((name, parts[1], split))
        elif split is None and len(parts) > 1 and not has_train:
            rows.append((name, parts[0], ""))
        else:
            stray.append(name)
    return rows, stray


def _stray(names: Iterable[str], source: Source, reading: Reading) -> list[Finding]:
    message = "It lies outside the class folders, so that its class is not known."
    return [
        Finding("stray_file", message, source.path.name, 0, name)
        for name in names
        if name.lower().endswith(reading.suffixes)
    ]


def _labels_from_names(
    names: Sequence[str], source: Source
) -> tuple[list[tuple[str, str, str]], list[Finding]]:
    try:
        pattern = re.compile(source.label_from_name or "")
    except re.error as error:
        raise DataError(
            f"--label-from-name {source.label_from_name!r} is no regular expression: {error}."
        ) from error
    if not pattern.groups:
        raise DataError(
            f"--label-from-name {source.label_from_name!r} has no group (…) that could be the label."
        )
    group: str | int = "label" if "label" in pattern.groupindex else 1
    rows, findings = [], []
    for name in names:
        match = pattern.search(name.rpartition("/")[2])
        if match and match[group]:
            rows.append((name, match[group], ""))
        else:
            message = f"The pattern {pattern.pattern!r} finds no label in the name."
            findings.append(Finding("no_label_in_name", message, source.path.name, 0, name))
    return rows, findings


# ---------------------------------------------------------------- both


def _root_number(root: ImageRoot, roots: list[ImageRoot]) -> int:
    if root not in roots:
        roots.append(root)
    return roots.index(root)


def _raw(frame: pd.DataFrame, findings: list[Finding], columns: Columns, source: Source) -> Raw:
    frame = frame.astype(object).astype(dict.fromkeys(("row", "root"), "int64"))
    if source.role != "data":
        frame["split"] = source.role
    return Raw(frame, findings, columns)
