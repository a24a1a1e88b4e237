"""The blind slice: items that a person decides without seeing their labels or predictions, and what comes of it.

Who only confirms what is shown agrees more with it when it is shown: the difference is called anchoring.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from curation.database import events, reading
from curation.decisions import log
from curation.decisions.events import DECIDE, LABEL_RIGHT, LABEL_WRONG, LABELLED
from curation.decisions.naming import shown_labels
from curation.project import Project
from curation.queues import Queue
from curation.run_classes import names_now
from curation.run_table import run_table
from diagnostics.metrics import Estimate, difference_of_proportions, proportion
from diagnostics.task import NO_LABEL, BoolArray

HASH_BYTES, FLOAT_BITS = 8, 53
SAYS_A_LABEL = (LABEL_RIGHT, LABEL_WRONG, LABELLED)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often decisions say the same label as something else does, blind against shown.

    n_blind, n_shown : decisions that can be compared; blind, shown : the share of them that agree
    difference : shown minus blind, in [-1, 1]; above 0 the person agrees more when they see it
    """

    n_blind: int
    n_shown: int
    blind: Estimate
    shown: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class BlindReport:
    """What one person's blind decisions say, from their first decision on each item that is not undone.

    n_blind, n_shown : such decisions, whatever their verdict; only those that say a label are compared
    with_given, with_prediction : the label that the run was trained on, and the class it predicts
    n_others, others : blind decisions on items on which another person had decided a label before, not undone, and the
        share that say the same as the newest of those. Of shown decisions this cannot be told: one that repeats what
        holds is not kept.
    n_gold, gold : blind decisions on test items, and the share that say the label that the source gave
    """

    annotator: str
    n_blind: int
    n_shown: int
    with_given: Agreement
    with_prediction: Agreement
    n_others: int
    others: Estimate
    n_gold: int
    gold: Estimate


def hidden_items(project: Project, annotator: str, item_ids: Sequence[str], share: float) -> BoolArray:
    """Which items this person is to decide blind: (n_items,).

    share : in [0, 1]; a larger share hides the same items and more of them
    Which ones depends only on the data, the person and the item; one that the person has decided before is not hidden.
    """
    if share == 0 or not item_ids:
        return np.zeros(len(item_ids), dtype=np.bool_)
    key = hashlib.blake2b(f"{project.info.fingerprint}\n{annotator.strip()}".encode()).digest()
    hidden = np.array([_place(item_id, key) < share for item_id in item_ids], dtype=np.bool_)
    places = np.flatnonzero(hidden).tolist()
    known = _decided_by(project.engine, annotator.strip(), [item_ids[place] for place in places])
    hidden[[place for place in places if item_ids[place] in known]] = False
    return hidden


def hidden_in(project: Project, queue: Queue, annotator: str) -> BoolArray:
    """Which of a queue's items this person is to decide blind: (n_items,), in the queue's order."""
    if queue.query.blind == 0:
        return np.zeros(len(queue), dtype=np.bool_)
    return hidden_items(project, annotator, queue.item_ids(), queue.query.blind)


def blind_report(project: Project, run_id: str | None, annotator: str) -> BlindReport:
    """What a person's blind decisions say, against a run, the gold test set and other people.

    The blind items are drawn by chance from the queues that were shown with a blind share. `shown` holds all other
    decisions, also from queues without one: read the difference as anchoring where both come from the same queues.

    raises : RunError if there is no such run
    """
    decided = _standing_decisions(project.engine, annotator.strip())
    decided["label"] = shown_labels(decided["label"], project.classes)
    of_person = decided["annotator"] == annotator.strip()
    mine = decided[of_person].drop_duplicates("item_id", keep="first").reset_index(drop=True)
    says = mine[mine["verdict"].isin(SAYS_A_LABEL)].reset_index(drop=True)
    given, predicted = _of_run(project, run_id, says["item_id"].tolist())
    source = _gold_labels(project, says["item_id"].tolist())
    blind = says[says["blind"]]
    n_gold, gold = _share_that_say(blind, source)
    n_others, others = _share_that_say(blind, _of_others(says, decided[~of_person]))
    return BlindReport(
        annotator=annotator.strip(),
        n_blind=int(mine["blind"].sum()),
        n_shown=int((~mine["blind"]).sum()),
        with_given=_agreement(says, given),
        with_prediction=_agreement(says, predicted),
        n_others=n_others,
        others=others,
        n_gold=n_gold,
        gold=gold,
    )


