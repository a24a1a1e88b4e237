"""What the label of an item can be: a number stands for a text, and the text for classes that the item has.

With one label an item the texts are the classes. With several labels an item they are the sets of classes that occur,
in the form of `diagnostics.multilabel.label_sets`: `cat|dog`, `(none)`. So whatever only moves labels about moves
numbers, and only what asks for a class looks at `members`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.multilabel.label_sets import NOT_LABELLED, LabelSets, parse_label_sets
from diagnostics.task import NO_LABEL, BoolArray, IntArray, label_codes

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Texts = Sequence[object] | pd.Series | npt.NDArray[np.object_]
Codes = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class LabelSpace:
    """Labels of items that have one of the classes each.

    names : (n_labels,), the texts that numbers from 0 stand for
    members : (n_labels, n_classes), the classes that an item with each of these labels has
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    members: BoolArray

    def __len__(self) -> int:
        return len(self.names)

    def codes(self, texts: Texts) -> IntArray:
        """(n_items,), the number of each text; -1 for None, NaN and "", which mean that nobody labelled the item.

        raises : DataError naming what is no label here
        """
        return label_codes(texts, self.names)

    def texts(self, codes: Codes) -> npt.NDArray[np.object_]:
        """(n_items,), the text of each number; None for -1."""
        return np.array([*self.names, None], dtype=object)[codes]

    def with_texts(self, texts: Texts) -> LabelSpace:
        """A space in which the same numbers mean the same and these texts have numbers too.

        raises : DataError for a class that there is not
        """
        self.codes(texts)
        return self

    def by_class(self, n: IntArray) -> IntArray:
        """(n_classes,), how many items have each class; n : (n_labels,), how many have each label."""
        return n

    def has(self, codes: Codes, place: int) -> BoolArray:
        """(n_items,), whether each item has the class at this place; one without a label has none."""
        has: BoolArray = np.append(self.members[:, place], False)[codes]
        return has

    def targets(self, codes: Codes) -> BoolArray:
        """(n_items, n_classes), the classes that each item has."""
        targets: BoolArray = np.vstack([self.members, np.zeros((1, len(self.classes)), dtype=bool)])[codes]
        return targets

    def exchanged(self, given: Codes, predicted: Codes, pair: tuple[int, int]) -> BoolArray:
        """(n_items,), which items are given one of two classes and predicted to have the other one in its place.

        pair : the places of the two; an item is not given the class that is predicted, nor predicted the one given
        """
        one, other = ((self.has(given, place), self.has(predicted, place)) for place in pair)
        exchanged: BoolArray = (one[0] & ~one[1] & other[1] & ~other[0]) | (
            other[0] & ~other[1] & one[1] & ~one[0]
        )
        return exchanged

    def exchanged_pairs(
        self, given: Codes, predicted: Codes, n: IntArray
    ) -> tuple[IntArray, IntArray, IntArray]:
        """How many items are so, of every two classes, whichever of them is given: the first place, the second, higher
        one, and how many items, more than 0.

        n : (n_groups,), how many items have each of these labels; given, predicted : (n_groups,)
        """
        from scipy.sparse import triu

        counts = self._exchanged(given, predicted, n)
        both_ways = triu(counts + counts.T, k=1).tocoo()
        some = both_ways.data > 0
        first, second = (each[some].astype(np.int64) for each in (both_ways.row, both_ways.col))
        return first, second, both_ways.data[some]

    def exchanged_counts(self, given: Codes, predicted: Codes) -> IntArray:
        """(n_classes, n_classes), how many items are given the first class and predicted to have the second one in its
        place, see `exchanged`; with one label an item that is the confusion of two classes."""
        counts: IntArray = self._exchanged(given, predicted, np.ones(len(given), dtype=np.int64)).toarray()
        return counts

    def between(self, given: Codes, predicted: Codes, second: Codes, pair: tuple[int, int]) -> BoolArray:
        """(n_items,), on which items it is asked which of two classes they have: given one of them and predicted one.

        second : what the model says besides
        """
        one, other = pair
        between: BoolArray = (self.has(given, one) | self.has(given, other)) & (
            self.has(predicted, one) | self.has(predicted, other)
        )
        return between

    def _exchanged(self, given: Codes, predicted: Codes, n: IntArray) -> csr_array:
        from scipy.sparse import csr_array

        differ = np.flatnonzero((given != NO_LABEL) & (given != predicted) & (n > 0))
        members = csr_array(
            np.vstack([self.members, np.zeros((1, len(self.classes)), dtype=bool)]), dtype=np.int64
        )
        has, said = members[given[differ]], members[predicted[differ]]
        both = has.multiply(said)
        return csr_array((has - both).T @ (said - both).multiply(n[differ, None]).tocsr())

    def torn(self, predicted: Codes, second: Codes, pair: tuple[int, int]) -> BoolArray:
        """(n_items,), of which items one of two classes is predicted and the other comes second."""
        torn: BoolArray = self._one_of_two(predicted, second, pair) & (second != predicted)
        return torn

    def _one_of_two(self, predicted: Codes, second: Codes, pair: tuple[int, int]) -> BoolArray:
        """Exactly one is predicted, and one of them is what `second` says."""
        one, other = pair
        is_one = self.has(predicted, one) ^ self.has(predicted, other)
        found: BoolArray = is_one & (self.has(second, one) | self.has(second, other))
        return found

    def label_sets(self, codes: IntArray) -> LabelSets:
        """What each item has, and whether somebody labelled it."""
        return LabelSets(self.classes, self.targets(codes), codes != NO_LABEL)


