"""The loops over single probabilities, compiled to machine code when they are first called.

Importing this module imports Numba: do it inside the function that needs it. Compiling takes seconds once per machine;
the code is kept in the person's cache folder (`NUMBA_CACHE_DIR` if set), or not at all where that cannot be written.
All kernels leave Python's lock to others while they run, so that chunks can be worked on by several threads.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numba
import numpy as np
import numpy.typing as npt

from diagnostics.task import FloatArray, IntArray

Kernel = TypeVar("Kernel", bound=Callable[..., object])
BitsArray = npt.NDArray[np.signedinteger]

NO_ROW = -1


def _has_cache() -> bool:
    """Point Numba at a cache outside the source tree; False if there is no folder that can be written."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(numba.config.CACHE_DIR or Path(home) / "winnow" / "numba")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    numba.config.CACHE_DIR = str(folder)
    return os.access(folder, os.W_OK)


HAS_CACHE = _has_cache()


def _compiled(*, fastmath: bool | set[str] = False) -> Callable[[Kernel], Kernel]:
    decorate: Callable[[Kernel], Kernel] = numba.njit(
        nogil=True, cache=HAS_CACHE, error_model="numpy", fastmath=fastmath
    )
    return decorate


@_compiled(fastmath={"reassoc", "nsz"})
def score_rows(
    probs: FloatArray,
    bits: BitsArray,
    codes: IntArray,
    tolerance: float,
    predicted: IntArray,
    second: IntArray,
    p_given: FloatArray,
    p_predicted: FloatArray,
    p_second: FloatArray,
) -> int:
    """The two largest probabilities of each row, the first of equals, and that of its code; NaN for a code below 0.

    bits : `probs` seen as whole numbers of the same size: for values of at least 0 they have the same order, and a
        processor finds the largest of many at once
    returns : the first row with a value below 0 or a sum further than `tolerance` from 1 (NaN too), -1 if none
    """
    n_rows, n_classes = probs.shape
    sign = bits.dtype.type(np.iinfo(bits.dtype).max)
    for row in range(n_rows):
        total, largest, n_negative = probs.dtype.type(0), bits.dtype.type(-1), 0
        for column in range(n_classes):
            total += probs[row, column]
            n_negative += probs[row, column] < 0
            largest = max(largest, bits[row, column] & sign)
        if n_negative > 0 or not abs(total - 1) <= tolerance:
            return row
        first = n_classes
        for column in range(n_classes):
            first = min(first, column if bits[row, column] & sign == largest else n_classes)
        largest = bits.dtype.type(-1)
        for column in range(n_classes):
            largest = max(largest, bits.dtype.type(-1) if column == first else bits[row, column] & sign)
        other = n_classes
        for column in range(n_classes):
            is_other = column != first and bits[row, column] & sign == largest
            other = min(other, column if is_other else n_classes)
        other = first if n_classes == 1 else other
        predicted[row], second[row] = first, other
        p_predicted[row], p_second[row] = probs[row, first], probs[row, other]
        p_given[row] = probs[row, codes[row]] if codes[row] >= 0 else np.nan
    return NO_ROW


@_compiled(fastmath={"reassoc", "contract", "nsz"})
def entropies_float32(probs: FloatArray, bits: BitsArray, entropy: FloatArray) -> None:
    """The entropy of each row in nats, to about 6 digits.

    The logarithm is the polynomial of Cephes (S. Moshier, logf.c, 1989), written out because a processor then computes
    many at once, which it cannot in a call.
    """
    n_rows, n_classes = probs.shape
    for row in range(n_rows):
        total = np.float32(0)
        for column in range(n_classes):
            raised = np.maximum(bits[row, column], np.int32(0x00800000))
            power = (raised - np.int32(0x3F3504F3)) >> np.int32(23)
            x = np.int32(raised - (power << np.int32(23))).view(np.float32) - np.float32(1)
            y = np.float32(7.0376836292e-2)
            y = y * x + np.float32(-1.1514610310e-1)
            y = y * x + np.float32(1.1676998740e-1)
            y = y * x + np.float32(-1.2420140846e-1)
            y = y * x + np.float32(1.4249322787e-1)
            y = y * x + np.float32(-1.6668057665e-1)
            y = y * x + np.float32(2.0000714765e-1)
            y = y * x + np.float32(-2.4999993993e-1)
            y = y * x + np.float32(3.3333331174e-1)
            exponent = np.float32(power)
            low = x * x * (y * x - np.float32(0.5)) + exponent * np.float32(-2.12194440e-4)
            total += probs[row, column] * (x + low + exponent * np.float32(0.693359375))
        entropy[row] = max(np.float32(0), -total)


@_compiled()
def entropies_float64(probs: FloatArray, bits: BitsArray, entropy: FloatArray) -> None:
    """The entropy of each row in nats."""
    n_rows, n_classes = probs.shape
    for row in range(n_rows):
        total = 0.0
        for column in range(n_classes):
            if probs[row, column] > 0:
                total += probs[row, column] * math.log(probs[row, column])
        entropy[row] = max(0.0, -total)


@_compiled()
def group_by_code(codes: IntArray, values: FloatArray, starts: IntArray, grouped: FloatArray) -> None:
    """Move the values of code k, in their order, to grouped[starts[k] : starts[k + 1]]; codes below 0 are left out."""
    ends = starts.copy()
    for row in range(len(codes)):
        code = codes[row]
        if code >= 0:
            grouped[ends[code]] = values[row]
            ends[code] += 1


