"""Small texts with labels, and runs on them."""

import hashlib
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from diagnostics.explanations import read_explanations
from diagnostics.progress import ignore_progress
from diagnostics.run_folder import read_run_folder
from diagnostics.task import Task
from diagnostics.training.config import TrainConfig
from diagnostics.training.quick import QuickInputs, train_quick_run
from diagnostics.training.run import train_run

TASK = Task("text", "single", ("animal", "food", "tool"))
WORDS = {
    "animal": ("cat", "dog", "horse", "sparrow", "trout"),
    "food": ("bread", "cheese", "apple", "soup", "noodles"),
    "tool": ("hammer", "saw", "drill", "chisel", "spanner"),
}
FILLERS = ("a", "good", "for", "me", "please", "small", "the", "old", "new", "today")
CONFIG = TrainConfig(folds=3, planted=0.0, n_threads=1)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SETS = Task("text", "multi", (*TASK.classes, "old"))


def make_texts(n_train=150, *, n_val=15, n_unlabelled=6, n_wrong=0, seed=0):
    """Texts of six words, three of them of the class; the first `n_wrong` train items have the label of another."""
    rng = np.random.default_rng(seed)
    rows = []
    for split, n in (("train", n_train), ("val", n_val), ("unlabelled", n_unlabelled)):
        for number in range(n):
            label = TASK.classes[number % 3]
            words = [*rng.choice(WORDS[label], 2), *rng.choice(FILLERS, 4)]
            text = " ".join(rng.permutation(words)) + "."
            given = TASK.classes[(number + 1) % 3] if split == "train" and number < n_wrong else label
            rows.append((f"{split}-{number:04d}", split, None if split == "unlabelled" else given, text))
    table = pd.DataFrame(rows, columns=["item_id", "split", "label", "text"])
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in table["text"]]
    return table.assign(path="", root=0, content_hash=hashes, unit=hashes)


def with_sets(items):
    """The same texts, those with the word old labelled with it too."""
    old = items["text"].str.contains("old")
    return items.assign(label=items["label"].where(~old, items["label"] + "|old"))


def train(items, folder, config=CONFIG, *, task=TASK, should_stop=lambda: False, on_progress=ignore_progress):
    folder.mkdir(exist_ok=True)
    train_run(
        items,
        task,
        config,
        roots=[],
        run_dir=folder / "run",
        cache_dir=folder.parent / "cache",
        run_id="run-0001",
        dataset_version={"number": 0, "fingerprint": "abc", "event": 0},
        now=NOW,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    return read_run_folder(folder / "run")


def quick_inputs(items, folder, *, base=None):
    return QuickInputs(
        items=items,
        task=TASK,
        config=CONFIG,
        base=base,
        content_of=items.set_index("item_id")["content_hash"],
        unit_of=items.set_index("item_id")["unit"],
        roots=(),
        cache_dir=folder / "cache",
        on_progress=ignore_progress,
        should_stop=lambda: False,
    )


def quick_run(inputs, folder, name="quick"):
    version = {"number": 0, "fingerprint": "abc", "event": 0}
    home = folder / name
    train_quick_run(inputs, run_dir=home, home=home, run_id=name, dataset_version=version, now=NOW)
    return read_run_folder(home)


def assert_sets_are_learnt(run):
    """Each label is a question of its own: probabilities that do not sum to 1, the right ones higher."""
    probs = np.asarray(run.predictions.pred_probs)
    assert np.abs(probs.sum(axis=1) - 1).max() > 0.05
    given = run.scores["given_label"].fillna("")
    for place, name in enumerate(SETS.classes):
        has = given.str.split("|").map(lambda names, name=name: name in names).to_numpy()
        of_train = (run.scores["split"] == "train").to_numpy()
        assert probs[of_train & has, place].mean() > probs[of_train & ~has, place].mean() + 0.1
    explained = read_explanations(run.folder)
    assert any(explained.of(row) for row in range(len(run.scores)))
