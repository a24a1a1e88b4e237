import pickle
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from fastai.text.models.awdlstm import AWD_LSTM
from fastai.text.models.core import get_language_model

from diagnostics.errors import Cancelled, WeightsError
from diagnostics.explanations import read_explanations
from diagnostics.texts import awd_lstm, networks
from diagnostics.texts.awd_lstm import AwdLstm, find_pretrained, read_words
from diagnostics.texts.tokens import TokenItems, TokenLoader, padded
from diagnostics.training import fit
from diagnostics.training.config import TrainConfig
from tests.diagnostics.text_items import (
    SETS,
    TASK,
    assert_sets_are_learnt,
    make_texts,
    quick_inputs,
    quick_run,
    train,
    with_sets,
)

TINY = {"emb_sz": 12, "n_hid": 16, "n_layers": 2}
CONFIG = TrainConfig(
    arch="awd_lstm",
    epochs=8,
    folds=2,
    lr=0.03,
    n_threads=1,
    batch_size=10,
    planted=0.1,
    mixed_precision="off",
)
READING_FIRST = replace(CONFIG, epochs=2, lm_epochs=1)


@pytest.fixture(scope="module")
def tiny_networks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(awd_lstm, "SCRATCH_SIZES", TINY)
        patch.setattr(networks, "MAX_EXPLAINED", 40)
        yield


@pytest.fixture(scope="module")
def items():
    return make_texts(240, n_val=12)


@pytest.fixture(scope="module")
def run(items, tmp_path_factory, tiny_networks):
    return train(items, tmp_path_factory.mktemp("awd"), CONFIG)


def test_a_recurrent_network_learns_texts_out_of_fold(run, items):
    scores = run.scores[run.scores["given_label"].notna()]
    assert (scores["predicted_label"] == scores["given_label"]).mean() > 0.7
    assert set(run.history["phase"]) == {"from scratch"}
    assert sorted(path.name for path in (run.folder / "weights").iterdir()) == [
        "fold-0.safetensors", "fold-1.safetensors", "model.json",
    ]  # fmt: skip
    assert run.predictions.fold_embeddings.shape[:2] == (2, len(items))


def test_a_recurrent_network_learns_several_labels(items, tmp_path, tiny_networks):
    assert_sets_are_learnt(train(with_sets(items), tmp_path, replace(CONFIG, planted=0.0), task=SETS))


def test_words_are_explained_by_leaving_them_out(run, items):
    found = read_explanations(run.folder)
    texts = items["text"].tolist()
    explained = [row for row in range(len(items)) if found.of(row)]
    assert explained
    for row in explained:
        words = [texts[row][start:end] for start, end, _ in found.of(row)]
        assert max(abs(effect) for _, _, effect in found.of(row)) == 1
        assert all(word.strip() == word and word for word in words)


def test_only_the_most_suspect_texts_are_explained(items, tmp_path, tiny_networks, monkeypatch):
    monkeypatch.setattr(networks, "MAX_EXPLAINED", 10)
    few = train(items, tmp_path, replace(CONFIG, epochs=1, lm_epochs=0))
    found = read_explanations(few.folder)
    assert 0 < sum(bool(found.of(row)) for row in range(len(items))) <= 10


def test_a_run_that_was_stopped_goes_on_at_its_epoch(items, tmp_path, tiny_networks, monkeypatch):
    uninterrupted = train(items, tmp_path / "whole", READING_FIRST)
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY_S", 0.0)
    calls = []

    def after_a_while():
        calls.append(1)
        return len(calls) > 25

    with pytest.raises(Cancelled):
        train(items, tmp_path / "parts", READING_FIRST, should_stop=after_a_while)
    seen = []
    resumed = train(items, tmp_path / "parts", READING_FIRST, on_progress=seen.append)
    assert "language model" not in {progress.stage for progress in seen}
    np.testing.assert_allclose(
        resumed.predictions.pred_probs, uninterrupted.predictions.pred_probs, atol=1e-4
    )


