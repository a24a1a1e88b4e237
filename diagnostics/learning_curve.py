"""How F1 of a class grows with its labels, and what a few more of them are worth: a curve with its uncertainty.

The curve is the inverse power law F1(n) = a - b · n^-c (Figueroa et al., Predicting sample size required for
classification performance, 2012; Hestness et al., Deep Learning Scaling is Predictable, Empirically, 2017), fitted as
in the former by least squares in which larger sizes count more. b may be negative: more labels can do harm.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from diagnostics.metrics import CONFIDENCE
from diagnostics.task import BoolArray, FloatArray, IntArray

POWERS = np.geomspace(0.1, 2.0, 46)
N_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Curve:
    """F1 against labels, with 95 % intervals; arrays are (n_sizes,).

    measured : the mean over the draws; low, high : its interval, over items and draws
    fitted : the power law at the sizes
    gain : what the labels asked for add on average over lots of them, by the power law; gain_low, gain_high : its
        interval. One lot can come out differently: that is not in it
    """

    sizes: IntArray
    measured: FloatArray
    low: FloatArray
    high: FloatArray
    fitted: FloatArray
    gain: float
    gain_low: float
    gain_high: float


def extrapolate_f1(
    is_class: BoolArray, is_predicted: BoolArray, sizes: IntArray, *, n_more: int, seed: int = 0
) -> Curve:
    """What `n_more` labels of a class beyond the largest size would add to its F1.

    is_class : (n_items,), which validation items are of the class
    is_predicted : (n_sizes, n_draws, n_items), which were predicted as it after training on so many of its labels; a
        draw is a sequence of nested subsets, at least 2 of them
    sizes : (n_sizes,), ascending, at least 3
    seed : of the bootstrap: items and draws are drawn again together 1,000 times, the curve is fitted to each, and the
        interval holds the middle of the gains

    Everything is NaN for a class that no validation item has.
    """
    n_items, n_draws = len(is_class), is_predicted.shape[1]
    rng = np.random.default_rng(seed)
    counts = np.concatenate(
        [np.ones((1, n_items)), rng.multinomial(n_items, np.full(n_items, 1 / n_items), size=N_RESAMPLES)]
    )
    f1 = _f1_of(is_class, is_predicted, counts)
    means = f1.mean(axis=2)
    chosen = rng.integers(0, n_draws, size=(N_RESAMPLES, n_draws))
    drawn = np.take_along_axis(f1[1:], chosen[:, None, :], axis=2).mean(axis=2)
    spread = np.sqrt(n_draws / (n_draws - 1))
    resampled = np.concatenate([means[:1], means[1:] + spread * (drawn - means[1:])])
    fitted = fit_power_laws(sizes, resampled, np.append(sizes, sizes[-1] + n_more))
    gains = fitted[:, -1] - fitted[:, -2]
    ends = _ends(n_draws)
    low, high = np.percentile(resampled[1:], ends, axis=0)
    gain_low, gain_high = np.percentile(gains[1:], ends)
    return Curve(
        sizes, means[0], low, high, fitted[0, :-1], float(gains[0]), float(gain_low), float(gain_high)
    )


def fit_power_laws(sizes: IntArray, f1: FloatArray, at: IntArray) -> FloatArray:
    """The power law that fits each row of measurements best, at other sizes.

    sizes : (n_sizes,); f1 : (n_rows, n_sizes); at : (n_at,)
    returns : (n_rows, n_at), in [0, 1]

    a and b are linear and found exactly for each c of a grid between 0.1 and 2 (Golub & Pereyra 1973); so few sizes
    hardly tell c, and that is what makes an interval wide.

    >>> sizes = np.array([50, 100, 200, 400])
    >>> found = fit_power_laws(sizes, (0.9 - 2.0 * sizes**-0.5)[None], np.array([400, 1600]))
    >>> found.round(2).tolist()
    [[0.8, 0.85]]
    """
    weights = np.sqrt(sizes / sizes[-1])
    best = np.full(len(f1), np.inf)
    fitted = np.empty((len(f1), len(at)))
    for power in POWERS:
        design = np.stack([np.ones(len(sizes)), -((sizes / sizes[-1]) ** -power)], axis=1)
        coefficients = np.linalg.lstsq(weights[:, None] * design, (weights * f1).T, rcond=None)[0]
        errors = np.square(weights[:, None] * (design @ coefficients - f1.T)).sum(axis=0)
        wanted = np.stack([np.ones(len(at)), -((at / sizes[-1]) ** -power)], axis=1)
        better = errors < best
        best[better] = errors[better]
        fitted[better] = (wanted @ coefficients).T[better]
    return np.clip(fitted, 0.0, 1.0)


def _f1_of(is_class: BoolArray, is_predicted: BoolArray, counts: FloatArray) -> FloatArray:
    """F1 of each resample at each size and draw, (n_resamples, n_sizes, n_draws); NaN where it is not defined.

    counts : (n_resamples, n_items), how often each item is in a resample
    """
    shape = is_predicted.shape[:2]
    predicted = is_predicted.reshape(-1, len(is_class)).T.astype(np.float64)
    n_right = counts @ (predicted * is_class[:, None])
    total = counts @ predicted + (counts @ is_class.astype(np.float64))[:, None]
    with np.errstate(invalid="ignore"):
        f1: FloatArray = 2 * n_right / total
    return f1.reshape(-1, *shape)


def _ends(n_draws: int) -> tuple[float, float]:
    """The percentiles between which a 95 % interval lies, further out for few draws.

    As far as Student's t with n_draws - 1 degrees of freedom is further out than the normal distribution: the expanded
    percentile interval of Hesterberg (What Teachers Should Know about the Bootstrap, 2015).
    """
    tail = 100 * float(stats.norm.sf(stats.t.ppf((1 + CONFIDENCE) / 2, n_draws - 1)))
    return tail, 100 - tail
