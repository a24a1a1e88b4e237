import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import torch

from diagnostics.errors import ConfigError, WeightsError
from diagnostics.explanations import read_explanations
from diagnostics.texts import transformer
from diagnostics.training.config import TrainConfig
from tests.diagnostics.text_items import (
    FILLERS,
    SETS,
    WORDS,
    assert_sets_are_learnt,
    make_texts,
    quick_inputs,
    quick_run,
    train,
    with_sets,
)

transformers = pytest.importorskip("transformers", reason="the extra text is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a tiny model with random weights and a tokenizer of whole words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("model")
    words = ["[PAD]", "[UNK]", ".", *FILLERS, *(word for of_class in WORDS.values() for word in of_class)]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    ).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def config(model):
    return TrainConfig(
        arch=f"transformer:{model}", epochs=5, folds=2, lr=0.02, n_threads=1, batch_size=16, planted=0.0
    )


@pytest.fixture(scope="module")
def items():
    return make_texts(120, n_val=12)


@pytest.fixture(scope="module")
def run(items, config, tmp_path_factory):
    return train(items, tmp_path_factory.mktemp("transformer"), config)


def test_a_transformer_learns_texts_out_of_fold(run, items):
    scores = run.scores[run.scores["given_label"].notna()]
    assert (scores["predicted_label"] == scores["given_label"]).mean() > 0.6
    assert run.predictions.fold_embeddings.shape == (2, len(items), 24)
    assert run.info.pretrained
    assert read_explanations(run.folder).of(0)


def test_a_transformer_learns_several_labels_in_half_precision(items, config, tmp_path):
    in_half = replace(config, epochs=14, lr=0.04, mixed_precision="bf16")
    assert_sets_are_learnt(train(with_sets(items), tmp_path, in_half, task=SETS))


def test_without_a_learning_rate_it_takes_one_made_for_fine_tuning(run, items, config, tmp_path):
    quickly = train(items, tmp_path, replace(config, lr=None, epochs=1))
    assert quickly.info.resolved.lr == 3e-4
    assert quickly.lr_finder.empty


def test_texts_that_a_run_did_not_have_are_embedded_with_its_weights(run, tmp_path):
    more = make_texts(123, n_val=12)
    quick = quick_run(quick_inputs(more, tmp_path, base=run), tmp_path)
    rows = np.flatnonzero(quick.predictions.item_ids == "train-0000")
    np.testing.assert_allclose(
        np.asarray(quick.predictions.fold_embeddings[0, rows], dtype=np.float32),
        np.asarray(run.predictions.fold_embeddings[0, rows], dtype=np.float32),
        atol=0.02,
    )
    scores = quick.scores[quick.scores["given_label"].notna()]
    assert (scores["predicted_label"] == scores["given_label"]).mean() > 0.6


def test_texts_that_are_longer_than_the_network_reads_are_told(model, items, config, tmp_path):
    longer = items.head(30).copy()
    longer.loc[0, "text"] = " ".join(["bread"] * 200)
    told = train(longer, tmp_path, replace(config, epochs=1))
    assert "Texts of which the network reads only the first 64 tokens: 1." in told.info.notes


def test_the_first_layers_learn_slowest(model):
    network = transformer.Classifier(transformers.AutoModel.from_pretrained(model), 0, 3)
    groups = transformer.layer_groups(network)
    assert len(groups) == 3
    assert sum(len(group) for group in groups) == len(list(network.parameters()))
    (phase,) = transformer.Transformer(str(model)).phases(TrainConfig(epochs=2), 0.02)
    assert (phase.lr.start, phase.lr.stop) == (pytest.approx(0.001), 0.02)


def test_what_is_missing_is_said(monkeypatch):
    with pytest.raises(ConfigError, match="Say which model after transformer"):
        transformer._checked("transformer")
    with pytest.raises(WeightsError, match=r"nobody/nothing.*Three ways out"):
        transformer._checked("transformer:nobody/nothing", probe=lambda url: False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"winnow\[text\]"):
        transformer._checked("transformer:nobody/nothing")
