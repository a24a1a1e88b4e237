"""Several comparisons that answer one question: their p-values are corrected together."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from diagnostics.compare import ALPHA, CANNOT_TELL, IMPROVED, WORSE, holm


def corrected_together(table: pd.DataFrame, metrics: Collection[str]) -> pd.DataFrame:
    """The table with `p_adjusted` corrected by Holm's method over all rows of one metric, and verdicts that go with it.

    table : columns metric, p_adjusted (of each comparison alone), verdict
    metrics : each of them is a family of its own; other rows stay as they are

    >>> rows = [["f1", 0.01, "improved"], ["f1", 0.04, "worse"], ["recall", 0.04, "worse"]]
    >>> corrected_together(pd.DataFrame(rows, columns=["metric", "p_adjusted", "verdict"]), ["f1"])
       metric  p_adjusted   verdict
    0      f1        0.02  improved
    1      f1        0.04     worse
    2  recall        0.04     worse
    """
    adjusted = table["p_adjusted"].to_numpy(dtype=float, copy=True)
    for metric in metrics:
        rows = np.flatnonzero((table["metric"] == metric).to_numpy())
        adjusted[rows] = holm(adjusted[rows])
    undecided = table["verdict"].isin((IMPROVED, WORSE)) & ~(adjusted < ALPHA)
    return table.assign(p_adjusted=adjusted, verdict=table["verdict"].mask(undecided, CANNOT_TELL))


def points_text(row: pd.Series) -> str:
    """A difference with its interval and verdict, in points.

    >>> points_text(pd.Series({"difference": 0.021, "low": 0.004, "high": 0.038, "verdict": "improved"}))
    '+2.1 points (+0.4 to +3.8, improved)'
    """
    value, low, high = (100 * row[name] for name in ("difference", "low", "high"))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f}, {row['verdict']})"
