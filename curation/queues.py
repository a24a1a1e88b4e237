"""Ranked queues: a ranker and filters over a run's scores give a frozen order, read one page at a time.

A queue's order does not change while people decide; each page shows the decisions as they are when it is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from curation.class_list import ClassList, listed
from curation.decisions.events import VERDICTS
from curation.decisions.store import DecisionStore
from curation.item_index import CodeArray
from curation.label_kinds import LABEL_KINDS
from curation.label_kinds.kind import LabelKind
from curation.members import BitArray, Members
from curation.project import Project
from curation.run_classes import names_now
from curation.run_index import NUMBERS, SUSPECTS, Groups, Ranking
from curation.run_table import RunTable, run_table
from curation.standing import NOBODY, RowStates, Standing
from diagnostics.errors import ProjectError
from diagnostics.label_space import LabelSpace
from diagnostics.predictions import IN_SAMPLE, KINDS, MEAN_OF_FOLDS
from diagnostics.reasons import reasons
from diagnostics.scores import largest_first
from diagnostics.task import NO_LABEL, SPLITS, BoolArray, IntArray, RowArray

RANKED_COLUMNS = (
    "rank", "item_id", "path", "split", "given_label", "predicted_label", "p_given", "p_predicted",
    "second_label", "p_second", "loss", "confusion", "margin", "entropy", "label_quality",
)  # fmt: skip
PAGE_COLUMNS = (
    *RANKED_COLUMNS,
    *(name for kind in LABEL_KINDS.values() for name in kind.own_columns),
    "kind",
    "label",
    "verdict",
    "status",
    "annotator",
    "event",
    "note",
    "seen",
    "reason",
)

MAX_TOP = 10

Suspect = tuple[str | None, str | None]
Decided = Literal["any", "open", "decided"]
DECIDED: tuple[Decided, ...] = ("any", "open", "decided")
NO_VERDICT = "none"
VERDICT_FILTERS = (*VERDICTS, NO_VERDICT)
ASKED_OF_PEOPLE = ("decided", "verdict", "annotator")
GROUPS_OF = {
    "given": "given",
    "predicted": "predicted",
    "given_with": "given",
    "predicted_with": "predicted",
    "suspect_label": "second",
}
CLASS_FILTERS = (*GROUPS_OF, "like")


@dataclass(frozen=True, slots=True)
class Ranker:
    """A score to rank by. ascending : small values are the suspect ones."""

    column: str
    ascending: bool
    title: str
    explanation: str


RANKERS: dict[str, Ranker] = {
    "label_quality": Ranker(
        "label_quality", True, "Label quality",
        "How probable it is that the given label is right, from all that training knows of the item: low is suspect.",
    ),
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
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """What to show and in which order.

    run_id : None = the newest run
    by : a name of RANKERS; k : for `confusion`, the largest minus the k-th largest probability
    given, predicted : only items labelled, or predicted, as this class, or with it among their classes; labels are
        those the run was trained on, under the names that their classes have now
    given_with, predicted_with : the same of a second class that items have beside
    suspect : a name of SUSPECTS, only items of several labels of which one may be missing, or superfluous
    suspect_label : only items of several labels of which this class is the suspect one: an item counts for the one
        that is most suspect of it
    pair : only items labelled as one of the two and predicted as the other in its place, or with no label and the
        model torn between them, see `diagnostics.label_space`
    decided : "open" = only items that no decision stands for, "decided" = only the others
    like : only unlabelled items, those most like the known items of this class first, whatever `by` says; what was
        known when the run was trained counts
    verdict : a name of VERDICTS, only items on which such a decision stands, or "none": only items without one
    annotator : only items on which this person's decision stands
    as_of_event : which event `decided`, `verdict` and `annotator` are about; None = the last one when the queue is
        opened
    blind : the share of the items, in [0, 1], that are shown without their labels and predictions until the person
        has decided them; see `curation.blind`. It changes neither the items nor their order.
    """

    run_id: str | None = None
    splits: tuple[str, ...] = ("train",)
    by: str = "label_quality"
    k: int = 2
    given: str | None = None
    predicted: str | None = None
    given_with: str | None = None
    predicted_with: str | None = None
    suspect: str | None = None
    suspect_label: str | None = None
    pair: tuple[str, str] | None = None
    like: str | None = None
    decided: Decided = "any"
    search: str = ""
    verdict: str | None = None
    annotator: str | None = None
    as_of_event: int | None = None
    blind: float = 0.0

    @property
    def order(self) -> str:
        """What the items are ordered by, in a few words."""
        return self.by if self.like is None else f"likeness to {self.like}"


class Queue:
    """A frozen order of items; `len(queue)` of them.

    Classes have the names of when it was opened. Two classes of the run that were merged since show as one, and their
    scores stay as the run computed them: `loss` and the probabilities are those of each of the two alone.

    The order is not in memory: what a queue holds is 8 bytes for some 65,000 items, 4 bytes for each item that people
    have decided on if a filter asks for that, and one bit an item if something is searched for.
    """

    def __init__(
        self,
        query: QueueQuery,
        table: RunTable,
        store: DecisionStore,
        classes: tuple[str, ...],
        kind: LabelKind,
    ) -> None:
        self.query = query
        self._table = table
        self._store = store
        self._classes = classes
        self._kind = kind
        self._fitting = _fitting_groups(query, table, classes)
        self._then = _standing(query, table)
        ranking = _ranking(query, table, classes)
        asked, untouched = _asked(query, self._then, self._then)
        touched = ranking.place[self._then.rows[asked != untouched]]
        found = _bits_at(ranking.place[table.with_text(query.search)], len(table)) if query.search else None
        fits = _all_of(self._fitting, len(table.groups))
        self._members = Members.of(ranking, fits, np.sort(touched), untouched, found)
        self._n_decided: tuple[Standing, int] | None = None
        table.index.let_go()

    def __len__(self) -> int:
        return len(self._members)

    @property
    def n_left_out(self) -> int:
        """How many items fit the filters but have no value of this ranker, such as unlabelled ones under `loss`."""
        return self._members.n_without_value

    @property
    def table(self) -> RunTable:
        """The run's scores, of which the queue shows `rows`."""
        return self._table

    def rows(self, start: int = 0, stop: int | None = None) -> RowArray:
        """The rows of `table` from rank start + 1 to rank stop, in the queue's order."""
        return self._members.rows(start, len(self) if stop is None else stop)

    def rows_at(self, ranks: RowArray) -> RowArray:
        """The rows of `table` with these ranks, from 1, in ascending order."""
        return self._members.rows_at(ranks)

    @property
    def classes(self) -> tuple[str, ...]:
        """The project's classes, as they were when the queue was opened."""
        return self._classes

    @property
    def max_k(self) -> int:
        """What `k` of confusion can be at most."""
        return self._kind.max_k(len(self._table.run.info.classes))

    def page(self, number: int, size: int) -> pd.DataFrame:
        """Page `number`, from 1, of `size` items: PAGE_COLUMNS; empty after the end. Missing texts are None.

        label, verdict, status, annotator, event, note : what holds for the item now; event is 0 before the first
        """
        if number < 1 or size < 1:
            raise ProjectError(
                f"Pages are counted from 1 and hold at least one item; found page {number} of {size}."
            )
        start = (number - 1) * size
        columns = self._columns(start, start + size)
        item_ids = columns["item_id"]
        states = self._store.states(item_ids)
        for name in ("label", "verdict", "status", "annotator", "event", "note"):
            columns[name] = [getattr(states[item_id], name) for item_id in item_ids]
        columns["seen"] = self._seen(start, columns)
        columns["reason"] = self._reasons(columns, start)
        self._table.index.let_go()
        return _frame(columns, PAGE_COLUMNS)

    def _reasons(self, columns: Mapping[str, list[Any]], start: int) -> list[str]:
        """In words, why each item from rank start + 1 on is where it is."""
        sentences = _reasons(columns, self.query, self._kind)
        if self.query.like is None:
            return sentences
        likenesses = self._members.ranking.values[self.rows(start, start + len(sentences))]
        return [
            f"Cosine {value:.2f} with the nearest known items of `{self.query.like}`. {sentence}"
            for value, sentence in zip(likenesses.tolist(), sentences, strict=True)
        ]

    def _seen(self, start: int, columns: Mapping[str, list[Any]]) -> list[str]:
        """In words what neighbours and models say of the labels from rank start + 1 on; "" where nothing is known."""
        seen = self._table.seen(self.rows(start, start + len(columns["rank"])), self._classes)
        return reasons(seen.assign(**{name: _objects(columns[name]) for name in self._kind.reasoned_from}))

    def top_classes(self, number: int, size: int) -> list[list[int]]:
        """For each item of a page the positions in `classes` of up to MAX_TOP of the run's, most probable first."""
        pred_probs = self._table.pred_probs(self.rows((number - 1) * size, number * size))
        top: list[list[int]] = self._table.places[largest_first(pred_probs, n=MAX_TOP)].tolist()
        return top

    def ranked_table(self) -> pd.DataFrame:
        """The whole queue: RANKED_COLUMNS, and those that only this kind of label has."""
        return _frame(self._columns(0, len(self)), (*RANKED_COLUMNS, *self._kind.own_columns))

    def item_ids(self, start: int = 0, stop: int | None = None) -> list[str]:
        """The ids of the items from rank start + 1 to rank stop."""
        return self._table.item_ids(self.rows(start, stop))

    def position(self, item_id: str) -> int | None:
        """The rank of an item, from 1; None if it is not in the queue."""
        row = self._table.standing.row_of(item_id)
        return None if row < 0 else self._members.rank_of(row)

    def n_decided(self) -> int:
        """How many of the queue's items a decision stands for now."""
        now = self._table.standing.now()
        if self._n_decided is None or self._n_decided[0] is not now:
            self._n_decided = (now, int(np.count_nonzero(self._are_members(now.decided))))
        return self._n_decided[1]

    def decided(self, *, after_event: int = 0) -> tuple[RowArray, RowArray]:
        """The rows of the queue's items that a decision stands for now, and its verdicts, positions in VERDICTS.

        Both are in the order in which the items were decided.
        after_event : only items whose last event is a later one
        """
        now = self._table.standing.now()
        decided = (now.verdict != NOBODY) & (now.event > after_event)
        decided[decided] = self._are_members(now.rows[decided])
        in_order = np.flatnonzero(decided)[np.argsort(now.event[decided], kind="stable")]
        return now.rows[in_order], now.verdict[in_order]

    def _are_members(self, rows: RowArray) -> BoolArray:
        """Which of some rows are in the queue."""
        places = self._members.ranking.place[rows]
        members = places < self._members.ranking.n_valued
        members[members] = self._members.holds(places[members])
        return members

    def counts(self) -> dict[str, dict[str, int]]:
        """For each filter, how many items each of its values would show, the other filters being as they are.

        An item counts for each of its classes.
        keys : "split", "given", "predicted" (by class), "suspect" (by SUSPECTS), "suspect_label" (by class), "decided"
            (by DECIDED), "verdict" (by VERDICT_FILTERS) and "annotator" (by name); only values that occur
        """
        touched = self._touched(_standing(self.query, self._table))
        return {
            "split": self._counted("split", SPLITS, touched),
            "given": self._counted_classes("given", touched),
            "predicted": self._counted_classes("predicted", touched),
            "suspect": self._counted("suspect", SUSPECTS, touched),
            "suspect_label": self._counted_classes("suspect_label", touched),
            "decided": self._decided_counts(touched),
            "verdict": self._verdict_counts(touched),
            "annotator": self._annotator_counts(touched),
        }

    def suspect_counts(self) -> dict[Suspect, int]:
        """How many items each choice of `suspect` and `suspect_label` would show, the other filters being as they are.

        keys : (one of SUSPECTS, or None for both; a class, or None for all of them), those that have items: first the
            kinds, then each class with its kinds
        """
        groups, touched = self._table.groups, self._touched(self._then)
        n = self._n_in_group(touched, touched.asked) * self._fits_but("suspect", "suspect_label")
        of_kind: dict[str | None, IntArray] = {None: n * (groups.suspect >= 0)}
        of_kind |= {kind: n * (groups.suspect == code) for code, kind in enumerate(SUSPECTS)}
        counts: dict[Suspect, int] = {(kind, None): int(n.sum()) for kind, n in of_kind.items() if kind}
        by_class = {kind: _by_class(groups.second, n, self._table.labels) for kind, n in of_kind.items()}
        for name in by_class[None]:
            counts |= {(kind, name): found.get(name, 0) for kind, found in by_class.items()}
        return {key: count for key, count in counts.items() if count}

    def open_suspects(self) -> dict[str, int]:
        """For each class, how many of its items are suspect and nobody has decided on; most first.

        With one label an item, those that are given it and predicted as another; with several, those of which it is the
        suspect one. Classes without any are left out; the filter on the class itself does not count.
        """
        groups, name = self._table.groups, self._kind.class_filter
        touched = self._touched(self._table.standing.now())
        n = self._n_in_group(touched, touched.asked & (touched.verdict == NOBODY))
        n = n * (groups.given != groups.predicted) * self._fits_but(name)
        counts = _by_class(_classes_of(name, groups), n, self._table.labels)
        return dict(sorted(counts.items(), key=lambda each: -each[1]))

    @property
    def shown_class(self) -> str | None:
        """The class that the queue is of, if one is reviewed at a time."""
        name: str | None = getattr(self.query, self._kind.class_filter)
        return name

    def query_of_class(self, name: str | None) -> QueueQuery:
        """The same query, of this class alone, or of all mixed."""
        changed: dict[str, Any] = {self._kind.class_filter: name}
        return replace(self.query, **changed)

    def class_text(self, name: str) -> str:
        """In a few words, how many items of the class that is shown are suspect, and of what kind."""
        counts = self.counts()
        n_open = self.open_suspects().get(name, 0)
        text = self._kind.suspects_text.format(n_open=n_open, n=counts[self._kind.class_filter].get(name, 0))
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in counts["suspect"].items())
        return f"{text} ({kinds})" if kinds else text

    def pair_counts(self) -> pd.DataFrame:
        """Items labelled as one class and predicted as another in its place, both ways together: first, second, n; most
        first. An item of several labels can count for several pairs."""
        groups = self._table.groups
        touched = self._touched(self._then)
        n_in_group = self._n_in_group(touched, touched.asked) * self._fits_but("pair")
        first, second, n = self._table.labels.exchanged_pairs(groups.given, groups.predicted, n_in_group)
        names = np.array(self._classes, dtype=object)
        found = pd.DataFrame({"first": names[first], "second": names[second], "n": n})
        return found.sort_values(["n", "first", "second"], ascending=[False, True, True], ignore_index=True)

    def _fits_but(self, *names: str) -> BoolArray:
        """Which groups all filters but these let through."""
        others = {key: mask for key, mask in self._fitting.items() if key not in names}
        return _all_of(others, len(self._table.groups))

    def _touched(self, now: Standing) -> "_Touched":
        rows = now.rows if now is self._then else np.union1d(now.rows, self._then.rows)
        ranking = self._members.ranking
        rows = rows[ranking.place[rows] < ranking.n_valued]
        rows = rows[self._members.are_found(ranking.place[rows])]
        state, then = now.of(rows), self._then.of(rows)
        return _Touched(
            now=now,
            group=ranking.group[ranking.place[rows]],
            verdict=state.verdict,
            annotator=state.annotator,
            asked_but={
                name: _asked(self.query, self._then, then, but=name) for name in ("", *ASKED_OF_PEOPLE)
            },
        )

    def _n_in_group(self, touched: "_Touched", counted: BoolArray) -> IntArray:
        """How many items of each group fit what is asked of people: untouched ones, and those of the touched that are
        `counted`."""
        n_groups = len(self._table.groups)
        n: IntArray = np.bincount(touched.group[counted], minlength=n_groups)
        if touched.untouched_but(""):
            n = n + self._members.n_found_in_group - np.bincount(touched.group, minlength=n_groups)
        return n

    def _counted(self, name: str, names: tuple[str, ...], touched: "_Touched") -> dict[str, int]:
        n = self._n_in_group(touched, touched.asked) * self._fits_but(name)
        return _by_code(getattr(self._table.groups, name), n, names)

    def _counted_classes(self, name: str, touched: "_Touched") -> dict[str, int]:
        n = self._n_in_group(touched, touched.asked) * self._fits_but(name)
        return _by_class(_classes_of(name, self._table.groups), n, self._table.labels)

    def _others(self, touched: "_Touched", name: str) -> tuple[int, BoolArray]:
        """What fits all filters but this one, which asks of people: how many untouched items, which of the touched."""
        fits = self._members.fits
        counted = fits[touched.group] & touched.asked_but[name][0]
        if not touched.untouched_but(name):
            return 0, counted
        n_untouched = int(self._members.n_found_in_group[fits].sum()) - int(fits[touched.group].sum())
        return n_untouched, counted

    def _decided_counts(self, touched: "_Touched") -> dict[str, int]:
        n_untouched, counted = self._others(touched, "decided")
        n_all = n_untouched + int(counted.sum())
        n_decided = int((counted & (touched.verdict != NOBODY)).sum())
        return {"any": n_all, "open": n_all - n_decided, "decided": n_decided}

    def _verdict_counts(self, touched: "_Touched") -> dict[str, int]:
        n_untouched, counted = self._others(touched, "verdict")
        n = np.bincount(touched.verdict[counted] + 1, minlength=len(VERDICTS) + 1)
        n[0] += n_untouched
        in_order = np.roll(n, -1).tolist()
        return {name: n for name, n in zip(VERDICT_FILTERS, in_order, strict=True) if n}

    def _annotator_counts(self, touched: "_Touched") -> dict[str, int]:
        counted = self._others(touched, "annotator")[1] & (touched.annotator != NOBODY)
        annotators = touched.now.annotators
        n = np.bincount(touched.annotator[counted], minlength=len(annotators)).tolist()
        return {name: n for name, n in zip(annotators, n, strict=True) if n}

    def _columns(self, start: int, stop: int) -> dict[str, list[Any]]:
        """RANKED_COLUMNS and `kind` of the items from rank start + 1 to rank stop."""
        table, rows = self._table, self.rows(start, stop)
        labels = table.labels
        suspects = np.array([*SUSPECTS, ""], dtype=object)[table.suspect(rows)].tolist()
        second = labels.texts(table.second(rows)).tolist()
        columns = {
            "rank": list(range(start + 1, start + 1 + len(rows))),
            "item_id": table.item_ids(rows),
            "path": table.item_paths(rows),
            "split": np.array(SPLITS, dtype=object)[table.split(rows)].tolist(),
            "kind": np.array(KINDS, dtype=object)[table.kind(rows)].tolist(),
            "given_label": labels.texts(table.given(rows)).tolist(),
            "predicted_label": labels.texts(table.predicted(rows)).tolist(),
            "second_label": second,
            "suspect": suspects,
            "suspect_label": [
                name if suspect else None for name, suspect in zip(second, suspects, strict=True)
            ],
        }
        for name in NUMBERS:
            columns[name] = table.numbers(name, rows, k=self.query.k).tolist()
        return columns


