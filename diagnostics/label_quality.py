"""The probability that a given label is right, from all signals, weighed without knowing the truth.

Wrong labels are planted: beside each item's own label stands one that it does not have, drawn as the data's own
confusions are, and a regularised logistic regression learns what tells the two apart. Most own labels are right, not
all: each counts as right by as much as it is believed to be, in turns (expectation maximisation). Planted labels weigh
as much as there seem to be wrong ones, so that the probabilities add up to the number of errors. What a person has
decided counts for more than what is planted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from diagnostics.errors import DataError, RunError
from diagnostics.formats import refuse_newer
from diagnostics.predictions import OUT_OF_FOLD
from diagnostics.scores import confident_thresholds
from diagnostics.signals import DYNAMICS, HELD_OUT, MOVED_BY_LABEL, NEIGHBOURS, TRAINED, Signals
from diagnostics.task import NO_LABEL, FloatArray, IntArray

FORMAT_VERSION = 1
FILE = "label_quality.json"

LABEL_RIGHT, LABEL_WRONG = 1, -1
VERDICT_WEIGHT = 3.0

MIN_ITEMS = 20
MAX_FITTED = 20_000
PLANTED_PER_ITEM = 3
PLANTED_CELLS = 20_000_000
CONFUSABLE_POWER = 0.5
SMOOTHED_SHARE = 0.3
PRIOR_WEIGHTS = {HELD_OUT: 1.0, NEIGHBOURS: 0.5, DYNAMICS: 1.0, TRAINED: 0.5}
PRIOR_STRENGTH = 10.0
MAX_ROUNDS, STEPS_A_ROUND, SETTLED = 40, 4, 1e-4
NOISE_RATES, THRESHOLD_SHARES = (0.002, 0.6), (0.3, 0.5)
MAX_THRESHOLDS = 50


@dataclass(frozen=True, slots=True)
class Weights:
    """How the signals of one kind of item are weighed.

    P(label is wrong) = expit(intercept + sum of weight × (doubt − centre) / scale)

    signals : their names; centres, scales, weights : one each, weights at least 0
    out_of_fold : of items that one model held out; False: of items that no model was trained on
    n_items, n_planted, n_verdicts : what they were learnt from
    """

    signals: tuple[str, ...]
    out_of_fold: bool
    centres: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    n_items: int
    n_planted: int
    n_verdicts: int

    def wrong(self, doubts: FloatArray) -> FloatArray:
        """doubts (n, n_signals) → (n,) the probability that the label is wrong."""
        standard = (doubts - np.array(self.centres)) / np.array(self.scales)
        probability: FloatArray = expit(standard @ np.array(self.weights) + self.intercept)
        return probability


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """The weights of all kinds of items, and the signals that are missing with the reason."""

    weights: tuple[Weights, ...]
    missing: Mapping[str, str]

    def of(self, signals: Signals) -> FloatArray:
        """(n_items,) the probability that the given label is right; NaN without a label or without any signal."""
        quality = np.full(len(signals), np.nan)
        labelled = np.flatnonzero(signals.codes != NO_LABEL)
        doubts = signals.doubts(labelled, signals.codes[labelled])
        for columns, rows in _by_known(doubts):
            names = tuple(signals.names[column] for column in columns)
            for out_of_fold in (True, False):
                own = rows[(signals.kinds[labelled[rows]] == OUT_OF_FOLD) == out_of_fold]
                weights = self._weights_for(names, out_of_fold)
                if weights is not None and len(own):
                    used = [signals.names.index(name) for name in weights.signals]
                    quality[labelled[own]] = 1 - weights.wrong(doubts[np.ix_(own, used)])
        return quality

    def _weights_for(self, names: Sequence[str], out_of_fold: bool) -> Weights | None:
        """Those that use most of these signals; of equal ones those of the same kind."""
        usable = [weights for weights in self.weights if set(weights.signals) <= set(names)]
        return max(
            usable,
            key=lambda weights: (len(weights.signals), weights.out_of_fold == out_of_fold),
            default=None,
        )

    def to_json(self) -> dict[str, Any]:
        """A plain dict that json.dumps takes and `from_json` reads back."""
        weights = [asdict(weights) for weights in self.weights]
        return {"format_version": FORMAT_VERSION, "weights": weights, "missing": dict(self.missing)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "LabelQuality":
        """Read back what `to_json` gave."""
        lists = ("signals", "centres", "scales", "weights")
        weights = [
            Weights(**{**one, **{name: tuple(one[name]) for name in lists}}) for one in values["weights"]
        ]
        return cls(tuple(weights), dict(values["missing"]))


def fit_label_quality(signals: Signals, *, verdicts: IntArray | None = None, seed: int = 0) -> LabelQuality:
    """Learn how to weigh the signals, from the labelled items of train and val; nothing in `signals` is changed.

    verdicts : (n_items,), LABEL_RIGHT or LABEL_WRONG where a person has decided, 0 elsewhere
    seed : of the labels that are drawn
    raises : DataError for verdicts of another number of items
    """
    rng = np.random.default_rng(seed)
    verdicts = np.zeros(len(signals), dtype=np.int64) if verdicts is None else verdicts
    if verdicts.shape != (len(signals),):
        raise DataError(
            f"Expected one verdict for each of {len(signals)} items, found shape {verdicts.shape}."
        )
    ranked = np.flatnonzero(signals.ranked())
    doubts = signals.doubts(ranked, signals.codes[ranked])
    flips = _Flips.of(signals, ranked)
    learnt = []
    for columns, out_of_fold, all_rows in _groups(signals, ranked, doubts):
        rows = _at_most(all_rows, verdicts[ranked], rng)
        group = _Group(signals, ranked[rows], doubts[np.ix_(rows, columns)], columns, verdicts[ranked[rows]])
        planted = group.planted(flips, rng)
        if planted is not None:
            learnt.append(
                learn_weights(group.names, group.doubts, group.verdicts, planted, out_of_fold=out_of_fold)
            )
    return LabelQuality(tuple(learnt), dict(signals.missing))


def _at_most(rows: IntArray, verdicts: IntArray, rng: np.random.Generator) -> IntArray:
    """A sample of MAX_FITTED rows, with all that are decided."""
    if len(rows) <= MAX_FITTED:
        return rows
    chosen = rng.choice(rows, MAX_FITTED, replace=False)
    return np.union1d(chosen, rows[verdicts[rows] != 0])


def _by_known(doubts: FloatArray) -> list[tuple[IntArray, IntArray]]:
    """The rows with the same signals: pairs of columns that are not NaN there and the rows."""
    known = ~np.isnan(doubts)
    patterns, places = np.unique(known, axis=0, return_inverse=True)
    return [
        (np.flatnonzero(pattern), np.flatnonzero(places.ravel() == number))
        for number, pattern in enumerate(patterns)
        if pattern.any()
    ]


def _groups(signals: Signals, ranked: IntArray, doubts: FloatArray) -> list[tuple[IntArray, bool, IntArray]]:
    """Columns, kind and rows to learn one set of weights from.

    Beside each kind of item with the signals it has, all out-of-fold items without `dynamics`, for items of which there
    are too few to learn from, such as a small val or the test split.
    """
    out_of_fold = signals.kinds[ranked] == OUT_OF_FOLD
    groups = []
    for columns, rows in _by_known(doubts):
        for kind in (True, False):
            own = rows[out_of_fold[rows] == kind]
            if len(own) >= MIN_ITEMS:
                groups.append((columns, kind, own))
    plain = np.array(
        [column for column, name in enumerate(signals.names) if name not in MOVED_BY_LABEL], dtype=np.int64
    )
    known = np.flatnonzero(~np.isnan(doubts[:, plain]).any(axis=1))
    covered = any(set(columns) <= set(plain) for columns, _, _ in groups)
    if len(plain) and not covered and len(known) >= MIN_ITEMS:
        groups.append((plain, True, known))
    return groups


@dataclass(frozen=True)
class _Flips:
    """How the data's labels are confused.

    shares : (n_classes, n_classes), of the items that are truly of a class and labelled wrong, which label they have
    """

    shares: FloatArray

    @classmethod
    def of(cls, signals: Signals, ranked: IntArray) -> "_Flips":
        """By the confident joint (Northcutt, Jiang and Chuang, Confident Learning, JAIR 2021, equation 1), smoothed."""
        n_classes = len(signals.classes)
        codes = signals.codes[ranked]
        probs = signals.pred_probs
        own = np.full(len(signals), NO_LABEL)
        own[ranked] = codes
        thresholds = np.nan_to_num(confident_thresholds(own, probs), nan=np.inf)
        joint = np.zeros((n_classes, n_classes))
        step = max(1, PLANTED_CELLS // n_classes)
        for start in range(0, len(ranked), step):
            rows = ranked[start : start + step]
            chunk = np.asarray(probs[rows])
            confident = np.where(chunk >= thresholds, chunk, -1.0)
            sure = confident.max(axis=1) >= 0
            np.add.at(joint, (confident[sure].argmax(axis=1), signals.codes[rows[sure]]), 1)
        np.fill_diagonal(joint, 0)
        smooth = SMOOTHED_SHARE * joint.sum(axis=1, keepdims=True) / n_classes + 1e-3
        shares = joint + smooth
        shares[:, np.bincount(codes, minlength=n_classes) == 0] = 0
        np.fill_diagonal(shares, 0)
        total = shares.sum(axis=1, keepdims=True)
        return cls(np.divide(shares, total, out=np.zeros_like(shares), where=total > 0))

    def chances(self, codes: IntArray, pred_probs: FloatArray) -> FloatArray:
        """(n, n_classes), how likely each wrong label is, by the class's confusions and the item's own."""
        likely = self.shares[codes] * np.asarray(pred_probs, dtype=np.float64).clip(1e-6) ** CONFUSABLE_POWER
        total = likely.sum(axis=1, keepdims=True)
        chances: FloatArray = np.divide(likely, total, out=np.zeros_like(likely), where=total > 0)
        return chances


@dataclass(frozen=True)
class Planted:
    """Labels that items do not have: doubts (n, n_signals), weights (n,), and whose they are.

    owners : (n,), positions among the own labels that they are told apart from; None if none of those is the owner
    """

    doubts: FloatArray
    weights: FloatArray
    owners: IntArray | None = None

    def weights_if(self, right: FloatArray) -> FloatArray:
        """(n,), less for a label whose owner's own label is wrong, because it could be the true one.

        right : (n_own,), how right each own label is
        """
        return self.weights if self.owners is None else self.weights * right[self.owners]


@dataclass(frozen=True)
class _Group:
    """Items with the same signals: their rows, doubts (n, n_signals), which columns these are, and verdicts."""

    signals: Signals
    rows: IntArray
    doubts: FloatArray
    columns: IntArray
    verdicts: IntArray

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.signals.names[column] for column in self.columns)

    def planted(self, flips: _Flips, rng: np.random.Generator) -> Planted | None:
        """Those of the training if the label has moved one of the signals, else drawn now; None if there are none."""
        moved = set(self.names) & set(MOVED_BY_LABEL)
        drawn = self._planted_in_training(flips) if moved else self._drawn(flips, rng)
        usable = (drawn.weights > 0) & ~np.isnan(drawn.doubts).any(axis=1)
        if not usable.any():
            return None
        owners = None if drawn.owners is None else drawn.owners[usable]
        return Planted(drawn.doubts[usable], drawn.weights[usable], owners)

    def _drawn(self, flips: _Flips, rng: np.random.Generator) -> Planted:
        n_planted = min(MAX_FITTED, PLANTED_PER_ITEM * len(self.rows))
        owners = np.sort(rng.permutation(np.arange(n_planted) % len(self.rows)))
        codes = np.empty(n_planted, dtype=np.int64)
        weights = np.empty(n_planted)
        step = max(1, PLANTED_CELLS // len(self.signals.classes))
        for start in range(0, n_planted, step):
            part = slice(start, start + step)
            rows = self.rows[owners[part]]
            chances = flips.chances(self.signals.codes[rows], self.signals.pred_probs[rows])
            codes[part] = (chances.cumsum(axis=1) < rng.random(len(rows))[:, None]).sum(axis=1)
            weights[part] = chances.sum(axis=1) > 0
        codes = np.minimum(codes, len(self.signals.classes) - 1)
        return Planted(self.signals.doubts(self.rows[owners], codes)[:, self.columns], weights, owners)

    def _planted_in_training(self, flips: _Flips) -> Planted:
        """Drawn before anything was known of the confusions: each counts by how likely it is."""
        rows, codes, doubts = self.signals.planted()
        place = np.full(len(self.signals), -1)
        place[self.rows] = np.arange(len(self.rows))
        mine = place[rows] >= 0
        rows, codes, doubts = rows[mine], codes[mine], doubts[mine][:, self.columns]
        chances = flips.chances(self.signals.codes[rows], self.signals.pred_probs[rows])
        return Planted(doubts, chances[np.arange(len(rows)), codes], place[rows])


def learn_weights(
    names: tuple[str, ...],
    doubts: FloatArray,
    verdicts: IntArray,
    planted: Planted,
    *,
    out_of_fold: bool,
    noise_rates: tuple[float, float] = NOISE_RATES,
) -> Weights:
    """Expectation maximisation: how right each own label is, then the weights that tell it from planted ones.

    names : of the signals; doubts : (n_own, n_signals), of own labels, without NaN
    verdicts : (n_own,), LABEL_RIGHT or LABEL_WRONG where a person has decided, 0 elsewhere
    noise_rates : the smallest and largest share of own labels that is taken to be wrong
    """
    centres, scales = doubts.mean(axis=0), doubts.std(axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    examples = _Examples.of(names, doubts, verdicts, planted, centres, scales)
    decided, is_right = verdicts != 0, verdicts == LABEL_RIGHT
    right = np.where(decided, is_right, np.minimum(1.0, 2 * expit(-doubts.mean(axis=1))))
    noise_rate, found = 0.2, np.append(examples.prior, -2.0)
    for _ in range(MAX_ROUNDS):
        found = examples.fit(right, len(right) * noise_rate, start=found)
        scores, planted_scores = examples.scores(found)
        right, before = np.where(decided, is_right, expit(-scores)), noise_rate
        noise_rate = wrong_share(scores, planted_scores, planted.weights_if(right), noise_rates=noise_rates)
        if abs(noise_rate - before) < SETTLED:
            break
    return Weights(
        signals=names,
        out_of_fold=out_of_fold,
        centres=tuple(centres.tolist()),
        scales=tuple(scales.tolist()),
        weights=tuple(found[:-1].tolist()),
        intercept=float(found[-1]),
        n_items=len(doubts),
        n_planted=len(planted.doubts),
        n_verdicts=int(decided.sum()),
    )


def wrong_share(
    scores: FloatArray,
    planted_scores: FloatArray,
    planted_weights: FloatArray,
    *,
    noise_rates: tuple[float, float] = NOISE_RATES,
) -> float:
    """Which share of the labels is wrong, in noise_rates: where the scores are highest there are only wrong ones.

    Above each threshold stand a share of all labels and a share of the planted ones; the wrong labels among all can be
    no more than the first over the second, for any threshold (Garg, Wu, Smola, Balakrishnan and Lipton, Mixture
    Proportion Estimation and PU Learning: A Modern Approach, 2021). Thresholds run over a middle part of the planted
    labels, where neither share is left to chance.

    >>> scores = np.repeat([0.0, 1.0], [90, 10])
    >>> round(wrong_share(scores, np.repeat([0.0, 1.0], 5), np.ones(10)), 6)
    0.2
    """
    order = np.argsort(planted_scores)
    rising, weights = planted_scores[order], planted_weights[order]
    reached = weights[::-1].cumsum()[::-1] / weights.sum()
    low, high = THRESHOLD_SHARES
    places = np.flatnonzero((reached >= low) & (reached <= high))
    if not len(places):
        places = np.array([max(0, np.searchsorted(-reached, -low, side="right") - 1)])
    places = np.searchsorted(rising, rising[places[:: -(-len(places) // MAX_THRESHOLDS)]])
    above = 1 - np.searchsorted(np.sort(scores), rising[places]) / len(scores)
    ratio = (above / reached[places]).min()
    return float(np.clip(ratio, *noise_rates))


@dataclass(frozen=True)
class _Examples:
    """Own labels, own labels that a person called wrong, and planted ones, in this order, as rows of a regression.

    inputs : (n, n_signals + 1), standardised doubts and a column of ones; is_wrong : (n,)
    own_weights : of the first, beside how right they are; called_wrong_weights : of the second
    prior : (n_signals,), weights before anything is learnt; neighbours and trained models mostly repeat the others

    Planted labels stand for all wrong ones, those that a person has found among them, so that labels which nobody has
    looked at are judged as before.
    """

    inputs: FloatArray
    is_wrong: FloatArray
    own_weights: FloatArray
    called_wrong_weights: FloatArray
    planted: Planted
    prior: FloatArray

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        own_doubts: FloatArray,
        verdicts: IntArray,
        planted: Planted,
        centres: FloatArray,
        scales: FloatArray,
    ) -> "_Examples":
        called_wrong = verdicts == LABEL_WRONG
        doubts = np.concatenate([own_doubts, own_doubts[called_wrong], planted.doubts])
        return cls(
            inputs=np.column_stack([(doubts - centres) / scales, np.ones(len(doubts))]),
            is_wrong=(np.arange(len(doubts)) >= len(own_doubts)).astype(float),
            own_weights=np.where(verdicts == LABEL_RIGHT, VERDICT_WEIGHT, 1.0),
            called_wrong_weights=np.full(int(called_wrong.sum()), VERDICT_WEIGHT),
            planted=planted,
            prior=np.array([PRIOR_WEIGHTS[name] for name in names]),
        )

    def scores(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The log odds of being wrong, of own labels and of planted ones."""
        scores = self.inputs @ parameters
        return scores[: len(self.own_weights)], scores[len(scores) - len(self.planted.doubts) :]

    def fit(self, right: FloatArray, n_wrong: float, *, start: FloatArray) -> FloatArray:
        """Some steps towards the best weights, of at least 0 and drawn to PRIOR_WEIGHTS, and intercept.

        right : (n_own,), how right each own label is, in [0, 1]
        n_wrong : what the planted ones weigh together
        """
        planted = self.planted.weights_if(right)
        planted = planted * (n_wrong / max(float(planted.sum()), 1e-12))
        weights = np.concatenate([self.own_weights * right, self.called_wrong_weights, planted])

        def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
            logits = self.inputs @ parameters
            probability = expit(logits)
            off = parameters[:-1] - self.prior
            losses = np.logaddexp(0, logits) - self.is_wrong * logits
            slopes = self.inputs.T @ (weights * (probability - self.is_wrong))
            slopes[:-1] += PRIOR_STRENGTH * off
            return float(weights @ losses + PRIOR_STRENGTH / 2 * off @ off), slopes

        bounds = [(0, None)] * (len(start) - 1) + [(None, None)]
        options = {"maxiter": STEPS_A_ROUND}
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        best: FloatArray = found.x
        return best


def read_label_quality(run_dir: Path) -> LabelQuality | None:
    """The weights of a run; None for a run that has none.

    raises : RunError if they are unreadable or were written by a newer Winnow
    """
    path = run_dir / FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        refuse_newer(path, values["format_version"], FORMAT_VERSION)
        return LabelQuality.from_json(values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"The weights of the label quality in {path} cannot be read: {error}. Train again."
        ) from error
