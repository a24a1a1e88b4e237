"""Add, rename and merge the classes of a project, look at the counts before, and take the last change back."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from curation import class_log
from curation.class_list import (
    ADD,
    MERGE,
    RENAME,
    UNDO,
    ClassChange,
    ClassEdit,
    ClassList,
    change_of,
    listed,
    standing,
)
from curation.database import events, item_states, reading, writing
from curation.decisions import log
from curation.decisions.events import ADDED, LABEL_WRONG, STATUS_OF
from curation.label_kinds.kind import Members
from curation.project import Project
from curation.run_classes import names_now
from curation.run_folders import list_partial_runs, list_runs
from diagnostics.errors import ClassError
from diagnostics.task import SPLITS

CLASS_COLUMNS = ("name", "key", *SPLITS, "given", "decisions")


@dataclass(frozen=True, slots=True)
class ClassPreview:
    """What an edit would touch; nothing is changed yet.

    key : of the class that is added, renamed or merged away
    given, present : by split, how many items have the class as the label that the source gave, and as their label now;
        excluded items count with the label they had, unlabelled ones that a person labelled are in train
    n_decisions : standing decisions whose label is the class
    runs : the finished runs that know it
    n_into : of a merge, how many items the other class has now
    n_agreeing : of a merge, decisions that say "not the one but the other" and will say what the given label says
    n_classes : that there are afterwards
    """

    edit: ClassEdit
    key: str
    given: Mapping[str, int]
    present: Mapping[str, int]
    n_decisions: int
    runs: tuple[str, ...]
    n_into: int
    n_agreeing: int
    n_classes: int

    @property
    def n_items(self) -> int:
        """How many items have the class as their label now."""
        return sum(self.present.values())

    def __str__(self) -> str:
        """In one or two sentences, what happens."""
        if self.edit.kind == ADD:
            return (
                f"`{self.edit.name}` becomes class {self.n_classes}, after the others; no item has it yet, and runs "
                "know it from the next training on."
            )
        facts = (
            f"{_n(self.n_items, 'item is', 'items are')} labelled `{self.edit.name}`{_by_split(self.present)}, "
            f"{_n(self.n_decisions, 'decision names', 'decisions name')} it; they become `{self.edit.to}`"
        )
        runs = f" {listed(self.runs, at_most=3)} will show it as `{self.edit.to}`." if self.runs else ""
        return facts + (self._merging() if self.edit.kind == MERGE else ".") + runs

    def _merging(self) -> str:
        agreeing = (
            f" {_n(self.n_agreeing, 'decision', 'decisions')} between the two will say what the given label says."
            if self.n_agreeing
            else ""
        )
        return (
            f", which then has {self.n_into + self.n_items:,}.{agreeing} "
            f"The next training has {self.n_classes} classes."
        )


def class_table(project: Project) -> pd.DataFrame:
    """The classes in their places: CLASS_COLUMNS.

    key : what the log keeps, mostly the name that the class has in the source
    train, val, test, unlabelled : items that have the label now, see `ClassPreview`; given : that the source gave it
    decisions : standing decisions whose label it is
    """
    classes = project.classes
    counts = _Counts.of(project, classes)
    keys = [str(classes.key_of(name)) for name in classes.names]
    columns = {
        "name": pd.Series(classes.names, dtype="object"),
        "key": pd.Series(keys, dtype="object"),
        **{split: [counts.present[name, split] for name in classes.names] for split in SPLITS},
        "given": [sum(counts.given_of(name).values()) for name in classes.names],
        "decisions": [counts.decisions[name] for name in classes.names],
    }
    return pd.DataFrame(columns, columns=list(CLASS_COLUMNS))


def preview(project: Project, edit: ClassEdit) -> ClassPreview:
    """What an edit would touch.

    raises : ClassError if `apply` would refuse it
    """
    classes = project.classes
    change = change_of(classes, edit, number=classes.number + 1, annotator="-", now=project.info.created_at)
    counts = _Counts.of(project, classes)
    is_new = edit.kind == ADD
    into = str(edit.to) if edit.kind == MERGE else None
    return ClassPreview(
        edit=ClassEdit(edit.kind, edit.name.strip(), edit.to.strip() if edit.to is not None else None),
        key=str(change.key),
        given={} if is_new else counts.given_of(edit.name),
        present={} if is_new else counts.present_of(edit.name),
        n_decisions=0 if is_new else counts.decisions[edit.name],
        runs=() if is_new else _runs_that_know(project, classes, edit.name),
        n_into=sum(counts.present_of(into).values()) if into is not None else 0,
        n_agreeing=counts.n_between(edit.name, into) if into is not None else 0,
        n_classes=len(classes.names) + {ADD: 1, RENAME: 0, MERGE: -1}[edit.kind],
    )


def apply(project: Project, edit: ClassEdit, *, annotator: str, now: datetime) -> ClassChange:
    """Make a change of the classes: one transaction, in force for every process once it returns.

    raises : ClassError saying why it cannot be made and what to do; then nothing was written
    """
    with writing(project.engine) as connection:
        log.take_head(connection)
        classes = project.class_log.now(connection)
        change = change_of(classes, edit, number=classes.number + 1, annotator=annotator, now=now)
        class_log.append(connection, change)
    return change


def last_change(project: Project) -> ClassChange | None:
    """The change that an undo would take back, None if there is none."""
    pile = standing(project.class_log.changes())
    return pile[-1] if pile else None


def undo_last(project: Project, *, annotator: str, now: datetime, expected: int | None = None) -> ClassChange:
    """Take back the last change that stands, whoever made it; returns that change.

    expected : the number of the change that the person saw; None = do not check
    raises : ClassError if there is none, if it is another one by now, or if it added a class that is in use
    """
    who = annotator.strip()
    if not who:
        raise ClassError("Every change of the classes names who made it; the annotator is empty.")
    with writing(project.engine) as connection:
        log.take_head(connection)
        changes = project.class_log.changes(connection)
        undone = _to_undo(changes)
        if expected is not None and undone.number != expected:
            raise ClassError("Someone has changed the classes since. Look at the last change again.")
        if undone.kind == ADD:
            _refuse_in_use(connection, project, undone)
        number = changes[-1].number + 1
        class_log.append(connection, ClassChange(number, UNDO, who, now, target=undone.number))
    return undone


def check_undo(project: Project) -> ClassChange:
    """The change that `undo_last` would take back.

    raises : ClassError if it would refuse to
    """
    with reading(project.engine) as connection:
        undone = _to_undo(project.class_log.changes(connection))
        if undone.kind == ADD:
            _refuse_in_use(connection, project, undone)
    return undone


def described(project: Project, change: ClassChange) -> str:
    """A change in words, with the names of just before it."""
    before = project.class_log.at(change.number - 1)
    if change.kind == UNDO:
        target = next(each for each in project.class_log.changes() if each.number == change.target)
        return f"undo: {described(project, target)}"
    if change.kind == ADD:
        return str(ClassEdit(ADD, str(change.name)))
    to = change.name if change.kind == RENAME else before.name_of(change.into)
    return str(ClassEdit(change.kind, str(before.name_of(change.key)), to))


# ------------------------------------------------------------ undo


def _to_undo(changes: list[ClassChange]) -> ClassChange:
    pile = standing(changes)
    if not pile:
        raise ClassError("There is no change of the classes to take back.")
    return pile[-1]


def _refuse_in_use(connection: Connection, project: Project, added: ClassChange) -> None:
    """Raise if an event or a run names the class that a change added: without the change it would have no name."""
    labels = sa.union(sa.select(events.c.new_label), sa.select(events.c.old_label))
    known = [text for text in connection.execute(labels).scalars() if text is not None]
    in_log = any(added.key in project.label_kind.members(text) for text in known)
    runs = [run.run_id for run in list_partial_runs(project) if run.class_change >= added.number]
    runs += [run.run_id for run in list_runs(project) if _class_change(run.dataset_version) >= added.number]
    if not in_log and not runs:
        return
    users = " and ".join([*(["decisions"] if in_log else []), *([listed(runs, at_most=3)] if runs else [])])
    raise ClassError(
        f"Adding `{added.name}` cannot be taken back: it is in use by {users}. Merge it into another class instead."
    )


def _class_change(dataset_version: Mapping[str, int | str]) -> int:
    return int(dataset_version.get("class_change", 0))


# ------------------------------------------------------------ counts


@dataclass(frozen=True, slots=True)
class _Counts:
    """How often each name occurs; an item counts for each of its classes.

    members : (label text) -> its classes
    given, present : items by (name, split), the label that the source gave and the label now
    decisions : standing decisions by the label they leave; wrong : those that say (not this, but that)
    """

    members: Members
    given: Counter[tuple[str, str]]
    present: Counter[tuple[str, str]]
    decisions: Counter[str]
    wrong: Counter[tuple[str, str]]

    @classmethod
    def of(cls, project: Project, classes: ClassList) -> "_Counts":
        """Counted from the source's counts, which are kept, and the decisions that stand: not from every item."""
        given: Counter[tuple[str, str]] = Counter()
        members = project.label_kind.members
        for label, row in project.given_counts.iterrows():
            for name in members(str(classes.name_of(label))) if isinstance(label, str) else ():
                given.update({(name, str(split)): int(n) for split, n in row.items()})
        counts = cls(members, given, Counter(given), Counter(), Counter())
        for (split, was, label, verdict), n in _standing(project, classes).items():
            counts._add(split, was, label, verdict, n)
        return counts

    def _add(self, split: str, was: str | None, label: str | None, verdict: str, n: int) -> None:
        had, has = (() if text is None else self.members(text) for text in (was, label))
        joins = split == "unlabelled" and STATUS_OF[verdict] == ADDED
        for name in had:
            self.present[name, split] -= n
        for name in has:
            self.present[name, "train" if joins else split] += n
            self.decisions[name] += n
        if verdict == LABEL_WRONG and was is not None and label is not None:
            self.wrong[was, label] += n

    def given_of(self, name: str) -> dict[str, int]:
        return {split: self.given[name, split] for split in SPLITS if self.given[name, split]}

    def present_of(self, name: str) -> dict[str, int]:
        return {split: self.present[name, split] for split in SPLITS if self.present[name, split]}

    def n_between(self, one: str, other: str) -> int:
        """Decisions between labels that are the same once the two classes are one."""

        def as_one(label: str) -> frozenset[str]:
            return frozenset(one if name == other else name for name in self.members(label))

        return sum(n for (was, label), n in self.wrong.items() if as_one(was) == as_one(label))


def _standing(project: Project, classes: ClassList) -> Counter[tuple[str, str | None, str | None, str]]:
    """How many standing decisions there are for each (split, given label, label, verdict); labels in names."""
    wanted = (item_states.c.item_id, item_states.c.given_label, item_states.c.label, item_states.c.verdict)
    with reading(project.engine) as connection:
        found = connection.execute(sa.select(*wanted).where(item_states.c.stands.is_not(None))).all()
    splits = project.items["split"].iloc[project.decisions.rows_of([row[0] for row in found])].tolist()
    counted = Counter((split, *row[1:]) for split, row in zip(splits, found, strict=True))
    named: Counter[tuple[str, str | None, str | None, str]] = Counter()
    for (split, was, label, verdict), n in counted.items():
        named[split, classes.name_of(was), classes.name_of(label), verdict] += n
    return named


def _runs_that_know(project: Project, classes: ClassList, name: str) -> tuple[str, ...]:
    return tuple(run.run_id for run in list_runs(project) if name in names_now(project, run, classes))


def _by_split(counts: Mapping[str, int]) -> str:
    parts = [f"{split} {n:,}" for split, n in counts.items()]
    return f" ({', '.join(parts)})" if len(parts) > 1 else ""


def _n(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
