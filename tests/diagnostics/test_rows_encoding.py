import numpy as np
import pandas as pd
import pytest

from diagnostics.errors import DataError
from diagnostics.rows.columns import feature_columns
from diagnostics.rows.encoding import DATE_PARTS, MAX_CATEGORIES, RowEncoding, fit_encoding


def rows(**features):
    return pd.DataFrame({f"feature:{name}": values for name, values in features.items()})


def test_the_dtype_tells_what_a_feature_is():
    items = rows(height=[1.0, 2.0], colour=["red", None], sold=pd.to_datetime(["2026-11-01", None]))
    assert [(column.name, column.kind) for column in feature_columns(items)] == [
        ("height", "continuous"),
        ("colour", "categorical"),
        ("sold", "date"),
    ]


def test_infinite_numbers_count_as_missing():
    assert np.isnan(feature_columns(rows(height=[np.inf, 1.0]))[0].numbers).tolist() == [True, False]


def test_items_without_features_are_refused():
    with pytest.raises(DataError, match="no features to learn from"):
        fit_encoding(pd.DataFrame({"item_id": ["a"]}))


def test_a_feature_of_something_else_is_refused():
    with pytest.raises(DataError, match=r"'size' holds \[1\]"):
        fit_encoding(rows(size=pd.Series([[1], [2]], dtype=object)))


def test_categories_get_codes_by_how_common_they_are():
    items = rows(colour=["red", "blue", "blue", None, "amber", "amber", "blue"])
    encoding = fit_encoding(items)
    assert encoding.features[0].categories == ("blue", "amber", "red")
    np.testing.assert_array_equal(encoding.encode(items).values[:, 0], [2, 0, 0, np.nan, 1, 1, 0])


def test_a_category_that_was_never_seen_counts_as_missing():
    encoding = fit_encoding(rows(colour=["red", "blue"]))
    assert np.isnan(encoding.encode(rows(colour=["green"])).values[0, 0])


def test_of_many_categories_the_rare_ones_count_as_one_and_that_is_said():
    values = [f"v{number:03}" for number in range(300)] + ["often"] * 2
    encoding = fit_encoding(rows(code=values))
    codes = encoding.encode(rows(code=["often", "v000", "v299", "new"])).values[:, 0]
    assert codes.tolist() == [0, 1, MAX_CATEGORIES - 1, MAX_CATEGORIES - 1]
    assert encoding.features[0].n_codes == MAX_CATEGORIES
    assert encoding.notes() == [
        "Feature code has 301 different values; the 47 rarest count as one, because models tell 255 apart."
    ]


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_a_date_becomes_its_parts_whatever_its_resolution(unit):
    items = rows(sold=pd.Series(pd.to_datetime(["1970-01-11 06:00", None])).astype(f"datetime64[{unit}]"))
    encoded = fit_encoding(items).encode(items)
    parts = dict(zip((*DATE_PARTS, "days"), encoded.values[0], strict=True))
    assert parts == {
        "year": 1970,
        "month": 1,
        "day": 11,
        "day_of_week": 6,
        "day_of_year": 11,
        "hour": 6,
        "days": 10.25,
    }
    assert np.isnan(encoded.values[1]).all()
    assert set(encoded.feature_of) == {0}


def test_a_date_with_a_time_zone_is_taken_in_universal_time():
    items = rows(sold=pd.to_datetime(["2026-11-01 01:00"]).tz_localize("Europe/Berlin"))
    assert fit_encoding(items).encode(items).values[0, 2] == 1
    assert fit_encoding(items).encode(items).values[0, 5] == 0


def test_an_encoding_is_read_back_as_it_was_written():
    items = rows(height=[1.0, np.nan], colour=["red", None], sold=pd.to_datetime(["2026-11-01", None]))
    encoding = fit_encoding(items)
    assert RowEncoding.from_json(encoding.to_json()) == encoding


def test_a_missing_or_changed_feature_is_refused():
    encoding = fit_encoding(rows(height=[1.0], colour=["red"]))
    with pytest.raises(DataError, match="lack the features feature:colour"):
        encoding.encode(rows(height=[1.0]))
    with pytest.raises(DataError, match="height is categorical now"):
        encoding.encode(rows(height=["tall"], colour=["red"]))


def test_a_feature_without_any_value_stays_what_it_was():
    encoding = fit_encoding(rows(height=[1.0], colour=["red"]))
    nothing = rows(height=pd.Series([None], dtype="str"), colour=["red"])
    assert np.isnan(encoding.encode(nothing).values[0, 0])
