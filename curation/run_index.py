"""The scores of one run as memory-mapped files: every ranking in its order, with what the filters ask next to it.

Built from the run's scores when they are first needed and kept in the cache folder, for the runs that were looked at
last; can be deleted. What a process
has of them in memory are file pages, which the system takes back when something else needs the room.

All that the filters on the split, the labels and the prediction can ask of an item is its group: items with the same
group are let through by the same filters. So any combination of them is one look at a small table of the groups.
"""

import json
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.derived_files import derived_folder, move_unless_there, stamp_of
from curation.item_index import CodeArray, ItemIndex, positions_in, smallest_type
from curation.mapped_files import MappedFiles
from curation.project import ITEMS_FILE, Project
from diagnostics.errors import RunError
from diagnostics.label_kinds import label_kind_of
from diagnostics.label_space import LabelSpace
from diagnostics.multilabel.scores import MISSING, SUPERFLUOUS
from diagnostics.predictions import FOLDER, KINDS
from diagnostics.reasons import COUNTS_SEEN, LABELS_SEEN
from diagnostics.run_folder import INFO_FILE, SCORES_FILE, Run
from diagnostics.scores import SCORE_COLUMNS, confusion_of
from diagnostics.similar import likeness
from diagnostics.task import NO_LABEL, SPLITS, FloatArray, IntArray, RowArray

FORMAT_VERSION = 4
TEXT_SCORES = ("predicted_label", "second_label")
NUMBERS = tuple(name for name in SCORE_COLUMNS if name not in TEXT_SCORES)
CODES = {"given": "given_label", "predicted": "predicted_label", "second": "second_label"}
SUSPECT, SUSPECTS = "suspect", (MISSING, SUPERFLUOUS)
SEEN = (*LABELS_SEEN, *COUNTS_SEEN)
GROUPED_BY = ("split", "given", "predicted", "second", "suspect")
LABELS = "labels.json"
MAX_KEPT_RUNS, MAX_KEPT_SPREADS, MAX_KEPT_LIKENESSES = 6, 4, 32


