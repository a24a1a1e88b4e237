"""Between what the log keeps (class keys) and what people see and say (class names as of now).

After a merge of A into B, a `label_wrong` from A to B says what the item's given label says anyway, so it shows as
`label_right`; the log keeps it, and it is `label_wrong` again once the merge is taken back.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from curation.class_list import ClassList
from curation.decisions.events import LABEL_RIGHT, LABEL_WRONG, Decision, Event, ItemState


def shown_state(state: ItemState, classes: ClassList) -> ItemState:
    """A stored state in names as these classes have them."""
    if classes.is_plain:
        return state
    given, label = classes.name_of(state.given_label), classes.name_of(state.label)
    agrees = state.verdict == LABEL_WRONG and given == label
    return replace(state, given_label=given, label=label, verdict=LABEL_RIGHT if agrees else state.verdict)


def shown_event(event: Event, classes: ClassList) -> Event:
    """An event with the names of its labels; its verdict is the one that was given then."""
    return replace(
        event, old_label=classes.name_of(event.old_label), new_label=classes.name_of(event.new_label)
    )


def shown_decision(decision: Decision, classes: ClassList) -> Decision:
    """A decision with the present name of its label, if it names one by an earlier name."""
    if decision.label is None:
        return decision
    return replace(decision, label=classes.current(decision.label) or decision.label)


def stored_decision(resolved: Decision, state: ItemState, classes: ClassList) -> Decision:
    """A resolved decision with the key to keep of its label.

    Where several keys have the name, the item keeps the one it has: so taking a merge back changes no label that
    nobody meant to change, and `label_right` always goes with the given label.
    state : as stored, before the decision
    """
    if resolved.label is None or classes.is_plain:
        return resolved
    shown = shown_state(state, classes)
    if (resolved.verdict, resolved.label) == (shown.verdict, shown.label) and state.verdict is not None:
        return replace(resolved, verdict=state.verdict, label=state.label)
    if resolved.verdict == LABEL_RIGHT:
        return replace(resolved, label=state.given_label)
    if resolved.label == shown.label:
        return replace(resolved, label=state.label)
    if resolved.label == shown.given_label:
        return replace(resolved, label=state.given_label)
    return replace(resolved, label=classes.key_near(resolved.label, (state.label, state.given_label)))


def shown_labels(labels: pd.Series, classes: ClassList) -> pd.Series:
    """A column of keys as names; what is missing stays so."""
    return labels.map(classes.names_of(labels.dropna().unique())).astype(labels.dtype)


def shown_verdicts(verdicts: pd.Series, labels: pd.Series, given: npt.NDArray[Any]) -> pd.Series:
    """A column of verdicts as they read with these labels and given labels, both names."""
    agrees = (verdicts == LABEL_WRONG).to_numpy() & (labels.to_numpy(dtype=object) == given)
    return verdicts.mask(np.asarray(agrees, dtype=np.bool_), LABEL_RIGHT)
