"""One file a kind of label: how many of the classes an item has, and all that follows from it."""

from diagnostics.errors import DataError
from diagnostics.label_kinds.kind import LabelKind
from diagnostics.label_kinds.multi import SeveralLabels
from diagnostics.label_kinds.single import OneLabel
from diagnostics.label_space import LabelSpace, Texts
from diagnostics.task import Task

LABEL_KINDS: dict[str, LabelKind] = {kind.key: kind for kind in (OneLabel(), SeveralLabels())}


def label_kind_of(key: str) -> LabelKind:
    """The kind of label with this key. raises : DataError naming the kinds that there are"""
    if key not in LABEL_KINDS:
        raise DataError(f"Labels can be {', '.join(LABEL_KINDS)}; found {key!r}.")
    return LABEL_KINDS[key]


def space_of(task: Task, texts: Texts) -> LabelSpace:
    """What the labels of this task can be, those of these texts among them."""
    return label_kind_of(task.label_kind).space(task.classes, texts)