@dataclass(frozen=True, slots=True)
class Groups:
    """What the items of each group have in common; arrays (n_groups,).

    split : positions in SPLITS; given, predicted, second : positions in the labels, -1 = none; second says nothing
        (-1) of items with a label of which nothing is suspect, because no filter asks for it there
    suspect : positions in SUSPECTS, -1 = nothing is suspect, or the run does not say
    """

    split: CodeArray
    given: CodeArray
    predicted: CodeArray
    second: CodeArray
    suspect: CodeArray

    def __len__(self) -> int:
        return len(self.split)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The rows of a run in the order of one score; arrays (n_rows,), the first `n_valued` places have a value.

    order : the row at each place; place : the inverse, the place of each row
    group : the group of the row at each place
    values : (n_rows,), the score of each row, NaN where there is none
    n_in_group : (n_groups,), how many rows of each group have a value
    """

    order: RowArray
    place: RowArray
    group: CodeArray
    values: FloatArray
    n_in_group: IntArray
    n_valued: int


class RunIndex:
    """The files of one run; row i of everything is the i-th row of its scores. Safe to use from several threads.

    item_rows : (n_rows,), the row of each one's item in the item table; row_of_item : (n_items,), the inverse, -1 for
        an item that the run did not predict
    labels : what the labels of the run can be, in its classes
    codes : "split" and "kind" as positions in SPLITS and KINDS, "given", "predicted", "second" as positions in
        `labels`, -1 = no label, "suspect" in SUSPECTS, -1 = nothing; each (n_rows,)
    numbers : the scores by name, (n_rows,), NaN where an item has none
    seen : what speaks for and against the given labels, see `diagnostics.reasons`: LABELS_SEEN as positions in the
        classes of the run and COUNTS_SEEN, -1 = nothing known, each (n_rows,); empty for runs that did not keep it
    """

    def __init__(self, folder: Path, run: Run, items: ItemIndex) -> None:
        self._files = MappedFiles()
        mapped = self._files.array
        self.run = run
        self.items = items
        self.item_rows: RowArray = mapped(folder / "item_rows.npy")
        self.row_of_item: RowArray = mapped(folder / "row_of_item.npy")
        self.labels = _space(run, json.loads((folder / LABELS).read_text(encoding="utf-8")))
        self.codes = {name: mapped(folder / f"{name}.npy") for name in ("split", "kind", "suspect", *CODES)}
        self.numbers: dict[str, FloatArray] = {name: mapped(folder / f"{name}.npy") for name in NUMBERS}
        self.seen = {name: mapped(path) for name in SEEN if (path := folder / f"{name}.npy").is_file()}
        self.groups = Groups(*(mapped(folder / f"group_{name}.npy") for name in GROUPED_BY))
        self._folder = folder
        self._group: CodeArray = mapped(folder / "group.npy")
        self._rankings: dict[str, Ranking] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.item_rows)

    @cached_property
    def pred_probs(self) -> FloatArray:
        """(n_rows, n_classes of the run), memory-mapped."""
        path = self.run.folder / FOLDER / "pred_probs.npy"
        try:
            probs: FloatArray = self._files.array(path)
        except (OSError, ValueError) as error:
            raise RunError(
                f"The predictions of {self.run.info.run_id} ({path}) cannot be read: {error}."
            ) from error
        return probs

    def ranking(self, name: str, *, ascending: bool, k: int = 2) -> Ranking:
        """The order of a score: rows by it, equal ones by item_id. It is made when it is first asked for, and kept."""
        kept = self.numbers[name] if _is_kept(name, k) else None
        return self._ranking(
            _ranking_name(name, ascending, k), ascending, kept, lambda: confusion_of(self.pred_probs, k=k)
        )

    def likeness(self, classes: Sequence[int]) -> Ranking:
        """The unlabelled rows, those first that are most like what the run knows of these classes.

        classes : positions in those of the run, in ascending order; see `diagnostics.similar.likeness`. It is made when
            it is first asked for, and kept.
        """

        def values() -> FloatArray:
            of_label = np.append(self.labels.members[:, list(classes)].any(axis=1), False)
            known = (self.codes["split"] == SPLITS.index("train")) & of_label[self.codes["given"]]
            wanted = self.codes["split"] == SPLITS.index("unlabelled")
            return likeness(self.run.predictions, known, wanted)

        return self._ranking("like-" + "-".join(map(str, classes)), False, None, values)

    def number(self, name: str, k: int) -> FloatArray:
        """A score of every row; `confusion` is the largest minus the k-th largest probability."""
        if _is_kept(name, k):
            return self.numbers[name]
        return self.ranking(name, ascending=True, k=k).values

    @property
    def is_there(self) -> bool:
        """Whether the files are still there: those of runs that were not looked at for long are removed."""
        return self._folder.is_dir()

    def mark_used(self) -> None:
        """Note that the run was looked at just now."""
        now_ns = time.time_ns()  # finer than the time that the system would set by itself
        with suppress(OSError):
            os.utime(self._folder, ns=(now_ns, now_ns))

    def let_go(self) -> None:
        """Keep nothing of what was read, of the items either, in the memory of this process."""
        self._files.let_go()
        self.items.let_go()

    def _ranking(
        self, key: str, ascending: bool, kept: FloatArray | None, values: Callable[[], FloatArray]
    ) -> Ranking:
        """kept : the values of the rows, if they have a file already; values : makes them else"""
        with self._lock:
            if key not in self._rankings:
                self._rankings[key] = self._opened(key, ascending, kept, values)
            return self._rankings[key]

    def _opened(
        self, key: str, ascending: bool, kept: FloatArray | None, values: Callable[[], FloatArray]
    ) -> Ranking:
        folder = self._folder / key
        if not folder.is_dir():
            beside = self._folder / f".{key}.{uuid.uuid4().hex[:8]}"
            beside.mkdir()
            if kept is None:
                made = values()
                np.save(beside / "values.npy", made)
            self._write_ranking(beside, made if kept is None else kept, ascending)
            move_unless_there(beside, folder)
            self._forget_old()
        n_in_group: IntArray = np.load(folder / "n_in_group.npy")
        order, place, group = (
            self._files.array(folder / f"{each}.npy") for each in ("order", "place", "group")
        )
        of_rows = self._files.array(folder / "values.npy") if kept is None else kept
        return Ranking(order, place, group, of_rows, n_in_group, int(n_in_group.sum()))

    def _write_ranking(self, folder: Path, values: FloatArray, ascending: bool) -> None:
        """Rows by value, equal ones by id; those without one at the end."""
        by_id = np.argsort(self.items.ranks_by_id()[self.item_rows], kind="stable").astype(np.int32)
        in_order = np.argsort(values[by_id] if ascending else -values[by_id], kind="stable")
        order = by_id[in_order]
        place = np.empty_like(order)
        place[order] = np.arange(len(order), dtype=np.int32)
        n_valued = len(values) - int(np.isnan(values).sum())
        group = self._group[order]
        np.save(folder / "order.npy", order)
        np.save(folder / "place.npy", place)
        np.save(folder / "group.npy", group)
        np.save(folder / "n_in_group.npy", np.bincount(group[:n_valued], minlength=len(self.groups)))

    def _forget_old(self) -> None:
        """Of the rankings by `confusion` with a k of one's own, and of those by likeness, only the newest stay."""
        spreads = [path for path in self._folder.glob("confusion-*") if path.name.count("-") == 2]
        likenesses = list(self._folder.glob("like-*"))
        for made, n in ((spreads, MAX_KEPT_SPREADS), (likenesses, MAX_KEPT_LIKENESSES)):
            for name in _keep_newest(made, n):
                self._rankings.pop(name, None)


