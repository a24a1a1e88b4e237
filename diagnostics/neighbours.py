"""The labelled training items nearest to every item, each in the space of one model, in chunks of bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diagnostics.fold_arrays import FoldArray
from diagnostics.predictions import OUT_OF_FOLD, Predictions
from diagnostics.task import NO_LABEL, BoolArray, FloatArray, IntArray, label_codes

if TYPE_CHECKING:
    import torch

N_NEIGHBOURS = 10
MAX_CANDIDATES = 50_000
CHUNK_CELLS = 8_000_000
SAME_COSINE = 1 - 1e-6


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


def nearest_labels(
    predictions: Predictions, content_hashes: Sequence[str] | None, *, k: int = N_NEIGHBOURS, seed: int = 0
) -> Neighbours:
    """The labels of each item's k nearest labelled training items, in the space of the model of its own embedding.

    That model has not seen an out-of-fold item, so the item's own label moves neither the space nor the neighbours;
    they are sought among the items that the model was trained on, in a random sample of more than MAX_CANDIDATES.
    predictions : with fold_embeddings
    content_hashes : (n_items,); an equal one, or a cosine of 1, marks a copy, which is no neighbour
    """
    codes = label_codes(predictions.given_labels, predictions.classes)
    contents = _content_numbers(content_hashes, len(predictions))
    models = predictions.embedding_models
    n_models = 0 if predictions.fold_embeddings is None else predictions.fold_embeddings.shape[0]
    labels = np.full((len(predictions), k), NO_LABEL, dtype=np.int64)
    cosines = np.zeros((len(predictions), k), dtype=np.float32)
    learnt = (predictions.splits == "train") & (codes != NO_LABEL)
    rng = np.random.default_rng(seed)
    for model in range(n_models):
        seen = learnt if n_models == 1 else learnt & ~_held_out(predictions, model)
        candidates = np.flatnonzero(seen)
        if len(candidates) > MAX_CANDIDATES:
            candidates = np.sort(rng.choice(candidates, MAX_CANDIDATES, replace=False))
        queries = np.flatnonzero(models == model)
        for part, places, near in _nearest(
            predictions.fold_embeddings, model, queries, candidates, contents, k
        ):
            found = near > 0
            labels[part, : places.shape[1]] = np.where(found, codes[candidates[places]], NO_LABEL)
            cosines[part, : places.shape[1]] = np.where(found, near, 0)
    return Neighbours(labels, cosines)


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
