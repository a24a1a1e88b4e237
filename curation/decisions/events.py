"""A decision as a value, and events folded into what holds for each item. No files, no clock.

A verdict is about the label that the source gave. Whatever a person presses, these three hold in every stored event:
`label_right` goes with the given label, `label_wrong` with another one, `labelled` with an item that had none. The
other verdicts leave the label as it stands, or set the one that is given with them.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from diagnostics.errors import DecisionError

LABEL_WRONG: Final = "label_wrong"
LABEL_RIGHT: Final = "label_right"
LABELLED: Final = "labelled"
AMBIGUOUS: Final = "ambiguous"
OUT_OF_SCOPE: Final = "out_of_scope"
BAD_ITEM: Final = "bad_item"
VERDICTS = (LABEL_WRONG, LABEL_RIGHT, LABELLED, AMBIGUOUS, OUT_OF_SCOPE, BAD_ITEM)

KEPT: Final = "kept"
RELABELLED: Final = "relabelled"
ADDED: Final = "added"
EXCLUDED: Final = "excluded"
UNSURE: Final = "unsure"
STATUSES = (KEPT, RELABELLED, ADDED, EXCLUDED, UNSURE)

STATUS_OF: dict[str | None, str] = {
    None: KEPT,
    LABEL_RIGHT: KEPT,
    LABEL_WRONG: RELABELLED,
    LABELLED: ADDED,
    AMBIGUOUS: UNSURE,
    OUT_OF_SCOPE: EXCLUDED,
    BAD_ITEM: EXCLUDED,
}

DECIDE: Final = "decide"
UNDO: Final = "undo"
REDO: Final = "redo"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says about one item.

    label : the right label; needed with label_wrong and labelled
    rank, queue : where the item was shown
    blind : the person saw neither the item's labels nor what the model says
    expected_event : the item's last event that the person had seen, 0 = none; None = do not check
    """

    item_id: str
    verdict: str
    label: str | None = None
    note: str = ""
    rank: int | None = None
    queue: str = ""
    expected_event: int | None = None
    blind: bool = False


@dataclass(frozen=True, slots=True)
class ItemState:
    """What holds for an item after its events.

    label : the label it has now, None = none; an excluded item keeps the label it had
    verdict, annotator, decided_at, round : of the decision that stands; None if none does
    event : the item's last event, 0 if it never had one
    stands : the decide event whose decision stands, None if none does
    """

    item_id: str
    given_label: str | None
    label: str | None
    verdict: str | None = None
    annotator: str | None = None
    decided_at: datetime | None = None
    round: int | None = None
    event: int = 0
    stands: int | None = None
    note: str = ""

    @property
    def status(self) -> str:
        return STATUS_OF[self.verdict]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log: what an act did to one item.

    verdict, new_label : what holds afterwards; verdict is None if no decision stands
    stands, previous : the decide events whose decisions stand afterwards and stood before; None = none
    blind : the decision that stands afterwards was made without seeing the labels or what the model says
    """

    event: int
    act: int
    kind: str
    item_id: str
    verdict: str | None
    old_label: str | None
    new_label: str | None
    annotator: str
    at: datetime
    round: int
    queue: str = ""
    rank: int | None = None
    note: str = ""
    stands: int | None = None
    previous: int | None = None
    blind: bool = False


def fold(events: Iterable[Event]) -> dict[str, ItemState]:
    """What holds for each item after these events, which begin at the first one and are in order."""
    decided: dict[int, Event] = {}
    states: dict[str, ItemState] = {}
    for event in events:
        if event.kind == DECIDE:
            decided[event.event] = event
        before = states.get(event.item_id) or ItemState(event.item_id, event.old_label, event.old_label)
        states[event.item_id] = _state_after(
            before, event, decided[event.stands] if event.stands is not None else None
        )
    return states


def _state_after(before: ItemState, event: Event, standing: Event | None) -> ItemState:
    """The state of an item after one event; `standing` is the decide event that stands then."""
    if standing is None:
        return ItemState(before.item_id, before.given_label, event.new_label, event=event.event)
    return ItemState(
        item_id=before.item_id,
        given_label=before.given_label,
        label=event.new_label,
        verdict=standing.verdict,
        annotator=standing.annotator,
        decided_at=standing.at,
        round=standing.round,
        event=event.event,
        stands=standing.event,
        note=standing.note,
    )


def decision_for_label(state: ItemState, label: str) -> Decision:
    """The decision that gives an item this label, expected on top of `state`."""
    verdict = _verdict_of_label(state.given_label, label)
    return Decision(state.item_id, verdict, label=label, expected_event=state.event)


def resolve(decision: Decision, state: ItemState, labels: Container[str]) -> Decision:
    """The decision with the verdict that its label has on this item, and with the label that will hold.

    labels : those that an item can have
    raises : DecisionError saying what is wrong with it
    """
    if decision.verdict not in VERDICTS:
        raise DecisionError(f"unknown verdict {decision.verdict!r}; known are {', '.join(VERDICTS)}")
    if decision.label is not None and decision.label not in labels:
        raise DecisionError(f"unknown class {decision.label!r}")
    label = decision.label if decision.label is not None else state.label
    if decision.verdict in (LABEL_WRONG, LABELLED):
        if decision.label is None:
            raise DecisionError(f"{decision.verdict} needs the right label")
        return replace(decision, verdict=_verdict_of_label(state.given_label, decision.label))
    if decision.verdict == LABEL_RIGHT:
        if state.label is None:
            raise DecisionError("label_right on an item without a label; give it one")
        if label not in (state.label, state.given_label):
            raise DecisionError(
                f"label_right with the label {label!r}, but it has {state.label!r}; use label_wrong"
            )
        return replace(decision, verdict=_verdict_of_label(state.given_label, str(label)), label=label)
    return replace(decision, label=label)


def is_already(resolved: Decision, state: ItemState) -> bool:
    """Whether a resolved decision says what already holds."""
    same = resolved.verdict == state.verdict and resolved.label == state.label
    return same and resolved.note in ("", state.note)


def adds_nothing(resolved: Decision, state: ItemState, annotator: str) -> bool:
    """Whether a resolved decision need not be kept, because it says what already holds.

    A blind decision is a second opinion: it is kept also where it agrees with what someone else has decided, or how
    often people agree could not be told.
    """
    second_opinion = resolved.blind and state.annotator not in (None, annotator)
    return is_already(resolved, state) and not second_opinion


def is_conflict(decision: Decision, resolved: Decision, state: ItemState) -> bool:
    """Whether the item has changed since the person saw it, to something else than they say."""
    if decision.expected_event is None or decision.expected_event == state.event:
        return False
    named = decision.label is not None or decision.verdict == resolved.verdict
    said_the_same = named and is_already(resolved, state)
    return not said_the_same


def _verdict_of_label(given_label: str | None, label: str) -> str:
    if given_label is None:
        return LABELLED
    return LABEL_RIGHT if label == given_label else LABEL_WRONG
