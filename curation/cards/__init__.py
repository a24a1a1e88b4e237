"""One entry for each kind of item: what is shown of it where items are looked at.

A new modality is a module with a `CardKind` and a line in CARDS.
"""

from collections.abc import Sequence

import numpy as np

from curation.cards.card import CardKind, CardRequest
from curation.cards.image import IMAGE
from curation.cards.tabular import TABULAR
from curation.cards.text import TEXT
from curation.project import Project
from curation.run_table import run_table
from diagnostics.errors import DecisionError, ProjectError
from diagnostics.task import BoolArray

CARDS: dict[str, CardKind] = {"image": IMAGE, "text": TEXT, "tabular": TABULAR}


def card_kind(project: Project) -> CardKind:
    """How the items of a project are shown."""
    return CARDS[project.info.modality]


def item_cards(
    project: Project,
    run_id: str | None,
    item_ids: Sequence[str],
    *,
    hidden: BoolArray | None = None,
    search: str = "",
    whole: bool = False,
) -> Sequence[object]:
    """One card an item, of the kind that the project's items have; a dataclass whose fields are JSON values.

    run_id : whose explanations are shown; None = none, so that cards can be had before the first run
    hidden : (n_items,), which of them are to be decided blind
    search : what the items were searched for: a cut text is cut around it
    whole : nothing is left out
    raises : DecisionError for an unknown item; ProjectError if the items are shown as pictures; RunError if there is no
        such run
    """
    kind = card_kind(project)
    if kind.make is None:
        raise ProjectError("The items of this project are shown as pictures: they have no other cards.")
    rows = project.item_index.rows_of(list(item_ids))
    if (rows < 0).any():
        unknown = item_ids[int(np.argmax(rows < 0))]
        raise DecisionError(f"{unknown}: no such item in {project.info.name}.")
    hidden = np.zeros(len(rows), dtype=np.bool_) if hidden is None else hidden
    table = None if run_id is None else run_table(project, run_id)
    return kind.make(CardRequest(project, rows, table, hidden, search=search, whole=whole))
