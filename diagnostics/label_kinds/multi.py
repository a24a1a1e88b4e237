"""Each item has any number of the classes, none among them."""

from diagnostics.label_kinds.kind import LabelKind
from diagnostics.label_space import set_space

SEVERAL_LABELS = LabelKind(key="multi", space=set_space)
