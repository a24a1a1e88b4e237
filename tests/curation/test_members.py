"""The members of a queue, found chunk by chunk, are those that looking at every place finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import members
from curation.members import Members
from curation.run_index import Ranking

N_GROUPS = 3


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(members, "CHUNK", 8)


@st.composite
def cases(draw):
    """Members, and the same as one mask over all places."""
    n = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    group = rng.integers(0, N_GROUPS, n).astype(np.int8)
    n_valued = draw(st.integers(0, n))
    order = rng.permutation(n).astype(np.int32)
    ranking = Ranking(
        order=order,
        place=np.argsort(order).astype(np.int32),
        group=group,
        values=np.zeros(n),
        n_in_group=np.bincount(group[:n_valued], minlength=N_GROUPS),
        n_valued=n_valued,
    )
    fits = rng.random(N_GROUPS) < 0.7
    found = rng.random(n) < 0.6 if draw(st.booleans()) else None
    is_touched, untouched = rng.random(n) < draw(st.sampled_from([0, 0.05, 0.5])), draw(st.booleans())
    touched = np.flatnonzero(is_touched).astype(np.int32)
    mask = fits[group] & (is_touched != untouched) & (True if found is None else found)
    bits = None if found is None else np.packbits(found)
    return Members.of(ranking, fits, touched, untouched, bits), mask


@settings(max_examples=150)
@given(case=cases())
def test_every_rank_page_and_count_is_what_one_look_at_everything_gives(case):
    found, mask = case
    n_valued, order = found.ranking.n_valued, found.ranking.order
    expected = order[:n_valued][mask[:n_valued]].tolist()
    assert len(found) == len(expected)
    assert found.n_without_value == int(mask[n_valued:].sum())
    for start in range(0, len(mask) + 2, 5):
        assert found.rows(start, start + 5).tolist() == expected[start : start + 5]
    assert found.rows(0, len(mask)).tolist() == expected
    some = np.arange(1, len(expected) + 1)[::3]
    assert found.rows_at(some).tolist() == expected[::3]
    ranks = {row: rank for rank, row in enumerate(expected, 1)}
    assert [found.rank_of(row) for row in range(len(mask))] == [ranks.get(row) for row in range(len(mask))]
    assert found.holds(np.arange(n_valued)).tolist() == mask[:n_valued].tolist()
    there = found.are_found(np.arange(n_valued))
    counted = np.bincount(found.ranking.group[:n_valued][there], minlength=N_GROUPS)
    assert found.n_found_in_group.tolist() == counted.tolist()
