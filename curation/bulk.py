"""One choice for everything in a queue: what it would do, and doing it as one act, one step of undo."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from curation.class_list import ClassList
from curation.decisions.events import (
    AMBIGUOUS,
    BAD_ITEM,
    LABEL_RIGHT,
    LABEL_WRONG,
    LABELLED,
    OUT_OF_SCOPE,
    VERDICTS,
    Decision,
)
from curation.decisions.store import ActResult, DecisionStore
from curation.queues import Queue
from curation.standing import RowStates
from diagnostics.errors import DecisionError
from diagnostics.label_space import LabelSpace
from diagnostics.task import NO_LABEL, SPLITS, BoolArray, RowArray

RIGHT, ACCEPT, CLASS, EXCLUDE, UNSURE, SCOPE = "right", "accept", "class", "exclude", "unsure", "scope"
ADD, REMOVE = "add", "remove"
CHOICES = (RIGHT, ACCEPT, CLASS, EXCLUDE, UNSURE, SCOPE)
SET_CHOICES = (*CHOICES, ADD, REMOVE)
OF_A_CLASS = (CLASS, ADD, REMOVE)
VERDICT_OF_CHOICE = {EXCLUDE: BAD_ITEM, UNSURE: AMBIGUOUS, SCOPE: OUT_OF_SCOPE}
NOT_MEANT = {
    RIGHT: "has no given label to confirm: accept the prediction or pick a class",
    ACCEPT: "has no prediction to accept",
    ADD: "has that label already",
    REMOVE: "does not have that label",
}
BARRED_LEFT = "is like a validation or test item, and may not join the training set"
BLIND_LEFT = "is in the blind sample: decide it by itself"
MAX_NAMED = 50


@dataclass(frozen=True, slots=True)
class Meant:
    """What a choice means for each item; arrays (n_items,).

    verdict : positions in VERDICTS; label : positions in the classes, -1 = the item's label stays as it is
    refused : the choice makes no sense for the item, for `reason`; verdict and label say nothing there
    """

    verdict: RowArray
    label: RowArray
    refused: BoolArray
    reason: str


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What a choice would do to the `n` items of a queue; the four counts add up to n.

    n_already : items that are so already; n_conflicts : items that changed after the event that the query names
    reason : why n_refused items would be left, "" if none
    """

    n: int
    n_change: int
    n_already: int
    n_refused: int
    n_conflicts: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """A choice on the rows of a queue; arrays (n_items,) in its order. labels : what the numbers of labels mean"""

    rows: RowArray
    labels: LabelSpace
    meant: Meant
    already: BoolArray
    changed_since: BoolArray
    expected_event: RowArray


def meant_by(
    choice: str, *, given: RowArray, predicted: RowArray, source: RowArray, label: int | RowArray
) -> Meant:
    """What a choice means: the one place that says so for many items; the grid says the same for the ones it shows.

    right : the given label, as the queue shows it, is right; accept : the predicted one is; class, add, remove :
        `label` is, which is one for all items, or one each, -1 where there is none
    exclude, unsure, scope : bad_item, ambiguous, out_of_scope, and the label stays as it is
    given, predicted, source : (n_items,), positions in the classes, -1 = none; source is what the data came with, which
        decides between label_right, label_wrong and labelled
    raises : DecisionError for an unknown choice

    >>> cat, none = np.array([0], np.int32), np.array([-1], np.int32)
    >>> VERDICTS[meant_by("accept", given=cat, predicted=cat, source=cat, label=-1).verdict[0]]
    'label_right'
    """
    if choice not in SET_CHOICES:
        raise DecisionError(f"There is no choice {choice!r}; known are {', '.join(SET_CHOICES)}.")
    if choice in VERDICT_OF_CHOICE:
        verdict = np.full(len(given), VERDICTS.index(VERDICT_OF_CHOICE[choice]), dtype=np.int32)
        return Meant(verdict, np.full_like(given, NO_LABEL), np.zeros(len(given), dtype=np.bool_), "")
    wanted = {RIGHT: given, ACCEPT: predicted}.get(choice)
    if wanted is None:
        wanted = np.full_like(given, label)
    refused: BoolArray = wanted == NO_LABEL
    right, wrong, labelled = (VERDICTS.index(name) for name in (LABEL_RIGHT, LABEL_WRONG, LABELLED))
    verdict = np.where(source == NO_LABEL, labelled, np.where(source == wanted, right, wrong)).astype(
        np.int32
    )
    return Meant(verdict, wanted, refused, NOT_MEANT.get(choice, "") if refused.any() else "")


def preview_bulk(
    queue: Queue,
    store: DecisionStore,
    choice: str,
    *,
    label: str | None,
    hidden: BoolArray | None = None,
) -> BulkPreview:
    """What `apply_bulk` would do now.

    raises : DecisionError for an unknown choice or class, or locked items of the gold test set
    """
    plan = _plan(queue, store, choice, label, hidden)
    n_refused = int(plan.meant.refused.sum())
    n_already = int((plan.already & ~plan.meant.refused).sum())
    n_conflicts = int((plan.changed_since & ~plan.already & ~plan.meant.refused).sum())
    n_change = len(queue) - n_refused - n_already - n_conflicts
    return BulkPreview(len(queue), n_change, n_already, n_refused, n_conflicts, plan.meant.reason)


