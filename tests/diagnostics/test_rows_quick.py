import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris

from diagnostics.modalities import EmbedInputs, Machine
from diagnostics.modalities.tabular_quick import RowFeatures
from diagnostics.progress import ignore_progress
from diagnostics.rows import quick
from diagnostics.rows.quick import N_FOURIER, QuickFit, fit_quick
from diagnostics.training.heads import HeadFold, fit_linear_heads
from diagnostics.training.outcomes import SoftmaxOutcome

RNG = np.random.default_rng(0)


def table(n=90, **features):
    ids = [f"r{number:03}" for number in range(n)]
    items = pd.DataFrame({"item_id": ids, "path": "", "root": 0, "split": "train"})
    items = items.assign(content_hash=ids, unit=ids)
    columns = {f"feature:{name}": values for name, values in features.items()}
    return pd.concat([items, pd.DataFrame(columns, index=items.index)], axis=1)


def head_accuracy(features, codes):
    """Of heads that are each judged by the third they did not see."""
    fold_of = np.arange(len(codes)) % 3
    folds = [
        HeadFold(lambda: features, np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold))
        for fold in range(3)
    ]
    outcome = SoftmaxOutcome(torch.from_numpy(codes), int(codes.max()) + 1)
    probs = fit_linear_heads(folds, outcome, n_items=len(codes), device=torch.device("cpu")).fold_probs
    return (probs[fold_of, np.arange(len(codes))].argmax(axis=1) == codes).mean()


def features_of(items):
    return fit_quick(items).features(items)


def test_a_linear_head_tells_classes_apart_and_wrong_ones_not():
    data = load_iris(as_frame=True)
    items = data.data.add_prefix("feature:")
    codes = np.array(data.target, dtype=np.int64)
    assert head_accuracy(features_of(items), codes) > 0.92
    assert head_accuracy(features_of(items), RNG.permutation(codes)) < 0.45


@pytest.mark.parametrize("shape", ["middle", "category", "missing", "weekend", "together"])
def test_a_linear_head_can_learn(shape):
    n = 400
    codes = RNG.integers(0, 2, n)
    x, y = RNG.normal(size=n), RNG.normal(size=n)
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(
        RNG.integers(0, 90, n) * 7 + 5 * (1 - codes), unit="D"
    )
    columns = {
        "middle": {"x": np.where(codes == 1, x / 4, np.sign(x) + x)},
        "category": {"c": np.where(codes == 1, RNG.choice(["a", "b"], n), RNG.choice(["c", "d"], n))},
        "missing": {"x": np.where(codes == 1, x, np.nan)},
        "weekend": {"day": days},
        "together": {"x": x, "y": np.where(codes == 1, np.sign(x) * np.abs(y), -np.sign(x) * np.abs(y))},
    }[shape]
    assert head_accuracy(features_of(table(n, **columns)), codes) > 0.85


def test_odd_columns_do_no_harm():
    items = table(never=np.nan, same=1.0, none=None, name=[f"n{number}" for number in range(90)])
    assert np.isfinite(features_of(items)).all()
    assert np.isfinite(features_of(table(same=1.0))).all()


def test_very_many_columns_become_fewer(monkeypatch):
    monkeypatch.setattr(quick, "MOST_LINEAR", 64)
    wide = table(**{f"x{number}": RNG.normal(size=90) for number in range(33)})
    assert features_of(wide).shape == (90, 64 + N_FOURIER)


def test_a_fit_is_read_back_as_it_was_written(tmp_path):
    items = table(x=np.where(RNG.random(90) < 0.1, np.nan, 1.0), c=["a", "b", None] * 30)
    fit = fit_quick(items)
    fit.save(tmp_path / "fit.json")
    np.testing.assert_array_equal(QuickFit.load(tmp_path / "fit.json").features(items), fit.features(items))


@pytest.fixture
def embed(tmp_path):
    def embed(items, on_progress=ignore_progress):
        inputs = EmbedInputs(
            items=items,
            modality="tabular",
            roots=(),
            cache_dir=tmp_path,
            machine=Machine(torch.device("cpu"), "off", 1),
            on_progress=on_progress,
            should_stop=lambda: False,
        )
        return RowFeatures().embed(inputs).read()[0]

    return embed


def test_features_are_computed_once_for_each_content(embed):
    items = table(100, x=RNG.normal(size=100))
    told = []
    first = embed(items.head(80), told.append)
    again = embed(items, told.append)
    embed(items, told.append)
    np.testing.assert_array_equal(again[:80], first)
    fewer = embed(items.head(40), told.append)
    np.testing.assert_array_equal(fewer, first[:40])
    assert [(progress.done, progress.total) for progress in told] == [(80, 80), (20, 20)]


def test_other_kinds_of_features_or_twice_as_many_rows_are_learnt_anew(embed, tmp_path):
    items = table(x=np.arange(90.0))
    embed(items)
    embed(items.assign(**{"feature:x": items["feature:x"].astype(str)}))
    assert len(list((tmp_path / "embeddings").iterdir())) == 2
    embed(table(200, x=np.arange(200.0)))
    assert len(list((tmp_path / "embeddings").iterdir())) == 3
