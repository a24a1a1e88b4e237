"""The loops over single probabilities, compiled to machine code when they are first called.

Importing this module imports Numba: do it inside the function that needs it. Compiling takes seconds once per machine;
the code is kept in the person's cache folder (`NUMBA_CACHE_DIR` if set), or not at all where that cannot be written.
All kernels leave Python's lock to others while they run, so that chunks can be worked on by several threads.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numba
import numpy as np
import numpy.typing as npt

from diagnostics.task import BoolArray, FloatArray, IntArray

Kernel = TypeVar("Kernel", bound=Callable[..., object])
WholeArray = npt.NDArray[np.signedinteger]

NO_ROW = -1
NO_CLASS, UNCLEAR = -1, -2

AS_REAL_NUMBERS = {"reassoc", "contract", "nsz"}
"""Sums may be added up in any order, as by a processor that adds many at once; NaN and infinity keep their meaning."""

LN_2 = math.log(2)
C0, C1, C2, C3 = (np.float32(c) for c in (1.44269490, -0.721352816, 0.480923235, -0.360239595))
C4, C5, C6, C7 = (np.float32(c) for c in (0.287098527, -0.248877212, 0.234043956, -0.145812556))


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


def _compiled(*, fastmath: bool | set[str] = False, inline: bool = False) -> Callable[[Kernel], Kernel]:
    decorate: Callable[[Kernel], Kernel] = numba.njit(
        nogil=True, cache=HAS_CACHE, error_model="numpy", fastmath=fastmath, forceinline=inline
    )
    return decorate


def _compiled_in_place_of(function: Callable[..., object]) -> Callable[[Kernel], Kernel]:
    """What a kernel runs for the function is what the decorated one returns for the types of its arguments."""
    decorate: Callable[[Kernel], Kernel] = numba.extending.overload(function, inline="always", strict=False)
    return decorate


@_compiled(fastmath=AS_REAL_NUMBERS)
def score_rows(
    probs: FloatArray,
    bits: WholeArray,
    codes: IntArray,
    tolerance: float,
    predicted: IntArray,
    second: IntArray,
    p_given: FloatArray,
    p_predicted: FloatArray,
    p_second: FloatArray,
    entropy: FloatArray,
) -> int:
    """The two largest probabilities of each row, the first of equals, that of its code, NaN for a code below 0, and the
    entropy in nats.

    Every loop over the columns is one that a processor does for many columns at once: without a jump, and with all
    numbers of the size of a probability. A row stays in the nearest cache from its first loop to its last.

    bits : `probs` seen as whole numbers of the same size, which have the same order where nothing has a minus sign
    returns : the first row with a minus sign (that of -0.0 too) or a sum further than `tolerance` from 1 (NaN too), -1
        if none
    """
    whole: Any = bits.dtype.type
    n_rows, n_classes = len(probs), whole(probs.shape[1])
    for row in range(n_rows):
        total, plogp = probs.dtype.type(0), probs.dtype.type(0)
        signs, largest = whole(0), whole(-1)
        for column in range(n_classes):
            total += probs[row, column]
            plogp += probs[row, column] * log2(probs[row, column], bits[row, column])
            signs = whole(signs | bits[row, column])
            largest = max(largest, bits[row, column])
        if signs < 0 or not abs(total - 1) <= tolerance:
            return row
        predicted[row], second[row] = _two_largest(bits[row], largest)
        p_predicted[row], p_second[row] = probs[row, predicted[row]], probs[row, second[row]]
        p_given[row] = probs[row, codes[row]] if codes[row] >= 0 else np.nan
        entropy[row] = max(probs.dtype.type(0), -plogp * probs.dtype.type(LN_2))
    return NO_ROW


@_compiled(inline=True)
def _two_largest(values: WholeArray, largest: int) -> tuple[int, int]:
    """The places of the two largest of some values of at least 0, the first of equals; twice the same where there is
    one value.
    """
    whole: Any = values.dtype.type
    n_values = whole(len(values))
    next_largest, n_largest = whole(-1), whole(0)
    for place in range(n_values):
        is_largest = values[place] == largest
        next_largest = max(next_largest, whole(-1) if is_largest else values[place])
        n_largest = whole(n_largest + is_largest)
    first = second = n_values
    for place in range(n_values):
        first = min(first, place if values[place] == largest else n_values)
        second = min(second, place if values[place] == next_largest else n_values)
    if n_largest > 1:
        second = first + 1
        while values[second] != largest:
            second += 1
    return first, second if n_values > 1 else first


def log2(value: float, bits: int) -> float:
    """The logarithm of a probability to the base 2, any finite number for 0; compiled by the type of its arguments."""
    raise NotImplementedError


@_compiled_in_place_of(log2)
def _log2_by_type(value: numba.types.Float, bits: numba.types.Integer) -> Callable[..., object]:
    return _log2_in_steps if value == numba.float32 else _log2_of_the_library


def _log2_of_the_library(value: float, bits: int) -> float:
    return math.log2(value) if value > 0 else 0.0


def _log2_in_steps(value: np.float32, bits: np.int32) -> np.float32:
    """With a relative error below 4e-7: a number is 2 ** power * (1 + x) with 1 + x from sqrt(1/2) to sqrt(2).

    log2(1 + x) / x is the polynomial of degree 7 with the smallest relative error there (1.7e-7 before rounding, found
    by Lawson's iteration), added up by halves (Estrin), so that few additions wait for each other. It is written out
    because a processor then computes many at once, which it cannot in a call.
    """
    power = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))
    x = np.int32(bits - np.int32(power << np.int32(23))).view(np.float32) - np.float32(1)
    x2 = x * x
    low = (C3 * x + C2) * x2 + (C1 * x + C0)
    high = (C7 * x + C6) * x2 + (C5 * x + C4)
    return (high * (x2 * x2) + low) * x + np.float32(power)


@_compiled()
def best_other(p_given: FloatArray, p_predicted: FloatArray, p_second: FloatArray, best: FloatArray) -> None:
    """The largest probability of any class but the given one: the second where the given one is the largest."""
    for row in range(len(best)):
        best[row] = p_second[row] if p_given[row] == p_predicted[row] else p_predicted[row]


@_compiled()
def count_codes(codes: IntArray, counts: IntArray) -> None:
    """Add the number of items of each code to counts[code]; of those without one (-1) to the last."""
    for code in codes:
        counts[code] += 1


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
def guess_classes(
    codes: IntArray,
    predicted: IntArray,
    p_predicted: FloatArray,
    p_second: FloatArray,
    limits: FloatArray,
    guesses: IntArray,
) -> None:
    """The predicted class of each row with a code where it reaches its limit; else UNCLEAR where the second largest
    probability reaches the lowest limit, so that other classes may reach theirs; else NO_CLASS.

    Computed instead of chosen: nobody can foresee which way a row goes, and a processor loses more by guessing wrong.
    """
    whole: Any = guesses.dtype.type
    lowest = limits.min()
    for row in range(len(codes)):
        guess = predicted[row]
        is_given, is_sure = codes[row] >= 0, p_predicted[row] >= limits[guess]
        is_unclear = ~is_sure & (p_second[row] >= lowest)
        above = whole(is_sure) * (guess - whole(NO_CLASS)) + whole(is_unclear) * whole(UNCLEAR - NO_CLASS)
        guesses[row] = whole(NO_CLASS) + whole(is_given) * above


@_compiled()
def find_contradicted(
    codes: IntArray,
    predicted: IntArray,
    p_predicted: FloatArray,
    p_given: FloatArray,
    tolerance: np.floating[Any],
    contradicted: BoolArray,
) -> None:
    """Where another class is more probable than the given one by the tolerance, or by it exactly and comes first."""
    for row in range(len(codes)):
        raised = p_given[row] + tolerance
        is_level = (raised == p_predicted[row]) & (predicted[row] < codes[row])
        contradicted[row] = (predicted[row] != codes[row]) & ((raised < p_predicted[row]) | is_level)


@_compiled()
def count_pairs(guesses: IntArray, codes: IntArray, counts: WholeArray) -> None:
    """Add each item to counts[guess, code]; one without a guess (-1) thus to the last row."""
    for row in range(len(codes)):
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


class Pairs(NamedTuple):
    """The pairs of a given and another class that look for their largest margins, p(other class) - p(given class).

    What a pair has found it keeps, once all its places are taken as a heap with the smallest margin at the top; of
    equal margins the earlier row is the larger, in whatever order they are offered. A kernel takes the arrays out once:
    to do so in a loop counts references, which takes longer than all else.

    starts : (n_classes + 1,), where the pairs of each given class start in the arrays of pairs
    others : (n_pairs,), the other class, in ascending order within a given class
    heap_starts : (n_pairs + 1,), where the heap of each pair starts in the arrays of places; it has at least one place
    n_kept : (n_pairs,), how many places of the heap are taken
    entries : (n_pairs,), the smallest margin that the pair still takes: -inf until its places are taken
    floors : (n_classes,), the smallest entry of each given class; inf where it has no pair
    margins, kept : (n_places,), the margins of the heaps, and their rows
    """

    starts: IntArray
    others: IntArray
    heap_starts: IntArray
    n_kept: IntArray
    entries: FloatArray
    floors: FloatArray
    margins: FloatArray
    kept: IntArray


@_compiled()
def offer_predicted(
    rows: IntArray,
    is_mine: BoolArray,
    codes: IntArray,
    predicted: IntArray,
    p_predicted: FloatArray,
    p_given: FloatArray,
    pairs: Pairs,
) -> None:
    """Offer those of the rows that have some given classes to the pair of their given and their predicted class.

    rows : with a code, and predicted as another class
    is_mine : (n_classes,), which given classes
    """
    starts, others, heap_starts, n_kept, entries, floors, margins, kept = pairs
    for row in rows:
        code = codes[row]
        if is_mine[code]:
            margin = p_predicted[row] - p_given[row]
            for pair in range(starts[code], starts[code + 1]):
                if others[pair] == predicted[row]:
                    _offer(margin, row, pair, heap_starts, n_kept, entries, margins, kept)
                    break
    for code in range(len(floors)):
        if is_mine[code] and starts[code] < starts[code + 1]:
            floors[code] = entries[starts[code] : starts[code + 1]].min()


@_compiled()
def rows_that_may_enter(
    start: int,
    is_candidate: BoolArray,
    is_mine: BoolArray,
    codes: IntArray,
    p_second: FloatArray,
    p_given: FloatArray,
    floors: FloatArray,
    rows: IntArray,
) -> tuple[int, int]:
    """The next rows of some given classes whose margin to any class but the predicted one may enter a heap.

    start : the first row looked at
    is_candidate : (n_items,), which rows
    is_mine : (n_classes + 1,), which given classes; not the last, which stands for none
    floors : (n_classes,), those of `Pairs`
    rows : filled with what was found, until it is full
    returns : how many were found, and where to go on
    """
    n_found = 0
    for row in range(start, len(codes)):
        rows[n_found] = row
        may_enter = p_second[row] - p_given[row] >= floors[codes[row]]
        n_found += is_candidate[row] & is_mine[codes[row]] & may_enter
        if n_found == len(rows):
            return n_found, row + 1
    return n_found, len(codes)


@_compiled()
def offer_rows(
    probs: FloatArray,
    rows: IntArray,
    codes: IntArray,
    predicted: IntArray,
    p_given: FloatArray,
    pairs: Pairs,
) -> None:
    """Offer rows to all pairs of their given class but that with the predicted one, which has had its offer.

    probs : of the rows offered
    rows : which rows of codes, predicted and p_given these are
    """
    starts, others, heap_starts, n_kept, entries, floors, margins, kept = pairs
    for offered in range(len(rows)):
        row = rows[offered]
        code = codes[row]
        has_entered = False
        for pair in range(starts[code], starts[code + 1]):
            margin = probs[offered, others[pair]] - p_given[row]
            if margin >= entries[pair] and others[pair] != predicted[row]:
                _offer(margin, row, pair, heap_starts, n_kept, entries, margins, kept)
                has_entered = True
        if has_entered:
            floors[code] = entries[starts[code] : starts[code + 1]].min()


@_compiled(inline=True)
def _offer(
    margin: float,
    row: int,
    pair: int,
    heap_starts: IntArray,
    n_kept: IntArray,
    entries: FloatArray,
    margins: FloatArray,
    kept: IntArray,
) -> None:
    start, size = heap_starts[pair], heap_starts[pair + 1] - heap_starts[pair]
    if n_kept[pair] < size:
        margins[start + n_kept[pair]], kept[start + n_kept[pair]] = margin, row
        n_kept[pair] += 1
        if n_kept[pair] == size:
            for place in range(size // 2 - 1, -1, -1):
                _sift_down(margins, kept, start, size, place, margins[start + place], kept[start + place])
            entries[pair] = margins[start]
    elif _is_smaller(margins[start], kept[start], margin, row):
        _sift_down(margins, kept, start, size, 0, margin, row)
        entries[pair] = margins[start]


@_compiled(inline=True)
def _is_smaller(margin: float, row: int, other_margin: float, other_row: int) -> bool:
    return margin < other_margin or (margin == other_margin and row > other_row)


@_compiled(inline=True)
def _sift_down(
    margins: FloatArray, kept: IntArray, start: int, size: int, place: int, margin: float, row: int
) -> None:
    """Put a margin where it belongs at a place of a heap, or below it."""
    while 2 * place + 1 < size:
        child = 2 * place + 1
        right = child + 1
        if right < size and _is_smaller(
            margins[start + right], kept[start + right], margins[start + child], kept[start + child]
        ):
            child = right
        if not _is_smaller(margins[start + child], kept[start + child], margin, row):
            break
        margins[start + place], kept[start + place] = margins[start + child], kept[start + child]
        place = child
    margins[start + place], kept[start + place] = margin, row
