"""Which images are nearly the same: perceptual hashes, an exact search for close ones, and a look at those it finds.

An image is described by the first cosine coefficients of its grey thumbnail, scaled to length 1, each divided by how
much it varies in the set: what all images of a set have in common, such as a white background, does not make two of
them alike. The signs of these 64 numbers are its hash. All pairs of which at most MAX_BITS bits differ are found by
multi-index hashing (M. Norouzi, A. Punjani, D. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR
2012) and judged by the cosine of their 64 numbers, as they are and with one of the two mirrored.

How near is near depends on the set: small scans of digits are all alike, photos are not. So the distance of two copies,
1 - cosine, is compared with how far both are from others: it may be SHARE of the distance to the TENTH most similar
image (the ratio test of D. Lowe, IJCV 60, 2004). Images that are as good as equal are copies in any set.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from diagnostics.image_files import THUMBNAIL_PX
from diagnostics.task import BoolArray, FloatArray, IntArray

N_COEFFICIENTS = 64
BAND_BITS, BITS_PER_BAND = 16, 1
N_BANDS = N_COEFFICIENTS // BAND_BITS
MAX_BITS = (
    N_BANDS * (BITS_PER_BAND + 1) - 1
)  # with 8 bits that differ, each of the 4 bands could have 2 of them
PLAIN_BELOW = 3.0
PLAIN = -1
AS_GOOD_AS_EQUAL = 0.99
LEAST_COSINE = 0.9
SHARE, TENTH = 0.1, 10
N_COMPARED_WITH = 10_000
N_PRIOR = 50
CHUNK_PAIRS = 1 << 20
CHUNK_ROWS = 4_096
MAX_PAIRS = 5_000_000

ByteArray = npt.NDArray[np.uint8]
HashArray = npt.NDArray[np.uint64]
OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class Likeness:
    """How images look, and which looks are nearly the same.

    look : (n_images,), equal for equal thumbnails; PLAIN for images so even that nothing can be said about them
    first, second : (n_pairs,) looks, first < second; cosine : (n_pairs,), in [LEAST_COSINE, 1]
    mirrored : (n_pairs,), one is like the mirror image of the other
    complete : whether all pairs are listed; there are more than MAX_PAIRS if not
    """

    look: IntArray
    first: IntArray
    second: IntArray
    cosine: FloatArray
    mirrored: BoolArray
    complete: bool


def find_near_duplicates(
    thumbnails: ByteArray, *, on_step: OnStep = lambda done, total: None, max_pairs: int = MAX_PAIRS
) -> Likeness:
    """Which images are nearly the same.

    thumbnails : (n_images, THUMBNAIL_PX ** 2), as `diagnostics.image_files.inspect_image` makes them
    on_step : told how many of how many steps are done
    """
    look, shown = _looks(thumbnails)
    features = _features(thumbnails[shown])
    candidates, complete = _candidates(features, on_step, max_pairs)
    first, second, mirrored = candidates
    cosine = _cosines(features, first, second, mirrored)
    near = cosine >= AS_GOOD_AS_EQUAL
    near[~near] = _are_near(features, first[~near], second[~near], cosine[~near])
    return Likeness(look, first[near], second[near], cosine[near], mirrored[near], complete)


# ---------------------------------------------------------------- what an image looks like


def _looks(thumbnails: ByteArray) -> tuple[IntArray, IntArray]:
    """The look of each image, (n_images,), and for each look the first image that has it, (n_looks,)."""
    look = np.full(len(thumbnails), PLAIN, dtype=np.int64)
    telling = np.flatnonzero(_deviations(thumbnails) >= PLAIN_BELOW)
    rows = np.ascontiguousarray(thumbnails[telling])
    as_one = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, first, number = np.unique(as_one, return_index=True, return_inverse=True)
    look[telling] = number
    return look, telling[first]


def _deviations(thumbnails: ByteArray) -> FloatArray:
    """The standard deviation of each thumbnail, in grey levels."""
    chunks = (thumbnails[start : start + CHUNK_ROWS] for start in range(0, len(thumbnails), CHUNK_ROWS))
    return np.concatenate([np.empty(0), *(chunk.std(axis=1, dtype=np.float32) for chunk in chunks)])


def _features(thumbnails: ByteArray) -> FloatArray:
    """(n_looks, N_COEFFICIENTS) of length 1, a coefficient for each of the lowest frequencies but the mean grey.

    Coefficients that change their sign when the image is mirrored are not centred, so that mirroring does that here
    too. With few images their mean and spread are drawn to those of natural images, whose amplitude falls with the
    frequency.
    """
    basis, frequency, odd = _basis()
    chunks = (thumbnails[start : start + CHUNK_ROWS] for start in range(0, len(thumbnails), CHUNK_ROWS))
    parts = [_unit(chunk.astype(np.float32) @ basis) for chunk in chunks]
    coefficients = np.concatenate([np.empty((0, N_COEFFICIENTS), dtype=np.float32), *parts])
    n = len(coefficients) + N_PRIOR
    centre = np.where(odd, 0, coefficients.sum(axis=0) / n)
    prior = frequency**-2 / (frequency**-2).sum()
    spread = np.sqrt((np.square(coefficients - centre).sum(axis=0) + N_PRIOR * prior) / n)
    return _unit(((coefficients - centre) / spread).astype(np.float32))


@cache
def _basis() -> tuple[FloatArray, FloatArray, BoolArray]:
    """The cosine basis of a thumbnail, lowest frequencies first: (n_pixels, N), the frequencies, which are odd."""
    steps = np.arange(THUMBNAIL_PX)
    cosines = np.cos(np.pi * np.outer(steps + 0.5, steps) / THUMBNAIL_PX)
    cosines /= np.linalg.norm(cosines, axis=0)
    down, across = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    frequency = np.hypot(down, across)
    chosen = np.argsort(frequency, kind="stable")[1 : N_COEFFICIENTS + 1]
    waves = np.einsum("yk,xk->yxk", cosines[:, down[chosen]], cosines[:, across[chosen]])
    return waves.reshape(-1, N_COEFFICIENTS).astype(np.float32), frequency[chosen], across[chosen] % 2 == 1


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


def _mirrored(features: FloatArray) -> FloatArray:
    """The features of the mirror images."""
    flipped: FloatArray = np.where(_basis()[2], -features, features)
    return flipped


def _hashes(features: FloatArray) -> HashArray:
    """(n_looks,) whose bits are the signs of the features, low and high frequencies in each of the bands."""
    signs = (features > 0).reshape(-1, BAND_BITS, N_BANDS).swapaxes(1, 2)
    return np.packbits(signs.reshape(-1, N_COEFFICIENTS), axis=1).view(np.uint64).ravel()


# ---------------------------------------------------------------- which hashes are close


def _candidates(
    features: FloatArray, on_step: OnStep, max_pairs: int
) -> tuple[tuple[IntArray, IntArray, BoolArray], bool]:
    """Pairs of looks with close hashes and a cosine of at least LEAST_COSINE; whether these are all of them."""
    asked_for = [_hashes(features), _hashes(_mirrored(features))]
    hashes = asked_for[0]
    found: list[tuple[IntArray, bool]] = []
    n_steps, n_left = 2 * N_BANDS, max_pairs
    for step in range(n_steps):
        mirrored, band = step >= N_BANDS, step % N_BANDS
        on_step(step, n_steps)
        for first, second in _close(asked_for[mirrored], hashes, band):
            once = first < second
            first, second = first[once], second[once]
            alike = _cosines(features, first, second, np.full(len(first), mirrored)) >= LEAST_COSINE
            found.append((first[alike] * len(hashes) + second[alike], mirrored))
            n_left -= int(np.count_nonzero(alike))
            if n_left < 0:
                return _put_together(found, len(hashes)), False
    on_step(n_steps, n_steps)
    return _put_together(found, len(hashes)), True


def _put_together(found: list[tuple[IntArray, bool]], n: int) -> tuple[IntArray, IntArray, BoolArray]:
    """Each pair once, as it is rather than mirrored if both fit."""
    parts = [np.empty(0, dtype=np.int64), *(codes for codes, _ in found)]
    flags = [np.empty(0, dtype=np.bool_), *(np.full(len(codes), mirrored) for codes, mirrored in found)]
    codes, place = np.unique(np.concatenate(parts), return_index=True)
    return codes // max(n, 1), codes % max(n, 1), np.concatenate(flags)[place]


def _close(asked: HashArray, hashes: HashArray, band: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Places in `asked` and in `hashes` of which at most BITS_PER_BAND bits of a band, and MAX_BITS in all, differ.

    A pair that an earlier band has is left out.
    """
    shift = np.uint64(band * BAND_BITS)
    of_asked, of_hashes = ((some >> shift).astype(np.uint16) for some in (asked, hashes))
    order = np.argsort(of_hashes, kind="stable")
    begins = np.zeros((1 << BAND_BITS) + 1, dtype=np.int64)
    np.cumsum(np.bincount(of_hashes, minlength=1 << BAND_BITS), out=begins[1:])
    in_order = hashes[order]
    for mask in _masks():
        begin = begins[of_asked ^ mask]
        counts = begins[(of_asked ^ mask).astype(np.int64) + 1] - begin
        for part in _parts(counts):
            n = counts[part]
            asking = np.repeat(np.arange(part.start, part.stop), n)
            places = np.arange(len(asking)) + np.repeat(begin[part] - (np.cumsum(n) - n), n)
            differing = asked[asking] ^ in_order[places]
            close = np.flatnonzero(np.bitwise_count(differing) <= MAX_BITS)
            for earlier in range(band):
                of_earlier = (differing[close] >> np.uint64(earlier * BAND_BITS)).astype(np.uint16)
                close = close[np.bitwise_count(of_earlier) > BITS_PER_BAND]
            yield asking[close], order[places[close]]


