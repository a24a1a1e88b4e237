"""How many wrong labels are left in a queue, from what was decided: an estimate with an honest interval, and a hint.

The model: a label is wrong with chance sigmoid(intercept + slope * doubt). The doubt of an item is the log of how much
more probable it is that the label is wrong than that it is right, where the run has learnt that (`label_quality`), else
of how much more probable the run's model finds the best other class than the given one. Intercept and slope have weak
priors and follow from the decided items by Bayes' rule on a grid (logistic recalibration: Cox, Two further applications
of a model for binary regression, Biometrika 1958). It takes that doubt says of an item whatever the ranking says that
people were led by, which holds for the rankings of the same run.

People decide from the top, so most of what is left is less doubtful than anything that was decided. Beyond the decided
range the slope can turn out another one, and everything that is left can lie higher or lower than what was decided;
both are drawn anew in every simulation of the rest, so that the interval widens with how far it is extrapolated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from curation.decisions.events import (
    AMBIGUOUS,
    BAD_ITEM,
    LABEL_RIGHT,
    LABEL_WRONG,
    OUT_OF_SCOPE,
    VERDICTS,
)
from curation.queues import Queue
from diagnostics.label_quality import FILE as QUALITY_FILE
from diagnostics.metrics import Estimate
from diagnostics.task import BoolArray, FloatArray, RowArray

WRONG = (LABEL_WRONG, BAD_ITEM, OUT_OF_SCOPE)
JUDGED = (*WRONG, LABEL_RIGHT, AMBIGUOUS)
N_RECENT = N_NEXT = 50
MIN_JUDGED = 10
STOP_BELOW = 0.05

N_DRAWS = 1_000
MAX_FROM_TOP, N_FROM_TOP, N_FROM_REST = 50_000, 2_000, 6_000
LARGEST_DOUBT, SMALLEST_CHANCE = 14.0, 1e-6
BIN_EDGES = np.linspace(-LARGEST_DOUBT, LARGEST_DOUBT, 141)
BIN_CENTRES = (BIN_EDGES[:-1] + BIN_EDGES[1:]) / 2
INTERCEPTS, SLOPES = np.linspace(-10.0, 6.0, 65), np.linspace(0.05, 2.5, 36)
DECIDED_RANGE = (0.05, 0.95)
NOTHING = Estimate(float("nan"), float("nan"), float("nan"))

Advice = Literal["decide", "go on", "switch", "stop"]


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed before anything is decided; (mean, standard deviation) of normal distributions.

    drift : standard deviation of the change of the slope beyond the decided range
    shift : standard deviation of how much higher or lower, in log odds, the rest lies than the decided items say
    """

    intercept: tuple[float, float]
    slope: tuple[float, float]
    drift: float = 0.15
    shift: float = 0.2


MODEL_PRIOR = Prior(intercept=(-2.5, 2.0), slope=(1.0, 0.35))
QUALITY_PRIOR = Prior(intercept=(0.0, 1.0), slope=(1.2, 0.4))


@dataclass(frozen=True, slots=True)
class Judged:
    """Decided items whose label was judged, in the order in which they were decided; arrays (n_judged,).

    doubt : see `doubt_of`; is_wrong : the verdict is one of WRONG
    """

    doubt: FloatArray
    is_wrong: BoolArray


@dataclass(frozen=True, slots=True)
class Undecided:
    """The undecided items of a queue that have a label, in the queue's order; arrays (n,).

    weight : how many items each stands for, where not all of them are looked at
    """

    doubt: FloatArray
    weight: FloatArray


@dataclass(frozen=True, slots=True)
class QueueYield:
    """What deciding in a queue has brought and will bring.

    n_recent, n_recent_wrong : how many items of the queue were judged last, at most N_RECENT, and how many were wrong
    n_judged : how many decisions the estimates are from
    n_left : undecided items that have a label
    errors_left : wrong labels among them, with its 95 % interval; NaN below MIN_JUDGED decisions
    next_share : the share of wrong labels in the next N_NEXT items, the same way
    """

    n_recent: int
    n_recent_wrong: int
    n_judged: int
    n_left: int
    errors_left: Estimate
    next_share: Estimate

    def __str__(self) -> str:
        recent = f"{self.n_recent_wrong} of the last {self.n_recent} were wrong" if self.n_recent else ""
        if self.n_left == 0:
            left = "nothing with a label is left in this queue"
        elif np.isnan(self.errors_left.value):
            n_more = MIN_JUDGED - self.n_judged
            left = f"decide {n_more} more to see how many are left in this queue"
        else:
            left = f"about {_about(self.errors_left)} left in this queue"
        text = "; ".join(filter(None, (recent, left)))
        return text[0].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Hint:
    """What pays most now. queue : the name of the queue to go to, of a "switch"; text : one sentence that says why."""

    advice: Advice
    text: str
    queue: str | None = None