@_compiled()
def count_pairs(guesses: IntArray, codes: IntArray, counts: FloatArray) -> None:
    """Add each item to counts[guess, code]; items with a guess below 0 are left out."""
    for row in range(len(codes)):
        if guesses[row] >= 0:
            counts[guesses[row], codes[row]] += 1


@_compiled()
def first_two_above(probs: FloatArray, limits: FloatArray, first: IntArray, n_above: IntArray) -> None:
    """How many classes of each row reach their limit, counted up to 2, and the first that does."""
    n_rows, n_classes = probs.shape
    for row in range(n_rows):
        n_above[row] = 0
        for column in range(n_classes):
            if probs[row, column] >= limits[column]:
                if n_above[row] == 0:
                    first[row] = column
                n_above[row] += 1
                if n_above[row] == 2:
                    break


@_compiled()
def offer_predicted(
    rows: IntArray,
    codes: IntArray,
    predicted: IntArray,
    p_predicted: FloatArray,
    p_given: FloatArray,
    heap_starts: IntArray,
    n_kept: IntArray,
    kept_margins: FloatArray,
    kept_rows: IntArray,
    entries: FloatArray,
) -> None:
    """Offer some rows to the pair of their given and their predicted class alone; see `offer_rows`.

    codes, predicted, p_predicted, p_given : of all rows
    """
    for row in rows:
        margin = p_predicted[row] - p_given[row]
        if margin >= entries[codes[row], predicted[row]]:
            _keep(
                margin, row, codes[row], predicted[row], heap_starts, n_kept, kept_margins, kept_rows, entries
            )


@_compiled()
def offer_rows(
    probs: FloatArray,
    rows: IntArray,
    codes: IntArray,
    predicted: IntArray,
    heap_starts: IntArray,
    n_kept: IntArray,
    kept_margins: FloatArray,
    kept_rows: IntArray,
    entries: FloatArray,
    floors: FloatArray,
) -> None:
    """Offer rows to the pairs of classes that look for their largest margins: p(other class) - p(given class).

    The pair of the given class i and the class j has the number p = j * n_classes + i. It looks for the
    heap_starts[p + 1] - heap_starts[p] largest margins among the rows with code i, and keeps them as a heap, the
    smallest at the top; of equal margins the earlier row is the larger, in whatever order they are offered.

    probs, rows, codes, predicted : of the rows offered; `rows` are their numbers, and the pair with the class
        `predicted` has had its offer
    n_kept, kept_margins, kept_rows : the heaps, changed here
    entries : (given class, other class), the smallest margin that a pair still takes: -inf until its heap is full;
        changed
    floors : (n_classes,), the smallest entry of each given class; changed
    """
    n_classes = probs.shape[1]
    for offered in range(len(rows)):
        code = codes[offered]
        p_given = probs[offered, code]
        n_entering = 0
        for other in range(n_classes):
            n_entering += probs[offered, other] - p_given >= entries[code, other]
        n_entering -= probs[offered, predicted[offered]] - p_given >= entries[code, predicted[offered]]
        if n_entering == 0:
            continue
        for other in range(n_classes):
            margin = probs[offered, other] - p_given
            if margin >= entries[code, other] and other != predicted[offered]:
                _keep(
                    margin, rows[offered], code, other, heap_starts, n_kept, kept_margins, kept_rows, entries
                )
        floors[code] = entries[code].min()


@_compiled()
def _keep(
    margin: float,
    row: int,
    code: int,
    other: int,
    heap_starts: IntArray,
    n_kept: IntArray,
    kept_margins: FloatArray,
    kept_rows: IntArray,
    entries: FloatArray,
) -> None:
    pair = other * len(entries) + code
    start, size = heap_starts[pair], heap_starts[pair + 1] - heap_starts[pair]
    if n_kept[pair] < size:
        _sift_up(kept_margins, kept_rows, start, n_kept[pair], margin, row)
        n_kept[pair] += 1
    elif _is_smaller(kept_margins[start], kept_rows[start], margin, row):
        _sift_down(kept_margins, kept_rows, start, size, margin, row)
    if n_kept[pair] == size:
        entries[code, other] = kept_margins[start]


@_compiled()
def _is_smaller(margin: float, row: int, other_margin: float, other_row: int) -> bool:
    return margin < other_margin or (margin == other_margin and row > other_row)


@_compiled()
def _sift_up(margins: FloatArray, rows: IntArray, start: int, place: int, margin: float, row: int) -> None:
    while place > 0:
        parent = (place - 1) // 2
        if not _is_smaller(margin, row, margins[start + parent], rows[start + parent]):
            break
        margins[start + place], rows[start + place] = margins[start + parent], rows[start + parent]
        place = parent
    margins[start + place], rows[start + place] = margin, row


@_compiled()
def _sift_down(margins: FloatArray, rows: IntArray, start: int, size: int, margin: float, row: int) -> None:
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        right = child + 1
        if right < size and _is_smaller(
            margins[start + right], rows[start + right], margins[start + child], rows[start + child]
        ):
            child = right
        if not _is_smaller(margins[start + child], rows[start + child], margin, row):
            break
        margins[start + place], rows[start + place] = margins[start + child], rows[start + child]
        place = child
    margins[start + place], rows[start + place] = margin, row