@dataclass(frozen=True, slots=True)
class _Touched:
    """What holds now for the items of a ranking that people touched, now or when the queue was opened; (n_touched,).

    asked_but : for each filter that asks of people, and "" for none of them, what the others let through: of these
        items, and whether of untouched ones, both as of when the queue was opened
    """

    now: Standing
    group: CodeArray
    verdict: RowArray
    annotator: RowArray
    asked_but: dict[str, tuple[BoolArray, bool]]

    @property
    def asked(self) -> BoolArray:
        return self.asked_but[""][0]

    def untouched_but(self, name: str) -> bool:
        return self.asked_but[name][1]


def prepare_queues(project: Project, run_id: str | None = None) -> None:
    """Make the files that the queues of a run are read from, for every ranker, so that nobody waits for them later."""
    table = run_table(project, run_id)
    for ranker in RANKERS.values():
        table.ranking(ranker.column, ascending=ranker.ascending, k=2)


def open_queue(project: Project, query: QueueQuery) -> Queue:
    """The queue of a query, its order fixed now.

    Classes can be named as they are now or as they were called before.
    raises : ProjectError for an unknown ranker, split or class; RunError if there is no such run
    """
    table = run_table(project, query.run_id)
    classes = project.classes
    query = _in_present_names(query, classes)
    _check(query, classes, len(table.run.info.classes))
    shown = table.in_classes(names_now(project, table.run.info, classes), classes)
    return Queue(query, shown, project.decisions, classes.names, classes.kind)


