"""What a model says of its own training batches, averaged over epochs: nearly free, the logits are there anyway."""

import torch
from torch import Tensor

from diagnostics.task import FloatArray, IntArray


class LogitRecord:
    """The mean logits of each training item over the epochs in which they were added.

    Sums stay on the device of the logits, so that no batch waits for a copy.
    """

    def __init__(self, n_items: int, n_classes: int) -> None:
        self._sums = torch.zeros((n_items, n_classes))
        self._counts = torch.zeros(n_items)

    def add(self, positions: IntArray, logits: Tensor) -> None:
        """Add one batch; positions (n,) of the training items, some perhaps several times, logits (n, n_classes)."""
        if self._sums.device != logits.device:
            self._sums, self._counts = self._sums.to(logits.device), self._counts.to(logits.device)
        rows = torch.from_numpy(positions).to(logits.device)
        self._sums.index_put_((rows,), logits.float(), accumulate=True)
        self._counts.index_put_((rows,), torch.ones(len(rows), device=rows.device), accumulate=True)

    def means(self) -> FloatArray:
        """(n_items, n_classes) float32; NaN where nothing was added."""
        means: FloatArray = (self._sums / self._counts[:, None]).cpu().numpy()
        return means

    def state(self) -> tuple[FloatArray, FloatArray]:
        """Sums and counts, for `load_state` to go on from."""
        return self._sums.cpu().numpy(), self._counts.cpu().numpy()

    def load_state(self, sums: FloatArray, counts: FloatArray) -> None:
        self._sums, self._counts = torch.from_numpy(sums.copy()), torch.from_numpy(counts.copy())
