import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from diagnostics.dynamics import read_dynamics
from diagnostics.errors import Cancelled, ConfigError, DataError
from diagnostics.explanations import read_explanations
from diagnostics.label_quality import read_label_quality
from diagnostics.modalities import ToExplain
from diagnostics.progress import ignore_progress
from diagnostics.texts import tfidf
from diagnostics.texts.counts import CountedTexts, dense_features
from diagnostics.texts.pieces import lower, parts_of
from diagnostics.texts.tfidf import FittedTfidf, word_effects
from diagnostics.training.checkpoint import Checkpoints
from diagnostics.training.config import TrainConfig
from diagnostics.training.run import train_and_predict
from diagnostics.training.sparse_head import choose_strength, fit_sparse_head
from tests.diagnostics.text_items import CONFIG, TASK, WORDS, make_texts, quick_inputs, quick_run, train


@pytest.fixture(scope="module")
def items():
    return make_texts(n_wrong=9)


@pytest.fixture(scope="module")
def run(items, tmp_path_factory):
    return train(items, tmp_path_factory.mktemp("tfidf"))


def test_texts_are_learnt_at_once_out_of_fold(run, items):
    predictions = run.predictions
    assert predictions.item_ids.tolist() == items["item_id"].tolist()
    assert set(predictions.kinds[predictions.splits == "train"]) == {"out_of_fold"}
    np.testing.assert_allclose(predictions.pred_probs.sum(axis=1), 1, atol=1e-5)
    right = run.scores["predicted_label"][9:150].to_numpy() == items["label"][9:150].to_numpy()
    assert right.mean() > 0.9
    assert run.info.resolved.arch == "tfidf"
    assert run.info.resolved.lr is None


def test_wrong_labels_come_first(run):
    quality = run.scores.set_index("item_id")["label_quality"].filter(like="train-")
    suspects = quality.sort_values().index[:9]
    assert sum(name < "train-0009" for name in suspects) >= 7


def test_an_estimator_has_one_row_of_history_a_fold(run):
    assert run.fitted_at_once
    assert run.history[["fold", "epoch"]].to_numpy().tolist() == [[0, 0], [1, 0], [2, 0]]
    assert (run.history["items_per_s"] > 0).all()
    assert (run.history["accuracy"] > 0.9).all()
    assert not (run.folder / "weights").exists()
    assert not (run.folder / "checkpoint").exists()


def test_all_models_share_the_features_of_the_texts(run, items):
    embeddings = run.predictions.fold_embeddings
    assert embeddings.shape[:2] == (1, len(items))
    assert np.abs(np.asarray(embeddings[0], dtype=np.float32)).sum(axis=1).min() > 0


def test_words_speak_for_the_label_or_for_another(run, items):
    found = read_explanations(run.folder)
    assert len(found) == len(items)
    for row, speaks_for in ((0, -1), (50, 1)):
        text, label = items["text"][row], items["label"][row]
        own = WORDS[label if speaks_for > 0 else TASK.classes[row % 3]]
        effects = {text[start:end]: effect for start, end, effect in found.of(row)}
        strongest = max(effects, key=lambda word: abs(effects[word]))
        assert strongest in own
        assert np.sign(effects[strongest]) == speaks_for
    assert found.of(len(items) - 1), "unlabelled texts are explained by what is predicted"


def test_explanations_add_up_to_what_the_head_says():
    counted = CountedTexts(
        ["Why was my card   declined?!", "Where is my card", "card declined, why", "my pin"]
    )
    head = fit_sparse_head(counted.matrix, np.array([0, 1, 0, 1]), 2, weights=np.ones(4), strength=0.01)
    for row, text in enumerate(counted.texts):
        features = counted.matrix[row]
        added = features.data * (head.weights[features.indices, 0] - head.weights[features.indices, 1])
        start, end, effect = word_effects(
            text,
            list(counted.occurrences(row)),
            dict(zip(features.indices.tolist(), added.tolist(), strict=True)),
        )
        assert [(s, e) for s, e in zip(start, end, strict=True)] == parts_of(text)
        assert effect.sum() == pytest.approx(added.sum(), abs=1e-4)
    asked = ToExplain(np.array([0]), np.array([0]), np.array([1]), n_models=1)
    assert FittedTfidf(head, counted).explain(asked, should_stop=lambda: False).of(0)


def test_a_stopped_run_goes_on_with_the_models_that_are_left(items, tmp_path, monkeypatch, run):
    fits = []
    original = tfidf.TfidfItems.fit

    def counting(self, *args, **options):
        fits.append(1)
        return original(self, *args, **options)

    monkeypatch.setattr(tfidf.TfidfItems, "fit", counting)
    with pytest.raises(Cancelled):
        train(items, tmp_path, should_stop=lambda: len(fits) >= 2)
    assert Checkpoints(tmp_path / "run").load_fold(0) is not None
    n_before = len(fits)
    resumed = train(items, tmp_path)
    assert len(fits) - n_before == 2
    np.testing.assert_array_equal(resumed.predictions.pred_probs, run.predictions.pred_probs)


def test_progress_reaches_the_end_and_tells_the_time_left(items, tmp_path):
    seen = []
    train(items, tmp_path, on_progress=seen.append)
    training = [progress for progress in seen if progress.stage == "train"]
    assert training[-1].done == training[-1].total
    assert training[-1].metrics["seconds_left"] == pytest.approx(0, abs=0.01)
    assert {"accuracy", "items_per_s", "fold"} <= set(training[-1].metrics)


