"""Which values of a row are unusual for its class: judged by the other items of the class, not by a model.

| value | unusual if |
|---|---|
| number, date | at most 2 % of the others lie as far out, and it lies beyond Tukey's fence: 1.5 times the distance of the quartiles outside of them (Tukey, Exploratory Data Analysis, 1977) |
| category | at most 2 % of the others have it or one that is as rare, so that nothing is unusual where all is rare |
| missing | at most 2 % of the others lack it |

The item itself never counts among the others. Where fewer than 20 others have a value nothing is said.
"""  # noqa: E501 - a table's row is one line

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from diagnostics.label_space import LabelSpace
from diagnostics.predictions import ObjectArray
from diagnostics.rows.columns import CATEGORICAL, DATE, FeatureColumn, feature_columns
from diagnostics.task import FEATURE_PREFIX, NO_LABEL, BoolArray, FloatArray, IntArray

FEWEST_OTHERS = 20
RARE_SHARE = 0.02
FENCE = 1.5

FORMAT_VERSION = 1
FOLDER = "class_values"
NUMBERS_FILE, FREQUENCIES_FILE, ABOUT_FILE = "numbers.npy", "frequencies.parquet", "about.json"
FREQUENCY_KEY = ["feature", "code", "value"]
HIGHER_LOWER = {DATE: ("later", "earlier")}