def queue_yield(queue: Queue, *, learn_from: Queue | None = None, seed: int = 0) -> QueueYield:
    """The yield of a queue as of now.

    An item that was excluded or is out of scope counts as wrong, an ambiguous one as not wrong. Labels given to items
    that had none say nothing and do not count.
    Of decisions that the run was trained on already it does not say how chances go with doubt: its doubt is about the
    labels that came of them.
    learn_from : the queue whose decided items say how chances go with doubt, of the same run; the queue itself if not
        given. One that mixes all classes knows more than that of one class.
    """
    learnt = (queue.table.run.folder / QUALITY_FILE).is_file()
    decided, verdicts = queue.decided()
    known = int(queue.table.run.info.dataset_version["event"])
    judged = _judged(learn_from or queue, *(learn_from or queue).decided(after_event=known), learnt)
    ranks, weight = _looked_at(len(queue), len(decided))
    rows = queue.rows_at(ranks)
    doubt = _doubts(queue, rows, learnt)
    is_left = ~np.isin(rows, decided) & ~np.isnan(doubt)
    return estimate_yield(
        _judged(queue, decided, verdicts, learnt).is_wrong,
        judged,
        Undecided(doubt[is_left], weight[is_left]),
        prior=QUALITY_PRIOR if learnt else MODEL_PRIOR,
        seed=seed,
    )


def estimate_yield(
    is_wrong: BoolArray, judged: Judged, undecided: Undecided, *, prior: Prior = MODEL_PRIOR, seed: int = 0
) -> QueueYield:
    """The yield of a queue.

    is_wrong : (n,), of the items of the queue that were judged, in the order in which they were decided
    judged : what is learned from; undecided : what is left in the queue
    """
    n_left = round(float(undecided.weight.sum()))
    errors_left = next_share = NOTHING
    if len(judged.doubt) >= MIN_JUDGED and n_left:
        draws = _Draws(judged, prior, np.random.default_rng(seed))
        errors_left = draws.errors_among(undecided.doubt, undecided.weight)
        n_next = min(N_NEXT, len(undecided.doubt))
        of_next = draws.errors_among(undecided.doubt[:n_next], np.ones(n_next))
        next_share = Estimate(of_next.value / n_next, of_next.low / n_next, of_next.high / n_next)
    recent = is_wrong[-N_RECENT:]
    return QueueYield(
        n_recent=len(recent),
        n_recent_wrong=int(recent.sum()),
        n_judged=len(judged.doubt),
        n_left=n_left,
        errors_left=errors_left,
        next_share=next_share,
    )


def doubt_of(p_given: FloatArray, p_other: FloatArray) -> FloatArray:
    """How much more probable the best other class is than the given one, as a logarithm; NaN where a value is.

    >>> doubt_of(np.array([0.25, 0.5]), np.array([0.5, 0.5])).round(3)
    array([0.693, 0.   ])
    """
    least = SMALLEST_CHANCE
    doubt: FloatArray = np.log(np.clip(p_other, least, 1) / np.clip(p_given, least, 1))
    return doubt


def hint(
    current: QueueYield,
    others: Mapping[str, QueueYield],
    *,
    stop_below: float = STOP_BELOW,
    base_share: float = 0.0,
) -> Hint:
    """Whether to go on in a queue, to go to another one, or to stop.

    Another queue pays more if the lower end of the interval of its next items is above what is expected here.
    stop_below : the share of wrong labels in the next items below which deciding does not pay
    base_share : the share of wrong labels among items drawn at random; a queue that promises no more has no use
    """
    here = current.next_share
    if current.n_left and np.isnan(here.value):
        return Hint("decide", f"{current}.")
    if others:
        name, best = max(others.items(), key=lambda each: _or_zero(each[1].next_share.low))
        there = best.next_share
        if _or_zero(there.low) > _or_zero(here.value) and there.value >= max(stop_below, base_share):
            return Hint(
                "switch",
                f"{name} pays more now: {_of_next(best)} should be wrong there, {_of_next(current)} here.",
                name,
            )
    if not current.n_left:
        return Hint("stop", f"{current}.")
    if here.value < stop_below:
        return Hint(
            "stop", f"Only {_of_next(current)} should be wrong: under {stop_below:.0%}. Time to stop here."
        )
    if here.value <= base_share:
        return Hint(
            "stop",
            f"{_of_next(current)} should be wrong, no more than of items drawn at random ({base_share:.1%}). "
            "Time to stop here.",
        )
    return Hint("go on", f"{_of_next(current)} should be wrong.")


