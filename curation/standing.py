"""What holds for each item of a run, as columns in memory, kept up to date by reading what changed since."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from curation.class_list import ClassList
from curation.decisions.events import VERDICTS
from curation.decisions.store import DecisionStore
from diagnostics.task import BoolArray, IntArray

MAX_KEPT_PAST = 4
NOBODY = -1
VERDICT_INDEX = pd.Index(VERDICTS, dtype=object)

RowArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for each row of a run; every array is (n_rows,) and not to be changed.

    verdict : positions in VERDICTS, -1 = no decision stands
    annotator : positions in `annotators`, -1 = no decision stands
    label, given : positions in the project's classes as they are now, -1 = no label; what the item has at that
        moment, and what the source gave
    event : the item's last event, 0 = none; of a past moment only where a decision stood
    """

    verdict: RowArray
    annotator: RowArray
    label: RowArray
    given: RowArray
    event: IntArray
    annotators: tuple[str, ...]

    @property
    def decided(self) -> BoolArray:
        mask: BoolArray = self.verdict != NOBODY
        return mask

    def by(self, annotator: str) -> BoolArray:
        """Where this person's decision stands."""
        if annotator not in self.annotators:
            return np.zeros(len(self.annotator), dtype=np.bool_)
        mask: BoolArray = self.annotator == self.annotators.index(annotator)
        return mask


class StandingDecisions:
    """The `Standing` of a run's rows, now or at an event. Safe to use from several threads.

    item_rows : (n_rows,), the row of each one's item in the item table of the store
    """

    def __init__(self, store: DecisionStore, item_rows: RowArray) -> None:
        self._store = store
        self._item_rows = item_rows
        self._row_of_item = np.full(store.n_items, -1, dtype=np.int32)
        self._row_of_item[item_rows] = np.arange(len(item_rows), dtype=np.int32)
        self._past: OrderedDict[int, Standing] = OrderedDict()
        self._lock = threading.Lock()
        self._now, self._event = self._begin(store.class_list), 0

    def now(self) -> Standing:
        """What holds now."""
        with self._lock:
            self._follow_classes()
            last, changed = self._store.changed_since(self._event)
            if changed:
                states = list(changed.values())
                columns = {
                    name: [getattr(state, name) for state in states]
                    for name in ("item_id", "verdict", "annotator", "label", "event")
                }
                self._now = self._with(self._now, columns)
            self._event = last
            return self._now

    def at(self, event: int) -> Standing:
        """What held after an event."""
        if event >= self._store.last_event():
            return self.now()
        with self._lock:
            self._follow_classes()
            if event not in self._past:
                table = self._store.state_table(event)
                columns = {name: _objects(table[name]) for name in table.columns}
                self._past[event] = self._with(self._untouched(), columns)
            self._past.move_to_end(event)
            while len(self._past) > MAX_KEPT_PAST:
                self._past.popitem(last=False)
            return self._past[event]

    def row_of(self, item_id: str) -> int:
        """The row of an item, -1 if the run did not predict it."""
        return int(self.rows_of([item_id])[0])

    def rows_of(self, item_ids: Sequence[str]) -> RowArray:
        """The rows of items, -1 for those that the run did not predict."""
        in_items = self._store.rows_of(item_ids)
        rows: RowArray = np.where(in_items >= 0, self._row_of_item[in_items], -1).astype(np.int32)
        return rows

    def _follow_classes(self) -> None:
        """Once a class was added, renamed or merged, begin again: every label has another position or name."""
        classes = self._store.class_list
        if classes.number != self._classes.number:
            self._now, self._event = self._begin(classes), 0

    def _begin(self, classes: ClassList) -> Standing:
        """What holds before the first event, in these classes."""
        self._classes = classes
        self._given = self._store.given_codes(classes).astype(np.int32)[self._item_rows]
        self._past.clear()
        return self._untouched()

    def _untouched(self) -> Standing:
        nothing = np.full(len(self._given), NOBODY, dtype=np.int32)
        return Standing(
            nothing, nothing, self._given, self._given, np.zeros(len(self._given), dtype=np.int64), ()
        )

    def _with(self, before: Standing, columns: dict[str, list[object]]) -> Standing:
        """The same after these items' states became what the columns say."""
        rows = self.rows_of([str(item_id) for item_id in columns["item_id"]])
        known = rows >= 0
        found = {name: pd.Series(values, dtype=object)[known] for name, values in columns.items()}
        annotators = tuple(dict.fromkeys([*before.annotators, *found["annotator"].dropna()]))
        codes = {
            "verdict": VERDICT_INDEX.get_indexer(pd.Index(found["verdict"], dtype=object)),
            "annotator": pd.Index(annotators, dtype=object).get_indexer(
                pd.Index(found["annotator"], dtype=object)
            ),
            "label": pd.Index(self._classes.names, dtype=object).get_indexer(
                pd.Index(found["label"], dtype=object)
            ),
            "event": found["event"].to_numpy(dtype=np.int64),
        }
        updated = {name: getattr(before, name).copy() for name in codes}
        for name, values in codes.items():
            updated[name][rows[known]] = values
        return Standing(given=before.given, annotators=annotators, **updated)


def _objects(column: pd.Series) -> list[object]:
    values: list[object] = column.astype(object).where(column.notna(), None).tolist()
    return values
