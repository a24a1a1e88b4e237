"""Which items are held out for validation: a function of the seed and each item's content alone."""

import hashlib
from collections.abc import Sequence

import pandas as pd

from diagnostics.errors import DataError


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
    numbers = {content: _number_of(content, seed) for content in content_hashes}
    held_out = {content: number < fraction for content, number in numbers.items()}
    if fraction > 0:
        _fill_empty_sides(held_out, numbers, content_hashes, labels)
    return [held_out[content] for content in content_hashes]


def check_fraction(fraction: float) -> None:
    """Raise DataError unless the share lies in [0, 1)."""
    if not 0 <= fraction < 1:
        raise DataError(f"The validation share must be at least 0 and below 1, found {fraction:g}.")


def _fill_empty_sides(
    held_out: dict[str, bool], numbers: dict[str, float], content_hashes: Sequence[str], labels: Sequence[str]
) -> None:
    table = pd.DataFrame({"content": content_hashes, "label": labels}).drop_duplicates()
    for _, contents in sorted(table.groupby("label", sort=True)["content"]):
        members = list(contents)
        n_held_out = sum(held_out[content] for content in members)
        if len(members) > 1 and n_held_out == 0:
            held_out[min(members, key=lambda content: (numbers[content], content))] = True
        elif len(members) > 1 and n_held_out == len(members):
            held_out[max(members, key=lambda content: (numbers[content], content))] = False


def _number_of(content: str, seed: int) -> float:
    digest = hashlib.blake2b(f"{seed}:{content}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
