"""The card of a table row: its values, those that say most about its label first, and which of them are unusual."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from curation.cards.card import CardKind, CardRequest, Part

FEATURE = "feature:"
N_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a row.

    value : as it is shown; None = missing
    effect : in [-1, 1], above 0 speaks for the label; None where the run says nothing of this row
    unusual : why the value is unusual among rows of its label, "" if it is not
    """

    name: str
    value: str | None
    effect: float | None
    unusual: str


@dataclass(frozen=True, slots=True)
class RowCard:
    """cells : the first of the row's `n_cells` values, most important first
    explained : the run says which values are important; else they stand as in the source
    about : the label that the effects are about, None without them or if it must not be told
    blind : nothing that tells the label is on the card
    """

    cells: Sequence[Cell]
    n_cells: int
    explained: bool
    about: str | None
    blind: bool


def _make(request: CardRequest) -> list[RowCard]:
    names = [str(name) for name in request.project.items.columns if str(name).startswith(FEATURE)]
    values = request.columns(names).rename(columns=lambda name: str(name).removeprefix(FEATURE))
    return [
        _card(record, parts, request.feature_names, label, hidden, whole=request.whole)
        for record, parts, label, hidden in zip(
            values.to_dict("records"), request.parts, request.labels, request.hidden.tolist(), strict=True
        )
    ]


def _card(
    record: dict[Hashable, Any],
    parts: Sequence[Part] | None,
    feature_names: tuple[str, ...],
    label: str | None,
    hidden: bool,
    *,
    whole: bool,
) -> RowCard:
    effects = {feature_names[place]: effect for place, _, effect in parts or ()}
    names = sorted(map(str, record), key=lambda name: -abs(effects.get(name, 0.0)))
    shown = names if whole else names[:N_SHOWN]
    cells = [
        Cell(name, value_text(record[name]), None if parts is None else round(effects.get(name, 0.0), 3), "")
        for name in shown
    ]
    return RowCard(cells, len(names), parts is not None, label if parts is not None else None, hidden)


def value_text(value: Any) -> str | None:
    """A value as people read it; None if it is missing.

    >>> value_text(3.0), value_text(0.123456), value_text(1234.5678), value_text(None), value_text("a")
    ('3', '0.1235', '1234.6', None, 'a')
    >>> value_text(pd.Timestamp("2026-11-01"))
    '2026-11-01'
    """
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else value.isoformat(" ", timespec="minutes")
    if not isinstance(value, float):
        return str(value)
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.1f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


TABULAR = CardKind("row", "value", _make)
