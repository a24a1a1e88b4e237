"""Caps: at most so many train items of a class are trained on; the others stay in the project and are predicted.

A cap counts from its moment on, for every dataset version, as a change of the classes does; it can be lifted and taken
back, and never touches a decision or an item. The log is append-only: a class's newest row is what holds. An undo
appends what held before the last change that stands, so that undoing again goes one change further back.

Kept are first the items that a person has decided on, since somebody spent time on them (a corrected label, a
confirmed one, an unlabelled item that was added: additions count toward the cap), then those that come first in an
order that only the content and the project's seed decide. Items of equal content stand side by side in it.

Where items have several labels, an item that is held back is lost to its other classes, too. So of those that nobody
has decided on the ones with rare labels are kept first, and no cap leaves another class with fewer items than the cap
keeps, or than that class's own cap if that is lower: a class that is smaller loses nothing, and the capped class may
stay above its cap. See `diagnostics.class_caps`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from curation.class_list import ClassList, listed
from curation.database import class_caps, reading, writing
from curation.decisions import log
from curation.project import Project
from diagnostics.class_caps import leave_out, rarest_other
from diagnostics.errors import ClassError
from diagnostics.label_kinds import space_of
from diagnostics.label_space import LabelSpace
from diagnostics.task import NO_LABEL, BoolArray, IntArray, Task

CHANGE, UNDO = "change", "undo"
CAP_COLUMNS = ("class", "keep", "items", "held_back", "other_labels", "reason", "annotator", "at")


@dataclass(frozen=True, slots=True)
class CapChange:
    """One line of the log.

    kind : CHANGE, or UNDO of the last change that stands
    key : the class; keep : at most so many of its train items are trained on from then on, None = all
    reason : why, for people: an experiment's id or a sentence
    """

    number: int
    kind: str
    key: str
    keep: int | None
    reason: str
    annotator: str
    at: datetime


FIELDS = tuple(field.name for field in fields(CapChange))


def set_cap(
    project: Project, name: str, keep: int, *, annotator: str, now: datetime, reason: str = ""
) -> CapChange:
    """Train on at most `keep` train items of a class from now on.

    raises : ClassError if there is no such class, or `keep` is not at least 1
    """
    if keep < 1:
        raise ClassError(
            f"A cap keeps at least 1 train item of a class; found {keep}. To train without a class, merge it."
        )
    return _append(project, name, keep, annotator=annotator, now=now, reason=reason)


def lift_cap(project: Project, name: str, *, annotator: str, now: datetime, reason: str = "") -> CapChange:
    """Train on all items of a class again.

    raises : ClassError if there is no such class, or it has no cap
    """
    if _key_of(project.classes, name) not in caps_at(project):
        raise ClassError(f"`{name}` has no cap to lift.")
    return _append(project, name, None, annotator=annotator, now=now, reason=reason)


def undo_cap(project: Project, *, annotator: str, now: datetime, expected: int | None = None) -> CapChange:
    """Take back the last change of the caps that stands, whoever made it; returns that change.

    expected : the number of the change that the person saw; None = do not check
    raises : ClassError if there is none, or it is another one by now
    """
    who = _checked(annotator)
    with writing(project.engine) as connection:
        log.take_head(connection)
        changes = _changes(connection)
        undone = _last_standing(changes)
        if undone is None:
            raise ClassError("There is no change of the caps to take back.")
        if expected is not None and undone.number != expected:
            raise ClassError("Someone has changed the caps since. Look at the last change again.")
        before = [change for change in _standing(changes) if change.key == undone.key][:-1]
        keep = before[-1].keep if before else None
        _insert(connection, CapChange(len(changes) + 1, UNDO, undone.key, keep, "", who, now))
    return undone


def caps_at(project: Project, number: int | None = None) -> dict[str, int]:
    """The caps in force after change `number` of them, by class key; as of now if not given. 0 = none yet.

    raises : ClassError if there is no such change
    """
    changes = list_cap_changes(project)
    if number is not None and not 0 <= number <= len(changes):
        raise ClassError(
            f"There is no change {number} of the caps; the project has {len(changes)}. "
            "If its database came from a backup, restore the runs from the same one."
        )
    holding = {change.key: change.keep for change in changes[:number]}
    return {key: keep for key, keep in holding.items() if keep is not None}


def n_cap_changes(project: Project) -> int:
    """The number of the last change of the caps; 0 before the first."""
    with reading(project.engine) as connection:
        return connection.execute(sa.select(sa.func.max(class_caps.c.number))).scalar() or 0


def list_cap_changes(project: Project) -> list[CapChange]:
    """Every change of the caps, in order."""
    with reading(project.engine) as connection:
        return _changes(connection)


def last_cap_change(project: Project) -> CapChange | None:
    """The change that an undo would take back, None if there is none."""
    return _last_standing(list_cap_changes(project))


def described(project: Project, change: CapChange) -> str:
    """A change in words, with the class's present name.

    The class is named as now, also one that has since been merged into another.
    """
    name = project.classes.name_of(change.key)
    if change.keep is None:
        return f"train on all items of `{name}`"
    return f"train on at most {change.keep:,} items of `{name}`"


def held_back(
    items: pd.DataFrame, decided: BoolArray, caps: Mapping[str, int], *, task: Task, seed: int
) -> BoolArray:
    """(n_items,) the labelled train items that are not trained on.

    items : columns item_id, split, label, content_hash
    decided : (n_items,), a person has decided on the item
    caps : by class name the number of train items to keep; one after the other, by name

    >>> items = pd.DataFrame({"item_id": ["a", "b"], "split": "train", "label": "cat", "content_hash": ["x", "y"]})
    >>> task = Task("image", "single", ("cat", "dog"))
    >>> held_back(items, np.array([False, True]), {"cat": 1}, task=task, seed=0)
    array([ True, False])
    """
    held = np.zeros(len(items), dtype=np.bool_)
    if not caps:
        return held
    space = space_of(task, items["label"])
    codes = space.codes(items["label"])
    limits = np.array([caps.get(name, len(items)) for name in space.classes])
    is_train = (items["split"] == "train").to_numpy() & (codes != NO_LABEL)
    for name in sorted(caps):
        left = np.flatnonzero(is_train & ~held)
        place = space.classes.index(name)
        order = _order(items.iloc[left], decided[left], space, codes[left], place, limits, seed)
        n_above = max(0, len(order) - caps[name])
        floors = np.minimum(limits, caps[name])
        held[left[leave_out(space, codes[left], order, place, n=n_above, floors=floors)]] = True
    return held


def _order(
    items: pd.DataFrame,
    decided: BoolArray,
    space: LabelSpace,
    codes: IntArray,
    place: int,
    limits: IntArray,
    seed: int,
) -> list[list[int]]:
    """The positions of the items of a class, each by itself, those first that are to be held back first."""
    n_items = space.by_class(np.bincount(codes, minlength=len(space)))
    rarest = rarest_other(space, codes, place, leaving=np.flatnonzero(n_items > limits).tolist())
    ids, contents = items["item_id"].tolist(), items["content_hash"].tolist()
    kept_first = sorted(
        np.flatnonzero(space.has(codes, place)).tolist(),
        key=lambda row: (not decided[row], rarest[row], _turn(contents[row], seed), ids[row]),
    )
    return [[row] for row in reversed(kept_first)]


def named_caps(project: Project, classes: ClassList, number: int) -> dict[str, int]:
    """The caps after a change of them, by the names in `classes`; a cap on a class that is merged away ends with it."""
    caps = caps_at(project, number)
    return {classes.shown[key]: keep for key, keep in caps.items() if classes.root(key) == key}


def with_caps(fingerprint: str, caps: Mapping[str, int]) -> str:
    """The fingerprint of a dataset version under these caps; its own if there are none."""
    if not caps:
        return fingerprint
    return hashlib.sha256((fingerprint + json.dumps(sorted(caps.items()))).encode()).hexdigest()


def cap_table(project: Project, items: pd.DataFrame) -> pd.DataFrame:
    """The caps in force, CAP_COLUMNS.

    items : as `curation.rounds.training_items` gives them now; `items` and `held_back` count train items of the class,
        `other_labels` what else those that are held back have
    """
    standing = {change.key: change for change in _standing(list_cap_changes(project))}
    counted, members = project.label_kind.counted, project.label_kind.members
    named = named_caps(project, project.classes, n_cap_changes(project))
    train = items[(items["split"] == "train") & items["label"].notna()]
    rows = []
    for name, keep in named.items():
        change = standing[str(project.classes.key_of(name))]
        held = train["label"][train["held_back"]]
        of_class = held[[name in members(label) for label in held]]
        n_others = sum(counted(of_class).values()) - len(of_class)
        n_items = counted(train["label"]).get(name, 0)
        who = (change.reason, change.annotator, change.at)
        rows.append((name, keep, n_items, len(of_class), n_others, *who))
    return pd.DataFrame(rows, columns=list(CAP_COLUMNS))


# ------------------------------------------------------------ rows


def _append(
    project: Project, name: str, keep: int | None, *, annotator: str, now: datetime, reason: str
) -> CapChange:
    who = _checked(annotator)
    with writing(project.engine) as connection:
        log.take_head(connection)
        key = _key_of(project.class_log.now(connection), name)
        number = len(_changes(connection)) + 1
        change = CapChange(number, CHANGE, key, keep, reason.strip(), who, now)
        _insert(connection, change)
    return change


def _insert(connection: Connection, change: CapChange) -> None:
    connection.execute(class_caps.insert(), asdict(change))


def _changes(connection: Connection) -> list[CapChange]:
    columns = [class_caps.c[name] for name in FIELDS]
    rows = connection.execute(sa.select(*columns).order_by(class_caps.c.number))
    return [CapChange(*row) for row in rows]


def _standing(changes: Sequence[CapChange]) -> list[CapChange]:
    """The changes that are not taken back, in order: each undo takes back the last one that stands before it."""
    pile: list[CapChange] = []
    for change in changes:
        if change.kind == UNDO:
            pile.pop()
        else:
            pile.append(change)
    return pile


def _last_standing(changes: Sequence[CapChange]) -> CapChange | None:
    pile = _standing(changes)
    return pile[-1] if pile else None


def _key_of(classes: ClassList, name: str) -> str:
    key = classes.key_of(name)
    if key is None:
        raise ClassError(f"There is no class `{name}`. The classes are: {listed(classes.names)}.")
    return key


def _checked(annotator: str) -> str:
    if not annotator.strip():
        raise ClassError("Every change of the caps names who made it; the annotator is empty.")
    return annotator.strip()


def _turn(content: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{content}".encode()).hexdigest()