def ranked_table(project: Project, query: QueueQuery) -> pd.DataFrame:
    """The whole queue of a query, most suspect first: RANKED_COLUMNS. The same query gives the same table."""
    return open_queue(project, query).ranked_table()


def _in_present_names(query: QueueQuery, classes: ClassList) -> QueueQuery:
    def named(label: str | None) -> str | None:
        return None if label is None else classes.current(label) or label

    pair = query.pair and (str(named(query.pair[0])), str(named(query.pair[1])))
    changed: dict[str, Any] = {name: named(getattr(query, name)) for name in CLASS_FILTERS}
    return replace(query, pair=pair, **changed)


def _check(query: QueueQuery, known: ClassList, n_predicted: int) -> None:
    classes = known.names
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
    if query.k > known.kind.max_k(n_predicted):
        why = known.kind.why_max_k.format(n_classes=n_predicted)
        raise ProjectError(f"{why}, so k must be at most {known.kind.max_k(n_predicted)}; found {query.k}.")
    if query.suspect is not None and query.suspect not in SUSPECTS:
        raise ProjectError(f"suspect must be one of {', '.join(SUSPECTS)}; found {query.suspect!r}.")
    if query.like is not None and query.splits != ("unlabelled",):
        raise ProjectError(
            f"Only unlabelled items are ranked by their likeness to a class; found {', '.join(query.splits)}."
        )
    named = [*(getattr(query, name) for name in CLASS_FILTERS), *(query.pair or ())]
    strange = sorted({label for label in named if label is not None and label not in classes})
    if strange:
        raise ProjectError(f"No such class: {', '.join(strange)}. The classes are: {listed(classes)}.")
    if query.pair is not None and query.pair[0] == query.pair[1]:
        raise ProjectError(f"A confused pair is two different classes; found {query.pair[0]!r} twice.")


