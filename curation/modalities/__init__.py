"""One entry for each kind of item: how it is taken in, checked, searched, trained on and exported.

A new modality is a module with a `Modality` and a place in MODALITIES.
"""

from curation.dataset.sources import Opened, Source
from curation.modalities.image import IMAGE
from curation.modalities.modality import Asked, Modality
from curation.modalities.tabular import TABULAR
from curation.modalities.text import TEXT
from curation.spreadsheet import read_manifest
from diagnostics.errors import DataError, ProjectError

MODALITIES: dict[str, Modality] = {
    modality.key: modality for modality in (IMAGE, TEXT, TABULAR)
}  # in the order in which they are asked whether a dataset is theirs


def modality_of(key: str) -> Modality:
    """The modality of this name.

    raises : ProjectError for one that there is no entry for
    """
    if key not in MODALITIES:
        raise ProjectError(f"Unknown modality {key!r}; this Winnow knows {', '.join(MODALITIES)}.")
    return MODALITIES[key]


def guess_modality(source: Source, opened: Opened, asked: Asked) -> tuple[str, str]:
    """What kind of items the main source holds, and why.

    raises : DataError if no modality can use it
    """
    if (key := _of_export(source)) in MODALITIES:
        return key, "it was exported from such a project"
    for modality in MODALITIES.values():
        if why := modality.claims(source, opened, asked):
            return modality.key, why
    raise DataError(
        f"{source.path} holds nothing that Winnow can use: images, .txt files, or a table with texts or features. "
        "Say what it is with --modality."
    )


def _of_export(source: Source) -> str:
    """The modality that the manifest beside an export names; "" if there is none."""
    return str(read_manifest(source.path).get("modality", ""))
