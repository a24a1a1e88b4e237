"""Which texts are nearly the same: hashed character shingles find candidates, the characters themselves decide.

A text is compared in its plain form: letters and digits in one case, whatever lies between them one blank. Candidates
are the pairs whose TF-IDF vectors of four-character shingles have a cosine of at least LEAST_COSINE. None is missed:
of two such texts, the rarest shingles that they share are among the PREFIX of both, that is, not among the most common
shingles that together are shorter than LEAST_COSINE (prefix filtering: R. J. Bayardo, Y. Ma, R. Srikant, "Scaling Up
All Pairs Similarity Search", WWW 2007). So only prefixes are multiplied with one another.

Shingles alone take "How do I add a card" and "Can I add a card" for copies, which are different questions. So a
candidate is near if at least LEAST_ALIKE of the characters are the same in the same order (`difflib`), and all numbers.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from diagnostics.task import FloatArray, IntArray

SHINGLE = 4
N_HASHES = 1 << 21
LEAST_COSINE = 0.7
LEAST_ALIKE = 0.97
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
    """Pairs of plain forms with a cosine of at least LEAST_COSINE; whether these are all of them."""
    nothing = np.empty(0, dtype=np.int64)
    if len(plain) < 2:
        return nothing, nothing, True
    vectors = _vectors(plain)
    prefix = _prefixes(vectors)
    found = [(nothing, nothing)]
    n_left = max_pairs
    for start, stop in _chunks(len(plain), on_step):
        shared = (prefix[start:stop] @ prefix[:stop].T).tocoo()
        first, second = shared.col.astype(np.int64), shared.row.astype(np.int64) + start
        first, second = first[first < second], second[first < second]
        near = _cosines(vectors, first, second) >= LEAST_COSINE
        found.append((first[near], second[near]))
        n_left -= int(np.count_nonzero(near))
        if n_left < 0:
            break
    first, second = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, n_left >= 0


def _chunks(n: int, on_step: OnStep) -> Iterator[tuple[int, int]]:
    for start in range(0, n, CHUNK_ROWS):
        on_step(start, n)
        yield start, min(n, start + CHUNK_ROWS)
    on_step(n, n)


def _vectors(plain: Sequence[str]) -> Any:
    """(n_texts, n_shingles that occur) sparse TF-IDF of length 1; columns from the rarest shingle to the commonest."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.preprocessing import normalize

    hashing = HashingVectorizer(
        analyzer="char", ngram_range=(SHINGLE, SHINGLE), n_features=N_HASHES, alternate_sign=False, norm=None,
        binary=True, lowercase=False, dtype=np.float32,
    )  # fmt: skip
    counts = hashing.transform(f" {text} " for text in plain)
    n_texts_with = np.bincount(counts.indices, minlength=N_HASHES)
    order = np.argsort(n_texts_with, kind="stable")
    order = order[n_texts_with[order] > 0]
    place = np.empty(N_HASHES, dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    inverse = np.log((1 + len(plain)) / (1 + n_texts_with)).astype(np.float32) + 1
    counts.data = inverse[counts.indices]
    counts.indices = place[counts.indices]
    counts.has_sorted_indices = False
    counts.resize(len(plain), len(order))
    counts.sort_indices()
    return normalize(counts, copy=False)


def _prefixes(vectors: Any) -> Any:
    """The vectors without their most common shingles, as many as are shorter than LEAST_COSINE together."""
    squares = vectors.data.astype(np.float64) ** 2
    total = np.concatenate([[0.0], np.cumsum(squares)])
    ends = np.repeat(total[vectors.indptr[1:]], np.diff(vectors.indptr))
    in_prefix = ends - total[:-1] >= LEAST_COSINE**2 - 1e-6
    prefix = vectors.copy()
    prefix.data = np.where(in_prefix, vectors.data, 0).astype(np.float32)
    prefix.eliminate_zeros()
    return prefix


def _cosines(vectors: Any, first: IntArray, second: IntArray) -> FloatArray:
    cosines = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), 20 * CHUNK_ROWS):
        part = slice(start, start + 20 * CHUNK_ROWS)
        cosines[part] = np.asarray(vectors[first[part]].multiply(vectors[second[part]]).sum(axis=1)).ravel()
    return cosines
