"""What the cells of a column hold: numbers, dates or names; which say nothing, and which are none of their kind."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from diagnostics.task import BoolArray, FloatArray

MISSING_MARKS = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "<na>", "?"})
PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
CODE = r"[+-]?0\d+"  # leading zeros, as in the number of an article or of a town
THOUSANDS = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
DECIMAL_COMMA = r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?"
LARGEST_EXACT = 2.0**53
ISO_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
DATE_FORMATS = ("%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d")
NOT_COMPACT = DATE_FORMATS[:-1]  # eight digits are a number unless a person says that they are a date
PRINTED = {"%Y": "year", "%m": "month", "%d": "day"}


@dataclass(frozen=True, slots=True)
class Numbers:
    """The cells of a column as numbers.

    values : (n_rows,), finite; NaN where the cell says nothing or is no number; unreadable : (n_rows,), those that are
        no number
    written : how they are written if not plainly: "thousands separators" or "decimal commas"
    """

    values: FloatArray
    unreadable: BoolArray
    written: str = ""


@dataclass(frozen=True, slots=True)
class Dates:
    """The cells of a column as dates.

    values : (n_rows,) datetime64[us] in UTC, NaT where the cell says nothing or is no date; unreadable : (n_rows,)
    fits : the ways of writing dates that fit all cells; several if they disagree about what is day and month
    """

    values: pd.Series
    unreadable: BoolArray
    fits: tuple[str, ...]


def known_cells(cells: pd.Series) -> pd.Series:
    """The cells without blanks around them; null where they say nothing: empty, or one of MISSING_MARKS."""
    stripped = cells.astype("str").str.strip()
    return stripped.mask(stripped.str.lower().isin(MISSING_MARKS) | stripped.isna(), None)


def read_numbers(known: pd.Series) -> Numbers:
    """Cells as numbers: written plainly, else with thousands separators or decimal commas if then all fit.

    known : as `known_cells` gives them
    """
    is_known = known.notna().to_numpy()
    fits = {
        written: known.str.fullmatch(pattern).fillna(False).to_numpy(dtype=bool)
        for written, pattern in (
            ("", PLAIN),
            ("thousands separators", THOUSANDS),
            ("decimal commas", DECIMAL_COMMA),
        )
    }
    whole = [written for written, fit in fits.items() if (fit == is_known).all()]
    written = whole[0] if whole else ""
    fit = fits[written]
    plain = known.where(fit)
    if written == "thousands separators":
        plain = plain.str.replace(",", "")
    if written == "decimal commas":
        plain = plain.str.replace(".", "").str.replace(",", ".")
    values = np.full(len(known), np.nan)
    values[fit] = plain[fit].astype(np.float64).to_numpy() + 0.0  # -0 is 0
    values[np.isinf(values)] = np.nan
    return Numbers(values, is_known & np.isnan(values), written)


def are_codes(known: pd.Series) -> bool:
    """Whether numbers of the column are names rather than amounts: with leading zeros, or too long to be exact."""
    texts = known.dropna()
    if texts.str.fullmatch(CODE).any():
        return True
    return bool((np.abs(texts[texts.str.fullmatch(r"[+-]?\d+")].astype(np.float64)) >= LARGEST_EXACT).any())


def read_dates(known: pd.Series, *, compact: bool = False) -> Dates:
    """Cells as dates: ISO 8601, else whichever of DATE_FORMATS fits all.

    known : as `known_cells` gives them; compact : whether eight digits can be a date
    """
    is_known = known.notna().to_numpy()
    iso = known.str.fullmatch(ISO_DATE).fillna(False).to_numpy(dtype=bool)
    values = _iso_dates(known.where(iso))
    if (iso == is_known).all() and values.notna().to_numpy()[iso].all():
        return Dates(values, np.zeros(len(known), dtype=bool), ("ISO 8601",))
    read = {form: _formatted(known, form) for form in (DATE_FORMATS if compact else NOT_COMPACT)}
    whole = {form: found for form, found in read.items() if (found.notna().to_numpy() == is_known).all()}
    fits = tuple(_printed(form) for form in whole)
    if whole:
        first = next(iter(whole.values()))
        if all(first.equals(found) for found in whole.values()):
            fits = fits[:1]
        return Dates(first, np.zeros(len(known), dtype=bool), fits)
    return Dates(values, is_known & values.isna().to_numpy(), ())


def _iso_dates(texts: pd.Series) -> pd.Series:
    found = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    return _in_utc(found)


def _formatted(texts: pd.Series, form: str) -> pd.Series:
    return _in_utc(pd.to_datetime(texts, format=form, utc=True, errors="coerce"))


def _in_utc(times: pd.Series) -> pd.Series:
    naive: pd.Series = times.dt.tz_localize(None).astype("datetime64[us]")
    return naive


def _printed(form: str) -> str:
    for code, word in PRINTED.items():
        form = form.replace(code, word)
    return form


def as_names(column: pd.Series) -> pd.Series:
    """Stored values as names: whole numbers without a point, dates as ISO 8601; null stays null."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return _iso(column)
    if pd.api.types.is_float_dtype(column):
        return column.map(_name_of, na_action="ignore").astype("str")
    return column.astype("str")


def _name_of(number: float) -> str:
    return str(int(number)) if number == round(number) and abs(number) < LARGEST_EXACT else repr(number)


def _iso(times: pd.Series) -> pd.Series:
    """Dates alone where no cell has a time of day."""
    known = times.dropna()
    if (known == known.dt.normalize()).all():
        dates: pd.Series = times.dt.strftime("%Y-%m-%d").astype("str")
        return dates
    return times.map(lambda time: time.isoformat(), na_action="ignore").astype("str")
