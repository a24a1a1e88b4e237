"""Whole runs and quick rounds on rows with every kind of feature."""

import hashlib
import json
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd
import pytest

from diagnostics.errors import Cancelled, ConfigError
from diagnostics.explanations import read_explanations
from diagnostics.modalities import Machine, open_trained_of
from diagnostics.progress import ignore_progress
from diagnostics.rows import boosting
from diagnostics.run_folder import read_run_folder
from diagnostics.task import Task
from diagnostics.training import quick_scores
from diagnostics.training.config import TrainConfig
from diagnostics.training.device import pick_device
from diagnostics.training.quick import QuickInputs, train_quick_run
from diagnostics.training.run import train_run

TASK = Task("tabular", "single", ("low", "middle", "top"))
CONFIGS = {
    "gradient_boosting": TrainConfig(folds=2, n_threads=1),
    "tabular_net": TrainConfig(
        arch="tabular_net", folds=2, n_threads=1, epochs=8, lr=0.02, mixed_precision="off", batch_size=16
    ),
}


def make_items():
    """90 train, 15 val, 5 test and 10 unlabelled rows, whose class is told by `size`; `late` is missing in training and
    `town` has values there that it has nowhere else.
    """
    rng = np.random.default_rng(0)
    splits = np.repeat(["train", "val", "test", "unlabelled"], [90, 15, 5, 10])
    codes = np.arange(120) % 3
    towns = np.where(
        splits == "train", rng.choice(["york", "leeds"], 120), rng.choice(["leeds", "hull"], 120)
    )
    features = {
        "size": np.where(rng.random(120) < 0.05, np.nan, codes + rng.normal(0, 0.1, 120)),
        "late": np.where(splits == "train", np.nan, 1.0),
        "same": np.ones(120),
        "town": np.where(rng.random(120) < 0.1, None, towns),
        "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, 120), unit="D"),
    }
    ids = [f"row-{number:03}" for number in range(120)]
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in ids]
    labels = np.where(splits == "unlabelled", None, np.array(TASK.classes, dtype=object)[codes])
    items = pd.DataFrame({"item_id": ids, "path": "", "root": 0, "split": splits, "label": labels})
    items = items.assign(content_hash=hashes, unit=hashes)
    return items.assign(**{f"feature:{name}": values for name, values in features.items()})


def train(items, run_dir, config, *, should_stop=lambda: False):
    train_run(
        items,
        TASK,
        config,
        roots=(),
        run_dir=run_dir,
        cache_dir=run_dir.parent / "cache",
        run_id="run-0001",
        dataset_version={"number": 0, "fingerprint": "abc", "event": 0},
        now=datetime(2026, 11, 1, tzinfo=UTC),
        on_progress=ignore_progress,
        should_stop=should_stop,
    )
    return read_run_folder(run_dir)


@pytest.fixture(scope="module")
def items():
    return make_items()


@pytest.fixture(scope="module", params=list(CONFIGS))
def run(request, items, tmp_path_factory):
    return train(items, tmp_path_factory.mktemp("tabular") / "run", CONFIGS[request.param])


def test_a_run_on_rows_learns_what_can_be_learnt(run, items):
    predictions = run.predictions
    assert predictions.item_ids.tolist() == items["item_id"].tolist()
    np.testing.assert_allclose(predictions.pred_probs.sum(axis=1), 1, atol=1e-5)
    said = np.array(TASK.classes)[np.asarray(predictions.pred_probs).argmax(axis=1)]
    right = said == np.array(TASK.classes)[np.arange(len(items)) % 3]
    for split, least in (("train", 0.85), ("val", 0.8), ("unlabelled", 0.7)):
        assert right[(items["split"] == split).to_numpy()].mean() >= least
    assert run.scores["label_quality"].notna().sum() == 110


def test_a_run_on_rows_says_which_features_matter(run, items):
    explanations = read_explanations(run.folder)
    assert explanations.parts == ("size", "late", "same", "town", "day")
    assert len(explanations) == len(items)
    strongest = [
        max(explanations.of(row), key=lambda part: abs(part[2]), default=(None, None, 0))[0]
        for row in np.flatnonzero(items["feature:size"].notna())
    ]
    assert strongest.count(0) > 0.8 * len(strongest)
    assert not any(start == 2 for row in range(len(items)) for start, _, _ in explanations.of(row))


def test_a_run_on_rows_keeps_features_and_history(run):
    predictions = run.predictions
    assert np.isfinite(np.asarray(predictions.embeddings, dtype=np.float32)).all()
    n_models = {"gradient_boosting": 1, "tabular_net": 2}[run.info.arch]
    assert predictions.fold_embeddings.shape[0] == n_models
    assert run.history.groupby("fold").size().tolist() == [run.info.resolved.epochs or 1] * 2


