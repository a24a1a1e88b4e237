"""TF-IDF and a linear head: the model of texts that needs nothing but the texts, and seconds."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import softmax

from diagnostics.errors import DataError
from diagnostics.explanations import Explanations, explanations_of
from diagnostics.modalities import OpenInputs, ToExplain
from diagnostics.progress import Progress
from diagnostics.task import FloatArray, IntArray
from diagnostics.texts.counts import CountedTexts
from diagnostics.texts.pieces import parts_of
from diagnostics.texts.quick import TextFeatures
from diagnostics.training.config import TrainConfig
from diagnostics.training.crossval import make_folds
from diagnostics.training.estimator import EstimatorWay, settled_without_epochs
from diagnostics.training.sparse_head import SparseHead, choose_strength, fit_sparse_head

NAME = "tfidf"
USUAL_INVERSE_STRENGTH = 10.0
SHARES_TRIED = 5
MAX_TRIED, MIN_TRIED = 4000, 50
WORK_A_PIECE = 0.01


class TfidfItems:
    """The texts of a run as counts; see `diagnostics.modalities.EstimatorItems`.

    units : (n_items,), texts of one unit are held out together where something is chosen
    """

    def __init__(
        self,
        counted: CountedTexts,
        features: FloatArray,
        units: Sequence[str],
        config: TrainConfig,
        n_classes: int,
    ) -> None:
        self.config = config
        self.features: FloatArray | None = features
        self.notes: tuple[str, ...] = ()
        self.work = WORK_A_PIECE * n_classes * counted.matrix.nnz / max(1, counted.matrix.shape[0])
        self._counted = counted
        self._units = units

    @property
    def way(self) -> EstimatorWay:
        return EstimatorWay(self)

    def fit(
        self,
        train: IntArray,
        codes: IntArray,
        *,
        n_classes: int,
        weights: FloatArray,
        seed: int,
        should_stop: Callable[[], bool],
        on_share: Callable[[float], None],
    ) -> "FittedTfidf":
        """The strength of the penalty is the one at which a fifth of the training texts is most likely by a head on the
        others; of many texts a sample is tried."""
        matrix = self._counted.matrix[train]
        strength, start = self._strength(matrix, train, codes, n_classes, weights, seed, should_stop)
        on_share(0.5)
        head = fit_sparse_head(
            matrix,
            codes,
            n_classes,
            weights=weights,
            strength=strength,
            start=start,
            should_stop=should_stop,
        )
        return FittedTfidf(head, self._counted)

    def _strength(
        self,
        matrix: Any,
        train: IntArray,
        codes: IntArray,
        n_classes: int,
        weights: FloatArray,
        seed: int,
        should_stop: Callable[[], bool],
    ) -> tuple[float, SparseHead | None]:
        tried = np.random.default_rng(seed).permutation(len(train))[:MAX_TRIED]
        units = [self._units[position] for position in train[tried]]
        usual = 1 / (USUAL_INVERSE_STRENGTH * len(train))
        if len(tried) < MIN_TRIED:
            return usual, None
        try:
            parts = make_folds(codes[tried], units, n_folds=SHARES_TRIED, seed=seed)
        except DataError:  # nearly all texts are copies of each other
            return usual, None
        strength, head = choose_strength(
            matrix[tried],
            codes[tried],
            n_classes,
            weights=weights[tried],
            train=np.flatnonzero(parts != 0),
            held_out=np.flatnonzero(parts == 0),
            should_stop=should_stop,
        )
        return strength * len(tried) / len(train), head


class FittedTfidf:
    """A fitted head; see `diagnostics.modalities.FittedEstimator`."""

    def __init__(self, head: SparseHead, counted: CountedTexts) -> None:
        self._head = head
        self._counted = counted

    def predict(self, positions: IntArray) -> FloatArray:
        probs: FloatArray = softmax(self._head.logits(self._counted.matrix[positions]), axis=1)
        return probs

    def explain(self, asked: ToExplain, *, should_stop: Callable[[], bool]) -> Explanations | None:
        """Exact: what the words of a text add to the logit of its label, less what they add to that of the strongest
        other class. What a piece adds is shared out evenly over the characters that it stands on."""
        items = []
        for position, code, rival in zip(asked.positions, asked.codes, asked.rivals, strict=True):
            items.append(self._explain_one(int(position), int(code), int(rival)))
        return explanations_of(items)

    def _explain_one(self, position: int, code: int, rival: int) -> tuple[IntArray, IntArray, FloatArray]:
        row = self._counted.matrix[position]
        added = row.data * (self._head.weights[row.indices, code] - self._head.weights[row.indices, rival])
        of_feature = dict(zip(row.indices.tolist(), added.tolist(), strict=True))
        return word_effects(
            self._counted.texts[position], list(self._counted.occurrences(position)), of_feature
        )


def word_effects(
    text: str, occurrences: Sequence[tuple[int, int, int]], of_feature: Mapping[int, float]
) -> tuple[IntArray, IntArray, FloatArray]:
    """Start, end and effect of the parts of a text, from the effects of its features; they add up to the same.

    occurrences : (feature, start, end), a feature as often as it stands in the text
    """
    counts = Counter(feature for feature, _, _ in occurrences)
    steps = [0.0] * (len(text) + 1)  # from the effect of one character to that of the next
    for feature, start, end in occurrences:
        share = of_feature.get(feature, 0.0) / (counts[feature] * (end - start))
        steps[start] += share
        steps[end] -= share
    until = np.concatenate([[0.0], np.cumsum(np.cumsum(steps[:-1]))])
    parts = np.array(parts_of(text), dtype=np.int64).reshape(-1, 2)
    return parts[:, 0], parts[:, 1], until[parts[:, 1]] - until[parts[:, 0]]


def open_items(inputs: OpenInputs) -> TfidfItems:
    """Count the texts of a run, as `diagnostics.modalities.text.open_items`.

    raises : ConfigError if options are set that only networks have
    """
    items, n_items = inputs.items, len(inputs.items)
    why = f"{NAME} is fitted at once, from scratch"
    settled = settled_without_epochs(inputs.config, inputs.machine, why=why)
    inputs.on_progress(Progress("count", 0, n_items, "counting words"))
    counted = CountedTexts(items["text"].tolist())
    shared = TextFeatures().embed_counted(counted, items, inputs.cache_dir)
    inputs.on_progress(Progress("count", n_items, n_items, "counting words"))
    features, units = shared.read()[0], items["unit"].tolist()
    return TfidfItems(counted, features, units, replace(settled, arch=NAME), len(inputs.task.classes))