def _fitting_groups(query: QueueQuery, table: RunTable, classes: tuple[str, ...]) -> dict[str, BoolArray]:
    """For each filter on the split, the labels and the prediction that is set, which groups it lets through."""
    groups, labels = table.groups, table.labels
    fitting = {"split": np.isin(groups.split, [SPLITS.index(split) for split in query.splits])}
    for name in GROUPS_OF:
        if (wanted := getattr(query, name)) is not None:
            fitting[name] = labels.has(_classes_of(name, groups), classes.index(wanted))
    if query.suspect is not None:
        fitting["suspect"] = groups.suspect == SUSPECTS.index(query.suspect)
    if query.pair is not None:
        fitting["pair"] = _in_pair(groups, labels, query.pair)
    return fitting


def _classes_of(name: str, groups: Groups) -> CodeArray:
    """(n_groups,), the label that a filter of GROUPS_OF looks at, -1 = none."""
    codes: CodeArray = getattr(groups, GROUPS_OF[name])
    return np.where(groups.suspect < 0, NO_LABEL, codes) if name == "suspect_label" else codes


def _in_pair(groups: Groups, labels: LabelSpace, pair: tuple[str, str]) -> BoolArray:
    places = (labels.classes.index(pair[0]), labels.classes.index(pair[1]))
    torn = (groups.given == NO_LABEL) & labels.torn(groups.predicted, groups.second, places)
    fits: BoolArray = labels.exchanged(groups.given, groups.predicted, places) | torn
    return fits


