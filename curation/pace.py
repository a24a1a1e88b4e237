"""How fast a person decides, and how often they change something: the pace of their last decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from curation.database import events, item_states, reading
from curation.decisions.events import BAD_ITEM, DECIDE, LABEL_WRONG, LABELLED, OUT_OF_SCOPE

N_RECENT = 50
MIN_TIMED = 5
LONGEST_GAP_S = 120.0
CHANGING = (LABEL_WRONG, LABELLED, BAD_ITEM, OUT_OF_SCOPE)

NEWEST = (
    sa.select(events.c.act, events.c.at, events.c.verdict)
    .join(
        item_states,
        sa.and_(item_states.c.item_id == events.c.item_id, item_states.c.stands == events.c.event),
    )
    .where(events.c.annotator == sa.bindparam("annotator"), events.c.kind == DECIDE)
    .order_by(events.c.event.desc())
    .limit(N_RECENT)
)
"""A person's last N_RECENT decisions that stand, newest first; built once, because it is asked for every second."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One item that a person decided: in which act, when, and to which verdict."""

    act: int
    at: datetime
    verdict: str


@dataclass(frozen=True, slots=True)
class Pace:
    """A person's last N_RECENT decided items, without those that they have taken back or that were decided again.

    n_recent : how many of them there are, in [0, N_RECENT]
    n_changed : how many got a verdict of CHANGING
    seconds_per_decision : median seconds an item; None where fewer than MIN_TIMED items have a time
    """

    n_recent: int
    n_changed: int
    seconds_per_decision: float | None


def read_pace(engine: Engine, annotator: str) -> Pace:
    """The pace of a person, from their newest decisions that still stand, however long the log is."""
    with reading(engine) as connection:
        rows = [Decided(*row) for row in connection.execute(NEWEST, {"annotator": annotator.strip()})]
    return pace_of(rows[::-1])


def pace_of(decided: Sequence[Decided]) -> Pace:
    """The pace of decided items, which are in order.

    An act takes the time since the act before it, shared equally by its items. The first act has none, and gaps above
    LONGEST_GAP_S are breaks: neither counts for the median over the items.
    """
    n_changed = sum(one.verdict in CHANGING for one in decided)
    times = {one.act: one.at for one in decided}
    sizes = {act: sum(one.act == act for one in decided) for act in times}
    seconds: list[float] = []
    for before, act in pairwise(times):
        gap_s = (times[act] - times[before]).total_seconds()
        if 0 <= gap_s <= LONGEST_GAP_S:
            seconds += [gap_s / sizes[act]] * sizes[act]
    typical = median(seconds) if len(seconds) >= MIN_TIMED else None
    return Pace(len(decided), n_changed, typical)
