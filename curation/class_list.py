"""The classes as people have named, added and merged them: a frozen list, and the changes that fold into it.

A class has a key that never changes: the name that it has in the source, or the name it got when it was added (with a
number behind it if that is a key already). Items, decisions and events keep keys, and of items with several labels the
text of a set of keys. What is shown, counted, exported and trained on are names as of now, so a change of the classes
rewrites nothing and decides no item.

Changes are one pile for the whole project: an undo takes back the last one that stands, whoever made it, and is itself
appended.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Final, Literal

from curation.label_kinds.kind import LabelKind
from curation.label_kinds.single import ONE_LABEL
from diagnostics.errors import ClassError

Kind = Literal["add", "rename", "merge", "undo"]
ADD: Final = "add"
RENAME: Final = "rename"
MERGE: Final = "merge"
UNDO: Final = "undo"

MAX_NAME = 200
MIN_CLASSES = 2
CONTROL = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class ClassEdit:
    """What a person asks for, in names as of now.

    name : of the class to add, to rename or to merge away
    to : its new name, or the class that it is merged into; None for an add
    """

    kind: Literal["add", "rename", "merge"]
    name: str
    to: str | None = None

    def __str__(self) -> str:
        words = {ADD: "add `{}`", RENAME: "rename `{}` to `{}`", MERGE: "merge `{}` into `{}`"}
        return words[self.kind].format(self.name, self.to)


@dataclass(frozen=True, slots=True)
class ClassChange:
    """One line of the log of class changes.

    key : the class that is added, renamed or merged away; None for an undo
    name : of an add or a rename, the name from then on
    into : of a merge, the key of the class it goes into
    target : of an undo, the number of the change that it takes back
    """

    number: int
    kind: Kind
    annotator: str
    at: datetime
    key: str | None = None
    name: str | None = None
    into: str | None = None
    target: int | None = None


@dataclass(frozen=True)
class ClassList:
    """The classes at one moment. Two are equal if they have the same classes under the same names.

    keys : of every class in its fixed place: those of the source, then those added
    own_names : (n_keys,), each key's own name, also that of a class that is merged into another
    merged : (key, key it was merged into) of each class that is merged away
    number : of the last change that is folded in, 0 = none
    former : (name, key) of every name that was ever borne, later ones last
    kind : how many of the classes an item has, and so what a label is

    Where a label is a set of classes, what is said here of a key or a name holds for the text of such a set, too.
    """

    keys: tuple[str, ...]
    own_names: tuple[str, ...]
    merged: tuple[tuple[str, str], ...] = ()
    number: int = field(default=0, compare=False)
    former: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    kind: LabelKind = field(default=ONE_LABEL, compare=False)

    @classmethod
    def of_source(cls, names: Sequence[str], kind: LabelKind = ONE_LABEL) -> "ClassList":
        """The classes as the source has them."""
        return cls(tuple(names), tuple(names), kind=kind)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the classes that there are, in their places."""
        gone = self._into
        return tuple(name for key, name in zip(self.keys, self.own_names, strict=True) if key not in gone)

    @cached_property
    def is_plain(self) -> bool:
        """Whether every key is shown as it is, so that there is nothing to translate."""
        return not self.merged and self.keys == self.own_names

    @cached_property
    def shown(self) -> dict[str, str]:
        """The name that each key is shown, counted and exported under."""
        own = dict(zip(self.keys, self.own_names, strict=True))
        return {key: own[self.root(key)] for key in self.keys}

    def root(self, key: str) -> str:
        """The key of the class that this one is merged into, at the end of the chain; itself if it is not merged."""
        while key in self._into:
            key = self._into[key]
        return key

    def name_of(self, key: str | None) -> str | None:
        """The name that a key is shown under; None stays None.

        raises : KeyError for an unknown key
        """
        if key is None or key in self.shown:
            return None if key is None else self.shown[key]
        return self.kind.text([self.shown[member] for member in self.kind.members(key)], self.names)

    def labels_as(self, labels: Iterable[str], names: Mapping[str, str]) -> list[str]:
        """Labels of which each class has one of the present names; names : by class"""
        return [
            self.kind.text([names[member] for member in self.kind.members(label)], self.names)
            for label in labels
        ]

    def names_of(self, keys: Iterable[str]) -> dict[str, str]:
        """The name that each of these is shown under."""
        return {key: str(self.name_of(key)) for key in keys}

    def key_of(self, name: str) -> str | None:
        """The key of the class that has this name; failing that, of the one it belongs to that had it. None if no class
        ever had it.

        A page or a file from before a rename or a merge so still means the right class.
        """
        key = self._by_name.get(name)
        if key is not None:
            return self.root(key)
        return self.key_near(name, ())

    def key_near(self, name: str, near: Iterable[str | None]) -> str | None:
        """As `key_of`; where several keys have a name, those are meant that are in the first of these labels with one.

        near : labels in keys
        """
        labels = [self.kind.members(label) for label in near if label is not None]
        keys: list[str] = []
        for member in self.kind.members(name):
            called = ([key for key in label if self.shown[key] == member] for label in labels)
            known = self._by_name.get(member)
            found = next(filter(None, called), [] if known is None else [self.root(known)])
            if not found:
                return None
            keys += found
        return self.kind.text(keys, self.keys)

    def current(self, name: str) -> str | None:
        """The present name of the class that has or had this name, None if there is none."""
        return self.name_of(self.key_of(name))

    @cached_property
    def former_names(self) -> dict[str, str]:
        """The present name for every name that is no class any more but was one."""
        names = set(self.names)
        return {name: self.shown[self.root(key)] for name, key in self._by_name.items() if name not in names}

    @cached_property
    def _into(self) -> dict[str, str]:
        return dict(self.merged)

    @cached_property
    def _by_name(self) -> dict[str, str]:
        own = list(zip(self.own_names, self.keys, strict=True))
        gone = [(name, key) for name, key in own if key in self._into]
        live = [(name, key) for name, key in own if key not in self._into]
        known = set(self.keys)
        return dict([*((name, key) for name, key in self.former if key in known), *gone, *live])


