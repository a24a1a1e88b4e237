"""The items of a project as memory-mapped files: read by row and found by id, with nothing of them held in memory.

The files lie in the cache folder and are made from items.parquet when they are first needed; they can be deleted.
What a process has of them in memory are file pages, which the system takes back when something else needs the room.
"""

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.derived_files import derived_folder, stamp_of
from curation.mapped_files import MappedFiles, write_arrow
from diagnostics.errors import DataError, ProjectError
from diagnostics.label_kinds import space_of
from diagnostics.label_space import LabelSpace
from diagnostics.task import NO_LABEL, SPLITS, BoolArray, IntArray, Task

FORMAT_VERSION = 5
NAME = "items"
TABLE, SEARCH, BY_ID, SPLIT, GIVEN = "items.arrow", "search.arrow", "by_id.npy", "split.npy", "given.npy"
LABELS = "labels.json"
SEARCHED_AT_ONCE, SAMPLED_BYTES = 50_000, 4_096
FEW = 20  # so many ids are looked up one by one sooner than all at once
MAX_NEAR = 5_000

CodeArray = npt.NDArray[np.signedinteger[Any]]
ByteArray = npt.NDArray[np.uint8]
Searched = Callable[[pa.Table], pa.ChunkedArray]


class ItemIndex:
    """The item table, row by row. Safe to use from several threads.

    split, given : (n_items,), positions in SPLITS and in `labels`, -1 = no label
    labels : what the source's labels can be, in the source's classes
    """

    def __init__(self, folder: Path, task: Task) -> None:
        self.labels = space_of(task, json.loads((folder / LABELS).read_text(encoding="utf-8")))
        self._files = MappedFiles()
        self._table = self._files.table(folder / TABLE)
        self._search = one_piece(self._files.table(folder / SEARCH)["searched"])
        self.ids = one_piece(self._table["item_id"])
        self.paths = one_piece(self._table["path"])
        self.split = self._files.array(folder / SPLIT)
        self.given = self._files.array(folder / GIVEN)
        self._by_id = self._files.array(folder / BY_ID)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The item table in source order; its columns are the mapped files, not to be changed."""
        table: pd.DataFrame = self._table.to_pandas(split_blocks=True)
        return table

    def rows_of(self, item_ids: Sequence[str]) -> IntArray:
        """The row of each item, -1 for an unknown one."""
        if len(item_ids) <= FEW:
            return np.array([self._row_of(item_id) for item_id in item_ids], dtype=np.int64)
        return self._rows_of_many(item_ids)

    def ids_near(self, item_id: str) -> list[str]:
        """Up to MAX_NEAR ids, those before and behind this one in the order of the ids."""
        place = self._place_of(item_id)
        around = self._by_id[max(0, place - MAX_NEAR // 2) : place + MAX_NEAR // 2]
        return texts(self.ids, around)

    def with_text(self, text: str) -> BoolArray:
        """(n_items,), whose searched text contains this one, in whatever case; each core looks through a part."""
        pattern = np.frombuffer(pc.utf8_lower(pa.scalar(text)).as_py().encode(), dtype=np.uint8)
        offsets, bytes_ = offsets_and_bytes(self._search)

        def look(start: int) -> BoolArray:
            ends = offsets[start : start + SEARCHED_AT_ONCE + 1]
            return contain(bytes_[ends[0] : ends[-1]], ends - ends[0], pattern)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = pool.map(look, range(0, len(self), SEARCHED_AT_ONCE))
            return np.concatenate([np.empty(0, dtype=np.bool_), *parts])

    def let_go(self) -> None:
        """Keep nothing of what was read in the memory of this process."""
        self._files.let_go()

    def ranks_by_id(self) -> CodeArray:
        """(n_items,), the place of each item in the order of the ids."""
        ranks = np.empty(len(self), dtype=np.int32)
        ranks[self._by_id] = np.arange(len(self), dtype=np.int32)
        return ranks

    def _row_of(self, item_id: str) -> int:
        place = self._place_of(item_id)
        if place == len(self):
            return -1
        row = int(self._by_id[place])
        return row if self.ids[row].as_py() == item_id else -1

    def _place_of(self, item_id: str) -> int:
        """How many ids come before this one."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.ids[int(self._by_id[middle])].as_py() < item_id:
                low = middle + 1
            else:
                high = middle
        return low

    def _rows_of_many(self, item_ids: Sequence[str]) -> IntArray:
        """The same for all at once: each step halves, for every id, the rows that it can be in."""
        wanted = pa.array(item_ids, pa.large_string())
        low = np.zeros(len(wanted), dtype=np.int64)
        high = np.full(len(wanted), len(self), dtype=np.int64)
        for _ in range(len(self).bit_length()):
            middle = np.minimum((low + high) // 2, len(self) - 1)
            found = self.ids.take(pa.array(self._by_id[middle]))
            before = pc.less(found, wanted).to_numpy(zero_copy_only=False) & (low < high)
            low, high = np.where(before, middle + 1, low), np.where(before, high, middle)
        rows = self._by_id[np.minimum(low, len(self) - 1)].astype(np.int64)
        same = pc.equal(self.ids.take(pa.array(rows)), wanted).to_numpy(zero_copy_only=False)
        return np.where(same, rows, -1)


def open_items(items_path: Path, task: Task, cache_dir: Path, *, searched: Searched) -> ItemIndex:
    """The items of a table on disk, whose files are made first if they are not there.

    task : with the source's classes; searched : what of each item the search looks through
    raises : ProjectError if the table cannot be read
    """
    try:
        source = {"format": FORMAT_VERSION, "items": stamp_of(items_path), "classes": list(task.classes)}
        return ItemIndex(
            derived_folder(
                cache_dir, NAME, source, lambda folder: _build(folder, items_path, task, searched)
            ),
            task,
        )
    except (OSError, pa.ArrowException) as error:
        raise ProjectError(
            f"{items_path} cannot be read: {error}. Restore the project from a backup."
        ) from error


def texts(array: pa.Array, rows: CodeArray) -> list[str]:
    """The texts in some rows."""
    found: list[str] = array.take(pa.array(rows)).to_pylist()
    return found


def offsets_and_bytes(column: pa.LargeStringArray) -> tuple[IntArray, ByteArray]:
    """Where each text begins, (n_rows + 1,), the last entry being where the last one ends; and the texts as UTF-8."""
    _, offsets, data = column.buffers()
    begins = np.frombuffer(offsets, dtype=np.int64)[column.offset :][: len(column) + 1]
    return begins, np.frombuffer(data or b"", dtype=np.uint8)


def contain(text: ByteArray, begins: IntArray, pattern: ByteArray) -> BoolArray:
    """Which of the texts that lie behind one another in `text` contain the pattern.

    Its two rarest bytes are compared with everything, and the others only where these two are.
    begins : (n_texts + 1,), where each text begins, and the end
    """
    found = np.full(len(begins) - 1, not len(pattern))
    if not 0 < len(pattern) <= len(text):
        return found
    frequency = np.bincount(text[:SAMPLED_BYTES], minlength=256)[pattern]
    rarest = np.argsort(frequency, kind="stable").tolist()
    n_places = len(text) - len(pattern) + 1
    fits = np.ones(n_places, dtype=np.bool_)
    for position in rarest[:2]:
        fits &= text[position : position + n_places] == pattern[position]
    places = np.flatnonzero(fits)
    for position in rarest[2:]:
        places = places[text[places + position] == pattern[position]]
    rows = np.searchsorted(begins, places, side="right") - 1
    found[rows[places + len(pattern) <= begins[rows + 1]]] = True
    return found


def positions_in(column: pa.ChunkedArray | pa.Array, values: Sequence[str] | pa.Array) -> CodeArray:
    """The position in `values` of each text, -1 where it is missing or not among them; (n_rows,) int32."""
    known = pa.array(values, pa.large_string())
    found = pc.index_in(column.cast(pa.large_string()), value_set=known)
    positions: CodeArray = found.fill_null(NO_LABEL).to_numpy(zero_copy_only=False).astype(np.int32)
    return positions


def one_piece(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece, which is what makes taking a few rows of many fast."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def smallest_type(n_values: int) -> type[np.signedinteger]:
    """The smallest type that holds -1 and the positions below n_values."""
    fits = (kind for kind in (np.int8, np.int16, np.int32) if n_values <= np.iinfo(kind).max + 1)
    return next(fits, np.int64)


def _build(folder: Path, items_path: Path, task: Task, searched: Searched) -> None:
    table = _with_units(pq.read_table(items_path))
    wide = [pa.field(field.name, _wide(field.type)) for field in table.schema]
    table = table.cast(pa.schema(wide, metadata=table.schema.metadata))
    write_arrow(folder / TABLE, table)
    write_arrow(
        folder / SEARCH, pa.table({"searched": pc.utf8_lower(searched(table).cast(pa.large_string()))})
    )
    np.save(folder / BY_ID, pc.sort_indices(one_piece(table["item_id"])).to_numpy().astype(np.int32))
    np.save(folder / SPLIT, positions_in(table["split"], SPLITS).astype(np.int8))
    labels = _labels(table["given_label"], task, items_path)
    given = positions_in(table["given_label"], labels.names)
    (folder / LABELS).write_text(json.dumps(labels.names, ensure_ascii=False), encoding="utf-8")
    np.save(folder / GIVEN, given.astype(smallest_type(len(labels))))


def _with_units(table: pa.Table) -> pa.Table:
    """The table of an older Winnow with the columns that it lacks: no groups, and only equal files belong together."""
    if "unit" in table.column_names:
        return table
    no_groups = pa.nulls(len(table), pa.string())
    return table.append_column("group", no_groups).append_column("unit", table["content_hash"])


def _wide(kind: pa.DataType) -> pa.DataType:
    """Texts with 64-bit offsets, of which one piece can hold more than 2 GB, and which pandas takes as they are."""
    return pa.large_string() if pa.types.is_string(kind) else kind


def _labels(column: pa.ChunkedArray, task: Task, path: Path) -> LabelSpace:
    """What the labels of a column can be."""
    try:
        return space_of(task, column.unique().drop_null().to_pylist())
    except DataError as error:
        raise ProjectError(f"{path} has wrong labels. {error} Restore the project from a backup.") from error