def test_gradient_boosting_is_the_default(run):
    assert run.info.resolved.arch == (run.info.config.arch.replace("auto", "gradient_boosting"))


def test_a_stopped_run_goes_on_to_the_same_end(run, items, tmp_path):
    asked = iter(range(10_000))
    config = run.info.config
    with pytest.raises(Cancelled):
        train(items, tmp_path / "run", config, should_stop=lambda: next(asked) > 20)
    resumed = train(items, tmp_path / "run", config)
    np.testing.assert_array_equal(resumed.predictions.pred_probs, run.predictions.pred_probs)


def test_a_trained_network_reads_new_rows(run, items):
    if run.info.arch != "tabular_net":
        assert not (run.folder / "weights").exists()
        return
    machine = Machine(pick_device(), "off", 1)
    about = json.loads((run.folder / "weights" / "model.json").read_text())
    opened = open_trained_of("tabular")(
        items.tail(10),
        about=about,
        roots=(),
        cache_dir=run.folder,
        machine=machine,
        on_progress=ignore_progress,
    )
    network = opened.load_network(run.folder / "weights" / "fold-0.safetensors").eval()
    said = opened.logits(network, opened.views(np.arange(10))[0]).softmax(dim=1).detach().cpu().numpy()
    np.testing.assert_allclose(said, run.predictions.fold_probs[0][-10:], atol=2e-3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (TrainConfig(arch="gradient_bosting"), "did you mean gradient_boosting"),
        (TrainConfig(arch="resnet18"), "there are gradient_boosting and tabular_net"),
        (TrainConfig(epochs=3), "epochs cannot be set: gradient boosting is fitted at once"),
        (TrainConfig(imbalance="focal_loss"), "Focal loss is not available in gradient_boosting"),
        (TrainConfig(arch="tabular_net", frozen_epochs=1), "not for tabular items: frozen_epochs"),
    ],
)
def test_options_that_rows_do_not_have_are_refused(items, tmp_path, config, message):
    with pytest.raises(ConfigError, match=message):
        train(items, tmp_path / "run", config)


def test_rare_values_that_count_as_one_are_told_of(items, tmp_path, monkeypatch):
    monkeypatch.setattr(boosting, "N_TREES", boosting.TREES_A_STEP)
    many = pd.concat([items] * 3, ignore_index=True)
    names = [f"row-{number:03}" for number in range(len(many))]
    many = many.assign(item_id=names, content_hash=names, unit=names)
    many["feature:code"] = names
    config = TrainConfig(folds=0, planted=0.0, n_threads=1)
    notes = train(many, tmp_path / "run", config).info.notes
    assert "Feature code has 360 different values; the 106 rarest count as one" in " ".join(notes)


def quick_round(items, folder, base=None):
    by_id = items.set_index("item_id")
    inputs = QuickInputs(
        items=items,
        task=TASK,
        config=TrainConfig(n_threads=1, folds=3),
        base=base,
        content_of=by_id["content_hash"],
        unit_of=by_id["unit"],
        roots=(),
        cache_dir=folder / "cache",
        on_progress=ignore_progress,
        should_stop=lambda: False,
    )
    train_quick_run(
        inputs,
        run_dir=folder / "run",
        home=folder / "run",
        run_id="run-0002",
        dataset_version={"number": 0, "fingerprint": "abc", "event": 0},
        now=datetime(2026, 11, 1, tzinfo=UTC),
    )
    return read_run_folder(folder / "run")


def test_a_quick_round_on_rows_needs_no_run_before(items, tmp_path):
    run = quick_round(items, tmp_path)
    scores = run.scores[run.scores["split"].isin(["train", "val"])]
    assert (scores["predicted_label"] == scores["given_label"]).mean() > 0.8
    assert (run.info.arch, run.info.pretrained) == ("row_features", False)
    assert "the rows themselves" in run.info.quick.embeddings


def test_a_quick_round_does_not_look_again_for_what_is_near(run, items, tmp_path, monkeypatch):
    alone = quick_round(items, tmp_path / "alone")
    looked = []
    monkeypatch.setattr(
        quick_scores, "nearest_of_shared", partial(_looking, quick_scores.nearest_of_shared, looked)
    )
    again = quick_round(items, tmp_path / "again", base=run)
    assert len(looked) == (run.info.arch == "tabular_net")
    assert again.scores["neighbour_label"].equals(alone.scores["neighbour_label"])


def _looking(original, looked, *arguments, **options):
    looked.append(arguments)
    return original(*arguments, **options)