class SetSpace(LabelSpace):
    """Labels of items that have any number of the classes each; only sets that occur have numbers."""

    def codes(self, texts: Texts) -> IntArray:
        """As for one label an item; a text may name its classes in any order.

        raises : DataError for a class that there is not, and for sets that have no number here
        """
        sets = parse_label_sets(pd.Series(texts, dtype=object), self.classes)
        places = pd.Index(self.names, dtype=object).get_indexer(pd.Index(sets.texts(), dtype=object))
        strange = np.flatnonzero((places == NO_LABEL) & sets.labelled)
        if len(strange):
            raise DataError(
                f"No item had the labels {sets.texts()[strange[0]]!r} when the labels were read. Read them again."
            )
        return places.astype(np.int64)

    def by_class(self, n: IntArray) -> IntArray:
        counts: IntArray = n @ self.members
        return counts

    def torn(self, predicted: Codes, second: Codes, pair: tuple[int, int]) -> BoolArray:
        """(n_items,), of which items one of two classes is predicted, the other not, and one of them is where the model
        hesitates most; second : the class that is nearest to its threshold"""
        return self._one_of_two(predicted, second, pair)

    def between(self, given: Codes, predicted: Codes, second: Codes, pair: tuple[int, int]) -> BoolArray:
        """(n_items,), given exactly one of the two and predicted exactly one, which is the other, or one of them is the
        suspect class; second : that class"""
        one, other = pair
        is_one = self.has(given, one) ^ self.has(given, other)
        torn = self._one_of_two(predicted, second, pair)
        between: BoolArray = self.exchanged(given, predicted, pair) | (is_one & torn)
        return between

    def with_texts(self, texts: Texts) -> LabelSpace:
        """The sets that had no number yet get the next ones, in an order that does not depend on that of the texts."""
        names, members = _different_sets(texts, self.classes)
        new = ~np.isin(names, np.array(self.names, dtype=object))
        if not new.any():
            return self
        return replace(
            self, names=(*self.names, *names[new]), members=np.concatenate([self.members, members[new]])
        )


def single_space(classes: Sequence[str]) -> LabelSpace:
    """One label an item.

    >>> single_space(["cat", "dog"]).codes(["dog", None]).tolist()
    [1, -1]
    """
    return LabelSpace(tuple(classes), tuple(classes), np.eye(len(classes), dtype=bool))


def set_space(classes: Sequence[str], texts: Texts) -> LabelSpace:
    """Several labels an item: the sets that occur among these texts.

    >>> space = set_space(["cat", "dog"], ["dog|cat", "(none)", None])
    >>> space.names, space.targets(space.codes(["cat|dog", "(none)"])).tolist()
    (('(none)', 'cat|dog'), [[True, True], [False, False]])
    """
    names, members = _different_sets(texts, tuple(classes))
    return SetSpace(tuple(names), tuple(classes), members)


def _different_sets(texts: Texts, classes: tuple[str, ...]) -> tuple[npt.NDArray[np.object_], BoolArray]:
    """The texts (n,) and members (n, n_classes) of the sets that occur, each once, in the order of their members."""
    sets = parse_label_sets(pd.Series(texts, dtype=object), classes)
    members = np.unique(sets.targets[sets.labelled], axis=0)
    names = LabelSets(classes, members, np.ones(len(members), dtype=bool)).texts()
    return names[names != NOT_LABELLED], members