def _ranking(query: QueueQuery, table: RunTable, classes: tuple[str, ...]) -> Ranking:
    if query.like is not None:
        return table.likeness(classes.index(query.like))
    ranker = RANKERS[query.by]
    return table.ranking(ranker.column, ascending=ranker.ascending, k=query.k)


def _standing(query: QueueQuery, table: RunTable) -> Standing:
    event = query.as_of_event
    return table.standing.now() if event is None else table.standing.at(event)


def _asked(
    query: QueueQuery, standing: Standing, states: Standing | RowStates, *, but: str = ""
) -> tuple[BoolArray, bool]:
    """Which of these states the filters on what people decided let through, and whether untouched items.

    but : a filter to leave out
    """
    verdict = np.append(states.verdict, NOBODY)
    annotator = np.append(states.annotator, NOBODY)
    fits = np.ones(len(verdict), dtype=np.bool_)
    if query.decided != "any" and but != "decided":
        fits &= (verdict != NOBODY) == (query.decided == "decided")
    if query.verdict is not None and but != "verdict":
        fits &= verdict == (NOBODY if query.verdict == NO_VERDICT else VERDICTS.index(query.verdict))
    if query.annotator is not None and but != "annotator":
        fits &= annotator == standing.annotator_code(query.annotator)
    return fits[:-1], bool(fits[-1])