def fold(source: Sequence[str], changes: Iterable[ClassChange], kind: LabelKind = ONE_LABEL) -> ClassList:
    """The classes after these changes, in order from the first."""
    log = list(changes)
    classes = ClassList.of_source(source, kind)
    for change in standing(log):
        classes = _after(classes, change)
    borne = [
        (change.name, change.key) for change in log if change.name is not None and change.key is not None
    ]
    former = (*zip(source, source, strict=True), *borne)
    return replace(classes, number=log[-1].number if log else 0, former=former)


def standing(changes: Iterable[ClassChange]) -> list[ClassChange]:
    """The changes that are not taken back, in order."""
    pile: dict[int, ClassChange] = {}
    for change in changes:
        if change.kind == UNDO:
            pile.pop(change.target or 0)
        else:
            pile[change.number] = change
    return list(pile.values())


def change_of(
    classes: ClassList, edit: ClassEdit, *, number: int, annotator: str, now: datetime
) -> ClassChange:
    """The change that an edit makes of these classes.

    raises : ClassError saying why it cannot be made and what to do
    """
    who = annotator.strip()
    if not who:
        raise ClassError("Every change of the classes names who made it; the annotator is empty.")
    change = ClassChange(number, edit.kind, who, now)
    if edit.kind == ADD:
        name = checked_name(edit.name, classes)
        return replace(change, key=_free_key(name, classes.keys), name=name)
    key = _live_key(edit.name, classes)
    if edit.to is None:
        raise ClassError(f"A {edit.kind} of {_said(edit.name)} needs a second name.")
    if edit.kind == RENAME:
        return replace(change, key=key, name=checked_name(edit.to, classes, renamed=key))
    into = _live_key(edit.to, classes)
    if into == key:
        raise ClassError(f"{_said(edit.name)} cannot be merged into itself. Name two different classes.")
    if len(classes.names) <= MIN_CLASSES:
        raise ClassError(
            f"There are only {len(classes.names)} classes; merging would leave nothing to tell apart. "
            "Add a class first."
        )
    return replace(change, key=key, into=into)


def checked_name(name: str, classes: ClassList, *, renamed: str | None = None) -> str:
    """The name without blanks around it, if a class may have it.

    renamed : the key of the class that is to get the name; None for a new class
    raises : ClassError
    """
    name = name.strip()
    if not name:
        raise ClassError("A class needs a name; found an empty one.")
    if len(name) > MAX_NAME:
        raise ClassError(f"A class name has at most {MAX_NAME} characters; found {len(name)}. Shorten it.")
    if any(unicodedata.category(char) in CONTROL or char in TURNING for char in name):
        raise ClassError(
            f"The class name {name!r} has control characters (line breaks, tabs, marks that turn text around). "
            "Leave them out."
        )
    if why := classes.kind.wrong_name(name):
        raise ClassError(f"A class cannot be called {_said(name)}: {why}. Choose another name.")
    own = classes.shown[renamed] if renamed is not None else None
    if name == own:
        raise ClassError(f"{_said(name)} has this name already.")
    others = [other for other in classes.names if other != own]
    if name in others:
        merge = "" if own is None else f" To make one of the two, merge {_said(own)} into {_said(name)}."
        raise ClassError(f"There is a class {_said(name)} already.{merge}")
    near = next((other for other in others if _plain_form(other) == _plain_form(name)), None)
    if near is not None:
        raise ClassError(
            f"{_said(name)} differs from the class {_said(near)} only by case or blanks. "
            f"Use {_said(near)}, or choose a clearly different name."
        )
    return name


def _after(classes: ClassList, change: ClassChange) -> ClassList:
    key, name = str(change.key), str(change.name)
    if change.kind == ADD:
        return replace(classes, keys=(*classes.keys, key), own_names=(*classes.own_names, name))
    if change.kind == RENAME:
        pairs = zip(classes.keys, classes.own_names, strict=True)
        return replace(classes, own_names=tuple(name if known == key else own for known, own in pairs))
    return replace(classes, merged=(*classes.merged, (key, str(change.into))))


def _live_key(name: str, classes: ClassList) -> str:
    key = classes.key_of(name)
    if key in classes.shown and classes.shown[key] == name:
        return key
    if key in classes.shown:
        raise ClassError(f"There is no class {_said(name)} any more; it is now {_said(classes.shown[key])}.")
    raise ClassError(f"There is no class {_said(name)}. The classes are: {listed(classes.names)}.")


def listed(names: Sequence[str], *, at_most: int = 20) -> str:
    """Names with commas, the first `at_most` of them."""
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def _free_key(name: str, keys: Sequence[str]) -> str:
    taken, key, number = set(keys), name, 2
    while key in taken:
        key, number = f"{name} ({number})", number + 1
    return key


def _plain_form(name: str) -> str:
    """What is left of a name without case, blanks and ways of writing the same characters."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _said(name: str) -> str:
    return f"`{name}`"
