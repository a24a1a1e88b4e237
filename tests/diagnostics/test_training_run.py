import hashlib
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from diagnostics.dynamics import read_dynamics
from diagnostics.errors import Cancelled, DataError, RunError
from diagnostics.image_files import ImageRoot
from diagnostics.label_quality import read_label_quality
from diagnostics.predictions import object_array, write_predictions
from diagnostics.progress import ignore_progress
from diagnostics.reasons import QUALITY_COLUMNS
from diagnostics.run_folder import read_run_folder
from diagnostics.similar import similar_training_items
from diagnostics.task import Task, label_codes
from diagnostics.training import embeddings, fit, fold, workers
from diagnostics.training.config import TrainConfig
from diagnostics.training.heads import HeadFold, fit_linear_heads
from diagnostics.training.outcomes import SoftmaxOutcome
from diagnostics.training.plan import TRAIN_COLUMNS
from diagnostics.training.quick import QuickInputs, keep_folds, train_quick_run
from diagnostics.training.run import train_run

TASK = Task("image", "single", ("blue", "green", "red"))
COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
QUICK = TrainConfig(epochs=4, folds=3, lr=0.01, n_threads=1, batch_size=4, mixed_precision="off")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def make_items(folder, rows, *, seed=0):
    """Write one noisy 12 × 12 picture a row (name, split, label, colour) and return the item table."""
    rng = np.random.default_rng(seed)
    table = []
    for name, split, label, colour in rows:
        pixels = np.clip(rng.normal(COLOURS.get(colour, 128), 40, size=(12, 12, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
        content_hash = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        table.append((name, name, 0, split, label, content_hash, content_hash))
    return pd.DataFrame(table, columns=list(TRAIN_COLUMNS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def items(folder):
    """36 train, 6 val, 3 test and 3 unlabelled pictures, told apart by their colour."""
    names = list(COLOURS)
    splits = ["train"] * 36 + ["val"] * 6 + ["test"] * 3 + ["unlabelled"] * 3
    rows = [
        (f"{number:02}.png", split, None if split == "unlabelled" else names[number % 3], names[number % 3])
        for number, split in enumerate(splits)
    ]
    return make_items(folder, rows)


def train(items, folder, run_dir, config=QUICK, *, should_stop=lambda: False, on_progress=ignore_progress):
    train_run(
        items,
        TASK,
        config,
        roots=[ImageRoot.at(folder)],
        run_dir=run_dir,
        cache_dir=folder.parent / "cache",
        run_id="run-0001",
        dataset_version={"number": 0, "fingerprint": "abc", "event": 0},
        now=NOW,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    return read_run_folder(run_dir)


def without(config, **changes):
    return TrainConfig.from_json(config.to_json() | changes)


@pytest.fixture(scope="module")
def run(items, folder, tmp_path_factory):
    return train(items, folder, tmp_path_factory.mktemp("run"))


def test_a_run_predicts_every_item_in_the_order_given(run, items):
    assert run.predictions.item_ids.tolist() == items["item_id"].tolist()
    assert run.predictions.given_labels.tolist()[:3] == ["red", "green", "blue"]
    np.testing.assert_allclose(run.predictions.pred_probs.sum(axis=1), 1, atol=1e-5)


def test_a_run_says_how_each_prediction_was_made(run):
    kinds, splits = run.predictions.kinds, run.predictions.splits
    assert set(kinds[splits == "train"]) == {"out_of_fold"}
    assert set(kinds[splits != "train"]) == {"mean_of_folds"}
    assert set(run.predictions.folds[splits == "train"]) == {0, 1, 2}
    assert set(run.predictions.folds[splits != "train"]) == {-1}


def test_a_run_learns_what_can_be_learnt(run):
    scores = run.scores.dropna(subset=["given_label"])
    assert (scores["predicted_label"] == scores["given_label"]).mean() > 0.9


def test_a_run_keeps_history_weights_and_what_it_was(run):
    assert run.history[["fold", "epoch"]].to_numpy().tolist() == [[f, e] for f in range(3) for e in range(4)]
    assert set(run.history["held_out"]) == {"val"}
    assert sorted(path.name for path in (run.folder / "weights").iterdir()) == [
        "fold-0.safetensors",
        "fold-1.safetensors",
        "fold-2.safetensors",
        "model.json",
    ]
    assert (run.info.n_train, run.info.n_folds, run.info.in_sample) == (36, 3, False)
    assert run.info.resolved.image_size_px == 16
    assert not (run.folder / "checkpoint").exists()


def test_every_model_predicts_every_item(run, items):
    predictions = run.predictions
    assert predictions.fold_embeddings.shape[:2] == (3, len(items))
    assert (np.abs(predictions.fold_embeddings).sum(axis=2) > 0).all()
    by_fold = np.asarray(predictions.fold_probs, dtype=np.float32)
    folds = predictions.folds
    held_out = np.flatnonzero(folds >= 0)
    np.testing.assert_allclose(
        by_fold[folds[held_out], held_out], predictions.pred_probs[held_out], atol=1e-3
    )
    np.testing.assert_allclose(
        by_fold[:, folds < 0].mean(axis=0), predictions.pred_probs[folds < 0], atol=1e-3
    )


def test_the_embedding_of_a_train_item_is_of_the_model_that_did_not_see_it(run):
    predictions = run.predictions
    picked, folds = np.asarray(predictions.embeddings), predictions.folds
    for item in range(len(predictions)):
        wanted = predictions.fold_embeddings[max(0, folds[item]), item]
        np.testing.assert_array_equal(picked[item], wanted)


def test_the_same_seed_gives_the_same_predictions_whatever_the_order_of_the_rows(
    run, items, folder, tmp_path
):
    shuffled = items.sample(frac=1, random_state=3)
    again = train(shuffled, folder, tmp_path / "run").predictions
    assert again.item_ids.tolist() == shuffled["item_id"].tolist()
    order = pd.Index(again.item_ids).get_indexer(run.predictions.item_ids)
    np.testing.assert_array_equal(again.pred_probs[order], run.predictions.pred_probs)
    np.testing.assert_array_equal(again.fold_embeddings[:, order], run.predictions.fold_embeddings)


def test_images_that_an_earlier_round_left_in_the_cache_change_nothing(items, folder, tmp_path):
    more = folder / "more"
    more.mkdir()
    extra = make_items(more, [(f"extra-{n}.png", "unlabelled", None, "red") for n in range(20)], seed=9)
    extra["path"] = "more/" + extra["path"]
    config = without(QUICK, epochs=1, folds=0)
    alone = train(items, folder, tmp_path / "alone", config)
    train(pd.concat([items, extra]), folder, tmp_path / "more", config)
    again = train(items, folder, tmp_path / "again", config)
    np.testing.assert_array_equal(again.predictions.pred_probs, alone.predictions.pred_probs)


@pytest.mark.parametrize(
    ("imbalance", "n_shown"),
    [("oversample", 36), ("weighted_loss", 28), ("weighted_sampling", 28), ("focal_loss", 28)],
)
def test_rare_classes_can_be_trained_with_every_remedy(items, folder, tmp_path, imbalance, n_shown):
    """12 blue, 12 green and 4 red pictures."""
    few = items[(items["split"] != "train") | (items["label"] != "red") | (items["item_id"] < "12.png")]
    seen = []
    config = without(QUICK, epochs=2, folds=0, imbalance=imbalance)
    run = train(few, folder, tmp_path / "run", config, on_progress=seen.append)
    assert np.isfinite(run.history["train_loss"]).all()
    assert np.isfinite(np.asarray(run.predictions.pred_probs)).all()
    assert seen[-1].total == int(2 * n_shown + 0.3 * len(few))


def test_another_seed_gives_other_predictions(run, items, folder, tmp_path):
    other = train(items, folder, tmp_path / "run", without(QUICK, seed=1)).predictions
    assert not np.array_equal(other.pred_probs, run.predictions.pred_probs)


@pytest.mark.parametrize("n_batches", [3, 40])
def test_an_interrupted_run_goes_on_and_ends_as_if_nothing_had_happened(
    run, items, folder, tmp_path, monkeypatch, n_batches
):
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY_S", 0.0)
    with pytest.raises(Cancelled):
        train(items, folder, tmp_path / "run", should_stop=stop_after(n_batches))
    resumed = train(items, folder, tmp_path / "run")
    np.testing.assert_array_equal(resumed.predictions.pred_probs, run.predictions.pred_probs)
    np.testing.assert_array_equal(resumed.predictions.fold_probs, run.predictions.fold_probs)
    np.testing.assert_array_equal(resumed.predictions.fold_embeddings, run.predictions.fold_embeddings)
    columns = ["fold", "epoch", "train_loss", "valid_loss", "accuracy"]
    pd.testing.assert_frame_equal(resumed.history[columns], run.history[columns])


@pytest.fixture
def two_at_a_time(monkeypatch):
    """Runs of this test train two models at a time, however small they are, until `monkeypatch` is undone."""
    monkeypatch.setattr(workers, "WORTH_PROCESSES", 0)
    monkeypatch.setattr(fold, "n_parallel_models", lambda n_models, *, n_threads: 2)


def test_models_trained_side_by_side_give_the_same_as_one_after_the_other(
    run, items, folder, tmp_path, two_at_a_time
):
    side_by_side = train(items, folder, tmp_path / "run", without(QUICK, n_threads=2))
    np.testing.assert_array_equal(side_by_side.predictions.pred_probs, run.predictions.pred_probs)
    assert side_by_side.history["fold"].tolist() == run.history["fold"].tolist()


def test_models_trained_side_by_side_stop_on_request_and_can_go_on_one_after_the_other(
    run, items, folder, tmp_path, two_at_a_time, monkeypatch
):
    config, seen = without(QUICK, n_threads=2), []
    with pytest.raises(Cancelled):
        train(
            items,
            folder,
            tmp_path / "run",
            config,
            on_progress=seen.append,
            should_stop=lambda: any("train_loss" in progress.metrics for progress in seen),
        )
    monkeypatch.undo()
    resumed = train(items, folder, tmp_path / "run", config)
    np.testing.assert_array_equal(resumed.predictions.pred_probs, run.predictions.pred_probs)


def stop_after(n_batches):
    asked = iter(range(n_batches))
    return lambda: next(asked, None) is None


def test_a_resumed_run_does_not_train_finished_epochs_again(items, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY_S", 0.0)
    with pytest.raises(Cancelled):
        train(items, folder, tmp_path / "run", should_stop=stop_after(10))
    n_asked = []
    train(items, folder, tmp_path / "run", should_stop=lambda: n_asked.append(1) or False)
    n_uninterrupted = []
    train(items, folder, tmp_path / "other", should_stop=lambda: n_uninterrupted.append(1) or False)
    assert len(n_uninterrupted) - len(n_asked) == 7


def test_a_run_stops_after_the_batch_in_which_it_was_asked_to(items, folder, tmp_path):
    asked = []

    def should_stop():
        asked.append(True)
        return len(asked) == 2

    with pytest.raises(Cancelled, match="stopped"):
        train(items, folder, tmp_path / "run", should_stop=should_stop)
    assert len(asked) == 2


def test_a_run_is_not_resumed_with_other_options(items, folder, tmp_path):
    with pytest.raises(Cancelled):
        train(items, folder, tmp_path / "run", should_stop=lambda: True)
    with pytest.raises(RunError, match="other options"):
        train(items, folder, tmp_path / "run", without(QUICK, epochs=5))


@pytest.fixture(scope="module")
def meaningless(tmp_path_factory):
    """60 noisy pictures with labels drawn by lot: the folder, the items and a configuration that learns by heart."""
    folder = tmp_path_factory.mktemp("meaningless")
    labels = np.random.default_rng(0).permutation(["red", "green", "blue"] * 20)
    items = make_items(folder, [(f"{n:03}.png", "train", label, None) for n, label in enumerate(labels)])
    return folder, items, without(QUICK, epochs=16, batch_size=10, augment="none", flip=False)


@pytest.fixture(scope="module")
def meaningless_run(meaningless, tmp_path_factory):
    folder, items, config = meaningless
    return train(items, folder, tmp_path_factory.mktemp("run"), config)


def accuracy_of(run):
    return (run.scores["predicted_label"] == run.scores["given_label"]).mean()


def test_labels_that_mean_nothing_are_predicted_at_chance_out_of_fold_although_one_model_learns_them_by_heart(
    meaningless, meaningless_run, tmp_path
):
    """The proof that no item's label reaches the model that predicts it."""
    folder, items, config = meaningless
    by_heart = accuracy_of(train(items, folder, tmp_path / "one", without(config, folds=0)))
    assert by_heart > 0.9
    assert accuracy_of(meaningless_run) < 0.5


def test_a_quick_round_on_labels_that_mean_nothing_is_at_chance_but_not_on_features_of_models_that_saw_the_items(
    meaningless, meaningless_run, tmp_path
):
    """The proof that no item's label reaches the head that predicts it, through the features neither."""
    _, items, _ = meaningless
    assert accuracy_of(quick_run(items, meaningless_run, tmp_path / "quick")) < 0.5
    predictions = meaningless_run.predictions
    codes = label_codes(predictions.given_labels, TASK.classes)
    folds = predictions.folds
    features = np.asarray(predictions.fold_embeddings)

    def held_out_accuracy(shift):
        """With the features of the model of the fold `shift` further on."""
        parts = [
            HeadFold(
                partial(features.__getitem__, (fold + shift) % 3),
                np.flatnonzero(folds != fold),
                np.flatnonzero(folds == fold),
            )
            for fold in range(3)
        ]
        outcome = SoftmaxOutcome(torch.from_numpy(codes), 3)
        heads = fit_linear_heads(parts, outcome, n_items=len(codes), device=torch.device("cpu"))
        predicted = heads.fold_probs[folds, np.arange(len(codes))].argmax(axis=1)
        return (predicted == codes).mean()

    assert held_out_accuracy(0) < 0.5
    assert held_out_accuracy(1) > 0.7


def quick_run(items, base, run_dir, config=QUICK, *, folder=None, content_of=None):
    inputs = QuickInputs(
        items=items,
        task=TASK,
        config=config,
        base=base,
        content_of=items.set_index("item_id")["content_hash"] if content_of is None else content_of,
        unit_of=items.set_index("item_id")["unit"] if content_of is None else content_of,
        roots=(ImageRoot.at(folder),) if folder else (),
        cache_dir=run_dir.parent / "cache",
        on_progress=ignore_progress,
        should_stop=lambda: False,
    )
    version = {"number": 0, "fingerprint": "abc", "event": 0}
    train_quick_run(
        inputs, run_dir=run_dir, home=run_dir, run_id="run-0002", dataset_version=version, now=NOW
    )
    return read_run_folder(run_dir)


@pytest.fixture(scope="module")
def quick(run, items, tmp_path_factory):
    return quick_run(items, run, tmp_path_factory.mktemp("quick") / "run")


def test_a_quick_round_is_a_run_like_any_other_and_says_what_it_is(quick, run, items):
    predictions = quick.predictions
    assert predictions.item_ids.tolist() == items["item_id"].tolist()
    assert predictions.kinds.tolist() == run.predictions.kinds.tolist()
    assert predictions.folds.tolist() == run.predictions.folds.tolist()
    assert predictions.fold_probs.shape == (3, len(items), 3)
    np.testing.assert_allclose(predictions.pred_probs.sum(axis=1), 1, atol=1e-5)
    assert quick.info.quick.base_run == "run-0001"
    assert quick.info.name == "run-0002 (quick)"
    assert "features of the 3 fold models of run-0001" in quick.info.notes[0]
    assert quick.history.empty
    assert run.info.quick is None


def test_a_quick_round_learns_what_can_be_learnt(quick):
    scores = quick.scores.dropna(subset=["given_label"])
    assert (scores["predicted_label"] == scores["given_label"]).mean() > 0.9


def test_the_features_of_a_run_are_read_by_quick_rounds_and_not_stored_again(quick, run):
    assert not list((quick.folder / "predictions").glob("*embeddings.npy"))
    np.testing.assert_array_equal(
        np.asarray(quick.predictions.embeddings), np.asarray(run.predictions.embeddings)
    )
    np.testing.assert_array_equal(quick.predictions.fold_embeddings[2], run.predictions.fold_embeddings[2])


def test_a_quick_round_whose_features_are_gone_still_opens_without_them(quick, tmp_path):
    copy = tmp_path / "elsewhere" / "run"
    shutil.copytree(quick.folder, copy)
    predictions = read_run_folder(copy).predictions
    assert predictions.embeddings is None
    assert predictions.fold_embeddings is None
    assert len(similar_training_items(predictions, 0, n=3)[0]) == 0


def test_a_quick_round_learns_from_the_labels_of_now(run, items, tmp_path):
    swapped = items.assign(label=items["label"].replace({"red": "blue", "blue": "red"}))
    again = quick_run(swapped, run, tmp_path / "run")
    scores = again.scores.dropna(subset=["given_label"])
    assert (scores["predicted_label"] == scores["given_label"]).mean() > 0.9


def test_items_that_the_run_lacks_are_embedded_by_its_models_and_only_once(
    run, items, folder, tmp_path, monkeypatch
):
    kept = items["item_id"].isin(run.predictions.item_ids[5:])
    shorter = _without_items(run, 5, tmp_path / "shorter")
    again = quick_run(items, shorter, tmp_path / "first", folder=folder)
    np.testing.assert_allclose(
        np.asarray(again.predictions.fold_embeddings[1], dtype=np.float32),
        np.asarray(run.predictions.fold_embeddings[1], dtype=np.float32),
        atol=1e-2,
    )
    assert (again.predictions.folds[kept] == run.predictions.folds[kept]).all()
    assert (again.predictions.folds[:5] >= 0).all()
    monkeypatch.setattr(embeddings, "_embed", None)
    cached = quick_run(items, shorter, tmp_path / "second")
    np.testing.assert_array_equal(cached.predictions.pred_probs, again.predictions.pred_probs)


def _without_items(run, n_items, copy):
    """A copy of the run that does not have its first items."""
    shutil.copytree(run.folder, copy)
    predictions = run.predictions
    rest = np.arange(n_items, len(predictions))
    names = ("item_ids", "splits", "folds", "kinds", "given_labels", "pred_probs")
    values = {name: getattr(predictions, name)[rest] for name in names}
    by_fold = {
        name: np.asarray(getattr(predictions, name))[:, rest] for name in ("fold_probs", "fold_embeddings")
    }
    picked = np.asarray(predictions.embeddings)[rest]
    write_predictions(copy, replace(predictions, **values, **by_fold, embeddings=picked))
    return read_run_folder(copy)


def test_a_run_of_before_features_were_kept_is_embedded_whole(run, quick, items, folder, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(run.folder, old)
    write_predictions(
        old,
        replace(
            run.predictions,
            fold_probs=None,
            fold_embeddings=None,
            embeddings=np.asarray(run.predictions.embeddings),
        ),
    )
    again = quick_run(items, read_run_folder(old), tmp_path / "run", folder=folder)
    np.testing.assert_allclose(again.predictions.pred_probs, quick.predictions.pred_probs, atol=0.02)


def test_a_pretrained_network_comes_first_and_all_its_features_can_be_compared(run, items, folder, tmp_path):
    torch.manual_seed(0)
    weights = tmp_path / "weights.safetensors"
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), weights)
    config = without(
        QUICK, arch="timm/test_resnet", pretrained=True, weights_file=str(weights), image_size_px=32
    )
    frozen = quick_run(items, run, tmp_path / "run", config, folder=folder)
    assert frozen.info.quick.base_run is None
    assert "pretrained network timm/test_resnet" in frozen.info.notes[0]
    assert frozen.predictions.fold_embeddings.shape[:2] == (1, len(items))
    assert set(frozen.predictions.embedding_models) == {0}
    assert set(frozen.predictions.folds[frozen.predictions.splits == "train"]) == {0, 1, 2}
    scores = frozen.scores.dropna(subset=["given_label"])
    assert (scores["predicted_label"] == scores["given_label"]).mean() > 0.8


def test_without_features_a_quick_round_says_to_train_once(items, tmp_path):
    with pytest.raises(RunError, match="Train once"):
        quick_run(items, None, tmp_path / "run")


def test_a_quick_round_keeps_folds_by_unit_and_deals_out_what_no_model_has_seen():
    items = pd.DataFrame(
        [
            ("a", "train", "A"), ("copy of a", "train", "A"), ("excluded then", "train", "E"),
            ("new", "train", "N"), ("new too", "train", "N"), ("v", "val", "A"), ("undone", "unlabelled", "U"),
        ],
        columns=["item_id", "split", "unit"],
    )  # fmt: skip
    codes = np.array([0, 0, 1, 1, 1, 0, -1])
    base_folds = pd.Series({"a": 2, "gone": 1, "undone": 1, "v": -1})
    unit_of = pd.Series({"a": "A", "gone": "E", "undone": "U", "v": "A"})
    folds = keep_folds(items, codes, base_folds=base_folds, unit_of=unit_of, n_folds=3, seed=0)
    assert folds[[0, 1, 2]].tolist() == [2, 2, 1]
    assert folds[3] == folds[4] >= 0
    assert folds[5] == -1
    assert folds[6] == 1


def test_one_model_marks_its_train_predictions_as_in_sample(items, folder, tmp_path):
    run = train(items, folder, tmp_path / "run", without(QUICK, folds=0, epochs=1))
    kinds, splits = run.predictions.kinds, run.predictions.splits
    assert set(kinds[splits == "train"]) == {"in_sample"}
    assert set(kinds[splits != "train"]) == {"single_model"}
    assert run.info.in_sample
    assert run.info.n_folds == 1


def test_copies_of_one_picture_are_held_out_by_the_same_model(items, folder, tmp_path):
    copy = items.iloc[[0]].assign(item_id="copy", label="blue")
    run = train(pd.concat([items, copy]), folder, tmp_path / "run", without(QUICK, epochs=1))
    folds = dict(zip(run.predictions.item_ids, run.predictions.folds, strict=True))
    assert folds["copy"] == folds["00.png"]


def test_without_a_set_learning_rate_the_finder_chooses_one_and_is_kept(items, folder, tmp_path):
    config = without(QUICK, lr=None, folds=0, epochs=1)
    run = train(items, folder, tmp_path / "run", config)
    curve = run.lr_finder
    assert curve["chosen"].sum() == 1
    assert run.info.resolved.lr == pytest.approx(curve.loc[curve["chosen"], "lr"].item())


def test_progress_tells_where_the_run_is_and_what_is_left(items, folder, tmp_path):
    seen = []
    train(items, folder, tmp_path / "run", without(QUICK, epochs=1, folds=2), on_progress=seen.append)
    last = [progress for progress in seen if progress.stage == "train"][-1]
    assert {"fold", "n_folds", "epoch", "n_epochs", "train_loss", "valid_loss", "accuracy"} <= set(
        last.metrics
    )
    assert {"items_per_s", "seconds_left"} <= set(last.metrics)
    assert last.metrics["fold"] == last.metrics["n_folds"] == 2
    done = [progress.done / progress.total for progress in seen if progress.stage == "train"]
    assert done == sorted(done)


def test_without_validation_items_the_held_out_fold_is_evaluated_and_the_best_epoch_is_not_chosen_by_it(
    items, folder, tmp_path
):
    train_only = items[items["split"] == "train"]
    config = without(QUICK, epochs=1, keep_best=True, folds=2)
    run = train(train_only, folder, tmp_path / "run", config)
    assert set(run.history["held_out"]) == {"fold"}
    assert not run.info.resolved.keep_best
    assert "keep_best" in run.info.notes[0]


def test_keeping_the_best_epoch_predicts_with_its_weights(items, folder, tmp_path):
    config = without(QUICK, folds=0, epochs=4, keep_best=True, flip=False)
    run = train(items, folder, tmp_path / "run", config)
    validation = run.scores[run.scores["split"] == "val"]
    assert validation["loss"].mean() == pytest.approx(run.history["valid_loss"].min(), rel=0.05)


def test_early_stopping_ends_a_model_that_gets_no_better(items, folder, tmp_path):
    config = without(QUICK, folds=0, epochs=30, lr=1e-7, early_stopping_patience=2)
    run = train(items, folder, tmp_path / "run", config)
    assert len(run.history) < 30


def test_a_class_with_one_item_is_noted(items, folder, tmp_path):
    rare = items[(items["label"] != "blue") | (items["item_id"] == "02.png")]
    run = train(rare, folder, tmp_path / "run", without(QUICK, epochs=1))
    assert any("never saw blue" in note for note in run.info.notes)


def test_training_on_one_class_is_refused(items, folder, tmp_path):
    with pytest.raises(DataError, match="at least 2 classes"):
        train(items[items["label"] == "red"], folder, tmp_path / "run")


def test_a_timm_and_a_torchvision_network_train_through_the_same_door(items, folder, tmp_path):
    some = items.groupby("label").head(3)
    for arch in ("resnet18", "timm/test_resnet"):
        config = without(QUICK, arch=arch, epochs=1, folds=0, image_size_px=32)
        run = train(some, folder, tmp_path / arch.replace("/", "-"), config)
        assert run.info.arch == arch
        assert len(run.predictions) == len(some)


PLANTED = TrainConfig.from_json(QUICK.to_json() | {"planted": 0.2})


@pytest.fixture(scope="module")
def planted_run(items, folder, tmp_path_factory):
    return train(items, folder, tmp_path_factory.mktemp("planted"), PLANTED)


def test_planted_labels_are_in_no_table_of_the_run(planted_run, items):
    own = object_array(items["label"]).tolist()
    assert planted_run.predictions.given_labels.tolist() == own
    assert object_array(planted_run.scores["given_label"]).tolist() == own
    dynamics = read_dynamics(planted_run.folder)
    own_codes = label_codes(items["label"], TASK.classes)
    assert len(dynamics.planted_rows) == 15
    assert (dynamics.planted_codes != own_codes[dynamics.planted_rows]).all()
    assert (items["split"].to_numpy()[dynamics.planted_rows] == "train").all()
    assert (planted_run.predictions.folds[dynamics.planted_rows] != dynamics.planted_models).all()
    assert "15 labels were changed on purpose" in planted_run.info.notes[0]


def test_what_models_say_in_training_is_kept_of_the_items_that_they_were_trained_on(planted_run):
    probs = read_dynamics(planted_run.folder).probs
    trained = planted_run.predictions.splits == "train"
    np.testing.assert_allclose(probs[trained].sum(axis=1), 1, atol=2e-3)
    assert np.isnan(probs[~trained]).all()


def test_a_resumed_run_remembers_what_models_said_before_it_was_interrupted(
    planted_run, items, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY_S", 0.0)
    with pytest.raises(Cancelled):
        train(items, folder, tmp_path / "run", PLANTED, should_stop=stop_after(25))
    resumed = read_dynamics(train(items, folder, tmp_path / "run", PLANTED).folder)
    uninterrupted = read_dynamics(planted_run.folder)
    np.testing.assert_array_equal(resumed.probs, uninterrupted.probs)
    np.testing.assert_array_equal(resumed.planted_probs, uninterrupted.planted_probs)


def test_a_run_keeps_how_its_label_quality_was_learnt(run):
    learnt = read_label_quality(run.folder)
    assert {weights.signals for weights in learnt.weights} == {("held_out", "neighbours")}
    assert "0 labels were planted" in learnt.missing["dynamics"]
    assert set(QUALITY_COLUMNS) <= set(run.scores)
    labelled = run.scores["given_label"].notna()
    assert run.scores["label_quality"][labelled].between(0, 1).all()


def test_one_model_plants_nothing(items, folder, tmp_path):
    run = train(items, folder, tmp_path / "run", without(PLANTED, folds=0, epochs=1))
    assert len(read_dynamics(run.folder).planted_rows) == 0
    assert not any("on purpose" in note for note in run.info.notes)
