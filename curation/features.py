"""Which columns of a table are features, and of what kind: guessed when the table is taken in, changed by people.

What is stored stays as it was read; a kind says how models are given it. So a kind can be changed back at any time,
and the next training uses it.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from curation.dataset.cells import as_names, known_cells, read_dates, read_numbers
from diagnostics.errors import ProjectError
from diagnostics.task import FEATURE_PREFIX, BoolArray

FORMAT_VERSION = 1
FEATURES_FILE = "features.json"
CONTINUOUS, CATEGORICAL, DATE, IGNORED = KINDS = ("continuous", "categorical", "date", "ignored")
LEAST_READABLE = 0.95
MAX_EXAMPLES = 3
TABLE_COLUMNS = ("name", "kind", "guessed", "values", "n_missing", "n_distinct", "why")


@dataclass(frozen=True, slots=True)
class Feature:
    """One column. kind : one of KINDS; guessed : the kind it was taken in as; why : why it was then ignored, or "" """

    name: str
    kind: str
    guessed: str
    why: str = ""


def features_json(features: Iterable[Feature]) -> str:
    """The text of FEATURES_FILE."""
    values = {"format_version": FORMAT_VERSION, "features": [asdict(feature) for feature in features]}
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def read_features(folder: Path) -> tuple[Feature, ...]:
    """The features of a project, in the order of the source.

    raises : ProjectError if the file cannot be read
    """
    path = folder / FEATURES_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        features = tuple(Feature(**fields) for fields in values["features"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProjectError(f"{path} cannot be read: {error}. Restore it from a backup.") from error
    strange = [feature.name for feature in features if feature.kind not in KINDS]
    if strange:
        raise ProjectError(
            f"{path}: the kind of {strange[0]!r} is none of {', '.join(KINDS)}. Correct the file."
        )
    return features


def edit_features(folder: Path, items: pd.DataFrame, kinds: Mapping[str, str]) -> tuple[Feature, ...]:
    """Change the kind of some columns, all or none; the next training uses it.

    items : the stored items; kinds : the new kind by column name
    raises : ProjectError if a column does not exist, its values do not allow the kind, or no feature would be left
    """
    features = read_features(folder)
    unknown = sorted(set(kinds) - {feature.name for feature in features})
    if unknown:
        raise ProjectError(
            f"There is no column {unknown[0]!r}; there are {', '.join(f.name for f in features)}."
        )
    edited = tuple(replace(feature, kind=kinds.get(feature.name, feature.kind)) for feature in features)
    for old, new in zip(features, edited, strict=True):
        if new.kind not in KINDS:
            raise ProjectError(f"{new.kind!r} is no kind of column; the kinds are {', '.join(KINDS)}.")
        if new.kind not in (old.kind, IGNORED):
            as_kind(items[FEATURE_PREFIX + new.name], new)
    if all(feature.kind == IGNORED for feature in edited):
        raise ProjectError("At least one column must be a feature; all would be ignored.")
    beside = folder / f".{FEATURES_FILE}.{os.getpid()}.partial"
    beside.write_text(features_json(edited), encoding="utf-8")
    beside.replace(folder / FEATURES_FILE)
    return edited


def used_features(items: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The columns that models read, "feature:" + name, in the kinds that they have now: float64, str or datetime64."""
    columns = {
        FEATURE_PREFIX + feature.name: as_kind(items[FEATURE_PREFIX + feature.name], feature)
        for feature in read_features(folder)
        if feature.kind != IGNORED
    }
    return pd.DataFrame(columns, index=items.index)


def choices(folder: Path) -> str:
    """The kinds that people changed, "" if they changed none."""
    changed = {
        feature.name: feature.kind for feature in read_features(folder) if feature.kind != feature.guessed
    }
    return json.dumps(changed, sort_keys=True, ensure_ascii=False) if changed else ""


def as_kind(column: pd.Series, feature: Feature) -> pd.Series:
    """The stored values of a column as its kind wants them; null or NaN where there is none.

    raises : ProjectError if more than a few values cannot be read so
    """
    return _CONVERTERS[feature.kind](column, feature)


def _continuous(column: pd.Series, feature: Feature) -> pd.Series:
    if pd.api.types.is_float_dtype(column):
        return column
    known = known_cells(as_names(column))
    numbers = read_numbers(known)
    _refuse_unreadable(known, numbers.unreadable, feature, "numbers")
    return pd.Series(numbers.values, index=column.index)


def _categorical(column: pd.Series, feature: Feature) -> pd.Series:
    return as_names(column)


def _date(column: pd.Series, feature: Feature) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    known = known_cells(as_names(column))
    dates = read_dates(known, compact=True)
    if len(dates.fits) > 1:
        raise ProjectError(
            f"Column {feature.name!r} cannot be read as dates: both {' and '.join(dates.fits)} fit. "
            "Write the dates as year-month-day in the source."
        )
    _refuse_unreadable(known, dates.unreadable, feature, "dates")
    return dates.values


_CONVERTERS = {CONTINUOUS: _continuous, CATEGORICAL: _categorical, DATE: _date}


def _refuse_unreadable(known: pd.Series, unreadable: BoolArray, feature: Feature, wanted: str) -> None:
    n_known = int(known.notna().sum())
    n_bad = int(np.count_nonzero(unreadable))
    if n_known == 0 or n_bad > (1 - LEAST_READABLE) * n_known:
        shown = ", ".join(repr(value) for value in known[unreadable].unique()[:MAX_EXAMPLES])
        raise ProjectError(
            f"Column {feature.name!r} cannot be {feature.kind}: {n_bad} of its {n_known} values are no {wanted}"
            + (f", such as {shown}." if shown else ".")
        )


def feature_table(items: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """What people see of the columns, one a row: TABLE_COLUMNS.

    values : the range of a continuous column or a date, the commonest names of a categorical one
    """
    rows = []
    for feature in read_features(folder):
        column = items[FEATURE_PREFIX + feature.name]
        rows.append(
            asdict(feature)
            | {
                "values": _summary(column),
                "n_missing": int(column.isna().sum()),
                "n_distinct": int(column.nunique()),
            }
        )
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def _summary(column: pd.Series) -> str:
    known = column.dropna()
    if known.empty:
        return "nothing but missing values"
    if pd.api.types.is_float_dtype(column):
        return f"{known.min():g} to {known.max():g}"
    if pd.api.types.is_datetime64_any_dtype(column):
        low, high = as_names(pd.Series([known.min(), known.max()]))
        return f"{low} to {high}"
    common = known.value_counts().head(MAX_EXAMPLES)
    return ", ".join(f"{value} ({n:,})" for value, n in common.items())
