"""Which items are held out for validation: a function of the seed and each item's content alone."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from diagnostics.errors import DataError
from diagnostics.task import BoolArray, FloatArray


def split_off_validation(
    content_hashes: Sequence[str], labels: Sequence[str], *, fraction: float, seed: int
) -> list[bool]:
    """True for each item that goes to validation; (n_items,).

    An item goes to validation when a number in [0, 1) made from the seed and its content lies below `fraction`. So an
    exact duplicate always lands on the same side, the order does not matter, and an item's side does not depend on
    the other items: adding items moves none. The share of a class is `fraction` in expectation.

    One exception keeps small classes usable: a class with at least two different images has at least one on each side;
    if chance leaves a side empty, the image with the class's smallest (or largest) number goes there. Such an image can
    go back when items of its class are added; of classes with 20 images, at a fraction of 0.2, chance leaves 1 in 87
    without validation images. Where an image bears two labels, a class may yet miss a side on account of the other.
    fraction : in [0, 1); 0 holds nothing out
    """
    check_fraction(fraction)
    rows, contents = pd.factorize(np.array(content_hashes, dtype=object))
    numbers = _numbers_of(contents.tolist(), seed)
    held_out = numbers < fraction
    if fraction > 0:
        _fill_empty_sides(held_out, numbers, pd.DataFrame({"content": rows, "label": labels}))
    sides: list[bool] = held_out[rows].tolist()
    return sides


def check_fraction(fraction: float) -> None:
    """Raise DataError unless the share lies in [0, 1)."""
    if not 0 <= fraction < 1:
        raise DataError(f"The validation share must be at least 0 and below 1, found {fraction:g}.")


def _fill_empty_sides(held_out: BoolArray, numbers: FloatArray, table: pd.DataFrame) -> None:
    """Change `held_out` where a class has one side only. table : content (a position in the two arrays), label."""
    for _, contents in table.drop_duplicates().groupby("label", sort=True)["content"]:
        members = contents.to_numpy()
        n_held_out = int(held_out[members].sum())
        if len(members) > 1 and n_held_out == 0:
            held_out[members[np.argmin(numbers[members])]] = True
        elif len(members) > 1 and n_held_out == len(members):
            held_out[members[np.argmax(numbers[members])]] = False


def _numbers_of(contents: Sequence[str], seed: int) -> FloatArray:
    """For each content a number in [0, 1) made from the seed and it; (n_contents,)."""
    of_seed = hashlib.blake2b(f"{seed}:".encode(), digest_size=8)
    digests = bytearray()
    for content in contents:
        digest = of_seed.copy()
        digest.update(content.encode())
        digests += digest.digest()
    return np.frombuffer(bytes(digests), dtype=">u8") / 2**64
