"""Everything about one item: what the run says of it, what it is like, and what happened to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from curation.decisions.events import Event
from curation.notes import Note, note_history
from curation.project import Project
from curation.run_classes import names_now
from curation.run_table import RunTable, run_table
from diagnostics.predictions import read_embedded
from diagnostics.scores import largest_first
from diagnostics.similar import similar_training_items
from diagnostics.task import SPLITS, RowArray

MAX_PROBABILITIES = 50
N_SIMILAR = 5
NOTE = "note"


@dataclass(frozen=True, slots=True)
class SimilarItem:
    """A training item that the model sees like another one; similarity is the cosine of embeddings, in [-1, 1].

    label, given_label : as of now, and as the run was trained on it
    """

    item_id: str
    label: str | None
    given_label: str | None
    split: str
    similarity: float


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Something that happened to an item. kind : decide, undo, redo or note; `event` of a note is the one before it."""

    event: int
    kind: str
    annotator: str
    at: datetime
    verdict: str | None
    old_label: str | None
    new_label: str | None
    note: str


@dataclass(frozen=True, slots=True)
class ItemDetails:
    """One item.

    given_label : as the run was trained on it, or of the source if the run did not predict the item
    probabilities : (class, probability), most probable first, at most MAX_PROBABILITIES; empty without a prediction
    similar : at most N_SIMILAR training items, most similar first; those whose embeddings can be compared with its own
    history : oldest first
    note, note_number : the note that holds, "" and 0 if there never was one
    """

    item_id: str
    path: str
    split: str
    given_label: str | None
    label: str | None
    predicted_label: str | None
    probabilities: list[tuple[str, float]]
    similar: list[SimilarItem]
    history: list[HistoryEntry]
    note: str
    note_number: int


def item_details(project: Project, item_id: str, run_id: str | None) -> ItemDetails:
    """An item as a run and the log know it.

    raises : DecisionError for an unknown item, RunError if there is no such run
    """
    state = project.decisions.states([item_id])[item_id]
    item = project.items.iloc[int(project.decisions.rows_of([item_id])[0])]
    table = run_table(project, run_id)
    row = table.standing.row_of(item_id)
    notes = note_history(project.engine, item_id)
    names = RunNames(project, table)
    probabilities = _probabilities(table, row, names) if row >= 0 else []
    return ItemDetails(
        item_id=item_id,
        path=str(item["path"]),
        split=str(item["split"]),
        given_label=names.given(row) if row >= 0 else state.given_label,
        label=state.label,
        predicted_label=names.predicted(row, probabilities) if row >= 0 else None,
        probabilities=probabilities,
        similar=_similar(project, table, row, names) if row >= 0 else [],
        history=_history(project.decisions.history(item_id), notes),
        note=notes[-1].text if notes else "",
        note_number=notes[-1].number if notes else 0,
    )


class RunNames:
    """The present names of the classes, and of the labels, that a run knows by their names of then."""

    def __init__(self, project: Project, table: RunTable) -> None:
        then = table.run.info
        self._classes = project.classes
        self._now = dict(zip(then.classes, names_now(project, then, self._classes), strict=True))
        self._table = table.in_classes(list(self._now.values()), self._classes)

    def given(self, row: int) -> str | None:
        """The label that the run was trained on in this row, None if there is none."""
        return self._text_of(self._table.given, row)

    def predicted(self, row: int, probabilities: list[tuple[str, float]]) -> str | None:
        """What the run says of this row, which is shown beside these probabilities, most probable first."""
        return self._classes.kind.prediction(self._text_of(self._table.predicted, row), probabilities[0][0])

    def _text_of(self, codes: Callable[[RowArray], RowArray], row: int) -> str | None:
        found = self._table.labels.texts(codes(np.array([row], dtype=np.int32)))[0]
        return None if found is None else str(found)

    def of_classes(self) -> list[str]:
        """In the order of the run's probabilities; merged classes have one name."""
        return list(self._now.values())

    def together(self, probs: pd.Series) -> pd.Series:
        """The probability of each present class from those of the run's."""
        return self._classes.kind.together(probs.groupby(self.of_classes(), sort=False))


def _probabilities(table: RunTable, row: int, names: RunNames) -> list[tuple[str, float]]:
    """Most probable first; classes that were merged count together."""
    probs = pd.Series(table.pred_probs(np.array([row]))[0].astype(np.float64))
    summed = names.together(probs)
    order = largest_first(summed.to_numpy()[None, :], n=MAX_PROBABILITIES)[0]
    return [(str(summed.index[position]), float(summed.iloc[position])) for position in order]


def _similar(project: Project, table: RunTable, row: int, names: RunNames) -> list[SimilarItem]:
    found_rows, cosines = similar_training_items(read_embedded(table.run.folder), row, n=N_SIMILAR)
    rows: RowArray = found_rows.astype(np.int32)
    item_ids = table.item_ids(rows)
    states = project.decisions.states(item_ids)
    return [
        SimilarItem(
            item_id,
            states[item_id].label,
            names.given(found),
            SPLITS[split],
            round(float(cosine), 4),
        )
        for item_id, found, split, cosine in zip(item_ids, rows, table.split(rows), cosines, strict=True)
    ]


def _history(events: list[Event], notes: list[Note]) -> list[HistoryEntry]:
    told = [HistoryEntry(*(getattr(event, name) for name in HistoryEntry.__slots__)) for event in events]
    told += [
        HistoryEntry(note.event, NOTE, note.annotator, note.at, None, None, None, note.text) for note in notes
    ]
    return sorted(told, key=lambda entry: (entry.event, entry.kind == NOTE))
