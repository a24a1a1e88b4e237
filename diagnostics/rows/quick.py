"""Features of rows for quick rounds: made from the rows alone, so that a linear model on them comes near to trees.

| part | what it lets a linear model say |
|---|---|
| normal scores of the ranks | more is more likely, whatever the scale |
| pieces: how far a value has come through each part of its range between quantiles | any shape of one feature's effect (the piecewise linear encoding of Gorishniy et al., On Embeddings for Numerical Features, 2022) |
| one column a frequent category, one for missing | any effect of a category, and of being missing |
| random Fourier features of ranks and categories (Rahimi & Recht, Random Features for Large-Scale Kernel Machines, 2007) | features that count together |

They were chosen among these and leaves of random trees reduced by SVD, by accuracy and by how many planted errors a head
on them finds.
"""  # noqa: E501 - a table's row is one line

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from diagnostics.rows.encoding import EncodedRows, RowEncoding, fit_encoding
from diagnostics.run_folder import write_text
from diagnostics.task import BoolArray, FloatArray

N_QUANTILES = 257
MOST_PIECES, PIECE_COLUMNS = 8, 512
MOST_SHOWN, FEWEST_SHOWN, CATEGORY_COLUMNS = 64, 8, 256
N_FOURIER = 256
MOST_LINEAR = 1_024
LARGEST_RANK = 0.999
SEED = 0
FIT_FILE = "fit.json"


