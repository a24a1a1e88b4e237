"""AWD-LSTM (Merity et al., 2017), trained as in ULMFiT (Howard & Ruder, 2018) through fastai's text learners.

Texts are cut into tokens by fastai's rules and spaCy's tokenizer, which needs none of spaCy's models. The vocabulary is
that of all texts of the run, their labels not looked at.
"""

import io
import pickle
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback, CancelFitException, CancelValidException
from fastai.callback.progress import ProgressCallback as FastaiProgress
from fastai.data.core import DataLoaders, TfmdLists
from fastai.data.external import URLs, fastai_path, untar_data
from fastai.learner import Recorder
from fastai.text.core import SpacyTokenizer, TokenizeWithRules
from fastai.text.data import LMDataLoader, LMTensorText, make_vocab
from fastai.text.learner import (
    language_model_learner,
    load_ignore_keys,
    match_embeds,
    text_classifier_learner,
)
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config
from torch import Tensor

from diagnostics.errors import Cancelled, WeightsError
from diagnostics.modalities import Machine, OpenInputs
from diagnostics.model_choices.text import AWD_LSTM_WITHOUT
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.task import IntArray
from diagnostics.texts.networks import NetworkTexts, open_trained_texts
from diagnostics.texts.tokens import TokenItems
from diagnostics.training.checkpoint import load_weights, save_weights
from diagnostics.training.config import TrainConfig, refuse_options
from diagnostics.training.device import seed_everything
from diagnostics.training.recipe import Phase, settled_network
from diagnostics.training.weights import Probe, can_reach, cannot_be_had

