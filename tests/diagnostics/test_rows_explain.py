import numpy as np
import pytest

from diagnostics.errors import Cancelled
from diagnostics.modalities import ToExplain
from diagnostics.rows import explain
from diagnostics.rows.explain import explain_rows

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(400, 3))
FEATURE_OF = np.array([0, 1, 1])
NAMES = ("height", "place")


def by_columns(*weights):
    """A model of two classes; weights : of each column for class 1."""

    def predict(values):
        for_one = 1 / (1 + np.exp(-np.nan_to_num(values) @ np.array(weights)))
        return np.column_stack([1 - for_one, for_one])

    return predict


def asked_of(positions, codes, n_models=1):
    positions, codes = np.asarray(positions), np.asarray(codes)
    return ToExplain(positions, codes, 1 - codes, n_models=n_models)


def explained(predict, asked, *, should_stop=lambda: False):
    return explain_rows(predict, VALUES, FEATURE_OF, NAMES, asked, seed=0, should_stop=should_stop)


def test_what_raises_the_probability_of_the_label_speaks_for_it():
    high, low = int(VALUES[:, 0].argmax()), int(VALUES[:, 0].argmin())
    found = explained(by_columns(2.0, 0.0, 0.0), asked_of([high, low, high], [1, 1, 0]))
    assert [found.of(row) for row in range(3)] == [[(0, 1, 1.0)], [(0, 1, -1.0)], [(0, 1, -1.0)]]
    assert found.parts == NAMES


def test_all_columns_of_a_feature_are_replaced_together():
    row = int((VALUES[:, 1] * VALUES[:, 2]).argmax())

    def together(values):
        said = values[:, 1] * values[:, 2] > 0.5
        return np.column_stack([~said, said]).astype(float)

    assert explained(together, asked_of([row], [1])).of(0) == [(1, 2, 1.0)]


def test_the_strongest_feature_has_the_largest_effect():
    rows = np.argsort(-np.abs(VALUES).min(axis=1))[:20]
    found = explained(by_columns(0.2, 0.0, 3.0), asked_of(rows, np.ones(20, dtype=int)))
    assert (
        sum({place: effect for place, _, effect in found.of(row)}.get(1) in (1.0, -1.0) for row in range(20))
        >= 18
    )


def test_of_too_many_items_the_most_suspect_are_explained(monkeypatch):
    monkeypatch.setattr(explain, "MOST_PREDICTIONS", 0)
    monkeypatch.setattr(explain, "FEWEST_EXPLAINED", 10)
    found = explained(by_columns(1, 1, 1), asked_of(np.arange(50)[::-1], np.ones(50, dtype=int), n_models=2))
    assert np.flatnonzero(np.diff(found.begins)).tolist() == [0, 1, 2, 3, 4]
    assert len(found) == 50


def test_many_items_are_asked_about_in_parts(monkeypatch):
    asked = asked_of(np.arange(100), np.ones(100, dtype=int))
    at_once = explained(by_columns(1, 0, 0), asked)
    monkeypatch.setattr(explain, "ROWS_AT_ONCE", 64)
    in_parts = explained(by_columns(1, 0, 0), asked)
    assert [in_parts.of(row)[0][0] for row in range(100)] == [at_once.of(row)[0][0] for row in range(100)]


def test_it_can_be_stopped():
    with pytest.raises(Cancelled):
        explained(by_columns(1, 0, 0), asked_of([0], [1]), should_stop=lambda: True)