@dataclass(frozen=True)
class QuickFit:
    """What the features of a row depend on beside the row; no label is among it.

    quantiles : (n_columns, N_QUANTILES) of the encoded columns; NaN for categories and columns without values
    has_missing : (n_columns,), whether a value was missing among the rows that it was fitted to
    """

    encoding: RowEncoding
    quantiles: FloatArray
    has_missing: BoolArray

    def features(self, items: pd.DataFrame) -> FloatArray:
        """(n_items, n_features) float32, columns without meaning among them where one is constant.

        raises : DataError if the items lack a feature
        """
        rows = self.encoding.encode(items)
        ranks, pieces = self._of_numbers(rows)
        categories = self._of_categories(rows)
        linear = np.concatenate([ranks, pieces, categories], axis=1)
        curved = _fourier(np.concatenate([ranks, categories], axis=1), n_columns=len(rows.n_codes))
        return np.concatenate([_at_most(linear, MOST_LINEAR), curved], axis=1).astype(np.float32)

    def save(self, path: Path) -> None:
        """As JSON, beside and then moved."""
        values = {
            "encoding": self.encoding.to_json(),
            "quantiles": self.quantiles.tolist(),
            "has_missing": self.has_missing.tolist(),
        }
        write_text(path, json.dumps(values, ensure_ascii=False))

    @classmethod
    def load(cls, path: Path) -> "QuickFit":
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            RowEncoding.from_json(values["encoding"]),
            np.array(values["quantiles"], dtype=np.float64),
            np.array(values["has_missing"], dtype=np.bool_),
        )

    def _of_numbers(self, rows: EncodedRows) -> tuple[FloatArray, FloatArray]:
        """Normal scores (n_items, n) and pieces (n_items, m) of the columns that are no categories and not constant."""
        varied = np.flatnonzero(self.quantiles[:, 0] < self.quantiles[:, -1])
        n_pieces = int(np.clip(PIECE_COLUMNS // max(1, len(varied)), 1, MOST_PIECES))
        nothing: FloatArray = np.zeros((len(rows.values), 0))
        ranks, pieces = [nothing], [nothing]
        for column in varied:
            values, quantiles = rows.values[:, column], self.quantiles[column]
            present = ~np.isnan(values)
            filled = np.where(present, values, quantiles[N_QUANTILES // 2])
            ranks.append((_normal_scores(filled, quantiles) * present)[:, None])
            pieces.append(_pieces(filled, quantiles, n_pieces))
        return np.concatenate(ranks, axis=1), np.concatenate(pieces, axis=1)

    def _of_categories(self, rows: EncodedRows) -> FloatArray:
        """(n_items, n) of 0 and 1: the frequent values of each category, and what is missing in whatever column."""
        categorical = np.flatnonzero(rows.is_category)
        n_shown = int(np.clip(CATEGORY_COLUMNS // max(1, len(categorical)), FEWEST_SHOWN, MOST_SHOWN))
        shown = [
            rows.values[:, [column]] == np.arange(min(n_shown, rows.n_codes[column]))
            for column in categorical
        ]
        missing = np.isnan(rows.values[:, self.has_missing])
        return np.concatenate([*shown, missing], axis=1).astype(np.float64)


def fit_quick(items: pd.DataFrame) -> QuickFit:
    """Learn ranges and categories from all rows there are; raises as `fit_encoding`."""
    encoding = fit_encoding(items)
    rows = encoding.encode(items)
    missing = np.isnan(rows.values)
    quantiles = np.full((rows.values.shape[1], N_QUANTILES), np.nan)
    for column in np.flatnonzero(~rows.is_category & ~missing.all(axis=0)):
        present = rows.values[~missing[:, column], column]
        quantiles[column] = np.quantile(present, np.linspace(0, 1, N_QUANTILES))
    return QuickFit(encoding, quantiles, np.asarray(missing.any(axis=0)))


def _normal_scores(values: FloatArray, quantiles: FloatArray) -> FloatArray:
    """(n,), of ties the middle, as scikit-learn's QuantileTransformer has it."""
    levels = np.linspace(0, 1, len(quantiles))
    from_below = np.interp(values, quantiles, levels)
    from_above = 1 - np.interp(-values, -quantiles[::-1], levels)
    scores: FloatArray = norm.ppf(np.clip((from_below + from_above) / 2, 1 - LARGEST_RANK, LARGEST_RANK))
    return scores


def _pieces(values: FloatArray, quantiles: FloatArray, n_pieces: int) -> FloatArray:
    """(n, at most n_pieces) in [0, 1], how far the value is through each piece of the range."""
    edges = np.unique(quantiles[np.linspace(0, len(quantiles) - 1, n_pieces + 1).astype(int)])
    through: FloatArray = np.clip((values[:, None] - edges[:-1]) / np.diff(edges), 0, 1)
    return through


def _fourier(values: FloatArray, *, n_columns: int) -> FloatArray:
    """(n, N_FOURIER) in [-1, 1], of a Gaussian kernel about as wide as rows are apart: a column has variance 1."""
    rng = np.random.default_rng(SEED)
    directions = rng.normal(size=(values.shape[1], N_FOURIER)) / np.sqrt(max(1, n_columns))
    curved: FloatArray = np.cos(values @ directions + rng.uniform(0, 2 * np.pi, N_FOURIER))
    return curved


def _at_most(values: FloatArray, n: int) -> FloatArray:
    """The columns, or where they are more than n, n random combinations of them."""
    if values.shape[1] <= n:
        return values
    mixed: FloatArray = values @ np.random.default_rng(SEED).normal(size=(values.shape[1], n)) / np.sqrt(n)
    return mixed


def schema_of(items: pd.DataFrame) -> str:
    """A short name of which features there are and of which kinds."""
    features = fit_encoding(items.iloc[:0]).features
    text = json.dumps([(feature.name, feature.kind) for feature in features], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class ComputedRows:
    """The features of items, computed when a part of them is asked for; see `diagnostics.fold_arrays.FoldArray`."""

    def __init__(self, fit: QuickFit, items: pd.DataFrame, on_rows: Callable[[int], None]) -> None:
        self._fit = fit
        self._items = items
        self._on_rows = on_rows
        self.shape = (1, len(items), fit.features(items.iloc[:1]).shape[1])

    def __getitem__(self, key: Any) -> FloatArray:
        _, rows = key
        found = self._fit.features(self._items.iloc[rows])
        self._on_rows(len(found))
        return found
