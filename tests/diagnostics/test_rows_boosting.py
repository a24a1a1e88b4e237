import numpy as np
import pandas as pd
import pytest

from diagnostics.errors import Cancelled
from diagnostics.rows.boosting import MAX_BINS, fit_boosted_trees, in_bins
from diagnostics.rows.encoding import EncodedRows, fit_encoding

RNG = np.random.default_rng(0)
N = 120
HEIGHTS = RNG.normal(size=N)
CODES = (HEIGHTS > 0).astype(np.int64)


def encoded(**features):
    items = pd.DataFrame({f"feature:{name}": values for name, values in features.items()})
    return fit_encoding(items).encode(items)


def fit(rows: EncodedRows, codes=CODES, n_classes=2, *, train=None, should_stop=lambda: False, weights=None):
    train = np.arange(len(codes)) if train is None else train
    return fit_boosted_trees(
        in_bins(rows)[train],
        rows.is_category,
        codes[train],
        n_classes,
        weights=np.ones(len(train)) if weights is None else weights[train],
        seed=0,
        n_threads=1,
        should_stop=should_stop,
        on_share=lambda share: None,
    )


def accuracy(trees, rows, codes=CODES):
    return (trees.predict(in_bins(rows)).argmax(axis=1) == codes).mean()


def test_one_column_is_enough():
    rows = encoded(height=HEIGHTS)
    assert accuracy(fit(rows), rows) > 0.95


def test_categories_and_missing_values_are_taken_as_they_are():
    colours = np.where(CODES == 1, RNG.choice(["red", "blue"], N), RNG.choice(["green", "grey"], N))
    heights = np.where(CODES == 1, np.nan, 1.0)
    for rows in (encoded(colour=colours), encoded(height=heights)):
        assert accuracy(fit(rows), rows) == 1


def test_features_that_are_missing_in_all_training_items_or_constant_do_no_harm():
    late = np.where(np.arange(N) < 80, np.nan, 1.0)
    rows = encoded(height=HEIGHTS, late=late, never=np.full(N, np.nan), same=np.ones(N), none=[None] * N)
    assert accuracy(fit(rows, train=np.arange(80)), rows) > 0.9


def test_without_any_value_it_says_how_common_the_classes_are():
    rows = encoded(never=np.full(N, np.nan))
    np.testing.assert_allclose(fit(rows).predict(rows.values)[0], np.bincount(CODES) / N)


def test_categories_that_no_training_item_had_are_predicted_too():
    colours = np.array(["red", "blue"] * 40 + ["green"] * 40)
    codes = np.array([0, 1] * 60)
    rows = encoded(colour=colours)
    probs = fit(rows, codes, train=np.arange(80)).predict(rows.values)
    assert (probs[:80].argmax(axis=1) == codes[:80]).all()
    assert np.ptp(probs[80:], axis=0).max() == 0


def test_classes_without_training_items_get_no_probability():
    rows = encoded(height=HEIGHTS)
    probs = fit(rows, 2 * CODES, n_classes=4).predict(in_bins(rows))
    assert probs.shape == (N, 4)
    assert (probs[:, [1, 3]] == 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1)


def test_heavier_items_count_more():
    rows = encoded(noise=np.zeros(N))
    heavy = fit(rows, weights=np.where(CODES == 1, 9.0, 1.0)).predict(rows.values)[0, 1]
    assert heavy > fit(rows).predict(rows.values)[0, 1] + 0.2


def test_numbers_of_many_values_are_read_by_their_quantiles_and_others_as_they_are():
    many = RNG.normal(size=1000) ** 3
    rows = encoded(many=np.append(many, np.nan), few=np.append(np.arange(1000.0) % 7, np.nan))
    binned = in_bins(rows)
    assert len(np.unique(binned[:1000, 0])) == MAX_BINS
    assert (np.diff(binned[np.argsort(many), 0]) >= 0).all()
    assert np.isnan(binned[1000]).all()
    np.testing.assert_array_equal(binned[:1000, 1], rows.values[:1000, 1])


def test_a_fit_can_be_stopped():
    with pytest.raises(Cancelled):
        fit(encoded(height=HEIGHTS), should_stop=lambda: True)
