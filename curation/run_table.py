"""The scores of one run, read by row, filtered and counted by group, in the classes as they are now."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from curation.class_list import ClassList
from curation.item_index import CodeArray, texts
from curation.project import ITEMS_FILE, Project
from curation.run_folders import read_run
from curation.run_index import Groups, Ranking, RunIndex, open_run_index
from curation.standing import StandingDecisions
from diagnostics.label_kinds import label_kind_of
from diagnostics.label_space import LabelSpace
from diagnostics.reasons import LABELS_SEEN
from diagnostics.run_folder import INFO_FILE, SCORES_FILE, Run
from diagnostics.task import NO_LABEL, FloatArray, RowArray

MAX_KEPT_RUNS = 2
MAX_KEPT_SEARCHES = 16

BitArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class RunTable:
    """One row an item that the run predicted. Nothing of the rows is held in memory but the results of searches, one
    bit an item for each of the last MAX_KEPT_SEARCHES.

    places : (n_classes of the run,), the position of each of the run's classes in the classes
    labels : what labels can be, in the classes; label_places : (n_labels of the run + 1,), the number there of each
        label of the run, and at the end -1 for none
    groups : what the rows of each group have in common, see `curation.run_index`; numbers in `labels`
    """

    index: RunIndex
    standing: StandingDecisions
    places: RowArray
    labels: LabelSpace
    label_places: RowArray
    groups: Groups
    _searches: "OrderedDict[str, BitArray]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def run(self) -> Run:
        return self.index.run

    def in_classes(self, names: Sequence[str], classes: ClassList) -> "RunTable":
        """The same rows with labels in these classes; scores stay as computed. It is for a table in the run's classes.

        names : the present name of each class of the run, see `curation.run_classes`
        """
        if tuple(names) == self.run.info.classes == classes.names:
            return self
        places = np.array([classes.names.index(name) for name in names], dtype=np.int32)
        texts = classes.labels_as(
            self.index.labels.names, dict(zip(self.run.info.classes, names, strict=True))
        )
        labels = label_kind_of(classes.kind.key).space(classes.names, [*classes.names, *texts])
        label_places = labels.codes([*texts, None]).astype(np.int32)
        groups = self.index.groups
        renamed = {name: label_places[getattr(groups, name)] for name in ("given", "predicted", "second")}
        return replace(
            self,
            places=places,
            labels=labels,
            label_places=label_places,
            groups=replace(groups, **renamed),
        )

    def split(self, rows: RowArray) -> CodeArray:
        """Positions in SPLITS of some rows."""
        return self.index.codes["split"][rows]

    def kind(self, rows: RowArray) -> CodeArray:
        """Positions in KINDS of some rows."""
        return self.index.codes["kind"][rows]

    def given(self, rows: RowArray) -> RowArray:
        """The labels that the run was trained on, numbers in `labels`, of some rows; -1 = none."""
        return self._in_classes("given", rows)

    def predicted(self, rows: RowArray) -> RowArray:
        """What the run says of some rows: the most probable class, or the set of those that are likely enough."""
        return self._in_classes("predicted", rows)

    def second(self, rows: RowArray) -> RowArray:
        """The second most probable class of some rows; of several labels an item, that of its most suspect pair."""
        return self._in_classes("second", rows)

    def suspect(self, rows: RowArray) -> CodeArray:
        """Positions in `curation.run_index.SUSPECTS` of some rows: what may be wrong with their class `second`; -1 =
        nothing, or the run does not say."""
        return self.index.codes["suspect"][rows]

    def numbers(self, name: str, rows: RowArray, *, k: int) -> FloatArray:
        """A score of some rows; `confusion` is the largest minus the k-th largest probability."""
        return self.index.number(name, k)[rows]

    def pred_probs(self, rows: RowArray) -> FloatArray:
        """The probabilities of some rows, (n_rows, n_classes of the run)."""
        return self.index.pred_probs[rows]

    def ranking(self, name: str, *, ascending: bool, k: int) -> Ranking:
        """The rows in the order of a score, equal ones by item_id."""
        return self.index.ranking(name, ascending=ascending, k=k)

    def likeness(self, code: int) -> Ranking:
        """The unlabelled rows, those most like the known items of a class first.

        code : its position in the classes; items of all classes of the run that have become this one are known
        """
        return self.index.likeness(np.flatnonzero(self.places == code).tolist())

    def seen(self, rows: RowArray, classes: Sequence[str]) -> pd.DataFrame:
        """What speaks for and against the given labels of some rows, as `diagnostics.reasons` reads it."""
        names = np.array([*classes, None], dtype=object)
        columns: dict[str, Any] = {}
        for name, kept in self.index.seen.items():
            found = kept[rows]
            if name in LABELS_SEEN:
                columns[name] = names[np.append(self.places, NO_LABEL)[found]]
            else:
                columns[name] = pd.array(np.where(found < 0, 0, found), dtype="Int32")
                columns[name][found < 0] = pd.NA
        return pd.DataFrame(columns, index=range(len(rows)))

    def item_ids(self, rows: RowArray) -> list[str]:
        """The item ids of some rows."""
        return texts(self.index.items.ids, self.index.item_rows[rows])

    def item_paths(self, rows: RowArray) -> list[str]:
        """The paths of some rows."""
        return texts(self.index.items.paths, self.index.item_rows[rows])

    def with_text(self, text: str) -> RowArray:
        """The rows whose searched text contains this one, in whatever case, in no particular order."""
        with self._lock:
            bits = self._searches.get(text)
        if bits is None:
            bits = np.packbits(self.index.items.with_text(text))
        with self._lock:
            self._searches[text] = bits
            self._searches.move_to_end(text)
            while len(self._searches) > MAX_KEPT_SEARCHES:
                self._searches.popitem(last=False)
        found = np.flatnonzero(np.unpackbits(bits, count=len(self.index.items)).view(np.bool_))
        rows = self.index.row_of_item[found]
        with_row: RowArray = rows[rows >= 0]
        return with_row

    def _in_classes(self, name: str, rows: RowArray) -> RowArray:
        found: RowArray = self.label_places[self.index.codes[name][rows]]
        return found


_kept: OrderedDict[tuple[object, ...], RunTable] = OrderedDict()
_keeping = threading.Lock()


def run_table(project: Project, run_id: str | None) -> RunTable:
    """The table of a finished run, the newest one if it is not named; the last few are kept open."""
    run = read_run(project, run_id)
    files = (run.folder / INFO_FILE, run.folder / SCORES_FILE, project.folder / ITEMS_FILE)
    key = (str(run.folder), *(path.stat().st_mtime_ns if path.exists() else 0 for path in files))
    with _keeping:
        if key not in _kept or not _kept[key].index.is_there:
            _kept[key] = _opened(project, run)
        _kept[key].index.mark_used()
        _kept.move_to_end(key)
        while len(_kept) > MAX_KEPT_RUNS:
            _kept.popitem(last=False)
        return _kept[key]


def _opened(project: Project, run: Run) -> RunTable:
    index = open_run_index(project, run)
    return RunTable(
        index=index,
        standing=StandingDecisions(project.decisions, index.item_rows, index.row_of_item),
        places=np.arange(len(run.info.classes), dtype=np.int32),
        labels=index.labels,
        label_places=np.append(np.arange(len(index.labels)), NO_LABEL).astype(np.int32),
        groups=index.groups,
    )
