"""Do validation and the gold test set move together over runs? And does validation rise alone?

Validation is looked at in every round, so that the way to train is slowly fitted to it. Test is not, and tells when
that happens.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from diagnostics.compare import IMPROVED, WORSE, Comparison
from diagnostics.metrics import CONFIDENCE, Estimate, proportion
from diagnostics.task import FloatArray

FEWEST_RUNS = 4
KENDALL_VARIANCE = 0.437
NOT_KNOWN = Estimate(np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How validation and test move over runs, of one metric, each with its 95 % interval; NaN below FEWEST_RUNS.

    n_steps, n_agreeing : from a run to the next, where both moved; and where both moved the same way
    same_way : the share of these steps, Wilson's interval; the steps share runs, so it is a little too narrow
    rank_correlation : Kendall's tau-b, in [-1, 1]
    gap_trend : by how much the gap, validation minus test, grows from a run to the next: Theil's slope (H. Theil 1950),
        Sen's interval (P. K. Sen, JASA 63, 1968)
    """

    n_runs: int
    n_steps: int
    n_agreeing: int
    same_way: Estimate
    rank_correlation: Estimate
    gap_trend: Estimate

    @property
    def enough(self) -> bool:
        """Whether there are runs enough to tell anything."""
        return self.n_runs >= FEWEST_RUNS


@dataclass(frozen=True, slots=True)
class Alarm:
    """Validation rose from one run to another and test did not: differences of one metric, after minus before.

    apart : validation's difference minus that of test
    """

    metric: str
    val: Estimate
    test: Estimate
    apart: Estimate
    test_got_worse: bool


def agreement(val: FloatArray, test: FloatArray) -> Agreement:
    """Whether two series of one metric move together.

    val, test : (n_runs,) in the order of the runs, in [0, 1]

    >>> found = agreement(np.array([0.5, 0.6, 0.7, 0.8, 0.9]), np.array([0.4, 0.5, 0.7, 0.6, 0.8]))
    >>> found.n_agreeing, found.n_steps, round(found.rank_correlation.value, 2)
    (3, 4, 0.8)
    """
    steps = np.sign(np.diff(val)), np.sign(np.diff(test))
    moved = (steps[0] != 0) & (steps[1] != 0)
    n_agreeing, n_steps = int((steps[0] == steps[1])[moved].sum()), int(moved.sum())
    enough = len(val) >= FEWEST_RUNS
    return Agreement(
        n_runs=len(val),
        n_steps=n_steps,
        n_agreeing=n_agreeing,
        same_way=proportion(n_agreeing, n_steps) if enough else NOT_KNOWN,
        rank_correlation=kendall(val, test) if enough else NOT_KNOWN,
        gap_trend=_trend(val - test) if enough else NOT_KNOWN,
    )


def kendall(first: FloatArray, second: FloatArray) -> Estimate:
    """Kendall's tau-b with its 95 % interval; NaN if one of the two does not move.

    The interval is Fisher's z with the variance 0.437 / (n - 4) of E. C. Fieller, H. O. Hartley and E. S. Pearson
    (Biometrika 44, 1957): all of [-1, 1] for up to four values. An order that agrees, or disagrees, in every pair
    counts as half a pair short of that there, because z would be infinite.

    >>> tau = kendall(np.arange(10.0), np.arange(10.0))
    >>> round(tau.value, 2), round(tau.low, 2), round(tau.high, 2)
    (1.0, 0.94, 1.0)
    """
    n = len(first)
    tau = float(stats.kendalltau(first, second).statistic)
    if np.isnan(tau):
        return NOT_KNOWN
    if n <= 4:
        return Estimate(tau, -1.0, 1.0)
    most = 1 - 2 / (n * (n - 1))
    half = stats.norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(KENDALL_VARIANCE / (n - 4))
    z = np.arctanh(np.clip(tau, -most, most))
    return Estimate(tau, float(min(np.tanh(z - half), tau)), float(max(np.tanh(z + half), tau)))


def alarm_of(val: Comparison, test: Comparison) -> Alarm | None:
    """The first metric in which validation improved and test did not; None if there is none.

    val, test : the same two sides, compared on either set

    Raised where validation is called improved and test either worse, or neither of the two while the difference on
    validation is larger than that on test: its 95 % interval, by the square and add of both, lies above 0. A test set
    too small to tell raises nothing.
    """
    for metric in val.whole["metric"]:
        before, after = val.of(metric), test.of(metric)
        rose = Estimate(*(float(before[name]) for name in ("difference", "low", "high")))
        there = Estimate(*(float(after[name]) for name in ("difference", "low", "high")))
        apart = _apart(rose, there)
        got_worse = after["verdict"] == WORSE
        if before["verdict"] == IMPROVED and (got_worse or (after["verdict"] != IMPROVED and apart.low > 0)):
            return Alarm(str(metric), rose, there, apart, bool(got_worse))
    return None


def _apart(first: Estimate, second: Estimate) -> Estimate:
    """The first minus the second, of independent samples: the square and add of their intervals."""
    value = first.value - second.value
    low = value - np.hypot(first.value - first.low, second.high - second.value)
    high = value + np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, float(low), float(high))


def _trend(values: FloatArray) -> Estimate:
    slope = stats.theilslopes(values, np.arange(len(values)), alpha=CONFIDENCE)
    return Estimate(float(slope.slope), float(slope.low_slope), float(slope.high_slope))
