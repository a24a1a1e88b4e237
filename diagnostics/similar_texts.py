"""Which texts are nearly the same: what has almost all characters in common, in the same order.

A text is compared in its plain form: letters and digits in one case, whatever lies between them one blank. Two are near
if at least LEAST_ALIKE of their characters are the same in the same order (`difflib`), and all their numbers.

No such pair is missed, and few others are looked at: a character that differs is part of at most SHINGLE shingles, so
that a text can lose only so many of its shingles to a near one (the count filter of E. Ukkonen, "Approximate
string-matching with q-grams", 1992); of the others, the IN_PREFIX rarest that both have are in the prefix of each: its
rarest shingles, IN_PREFIX more than can be lost (prefix filtering: J. Wang, G. Li, J. Feng, "Can We Beat the Prefix
Filtering?", SIGMOD 2012). So only prefixes are multiplied with one another. One limit keeps this fast among many texts:
shingles that more than TOO_COMMON texts have lead to no candidates, so that a pair of nothing but such can be missed.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from diagnostics.task import FloatArray, IntArray

SHINGLE = 8
IN_PREFIX = 4
TOO_COMMON = 300
N_HASHES = 1 << 22
LEAST_ALIKE = 0.97
MOST_DIFFERING = (
    (1 - LEAST_ALIKE) * 2 / LEAST_ALIKE
)  # characters of both texts, as a share of the shorter one's length
CHUNK_ROWS = 2_000
MAX_PAIRS = 5_000_000
MAX_COMPARED = 2_000

OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class SimilarTexts:
    """Which texts are nearly the same.

    look : (n_texts,), equal for texts of one plain form
    first, second : (n_pairs,) looks, first < second; alike : (n_pairs,), in [LEAST_ALIKE, 1]
    complete : whether all pairs were looked at; there were more than MAX_PAIRS candidates if not
    """

    look: IntArray
    first: IntArray
    second: IntArray
    alike: FloatArray
    complete: bool


def plain_form(text: str) -> str:
    """The text in one case and without marks between its words; itself if nothing else is left of it.

    >>> plain_form("What's my  PIN?")
    'what s my pin'
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(words) or text.strip()


def find_similar_texts(
    texts: Sequence[str], *, on_step: OnStep = lambda done, total: None, max_pairs: int = MAX_PAIRS
) -> SimilarTexts:
    """Which of the texts are nearly the same. on_step : told how many of how many steps are done"""
    look, plain = _looks(texts)
    first, second, complete = _candidates(plain, on_step, max_pairs)
    alike = np.array([_alike(plain[one], plain[other]) for one, other in zip(first, second, strict=True)])
    near = np.flatnonzero(alike >= LEAST_ALIKE) if len(alike) else np.empty(0, dtype=np.int64)
    return SimilarTexts(look, first[near], second[near], alike[near].astype(np.float32), complete)


def _looks(texts: Sequence[str]) -> tuple[IntArray, list[str]]:
    """The number of each text's plain form, (n_texts,), and the plain forms in the order of their numbers."""
    numbers: dict[str, int] = {}
    look = np.array([numbers.setdefault(plain_form(text), len(numbers)) for text in texts], dtype=np.int64)
    return look, list(numbers)


def _alike(one: str, other: str) -> float:
    """The share of characters that are the same in the same order, in [0, 1]; 0 for texts with other numbers.

    Of long texts the beginning and the end are compared, MAX_COMPARED characters of each.
    """
    if re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return 0.0
    if max(len(one), len(other)) > 2 * MAX_COMPARED:
        return min(
            _alike(one[:MAX_COMPARED], other[:MAX_COMPARED]),
            _alike(one[-MAX_COMPARED:], other[-MAX_COMPARED:]),
        )
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if matcher.real_quick_ratio() < LEAST_ALIKE or matcher.quick_ratio() < LEAST_ALIKE:
        return 0.0
    return matcher.ratio()