def _masks() -> list[np.uint16]:
    """Every way in which up to BITS_PER_BAND bits of a band can differ."""
    ways = (bits for n in range(BITS_PER_BAND + 1) for bits in combinations(range(BAND_BITS), n))
    return [np.uint16(sum(1 << bit for bit in bits)) for bits in ways]


def _parts(counts: IntArray) -> Iterator[slice]:
    """Slices of rows whose counts add up to about CHUNK_PAIRS; a row with more has a slice of its own."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + CHUNK_PAIRS, side="right")))
        yield slice(start, stop)
        start = stop


# ---------------------------------------------------------------- which of them are near


def _cosines(features: FloatArray, first: IntArray, second: IntArray, mirrored: BoolArray) -> FloatArray:
    """(n_pairs,) of the features, the second image mirrored where it says so."""
    signs = np.where(_basis()[2], -1, 1).astype(np.float32)
    cosines = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        other = np.where(mirrored[part, None], features[second[part]] * signs, features[second[part]])
        cosines[part] = np.einsum("ij,ij->i", features[first[part]], other)
    return cosines


def _are_near(features: FloatArray, first: IntArray, second: IntArray, cosine: FloatArray) -> BoolArray:
    """Which pairs are SHARE as far from each other as either is from its TENTH most similar look."""
    rows, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    distance = _distance_to_tenth(features, rows)[place]
    usual = np.minimum(distance[: len(first)], distance[len(first) :])
    near: BoolArray = 1 - cosine <= SHARE * usual
    return near


def _distance_to_tenth(features: FloatArray, rows: IntArray) -> FloatArray:
    """(n_rows,) 1 - cosine to the TENTH most similar look; of more than N_COMPARED_WITH looks, estimated from these."""
    n_looks = len(features)
    step = max(1, -(-n_looks // N_COMPARED_WITH))
    others = features[::step]
    nth = min(len(others), 1 + max(1, round(TENTH / step)))  # the image itself is the most similar one
    distances = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        cosines = features[rows[part]] @ others.T
        distances[part] = 1 - np.partition(cosines, len(others) - nth, axis=1)[:, len(others) - nth]
    return distances