def open_run_index(project: Project, run: Run) -> RunIndex:
    """The files of a run, which are made first if they are not there.

    raises : RunError if the scores cannot be read or are of items that the project does not have
    """
    scores = run.folder / SCORES_FILE
    try:
        source = {
            "format": FORMAT_VERSION,
            "scores": stamp_of(scores),
            "run": stamp_of(run.folder / INFO_FILE),
            "items": stamp_of(project.folder / ITEMS_FILE),
        }
        folder = derived_folder(
            project.cache_dir, run.info.run_id, source, lambda empty: _build(empty, project, run)
        )
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"The scores of {run.info.run_id} ({scores}) cannot be read: {error}.") from error
    index = RunIndex(folder, run, project.item_index)
    index.mark_used()
    _keep_newest(list(project.cache_dir.glob("run-*-" + "?" * 16)), MAX_KEPT_RUNS)
    return index


def _build(folder: Path, project: Project, run: Run) -> None:
    scores = run.folder / SCORES_FILE
    items, classes = project.item_index, run.info.classes
    kept = set(pq.read_schema(scores).names)
    item_rows = _item_rows(scores, project, run)
    row_of_item = np.full(len(items), -1, dtype=np.int32)
    row_of_item[item_rows] = np.arange(len(item_rows), dtype=np.int32)
    np.save(folder / "item_rows.npy", item_rows)
    np.save(folder / "row_of_item.npy", row_of_item)
    labels = _labels(scores, run, project.label_kind.occurring_in)
    (folder / LABELS).write_text(json.dumps(labels.names, ensure_ascii=False), encoding="utf-8")
    codes = {name: positions_in(_column(scores, column), labels.names) for name, column in CODES.items()}
    codes["split"] = positions_in(_column(scores, "split"), SPLITS)
    codes["suspect"] = np.full(len(item_rows), -1, dtype=np.int32)
    if SUSPECT in kept:
        codes["suspect"] = positions_in(_column(scores, SUSPECT), SUSPECTS)
    np.save(folder / "kind.npy", positions_in(_column(scores, "kind"), KINDS).astype(np.int8))
    for name, values in codes.items():
        np.save(folder / f"{name}.npy", values.astype(smallest_type(max(len(labels), len(SPLITS)))))
    group, groups = _grouped(codes, len(labels))
    np.save(folder / "group.npy", group)
    for name in GROUPED_BY:
        np.save(folder / f"group_{name}.npy", getattr(groups, name))
    for name in NUMBERS:
        np.save(folder / f"{name}.npy", _column(scores, name).to_numpy())
    for name in SEEN:
        if name in kept:
            np.save(folder / f"{name}.npy", _seen(_column(scores, name), classes))


