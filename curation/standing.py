"""What holds for each item of a run, kept up to date by reading what changed since.

Only what people touched is in memory, about 20 bytes an item; of all other items, however many, nothing is.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from curation.class_list import ClassList
from curation.decisions.events import VERDICTS
from curation.decisions.store import DecisionStore
from diagnostics.label_space import LabelSpace
from diagnostics.task import NO_LABEL, IntArray, RowArray

MAX_KEPT_PAST = 4
NOBODY = -1
UNKNOWN = -2
VERDICT_INDEX = pd.Index(VERDICTS, dtype=object)
FIELDS = ("verdict", "annotator", "label", "event")


@dataclass(frozen=True, slots=True)
class RowStates:
    """What holds for some rows of a run; every array has one value a row.

    verdict : positions in VERDICTS, -1 = no decision stands
    annotator : positions in the `annotators` of the `Standing`, -1 = no decision stands
    label, given : positions in the `labels` of the `Standing`, -1 = no label; what the item has at that moment, and
        what the source gave
    event : the item's last event, 0 = none; of a past moment only where a decision stood
    """

    verdict: RowArray
    annotator: RowArray
    label: RowArray
    given: RowArray
    event: RowArray


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds at one moment for the rows of a run that people touched; arrays (n_touched,), not to be changed.

    rows : in ascending order; the others are as in `RowStates`
    labels : what labels can be, in the project's classes as they are now; it grows as people decide, and what has a
        number keeps it
    given_of : the source's labels of some rows, as `RowStates` has them
    """

    rows: RowArray
    verdict: RowArray
    annotator: RowArray
    label: RowArray
    event: RowArray
    annotators: tuple[str, ...]
    labels: LabelSpace
    given_of: Callable[[RowArray], RowArray]

    @property
    def decided(self) -> RowArray:
        """The rows that a decision stands for, in ascending order."""
        rows: RowArray = self.rows[self.verdict != NOBODY]
        return rows

    def of(self, rows: RowArray) -> RowStates:
        """What holds for these rows, touched or not."""
        given = self.given_of(rows)
        if not len(self.rows):
            nobody = np.full(len(rows), NOBODY, dtype=np.int32)
            return RowStates(nobody, nobody, given, given, np.zeros(len(rows), dtype=np.int32))
        places = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        touched = self.rows[places] == rows
        return RowStates(
            verdict=np.where(touched, self.verdict[places], NOBODY),
            annotator=np.where(touched, self.annotator[places], NOBODY),
            label=np.where(touched, self.label[places], given),
            given=given,
            event=np.where(touched, self.event[places], 0),
        )

    def annotator_code(self, annotator: str) -> int:
        """The position of a person in `annotators`, UNKNOWN if none of their decisions stood."""
        return self.annotators.index(annotator) if annotator in self.annotators else UNKNOWN


class StandingDecisions:
    """The `Standing` of a run's rows, now or at an event. Safe to use from several threads.

    item_rows : (n_rows,), the row of each one's item in the item table of the store
    row_of_item : (n_items,), the inverse, -1 for an item that the run did not predict
    """

    def __init__(self, store: DecisionStore, item_rows: RowArray, row_of_item: RowArray) -> None:
        self._store = store
        self._item_rows = item_rows
        self._row_of_item = row_of_item
        self._past: OrderedDict[int, Standing] = OrderedDict()
        self._lock = threading.Lock()
        self._now, self._event = self._begin(store.class_list), 0

    def now(self) -> Standing:
        """What holds now; the same object as long as nothing changes."""
        with self._lock:
            self._follow_classes()
            last, changed = self._store.changed_since(self._event)
            if changed:
                states = list(changed.values())
                columns = {name: [getattr(state, name) for state in states] for name in ("item_id", *FIELDS)}
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
        self._past.clear()
        return self._untouched()

    def _untouched(self) -> Standing:
        nothing = np.empty(0, dtype=np.int32)
        labels = self._store.label_space(self._classes)
        places = self._store.given_places(self._classes, labels)
        return Standing(
            nothing, nothing, nothing, nothing, nothing, (), labels,
            lambda rows: places[self._store.given_codes(self._item_rows[rows])],
        )  # fmt: skip

    def _with(self, before: Standing, columns: dict[str, list[object]]) -> Standing:
        """The same after these items' states became what the columns say."""
        rows = self.rows_of([str(item_id) for item_id in columns["item_id"]])
        known = rows >= 0
        found = {name: pd.Series(columns[name], dtype=object)[known] for name in FIELDS}
        labels, codes = _numbered(before.labels, found["label"])
        annotators = tuple(dict.fromkeys([*before.annotators, *found["annotator"].dropna()]))
        after = {
            "rows": rows[known],
            "verdict": VERDICT_INDEX.get_indexer(pd.Index(found["verdict"], dtype=object)),
            "annotator": pd.Index(annotators, dtype=object).get_indexer(
                pd.Index(found["annotator"], dtype=object)
            ),
            "label": codes,
            "event": found["event"].to_numpy(dtype=np.int32),
        }
        kept = ~np.isin(before.rows, after["rows"])
        merged = {
            name: np.concatenate([getattr(before, name)[kept], values]).astype(np.int32)
            for name, values in after.items()
        }
        order = np.argsort(merged["rows"], kind="stable")
        return Standing(
            **{name: values[order] for name, values in merged.items()},
            annotators=annotators,
            labels=labels,
            given_of=before.given_of,
        )


def _numbered(labels: LabelSpace, texts: pd.Series) -> tuple[LabelSpace, IntArray]:
    """The number of each text, -1 for None, and the space, which has got those that were new."""
    wanted = pd.Index(texts, dtype=object)
    codes = pd.Index(labels.names, dtype=object).get_indexer(wanted)
    if ((codes == NO_LABEL) & texts.notna().to_numpy()).any():
        labels = labels.with_texts(texts)
        codes = pd.Index(labels.names, dtype=object).get_indexer(wanted)
    return labels, codes


def _objects(column: pd.Series) -> list[object]:
    values: list[object] = column.astype(object).where(column.notna(), None).tolist()
    return values
