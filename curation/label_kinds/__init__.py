"""One file a kind of label: how many classes an item has, and what follows from it for a person's work on the data."""

from curation.label_kinds.kind import LabelKind
from curation.label_kinds.multi import SEVERAL_LABELS
from curation.label_kinds.single import ONE_LABEL
from diagnostics.errors import ProjectError

LABEL_KINDS: dict[str, LabelKind] = {kind.key: kind for kind in (ONE_LABEL, SEVERAL_LABELS)}


def label_kind_of(key: str) -> LabelKind:
    """The kind of label of this name.

    raises : ProjectError for one that there is no entry for
    """
    if key not in LABEL_KINDS:
        raise ProjectError(f"Unknown kind of label {key!r}; this Winnow knows {', '.join(LABEL_KINDS)}.")
    return LABEL_KINDS[key]