def _all_of(masks: Mapping[str, BoolArray], n: int) -> BoolArray:
    fits = np.ones(n, dtype=np.bool_)
    for mask in masks.values():
        fits &= mask
    return fits


def _bits_at(places: RowArray, n: int) -> BitArray:
    """One bit a place, set at these."""
    mask = np.zeros(n, dtype=np.bool_)
    mask[places] = True
    return np.packbits(mask)


def _by_code(codes: CodeArray, n: IntArray, names: tuple[str, ...]) -> dict[str, int]:
    known = codes >= 0
    summed = np.bincount(codes[known], weights=n[known], minlength=len(names))
    return {name: int(count) for name, count in zip(names, summed, strict=True) if count}


def _by_class(codes: CodeArray, n: IntArray, labels: LabelSpace) -> dict[str, int]:
    known = codes >= 0
    per_label = np.bincount(codes[known], weights=n[known], minlength=len(labels))
    counts = labels.by_class(per_label.astype(np.int64)).tolist()
    return {name: count for name, count in zip(labels.classes, counts, strict=True) if count}


def _objects(values: list[Any]) -> npt.NDArray[Any]:
    return np.array(values, dtype=object)


def _frame(columns: Mapping[str, list[Any]], names: Sequence[str]) -> pd.DataFrame:
    """A frame in which missing texts stay None."""
    numbers = {"rank": "int64", "event": "int64"} | dict.fromkeys(NUMBERS, "float64")
    return pd.DataFrame({name: pd.Series(columns[name], dtype=numbers.get(name, "object")) for name in names})


SEEN_BY = {
    IN_SAMPLE: "In sample: the model was trained on this very item; it says",
    MEAN_OF_FOLDS: "The models, none of which saw this item, say",
}
UNSEEN = "The model, which never saw this item, says"


def _reasons(columns: Mapping[str, list[Any]], query: QueueQuery, kind: LabelKind) -> list[str]:
    """In words, why each item is where it is."""
    sentences = []
    for row in range(len(columns["rank"])):
        record = {name: columns[name][row] for name in REASONED_FROM}
        said = kind.said(record, query.by, query.k)
        sentences.append(f"{SEEN_BY.get(record['kind'], UNSEEN)} {said}.{_sentence(columns['seen'][row])}")
    return sentences


def _sentence(text: str) -> str:
    """
    >>> _sentence("every fold model says `shirt`"), _sentence("")
    (' Every fold model says `shirt`.', '')
    """
    return f" {text[0].upper()}{text[1:]}." if text else ""


REASONED_FROM = (
    "kind", "given_label", "predicted_label", "second_label", "p_given", "p_predicted", "p_second",
    "confusion", "entropy", "suspect", "suspect_label",
)  # fmt: skip
