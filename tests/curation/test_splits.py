import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dataset.splits import split_off_validation
from diagnostics.errors import DataError

contents = st.text("abcdef0123456789", min_size=4, max_size=12)
datasets = st.lists(st.tuples(contents, st.sampled_from(["cat", "dog", "eel"])), min_size=1, max_size=80)


def sides(items, *, seed=0, fraction=0.2):
    hashes, labels = [content for content, _ in items], [label for _, label in items]
    return split_off_validation(hashes, labels, fraction=fraction, seed=seed)


@given(datasets, st.integers(0, 1000))
def test_the_same_seed_gives_the_same_split_in_any_order(items, seed):
    turned = sides(items[::-1], seed=seed)[::-1]
    assert sides(items, seed=seed) == turned


@given(datasets)
def test_exact_duplicates_land_on_one_side(items):
    by_content = {}
    for (content, _), held_out in zip(items, sides(items), strict=True):
        assert by_content.setdefault(content, held_out) == held_out


LARGE = [(f"{label}{number}", label) for label in ("cat", "dog") for number in range(200)]


@given(datasets, st.integers(0, 50))
@settings(max_examples=50)
def test_adding_items_moves_none_of_the_old_ones(added, seed):
    assert sides(LARGE + added, seed=seed)[: len(LARGE)] == sides(LARGE, seed=seed)


@given(st.integers(0, 300), st.integers(2, 6))
def test_a_class_with_two_different_images_has_one_on_each_side(seed, n_items):
    items = [(f"x{number}", "cat") for number in range(n_items)]
    held_out = sides(items, seed=seed)
    assert any(held_out)
    assert not all(held_out)


def test_each_class_has_about_its_share_in_validation():
    items = [(f"{label}-{number}", label) for label in "abcde" for number in range(2000)]
    held_out = sides(items)
    for start in range(0, 10_000, 2000):
        assert 0.16 < sum(held_out[start : start + 2000]) / 2000 < 0.24


def test_the_split_of_today_is_the_split_of_tomorrow():
    held_out = sides([(f"image {number}", "cat") for number in range(12)], seed=7)
    assert [number for number, is_out in enumerate(held_out) if is_out] == [2, 4, 7]


def test_a_fraction_of_zero_holds_nothing_out():
    assert not any(sides(LARGE, fraction=0.0))


def test_a_fraction_of_one_is_refused():
    with pytest.raises(DataError, match="at least 0 and below 1"):
        sides(LARGE, fraction=1.0)
