import numpy as np
import pandas as pd

from diagnostics.dynamics import Dynamics
from diagnostics.label_quality import fit_label_quality
from diagnostics.neighbours import nearest_items
from diagnostics.predictions import Predictions, object_array
from diagnostics.reasons import QUALITY_COLUMNS, quality_table, reasons
from diagnostics.scores import scores_table
from diagnostics.signals import signals_of


def row(**values):
    full = {
        "given_label": "t-shirt",
        "neighbour_label": "shirt",
        "neighbour_count": 7,
        "n_neighbours": 10,
        "model_label": "shirt",
        "model_count": 5,
        "n_models": 5,
        "training_label": "t-shirt",
    }
    return pd.DataFrame([full | values])


def test_what_speaks_against_the_label_comes_first():
    assert reasons(row()) == [
        "7 of 10 neighbours are `shirt`; every fold model says `shirt`; its label was learnt in training"
    ]
    assert reasons(row(neighbour_label="t-shirt", model_count=3, training_label="dress")) == [
        "3 of 5 fold models say `shirt`; in training it was taken for `dress`; 7 of 10 neighbours are `t-shirt`"
    ]


def test_what_is_not_known_is_not_spoken_of():
    assert reasons(row(neighbour_label=None, training_label=None)) == ["every fold model says `shirt`"]


def test_rows_of_a_run_of_before_have_the_models_word():
    old = pd.DataFrame(
        {"given_label": ["cat", None], "p_given": [0.02, np.nan], "predicted_label": ["dog", "dog"]}
    )
    assert reasons(old) == ["the model gives `cat` 2%, it says `dog`", ""]


def test_an_item_without_a_label_is_described_by_models_and_neighbours():
    assert reasons(row(given_label=None, training_label=None)) == [
        "7 of 10 neighbours are `shirt`; every fold model says `shirt`"
    ]


def test_the_table_keeps_the_scores_and_adds_what_the_reasons_need(tmp_path):
    rng = np.random.default_rng(0)
    n_items = 60
    labels = object_array([*rng.choice(["cat", "dog"], n_items - 1), None])
    probs = rng.dirichlet([1, 1], n_items).astype(np.float32)
    features = rng.normal(size=(n_items, 4)).astype(np.float16)
    predictions = Predictions(
        item_ids=object_array([str(number) for number in range(n_items)]),
        splits=object_array(["train"] * (n_items - 1) + ["unlabelled"]),
        folds=np.append(np.arange(n_items - 1) % 2, -1),
        kinds=object_array(["out_of_fold"] * (n_items - 1) + ["mean_of_folds"]),
        given_labels=labels,
        pred_probs=probs,
        embeddings=features,
        classes=("cat", "dog"),
        fold_probs=np.stack([probs, probs]).astype(np.float16),
        fold_embeddings=np.stack([features, features]),
    )
    dynamics = Dynamics(probs, *(np.empty(0, dtype=np.int64),) * 3, probs[:0])
    signals = signals_of(predictions, dynamics=dynamics, near=nearest_items(predictions, None))
    scores = scores_table(predictions)
    table = quality_table(scores, signals, fit_label_quality(signals))
    path = tmp_path / "scores.parquet"
    table.to_parquet(path, index=False)
    read = pd.read_parquet(path)
    assert list(read.columns) == [*scores.columns, *QUALITY_COLUMNS]
    unchanged = [name for name in scores if name != "label_quality"]
    pd.testing.assert_frame_equal(table[unchanged], scores[unchanged])
    assert read["doubt_dynamics"].isna().all()
    assert read["training_label"].isna().all()
    assert read["doubt_held_out"].isna().tolist() == [False] * (n_items - 1) + [True]
    assert set(read["n_models"]) == {2}
    assert read["neighbour_count"].between(5, 10).all()
    assert "neighbours are" in reasons(read)[0]
