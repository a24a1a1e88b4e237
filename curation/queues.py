"""Ranked queues: a ranker and filters over a run's scores give a frozen order, read one page at a time.

A queue's order does not change while people decide; each page shows the decisions as they are when it is read.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from curation.class_list import ClassList, listed
from curation.decisions.events import VERDICTS
from curation.decisions.store import DecisionStore
from curation.project import Project
from curation.run_classes import names_now
from curation.run_table import NUMBERS, RunTable, run_table
from curation.standing import NOBODY, RowArray, Standing
from diagnostics.errors import ProjectError
from diagnostics.predictions import IN_SAMPLE, KINDS, MEAN_OF_FOLDS
from diagnostics.scores import largest_first
from diagnostics.task import NO_LABEL, SPLITS, BoolArray

RANKED_COLUMNS = (
    "rank", "item_id", "path", "split", "given_label", "predicted_label", "p_given", "p_predicted",
    "second_label", "p_second", "loss", "confusion", "margin", "entropy", "label_quality",
)  # fmt: skip
PAGE_COLUMNS = (*RANKED_COLUMNS, "kind", "label", "verdict", "status", "annotator", "event", "note", "reason")

MAX_TOP = 10

Decided = Literal["any", "open", "decided"]
DECIDED: tuple[Decided, ...] = ("any", "open", "decided")
NO_VERDICT = "none"
VERDICT_FILTERS = (*VERDICTS, NO_VERDICT)


@dataclass(frozen=True, slots=True)
class Ranker:
    """A score to rank by. ascending : small values are the suspect ones."""

    column: str
    ascending: bool
    title: str
    explanation: str


RANKERS: dict[str, Ranker] = {
    "loss": Ranker(
        "loss", False, "Loss", "Cross-entropy against the given label: high where the model finds it unlikely."
    ),
    "confusion": Ranker(
        "confusion", True, "Confusion", "The largest minus the k-th largest probability: small where it hesitates."
    ),
    "margin": Ranker(
        "margin", True, "Margin", "The given label's probability minus the best other one's: small is suspect."
    ),
    "entropy": Ranker(
        "entropy", False, "Entropy", "How widely the prediction is spread over the classes: high where it hesitates."
    ),
    "label_quality": Ranker(
        "label_quality", True, "Label quality",
        "The given label's probability, adjusted for how sure the model is of each class: low is suspect.",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """What to show and in which order.

    run_id : None = the newest run
    by : a name of RANKERS; k : for `confusion`, the largest minus the k-th largest probability
    given, predicted : only items labelled, or predicted, as this class; labels are those the run was trained on, under
        the names that their classes have now
    pair : only items labelled as one of the two and predicted as the other, or with no label and these two on top
    decided : "open" = only items that no decision stands for, "decided" = only the others
    verdict : a name of VERDICTS, only items on which such a decision stands, or "none": only items without one
    annotator : only items on which this person's decision stands
    as_of_event : which event `decided`, `verdict` and `annotator` are about; None = the last one when the queue is
        opened
    blind : the share of the items, in [0, 1], that are shown without their labels and predictions until the person
        has decided them; see `curation.blind`. It changes neither the items nor their order.
    """

    run_id: str | None = None
    splits: tuple[str, ...] = ("train",)
    by: str = "loss"
    k: int = 2
    given: str | None = None
    predicted: str | None = None
    pair: tuple[str, str] | None = None
    decided: Decided = "any"
    search: str = ""
    verdict: str | None = None
    annotator: str | None = None
    as_of_event: int | None = None
    blind: float = 0.0


class Queue:
    """A frozen order of items; `len(queue)` of them.

    Classes have the names of when it was opened. Two classes of the run that were merged since show as one, and their
    scores stay as the run computed them: `loss` and the probabilities are those of each of the two alone.

    n_left_out : items that fit the filters but have no value of this ranker, such as unlabelled ones under `loss`
    """

    def __init__(
        self, query: QueueQuery, table: RunTable, store: DecisionStore, classes: tuple[str, ...]
    ) -> None:
        ranker = RANKERS[query.by]
        self.query = query
        self._table = table
        self._store = store
        self._classes = classes
        self._masks = _masks(query, table, classes)
        self._order = table.order(ranker.column, ascending=ranker.ascending, k=query.k)
        self._members = _all_of(self._masks.values(), len(table))
        self._rows: RowArray = self._order[self._members[self._order]]
        self.n_left_out = int(self._members.sum()) - len(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def table(self) -> RunTable:
        """The run's scores, of which the queue shows `rows`."""
        return self._table

    @property
    def rows(self) -> RowArray:
        """The rows of `table` in the queue's order, not to be changed; rank r is at r - 1."""
        return self._rows

    @property
    def classes(self) -> tuple[str, ...]:
        """The project's classes, as they were when the queue was opened."""
        return self._classes

    @property
    def n_run_classes(self) -> int:
        """How many classes the run knows; `k` of confusion can be no larger."""
        return len(self._table.run.info.classes)

    def page(self, number: int, size: int) -> pd.DataFrame:
        """Page `number`, from 1, of `size` items: PAGE_COLUMNS; empty after the end. Missing texts are None.

        label, verdict, status, annotator, event, note : what holds for the item now; event is 0 before the first
        """
        if number < 1 or size < 1:
            raise ProjectError(
                f"Pages are counted from 1 and hold at least one item; found page {number} of {size}."
            )
        start = (number - 1) * size
        columns = self._columns(slice(start, start + size))
        item_ids = columns["item_id"]
        states = self._store.states(item_ids)
        for name in ("label", "verdict", "status", "annotator", "event", "note"):
            columns[name] = [getattr(states[item_id], name) for item_id in item_ids]
        columns["reason"] = _reasons(columns, self.query)
        return _frame(columns, PAGE_COLUMNS)

    def top_classes(self, number: int, size: int) -> list[list[int]]:
        """For each item of a page the positions in `classes` of up to MAX_TOP of the run's, most probable first."""
        rows = self._rows[(number - 1) * size : number * size]
        pred_probs = self._table.run.predictions.pred_probs[rows]
        top: list[list[int]] = self._table.places[largest_first(pred_probs, n=MAX_TOP)].tolist()
        return top

    def ranked_table(self) -> pd.DataFrame:
        """The whole queue: RANKED_COLUMNS."""
        return _frame(self._columns(slice(None)), RANKED_COLUMNS)

    def item_ids(self, start: int = 0, stop: int | None = None) -> list[str]:
        """The ids of the items from rank start + 1 to rank stop."""
        return self._table.item_ids(self._rows[start:stop])

    def position(self, item_id: str) -> int | None:
        """The rank of an item, from 1; None if it is not in the queue."""
        row = self._table.standing.row_of(item_id)
        if row < 0 or not self._ranked_members[row]:
            return None
        return int(np.flatnonzero(self._rows == row)[0]) + 1

    def n_decided(self) -> int:
        """How many of the queue's items a decision stands for now."""
        return int(np.count_nonzero(self._table.standing.now().decided & self._ranked_members))

    def counts(self) -> dict[str, dict[str, int]]:
        """For each filter, how many items each of its values would show, the other filters being as they are.

        keys : "split", "given", "predicted" (by class), "decided" (by DECIDED), "verdict" (by VERDICT_FILTERS) and
            "annotator" (by name); only values that occur
        """
        standing = _standing(self.query, self._table)
        verdicts = np.where(standing.verdict == NOBODY, VERDICT_FILTERS.index(NO_VERDICT), standing.verdict)
        return {
            "split": _counted(self._table.split, self._others("split"), SPLITS),
            "given": _counted(self._table.given, self._others("given"), self._classes),
            "predicted": _counted(self._table.predicted, self._others("predicted"), self._classes),
            "decided": self._decided_counts(standing),
            "verdict": _counted(verdicts, self._others("verdict"), VERDICT_FILTERS),
            "annotator": _counted(standing.annotator, self._others("annotator"), standing.annotators),
        }

    def open_suspects(self) -> dict[str, int]:
        """For each given class, how many of its items the model contradicts and nobody has decided on; most first.

        Classes without any are left out; the filter on the given class itself does not count.
        """
        table = self._table
        suspects = self._others("given") & (table.given != table.predicted)
        suspects &= ~table.standing.now().decided
        counts = _counted(table.given, suspects, self._classes)
        return dict(sorted(counts.items(), key=lambda each: -each[1]))

    def pair_counts(self) -> pd.DataFrame:
        """Items labelled as one class and predicted as another, both ways together: first, second, n; most first."""
        table, n_classes = self._table, len(self._classes)
        rows = np.flatnonzero(
            self._others("pair") & (table.given != NO_LABEL) & (table.given != table.predicted)
        )
        low = np.minimum(table.given[rows], table.predicted[rows]).astype(np.int64)
        high = np.maximum(table.given[rows], table.predicted[rows])
        codes, n = np.unique(low * n_classes + high, return_counts=True)
        names = np.array(self._classes, dtype=object)
        found = pd.DataFrame({"first": names[codes // n_classes], "second": names[codes % n_classes], "n": n})
        return found.sort_values(["n", "first", "second"], ascending=[False, True, True], ignore_index=True)

    @cached_property
    def _ranked_members(self) -> BoolArray:
        mask = np.zeros(len(self._table), dtype=np.bool_)
        mask[self._rows] = True
        return mask

    @cached_property
    def _with_value(self) -> BoolArray:
        mask = np.zeros(len(self._table), dtype=np.bool_)
        mask[self._order] = True
        return mask

    def _others(self, name: str) -> BoolArray:
        others = [mask for key, mask in self._masks.items() if key != name]
        return _all_of([self._with_value, *others], len(self._table))

    def _decided_counts(self, standing: Standing) -> dict[str, int]:
        others = self._others("decided")
        n_all, n_decided = int(others.sum()), int((others & standing.decided).sum())
        return {"any": n_all, "open": n_all - n_decided, "decided": n_decided}

    def _columns(self, ranks: slice) -> dict[str, list[Any]]:
        """RANKED_COLUMNS and `kind` of these ranks."""
        table, rows = self._table, self._rows[ranks]
        classes = np.array([*self._classes, None], dtype=object)
        first = (ranks.start or 0) + 1
        columns = {
            "rank": list(range(first, first + len(rows))),
            "item_id": table.item_ids(rows),
            "path": table.item_paths(rows),
            "split": np.array(SPLITS, dtype=object)[table.split[rows]].tolist(),
            "kind": np.array(KINDS, dtype=object)[table.kind[rows]].tolist(),
        }
        for name in ("given", "predicted", "second"):
            columns[f"{name}_label"] = classes[getattr(table, name)[rows]].tolist()
        for name in NUMBERS:
            columns[name] = table.number(name, self.query.k)[rows].tolist()
        return columns


def open_queue(project: Project, query: QueueQuery) -> Queue:
    """The queue of a query, its order fixed now.

    Classes can be named as they are now or as they were called before.
    raises : ProjectError for an unknown ranker, split or class; RunError if there is no such run
    """
    table = run_table(project, query.run_id)
    classes = project.classes
    query = _in_present_names(query, classes)
    _check(query, classes.names, len(table.run.info.classes))
    shown = table.in_classes(names_now(project, table.run.info, classes), classes.names)
    return Queue(query, shown, project.decisions, classes.names)


def ranked_table(project: Project, query: QueueQuery) -> pd.DataFrame:
    """The whole queue of a query, most suspect first: RANKED_COLUMNS. The same query gives the same table."""
    return open_queue(project, query).ranked_table()


def _in_present_names(query: QueueQuery, classes: ClassList) -> QueueQuery:
    def named(label: str | None) -> str | None:
        return None if label is None else classes.current(label) or label

    pair = query.pair and (str(named(query.pair[0])), str(named(query.pair[1])))
    return replace(query, given=named(query.given), predicted=named(query.predicted), pair=pair)


def _check(query: QueueQuery, classes: tuple[str, ...], n_predicted: int) -> None:
    if query.by not in RANKERS:
        raise ProjectError(f"There is no ranking {query.by!r}; known are {', '.join(RANKERS)}.")
    if query.decided not in DECIDED:
        raise ProjectError(f"decided must be one of {', '.join(DECIDED)}; found {query.decided!r}.")
    if query.verdict is not None and query.verdict not in VERDICT_FILTERS:
        raise ProjectError(f"verdict must be one of {', '.join(VERDICT_FILTERS)}; found {query.verdict!r}.")
    if not 0 <= query.blind <= 1:
        raise ProjectError(f"The blind share must be between 0 and 1; found {query.blind}.")
    unknown = [split for split in query.splits if split not in SPLITS]
    if unknown or not query.splits:
        raise ProjectError(
            f"There is no split {', '.join(unknown) or '(none)'}; known are {', '.join(SPLITS)}."
        )
    if query.k < 2:
        raise ProjectError(
            f"Confusion compares the k largest probabilities; k must be at least 2, found {query.k}."
        )
    if query.k > max(2, n_predicted):
        raise ProjectError(
            f"The run knows {n_predicted} classes, so k must be at most that; found {query.k}."
        )
    named = [query.given, query.predicted, *(query.pair or ())]
    strange = sorted({label for label in named if label is not None and label not in classes})
    if strange:
        raise ProjectError(f"No such class: {', '.join(strange)}. The classes are: {listed(classes)}.")
    if query.pair is not None and query.pair[0] == query.pair[1]:
        raise ProjectError(f"A confused pair is two different classes; found {query.pair[0]!r} twice.")


def _masks(query: QueueQuery, table: RunTable, classes: tuple[str, ...]) -> dict[str, BoolArray]:
    """For each filter that is set, which rows fit it."""
    filters: Mapping[str, tuple[bool, Callable[[], BoolArray]]] = {
        "split": (True, lambda: np.isin(table.split, [SPLITS.index(split) for split in query.splits])),
        "given": (query.given is not None, lambda: table.given == classes.index(str(query.given))),
        "predicted": (
            query.predicted is not None,
            lambda: table.predicted == classes.index(str(query.predicted)),
        ),
        "pair": (query.pair is not None, lambda: _in_pair(query, table, classes)),
        "decided": (query.decided != "any", lambda: _decided(query, table)),
        "verdict": (query.verdict is not None, lambda: _has_verdict(query, table)),
        "annotator": (
            query.annotator is not None,
            lambda: _standing(query, table).by(str(query.annotator)),
        ),
        "search": (bool(query.search), lambda: table.paths_contain(query.search)),
    }
    return {name: make() for name, (is_set, make) in filters.items() if is_set}


def _in_pair(query: QueueQuery, table: RunTable, classes: tuple[str, ...]) -> BoolArray:
    pair = [classes.index(label) for label in query.pair or ()]
    predicted = np.isin(table.predicted, pair)
    confused = np.isin(table.given, pair) & predicted & (table.given != table.predicted)
    torn = (
        (table.given == NO_LABEL)
        & predicted
        & np.isin(table.second, pair)
        & (table.second != table.predicted)
    )
    fits: BoolArray = confused | torn
    return fits


def _standing(query: QueueQuery, table: RunTable) -> Standing:
    event = query.as_of_event
    return table.standing.now() if event is None else table.standing.at(event)


def _decided(query: QueueQuery, table: RunTable) -> BoolArray:
    decided = _standing(query, table).decided
    return decided if query.decided == "decided" else ~decided


def _has_verdict(query: QueueQuery, table: RunTable) -> BoolArray:
    code = NOBODY if query.verdict == NO_VERDICT else VERDICTS.index(str(query.verdict))
    mask: BoolArray = _standing(query, table).verdict == code
    return mask


def _all_of(masks: Iterable[BoolArray], n_rows: int) -> BoolArray:
    fits = np.ones(n_rows, dtype=np.bool_)
    for mask in masks:
        fits &= mask
    return fits


def _counted(codes: RowArray, fits: BoolArray, names: tuple[str, ...]) -> dict[str, int]:
    shown = codes[fits]
    n = np.bincount(shown[shown >= 0], minlength=len(names))
    return {name: int(count) for name, count in zip(names, n, strict=True) if count}


def _frame(columns: Mapping[str, list[Any]], names: Sequence[str]) -> pd.DataFrame:
    """A frame in which missing texts stay None."""
    numbers = {"rank": "int64", "event": "int64"} | dict.fromkeys(NUMBERS, "float64")
    return pd.DataFrame({name: pd.Series(columns[name], dtype=numbers.get(name, "object")) for name in names})


SEEN_BY = {
    IN_SAMPLE: "In sample: the model was trained on this very item; it says",
    MEAN_OF_FOLDS: "The models, none of which saw this item, say",
}
UNSEEN = "The model, which never saw this item, says"


def _reasons(columns: Mapping[str, list[Any]], query: QueueQuery) -> list[str]:
    """In words, why each item is where it is."""
    hesitates = query.by in _HESITATION
    reasons = []
    for row in range(len(columns["rank"])):
        record = {name: columns[name][row] for name in REASONED_FROM}
        predicted = f"`{record['predicted_label']}` with {_percent(record['p_predicted'])}"
        more = _hesitation(record, query) if hesitates else _against_given(record)
        reasons.append(f"{SEEN_BY.get(record['kind'], UNSEEN)} {predicted}{more}.")
    return reasons


def _hesitation(record: Mapping[str, Any], query: QueueQuery) -> str:
    second = f", then `{record['second_label']}` with {_percent(record['p_second'])}"
    return f"{second}; {_HESITATION[query.by].format(k=query.k, value=record[query.by])}"


def _against_given(record: Mapping[str, Any]) -> str:
    given = record["given_label"]
    if given is None:
        return "; it has no label yet"
    if given == record["predicted_label"]:
        return f", as labelled; next is `{record['second_label']}` with {_percent(record['p_second'])}"
    return f"; given label `{given}` gets {_percent(record['p_given'])}"


REASONED_FROM = (
    "kind", "given_label", "predicted_label", "second_label", "p_given", "p_predicted", "p_second",
    "confusion", "entropy",
)  # fmt: skip
_HESITATION = {
    "confusion": "the first and number {k} differ by {value:.2f}",
    "entropy": "entropy {value:.2f}",
}


def _percent(share: float) -> str:
    """
    >>> _percent(0.984), _percent(0.0004), _percent(0.9996)
    ('98 %', 'under 0.1 %', 'over 99.9 %')
    """
    value = 100 * share
    if value < 0.1:
        return "under 0.1 %"
    if value > 99.9:
        return "over 99.9 %"
    return f"{value:.1f} %" if value < 0.95 or value > 99.05 else f"{value:.0f} %"
