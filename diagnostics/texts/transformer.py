"""Any encoder of the package transformers with a linear head, trained in a fastai Learner."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import Tensor, nn

from diagnostics.errors import ConfigError
from diagnostics.modalities import Machine, OpenInputs
from diagnostics.model_choices.text import TRANSFORMER_WITHOUT
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.task import IntArray
from diagnostics.texts.networks import NetworkTexts, open_trained_texts
from diagnostics.texts.tokens import TokenItems
from diagnostics.training.config import TrainConfig, refuse_options
from diagnostics.training.recipe import Phase, settled_network
from diagnostics.training.weights import Probe, can_reach, find_on_hub

NAME = "transformer"
MAX_TOKENS = 256
USUAL_LR, LR_SPREAD = 3e-4, 20.0
HEAD_DROPOUT = 0.1
SHOWN, EPOCHS = 40_000, (3, 8)
COST_OF_A_TOKEN = 2000.0


class Classifier(nn.Module):
    """An encoder, the mean over a text's tokens, and a linear layer."""

    def __init__(self, encoder: Any, pad: int, n_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.pad = pad
        self.dropout = nn.Dropout(HEAD_DROPOUT)
        self.head = nn.Linear(encoder.config.hidden_size, n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        mask = (tokens != self.pad).long()
        hidden = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        shares = (mask / mask.sum(dim=1, keepdim=True).clamp_min(1)).unsqueeze(2).to(hidden.dtype)
        logits: Tensor = self.head(self.dropout((hidden * shares).sum(dim=1)))
        return logits


class Transformer:
    """See `diagnostics.texts.networks.TextNetwork`.

    name : of a model on the Hugging Face hub, or its folder
    """

    cost = COST_OF_A_TOKEN

    def __init__(self, name: str) -> None:
        from transformers import AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self._name = name
        self._tokenizer = AutoTokenizer.from_pretrained(name)
        pad = self._tokenizer.pad_token_id
        if pad is None:
            raise ConfigError(
                f"The tokenizer of {name} has no token to fill up batches with; choose another model."
            )
        self.pad = int(pad)
        self.longest = min(MAX_TOKENS, int(self._tokenizer.model_max_length))

    def tokens_of(self, texts: Sequence[str]) -> list[IntArray]:
        cut = self._tokenizer(list(texts), truncation=True, max_length=self.longest)["input_ids"]
        unknown = self._tokenizer.unk_token_id
        least = [self.pad if unknown is None else int(unknown)]
        return [np.array(numbers or least, dtype=np.int64) for numbers in cut]

    def phases(self, config: TrainConfig, lr: float) -> list[Phase]:
        """One cycle; the head learns at `lr`, the first layers at a twentieth of it."""
        return [Phase("fine-tuning", config.epochs or 1, slice(lr / LR_SPREAD, lr))]

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
        """Nothing is done once a run."""

    def learner(self, loaders: DataLoaders, n_classes: int, *, with_weights: bool, **options: Any) -> Any:
        from transformers import AutoConfig, AutoModel

        if with_weights:
            encoder = AutoModel.from_pretrained(self._name)
        else:
            encoder = AutoModel.from_config(AutoConfig.from_pretrained(self._name))
        network = Classifier(encoder.float(), self.pad, n_classes)
        return Learner(loaders, network, splitter=partial(layer_groups), **options)

    def logits(self, network: Any, tokens: Tensor) -> Tensor:
        said: Tensor = network(tokens)
        return said

    def describe(self) -> Mapping[str, Any]:
        return {"transformer": self._name}


def layer_groups(network: Classifier) -> list[list[nn.Parameter]]:
    """Embeddings and the first half of the layers; the other half and what follows; the head."""
    stacks = [module for module in network.encoder.modules() if isinstance(module, nn.ModuleList)]
    layers = list(max(stacks, key=lambda stack: len(list(stack)))) if stacks else []
    later = {id(weight) for layer in layers[len(layers) // 2 :] for weight in layer.parameters()}
    body = list(network.encoder.parameters())
    groups = [
        [weight for weight in body if id(weight) not in later],
        [weight for weight in body if id(weight) in later],
        list(network.head.parameters()),
    ]
    return [group for group in groups if group]


def open_items(inputs: OpenInputs) -> NetworkTexts:
    """Cut the texts of a run into the model's tokens, as `diagnostics.modalities.text.open_items`.

    raises : ConfigError if the package transformers or the name is missing; WeightsError if the model cannot be had
    """
    config, why = inputs.config, f"{NAME}:NAME names its weights and is trained whole"
    refuse_options(config, TRANSFORMER_WITHOUT, why=why)
    name = _checked(config.arch)
    texts = inputs.items["text"].tolist()
    inputs.on_progress(Progress("tokens", 0, len(texts), "cutting texts into tokens"))
    settled = settled_network(config, inputs.n_train, inputs.machine, shown=SHOWN, epochs=EPOCHS)
    known = replace(settled, pretrained=True, lr=config.lr or USUAL_LR)
    opened = NetworkTexts(Transformer(name), texts, inputs.codes, known, inputs.task.classes, inputs.machine)
    inputs.on_progress(Progress("tokens", len(texts), len(texts), "cutting texts into tokens"))
    return opened


def open_trained(
    items: pd.DataFrame, *, about: Mapping[str, Any], machine: Machine, on_progress: ProgressCallback
) -> NetworkTexts:
    """As `diagnostics.modalities.text.open_trained`."""
    return open_trained_texts(Transformer(_checked(about["arch"])), items, about, machine)


def _checked(arch: str, *, probe: Probe = can_reach) -> str:
    """The name of a model that is here or can be fetched."""
    name = arch.partition(":")[2].strip()
    if not name:
        raise ConfigError(
            f"Say which model after {NAME}: a name on the Hugging Face hub or a folder, for example "
            "transformer:distilbert-base-uncased."
        )
    if importlib.util.find_spec("transformers") is None:
        raise ConfigError(
            'Models of this kind need the package transformers. Install it with: pip install "winnow[text]", or train '
            "tfidf or awd_lstm."
        )
    if not Path(name).is_dir():
        find_on_hub(name, name, probe)
    return name
