"""Texts that fastai networks are trained on: what is the same for all kinds of networks."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from fastai.data.core import DataLoaders
from fastai.losses import CrossEntropyLossFlat
from torch import Tensor

from diagnostics.errors import Cancelled
from diagnostics.explanations import MAX_PARTS, Explanations, explanations_of
from diagnostics.loaders import make_loaders
from diagnostics.modalities import Machine, ToExplain
from diagnostics.progress import ProgressCallback
from diagnostics.task import NO_LABEL, FloatArray, IntArray
from diagnostics.texts.pieces import parts_of
from diagnostics.texts.tokens import TokenItems, TokenLoader, longest_first, padded
from diagnostics.training.checkpoint import load_weights
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import Shown
from diagnostics.training.network import NetworkWay
from diagnostics.training.predict import read_logits
from diagnostics.training.recipe import Phase, optimizer_of

MAX_EXPLAINED = 2000
OCCLUDED_BATCH = 256


class TextNetwork(Protocol):
    """A kind of network, with its own tokens.

    pad : the token that fills up a batch; cost : how much one token costs, see `OpenedItems.work`
    longest : how many tokens of a text are read
    """

    pad: int
    longest: int
    cost: float

    def tokens_of(self, texts: Sequence[str]) -> list[IntArray]:
        """The numbers of each text's tokens, at least one each, cut off where the network reads no further."""

    def phases(self, config: TrainConfig, lr: float) -> list[Phase]: ...

    def prepare(
        self,
        items: TokenItems,
        config: TrainConfig,
        folder: Path,
        machine: Machine,
        *,
        on_progress: ProgressCallback,
        should_stop: Callable[[], bool],
    ) -> None:
        """As `diagnostics.modalities.NetworkItems.prepare`."""

    def learner(self, loaders: DataLoaders, n_classes: int, *, with_weights: bool, **options: Any) -> Any:
        """A fastai Learner. with_weights : start from weights that there are; else they are loaded afterwards"""

    def logits(self, network: Any, tokens: Tensor) -> Tensor: ...

    def describe(self) -> Mapping[str, Any]:
        """What is needed to make the network again; JSON-able."""


