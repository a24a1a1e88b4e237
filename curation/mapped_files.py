"""Files mapped into memory: arrays and Arrow tables whose bytes are the file's own pages.

The system reads such pages when they are touched and takes them back when it needs the room.
"""

import mmap
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class MappedFiles:
    """Files that belong together; safe to use from several threads."""

    def __init__(self) -> None:
        self._pages: list[mmap.mmap] = []

    def array(self, path: Path) -> npt.NDArray[Any]:
        """An array on disk, as a plain read-only array."""
        array = np.load(path, mmap_mode="r")
        self._keep(array._mmap)
        return np.asarray(array)

    def table(self, path: Path) -> pa.Table:
        """An Arrow table on disk, in the format of `write_arrow`."""
        with path.open("rb") as file:
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._keep(pages)
        return pa.ipc.open_file(pa.py_buffer(pages)).read_all()

    def let_go(self) -> None:
        """Stop counting what was touched as memory of this process; it stays in the system's file cache."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for pages in self._pages:
                pages.madvise(mmap.MADV_DONTNEED)

    def _keep(self, pages: mmap.mmap) -> None:
        """Ask the system to map what is touched and not the 2 MB around it: a page of a queue touches rows all over."""
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            with suppress(OSError):  # not every kernel knows it
                pages.madvise(mmap.MADV_NOHUGEPAGE)
        self._pages.append(pages)


def write_arrow(path: Path, table: pa.Table) -> None:
    """Write a table so that each column is one piece that can be mapped."""
    whole = table.combine_chunks()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, whole.schema) as writer:
        writer.write_table(whole)
