"""Each item has one of the classes."""

from collections.abc import Sequence

from diagnostics.label_kinds.kind import LabelKind
from diagnostics.label_space import LabelSpace, Texts, single_space


def _space(classes: Sequence[str], texts: Texts) -> LabelSpace:
    return single_space(classes).with_texts(texts)


ONE_LABEL = LabelKind(key="single", space=_space)
