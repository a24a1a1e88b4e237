"""The card of a table row: its values, those that say most about its label first, and which of them are unusual."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from curation.cards.card import CardKind, CardRequest, Labels
from curation.derived_files import derived_folder, stamp_of
from curation.project import Project
from curation.run_classes import names_now
from curation.run_table import run_table
from diagnostics.errors import ProjectError
from diagnostics.rows.unusual import (
    ClassValues,
    class_values,
    read_class_values,
    unusual_values,
    write_class_values,
)
from diagnostics.run_folder import INFO_FILE
from diagnostics.task import FEATURE_PREFIX, SPLITS

N_SHOWN = 8
MAX_KEPT = 2


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
    explained : the run says which values are important; else they stand as in the source, unusual ones first
    about : the label that the effects are about, None without effects or if it must not be told
    say_about : the card has to name it, because it does not go without saying
    run_id : of the run that says which values are important, None without effects
    blind : nothing that tells the label is on the card
    """

    cells: Sequence[Cell]
    n_cells: int
    explained: bool
    about: str | None
    say_about: bool
    run_id: str | None
    blind: bool


def _make(request: CardRequest) -> list[RowCard]:
    names = [str(name) for name in request.project.items.columns if str(name).startswith(FEATURE_PREFIX)]
    values = request.columns(names).rename(columns=lambda name: str(name).removeprefix(FEATURE_PREFIX))
    said = request.explained()
    cards = []
    for record, parts, unusual, about, say_about, hidden in zip(
        values.to_dict("records"),
        said.parts,
        _unusual(request, said.labels),
        said.about,
        said.say_about,
        request.hidden.tolist(),
        strict=True,
    ):
        effects = None if parts is None else {said.feature_names[place]: effect for place, _, effect in parts}
        cells = _cells(record, effects, unusual, at_most=len(record) if request.whole else N_SHOWN)
        if effects is None:
            cards.append(RowCard(cells, len(record), False, None, False, None, hidden))
        else:
            cards.append(RowCard(cells, len(record), True, about, say_about, said.run_id, hidden))
    return cards


def _cells(
    record: Mapping[Hashable, Any],
    effects: Mapping[str, float] | None,
    unusual: Mapping[str, str],
    *,
    at_most: int,
) -> list[Cell]:
    """The first values of a row, those with the largest effects first, of equal ones those that are unusual."""
    size = {name: abs(effect) for name, effect in (effects or {}).items()}
    names = sorted(map(str, record), key=lambda name: (-size.get(name, 0.0), name not in unusual))
    return [
        Cell(
            name=name,
            value=value_text(record[name]),
            effect=None if effects is None else round(effects.get(name, 0.0), 3),
            unusual=unusual.get(name, ""),
        )
        for name in names[:at_most]
    ]


def _unusual(request: CardRequest, labels: Labels) -> list[dict[str, str]]:
    """What is unusual about each row among the training rows of its label, by feature; nothing without a run."""
    if request.table is None:
        return [{} for _ in request.rows]
    project, table = request.project, request.table
    choices = project.modality.training_choices(project.folder)
    names = tuple(names_now(project, table.run.info, project.classes))
    stamp = tuple(stamp_of(table.run.folder / INFO_FILE))
    counted = labels.copy()
    counted[project.item_index.split[request.rows] != SPLITS.index("train")] = None
    return unusual_values(
        _class_values(project, table.run.info.run_id, stamp, names, choices),
        _content(project, choices).iloc[request.rows],
        labels.tolist(),
        counted_labels=counted.tolist(),
    )


@lru_cache(maxsize=MAX_KEPT)
def _content(project: Project, _choices: str) -> pd.DataFrame:
    """The features in the kinds in which models read them, as people chose them."""
    return project.training_content()


@lru_cache(maxsize=MAX_KEPT)
def _class_values(
    project: Project, run_id: str, stamp: tuple[int, ...], names: tuple[str, ...], choices: str
) -> ClassValues:
    """What values the training rows of each class have, by the labels of a run; kept in the cache folder.

    stamp : of the run, see `stamp_of`; names : the present name of each of the run's classes
    """

    def build(folder: Path) -> None:
        table = run_table(project, run_id)
        rows = np.flatnonzero(table.index.codes["split"] == SPLITS.index("train")).astype(np.int32)
        shown = table.in_classes(names, project.classes)
        items = _content(project, choices).iloc[table.index.item_rows[rows]]
        write_class_values(folder, class_values(items, shown.given(rows).astype(np.int64), shown.labels))

    source = {"run": run_id, "stamp": stamp, "names": names, "choices": choices}
    values = read_class_values(derived_folder(project.cache_dir, "class_values", source, build))
    if values is None:
        raise ProjectError(
            f"What values the classes of {project.info.name} have was kept by a newer Winnow. Remove "
            f"{project.cache_dir / 'class_values'}-… and open the page again."
        )
    return values


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


TABULAR = CardKind("row", "row", _make)