def test_layers_that_know_the_language_are_unfrozen_one_after_the_other():
    network = AwdLstm(["xxunk", "xxpad"], TINY, None)
    phases = network.phases(replace(CONFIG, lm_epochs=1), 0.02)
    assert [(phase.n_epochs, phase.freeze_to) for phase in phases] == [(1, -1), (1, -2), (1, -3), (5, 0)]
    assert [phase.moms for phase in phases] == [(0.8, 0.7, 0.8)] * 4
    for phase in phases:
        assert phase.lr.stop / phase.lr.start == pytest.approx(2.6**4)
    assert [phase.lr.stop for phase in phases] == pytest.approx([0.02, 0.01, 0.005, 0.002])
    assert sum(phase.n_epochs for phase in network.phases(replace(CONFIG, lm_epochs=1, epochs=2), 0.02)) == 2


def test_quick_rounds_take_the_features_of_the_newest_network(run, items, tmp_path, tiny_networks):
    more = make_texts(243, n_val=12)
    quick = quick_run(quick_inputs(more, tmp_path, base=run), tmp_path)
    assert quick.info.quick.base_run == "run-0001"
    assert quick.predictions.fold_embeddings.shape[:2] == (2, len(more))


def test_batches_hold_texts_of_about_the_same_length():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 60, size=200)
    items = TokenItems([np.full(length, 5) for length in lengths], torch.arange(200), 1)
    loader = TokenLoader(items, draw=lambda rng: rng.permutation(200), bs=20, shuffle=True)
    seen, widths = [], []
    for tokens, codes in loader:
        filled = (tokens != 1).sum(dim=1)
        assert (filled[:-1] >= filled[1:]).all()
        np.testing.assert_array_equal(codes, loader.batch_positions)
        seen += codes.tolist()
        widths.append((int(filled[0]), int(filled[-1])))
    assert sorted(seen) == list(range(200))
    assert np.mean([longest - shortest for longest, shortest in widths]) < 10
    assert padded([np.array([3, 4]), np.array([5])], 1).tolist() == [[3, 4], [5, 1]]


def write_pretrained(folder, words):
    """A language model of the tiny size as fastai stores it."""
    network = AwdLstm(words, TINY, None)
    model = get_language_model(AWD_LSTM, len(words), config=network._lm_sizes())
    folder.mkdir()
    torch.save(OrderedDict(model.state_dict()), folder / "lstm_fwd.pth")
    (folder / "itos_wt103.pkl").write_bytes(pickle.dumps(words))
    return model


def test_pretrained_weights_come_from_the_file_that_is_given(items, tmp_path, monkeypatch):
    monkeypatch.setattr(awd_lstm, "PRETRAINED_SIZES", TINY)
    words = ["xxunk", "xxpad", "xxbos", "cat", "bread"]
    model = write_pretrained(tmp_path / "weights", words)
    config = replace(
        CONFIG,
        pretrained=True,
        weights_file=str(tmp_path / "weights" / "lstm_fwd.pth"),
        lm_epochs=0,
        epochs=1,
    )
    network = AwdLstm(["xxunk", "xxpad", "bread", "saw"], TINY, find_pretrained(config))
    matched = network._matched(find_pretrained(config))
    embedding = model[0].encoder.weight.detach()
    torch.testing.assert_close(matched["0.encoder.weight"][2], embedding[4])
    torch.testing.assert_close(matched["0.encoder.weight"][3], embedding.mean(dim=0))
    run = train(items.iloc[:60], tmp_path, replace(config, planted=0.0))
    assert run.info.pretrained


def test_pretrained_weights_that_cannot_be_had_are_told_with_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setattr(awd_lstm, "fastai_path", lambda kind: tmp_path)
    config = TrainConfig(arch="awd_lstm", pretrained=True)
    with pytest.raises(WeightsError, match=r"lstm_fwd\.pth and itos_wt103\.pkl from https.*Three ways out"):
        find_pretrained(config, probe=lambda url: False)
    with pytest.raises(WeightsError, match="is not a file"):
        find_pretrained(replace(config, weights_file=str(tmp_path / "nothing.pth")))


def test_words_that_are_more_than_words_are_not_run(tmp_path):
    path = tmp_path / "itos_wt103.pkl"
    path.write_bytes(pickle.dumps([print, "a"]))
    with pytest.raises(WeightsError, match=r"plain list of words: it asks for builtins\.print"):
        read_words(path)


def test_the_language_is_read_without_labels(items):
    assert TASK.classes  # the vocabulary comes from texts of all splits
    words = {word for of_text in awd_lstm.words_of(items["text"]) for word in of_text}
    assert {"cat", "xxbos"} <= words