class NetworkTexts:
    """The texts of a run as tokens; see `diagnostics.modalities.NetworkItems`."""

    features: FloatArray | None = None

    def __init__(
        self,
        network: TextNetwork,
        texts: Sequence[str],
        codes: IntArray,
        config: TrainConfig,
        classes: tuple[str, ...],
        machine: Machine,
    ) -> None:
        self.config = config
        self._network = network
        self._texts = texts
        self._items = TokenItems(network.tokens_of(texts), torch.from_numpy(codes), network.pad)
        self.notes = _cut_notes(self._items.lengths(), network.longest)
        self._classes = classes
        self._machine = machine
        self.work = network.cost * float(np.mean(self._items.lengths())) if len(texts) else 0.0

    @property
    def way(self) -> NetworkWay:
        return NetworkWay(self)

    def prepare(
        self, folder: Path, *, on_progress: ProgressCallback, should_stop: Callable[[], bool]
    ) -> None:
        self._network.prepare(
            self._items, self.config, folder, self._machine, on_progress=on_progress, should_stop=should_stop
        )

    def phases(self, lr: float) -> list[Phase]:
        return self._network.phases(self.config, lr)

    def learner(
        self,
        train: IntArray,
        held_out: IntArray,
        *,
        learnt_codes: IntArray,
        shown: Shown,
        loss_func: Any,
        path: Path,
    ) -> Any:
        loaders = self._loaders(train, held_out, learnt_codes, shown)
        return self._learner(loaders, loss_func, path, with_weights=True)

    def in_order(self, positions: IntArray) -> IntArray:
        """The longest first, so that little is filled up."""
        return longest_first(self._items.lengths()[positions])

    def views(self, positions: IntArray) -> list[Tensor]:
        """The longest text first, as `in_order` has them."""
        tokens = padded([self._items.tokens[position] for position in positions], self._items.pad)
        return [tokens.to(self._machine.device)]

    def logits(self, network: Any, view: Tensor) -> Tensor:
        return self._network.logits(network, view)

    def explain(
        self,
        network: Any,
        asked: ToExplain,
        *,
        probabilities: Callable[[Tensor], Tensor],
        should_stop: Callable[[], bool],
    ) -> Explanations | None:
        """By occlusion: how much less the label is supported, against its rival if it has one, without each word.

        Of the MAX_EXPLAINED most suspect texts of the run; the others get no parts. Of a text of more than MAX_PARTS
        words several are left out at a time.
        """
        network.eval()
        n_explained = min(len(asked.positions), max(1, MAX_EXPLAINED // asked.n_models))
        items = []
        for number in range(n_explained):
            if should_stop():
                raise Cancelled("Stopped while explaining labels.")
            items.append(
                self._explain_one(
                    network,
                    self._texts[int(asked.positions[number])],
                    int(asked.codes[number]),
                    int(asked.rivals[number]),
                )
            )
        nothing = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
        return explanations_of([*items, *[nothing] * (len(asked.positions) - n_explained)])

    def load_network(self, weights: Path) -> Any:
        codes = torch.full((len(self._items),), NO_LABEL)
        one = self._items.part(np.zeros(1, dtype=np.int64), codes)
        loaders = DataLoaders(TokenLoader(one, bs=1), TokenLoader(one, bs=1))
        network = self._learner(loaders, CrossEntropyLossFlat(), weights.parent, with_weights=False).model
        load_weights(weights, network)
        return network

    def describe_model(self) -> Mapping[str, Any]:
        return {"arch": self.config.arch, "classes": list(self._classes), **self._network.describe()}

    def _learner(self, loaders: DataLoaders, loss: Any, path: Path, *, with_weights: bool) -> Any:
        learner = self._network.learner(
            loaders,
            len(self._classes),
            with_weights=with_weights,
            loss_func=loss,
            opt_func=optimizer_of(self.config),
            path=path,
        )
        learner.model.to(self._machine.device)
        return learner

    def _loaders(
        self, train: IntArray, held_out: IntArray, learnt_codes: IntArray, shown: Shown
    ) -> DataLoaders:
        return make_loaders(
            partial(TokenLoader, self._items.part(train, torch.from_numpy(learnt_codes))),
            partial(TokenLoader, self._items.part(held_out, self._items.codes)),
            shown=shown,
            batch_size=self.config.batch_size or 1,
            device=self._machine.device,
        )

    def _explain_one(
        self, network: Any, text: str, code: int, rival: int
    ) -> tuple[IntArray, IntArray, FloatArray]:
        spans = _grouped(parts_of(text))
        start, end = (np.array([span[side] for span in spans], dtype=np.int64) for side in (0, 1))
        without = [text[: span[0]] + text[span[1] :] for span in spans]
        tokens = self._network.tokens_of([text, *without])
        lead = np.empty(len(tokens))
        order = longest_first(np.array([len(numbers) for numbers in tokens]))
        for first in range(0, len(order), OCCLUDED_BATCH):
            part = order[first : first + OCCLUDED_BATCH]
            batch = padded([tokens[place] for place in part], self._items.pad).to(self._machine.device)
            logits = partial(self._network.logits, network)
            said = read_logits(network, logits, batch, self._machine)[0].cpu().numpy()
            lead[part] = said[:, code] - said[:, rival] if rival != code else said[:, code]
        return start, end, lead[0] - lead[1:]


def open_trained_texts(
    network: TextNetwork, items: pd.DataFrame, about: Mapping[str, Any], machine: Machine
) -> NetworkTexts:
    """As `diagnostics.modalities.text.open_trained`, for a network of the kind that was trained."""
    codes = np.full(len(items), NO_LABEL, dtype=np.int64)
    config = TrainConfig(arch=about["arch"])
    return NetworkTexts(network, items["text"].tolist(), codes, config, tuple(about["classes"]), machine)


def _cut_notes(lengths: IntArray, longest: int) -> tuple[str, ...]:
    n_cut = int((lengths >= longest).sum())
    if not n_cut:
        return ()
    return (f"Texts of which the network reads only the first {longest} tokens: {n_cut:,}.",)


def _grouped(parts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most MAX_PARTS, neighbours together if there are more."""
    size = -(-len(parts) // MAX_PARTS) or 1
    groups = [parts[first : first + size] for first in range(0, len(parts), size)]
    return [(group[0][0], group[-1][1]) for group in groups]
