"""Rows as numbers, without looking at a label: categories as codes, dates as parts; missing stays missing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.predictions import ObjectArray
from diagnostics.rows.columns import (
    CATEGORICAL,
    DATE,
    FeatureColumn,
    days_of,
    feature_columns,
)
from diagnostics.task import FEATURE_PREFIX, BoolArray, FloatArray, IntArray

MAX_CATEGORIES = 255
DATE_PARTS = ("year", "month", "day", "day_of_week", "day_of_year", "hour")


@dataclass(frozen=True, slots=True)
class FeatureEncoding:
    """How one feature becomes numbers.

    categories : of a categorical feature its values in the order of their codes, the most frequent first
    n_grouped : how many rarer values share the code after the last one; 0 = there are no rarer ones
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    n_grouped: int = 0

    @property
    def n_codes(self) -> int:
        return len(self.categories) + bool(self.n_grouped)


@dataclass(frozen=True)
class EncodedRows:
    """Items as a matrix; a date is several columns of it.

    values : (n_items, n_columns) float64; of a categorical column codes in [0, n_codes); NaN = missing
    feature_of : (n_columns,), the position of each column's feature
    n_codes : (n_columns,), of a categorical column how many codes there are, of others 0
    """

    values: FloatArray
    feature_of: IntArray
    n_codes: IntArray

    @property
    def is_category(self) -> BoolArray:
        """(n_columns,)"""
        categorical: BoolArray = self.n_codes > 0
        return categorical


@dataclass(frozen=True, slots=True)
class RowEncoding:
    """How rows become numbers; JSON-able. A value that it has never seen becomes the group of the rare ones if there is
    one, else it counts as missing.
    """

    features: tuple[FeatureEncoding, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    def encode(self, items: pd.DataFrame) -> EncodedRows:
        """The items' features as a matrix; further features that the items have are left aside.

        raises : DataError if a feature is missing or of another kind
        """
        wanted = [FEATURE_PREFIX + feature.name for feature in self.features]
        missing = [name for name in wanted if name not in items]
        if missing:
            raise DataError(
                f"The items lack the features {', '.join(missing)} that the model reads. Train again with the "
                "features that there are now."
            )
        parts, feature_of, n_codes = [], [], []
        columns = feature_columns(items[wanted])
        for number, (feature, column) in enumerate(zip(self.features, columns, strict=True)):
            values = _encoded(feature, column)
            parts.append(values)
            feature_of += [number] * values.shape[1]
            n_codes += [feature.n_codes] * values.shape[1]
        return EncodedRows(
            np.concatenate(parts, axis=1),
            np.array(feature_of, dtype=np.int64),
            np.array(n_codes, dtype=np.int64),
        )

    def notes(self) -> list[str]:
        """A sentence for each feature of which rare values are grouped."""
        return [
            f"Feature {feature.name} has {len(feature.categories) + feature.n_grouped:,} different values; the "
            f"{feature.n_grouped:,} rarest count as one, because models tell {MAX_CATEGORIES} apart."
            for feature in self.features
            if feature.n_grouped
        ]

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(feature) for feature in self.features]

    @classmethod
    def from_json(cls, values: Sequence[Mapping[str, Any]]) -> "RowEncoding":
        """Read back what `to_json` gave."""
        features = [
            FeatureEncoding(**{**value, "categories": tuple(value["categories"])}) for value in values
        ]
        return cls(tuple(features))


def fit_encoding(items: pd.DataFrame) -> RowEncoding:
    """Which features there are, of which kinds, and which values categories have; labels are not looked at.

    raises : DataError as `feature_columns`
    """
    return RowEncoding(tuple(_fitted(column) for column in feature_columns(items)))


def _fitted(column: FeatureColumn) -> FeatureEncoding:
    if column.kind != CATEGORICAL:
        return FeatureEncoding(column.name, column.kind)
    values, counts = np.unique(_present(column.texts), return_counts=True)
    ordered = values[np.lexsort((values, -counts))].tolist()
    n_kept = len(ordered) if len(ordered) <= MAX_CATEGORIES else MAX_CATEGORIES - 1
    # Without any value there is still one code, so that the column is known to be a categorical one.
    return FeatureEncoding(column.name, column.kind, tuple(ordered[:n_kept]) or ("",), len(ordered) - n_kept)


def _present(texts: ObjectArray) -> ObjectArray:
    present: ObjectArray = texts[[text is not None for text in texts]].astype(str)
    return present


def _encoded(feature: FeatureEncoding, column: FeatureColumn) -> FloatArray:
    """(n_items, n_columns of the feature) float64."""
    if column.kind != feature.kind and not column.values.isna().all():
        raise DataError(
            f"Feature {feature.name} is {column.kind} now, the model was trained on it as {feature.kind}. Train again."
        )
    if feature.kind == CATEGORICAL:
        return _codes_of(feature, column.texts)[:, None]
    if feature.kind == DATE:
        return _date_parts(column.values.astype("datetime64[us]"))
    return column.numbers[:, None]


def _codes_of(feature: FeatureEncoding, texts: ObjectArray) -> FloatArray:
    codes = (
        pd.Index(feature.categories, dtype=object)
        .get_indexer(pd.Index(texts, dtype=object))
        .astype(np.float64)
    )
    missing = np.array([text is None for text in texts], dtype=np.bool_)
    codes[(codes < 0) & ~missing] = len(feature.categories) if feature.n_grouped else np.nan
    codes[missing] = np.nan
    return codes


def _date_parts(dates: pd.Series) -> FloatArray:
    """DATE_PARTS, and the days since 1970. fastai's `add_datepart` counts those in a unit that depends on the column's
    resolution, which is no longer always nanoseconds.
    """
    parts = [getattr(dates.dt, part).to_numpy(dtype=np.float64) for part in DATE_PARTS]
    return np.stack([*parts, days_of(dates)], axis=1)
