"""The feature columns of an item table: which there are, of what kind, and their values in one form a kind."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.predictions import ObjectArray, object_array
from diagnostics.task import FEATURE_PREFIX, FloatArray

CONTINUOUS, CATEGORICAL, DATE = "continuous", "categorical", "date"
EPOCH = pd.Timestamp("1970-01-01")
ONE_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class FeatureColumn:
    """One feature of all items.

    name : without FEATURE_PREFIX
    kind : CONTINUOUS, CATEGORICAL or DATE, from the column's dtype
    values : (n_items,) float64, str or datetime64 without a time zone; null = missing
    """

    name: str
    kind: str
    values: pd.Series

    @property
    def numbers(self) -> FloatArray:
        """(n_items,) float64, of a date the days since 1970; NaN = missing. Not for categories."""
        if self.kind == DATE:
            return days_of(self.values)
        return cast(FloatArray, self.values.to_numpy(dtype=np.float64))

    @property
    def texts(self) -> ObjectArray:
        """(n_items,) of str, None = missing; for categories."""
        return object_array(self.values)


def feature_columns(items: pd.DataFrame) -> list[FeatureColumn]:
    """The columns called feature:NAME, in their order; numbers that are infinite count as missing.

    raises : DataError if there are none, or if one holds neither numbers, texts nor dates
    """
    names = [name for name in items.columns if str(name).startswith(FEATURE_PREFIX)]
    if not names:
        raise DataError(
            "There are no features to learn from: every column is the label, an id, or ignored. "
            "Choose on page Data which columns are features."
        )
    return [_column(name.removeprefix(FEATURE_PREFIX), items[name]) for name in names]


def days_of(dates: pd.Series) -> FloatArray:
    """(n_items,) float64 days since 1970, parts of a day as fractions; NaN = missing. Of whatever resolution.

    >>> days_of(pd.Series(pd.to_datetime(["1970-01-02 12:00", None])))
    array([1.5, nan])
    """
    return cast(FloatArray, ((dates - EPOCH) / ONE_DAY).to_numpy(dtype=np.float64))


def _column(name: str, values: pd.Series) -> FeatureColumn:
    values = values.reset_index(drop=True)
    if pd.api.types.is_datetime64_any_dtype(values):
        return FeatureColumn(name, DATE, _without_zone(values))
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype("float64")
        return FeatureColumn(name, CONTINUOUS, numbers.where(np.isfinite(numbers)))
    texts = object_array(values)
    strange = next((text for text in texts if text is not None and not isinstance(text, str)), None)
    if strange is not None:
        raise DataError(
            f"Feature {name!r} holds {strange!r}, which is neither a number, a text nor a date. "
            "Choose on page Data what the column is."
        )
    return FeatureColumn(name, CATEGORICAL, pd.Series(texts, dtype=object))


def _without_zone(dates: pd.Series) -> pd.Series:
    if getattr(dates.dt, "tz", None) is None:
        return dates
    return cast("pd.Series[Any]", dates.dt.tz_convert("UTC").dt.tz_localize(None))
