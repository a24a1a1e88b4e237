"""What several models say of the same items as one array, read from disk in parts and never copied whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from diagnostics.task import FloatArray, IntArray

CHUNK_CELLS = 4_000_000


class FoldArray(Protocol):
    """(n_models, n_items, n_columns): a memory-mapped array, or something indexed as one.

    array[model] : (n_items, n_columns); array[model, rows] : with a slice or (n,) positions of items
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, key: Any) -> Any: ...


class FoldRows:
    """One array a model, read through a choice of rows.

    parts : per model (n_rows, n_columns)
    rows : (n_items,), the row of each item in every part
    """

    def __init__(self, parts: Sequence[FloatArray] | FloatArray, rows: IntArray) -> None:
        self._parts = parts
        self._rows = rows
        self.shape = (len(parts), len(rows), parts[0].shape[1])

    def __getitem__(self, key: Any) -> FloatArray:
        model, items = key if isinstance(key, tuple) else (key, slice(None))
        chosen: FloatArray = self._parts[model][self._rows[items]]
        return chosen


class PickedRows:
    """(n_items, n_columns): of each item the row of one model, gathered when it is asked for.

    values : (n_models, n_items, n_columns)
    models : (n_items,), the model whose row is wanted
    """

    def __init__(self, values: FoldArray, models: IntArray) -> None:
        self._values = values
        self._models = models
        self.shape = (values.shape[1], values.shape[2])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> FloatArray:
        """The rows of a position, a slice or (n,) positions; a pair of these and columns is understood too."""
        items, columns = key if isinstance(key, tuple) else (key, slice(None))
        if isinstance(items, int | np.integer):
            row: FloatArray = self._values[self._models[items], items][columns]
            return row
        wanted = np.arange(len(self))[items]
        gathered = np.empty((len(wanted), self.shape[1]), dtype=np.float16)
        for model in np.unique(self._models[wanted]):
            own = self._models[wanted] == model
            gathered[own] = self._values[model, wanted[own]]
        return gathered[:, columns]

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[np.floating]:
        return self[:] if dtype is None else self[:].astype(dtype)


def write_fold_array(path: Path, values: FoldArray) -> None:
    """Write (n_models, n_items, n_columns) as float16, model by model and no more than a chunk in memory."""
    n_models, n_items, n_columns = values.shape
    step = max(1, CHUNK_CELLS // max(1, n_columns))
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=values.shape)
    for model in range(n_models):
        for start in range(0, n_items, step):
            out[model, start : start + step] = values[model, slice(start, start + step)]
    out.flush()