def _place(item_id: str, key: bytes) -> float:
    """Where in [0, 1) an item falls for the one whose key it is."""
    digest = hashlib.blake2b(
        item_id.encode("utf-8", "surrogatepass"), key=key, digest_size=HASH_BYTES
    ).digest()
    return (int.from_bytes(digest) >> 8 * HASH_BYTES - FLOAT_BITS) / float(1 << FLOAT_BITS)


def _decided_by(engine: Engine, annotator: str, item_ids: Sequence[str]) -> set[str]:
    """Those of the items that this person ever decided."""
    by_person = sa.and_(events.c.annotator == annotator, events.c.kind == DECIDE)
    query = sa.select(events.c.item_id).where(by_person).distinct()
    with reading(engine) as connection:
        if len(item_ids) > log.N_PER_QUERY:
            return set(connection.execute(query).scalars())
        return set(connection.execute(query.where(events.c.item_id.in_(item_ids))).scalars())


def _standing_decisions(engine: Engine, annotator: str) -> pd.DataFrame:
    """Every decision that is not undone, of whoever, on items that this person decided, in order.

    columns : event, item_id, verdict, label, annotator, blind
    """
    names = ("event", "act", "item_id", "verdict", "new_label", "annotator", "blind")
    theirs = sa.select(events.c.item_id).where(events.c.annotator == annotator, events.c.kind == DECIDE)
    query = (
        sa.select(*(events.c[name] for name in names))
        .where(events.c.kind == DECIDE, events.c.item_id.in_(theirs))
        .order_by(events.c.event)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        undone = log.undone_acts(connection, {row.act for row in rows})
    kept = [tuple(row) for row in rows if row.act not in undone]
    table = pd.DataFrame.from_records(kept, columns=list(names)).rename(columns={"new_label": "label"})
    return table.drop(columns="act").astype({"blind": "bool"})


def _of_run(project: Project, run_id: str | None, item_ids: list[str]) -> tuple[pd.Series, pd.Series]:
    """The label that each item had in a run and the class it predicts; None where there is none."""
    table = run_table(project, run_id)
    rows = table.standing.rows_of(item_ids)
    classes = project.classes
    table = table.in_classes(names_now(project, table.run.info, classes), classes)
    given, predicted = (
        pd.Series(table.labels.texts(np.where(rows >= 0, codes_of(rows), NO_LABEL)), dtype=object)
        for codes_of in (table.given, table.predicted)
    )
    return given, predicted


def _gold_labels(project: Project, item_ids: list[str]) -> pd.Series:
    """The label that the source gave each test item; None for every other one."""
    items = project.items.iloc[project.decisions.rows_of(item_ids)]
    gold = shown_labels(items["given_label"].astype(object), project.classes)
    return gold.where((items["split"] == "test") & gold.notna(), None).reset_index(drop=True)


def _of_others(says: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    """For each decision the label of the newest earlier one of someone else on its item; None where there is none."""
    labelled = others[others["verdict"].isin(SAYS_A_LABEL)]
    pairs = says[["item_id", "event"]].merge(labelled, on="item_id", suffixes=("", "_other"))
    earlier = pairs[pairs["event_other"] < pairs["event"]].drop_duplicates("item_id", keep="last")
    found = says["item_id"].map(dict(zip(earlier["item_id"], earlier["label"], strict=True))).astype(object)
    return found.where(found.notna(), None)


def _agreement(says: pd.DataFrame, other: pd.Series) -> Agreement:
    """How often the decisions' labels are those of `other`, blind against shown."""
    n_blind, blind = _share_that_say(says[says["blind"]], other)
    n_shown, shown = _share_that_say(says[~says["blind"]], other)
    return Agreement(n_blind, n_shown, blind, shown, difference_of_proportions(shown, blind))


def _share_that_say(says: pd.DataFrame, other: pd.Series) -> tuple[int, Estimate]:
    """How many of the decisions `other` has a label for, by their index, and the share of these that say that one."""
    labels = other[says.index]
    known = labels.notna()
    n_same = int((says["label"] == labels)[known].sum())
    return int(known.sum()), proportion(n_same, int(known.sum()))
