"""What a card is made from, whatever the kind of item: the items of a page, and what a run says of them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from curation.project import Project
from curation.run_classes import names_now
from curation.run_folders import finished_run_ids, run_number
from curation.run_table import RunTable, run_table
from diagnostics.errors import RunError
from diagnostics.explanations import FOLDER, read_explanations
from diagnostics.task import NO_LABEL, BoolArray, IntArray

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
        """What the run says of the items.

        Where it explains nothing, as quick rounds do not, it is what the last run before it that does says of those
        items whose label is still the same.
        """
        nothing = np.full(len(self.rows), None, dtype=object)
        if self.table is None:
            return Explained([None] * len(self.rows), (), nothing, nothing, [False] * len(self.rows), None)
        labels = _labels(self.project, self.table, self.rows, self.hidden, None)
        source = _explaining(self.project, self.table)
        explanations = read_explanations(source.run.folder) if source is not None else None
        if source is None or explanations is None:
            return Explained([None] * len(self.rows), (), labels, labels, [False] * len(self.rows), None)
        about = _labels(self.project, source, self.rows, self.hidden, explanations.codes)
        run_rows = source.index.row_of_item[self.rows]
        told = (run_rows >= 0) & ~self.hidden
        if source is not self.table:
            told &= _labels(self.project, source, self.rows, self.hidden, None) == labels
        return Explained(
            parts=[
                explanations.of(row) or None if is_told else None  # who was not asked about has no parts
                for row, is_told in zip(run_rows.tolist(), told.tolist(), strict=True)
            ],
            feature_names=explanations.parts,
            labels=labels,
            about=about,
            say_about=self.project.label_kind.says_about(about, labels).tolist(),
            run_id=source.run.info.run_id,
        )


@dataclass(frozen=True, slots=True)
class Explained:
    """What a run says of some items, one entry each.

    parts : what speaks for and against its label, see `diagnostics.explanations`; None where the run says nothing
    feature_names : the features that the parts of a table row name by their place; () for other items
    labels : in present names the label that the run was trained on, or the prediction for an item without; None for an
        item that is to be decided blind, or that the run did not predict
    about : what the parts are about; of an item without a label this is what one of the run's models predicts, which
        can be another class than all of them together do
    say_about : whether a card has to say it: an item can have several labels, or it is not its `labels`
    run_id : of the run that explains, None if there is none
    """

    parts: Sequence[Sequence[Part] | None]
    feature_names: tuple[str, ...]
    labels: Labels
    about: Labels
    say_about: Sequence[bool]
    run_id: str | None


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


def _explaining(project: Project, table: RunTable) -> RunTable | None:
    """The run itself if it has explanations, else the last one before it that has and can be read; None if there is
    none."""
    own = table.run.info.run_id
    having = [each for each in finished_run_ids(project) if (project.runs_dir / each / FOLDER).is_dir()]
    if own in having:
        return table
    for run_id in reversed([each for each in having if run_number(each) < run_number(own)]):
        with suppress(RunError):
            return run_table(project, run_id)
    return None


def _labels(
    project: Project, table: RunTable, rows: IntArray, hidden: BoolArray, codes: IntArray | None
) -> Labels:
    """What each item is labelled with in a run, or predicted as where it is not, in present names; None if that must
    not be told or the run did not predict it.

    codes : by row of the run the class that is meant instead, NO_LABEL where none is; None = nowhere
    """
    run_rows = table.index.row_of_item[rows]
    shown = (run_rows >= 0) & ~hidden
    names = names_now(project, table.run.info, project.classes)
    named = table.in_classes(names, project.classes)
    given = named.given(run_rows[shown])
    found: Labels = np.full(len(rows), None, dtype=object)
    found[shown] = named.labels.texts(np.where(given == NO_LABEL, named.predicted(run_rows[shown]), given))
    if codes is not None:
        meant = codes[run_rows]
        asked = shown & (meant != NO_LABEL)
        found[asked] = np.array(names, dtype=object)[meant[asked]]
    return found
