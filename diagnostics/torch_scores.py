"""The scores of `diagnostics.scores`, computed by torch on a GPU or on another device that torch knows.

Importing this module imports torch: do it inside the function that needs it. An array is copied to the device a chunk
at a time; a tensor that is there already is read where it is. Of a chunk torch makes about ten passes in the device's
memory. How fast that is on a GPU has not been measured.
"""

from typing import cast

import numpy as np
import torch

from diagnostics.chunks import Rows, chunks_of, native_type
from diagnostics.errors import ConfigError, DataError
from diagnostics.scores import ROW_SUM_TOLERANCE, ItemScores, no_distribution
from diagnostics.task import NO_LABEL, FloatArray

CHUNK_CELLS = 16_000_000


class TensorRows:
    """A tensor of probabilities that is read like an array: only rows that are asked for come to the host."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor.detach()
        self.shape = tuple(tensor.shape)
        self.ndim = tensor.ndim
        is_double = tensor.dtype == torch.float64
        self.dtype: np.dtype[np.floating] = np.dtype(np.float64 if is_double else np.float32)

    def __getitem__(self, rows: Rows) -> FloatArray:
        wanted = rows if isinstance(rows, slice) else torch.from_numpy(rows).to(self.tensor.device)
        values: FloatArray = self.tensor[wanted].to("cpu", torch_type(self.dtype)).numpy()
        return values


def as_array(tensor: torch.Tensor) -> FloatArray:
    """What `score_items` and `find_label_issues` take for an array of probabilities; the tensor stays on its device.

    tensor : (n_items, n_classes), of any float type; computed with as float64 if it is that, else as float32
    """
    if not tensor.dtype.is_floating_point:
        raise DataError(f"Probabilities must be numbers of a float type; found a tensor of {tensor.dtype}.")
    return cast(FloatArray, TensorRows(tensor))


def named_device(name: str) -> torch.device:
    """The device that torch calls so, such as cuda, cuda:1 or mps.

    raises : ConfigError if torch knows no such device, or this machine has none
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"This machine cannot compute on the device {name!r}: {reason} Use cpu.") from error
    return device


def score_on(
    device: torch.device, pred_probs: FloatArray, scores: ItemScores, *, k: int, chunk_rows: int | None = None
) -> None:
    """Write what follows from each row into the arrays of `scores`; all but the entropy exactly as the kernels do.

    pred_probs : (n_items, n_classes), an array or what `as_array` gives
    k : also write the k-th largest probability, if it is above 2
    raises : DataError as `score_items`
    """
    n_items, n_classes = pred_probs.shape
    for rows in chunks_of(n_items, n_classes, chunk_rows or max(1, CHUNK_CELLS // n_classes)):
        probs = _on_device(pred_probs, rows, device)
        _check_rows(probs, rows)
        if k > 2:
            scores.p_kth[rows] = probs.topk(min(k, n_classes), dim=1).values[:, -1].cpu().numpy()
        codes = torch.from_numpy(scores.codes[rows]).to(device)
        p_given = probs.gather(1, codes.clamp(min=0).unsqueeze(1)).squeeze(1)
        scores.p_given[rows] = p_given.masked_fill_(codes == NO_LABEL, torch.nan).cpu().numpy()
        scores.entropy[rows] = torch.special.entr(probs).sum(dim=1).clamp_(min=0).cpu().numpy()
        _write_two_largest(probs, rows, scores)


def _on_device(pred_probs: FloatArray, rows: slice, device: torch.device) -> torch.Tensor:
    """A chunk that nobody else uses, in the type that the kernels compute with."""
    dtype = torch_type(np.dtype(native_type(pred_probs)))
    if isinstance(pred_probs, TensorRows):
        return pred_probs.tensor[rows].to(device, dtype, copy=True)
    chunk = torch.empty(
        (rows.stop - rows.start, pred_probs.shape[1]), dtype=dtype, pin_memory=device.type == "cuda"
    )
    chunk.numpy()[...] = pred_probs[rows]
    return chunk.to(device)


def torch_type(dtype: np.dtype[np.floating]) -> torch.dtype:
    return torch.float64 if dtype == np.float64 else torch.float32


def _check_rows(probs: torch.Tensor, rows: slice) -> None:
    is_whole = (probs.sum(dim=1) - 1).abs() <= ROW_SUM_TOLERANCE
    bad = torch.nonzero(~is_whole | (probs.amin(dim=1) < 0))
    if len(bad):
        row = int(bad[0])
        raise DataError(no_distribution(probs[row].cpu().numpy(), rows.start + row))


def _write_two_largest(probs: torch.Tensor, rows: slice, scores: ItemScores) -> None:
    """The first of equals; `probs` is used up."""
    largest = probs.max(dim=1)
    if probs.shape[1] > 1:
        probs.scatter_(1, largest.indices.unsqueeze(1), -1)
    second = probs.max(dim=1)
    for found, places, values in (
        (largest, scores.predicted, scores.p_predicted),
        (second, scores.second, scores.p_second),
    ):
        places[rows] = found.indices.cpu().numpy()
        values[rows] = found.values.cpu().numpy()
