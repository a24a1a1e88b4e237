"""The labelled training items nearest to every item, each in the space of one model, in chunks of bounded memory.

Which items are near depends on the features alone and is kept with the run; what they are labelled as is looked up.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from diagnostics.fold_arrays import FoldArray
from diagnostics.predictions import OUT_OF_FOLD, ObjectArray, Predictions
from diagnostics.task import NO_LABEL, BoolArray, FloatArray, IntArray, RowArray

if TYPE_CHECKING:
    import torch

N_NEIGHBOURS = 10
N_SPARE = 6  # kept beside them, for neighbours that are excluded later
FILE = "near_items.npz"
NOBODY = -1
MAX_CANDIDATES = 50_000
CHUNK_CELLS = 8_000_000
SAME_COSINE = 1 - 1e-6
MOST_CHANGED = 0.05


@dataclass(frozen=True)
class Neighbours:
    """The nearest labelled training items of n items, copies of the item left out.

    codes : (n_items, k) their given labels, -1 where there are fewer; cosines : (n_items, k), in [0, 1], 0 there
    """

    codes: IntArray
    cosines: FloatArray

    def support(self, rows: IntArray, n_classes: int) -> FloatArray:
        """(n, n_classes) shares of the neighbours' labels weighted by squared cosine; NaN rows without neighbours."""
        weights = np.square(self.cosines[rows])
        shares = np.zeros((len(rows), n_classes))
        np.add.at(shares, (np.arange(len(rows))[:, None], np.maximum(self.codes[rows], 0)), weights)
        total = shares.sum(axis=1, keepdims=True)
        support: FloatArray = np.divide(shares, total, out=np.full_like(shares, np.nan), where=total > 0)
        return support


@dataclass(frozen=True)
class NearItems:
    """The items nearest to n items, nearest first.

    rows : (n_items, n_near), positions of items, NOBODY where there are fewer; cosines : (n_items, n_near), in [0, 1]
    """

    rows: IntArray
    cosines: FloatArray

    def labels(self, codes: IntArray, usable: BoolArray, *, k: int = N_NEIGHBOURS) -> Neighbours:
        """What the k nearest of those that are usable are labelled as.

        codes : (n_items,), of the labels; usable : (n_items,), who may count: labelled training items
        """
        known = (self.rows != NOBODY) & usable[self.rows]
        order = np.argsort(~known, axis=1, kind="stable")[:, :k]
        known = np.take_along_axis(known, order, axis=1)
        found = codes[np.take_along_axis(self.rows, order, axis=1)]
        cosines = np.take_along_axis(np.asarray(self.cosines, dtype=np.float32), order, axis=1)
        return Neighbours(np.where(known, found, NO_LABEL), np.where(known, cosines, 0))

    def of_rows(self, rows: IntArray) -> "NearItems":
        """The near items of these items, (n,) positions, NOBODY = of none; positions are then those in `rows`."""
        place = np.full(len(self.rows) + 1, NOBODY, dtype=np.int64)
        place[rows[rows != NOBODY]] = np.flatnonzero(rows != NOBODY)
        near = np.where(self.rows == NOBODY, len(self.rows), self.rows)
        return NearItems(
            np.where((rows != NOBODY)[:, None], place[near[rows]], NOBODY), np.asarray(self.cosines)[rows]
        )


def write_near_items(run_dir: Path, near: NearItems) -> None:
    """Write beside and move into place."""
    beside = run_dir / f".{FILE}.partial"
    with beside.open("wb") as file:
        rows, cosines = _as_kept(near)
        np.savez(file, rows=rows, cosines=cosines)
    beside.replace(run_dir / FILE)


def read_near_items(run_dir: Path) -> NearItems | None:
    """The near items of a run, row i for row i of its predictions; None for a run that did not keep them."""
    path = run_dir / FILE
    if not path.is_file():
        return None
    with np.load(path) as kept:
        return NearItems(kept["rows"].astype(np.int64), kept["cosines"])


def nearest_items(
    predictions: Predictions,
    content_hashes: Sequence[str] | None,
    *,
    seed: int = 0,
    of: BoolArray | None = None,
) -> NearItems:
    """Each item's nearest labelled training items, N_NEIGHBOURS and N_SPARE, in the space of its own embedding's model.

    That model has not seen an out-of-fold item, so the item's own label moves neither the space nor the neighbours;
    they are sought among the items that the model was trained on, in a random sample of more than MAX_CANDIDATES.
    predictions : with fold_embeddings
    content_hashes : (n_items,); an equal one, or a cosine of 1, marks a copy, which is no neighbour
    of : (n_items,), whose nearest items are wanted; the others get none. None = of all
    """
    wanted = np.ones(len(predictions), dtype=np.bool_) if of is None else of
    contents = _content_numbers(content_hashes, len(predictions))
    models = predictions.embedding_models
    n_models = 0 if predictions.fold_embeddings is None else predictions.fold_embeddings.shape[0]
    n_near = N_NEIGHBOURS + N_SPARE
    rows = np.full((len(predictions), n_near), NOBODY, dtype=np.int64)
    cosines = np.zeros((len(predictions), n_near), dtype=np.float32)
    learnt = (predictions.splits == "train") & predictions.labelled
    rng = np.random.default_rng(seed)
    for model in range(n_models):
        seen = learnt if n_models == 1 else learnt & ~_held_out(predictions, model)
        candidates = np.flatnonzero(seen)
        if len(candidates) > MAX_CANDIDATES:
            candidates = np.sort(rng.choice(candidates, MAX_CANDIDATES, replace=False))
        queries = np.flatnonzero((models == model) & wanted)
        for part, places, near in _nearest(
            predictions.fold_embeddings, model, queries, candidates, contents, n_near
        ):
            found = near > 0
            rows[part, : places.shape[1]] = np.where(found, candidates[places], NOBODY)
            cosines[part, : places.shape[1]] = np.where(found, near, 0)
    return NearItems(rows, cosines)


