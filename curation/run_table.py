"""The scores of one run as columns in memory, ready to be filtered and ordered; read once, kept for the next queue."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.project import Project
from curation.run_folders import read_run
from curation.standing import RowArray, StandingDecisions
from diagnostics.errors import RunError
from diagnostics.predictions import KINDS
from diagnostics.run_folder import INFO_FILE, SCORES_FILE, Run
from diagnostics.scores import SCORE_COLUMNS, confusion_of
from diagnostics.task import NO_LABEL, SPLITS, BoolArray, FloatArray

MAX_KEPT_RUNS = 2
MAX_KEPT_ORDERS = 8
TEXT_SCORES = ("predicted_label", "second_label")
NUMBERS = tuple(name for name in SCORE_COLUMNS if name not in TEXT_SCORES)


@dataclass
class RunTable:
    """One row an item that the run predicted; every array is aligned with these rows, (n_rows,).

    ids, paths : of all items of the project, in the order of its item table; item_rows : the row there
    split, kind : positions in SPLITS and in KINDS; given, predicted, second : positions in the classes, -1 = no label
    places : (n_classes of the run,), the position of each of the run's classes in the classes
    numbers : the scores by name, NaN where an item has none
    """

    run: Run
    ids: pa.Array
    paths: pa.Array
    item_rows: RowArray
    split: RowArray
    kind: RowArray
    given: RowArray
    predicted: RowArray
    second: RowArray
    places: RowArray
    numbers: dict[str, FloatArray]
    standing: StandingDecisions
    _orders: "OrderedDict[tuple[str, int, bool], RowArray]" = field(default_factory=OrderedDict)
    _confusion: dict[int, FloatArray] = field(default_factory=dict)
    _id_ranks: RowArray | None = None
    _renumbered: "tuple[tuple[int, ...], RunTable] | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self.item_rows)

    def in_classes(self, names: Sequence[str], classes: Sequence[str]) -> "RunTable":
        """The same rows with `given`, `predicted` and `second` as positions in `classes`; scores stay as computed.

        names : the present name of each class of the run, see `curation.run_classes`
        """
        if tuple(names) == tuple(classes)[: len(names)]:
            return self
        positions = tuple(classes.index(name) for name in names)
        with self._lock:
            if self._renumbered is None or self._renumbered[0] != positions:
                places = np.array([*positions, NO_LABEL], dtype=np.int32)
                columns = {name: places[getattr(self, name)] for name in ("given", "predicted", "second")}
                self._renumbered = (positions, replace(self, **columns, places=places[:-1], _renumbered=None))
            return self._renumbered[1]

    def number(self, name: str, k: int) -> FloatArray:
        """A score of every row; `confusion` is the largest minus the k-th largest probability."""
        if name != "confusion" or k == 2:
            return self.numbers[name]
        with self._lock:
            if k not in self._confusion:
                self._confusion = {k: confusion_of(self.run.predictions.pred_probs, k=k)}
            return self._confusion[k]

    def order(self, name: str, *, ascending: bool, k: int) -> RowArray:
        """The rows that have a value, by it; equal ones by item_id."""
        values = self.number(name, k)
        key = (name, k, ascending)
        with self._lock:
            if key not in self._orders:
                self._orders[key] = self._sorted(values if ascending else -values)
            self._orders.move_to_end(key)
            while len(self._orders) > MAX_KEPT_ORDERS:
                self._orders.popitem(last=False)
            return self._orders[key]

    def item_ids(self, rows: RowArray) -> list[str]:
        """The item ids of some rows."""
        return _texts(self.ids, self.item_rows[rows])

    def item_paths(self, rows: RowArray) -> list[str]:
        """The paths of some rows."""
        return _texts(self.paths, self.item_rows[rows])

    def paths_contain(self, text: str) -> BoolArray:
        """Whether each row's path contains the text, in whatever case."""
        found = pc.match_substring(self.paths, pattern=text, ignore_case=True)
        in_items: BoolArray = found.to_numpy(zero_copy_only=False)
        return in_items[self.item_rows]

    def _sorted(self, values: FloatArray) -> RowArray:
        rows = np.flatnonzero(~np.isnan(values)).astype(np.int32)
        known = values[rows]
        order = np.argsort(known, kind="stable")
        in_order = known[order]
        if (in_order[1:] == in_order[:-1]).any():
            order = np.lexsort((self._ranks_of_ids()[rows], known))
        return rows[order]

    def _ranks_of_ids(self) -> RowArray:
        if self._id_ranks is None:
            by_id = pc.sort_indices(self.ids).to_numpy()
            ranks = np.empty(len(by_id), dtype=np.int32)
            ranks[by_id] = np.arange(len(by_id), dtype=np.int32)
            self._id_ranks = ranks[self.item_rows]
        return self._id_ranks


_kept: OrderedDict[tuple[str, int], RunTable] = OrderedDict()
_keeping = threading.Lock()


def run_table(project: Project, run_id: str | None) -> RunTable:
    """The table of a finished run, the newest one if it is not named; the last few are kept in memory."""
    run = read_run(project, run_id)
    key = (str(run.folder), (run.folder / INFO_FILE).stat().st_mtime_ns)
    with _keeping:
        if key not in _kept:
            _kept[key] = _read(project, run)
        _kept.move_to_end(key)
        while len(_kept) > MAX_KEPT_RUNS:
            _kept.popitem(last=False)
        return _kept[key]


def _read(project: Project, run: Run) -> RunTable:
    path = run.folder / SCORES_FILE
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"The scores of {run.info.run_id} ({path}) cannot be read: {error}.") from error
    ids, paths = (_one_array(project.items[name]) for name in ("item_id", "path"))
    item_rows = _positions(table["item_id"], ids)
    if (item_rows < 0).any():
        n_unknown = int((item_rows < 0).sum())
        raise RunError(
            f"{run.info.run_id} predicts {n_unknown} items that {project.info.name} does not have."
        )
    classes = run.info.classes
    return RunTable(
        run=run,
        ids=ids,
        paths=paths,
        item_rows=item_rows,
        split=_positions(table["split"], SPLITS),
        kind=_positions(table["kind"], KINDS),
        given=_positions(table["given_label"], classes),
        predicted=_positions(table["predicted_label"], classes),
        second=_positions(table["second_label"], classes),
        places=np.arange(len(classes), dtype=np.int32),
        numbers={name: table[name].to_numpy() for name in NUMBERS},
        standing=StandingDecisions(project.decisions, item_rows),
    )


def _positions(column: pa.ChunkedArray, values: Sequence[str] | pa.Array) -> RowArray:
    """The position in `values` of each text, -1 where it is missing or not among them."""
    known = pa.array(values)
    texts = column.cast(known.type)
    if len(texts) == len(known) and texts.equals(pa.chunked_array([known])):
        return np.arange(len(known), dtype=np.int32)
    found = pc.index_in(texts, value_set=known)
    positions: RowArray = found.fill_null(-1).to_numpy().astype(np.int32)
    return positions


def _one_array(column: pd.Series) -> pa.Array:
    """The texts of a column in one piece, which is what makes taking a few of many fast."""
    array = pa.array(column)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _texts(array: pa.Array, rows: RowArray) -> list[str]:
    texts: list[str] = array.take(pa.array(rows)).to_pylist()
    return texts
