"""Texts: from one or several columns of a table, or a file each.

What is stored, and read by models, is in one form: without control characters but tabs and line ends, and of several
columns each that is not empty on a line of its own behind fastai's field mark with the number of the column, from 1:
"xxfld 1 …", "xxfld 2 …". `shown_text` puts the names of the columns in place of these marks.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from curation.dataset.findings import NEAR_COPIES, NOTE, SET_ASIDE, Check, Finding, checks_in_words_of
from curation.dataset.image_checks import Unusable
from curation.dataset.near_duplicates import Likeness
from curation.dataset.sources import CONTENT_PREFIX, Opened, Reading, Source, Table, decodable, find_columns
from curation.modalities.content_columns import (
    content_columns,
    ids_of_content,
    looks_like_number,
    names_searched,
)
from curation.modalities.modality import Asked, Content, Modality, TakingIn
from curation.spreadsheet import source_name
from diagnostics.errors import DataError, ImageError
from diagnostics.image_files import ImageRoot
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.task import TEXT_COLUMN

N_WORDS = "n_words"
FIELD_PREFIX = "text:"  # before the name of a source column, stored where there are several
FIELD_MARK = "xxfld"
TEXT_NAMES = (
    "text", "sentence", "query", "utterance", "review", "comment", "message", "question", "tweet", "document", "body",
)  # fmt: skip
SUFFIXES = (".txt",)
SAMPLED_ROWS = 1_000
LONG_WORDS = 5
MOST_LABELS = 0.5
CHUNK = 20_000
UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
CHECKS = {
    "unreadable_text": Check(
        SET_ASIDE,
        "Files that are no text in the given encoding",
        "Save the file as UTF-8, or use --encoding.",
    ),
    "empty_text": Check(SET_ASIDE, "Empty texts", "Fill in the text or remove the row."),
    "control_characters": Check(
        NOTE,
        "Texts with control characters",
        "Nothing to do: they were left out. Check how the text was made.",
    ),
}


@dataclass(frozen=True, slots=True)
class ShownText:
    """A stored text as people see it. begins, shifts : from which stored position on positions move by how much"""

    text: str
    begins: tuple[int, ...]
    shifts: tuple[int, ...]

    def position(self, stored: int) -> int:
        """Where a character of the stored text is in the shown one; for one of a mark, where its field begins."""
        place = bisect_right(self.begins, stored) - 1
        if place < 0:
            return stored
        return max(self.begins[place], stored) + self.shifts[place]


def shown_text(text: str, columns: Sequence[str]) -> ShownText:
    """A stored text as lines "name: value" where it is of several columns; else as it is.

    columns : the names of the source columns, as `ProjectInfo.content` has them

    >>> shown = shown_text("xxfld 1 Red shoe\\nxxfld 2 Of leather", ["title", "details"])
    >>> shown.text
    'title: Red shoe\\ndetails: Of leather'
    >>> shown.text[shown.position(8):shown.position(11)]
    'Red'
    """
    if len(columns) < 2:
        return ShownText(text, (), ())
    parts: list[str] = []
    begins, shifts, end, length, last = [], [], 0, 0, 0
    for mark in re.finditer(rf"(?:^|\n){FIELD_MARK} (\d+) ", text):
        number = int(mark[1])
        if not last < number <= len(columns):
            continue
        last = number
        parts += [text[end : mark.start()], "\n" * bool(parts), f"{columns[number - 1]}: "]
        length += mark.start() - end + len(parts[-2]) + len(parts[-1])
        begins.append(mark.end())
        shifts.append(length - mark.end())
        end = mark.end()
    return ShownText("".join([*parts, text[end:]]), tuple(begins), tuple(shifts))


def join_columns(cells: Sequence[str]) -> str:
    """The stored form of a text of one or several columns.

    >>> join_columns(["Red shoe", " ", "Of leather"])
    'xxfld 1 Red shoe\\nxxfld 3 Of leather'
    """
    if len(cells) == 1:
        return cells[0]
    return "\n".join(f"{FIELD_MARK} {number} {cell}" for number, cell in enumerate(cells, 1) if cell.strip())


def clean(text: str) -> str:
    """The text without control characters but tabs and line ends; half a character, of which UTF-16 makes a whole one
    with another half, becomes the replacement character.

    >>> clean("a\\x00b\\tc")
    'ab\\tc'
    """
    return LONE_SURROGATE.sub("\ufffd", UNWANTED.sub("", text))


# ---------------------------------------------------------------- what is read


def _claims(source: Source, opened: Opened, asked: Asked) -> str:
    if not isinstance(opened, Table):
        return "it holds .txt files" if any(map(_is_text_file, opened.names)) else ""
    if asked.text_columns:
        return "--text-column says where the texts are"
    if asked.feature_columns or asked.ignored_columns:
        return ""
    column = _text_column(source, opened)
    if column is None:
        return ""
    named = column.lower() in TEXT_NAMES
    return f"column {column!r} " + ("holds texts by its name" if named else "holds long texts")


def _is_text_file(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _reading(source: Source, opened: Opened, asked: Asked) -> Reading:
    if not isinstance(opened, Table):
        return Reading(content={}, needs_path=True, suffixes=SUFFIXES)
    names = content_columns(opened, source.asked.labels) if opened.exported else list(asked.text_columns)
    if not names and (column := _text_column(source, opened)) is not None:
        names = [column]
    lost = [name for name in names if name not in opened.header]
    if lost or not names:
        raise DataError(
            f"{source.path.name} has no column {', '.join(map(repr, lost)) or 'that looks like texts'}; "
            f"it has {', '.join(opened.header)}. Name it with --text-column."
        )
    named = {name: source_name(name) if opened.exported else name for name in names}
    return Reading(content=named, needs_path=False, suffixes=SUFFIXES)


def _text_column(source: Source, table: Table) -> str | None:
    """The column with a usual name that does not hold numbers, else the one with the longest texts if they are long."""
    used = find_columns(source, table, needs_path=False).used
    free = [name for name in table.header if name not in used]
    lower = {name.lower(): name for name in reversed(free)}
    for name in TEXT_NAMES:
        if name in lower and not _are_numbers(table.column(lower[name], at_most=SAMPLED_ROWS)):
            return lower[name]
    words = {name: _usual_words(table.column(name, at_most=SAMPLED_ROWS)) for name in free}
    longest = max(words, key=lambda name: words[name], default=None)
    return longest if longest is not None and words[longest] >= LONG_WORDS else None


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(looks_like_number(cell) for cell in cells if cell.strip())


def _usual_words(cells: Sequence[str]) -> float:
    """The median number of words; 0 where most cells are repeated, as labels are."""
    known = [cell for cell in cells if cell.strip()]
    if not known or len(set(known)) < MOST_LABELS * len(known):
        return 0
    return median(len(cell.split()) for cell in known)


# ---------------------------------------------------------------- what it holds


@contextmanager
def _take_in(
    rows: pd.DataFrame, roots: Sequence[ImageRoot], asked: Asked, on_progress: ProgressCallback
) -> Iterator[TakingIn]:
    columns = [name for name in rows.columns if name.startswith(CONTENT_PREFIX)]
    unusable: dict[int, Unusable] = {}
    cells = _read_cells(rows, columns, _reader(rows, roots, asked.encoding, unusable), on_progress)
    cleaned = cells.map(clean)
    texts = [join_columns(row) for row in zip(*(cleaned[name] for name in cleaned), strict=True)]
    unusable |= {
        place: Unusable("empty_text", "The text is empty or blank.")
        for place, text in enumerate(texts)
        if not text.strip() and place not in unusable
    }
    hashes = [hashlib.sha256(text.strip().encode()).hexdigest() for text in texts]
    changed = np.flatnonzero((cleaned != cells).any(axis=1))
    named = rows.assign(item_id=ids_of_content(rows, hashes))
    fields = {
        FIELD_PREFIX + name.removeprefix(CONTENT_PREFIX): cleaned[name].astype("str").to_numpy()
        for name in (columns if len(columns) > 1 else ())
    }
    table = pd.DataFrame(
        {
            "content_hash": pd.Series(hashes, dtype=object),
            TEXT_COLUMN: pd.Series(texts, dtype="str"),
            N_WORDS: cleaned.map(lambda cell: len(cell.split())).sum(axis=1).to_numpy(dtype=np.int64),
        }
        | fields
    )
    content = Content(
        table=table.drop(index=list(unusable)),
        stored=(TEXT_COLUMN, N_WORDS, *fields),
        unusable=unusable,
        alike=_alike,
        findings=[_control_characters(named.iloc[place]) for place in changed if place not in unusable],
    )
    yield TakingIn(named, lambda: content)


def _read_cells(
    rows: pd.DataFrame, columns: Sequence[str], read: Callable[[int], str], on_progress: ProgressCallback
) -> pd.DataFrame:
    """The cells that the texts are made of, "" where one is empty; the text of a file stands in the first column.

    read : the file of the row at a place
    """
    cells = rows[columns].copy() if columns else pd.DataFrame({CONTENT_PREFIX: None}, index=rows.index)
    of_file = cells.iloc[:, 0].isna().to_numpy()
    texts = []
    for done, place in enumerate(np.flatnonzero(of_file).tolist()):
        texts.append(read(place))
        if done % CHUNK == 0:
            on_progress(Progress("reading texts", done, int(of_file.sum())))
    cells.loc[of_file, cells.columns[0]] = texts
    return cells.fillna("")


def _reader(
    rows: pd.DataFrame, roots: Sequence[ImageRoot], encoding: str, unusable: dict[int, Unusable]
) -> Callable[[int], str]:
    """A function that reads the file of a row, or notes in `unusable` why it cannot be read."""
    paths, numbers = rows["path"].tolist(), rows["root"].tolist()

    def read(place: int) -> str:
        path = paths[place]
        if not _is_text_file(path):
            unusable[place] = Unusable("unreadable_text", f"Expected a .txt file, found {path!r}.")
            return ""
        try:
            return _decoded(roots[numbers[place]].read(path), encoding)
        except ImageError as error:
            unusable[place] = Unusable(_CODE_OF.get(error.code, error.code), str(error))
        except UnicodeDecodeError as error:
            message = (
                f"Byte {error.object[error.start]:#04x} at position {error.start} is not {error.encoding}."
            )
            unusable[place] = Unusable("unreadable_text", message)
        return ""

    return read


_CODE_OF = {"image_bomb": "unreadable_file"}


def _decoded(data: bytes, encoding: str) -> str:
    """In the encoding that was asked for, or UTF-16 where a byte-order mark says so."""
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else decodable(encoding))


def _control_characters(row: pd.Series) -> Finding:
    message = "Control characters, such as null characters, were left out of the text."
    place = (str(row["source"]), int(row["row"]), str(row["path"]), str(row["item_id"]))
    return Finding("control_characters", message, *place)


def _alike(items: pd.DataFrame, on_progress: ProgressCallback) -> Likeness:
    from diagnostics.similar_texts import find_similar_texts

    found = find_similar_texts(
        items[TEXT_COLUMN].tolist(),
        on_step=lambda done, total: on_progress(Progress("comparing texts", done, total)),
    )
    return Likeness(
        found.look,
        found.first,
        found.second,
        found.alike,
        np.zeros(len(found.first), dtype=bool),
        found.complete,
    )


# ---------------------------------------------------------------- what becomes of it


def _searched(table: pa.Table) -> pa.ChunkedArray:
    """The name and the text of an item; they are told apart by a line end, which no search holds."""
    text = table[TEXT_COLUMN].cast(pa.large_string())
    return pc.binary_join_element_wise(names_searched(table), text, pa.scalar("\n", pa.large_string()))


def _exported(items: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    if len(names) > 1:
        return items[[FIELD_PREFIX + name for name in names]].set_axis(list(names), axis=1)
    return items[[TEXT_COLUMN]].set_axis([names[0] if names else TEXT_COLUMN], axis=1)


def _training_content(items: pd.DataFrame, folder: Path) -> pd.DataFrame:
    return items[[TEXT_COLUMN]]


TEXT = Modality(
    key="text",
    noun="text",
    nouns="texts",
    checks=checks_in_words_of("text", "texts", CHECKS, NEAR_COPIES),
    claims=_claims,
    reading=_reading,
    take_in=_take_in,
    searched=_searched,
    exported=_exported,
    training_content=_training_content,
    training_choices=lambda folder: "",
)
