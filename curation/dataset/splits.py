"""Which items are held out for validation: a function of the seed and of what belongs together."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.task import BoolArray, FloatArray


def split_off_validation(
    units: Sequence[str], labels: Sequence[str], *, fraction: float, seed: int
) -> list[bool]:
    """True for each item that goes to validation; (n_items,).

    units : what must stay together, see `curation.dataset.duplicates.units_of`: the group of an item, else its content

    An item goes to validation when a number in [0, 1) made from the seed and its unit lies below `fraction`. So copies
    and groups always land on one side, the order does not matter, and an item's side does not depend on the other
    items: adding items moves none, unless they join units. The share of a class is `fraction` in expectation.

    One exception keeps small classes usable: a class with at least two units has at least one on each side; if chance
    leaves a side empty, the unit with the class's smallest (or largest) number goes there. Such a unit can go back when
    items of its class are added; of classes with 20 units, at a fraction of 0.2, chance leaves 1 in 87 without
    validation images. Where a unit bears two labels, a class may yet miss a side on account of the other.
    fraction : in [0, 1); 0 holds nothing out
    """
    check_fraction(fraction)
    rows, distinct = pd.factorize(np.array(units, dtype=object))
    numbers = _numbers_of(distinct.tolist(), seed)
    held_out = numbers < fraction
    if fraction > 0:
        _fill_empty_sides(held_out, numbers, pd.DataFrame({"unit": rows, "label": labels}))
    sides: list[bool] = held_out[rows].tolist()
    return sides


def check_fraction(fraction: float) -> None:
    """Raise DataError unless the share lies in [0, 1)."""
    if not 0 <= fraction < 1:
        raise DataError(f"The validation share must be at least 0 and below 1, found {fraction:g}.")


def _fill_empty_sides(held_out: BoolArray, numbers: FloatArray, table: pd.DataFrame) -> None:
    """Change `held_out` where a class has one side only. table : unit (a position in the two arrays), label."""
    for _, units in table.drop_duplicates().groupby("label", sort=True)["unit"]:
        members = units.to_numpy()
        n_held_out = int(held_out[members].sum())
        if len(members) > 1 and n_held_out == 0:
            held_out[members[np.argmin(numbers[members])]] = True
        elif len(members) > 1 and n_held_out == len(members):
            held_out[members[np.argmax(numbers[members])]] = False


def _numbers_of(units: Sequence[str], seed: int) -> FloatArray:
    """For each unit a number in [0, 1) made from the seed and it; (n_units,)."""
    of_seed = hashlib.blake2b(f"{seed}:".encode(), digest_size=8)
    digests = bytearray()
    for unit in units:
        digest = of_seed.copy()
        digest.update(unit.encode())
        digests += digest.digest()
    return np.frombuffer(bytes(digests), dtype=">u8") / 2**64