def _candidates(plain: Sequence[str], on_step: OnStep, max_pairs: int) -> tuple[IntArray, IntArray, bool]:
    """Pairs of plain forms that may be near, and all that are; whether these are all of them."""
    nothing = np.empty(0, dtype=np.int64)
    if len(plain) < 2:
        return nothing, nothing, True
    length = np.array([len(text) for text in plain], dtype=np.int64)
    shingles = _shingles(plain)
    n_lost = SHINGLE * _most_differing(length)
    n_kept = np.maximum(1, _n_each(shingles) - n_lost)
    prefix = _prefixes(shingles, n_lost + IN_PREFIX)
    found = [(nothing, nothing)]
    n_left = max_pairs
    for start, stop in _chunks(len(plain), on_step):
        shared = (prefix[start:stop] @ prefix[:stop].T).tocoo()
        first, second = shared.col.astype(np.int64), shared.row.astype(np.int64) + start
        shorter, longer = np.minimum(length[first], length[second]), np.maximum(length[first], length[second])
        least = np.maximum(n_kept[first], n_kept[second])
        possible = (first < second) & (longer - shorter <= _most_differing(shorter))
        possible &= shared.data >= np.minimum(IN_PREFIX, least)
        first, second, least = first[possible], second[possible], least[possible]
        near = _n_shared(shingles, first, second) >= least
        found.append((first[near], second[near]))
        n_left -= int(np.count_nonzero(near))
        if n_left < 0:
            break
    first, second = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, n_left >= 0


def _most_differing(length: IntArray) -> IntArray:
    """How many characters a text of this length and one that is near to it can have that the other has not.

    With M characters in common, the share 2 M / (a + b) is at least LEAST_ALIKE, and M at most the shorter length.
    """
    most: IntArray = np.floor(MOST_DIFFERING * length + 1e-9).astype(np.int64)
    return most


def _chunks(n: int, on_step: OnStep) -> Iterator[tuple[int, int]]:
    for start in range(0, n, CHUNK_ROWS):
        on_step(start, n)
        yield start, min(n, start + CHUNK_ROWS)
    on_step(n, n)


def _shingles(plain: Sequence[str]) -> Any:
    """(n_texts, n_shingles that occur) sparse, 1 where a text has a shingle; from the rarest to the commonest one."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(
        analyzer="char", ngram_range=(SHINGLE, SHINGLE), n_features=N_HASHES, alternate_sign=False, norm=None,
        binary=True, lowercase=False, dtype=np.int32,
    )  # fmt: skip
    table = hashing.transform(plain)
    n_texts_with = np.bincount(table.indices, minlength=N_HASHES)
    order = np.argsort(n_texts_with, kind="stable")
    order = order[n_texts_with[order] > 0]
    place = np.empty(N_HASHES, dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    table.indices = place[table.indices]
    table.has_sorted_indices = False
    table.resize(len(plain), max(1, len(order)))
    table.sort_indices()
    return table


def _prefixes(shingles: Any, size: IntArray) -> Any:
    """Of each text its rarest shingles; size : (n_texts,), how many"""
    n_each = _n_each(shingles)
    rank = np.arange(shingles.nnz) - np.repeat(shingles.indptr[:-1], n_each)
    n_texts_with = np.bincount(shingles.indices, minlength=shingles.shape[1])
    prefix = shingles.copy()
    wanted = (rank < np.repeat(size, n_each)) & (n_texts_with[shingles.indices] <= TOO_COMMON)
    prefix.data = wanted.astype(np.int32)
    prefix.eliminate_zeros()
    return prefix


def _n_each(shingles: Any) -> IntArray:
    n_each: IntArray = np.diff(shingles.indptr).astype(np.int64)
    return n_each


def _n_shared(shingles: Any, first: IntArray, second: IntArray) -> IntArray:
    """(n_pairs,), how many shingles the two texts of each pair have in common."""
    shared = np.empty(len(first), dtype=np.int64)
    for start in range(0, len(first), 20 * CHUNK_ROWS):
        part = slice(start, start + 20 * CHUNK_ROWS)
        shared[part] = np.asarray(shingles[first[part]].multiply(shingles[second[part]]).sum(axis=1)).ravel()
    return shared
