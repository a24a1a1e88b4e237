"""Which items are left out for a cap on a class, and which stay because of the other classes that they have.

Leaving an item out takes it from all its classes. So those go first that have no class beside the capped one, then
those whose rarest other class has most items; and an item stays where one of its other classes would be left with fewer
items than the cap keeps. No class that is smaller than the cap loses anything, and the capped class can stay above it.
With one label an item there are no other classes: any order is possible, and every cap is reached.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from diagnostics.label_space import LabelSpace
from diagnostics.task import IntArray


def rarest_other(space: LabelSpace, codes: IntArray, place: int, *, leaving: Sequence[int] = ()) -> IntArray:
    """(n_items,), how many items have the rarest of the classes that each has beside the one at `place`; for an item
    with no other class one more than there are items.

    codes : (n_items,) of labels, all known
    leaving : places of classes that are above a cap of their own, so that nothing is lost with them

    >>> from diagnostics.label_space import set_space
    >>> space = set_space(["cat", "dog", "fox"], ["cat|dog", "dog|fox", "dog"])
    >>> rarest_other(space, space.codes(["cat|dog", "cat|dog", "dog|fox", "dog"]), 1).tolist()
    [2, 2, 1, 5]
    """
    n_items = space.by_class(np.bincount(codes, minlength=len(space)))
    others = space.members.copy()
    others[:, [place, *leaving]] = False
    rarest: IntArray = np.where(others, n_items, len(codes) + 1).min(axis=1)
    return rarest[codes]


def leave_out(
    space: LabelSpace,
    codes: IntArray,
    groups: Iterable[Sequence[int]],
    place: int,
    *,
    n: int,
    floors: IntArray,
) -> list[int]:
    """The positions of at most n items that have the class at `place`, whole groups in their order.

    codes : (n_items,) of the labels of all items that there are, all known
    groups : positions of items with the class that stay or go together; it ends at the first that is too large for
        what is left of n
    floors : (n_classes,), a group stays if one of its other classes would be left with fewer items than this
    """
    counts = space.by_class(np.bincount(codes, minlength=len(space))).tolist()
    others = [tuple(np.flatnonzero(has).tolist()) for has in space.members]
    others = [tuple(other for other in places if other != place) for places in others]
    found: list[int] = []
    for group in groups:
        if len(found) + len(group) > n:
            break
        lost = Counter(other for position in group for other in others[codes[position]])
        if any(counts[other] - n_lost < floors[other] for other, n_lost in lost.items()):
            continue
        for other, n_lost in lost.items():
            counts[other] -= n_lost
        found += group
    return found