def _labels(scores: Path, run: Run, columns: Sequence[str]) -> LabelSpace:
    """What the labels of a run can be: its classes, and what occurs in these columns."""
    texts = [_column(scores, column).unique().drop_null().to_pylist() for column in columns]
    return _space(run, [text for found in texts for text in found])


def _space(run: Run, texts: Sequence[str]) -> LabelSpace:
    return label_kind_of(run.info.label_kind).space(run.info.classes, texts)


def _seen(column: pa.ChunkedArray, classes: tuple[str, ...]) -> CodeArray:
    """Class names as positions, whole numbers as they are, -1 where there is none."""
    if pa.types.is_integer(column.type):
        counts: CodeArray = column.fill_null(-1).to_numpy().astype(np.int16)
        return counts
    return positions_in(column, classes).astype(smallest_type(len(classes)))


def _item_rows(scores: Path, project: Project, run: Run) -> RowArray:
    ids, column = project.item_index.ids, _column(scores, "item_id").cast(pa.large_string())
    if len(column) == len(ids) and column.equals(pa.chunked_array([ids])):
        return np.arange(len(ids), dtype=np.int32)
    item_rows = positions_in(column, ids)
    if n_unknown := int((item_rows < 0).sum()):
        raise RunError(
            f"{run.info.run_id} predicts {n_unknown} items that {project.info.name} does not have."
        )
    return item_rows.astype(np.int32)


def _column(scores: Path, name: str) -> pa.ChunkedArray:
    return pq.read_table(scores, columns=[name])[name]


def _grouped(codes: dict[str, CodeArray], n_labels: int) -> tuple[CodeArray, Groups]:
    """The group of each row, (n_rows,), and the groups."""
    asked_for = (codes["given"] == NO_LABEL) | (codes["suspect"] >= 0)
    second = np.where(asked_for, codes["second"], NO_LABEL)
    key = codes["split"].astype(np.int64)
    others = [(codes["given"], n_labels), (codes["predicted"], n_labels), (second, n_labels)]
    others.append((codes["suspect"], len(SUSPECTS)))
    for values, n in others:
        key = key * (n + 1) + values + 1
    found, group = np.unique(key, return_inverse=True)
    columns = []
    for _, n in reversed(others):
        found, code = np.divmod(found, n + 1)
        columns.append((code - 1).astype(np.int32))
    return group.astype(smallest_type(len(columns[0]))), Groups(found.astype(np.int32), *columns[::-1])


def _keep_newest(folders: Sequence[Path], n: int) -> list[str]:
    """Remove all but the n folders that were used last; returns the names of those that went."""
    old = sorted(folders, key=lambda folder: folder.stat().st_mtime_ns)[:-n]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return [folder.name for folder in old]


def _ranking_name(name: str, ascending: bool, k: int) -> str:
    """The folder of a ranking; one of `confusion` names its k if that is not 2."""
    direction = "up" if ascending else "down"
    return f"{name}-{direction}" if _is_kept(name, k) else f"{name}-{direction}-{k}"


def _is_kept(name: str, k: int) -> bool:
    """Whether a score is one of those that the run keeps."""
    return name != "confusion" or k == 2
