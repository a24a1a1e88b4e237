"""Which places of a ranking a queue's filters let through, found chunk by chunk, so that nothing of it is kept.

What is kept is how many members each chunk has: 8 bytes for CHUNK places. From it the chunk that holds a rank is known
at once, and a page anywhere in the queue takes looking at that chunk alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from curation.run_index import Ranking
from diagnostics.task import BoolArray, IntArray, RowArray

CHUNK = 1 << 16
BITS = 8

BitArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Members:
    """The places of a ranking that fit.

    fits : (n_groups,), which groups of items fit
    touched : places that people have decided on, in ascending order, and for which it is the other way than for
        all others; untouched : whether the others fit
    found : one bit a place, whether what is searched for is there; None = nothing is searched for
    """

    ranking: Ranking
    fits: BoolArray
    touched: RowArray
    untouched: bool
    found: BitArray | None

    @classmethod
    def of(
        cls, ranking: Ranking, fits: BoolArray, touched: RowArray, untouched: bool, found: BitArray | None
    ) -> "Members":
        """The members, counted."""
        members = cls(ranking, fits, touched, untouched, found)
        len(members)
        return members

    def __len__(self) -> int:
        return int(self._ends[-1])

    @cached_property
    def n_without_value(self) -> int:
        """How many fit but have no value to be ranked by."""
        rest = range(self.ranking.n_valued, len(self.ranking.order), CHUNK)
        return sum(int(np.count_nonzero(self._mask(start, start + CHUNK))) for start in rest)

    def rows(self, start: int, stop: int) -> RowArray:
        """The rows of the members from rank start + 1 to rank stop."""
        return self.ranking.order[self._places(start, min(stop, len(self)))]

    def rows_at(self, ranks: RowArray) -> RowArray:
        """The rows of the members with these ranks, from 1, in ascending order."""
        parts = [np.empty(0, dtype=np.int64)]
        before = 0
        for (start, stop), end in zip(self._chunks(), self._ends.tolist(), strict=False):
            here = ranks[slice(*np.searchsorted(ranks, [before + 1, end + 1]))]
            if len(here):
                parts.append(start + np.flatnonzero(self._mask(start, stop))[here - before - 1])
            before = end
        return self.ranking.order[np.concatenate(parts)]

    def rank_of(self, row: int) -> int | None:
        """The rank of a row, from 1; None if it is no member."""
        place = int(self.ranking.place[row])
        if place >= self.ranking.n_valued or not self.holds(np.array([place]))[0]:
            return None
        chunk = place // CHUNK
        before = int(self._ends[chunk - 1]) if chunk else 0
        return before + int(np.count_nonzero(self._mask(chunk * CHUNK, place + 1)))

    def holds(self, places: RowArray) -> BoolArray:
        """Which of some places with a value are members."""
        held = self.fits[self.ranking.group[places]] & self.are_found(places)
        if not len(self.touched):
            return held & self.untouched
        nearest = np.minimum(np.searchsorted(self.touched, places), len(self.touched) - 1)
        mask: BoolArray = held & ((self.touched[nearest] == places) != self.untouched)
        return mask

    def are_found(self, places: RowArray) -> BoolArray:
        """Which of some places are among those that are searched for."""
        if self.found is None:
            return np.ones(len(places), dtype=np.bool_)
        byte, bit = np.divmod(places, BITS)
        mask: BoolArray = (self.found[byte] >> (BITS - 1 - bit).astype(np.uint8) & 1).astype(np.bool_)
        return mask

    @cached_property
    def n_found_in_group(self) -> IntArray:
        """(n_groups,), how many items of each group have a value and are among those that are searched for."""
        n = self.ranking.n_in_group
        if self.found is None:
            return n
        counted = np.zeros_like(n)
        for start, stop in self._chunks():
            group = self.ranking.group[start:stop][self._bits(self.found, start, stop)]
            counted += np.bincount(group, minlength=len(n))
        return counted

    @cached_property
    def _ends(self) -> IntArray:
        """How many members there are up to the end of each chunk."""
        n = [np.count_nonzero(self._mask(start, stop)) for start, stop in self._chunks()]
        ends: IntArray = np.cumsum(np.array([*n, 0], dtype=np.int64))
        return ends

    def _chunks(self) -> Iterator[tuple[int, int]]:
        n_valued = self.ranking.n_valued
        for start in range(0, n_valued, CHUNK):
            yield start, min(start + CHUNK, n_valued)

    def _places(self, start: int, stop: int) -> IntArray:
        parts = [np.empty(0, dtype=np.int64)]
        chunk = int(np.searchsorted(self._ends, start, side="right"))
        before = first = int(self._ends[chunk - 1]) if chunk else 0
        while before < stop:
            at = chunk * CHUNK
            parts.append(at + np.flatnonzero(self._mask(at, min(at + CHUNK, self.ranking.n_valued))))
            before = int(self._ends[chunk])
            chunk += 1
        places: IntArray = np.concatenate(parts)[max(0, start - first) : max(0, stop - first)]
        return places

    def _mask(self, start: int, stop: int) -> BoolArray:
        """Which of the places from start to stop fit."""
        low, high = np.searchsorted(self.touched, [start, stop])
        touched = self.touched[low:high] - start
        if not self.untouched and not len(touched):
            return np.zeros(len(self.ranking.group[start:stop]), dtype=np.bool_)
        mask: BoolArray = self.fits[self.ranking.group[start:stop]]
        if self.found is not None:
            mask &= self._bits(self.found, start, start + len(mask))
        if self.untouched:
            mask[touched] = False
        else:
            mask = _only(mask, touched)
        return mask

    @staticmethod
    def _bits(found: BitArray, start: int, stop: int) -> BoolArray:
        whole = np.unpackbits(found[start // BITS : -(-stop // BITS)])
        return whole[start % BITS :][: stop - start].view(np.bool_)


def _only(mask: BoolArray, places: RowArray) -> BoolArray:
    kept = np.zeros_like(mask)
    kept[places] = mask[places]
    return kept
