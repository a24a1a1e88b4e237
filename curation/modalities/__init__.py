"""One entry for each kind of item: how it is taken in, checked, searched, trained on and exported.

A new modality is a module with a `Modality` and a place in MODALITIES.
"""

from curation.modalities.image import IMAGE
from curation.modalities.modality import Modality
from diagnostics.errors import ProjectError

MODALITIES: dict[str, Modality] = {modality.key: modality for modality in (IMAGE,)}


def modality_of(key: str) -> Modality:
    """The modality of this name.

    raises : ProjectError for one that there is no entry for
    """
    if key not in MODALITIES:
        raise ProjectError(f"Unknown modality {key!r}; this Winnow knows {', '.join(MODALITIES)}.")
    return MODALITIES[key]