NAME = "awd_lstm"
PRETRAINED_SIZES = {"emb_sz": 400, "n_hid": 1152, "n_layers": 3}
SCRATCH_SIZES = {"emb_sz": 200, "n_hid": 400, "n_layers": 2}
UNKNOWN, PAD = 0, 1
FEWEST_OF_A_WORD = 2
MAX_TOKENS, AT_A_TIME = 500, 72
DROPOUT, LM_DROPOUT = 0.5, 0.3
MOMS = (0.8, 0.7, 0.8)
LAYER_STEP = 2.6**4
SHOWN, EPOCHS = 100_000, (8, 20)
LM_LR, LM_BATCH_SIZE = 5e-3, 64
ENCODER_FILE = "encoder.safetensors"
WT103_FILES = ("lstm_fwd.pth", "itos_wt103.pkl")
COST_OF_A_TOKEN = 40.0


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights of a language model and the words that its embedding is of."""

    weights: Path
    words: Path


class AwdLstm:
    """See `diagnostics.texts.networks.TextNetwork`.

    vocabulary : the word of each number
    """

    pad = PAD
    longest = MAX_TOKENS
    cost = COST_OF_A_TOKEN

    def __init__(
        self, vocabulary: Sequence[str], sizes: Mapping[str, int], pretrained: Pretrained | None
    ) -> None:
        self.vocabulary = list(vocabulary)
        self._sizes = dict(sizes)
        self._pretrained = pretrained
        self._number_of = {word: number for number, word in reversed(list(enumerate(self.vocabulary)))}
        self._encoder: Path | None = None

    def tokens_of(self, texts: Sequence[str]) -> list[IntArray]:
        numbers = [
            [self._number_of.get(word, UNKNOWN) for word in words[:MAX_TOKENS]] for words in words_of(texts)
        ]
        return [np.array(of_text or [UNKNOWN], dtype=np.int64) for of_text in numbers]

    def phases(self, config: TrainConfig, lr: float) -> list[Phase]:
        """From scratch one cycle; with an encoder that knows the language one layer group after the other is unfrozen.

        Earlier layers learn more slowly, down to 1 / 2.6⁴ of the last one's rate.
        """
        epochs = config.epochs or 1
        if not (config.pretrained or config.lm_epochs):
            return [Phase("from scratch", epochs, lr, moms=MOMS)]
        steps = [("last layers", -1, 1.0), ("last 2 groups", -2, 0.5), ("last 3 groups", -3, 0.25)][
            : epochs - 1
        ]
        gradual = [
            Phase(name, 1, slice(lr * share / LAYER_STEP, lr * share), freeze_to=group, moms=MOMS)
            for name, group, share in steps
        ]
        whole = Phase("all layers", epochs - len(steps), slice(lr / 10 / LAYER_STEP, lr / 10), moms=MOMS)
        return [*gradual, whole]

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
        """Train the language model on all texts, once a run; its encoder is kept with the run until it is finished."""
        if not config.lm_epochs:
            return
        path = folder / ENCODER_FILE
        if not path.is_file():
            encoder = self._train_language_model(items, config, machine, on_progress, should_stop)
            save_weights(path, encoder)
        self._encoder = path

    def learner(self, loaders: DataLoaders, n_classes: int, *, with_weights: bool, **options: Any) -> Any:
        loaders.vocab = self.vocabulary
        learner = text_classifier_learner(
            loaders,
            AWD_LSTM,
            seq_len=AT_A_TIME,
            config=self._sizes,
            pretrained=False,
            drop_mult=DROPOUT,
            n_out=n_classes,
            max_len=MAX_TOKENS,
            **options,
        )
        encoder = learner.model[0].module
        if with_weights and self._encoder is not None:
            load_weights(self._encoder, encoder)
        elif with_weights and self._pretrained is not None:
            load_ignore_keys(learner.model[0], self._matched(self._pretrained))
        return learner

    def logits(self, network: Any, tokens: Tensor) -> Tensor:
        network.reset()
        said: Tensor = network(tokens)[0]
        return said

    def describe(self) -> Mapping[str, Any]:
        return {"vocabulary": self.vocabulary, "sizes": self._sizes}

    def _matched(self, pretrained: Pretrained) -> dict[str, Tensor]:
        """The pretrained weights, the embedding's rows those of the vocabulary; words that it lacks get the mean."""
        stored = torch.load(pretrained.weights, map_location="cpu", weights_only=True)
        matched: dict[str, Tensor] = match_embeds(
            dict(stored.get("model", stored)), read_words(pretrained.words), self.vocabulary
        )
        return matched

    def _train_language_model(
        self,
        items: TokenItems,
        config: TrainConfig,
        machine: Machine,
        on_progress: ProgressCallback,
        should_stop: Callable[[], bool],
    ) -> Any:
        seed_everything(config.seed, 0, 1)
        n_epochs = config.lm_epochs
        texts = TfmdLists([LMTensorText(torch.from_numpy(tokens)) for tokens in items.tokens], [_as_it_is])
        lengths = items.lengths().tolist()
        batch_size = max(1, min(LM_BATCH_SIZE, sum(lengths) // AT_A_TIME))
        loader = LMDataLoader(texts, lens=lengths, bs=batch_size, seq_len=AT_A_TIME, shuffle=True)
        loaders = DataLoaders(loader, loader.new(shuffle=False), device=machine.device)
        loaders.vocab = self.vocabulary
        learner = language_model_learner(
            loaders, AWD_LSTM, config=self._lm_sizes(), drop_mult=LM_DROPOUT, pretrained=False
        )
        if self._pretrained is not None:
            load_ignore_keys(learner.model, self._matched(self._pretrained))
        for callback in list(learner.cbs):
            if isinstance(callback, FastaiProgress | Recorder):
                learner.remove_cb(callback)
        watch = _LanguageModelWatch(n_epochs * len(loader), on_progress, should_stop)
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(n_epochs, config.lr or LM_LR, moms=MOMS, cbs=[watch])
        if watch.stopped:
            raise Cancelled("Stopped while training the language model.")
        return learner.model[0]

    def _lm_sizes(self) -> dict[str, Any]:
        return {**awd_lstm_lm_config, **self._sizes}


def words_of(texts: Sequence[str]) -> list[list[str]]:
    """The tokens of each text, fastai's marks among them."""
    return [list(words) for words in _tokenizer()(list(texts))]


@cache
def _tokenizer() -> TokenizeWithRules:
    """Made once: that takes as long as cutting hundreds of texts."""
    return TokenizeWithRules(SpacyTokenizer())


def open_items(inputs: OpenInputs) -> NetworkTexts:
    """Cut the texts of a run into tokens, as `diagnostics.modalities.text.open_items`.

    raises : WeightsError if pretrained weights are asked for that cannot be had
    """
    config = inputs.config
    refuse_options(config, AWD_LSTM_WITHOUT, why=f"{NAME} is unfrozen layer by layer")
    texts = inputs.items["text"].tolist()
    inputs.on_progress(Progress("tokens", 0, len(texts), "cutting texts into tokens"))
    pretrained = find_pretrained(config) if config.pretrained else None
    counts = Counter(word for words in words_of(texts) for word in words)
    vocabulary = make_vocab(counts, min_freq=FEWEST_OF_A_WORD)
    network = AwdLstm(vocabulary, PRETRAINED_SIZES if pretrained else SCRATCH_SIZES, pretrained)
    known = settled_network(config, inputs.n_train, inputs.machine, shown=SHOWN, epochs=EPOCHS)
    opened = NetworkTexts(network, texts, inputs.codes, known, inputs.task.classes, inputs.machine)
    inputs.on_progress(Progress("tokens", len(texts), len(texts), "cutting texts into tokens"))
    return opened


def open_trained(
    items: pd.DataFrame, *, about: Mapping[str, Any], machine: Machine, on_progress: ProgressCallback
) -> NetworkTexts:
    """As `diagnostics.modalities.text.open_trained`."""
    return open_trained_texts(AwdLstm(about["vocabulary"], about["sizes"], None), items, about, machine)


def find_pretrained(config: TrainConfig, *, probe: Probe = can_reach) -> Pretrained:
    """The language model trained on Wikipedia (WT103): `weights_file` with its words beside it, else fastai's cache,
    else a download that is known to be possible.

    raises : WeightsError naming file, source, destination and the ways out
    """
    if config.weights_file is not None:
        return _files_in(Path(config.weights_file).parent, Path(config.weights_file).name)
    folder = Path(fastai_path("model")) / "wt103-fwd"
    if all((folder / name).is_file() for name in WT103_FILES):
        return _files_in(folder, WT103_FILES[0])
    if probe(URLs.WT103_FWD):
        return _files_in(Path(untar_data(URLs.WT103_FWD, c_key="model")), WT103_FILES[0])
    raise cannot_be_had(NAME, file_name=" and ".join(WT103_FILES), url=URLs.WT103_FWD, folder=folder)


def _files_in(folder: Path, name: str) -> Pretrained:
    found = Pretrained(folder / name, folder / WT103_FILES[1])
    missing = [path for path in (found.weights, found.words) if not path.is_file()]
    if missing:
        raise WeightsError(
            f"{missing[0]} is not a file. {NAME} needs the weights and, in the same folder, their words in "
            f"{WT103_FILES[1]}, as they are in {URLs.WT103_FWD}."
        )
    return found


def read_words(path: Path) -> list[str]:
    """The words of pretrained weights: a pickled list of texts; anything else in it is refused, not run.

    raises : WeightsError for such a file
    """
    try:
        words = _TextsOnly(io.BytesIO(path.read_bytes())).load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise WeightsError(f"{path} does not hold a plain list of words: {error}.") from error
    return [str(word) for word in words]


class _TextsOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")


def _as_it_is(tokens: Tensor) -> Tensor:
    return tokens


class _LanguageModelWatch(Callback):  # type: ignore[misc]
    def __init__(
        self, n_batches: int, on_progress: ProgressCallback, should_stop: Callable[[], bool]
    ) -> None:
        self.n_batches = n_batches
        self.on_progress = on_progress
        self.should_stop = should_stop
        self.n_done = 0
        self.stopped = False

    def before_validate(self) -> None:
        """There is nothing to judge: what counts comes later."""
        raise CancelValidException

    def after_batch(self) -> None:
        self.n_done += 1
        self.on_progress(
            Progress("language model", self.n_done, self.n_batches, "reading all texts, without labels")
        )
        if self.should_stop():
            self.stopped = True
            raise CancelFitException