def nearest_of_shared(predictions: Predictions, content_hashes: Sequence[str], *, seed: int = 0) -> NearItems:
    """As `nearest_items`; where the features are one file that several runs read, what is near is kept beside it.

    It is sought anew once more than MOST_CHANGED of the labelled training items have come or gone since; until then new
    items are nobody's neighbours, and items that have gone give way to the next nearest.
    """
    shared = predictions.shared_embeddings
    if shared is None or len(np.unique(predictions.embedding_models)) > 1:
        return nearest_items(predictions, content_hashes, seed=seed)
    path = shared.path.with_name(f"near_items-{seed}.npz")
    learnt = predictions.is_train & predictions.labelled
    item_ids = predictions.item_ids.astype(str)
    kept = _read_shared(path)
    if kept is not None and not kept.is_far_from(set(item_ids[learnt])):
        rows = pd.Index(kept.item_ids).get_indexer(pd.Index(item_ids))
        known = kept.near.of_rows(rows)
        if (rows >= 0).all():
            return known
        fresh = nearest_items(predictions, content_hashes, seed=seed, of=rows < 0)
        return NearItems(
            np.where((rows < 0)[:, None], fresh.rows, known.rows),
            np.where((rows < 0)[:, None], fresh.cosines, known.cosines),
        )
    near = nearest_items(predictions, content_hashes, seed=seed)
    _write_shared(path, _SharedNear(item_ids, learnt, near))
    return near


@dataclass(frozen=True)
class _SharedNear:
    """item_ids : (n_items,) of str; learnt : (n_items,), who could be near then"""

    item_ids: ObjectArray
    learnt: BoolArray
    near: NearItems

    def is_far_from(self, learnt: set[str]) -> bool:
        """Whether too many have come or gone. learnt : the labelled training items of now"""
        then = set(self.item_ids[self.learnt])
        return len(then ^ learnt) > MOST_CHANGED * max(len(then), len(learnt))


def _read_shared(path: Path) -> _SharedNear | None:
    """What is kept there; None if there is nothing, or nothing that can be read: it is sought anew then."""
    try:
        with np.load(path) as kept:
            near = NearItems(kept["rows"].astype(np.int64), kept["cosines"])
            return _SharedNear(kept["item_ids"], kept["learnt"], near)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _write_shared(path: Path, kept: _SharedNear) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with beside.open("wb") as file:
        rows, cosines = _as_kept(kept.near)
        np.savez(file, item_ids=kept.item_ids, learnt=kept.learnt, rows=rows, cosines=cosines)
    beside.replace(path)


def _as_kept(near: NearItems) -> tuple[RowArray, FloatArray]:
    return near.rows.astype(np.int32), near.cosines.astype(np.float16)


def _held_out(predictions: Predictions, model: int) -> BoolArray:
    held_out: BoolArray = (predictions.kinds == OUT_OF_FOLD) & (predictions.folds == model)
    return held_out


def _content_numbers(content_hashes: Sequence[str] | None, n_items: int) -> IntArray:
    if content_hashes is None:
        return np.arange(n_items)
    _, numbers = np.unique(np.asarray(content_hashes, dtype=str), return_inverse=True)
    return np.asarray(numbers, dtype=np.int64)


def _nearest(
    embeddings: FoldArray | None,
    model: int,
    queries: IntArray,
    candidates: IntArray,
    contents: IntArray,
    k: int,
) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """Chunks of queries, the places of their nearest candidates (n, k) and the cosines, at most 0 for none."""
    import torch

    if embeddings is None or not len(candidates) or not len(queries):
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    known = _directions(embeddings[model, candidates], device)
    known_contents = torch.from_numpy(contents[candidates]).to(device)
    step = max(1, CHUNK_CELLS // len(candidates))
    for start in range(0, len(queries), step):
        part = queries[start : start + step]
        cosines = _directions(embeddings[model, part], device) @ known.T
        copies = known_contents[None] == torch.from_numpy(contents[part]).to(device)[:, None]
        cosines[copies | (cosines >= SAME_COSINE)] = -1
        near, places = cosines.topk(min(k, len(candidates)), dim=1)
        yield part, places.cpu().numpy(), near.cpu().numpy()


def _directions(values: FloatArray, device: "torch.device") -> "torch.Tensor":
    """Rows of length 1; a row without a direction, or one that is not finite, becomes 0 and is near nothing."""
    import torch

    rows = torch.from_numpy(np.asarray(values, dtype=np.float32)).to(device)
    lengths = rows.norm(dim=1, keepdim=True)
    usable = torch.isfinite(lengths) & (lengths > 0)
    return torch.where(usable, rows / lengths, torch.zeros(()).to(device))
