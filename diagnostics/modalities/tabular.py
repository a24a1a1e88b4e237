"""Table rows: gradient boosting, and fastai's tabular network in the same way as networks of images."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import Tensor

from diagnostics.array_loader import ArrayLoader
from diagnostics.errors import ConfigError
from diagnostics.explanations import Explanations
from diagnostics.image_files import ImageRoot
from diagnostics.loaders import make_loaders
from diagnostics.modalities import EmbedInputs, Machine, OpenedItems, OpenInputs, ToExplain
from diagnostics.modalities.tabular_quick import RowFeatures
from diagnostics.progress import ProgressCallback
from diagnostics.rows.boosting import BoostedTrees, fit_boosted_trees, in_bins
from diagnostics.rows.encoding import EncodedRows, RowEncoding, fit_encoding
from diagnostics.rows.explain import explain_rows
from diagnostics.rows.net import RowNet
from diagnostics.task import NO_LABEL, FloatArray, IntArray
from diagnostics.training.checkpoint import load_weights
from diagnostics.training.config import TrainConfig
from diagnostics.training.estimator import EstimatorWay, settled_without_epochs
from diagnostics.training.imbalance import Shown
from diagnostics.training.network import NetworkWay
from diagnostics.training.recipe import Phase, optimizer_of, settled_network

MODALITY = "tabular"
GRADIENT_BOOSTING, TABULAR_NET = "gradient_boosting", "tabular_net"
ROWS_SEEN = 30_000
EPOCHS = (8, 15)
NET_WORK = 300.0


@dataclass(frozen=True)
class BoostedRows:
    """A fitted model with the rows it predicts; see `diagnostics.modalities.FittedEstimator`.

    values : (n_items, n_columns), see `in_bins`
    feature_of : (n_columns,), the place in `names` of each column's feature
    seed : of what explanations draw
    """

    trees: BoostedTrees
    values: FloatArray
    feature_of: IntArray
    names: tuple[str, ...]
    seed: int

    def predict(self, positions: IntArray) -> FloatArray:
        """(n, n_classes) probabilities."""
        return self.trees.predict(self.values[positions])

    def explain(self, asked: ToExplain, *, should_stop: Callable[[], bool]) -> Explanations:
        return explain_rows(
            self.trees.predict,
            self.values,
            self.feature_of,
            self.names,
            asked,
            seed=self.seed,
            should_stop=should_stop,
        )


class BoostingItems:
    """Rows for gradient boosting; see `diagnostics.modalities.EstimatorItems`.

    work : 0, because its own threads are better used than several processes
    """

    work = 0.0
    features: FloatArray | None

    def __init__(
        self,
        encoding: RowEncoding,
        rows: EncodedRows,
        features: FloatArray,
        config: TrainConfig,
        *,
        n_threads: int,
    ) -> None:
        self.config = config
        self.features = features
        self.notes = tuple(encoding.notes())
        self._names = encoding.names
        self._rows = rows
        self._values = in_bins(rows)
        self._n_threads = n_threads

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
    ) -> BoostedRows:
        trees = fit_boosted_trees(
            self._values[train],
            self._rows.is_category,
            codes,
            n_classes,
            weights=weights,
            seed=seed,
            n_threads=self._n_threads,
            should_stop=should_stop,
            on_share=on_share,
        )
        return BoostedRows(trees, self._values, self._rows.feature_of, self._names, seed)


@dataclass(frozen=True)
class RowItems:
    """Rows as a loader takes them; see `diagnostics.array_loader.BatchItems`.

    values : (n_rows, n_columns) float64 on the device; codes : (n_rows,) on the CPU; rows : (n_items,) of these two
    """

    n_inp: ClassVar[int] = 1

    values: Tensor
    codes: Tensor
    rows: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        values, codes = self.batch(np.array([position]))
        return values[0], codes[0]

    def batch(self, positions: IntArray) -> tuple[Tensor, Tensor]:
        """(n, n_columns) and (n,)"""
        rows = torch.from_numpy(self.rows[positions])
        return self.values[rows.to(self.values.device)], self.codes[rows]


class NetItems:
    """Rows for the tabular network; see `diagnostics.modalities.NetworkItems`."""

    features: FloatArray | None = None
    work = NET_WORK

    def __init__(
        self,
        encoding: RowEncoding,
        rows: EncodedRows,
        flagged: IntArray,
        codes: IntArray,
        config: TrainConfig,
        classes: tuple[str, ...],
        machine: Machine,
    ) -> None:
        self.config = config
        self.notes = tuple(encoding.notes())
        self._encoding = encoding
        self._rows = rows
        self._flagged = flagged
        self._codes = torch.from_numpy(codes)
        self._classes = classes
        self._machine = machine
        self._values = torch.from_numpy(rows.values).to(machine.device)

    @property
    def way(self) -> NetworkWay:
        return NetworkWay(self)

    def prepare(
        self, folder: Path, *, on_progress: ProgressCallback, should_stop: Callable[[], bool]
    ) -> None:
        """Nothing: what a model learns of its columns it learns from its own training rows."""

    def phases(self, lr: float) -> list[Phase]:
        return [Phase("from scratch", self.config.epochs or 1, lr)]

    def learner(
        self,
        train: IntArray,
        held_out: IntArray,
        *,
        learnt_codes: IntArray,
        shown: Shown,
        loss_func: Any,
        path: Path,
    ) -> Learner:
        """A fastai Learner whose network has looked at the columns of the training rows alone."""
        network = self._network()
        network.learn_columns(self._rows.values[train])
        return Learner(
            self._loaders(train, held_out, learnt_codes, shown),
            network.to(self._machine.device),
            loss_func=loss_func,
            opt_func=optimizer_of(self.config),
            path=path,
        )

    def in_order(self, positions: IntArray) -> IntArray:
        """As they are: all rows have one size."""
        return np.arange(len(positions))

    def views(self, positions: IntArray) -> list[Tensor]:
        return [self._values[torch.from_numpy(positions).to(self._machine.device)]]

    def logits(self, network: Any, view: Tensor) -> Tensor:
        said: Tensor = network(view)
        return said

    def explain(
        self,
        network: Any,
        asked: ToExplain,
        *,
        probabilities: Callable[[Tensor], Tensor],
        should_stop: Callable[[], bool],
    ) -> Explanations:
        def predict(values: FloatArray) -> FloatArray:
            with torch.inference_mode():
                logits = network(torch.from_numpy(values).to(self._machine.device))
                probs: FloatArray = probabilities(logits.float()).cpu().numpy()
            return probs

        network.eval()
        return explain_rows(
            predict,
            self._rows.values,
            self._rows.feature_of,
            self._encoding.names,
            asked,
            seed=self.config.seed,
            should_stop=should_stop,
        )

    def load_network(self, weights: Path) -> RowNet:
        network = self._network().to(self._machine.device)
        load_weights(weights, network)
        return network

    def describe_model(self) -> Mapping[str, Any]:
        return {
            "arch": self.config.arch,
            "encoding": self._encoding.to_json(),
            "flagged": self._flagged.tolist(),
            "classes": list(self._classes),
        }

    def _network(self) -> RowNet:
        return RowNet(self._rows.n_codes, self._flagged, len(self._classes))

    def _loaders(
        self, train: IntArray, held_out: IntArray, learnt_codes: IntArray, shown: Shown
    ) -> DataLoaders:
        learnt = RowItems(self._values, torch.from_numpy(learnt_codes), train)
        evaluated = RowItems(self._values, self._codes, held_out)
        return make_loaders(
            partial(ArrayLoader, learnt, prepare=_as_it_is),
            partial(ArrayLoader, evaluated, prepare=_as_it_is),
            shown=shown,
            batch_size=self.config.batch_size or 1,
            device=self._machine.device,
        )


def _as_it_is(values: Tensor) -> Tensor:
    return values


def open_items(inputs: OpenInputs) -> OpenedItems:
    """Turn rows into numbers and fill in the configuration; of the items count feature:NAME and content_hash.

    raises : ConfigError for an unknown architecture or options that it does not have, DataError without features
    """
    config = inputs.config
    arch = GRADIENT_BOOSTING if config.arch == "auto" else config.arch
    if arch not in ARCHITECTURES:
        near = difflib.get_close_matches(arch, ARCHITECTURES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {' and '.join(ARCHITECTURES)}."
        raise ConfigError(f"Rows cannot be trained on with the architecture {arch!r}: {hint}")
    return ARCHITECTURES[arch](replace(inputs, config=replace(config, arch=arch)))


def open_trained(
    items: pd.DataFrame,
    *,
    about: Mapping[str, Any],
    roots: Sequence[ImageRoot],
    cache_dir: Path,
    machine: Machine,
    on_progress: ProgressCallback,
) -> NetItems:
    """Rows for a network that is trained already, as numbers that it knows; about : as `NetItems.describe_model`."""
    encoding = RowEncoding.from_json(about["encoding"])
    return NetItems(
        encoding,
        encoding.encode(items),
        np.array(about["flagged"], dtype=np.int64),
        np.full(len(items), NO_LABEL, dtype=np.int64),
        TrainConfig(arch=about["arch"]),
        tuple(about["classes"]),
        machine,
    )


def _open_boosting(inputs: OpenInputs) -> BoostingItems:
    settled = settled_without_epochs(inputs.config, inputs.machine, why="gradient boosting is fitted at once")
    encoding = fit_encoding(inputs.items)
    embed = EmbedInputs(
        inputs.items,
        MODALITY,
        inputs.roots,
        inputs.cache_dir,
        inputs.machine,
        inputs.on_progress,
        should_stop=lambda: False,
    )
    return BoostingItems(
        encoding,
        encoding.encode(inputs.items),
        RowFeatures().embed(embed).read()[0],
        settled,
        n_threads=inputs.machine.n_threads,
    )


def _open_net(inputs: OpenInputs) -> NetItems:
    encoding = fit_encoding(inputs.items)
    rows = encoding.encode(inputs.items)
    flagged = np.flatnonzero(~rows.is_category & np.isnan(rows.values).any(axis=0))
    settled = settled_network(inputs.config, inputs.n_train, inputs.machine, shown=ROWS_SEEN, epochs=EPOCHS)
    settled = replace(settled, frozen_epochs=0)
    return NetItems(encoding, rows, flagged, inputs.codes, settled, inputs.task.classes, inputs.machine)


ARCHITECTURES: dict[str, Callable[[OpenInputs], OpenedItems]] = {
    GRADIENT_BOOSTING: _open_boosting,
    TABULAR_NET: _open_net,
}