class _Draws:
    """Draws of what the chances of being wrong may be, given what was judged."""

    def __init__(self, judged: Judged, prior: Prior, rng: np.random.Generator) -> None:
        self._rng = rng
        self._intercept, self._slope = _posterior(judged, prior, rng)
        self._shift = rng.normal(0, prior.shift, N_DRAWS)
        self._drift = rng.normal(0, prior.drift, N_DRAWS)
        self._decided_range = np.quantile(judged.doubt, DECIDED_RANGE)

    def errors_among(self, doubt: FloatArray, weight: FloatArray) -> Estimate:
        """How many of these items are wrong: the middle of what is expected, and the middle 95 % of what is drawn."""
        n = np.bincount(_bins(doubt), weights=weight, minlength=len(BIN_CENTRES))
        x, n = BIN_CENTRES[n > 0], n[n > 0]
        beyond = np.clip(x, *self._decided_range) - x
        chance = _sigmoid(
            (self._intercept + self._shift)[:, None]
            + self._slope[:, None] * x
            + self._drift[:, None] * beyond
        )
        drawn = self._rng.binomial(np.rint(n).astype(np.int64), chance).sum(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        middle = np.clip(np.median(chance @ n), low, high)
        return Estimate(float(middle), float(low), float(high))


def _posterior(judged: Judged, prior: Prior, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draws of the intercept and the slope, each (N_DRAWS,)."""
    bins = _bins(judged.doubt)
    n = np.bincount(bins, minlength=len(BIN_CENTRES))
    n_wrong = np.bincount(bins, weights=judged.is_wrong, minlength=len(BIN_CENTRES))
    intercepts, slopes = (grid.ravel() for grid in np.meshgrid(INTERCEPTS, SLOPES, indexing="ij"))
    logit = intercepts[:, None] + slopes[:, None] * BIN_CENTRES[n > 0]
    likelihood = logit @ n_wrong[n > 0] - np.logaddexp(0, logit) @ n[n > 0]
    for values, (mean, deviation) in ((intercepts, prior.intercept), (slopes, prior.slope)):
        likelihood -= ((values - mean) / deviation) ** 2 / 2
    chance = np.exp(likelihood - likelihood.max())
    drawn = rng.choice(len(chance), N_DRAWS, p=chance / chance.sum())
    return tuple(
        values[drawn] + (grid[1] - grid[0]) * rng.uniform(-0.5, 0.5, N_DRAWS)
        for values, grid in ((intercepts, INTERCEPTS), (slopes, SLOPES))
    )


def _bins(doubt: FloatArray) -> RowArray:
    bins: RowArray = np.clip(np.searchsorted(BIN_EDGES, doubt, side="right") - 1, 0, len(BIN_CENTRES) - 1)
    return bins


def _sigmoid(logit: FloatArray) -> FloatArray:
    chance: FloatArray = 1 / (1 + np.exp(-logit))
    return chance


def _doubts(queue: Queue, rows: RowArray, learnt: bool) -> FloatArray:
    """learnt : `label_quality` is the probability that the label is right, as the run has learnt it"""
    if learnt:
        quality = queue.table.numbers("label_quality", rows, k=2)
        return doubt_of(quality, 1 - quality)
    p_given = queue.table.numbers("p_given", rows, k=2)
    return doubt_of(p_given, p_given - queue.table.numbers("margin", rows, k=2))


def _judged(queue: Queue, rows: RowArray, verdicts: RowArray, learnt: bool) -> Judged:
    doubt = _doubts(queue, rows, learnt)
    counts = np.isin(verdicts, [VERDICTS.index(name) for name in JUDGED]) & ~np.isnan(doubt)
    is_wrong: BoolArray = np.isin(verdicts, [VERDICTS.index(name) for name in WRONG])
    return Judged(doubt[counts], is_wrong[counts])


def _looked_at(n: int, n_decided: int) -> tuple[RowArray, FloatArray]:
    """Ranks from 1, each with how many it stands for: all at the top, and every so many of the rest."""
    n_top = min(n, n_decided + N_FROM_TOP, MAX_FROM_TOP)
    n_rest = min(n - n_top, N_FROM_REST)
    edges = np.linspace(n_top, n, n_rest + 1)
    rest = ((edges[:-1] + edges[1:]) // 2).astype(np.int64) + 1
    ranks = np.concatenate([np.arange(1, n_top + 1), rest])
    return ranks, np.concatenate([np.ones(n_top), np.diff(edges)])


def _about(estimate: Estimate) -> str:
    """
    >>> _about(Estimate(118.0, 81.0, 160.0)), _about(Estimate(12.0, 1.0, 60.0)), _about(Estimate(0.4, 0.0, 2.0))
    ('120 ± 40', '12 (1 to 60)', '0 (0 to 2)')
    """
    below, above = estimate.value - estimate.low, estimate.high - estimate.value
    if estimate.value >= N_RECENT and above < 1.5 * below:
        return f"{_rounded(estimate.value)} ± {_rounded((below + above) / 2)}"
    return f"{_rounded(estimate.value)} ({_rounded(estimate.low)} to {_rounded(estimate.high)})"


def _rounded(value: float) -> str:
    """
    >>> _rounded(1234.0), _rounded(7.4)
    ('1,200', '7')
    """
    digits = max(0, len(str(round(value))) - 2)
    return f"{int(round(value, -digits)):,}"


def _of_next(current: QueueYield) -> str:
    n = min(N_NEXT, current.n_left)
    return f"about {current.next_share.value * n:.0f} of the next {n}"


def _or_zero(value: float) -> float:
    return 0.0 if np.isnan(value) else value