def test_what_an_estimator_cannot_tell_is_named(tmp_path):
    fitted = train(make_texts(), tmp_path, TrainConfig(folds=2, planted=0.2, n_threads=1))
    assert read_dynamics(fitted.folder) is None
    assert fitted.info.resolved.planted == 0.0
    quality = read_label_quality(fitted.folder)
    assert quality.missing["dynamics"].startswith("the models were fitted at once")
    assert {weights.signals for weights in quality.weights} == {("held_out", "neighbours")}


def test_experiments_train_whole_models_of_texts(items, tmp_path):
    probs = train_and_predict(
        items,
        TASK,
        TrainConfig(folds=0, planted=0.0, n_threads=1, imbalance="weighted_loss"),
        wanted=pd.Index(["val-0001", "val-0000"]),
        roots=[],
        work_dir=tmp_path,
        cache_dir=tmp_path / "cache",
        on_progress=ignore_progress,
        should_stop=lambda: False,
    )
    assert probs.shape == (1, 2, 3)
    assert probs[0].argmax(axis=1).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"lr": 0.01, "epochs": 3}, "epochs, lr cannot be set: tfidf is fitted at once"),
        ({"arch": "tfidff"}, "Did you mean tfidf"),
        ({"flip": True}, "not for text items: flip"),
        ({"imbalance": "focal_loss"}, "Focal loss is not available in tfidf"),
    ],
)
def test_options_that_do_not_fit_are_refused(items, tmp_path, config, problem):
    with pytest.raises(ConfigError, match=problem):
        train(items, tmp_path, TrainConfig.from_json(CONFIG.to_json() | config))


def test_items_without_text_are_refused(items, tmp_path):
    with pytest.raises(DataError, match="no column text"):
        train(items.drop(columns="text"), tmp_path)


def test_a_quick_round_needs_no_run_before_it(items, tmp_path, run):
    quick = quick_run(quick_inputs(items, tmp_path, base=run), tmp_path)
    assert quick.info.quick.base_run is None
    assert (quick.info.arch, quick.info.pretrained) == ("tfidf", False)
    scores = quick.scores.iloc[9:150]
    assert (scores["predicted_label"] == scores["given_label"]).mean() > 0.9


def test_quick_features_are_kept_and_serve_rounds_with_fewer_texts(items, tmp_path):
    quick_run(quick_inputs(items, tmp_path), tmp_path, "first")
    kept = sorted((tmp_path / "cache" / "embeddings").iterdir())
    quick_run(quick_inputs(items.iloc[5:].reset_index(drop=True), tmp_path), tmp_path, "second")
    assert sorted((tmp_path / "cache" / "embeddings").iterdir()) == kept
    assert len(kept) == 1


def test_heads_on_shuffled_labels_know_nothing(tmp_path):
    texts = make_texts(600, n_val=0)
    shuffled = np.random.default_rng(1).permutation(texts["label"][:600].to_numpy())
    texts["label"] = [*shuffled, *texts["label"][600:]]
    quick = quick_run(quick_inputs(texts, tmp_path), tmp_path)
    scores = quick.scores.iloc[:600]
    assert (scores["predicted_label"] == scores["given_label"]).mean() == pytest.approx(1 / 3, abs=0.06)


def test_no_text_is_too_strange_to_be_counted():
    counted = CountedTexts(["", "!!", "İstanbul ve Straße", "我的卡", "xxfld 1 a"])
    assert counted.matrix.shape[0] == 5
    assert counted.matrix[0].nnz == 0
    assert dense_features(counted.matrix).shape[0] == 5
    assert len(lower("İstanbul")) == 8
    assert parts_of("我的 card") == [(0, 1), (1, 2), (3, 7)]
    assert dense_features(CountedTexts(["", ""]).matrix).shape == (2, 1)


def test_the_sparse_head_finds_what_scikit_learn_finds():
    rng = np.random.default_rng(0)
    counted = CountedTexts(make_texts(120)["text"].tolist())
    matrix, codes = counted.matrix[:120], np.arange(120) % 3
    weights = rng.uniform(0.5, 2, size=120)
    head = fit_sparse_head(matrix, codes, 3, weights=weights, strength=1 / 120, tolerance=1e-6)
    oracle = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000)
    oracle.fit(matrix.astype(np.float64), codes, sample_weight=weights / weights.mean())
    # scikit-learn leaves one direction of the biases open that changes no probability
    np.testing.assert_allclose(
        head.logits(matrix) - head.logits(matrix).mean(axis=1, keepdims=True),
        oracle.decision_function(matrix),
        atol=2e-3,
    )


def test_the_strength_is_that_at_which_held_out_texts_are_most_likely():
    texts = make_texts(300)
    matrix, codes = CountedTexts(texts["text"].tolist()).matrix[:300], np.arange(300) % 3
    halves = np.arange(0, 300, 2), np.arange(1, 300, 2)
    common = {"weights": np.ones(300), "train": halves[0], "held_out": halves[1]}
    clean, _ = choose_strength(matrix, codes, 3, **common)
    noise, _ = choose_strength(matrix, np.random.default_rng(0).permutation(codes), 3, **common)
    assert clean < noise
