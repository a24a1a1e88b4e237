"""What speaks for and against an item's label, part by part: kept with a run, read for a page of items at a time."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from diagnostics.errors import RunError
from diagnostics.formats import refuse_newer
from diagnostics.task import FloatArray, IntArray

FOLDER = "explanations"
FORMAT_VERSION = 1
CODES_FILE = "codes.npy"
MAX_PARTS = 40


@dataclass(frozen=True, slots=True)
class Explanations:
    """Of n items, for each the parts that weigh most; an item that was not asked about, or none of whose parts says
    anything, has no parts.

    begins : (n_items + 1,), where each item's parts begin
    start, end : (n_parts,), of a text the characters [start, end); of a row the place of the feature in `parts` and
        the next one
    effect : (n_parts,) float16, above 0 speaks for the label, below 0 against it; comparable within an item, where the
        largest in size is 1
    parts : the names of the features of a row; () for texts
    codes : (n_items,), the class that an item's parts are about, -1 where it was not asked about; None where that is
        not kept: then it is the given label, or the prediction for an item without
    """

    begins: IntArray
    start: IntArray
    end: IntArray
    effect: FloatArray
    parts: tuple[str, ...] = field(default=())
    codes: IntArray | None = None

    def __len__(self) -> int:
        return len(self.begins) - 1

    def of(self, row: int) -> list[tuple[int, int, float]]:
        """(start, end, effect) of the parts of an item, in the order in which they stand."""
        own = slice(int(self.begins[row]), int(self.begins[row + 1]))
        values = zip(self.start[own].tolist(), self.end[own].tolist(), self.effect[own].tolist(), strict=True)
        return list(values)


def explanations_of(
    items: Sequence[tuple[IntArray, IntArray, FloatArray]], parts: tuple[str, ...] = ()
) -> Explanations:
    """Of each item the MAX_PARTS strongest parts, their effects scaled so that the largest in size is 1.

    items : per item start, end and effect (n_parts,) in any order; parts without effect are left out

    >>> explanations_of([(np.array([4, 0]), np.array([7, 3]), np.array([-0.5, 2.0]))]).of(0)
    [(0, 3, 1.0), (4, 7, -0.25)]
    """
    kept = [_strongest(*item) for item in items]
    begins = np.concatenate([[0], np.cumsum([len(start) for start, _, _ in kept])]).astype(np.int64)
    starts, ends, effects = zip(*kept, strict=True) if kept else ((), (), ())
    return Explanations(
        begins,
        _joined(starts, np.int32),
        _joined(ends, np.int32),
        _joined(effects, np.float16),
        parts,
    )


def place_explanations(
    found: Sequence[tuple[IntArray, Explanations]],
    *,
    n_items: int,
    parts: tuple[str, ...] = (),
    codes: IntArray | None = None,
) -> Explanations:
    """One for all items from those of parts of them.

    found : positions (n,) in [0, n_items) and the explanations of these; no position twice
    codes : as `Explanations.codes`
    """
    where = np.full((n_items, 2), -1, dtype=np.int64)
    for number, (positions, _) in enumerate(found):
        where[positions] = np.column_stack([np.full(len(positions), number), np.arange(len(positions))])
    names = ("start", "end", "effect")
    columns: dict[str, list[FloatArray | IntArray]] = {name: [] for name in names}
    lengths = np.zeros(n_items, dtype=np.int64)
    for position in np.flatnonzero(where[:, 0] >= 0):
        number, row = where[position]
        explained = found[number][1]
        own = slice(int(explained.begins[row]), int(explained.begins[row + 1]))
        lengths[position] = own.stop - own.start
        for name in names:
            columns[name].append(getattr(explained, name)[own])
    return Explanations(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        _joined(columns["start"], np.int32),
        _joined(columns["end"], np.int32),
        _joined(columns["effect"], np.float16),
        parts,
        codes,
    )


def write_explanations(run_dir: Path, explanations: Explanations) -> None:
    """Write beside and move to `run_dir`/explanations, replacing what is there."""
    beside = run_dir / f".{FOLDER}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name in ("begins", "start", "end", "effect"):
        np.save(beside / f"{name}.npy", getattr(explanations, name))
    if explanations.codes is not None:
        np.save(beside / CODES_FILE, explanations.codes.astype(np.int32))
    about = {"format_version": FORMAT_VERSION, "parts": list(explanations.parts)}
    (beside / "explanations.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    shutil.rmtree(run_dir / FOLDER, ignore_errors=True)
    beside.replace(run_dir / FOLDER)


def read_explanations(run_dir: Path) -> Explanations | None:
    """The explanations of a run, row i for row i of its predictions, memory-mapped; None for a run that has none.

    raises : RunError if they are unreadable or were written by a newer Winnow
    """
    folder = run_dir / FOLDER
    if not folder.is_dir():
        return None
    try:
        about = json.loads((folder / "explanations.json").read_text(encoding="utf-8"))
        refuse_newer(folder, about["format_version"], FORMAT_VERSION)
        begins, start, end, effect = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("begins", "start", "end", "effect")
        )
        path = folder / CODES_FILE
        codes = np.load(path, mmap_mode="r") if path.is_file() else None
        return Explanations(begins, start, end, effect, tuple(about["parts"]), codes)
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"The explanations in {folder} cannot be read: {error}. Train again.") from error


def _strongest(start: IntArray, end: IntArray, effect: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    size = np.abs(effect)
    order = np.argsort(-size, kind="stable")[:MAX_PARTS]
    order = order[size[order] > 0]
    order = order[np.argsort(start[order], kind="stable")]
    largest = size.max(initial=0.0) or 1.0
    return start[order], end[order], effect[order] / largest


def _joined(arrays: Sequence[Any], dtype: type[np.generic]) -> Any:
    return np.concatenate([np.empty(0, dtype=dtype), *arrays]).astype(dtype)