@dataclass(frozen=True)
class ClassValues:
    """The values that the items of each class have.

    names, kinds : (n_features,) of str
    n_items : (n_classes,), the items of each class; n_present : (n_features, n_classes), those with a value
    numbers : (n_features, total of n_items) float64, may be memory-mapped; the classes one after the other, within
        each sorted, missing ones last; rows of categorical features are all NaN
    frequencies : columns FREQUENCY_KEY, `count`, how many items of the class have the value, and `n_as_rare`, how many
        have it or one that no more items have
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    n_items: IntArray
    n_present: IntArray
    numbers: FloatArray
    frequencies: pd.DataFrame

    @cached_property
    def begins(self) -> IntArray:
        """(n_classes,), where each class begins in `numbers`."""
        return np.cumsum(self.n_items) - self.n_items

    @cached_property
    def counts(self) -> dict[tuple[int, int, str], tuple[int, int]]:
        """`count` and `n_as_rare` by feature, class and value."""
        columns = [self.frequencies[name].tolist() for name in (*FREQUENCY_KEY, "count", "n_as_rare")]
        return {
            (feature, code, value): (count, n_as_rare)
            for feature, code, value, count, n_as_rare in zip(*columns, strict=True)
        }


def class_values(items: pd.DataFrame, codes: IntArray, space: LabelSpace) -> ClassValues:
    """Collect the values of each class; an item counts for each class that it has.

    items : the columns feature:NAME, in the kinds in which models read them
    codes : (n_items,) in `space`, -1 where nobody labelled
    raises : DataError as `feature_columns`
    """
    classes = space.classes
    rows, codes = np.nonzero(space.targets(codes))
    columns = feature_columns(items.iloc[rows])
    n_items = np.bincount(codes, minlength=len(classes))
    present = [column.values.notna().to_numpy() for column in columns]
    return ClassValues(
        classes=classes,
        names=tuple(column.name for column in columns),
        kinds=tuple(column.kind for column in columns),
        n_items=n_items,
        n_present=np.stack([np.bincount(codes[has], minlength=len(classes)) for has in present]),
        numbers=np.stack([_sorted_by_class(column, codes) for column in columns]),
        frequencies=_frequencies(columns, codes),
    )


def unusual_values(
    known: ClassValues,
    rows: pd.DataFrame,
    labels: Sequence[str | None],
    *,
    counted_labels: Sequence[str | None],
) -> list[dict[str, str]]:
    """What is unusual about each of some rows for an item of the class that it is labelled with.

    rows : the columns feature:NAME; a feature that the classes' values are not known of, or are of another kind, is not
        judged
    labels : (n_rows,), the label that each row is judged by; a row without one, or of an unknown class, is not judged
    counted_labels : (n_rows,), the label with which each row is among the items of `known`, None if it is not
    returns : (n_rows,), name of the feature → what is unusual, in words: "higher than 99 % of “setosa”"
    """
    codes = pd.Index(known.classes).get_indexer(pd.Index(labels, dtype=object)).astype(np.int64)
    counted = np.array(
        [label == own for label, own in zip(labels, counted_labels, strict=True)], dtype=np.bool_
    )
    of_class = {int(code): np.flatnonzero(codes == code) for code in np.unique(codes[codes != NO_LABEL])}
    found: list[dict[str, str]] = [{} for _ in range(len(rows))]
    names = [name for name in (FEATURE_PREFIX + name for name in known.names) if name in rows]
    for column in feature_columns(rows[names]) if names else []:
        feature = known.names.index(column.name)
        if column.kind != known.kinds[feature]:
            continue
        values = column.texts if column.kind == CATEGORICAL else column.numbers
        has = column.values.notna().to_numpy()
        for code, positions in of_class.items():
            for position, words in _judge(known, feature, code, values, has, positions, counted).items():
                found[position][column.name] = words
    return found


def write_class_values(folder: Path, values: ClassValues) -> None:
    """Write to `folder`/class_values, beside and then moved."""
    beside = folder / f".{FOLDER}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    np.save(beside / NUMBERS_FILE, values.numbers)
    values.frequencies.to_parquet(beside / FREQUENCIES_FILE, index=False)
    about = {
        "format_version": FORMAT_VERSION,
        "classes": values.classes,
        "names": values.names,
        "kinds": values.kinds,
        "n_items": values.n_items.tolist(),
        "n_present": values.n_present.tolist(),
    }
    (beside / ABOUT_FILE).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    target = folder / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    beside.replace(target)


def read_class_values(folder: Path) -> ClassValues | None:
    """Read back what `write_class_values` wrote, numbers memory-mapped; None if nothing was, or by a newer Winnow."""
    path = folder / FOLDER / ABOUT_FILE
    if not path.is_file():
        return None
    about = json.loads(path.read_text(encoding="utf-8"))
    if about["format_version"] > FORMAT_VERSION:
        return None
    return ClassValues(
        classes=tuple(about["classes"]),
        names=tuple(about["names"]),
        kinds=tuple(about["kinds"]),
        n_items=np.array(about["n_items"], dtype=np.int64),
        n_present=np.array(about["n_present"], dtype=np.int64),
        numbers=np.load(folder / FOLDER / NUMBERS_FILE, mmap_mode="r"),
        frequencies=pd.read_parquet(folder / FOLDER / FREQUENCIES_FILE),
    )


def _sorted_by_class(column: FeatureColumn, codes: IntArray) -> FloatArray:
    """(n_items,) the classes one after the other, sorted within; all NaN for categories."""
    if column.kind == CATEGORICAL:
        return np.full(len(codes), np.nan)
    numbers = column.numbers
    ordered: FloatArray = numbers[np.lexsort((numbers, codes))]
    return ordered


def _frequencies(columns: Sequence[FeatureColumn], codes: IntArray) -> pd.DataFrame:
    tables = [
        _frequencies_of(number, column.texts, codes)
        for number, column in enumerate(columns)
        if column.kind == CATEGORICAL
    ]
    if not tables:
        return pd.DataFrame({name: [] for name in (*FREQUENCY_KEY, "count", "n_as_rare")})
    return pd.concat(tables, ignore_index=True)


def _frequencies_of(feature: int, texts: ObjectArray, codes: IntArray) -> pd.DataFrame:
    table = pd.DataFrame({"feature": feature, "code": codes, "value": texts}).dropna()
    counts = table.groupby(FREQUENCY_KEY, sort=True).size().rename("count").reset_index()
    of_count = counts.groupby(["code", "count"], sort=True)["count"].sum()
    as_rare = of_count.groupby(level="code").cumsum()
    keys = pd.MultiIndex.from_frame(counts[["code", "count"]])
    return counts.assign(n_as_rare=as_rare.reindex(keys).to_numpy())


def _judge(
    known: ClassValues,
    feature: int,
    code: int,
    values: ObjectArray | FloatArray,
    has: BoolArray,
    positions: IntArray,
    counted: BoolArray,
) -> dict[int, str]:
    """What is unusual among these positions of a column for one class, by position.

    values, has, counted : (n_rows,), of all rows; has : there is a value; counted : the row is itself one of the class
    """
    present, missing = positions[has[positions]], positions[~has[positions]]
    judge = _judge_texts if known.kinds[feature] == CATEGORICAL else _judge_numbers
    found = _judge_missing(known, feature, code, missing, counted[missing]) if len(missing) else {}
    return found | (
        judge(known, feature, code, values[present], present, counted[present]) if len(present) else {}
    )


def _judge_missing(
    known: ClassValues, feature: int, code: int, positions: IntArray, counted: BoolArray
) -> dict[int, str]:
    n_others = known.n_items[code] - counted
    n_lack = known.n_items[code] - known.n_present[feature, code] - counted
    return {
        int(position): f"missing, as in {_few(lack)} of {others:,} other {_quoted(known, code)}"
        for position, lack, others in zip(positions, n_lack, n_others, strict=True)
        if others >= FEWEST_OTHERS and lack <= RARE_SHARE * others
    }


def _judge_texts(
    known: ClassValues, feature: int, code: int, texts: ObjectArray, positions: IntArray, counted: BoolArray
) -> dict[int, str]:
    found = {}
    for position, text, own in zip(positions, texts, counted.astype(int).tolist(), strict=True):
        count, as_rare = known.counts.get((feature, code, text), (own, own))
        n_have, n_as_rare = count - own, as_rare - own
        n_others = int(known.n_present[feature, code]) - own
        if n_others >= FEWEST_OTHERS and n_as_rare <= RARE_SHARE * n_others:
            verb = "have" if n_have > 1 else "has"
            found[int(position)] = f"{_few(n_have)} of {n_others:,} other {_quoted(known, code)} {verb} it"
    return found


def _judge_numbers(
    known: ClassValues, feature: int, code: int, numbers: FloatArray, positions: IntArray, counted: BoolArray
) -> dict[int, str]:
    begin, n_present = known.begins[code], known.n_present[feature, code]
    of_class = known.numbers[feature, begin : begin + n_present]
    n_others = n_present - counted
    n_lower = np.searchsorted(of_class, numbers, side="left")
    n_higher = n_present - np.searchsorted(of_class, numbers, side="right")
    enough = n_others >= FEWEST_OTHERS
    few = RARE_SHARE * n_others
    is_high = enough & (n_others - n_lower <= few)
    is_low = enough & (n_others - n_higher <= few)
    if not (is_high | is_low).any():
        return {}
    low, high = _quartiles(of_class, n_lower, n_others, counted, enough)
    reach = FENCE * (high - low)
    is_high &= numbers > high + reach
    is_low &= numbers < low - reach
    higher, lower = HIGHER_LOWER.get(known.kinds[feature], ("higher", "lower"))
    found = {}
    for one in np.flatnonzero(is_high | is_low):
        word, n_beaten = (higher, n_lower[one]) if is_high[one] else (lower, n_higher[one])
        share = _share(int(n_beaten), int(n_others[one]))
        found[int(positions[one])] = f"{word} than {share} {_quoted(known, code)}"
    return found


def _quartiles(
    of_class: FloatArray, places: IntArray, n_others: IntArray, counted: BoolArray, enough: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper quartile of the others, (n_rows,) each, 0 where there are not enough.

    places : where each row itself stands in the sorted values `of_class`, if it is counted
    """

    def ranked(rank: IntArray) -> FloatArray:
        values: FloatArray = np.zeros(len(rank))
        shifted = rank + (counted & (rank >= places))
        values[enough] = of_class[shifted[enough]]
        return values

    return ranked((n_others - 1) // 4), ranked(n_others - 1 - (n_others - 1) // 4)


def _share(n: int, n_others: int) -> str:
    return f"all {n_others:,} other" if n == n_others else f"{100 * n // n_others} % of"


def _quoted(known: ClassValues, code: int) -> str:
    return f"“{known.classes[code]}”"


def _few(n: int) -> str:
    return "none" if n == 0 else f"{n:,}"
