"""Which labels each item has, as boolean targets, and as text: `cat|dog`, `(none)`, or nothing where nobody labelled.

Text has one canonical form: labels in the order of the classes, each once, the separator between them. What is read may
have them in any order, with spaces around them, and a label twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.task import BoolArray

SEPARATOR = "|"
LABELLED_WITH_NONE = "(none)"
NOT_LABELLED = ""
HAS = ("1", "1.0", "true", "yes")
HAS_NOT = ("0", "0.0", "false", "no")
MAX_NAMED = 5

TextArray = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class LabelSets:
    """The labels of n items.

    targets : (n_items, n_classes), True where the item has the label
    labelled : (n_items,), False where nobody has labelled the item; such a row of `targets` is all False, as is that of
        an item that is labelled with none
    """

    classes: tuple[str, ...]
    targets: BoolArray
    labelled: BoolArray

    def __post_init__(self) -> None:
        n_items = len(self.labelled)
        if self.targets.shape != (n_items, len(self.classes)):
            raise DataError(
                f"Expected targets of {n_items} items and {len(self.classes)} classes; found {self.targets.shape}."
            )
        if self.targets.dtype != np.bool_ or self.labelled.dtype != np.bool_:
            raise DataError(
                f"Targets must be true or false; found {self.targets.dtype} and {self.labelled.dtype}."
            )
        astray = np.flatnonzero(~self.labelled)
        astray = astray[self.targets[astray].any(axis=1)]
        if len(astray):
            raise DataError(f"Row {astray[0]} has labels and is marked as not labelled.")

    def __len__(self) -> int:
        return len(self.labelled)

    def only(self, items: BoolArray) -> "LabelSets":
        """The same items as if nobody had labelled the others."""
        return LabelSets(self.classes, self.targets & items[:, None], self.labelled & items)

    def texts(self, *, separator: str = SEPARATOR) -> TextArray:
        """(n_items,) the canonical text of each set; `(none)` for the empty one, "" where nobody labelled."""
        check_class_names(self.classes, separator=separator)
        packed = np.packbits(self.targets, axis=1)
        _, first, places = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        different = [_text_of(self.targets[row], self.classes, separator) for row in first]
        texts = np.array(different, dtype=object)[places.ravel()]
        texts[~self.labelled] = NOT_LABELLED
        return texts

    def columns(self) -> pd.DataFrame:
        """One column a class of "1" and "0", "" where nobody labelled."""
        cells = np.where(self.targets, HAS[0], HAS_NOT[0]).astype(object)
        cells[~self.labelled] = NOT_LABELLED
        return pd.DataFrame(cells, columns=list(self.classes))


def check_class_names(classes: Sequence[str], *, separator: str = SEPARATOR) -> None:
    """Refuse names that could not be read back from the text of a set.

    raises : DataError naming all of them
    """
    if not classes:
        raise DataError("There are no classes; name at least one.")
    if not separator.strip() or separator in LABELLED_WITH_NONE:
        raise DataError(
            f"{separator!r} cannot separate labels: it must have a visible character and must not be part of "
            f"{LABELLED_WITH_NONE!r}."
        )
    reasons = {
        f"contains the separator {separator!r}": [name for name in classes if separator in name],
        "stands for no label at all": [name for name in classes if name == LABELLED_WITH_NONE],
        "is empty or has spaces around it": [name for name in classes if name != name.strip() or not name],
        "occurs more than once": sorted({name for name in classes if list(classes).count(name) > 1}),
    }
    wrong = [
        f"{', '.join(map(repr, names[:MAX_NAMED]))} {reason}" for reason, names in reasons.items() if names
    ]
    if wrong:
        raise DataError(f"These classes cannot be used for items with several labels: {'; '.join(wrong)}.")


def labels_in(texts: Sequence[object] | pd.Series, *, separator: str = SEPARATOR) -> tuple[str, ...]:
    """The different labels of some texts, sorted.

    >>> labels_in(["dog|cat", "(none)", "", "cat"])
    ('cat', 'dog')
    """
    different = pd.unique(_stripped(texts))
    return tuple(sorted({name for text in different for name in _names_in(text, separator)} - {""}))


def parse_label_sets(
    texts: Sequence[object] | pd.Series, classes: Sequence[str], *, separator: str = SEPARATOR
) -> LabelSets:
    """Read sets from text; None, NaN and blank text mean that nobody labelled the item.

    raises : DataError naming the rows, from 0, with a label that is no class, or with nothing between two separators

    >>> parse_label_sets(["dog | cat", "(none)", None], ["cat", "dog"]).texts()
    array(['cat|dog', '(none)', ''], dtype=object)
    """
    check_class_names(classes, separator=separator)
    series = _stripped(texts)
    places, different = pd.factorize(series)
    place_of = {name: place for place, name in enumerate(classes)}
    members = np.zeros((len(different), len(classes)), dtype=bool)
    problems: dict[int, str] = {}
    for number, text in enumerate(different):
        names = _names_in(text, separator)
        unknown = [name for name in names if name not in place_of]
        if unknown:
            problems[number] = _problem(unknown)
        members[number, [place_of[name] for name in names if name in place_of]] = True
    _report_rows(places, problems, n_classes=len(classes))
    return LabelSets(tuple(classes), members[places], (series != NOT_LABELLED).to_numpy(dtype=bool))


def label_sets_of_columns(cells: pd.DataFrame, *, separator: str = SEPARATOR) -> LabelSets:
    """Read sets from one column a class, whose cells say 1 or 0, true or false, yes or no, in whatever case.

    A row of empty cells alone is an item that nobody labelled. In any other row an empty cell could mean "not this
    label" as well as "not known", and is refused.
    raises : DataError naming the first such cells, and those with anything else, by row, from 0, and column
    """
    classes = tuple(str(name) for name in cells.columns)
    check_class_names(classes, separator=separator)
    texts = cells.astype(object).where(cells.notna(), "").astype(str)
    values = np.char.lower(np.char.strip(texts.to_numpy(dtype=str).reshape(cells.shape)))
    has, has_not, empty = np.isin(values, HAS), np.isin(values, HAS_NOT), values == ""
    labelled = ~empty.all(axis=1)
    rows, places = np.nonzero(~(has | has_not) & labelled[:, None])
    if len(rows):
        named = "; ".join(
            f"row {row}, column {cells.columns[place]!r}: {texts.iat[row, place]!r}"
            for row, place in zip(rows[:MAX_NAMED].tolist(), places[:MAX_NAMED].tolist(), strict=True)
        )
        raise DataError(
            f"Expected 1 or 0 in every cell of a labelled row, found {named}{_and_more(len(rows))}. Leave all cells of "
            "a row empty if nobody labelled it."
        )
    return LabelSets(classes, has, labelled)


def _stripped(texts: Sequence[object] | pd.Series) -> pd.Series:
    series = pd.Series(texts, dtype=object).reset_index(drop=True)
    return series.where(series.notna(), NOT_LABELLED).astype(str).str.strip()


def _names_in(text: str, separator: str) -> list[str]:
    """The labels in a text, in their order; "" where nothing is between two separators."""
    if text in (NOT_LABELLED, LABELLED_WITH_NONE):
        return []
    return [name.strip() for name in text.split(separator)]


def _text_of(members: BoolArray, classes: Sequence[str], separator: str) -> str:
    names = [classes[place] for place in np.flatnonzero(members).tolist()]
    return separator.join(names) if names else LABELLED_WITH_NONE


def _problem(unknown: Sequence[str]) -> str:
    known_empty = ["nothing between two separators"] if "" in unknown else []
    return ", ".join([*known_empty, *(repr(name) for name in unknown if name)])


def _report_rows(places: npt.NDArray[np.intp], problems: dict[int, str], *, n_classes: int) -> None:
    rows = np.flatnonzero(np.isin(places, list(problems)))
    if len(rows):
        named = "; ".join(f"row {row}: {problems[int(places[row])]}" for row in rows[:MAX_NAMED].tolist())
        raise DataError(
            f"Labels that are none of the {n_classes} classes: {named}{_and_more(len(rows))}. Name them as the classes "
            f"are, or write {LABELLED_WITH_NONE} for an item that has none of them."
        )


def _and_more(n: int) -> str:
    return f"; and {n - MAX_NAMED} more" if n > MAX_NAMED else ""
