"""What a card is made from, whatever the kind of item: the items of a page, and what a run says of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from curation.project import Project
from curation.run_classes import names_now
from curation.run_table import RunTable
from diagnostics.explanations import Explanations, read_explanations
from diagnostics.task import NO_LABEL, BoolArray, IntArray, RowArray

Part = tuple[int, int, float]
Labels = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class CardRequest:
    """Some items whose cards are wanted; everything is in the order of `rows`.

    rows : (n,), of the item table
    table : of the run whose explanations are wanted; None = none are
    hidden : (n,), to be decided blind: nothing that tells the label may be on the card
    search : what the queue is searched for, "" for nothing
    whole : nothing of the item is left out
    """

    project: Project
    rows: IntArray
    table: RunTable | None
    hidden: BoolArray
    search: str = ""
    whole: bool = False

    def columns(self, names: Sequence[str]) -> pd.DataFrame:
        """These columns of the items, in the order of `rows`."""
        return self.project.items[list(names)].iloc[self.rows]

    def explained(self) -> "Explained":
        """What the run says of the items."""
        if self.table is None:
            nothing = np.full(len(self.rows), None, dtype=object)
            return Explained([None] * len(self.rows), (), nothing, nothing)
        explanations = read_explanations(self.table.run.folder)
        run_rows = self.table.index.row_of_item[self.rows]
        shown = (run_rows >= 0) & ~self.hidden
        names = np.array(
            [*names_now(self.project, self.table.run.info, self.project.classes), None], dtype=object
        )
        labels: Labels = np.full(len(self.rows), None, dtype=object)
        labels[shown] = self._labels(self.table, run_rows[shown])
        about = labels.copy()
        if explanations is not None and explanations.codes is not None:
            kept = explanations.codes[run_rows]
            asked = shown & (kept != NO_LABEL)
            about[asked] = names[kept[asked]]
        return Explained(
            parts=[
                _parts(explanations, row) if show else None
                for row, show in zip(run_rows.tolist(), shown.tolist(), strict=True)
            ],
            feature_names=explanations.parts if explanations else (),
            labels=labels,
            about=about,
        )

    def _labels(self, table: RunTable, run_rows: RowArray) -> Labels:
        """The given label of each row, the predicted one where there is none."""
        classes = self.project.classes
        shown = table.in_classes(names_now(self.project, table.run.info, classes), classes)
        given = shown.given(run_rows)
        return shown.labels.texts(np.where(given == NO_LABEL, shown.predicted(run_rows), given))


@dataclass(frozen=True, slots=True)
class Explained:
    """What a run says of some items, one entry each.

    parts : what speaks for and against its label, see `diagnostics.explanations`; None where the run says nothing
    feature_names : the features that the parts of a table row name by their place; () for other items
    labels : in present names the label that the run was trained on, or the prediction for an item without; None for an
        item that is to be decided blind, or that the run did not predict
    about : what the parts are about; of an item without a label this is what one of the run's models predicts, which
        can be another class than all of them together do
    """

    parts: Sequence[Sequence[Part] | None]
    feature_names: tuple[str, ...]
    labels: Labels
    about: Labels


@dataclass(frozen=True, slots=True)
class CardKind:
    """How items of a modality are shown.

    name : as the grid names it, see app/grid/cards.js
    searched : what of an item the search looks through, for the title of the field: "text"
    make : the cards of some items; None for items that are shown as pictures, see `curation.thumbnails`
    """

    name: str
    searched: str
    make: Callable[[CardRequest], Sequence[object]] | None = None


def _parts(explanations: Explanations | None, row: int) -> Sequence[Part] | None:
    """None for an item that was not asked about, which has no parts."""
    return (explanations.of(row) or None) if explanations else None
