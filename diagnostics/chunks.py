"""Reading a large matrix of probabilities a chunk at a time, by as many threads as there are cores."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from diagnostics.errors import DataError
from diagnostics.task import FloatArray, IntArray

CHUNK_CELLS = 1_000_000
NUMBER_KINDS = "biuf"

Rows = slice | npt.NDArray[np.integer]


def chunks_of(n_items: int, n_classes: int, chunk_rows: int | None = None) -> Iterator[slice]:
    """Slices that cover all items, each of `chunk_rows` rows, or of about CHUNK_CELLS probabilities.

    >>> list(chunks_of(5, 3, chunk_rows=3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    step = chunk_rows or rows_in_chunk(n_classes)
    for start in range(0, n_items, step):
        yield slice(start, min(start + step, n_items))


def rows_in_chunk(n_classes: int) -> int:
    """How many rows have about CHUNK_CELLS probabilities; at least one."""
    return max(1, CHUNK_CELLS // n_classes)


def for_each_chunk(
    work: Callable[[slice], None], n_items: int, n_classes: int, chunk_rows: int | None = None
) -> None:
    """Call `work` with every chunk, several at a time; the error of the earliest chunk is raised."""
    chunks = list(chunks_of(n_items, n_classes, chunk_rows))
    if len(chunks) == 1:
        work(chunks[0])
        return
    with ThreadPoolExecutor(n_cores()) as pool:
        for _ in pool.map(work, chunks):
            pass


def native_rows(pred_probs: FloatArray, rows: Rows) -> FloatArray:
    """Some rows as the kernels take them: float32 or float64 in this machine's byte order, one row after the other.

    float16 becomes float32, any other number float64; rows that are so already are not copied.

    >>> native_rows(np.ones((2, 2), dtype=">f2"), slice(0, 1)).dtype
    dtype('float32')
    """
    values: FloatArray = np.ascontiguousarray(pred_probs[rows], dtype=native_type(pred_probs))
    return values


def copy_rows(pred_probs: FloatArray, rows: IntArray, copied: FloatArray) -> None:
    """Write some rows, as `native_rows` gives them, into the first ones of an array that is used again and again.

    Most of the time that a fresh array takes goes into getting its memory.
    """
    is_native = isinstance(pred_probs, np.ndarray) and pred_probs.dtype == copied.dtype
    if is_native and pred_probs.flags.c_contiguous:
        np.take(pred_probs, rows, axis=0, out=copied[: len(rows)], mode="clip")
    else:
        copied[: len(rows)] = pred_probs[rows]


def native_type(pred_probs: FloatArray) -> type[np.floating]:
    """The type that `native_rows` gives.

    raises : DataError for what is not real numbers
    """
    if pred_probs.dtype.kind not in NUMBER_KINDS:
        raise DataError(f"Probabilities must be numbers; found an array of type {pred_probs.dtype}.")
    is_small = pred_probs.dtype.kind == "f" and pred_probs.dtype.itemsize <= 4
    return np.float32 if is_small else np.float64


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