def apply_bulk(
    queue: Queue,
    store: DecisionStore,
    choice: str,
    *,
    label: str | None,
    expected_n: int,
    annotator: str,
    now: datetime,
    shown_in: str = "",
    client_id: str | None = None,
    client_seq: int | None = None,
    hidden: BoolArray | None = None,
) -> ActResult:
    """Apply a choice to everything in a queue as one act.

    Items that it makes no sense for are left and counted in `n_refused`; items that changed after the event that the
    query names, or while this runs, are left and reported in `conflicts`.

    label : the class of the choices "class", "add" (to the labels that each item has) and "remove" (from them)
    expected_n : how many items the person saw in the queue
    shown_in : the name of the queue, kept with the decisions
    hidden : (n_items,) in the queue's order, items that the person is to decide blind; they are left, too
    raises : DecisionError if the queue has another length now, for an unknown choice or class, or locked items of the
        gold test set; then nothing is applied
    """
    if (first := store.first_answer(client_id, client_seq)) is not None:
        return first
    if len(queue) != expected_n:
        raise DecisionError(
            f"Nothing was applied: the filter shows {len(queue):,} items now, not {expected_n:,}. "
            "Look again, then repeat."
        )
    plan = _plan(queue, store, choice, label, hidden)
    return store.decide(
        _decisions(queue, store, plan, shown_in),
        annotator=annotator,
        now=now,
        client_id=client_id,
        client_seq=client_seq,
        n_refused=int(plan.meant.refused.sum()),
        reason=plan.meant.reason,
    )


def _plan(
    queue: Queue, store: DecisionStore, choice: str, label: str | None, hidden: BoolArray | None
) -> _Plan:
    rows, table = queue.rows(), queue.table
    _refuse_locked(table.split(rows), store)
    now = table.standing.now()
    standing, classes = now.of(rows), store.class_list
    known = set(classes.names)
    shown = [text for text in table.labels.names if known.issuperset(classes.kind.members(text))]
    labels = now.labels.with_texts(shown)
    labels, wanted = _wanted(choice, label, labels, standing.label, classes)
    to_project = _positions(table.labels.names, labels.names)
    meant = meant_by(
        choice,
        given=to_project[table.given(rows)],
        predicted=to_project[table.predicted(rows)],
        source=standing.given,
        label=wanted,
    )
    if store.barred:
        barred = np.isin(rows, table.standing.rows_of(list(store.barred)))
        meant = _leaving(meant, barred & (meant.verdict == VERDICTS.index(LABELLED)), BARRED_LEFT)
    if hidden is not None:
        meant = _leaving(meant, hidden, BLIND_LEFT)
    event = standing.event
    as_of = queue.query.as_of_event
    expected = event if as_of is None else np.minimum(event, as_of)
    return _Plan(rows, labels, meant, _already(meant, standing), event != expected, expected.astype(np.int32))


def _leaving(meant: Meant, left: BoolArray, reason: str) -> Meant:
    """The same, but these items are left, too. left : (n_items,)"""
    if not (left & ~meant.refused).any():
        return meant
    reasons = "; ".join(filter(None, (meant.reason, reason)))
    return replace(meant, refused=meant.refused | left, reason=reasons)


def _already(meant: Meant, standing: RowStates) -> BoolArray:
    label = np.where(meant.label == NO_LABEL, standing.label, meant.label)
    already: BoolArray = (standing.verdict == meant.verdict) & (standing.label == label)
    return already


def _decisions(queue: Queue, store: DecisionStore, plan: _Plan, shown_in: str) -> list[Decision]:
    places = np.flatnonzero(~plan.meant.refused)
    labels = [*plan.labels.names, None]
    columns = (
        queue.table.item_ids(plan.rows[places]),
        plan.meant.verdict[places].tolist(),
        plan.meant.label[places].tolist(),
        (places + 1).tolist(),
        plan.expected_event[places].tolist(),
    )
    return [
        Decision(item_id, VERDICTS[verdict], labels[label], "", rank, shown_in, expected)
        for item_id, verdict, label, rank, expected in zip(*columns, strict=True)
    ]


def _refuse_locked(splits: RowArray, store: DecisionStore) -> None:
    n_test = int(np.count_nonzero(splits == SPLITS.index("test")))
    if n_test and not store.test_unlocked():
        raise store.locked_test(n_test, len(splits))


def _wanted(
    choice: str, label: str | None, labels: LabelSpace, present: RowArray, classes: ClassList
) -> tuple[LabelSpace, RowArray]:
    """The label that each item is to have, (n_items,), by a choice of a class; -1 by any other, and where adding or
    removing the class changes nothing; and what these numbers mean.

    present : (n_items,), the labels as of now
    """
    if choice not in OF_A_CLASS:
        return labels, np.full_like(present, NO_LABEL)
    if label not in classes.names:
        known = ", ".join(classes.names[:MAX_NAMED])
        raise DecisionError(f"The choice {choice!r} needs a class; {label!r} is none of: {known}.")
    if choice == CLASS:
        wanted = str(label)
        labels = labels.with_texts([wanted])
        return labels, np.full_like(present, labels.codes([wanted])[0])
    change = classes.kind.changes.get(choice)
    if change is None:
        raise DecisionError(f"An item has one class here; {choice!r} is for items with several labels.")
    different, places = np.unique(present, return_inverse=True)
    texts = [change(text, label, classes.names) for text in labels.texts(different).tolist()]
    labels = labels.with_texts([text for text in texts if text is not None])
    return labels, labels.codes(texts).astype(np.int32)[places]


def _positions(names: tuple[str, ...], known: tuple[str, ...]) -> RowArray:
    """The position of each name in `known`, -1 where it is not there; the last entry, for "no label", is -1."""
    place = {name: position for position, name in enumerate(known)}
    return np.array([*(place.get(name, NO_LABEL) for name in names), NO_LABEL], dtype=np.int32)
