"""Items with several labels, trained through the same door as those with one."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from diagnostics.errors import Cancelled, ConfigError, DataError
from diagnostics.explanations import read_explanations
from diagnostics.image_files import ImageRoot
from diagnostics.label_space import set_space
from diagnostics.multilabel.run_thresholds import read_thresholds
from diagnostics.progress import ignore_progress
from diagnostics.reasons import QUALITY_COLUMNS, reasons
from diagnostics.run_folder import read_run_folder
from diagnostics.scores import SCORE_COLUMNS
from diagnostics.task import Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.plan import TRAIN_COLUMNS
from diagnostics.training.quick import QuickInputs, train_quick_run
from diagnostics.training.run import train_run

CLASSES = ("blue", "green", "red")
TASK = Task("image", "multi", CLASSES)
CONFIG = TrainConfig(
    epochs=30, folds=2, lr=0.005, n_threads=1, batch_size=8, mixed_precision="off", augment="none"
)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
N_TRAIN, N_VAL, N_UNLABELLED = 56, 8, 4
WRONG = ("item-005.png", "item-010.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def items(folder):
    """Noisy pictures that are red, green and blue or not, whatever the others; of two the red is left out or added."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(N_TRAIN + N_VAL + N_UNLABELLED):
        has = np.array([number >> 2 & 1, number >> 1 & 1, number & 1], dtype=bool)
        pixels = np.clip(np.where(has[::-1], 200, 60) + rng.normal(0, 20, size=(12, 12, 3)), 0, 255)
        name = f"item-{number:03d}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
        content = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        split = "train" if number < N_TRAIN else "val" if number < N_TRAIN + N_VAL else "unlabelled"
        given = has ^ np.array([False, False, name in WRONG])
        text = "|".join(np.array(CLASSES)[given]) or "(none)"
        label = None if split == "unlabelled" else text
        rows.append((name, name, 0, split, label, content, content))
    return pd.DataFrame(rows, columns=list(TRAIN_COLUMNS))


def train(items, folder, tmp_path, name, *, task=TASK, config=CONFIG, should_stop=lambda: False):
    train_run(
        items,
        task,
        config,
        roots=[ImageRoot("folder", folder)],
        run_dir=tmp_path / name,
        cache_dir=tmp_path / "cache",
        run_id=name,
        dataset_version={"number": 1, "fingerprint": "f", "event": 0},
        now=NOW,
        on_progress=ignore_progress,
        should_stop=should_stop,
    )
    return read_run_folder(tmp_path / name)


@pytest.fixture(scope="module")
def run(items, folder, tmp_path_factory):
    return train(items, folder, tmp_path_factory.mktemp("runs"), "run-1")


def test_a_run_keeps_its_kind_of_label_and_a_probability_for_each_class_by_itself(run, items):
    predictions = run.predictions
    assert run.info.label_kind == predictions.label_kind == "multi"
    assert predictions.pred_probs.shape == (len(items), 3)
    assert predictions.pred_probs.min() >= 0 and predictions.pred_probs.max() <= 1
    assert np.ptp(predictions.pred_probs.sum(axis=1)) > 0.5
    assert list(predictions.given_labels[-5:]) == ["blue|green|red", None, None, None, None]


def test_history_counts_the_share_of_right_pairs(run):
    last = run.history.groupby("fold").last()
    assert (last["accuracy"] > 0.9).all()
    assert (last["valid_loss"] < 0.5).all()


def test_scores_have_the_usual_columns_and_say_which_label_is_suspect(run):
    scores = run.scores.set_index("item_id")
    assert set(SCORE_COLUMNS) | set(QUALITY_COLUMNS) | {"suspect"} <= set(scores.columns)
    added, left_out = scores.loc[list(WRONG)].to_dict("records")
    assert (added["given_label"], added["predicted_label"]) == ("blue", "blue|red")
    assert (added["second_label"], added["suspect"]) == ("red", "missing")
    assert (left_out["given_label"], left_out["suspect"]) == ("green|red", "superfluous")
    ranked = scores[scores["given_label"].notna()].sort_values("label_quality")
    assert set(ranked.index[:2]) == set(WRONG)
    assert (scores["suspect"] == "").sum() > len(scores) / 2


def test_scores_that_need_a_label_are_missing_where_nobody_labelled(run):
    nobody = run.scores[run.scores["given_label"].isna()]
    assert len(nobody) == N_UNLABELLED
    assert nobody[["p_given", "loss", "margin", "label_quality"]].isna().all(axis=None)
    assert nobody[["p_predicted", "entropy", "confusion", "p_second"]].notna().all(axis=None)
    assert (nobody["suspect"] == "").all()


def test_the_reason_names_the_label_what_it_is_and_who_says_so(run):
    rows = run.scores.set_index("item_id").loc[[WRONG[0]]].reset_index()
    sentence = reasons(rows)[0]
    assert sentence.startswith("`red` is missing: the model gives it ")
    assert sentence.endswith(" of 10 neighbours have it")


def test_thresholds_are_chosen_where_items_are_held_out_and_kept_with_the_run(run):
    kept = read_thresholds(run.folder)
    assert (kept.rule, kept.chosen_on, kept.n_items) == ("best_f1", "held-out train", N_TRAIN + N_VAL)
    space = set_space(CLASSES, run.scores["predicted_label"])
    predicted = space.targets(space.codes(run.scores["predicted_label"]))
    unseen = np.flatnonzero(run.scores["given_label"].isna())
    probs = np.asarray(run.predictions.pred_probs)[unseen]
    assert (predicted[unseen] == kept.thresholds.predict(probs)).all()


