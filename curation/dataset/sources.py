"""Read what a dataset is given as - a table, a folder, a zip - into rows of path, label, id and split."""

import csv
import difflib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path, PurePosixPath

import pandas as pd

from curation.dataset.findings import Finding
from curation.spreadsheet import is_winnow_export, undo_safe
from diagnostics.errors import DataError
from diagnostics.image_files import IMAGE_SUFFIXES, ImageRoot

PATH_NAMES = ("path", "file_path", "filepath", "image_path", "file", "filename", "file_name", "image", "img")
LABEL_NAMES = ("label", "class", "category", "target", "given_label", "class_name", "labels")
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
TABLE_SUFFIXES = (".csv", ".tsv", ".txt", *PARQUET_SUFFIXES)

RAW_COLUMNS = ("path", "label", "item_id", "split", "group", "source", "row", "root")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what; None = there is no such column."""

    path: str | None = None
    label: str | None = None
    id: str | None = None
    split: str | None = None
    group: str | None = None


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
class Raw:
    """What was read: rows with RAW_COLUMNS (all text but row and root), the findings so far, the columns used.

    root : position in the list of roots that the caller keeps
    """

    rows: pd.DataFrame
    findings: list[Finding]
    columns: Columns


def read_source(source: Source, roots: list[ImageRoot]) -> Raw:
    """Read one source; adds the root of its images to `roots` unless it is there.

    raises : DataError if the source as a whole cannot be read
    """
    if not source.path.exists():
        raise DataError(f"{source.path} does not exist. Check the path given for --{source.role}.")
    if source.path.is_file() and source.path.suffix.lower() in TABLE_SUFFIXES:
        return _read_table(source, roots)
    if source.path.is_file() and source.path.suffix.lower() != ".zip":
        raise DataError(
            f"{source.path} is no table ({', '.join(TABLE_SUFFIXES)}), no folder and no zip file. "
            f"Check the path given for --{source.role}."
        )
    return _read_folder(source, roots)


# ---------------------------------------------------------------- tables


def _read_table(source: Source, roots: list[ImageRoot]) -> Raw:
    parquet = source.path.suffix.lower() in PARQUET_SUFFIXES
    header, records, findings = _parquet_rows(source.path) if parquet else _csv_rows(source)
    columns = _find_columns(source, header)
    root = _root_number(ImageRoot.at(source.images or source.path.parent), roots)
    nothing = len(header)  # the place of the "" that is put behind each row, for columns that are not there
    pick = itemgetter(*(nothing if name is None else header.index(name) for name in _named(columns)))
    exported = is_winnow_export(header)
    status_at = header.index("status") if exported else None
    rows = []
    for number, fields in records:
        path, label, item_id, split, group = pick([*fields, ""])
        if exported:
            path, label, item_id = undo_safe(path), undo_safe(label), undo_safe(item_id)
        if status_at is not None and fields[status_at] == "added":
            split = "train"
        if status_at is not None and fields[status_at] == "excluded":
            findings.append(
                Finding(
                    "excluded", "Excluded by an earlier decision.", source.path.name, number, path, item_id
                )
            )
            continue
        label = label if label.strip() else ""
        rows.append((_plain(path), label, item_id, split, group.strip(), source.path.name, number, root))
    if not rows and not findings:
        raise DataError(f"{source.path.name} has a header and no rows. Expected one row an image.")
    return _raw(rows, findings, columns, source)


def _plain(path: str) -> str:
    """One spelling a file: "./a.png" and "x//a.png" are a.png and x/a.png."""
    return PurePosixPath(path).as_posix() if "./" in path or "//" in path else path


def _named(columns: Columns) -> tuple[str | None, ...]:
    return columns.path, columns.label, columns.id, columns.split, columns.group


def _csv_rows(source: Source) -> tuple[list[str], Iterator[tuple[int, list[str]]], list[Finding]]:
    """The header, (file row, fields) of each sound row, and a finding for each that is not."""
    text = _decode(source.path, source.encoding)
    if not text.strip():
        raise DataError(
            f"{source.path.name} is empty. Expected a header row with a path column, then one row an image."
        )
    first_line = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_line.count)
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
    return header, iter(records), findings


def _decode(path: Path, encoding: str) -> str:
    data = path.read_bytes()
    try:
        return data.decode(
            "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        )
    except LookupError as error:
        raise DataError(f"Python knows no encoding {encoding!r}. Try --encoding utf-8 or cp1252.") from error
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise DataError(
            f"{path.name}, row {row}: byte {byte:#04x} at position {error.start} is not {encoding}. "
            f"{_encoding_hint(data)}"
        ) from error


def _encoding_hint(data: bytes) -> str:
    guess = FALLBACK_ENCODINGS[0] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else FALLBACK_ENCODINGS[1]
    try:
        data.decode(guess)
    except UnicodeDecodeError:
        return "Save the file as UTF-8, or name its encoding with --encoding."
    return f"It can be read as {guess}: use --encoding {guess}, or save the file as UTF-8."


def _parquet_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]], list[Finding]]:
    try:
        table = pd.read_parquet(path, dtype_backend="numpy_nullable")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as Parquet: {error}.") from error
    if any(table.index.names):
        table = table.reset_index()
    texts = pd.DataFrame({name: _whole(table[name]).astype("string").fillna("") for name in table.columns})
    header = [str(name) for name in table.columns]
    records = zip(range(2, len(table) + 2), map(list, texts.itertuples(index=False)), strict=True)
    return header, records, []


def _whole(values: pd.Series) -> pd.Series:
    """Whole numbers that became floats because some were missing are written as whole numbers."""
    if not pd.api.types.is_float_dtype(values):
        return values
    known = values.dropna()
    return values.astype("Int64") if (known == known.round()).all() else values


def _find_columns(source: Source, header: Sequence[str]) -> Columns:
    repeated = sorted({name for name in header if list(header).count(name) > 1})
    if repeated:
        raise DataError(f"{source.path.name} has several columns named {', '.join(map(repr, repeated))}.")
    asked = source.asked
    found = Columns(
        path=_column(source, header, asked.path, PATH_NAMES, "path"),
        label=None
        if source.role == "unlabelled"
        else _column(source, header, asked.label, LABEL_NAMES, "label"),
        id=_column(source, header, asked.id, ID_NAMES, "id"),
        split=_column(source, header, asked.split, SPLIT_NAMES, "split") if source.role == "data" else None,
        group=_column(source, header, asked.group, (), "group"),
    )
    if found.path is None:
        raise DataError(_no_column(source, header, "path"))
    if found.label is None and source.role != "unlabelled":
        raise DataError(_no_column(source, header, "label"))
    return found


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


def _read_folder(source: Source, roots: list[ImageRoot]) -> Raw:
    root = ImageRoot.at(source.path)
    number = _root_number(root, roots)
    names = root.names()
    if not names:
        raise DataError(f"{source.path} holds no files.")
    if source.role == "unlabelled":
        rows, findings = [(name, "", "") for name in names], list[Finding]()
    elif source.label_from_name is not None:
        rows, findings = _labels_from_names(names, source)
    else:
        top = _wrapper(names) if root.kind == "zip" else ""
        inner = [name.removeprefix(top) for name in names]
        read = _split_folders if any(_split_of(name) for name in inner) else _class_folders
        placed, findings = read(inner, source)
        rows = [(top + name, label, split) for name, label, split in placed]
    full = [(path, label, "", split, "", source.path.name, 0, number) for path, label, split in rows]
    return _raw(full, findings, Columns(), source)


def _wrapper(names: Sequence[str]) -> str:
    """The one folder that a zip wraps everything in, with its slash; "" if there is none."""
    tops = {name.partition("/")[0] for name in names}
    return f"{tops.pop()}/" if len(tops) == 1 and all(name.count("/") > 1 for name in names) else ""


def _split_of(name: str) -> str | None:
    folder, slash, _ = name.partition("/")
    return SPLIT_OF_FOLDER.get(folder.lower()) if slash else None


def _class_folders(names: Sequence[str], source: Source) -> tuple[list[tuple[str, str, str]], list[Finding]]:
    """The class is the first folder; files beside the class folders cannot be placed."""
    rows = [(name, name.partition("/")[0], "") for name in names if "/" in name]
    if not rows:
        raise DataError(
            f"{source.path} has no sub-folders to take classes from. Give a table with labels, or "
            "--label-from-name REGEX if the file names hold them."
        )
    return rows, _stray((name for name in names if "/" not in name), source)


def _split_folders(names: Sequence[str], source: Source) -> tuple[list[tuple[str, str, str]], list[Finding]]:
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
    return rows, _stray(stray, source)


def _stray(names: Iterable[str], source: Source) -> list[Finding]:
    message = "It lies outside the class folders, so that its class is not known."
    return [
        Finding("stray_file", message, source.path.name, 0, name)
        for name in names
        if name.lower().endswith(IMAGE_SUFFIXES)
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


def _raw(
    rows: Sequence[tuple[object, ...]], findings: list[Finding], columns: Columns, source: Source
) -> Raw:
    frame = pd.DataFrame(rows, columns=list(RAW_COLUMNS), dtype=object).astype(
        dict.fromkeys(("row", "root"), "int64")
    )
    if source.role != "data":
        frame["split"] = source.role
    return Raw(frame, findings, columns)
