"""What each row of an array of probabilities from elsewhere must be, and the check of all rows in one pass."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diagnostics.chunks import chunks_of
from diagnostics.errors import DataError
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.scores import ROW_SUM_TOLERANCE
from diagnostics.task import BoolArray, FloatArray, IntArray

MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class RowFault:
    """What can be wrong with a row.

    what : completes "3 rows"; remedy : what to do; found : ((n, n_classes) float64) -> (n,), which rows have it
    """

    what: str
    remedy: str
    found: Callable[[FloatArray], BoolArray]


@dataclass(frozen=True, slots=True)
class ProbabilityRows:
    """What a row must be.

    expected : completes "rows are not", `{n_classes}` stands for their number
    faults : all that can be wrong; a row has the first that applies
    if_all_sum_to_1 : what to note where every row does; "" = nothing, because it must
    """

    expected: str
    faults: tuple[RowFault, ...]
    if_all_sum_to_1: str = ""

    def expected_of(self, n_classes: int) -> str:
        """What a row of so many classes must be."""
        return self.expected.format(n_classes=n_classes)


def no_number() -> RowFault:
    """NaN, or infinite."""
    return RowFault(
        "with a class that has no number (NaN or infinite)",
        "predict these items again",
        lambda probs: ~np.isfinite(probs.sum(axis=1)),
    )


def outside(remedy: str) -> RowFault:
    """Below 0 or above 1."""
    return RowFault(
        "with values outside 0 to 1",
        remedy,
        lambda probs: (probs.min(axis=1) < 0) | (probs.max(axis=1) > 1 + ROW_SUM_TOLERANCE),
    )


def sums_to_another(remedy: str) -> RowFault:
    """Not to 1."""
    return RowFault("that do not sum to 1", remedy, lambda probs: ~_sum_to_1(probs))


def check_rows(
    pred_probs: FloatArray,
    rows: ProbabilityRows,
    *,
    name: str,
    row_name: Callable[[int], str],
    on_progress: ProgressCallback,
) -> list[str]:
    """See to it that every row is what it must be; read once, a chunk at a time.

    row_name : what to call a row
    returns : what there is to note
    raises : DataError with everything that is wrong, by kind, with the first rows of each
    """
    n_rows, n_columns = pred_probs.shape
    if pred_probs.dtype.kind not in "biuf":
        raise DataError(f"{name} holds {pred_probs.dtype}; expected numbers.")
    first: list[list[int]] = [[] for _ in rows.faults]
    counts, all_sum_to_1 = [0] * len(rows.faults), n_rows > 0 and n_columns > 1
    for part in chunks_of(n_rows, n_columns):
        on_progress(Progress("checking", part.start, n_rows, f"row {part.start:,} of {n_rows:,}"))
        probs = np.asarray(pred_probs[part], dtype=np.float64)
        all_sum_to_1 = all_sum_to_1 and bool(_sum_to_1(probs).all())
        for number, bad in enumerate(_faulty(probs, rows.faults)):
            counts[number] += len(bad)
            first[number] += (part.start + bad[: MAX_NAMED - len(first[number])]).tolist()
    if n_bad := sum(counts):
        told = [
            f"{count:,} {fault.what} ({', '.join(map(row_name, named))}{', …' if count > len(named) else ''}): "
            f"{fault.remedy}."
            for fault, count, named in zip(rows.faults, counts, first, strict=True)
            if count
        ]
        raise DataError(
            f"{name}: {n_bad:,} of {n_rows:,} rows are not {rows.expected_of(n_columns)}; "
            f"nothing was imported. {' '.join(told)}"
        )
    return [rows.if_all_sum_to_1] if all_sum_to_1 and rows.if_all_sum_to_1 else []


def _faulty(probs: FloatArray, faults: tuple[RowFault, ...]) -> list[IntArray]:
    """For each fault the places of the rows that have it and none before it."""
    fine, places = np.ones(len(probs), dtype=np.bool_), []
    with np.errstate(invalid="ignore"):
        for fault in faults:
            found = fine & fault.found(probs)
            places.append(np.flatnonzero(found))
            fine &= ~found
    return places


def _sum_to_1(probs: FloatArray) -> BoolArray:
    near: BoolArray = np.abs(probs.sum(axis=1) - 1) <= ROW_SUM_TOLERANCE
    return near
