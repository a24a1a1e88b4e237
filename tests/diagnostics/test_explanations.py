import json

import numpy as np
import pytest

from diagnostics.errors import RunError
from diagnostics.explanations import (
    MAX_PARTS,
    explanations_of,
    place_explanations,
    read_explanations,
    write_explanations,
)


def item(*parts):
    start, end, effect = (np.array(values) for values in zip(*parts, strict=True))
    return start, end, effect


NOTHING = (np.empty(0, dtype=int), np.empty(0, dtype=int), np.empty(0))


def test_effects_are_scaled_within_an_item_and_stand_in_the_order_of_the_text():
    found = explanations_of([item((6, 9, 1.0), (0, 2, -4.0)), NOTHING, item((0, 1, 0.5))])
    assert found.of(0) == [(0, 2, -1.0), (6, 9, 0.25)]
    assert found.of(1) == []
    assert found.of(2) == [(0, 1, 1.0)]


def test_the_weakest_parts_and_those_without_effect_are_left_out():
    many = explanations_of([item(*[(place, place + 1, place) for place in range(MAX_PARTS + 3)])])
    assert [start for start, _, _ in many.of(0)] == list(range(3, MAX_PARTS + 3))
    assert explanations_of([item((0, 1, 0.0), (2, 3, 1.0))]).of(0) == [(2, 3, 1.0)]


def test_explanations_of_parts_of_the_items_are_put_into_their_places():
    first = explanations_of([item((0, 1, 1.0)), item((2, 3, -1.0))], ("a", "b", "c"))
    second = explanations_of([item((1, 2, 1.0))], ("a", "b", "c"))
    placed = place_explanations(
        [(np.array([3, 0]), first), (np.array([1]), second)], n_items=5, parts=("a", "b", "c")
    )
    assert [placed.of(row) for row in range(5)] == [[(2, 3, -1.0)], [(1, 2, 1.0)], [], [(0, 1, 1.0)], []]


@pytest.mark.parametrize("items", [[item((0, 2, 2.0), (3, 4, -1.0)), NOTHING], [NOTHING]])
def test_explanations_come_back_from_disk_memory_mapped(tmp_path, items):
    assert read_explanations(tmp_path) is None
    written = explanations_of(items, ("é",))
    write_explanations(tmp_path, written)
    read = read_explanations(tmp_path)
    assert [read.of(row) for row in range(len(read))] == [written.of(row) for row in range(len(items))]
    assert read.parts == ("é",)
    assert isinstance(read.begins, np.memmap)


def test_unreadable_and_newer_explanations_say_so(tmp_path):
    write_explanations(tmp_path, explanations_of([NOTHING]))
    about = tmp_path / "explanations" / "explanations.json"
    about.write_text(json.dumps({"format_version": 99, "parts": []}))
    with pytest.raises(RunError, match="newer Winnow"):
        read_explanations(tmp_path)
    about.write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        read_explanations(tmp_path)