def test_a_stopped_run_goes_on_to_the_same_predictions(run, items, folder, tmp_path):
    calls = iter(range(10_000))
    with pytest.raises(Cancelled):
        train(items, folder, tmp_path, "run-1", should_stop=lambda: next(calls) > 100)
    resumed = train(items.iloc[::-1], folder, tmp_path, "run-1")
    order = pd.Index(resumed.predictions.item_ids).get_indexer(run.predictions.item_ids)
    assert np.array_equal(resumed.predictions.pred_probs[order], run.predictions.pred_probs)


def test_a_quick_round_trains_heads_on_the_fold_models_and_hears_of_decisions(run, items, folder, tmp_path):
    right = items.assign(label=items["label"].mask(items["item_id"] == WRONG[0], "blue|red"))
    inputs = QuickInputs(
        items=right,
        task=TASK,
        config=replace(CONFIG, thresholds="0.5"),
        base=run,
        content_of=items.set_index("item_id")["content_hash"],
        unit_of=items.set_index("item_id")["unit"],
        roots=(ImageRoot("folder", folder),),
        cache_dir=tmp_path,
        on_progress=ignore_progress,
        should_stop=lambda: False,
        decided=[WRONG[0]],
    )
    train_quick_run(
        inputs,
        run_dir=tmp_path / "quick",
        home=tmp_path / "quick",
        run_id="quick-1",
        dataset_version={"number": 1, "fingerprint": "f", "event": 1},
        now=NOW,
    )
    quick = read_run_folder(tmp_path / "quick")
    scores = quick.scores.set_index("item_id")
    assert quick.info.label_kind == "multi"
    assert scores.loc[WRONG[0], "given_label"] == scores.loc[WRONG[0], "predicted_label"] == "blue|red"
    assert scores.loc[WRONG[1], "suspect"] == "superfluous"
    assert read_thresholds(quick.folder).thresholds.values.tolist() == [0.5] * 3


def test_remedies_that_go_by_the_one_class_of_an_item_are_refused(items, folder, tmp_path):
    with pytest.raises(
        ConfigError, match="Use imbalance=none or weighted_loss or weighted_sampling or focal_loss"
    ):
        train(items, folder, tmp_path, "run", config=replace(CONFIG, imbalance="oversample"))


def test_labels_that_leave_nothing_to_tell_apart_are_refused(items, folder, tmp_path):
    alike = items.assign(label=items["label"].where(items["label"].isna(), "red"))
    with pytest.raises(DataError, match="a class that some labelled train items have and some have not"):
        train(alike, folder, tmp_path, "run")


def made_of_parts(n_items, content_of):
    """Labelled train items, which have each class by themselves; content_of : targets (n_items, 3) → columns"""
    rng = np.random.default_rng(1)
    targets = rng.random((n_items, 3)) < 0.4
    names = [f"item-{number:03d}" for number in range(n_items)]
    labels = ["|".join(np.array(CLASSES)[row]) or "(none)" for row in targets]
    table = pd.DataFrame({"item_id": names, "path": "", "root": 0, "split": "train", "label": labels})
    return table.assign(content_hash=names, unit=names, **content_of(targets, rng)), targets


def words_of(targets, rng):
    """Each class has a word of its own, among others."""
    words = np.array(["sky", "leaf", "rose"])
    fillers = ["a", "the", "one", "two", "old", "new"]
    return {"text": [" ".join(rng.permutation([*words[row], *rng.choice(fillers, 4)])) for row in targets]}


def numbers_of(targets, rng):
    """Each class has a number of its own."""
    numbers = targets + rng.normal(0, 0.1, size=targets.shape)
    return {f"feature:{name}": numbers[:, place] for place, name in enumerate(CLASSES)}


NETWORK = {"epochs": 20, "lr": 0.02, "batch_size": 16, "mixed_precision": "off", "imbalance": "focal_loss"}
MODELS = {
    "tfidf": ("text", words_of, {}),
    "gradient_boosting": ("tabular", numbers_of, {}),
    "tabular_net": ("tabular", numbers_of, NETWORK),
}


@pytest.fixture(scope="module", params=MODELS)
def of_parts(request, tmp_path_factory):
    """A run on items that have parts, and what they truly have; the first lacks `red` or has it too much."""
    modality, content_of, options = MODELS[request.param]
    items, targets = made_of_parts(120, content_of)
    wrong = targets[0] ^ np.array([False, False, True])
    items.loc[0, "label"] = "|".join(np.array(CLASSES)[wrong]) or "(none)"
    folder = tmp_path_factory.mktemp(request.param)
    config = TrainConfig(arch=request.param, folds=2, n_threads=1, **options)
    task = Task(modality, "multi", CLASSES)
    return train(items, folder, folder, "run", task=task, config=config), targets


def test_every_model_answers_for_each_class_by_itself(of_parts):
    run, targets = of_parts
    probs = np.asarray(run.predictions.pred_probs)
    assert ((probs >= 0.5) == targets).mean() > 0.95
    assert (run.history.groupby("fold")["accuracy"].last() > 0.9).all()
    scores = run.scores.set_index("item_id")
    assert scores["label_quality"].idxmin() == "item-000"
    assert scores.loc["item-000", "second_label"] == "red"
    assert scores.loc["item-000", "suspect"] == ("missing" if targets[0, 2] else "superfluous")


def test_what_is_explained_is_the_class_in_doubt_and_what_speaks_for_it(of_parts):
    run, targets = of_parts
    explained = read_explanations(run.folder)
    strongest = max(explained.of(0), key=lambda part: abs(part[2]))
    assert explained.codes[0] == CLASSES.index("red")
    assert (strongest[2] > 0) == targets[0, 2]
