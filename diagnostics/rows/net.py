"""fastai's tabular network over encoded rows; what it prepares rows with is learnt from its training items alone."""

import numpy as np
import torch
from fastai.tabular.model import TabularModel, emb_sz_rule
from torch import Tensor, nn

from diagnostics.task import FloatArray, IntArray

LAYERS = (200, 100)
DROPOUT, EMBEDDING_DROPOUT = 0.3, 0.2
WIDEST_EMBEDDING = 4
FARTHEST = 10.0
UNKNOWN = 0
PRESENT, MISSING = 1, 2
N_FLAGS = 3


class RowNet(nn.Module):
    """Encoded rows → logits: what fastai's Categorify, FillMissing and Normalize do, then its TabularModel.

    As buffers it keeps what the training items were like: the median, mean and deviation of each number, and which
    categories there were. A category that no training item had is UNKNOWN, as a missing one is; a missing number is
    filled with the median, and an embedding says that it was missing. Dropout is stronger and embeddings are narrower
    than fastai's: with wrong labels among the training items that found more of them.
    """

    medians: Tensor
    means: Tensor
    deviations: Tensor
    known: Tensor

    def __init__(self, n_codes: IntArray, flagged: IntArray, n_classes: int) -> None:
        """n_codes : (n_columns,), as `EncodedRows.n_codes`; flagged : the columns of numbers that can be missing"""
        super().__init__()
        self._numbers: IntArray = np.flatnonzero(n_codes == 0)
        self._categories: IntArray = np.flatnonzero(n_codes > 0)
        self._flagged: IntArray = np.asarray(flagged, dtype=np.int64)
        n_numbers, n_categories = len(self._numbers), len(self._categories)
        self.register_buffer("medians", torch.zeros(n_numbers, dtype=torch.float64))
        self.register_buffer("means", torch.zeros(n_numbers, dtype=torch.float64))
        self.register_buffer("deviations", torch.ones(n_numbers, dtype=torch.float64))
        longest = int(n_codes.max(initial=0))
        self.register_buffer("known", torch.zeros(n_categories, longest + 1, dtype=torch.int64))
        sizes = [int(n) + 1 for n in n_codes[self._categories]] + [N_FLAGS] * len(self._flagged)
        self.model = TabularModel(
            [(size, min(WIDEST_EMBEDDING, emb_sz_rule(size))) for size in sizes],
            n_numbers,
            n_classes,
            list(LAYERS),
            ps=DROPOUT,
            embed_p=EMBEDDING_DROPOUT,
        )

    def learn_columns(self, values: FloatArray) -> None:
        """Take medians, means, deviations and known categories from these rows, (n, n_columns)."""
        for place, column in enumerate(self._numbers):
            present = values[~np.isnan(values[:, column]), column]
            if len(present):
                median = float(np.median(present))
                filled = np.where(np.isnan(values[:, column]), median, values[:, column])
                self.medians[place], self.means[place] = median, float(filled.mean())
                self.deviations[place] = float(filled.std()) or 1.0
        for place, column in enumerate(self._categories):
            seen = np.unique(values[~np.isnan(values[:, column]), column]).astype(np.int64) + 1
            self.known[place, torch.from_numpy(seen)] = torch.from_numpy(seen)

    def forward(self, rows: Tensor) -> Tensor:
        """rows : (n, n_columns) float64, missing = NaN; returns (n, n_classes)"""
        numbers, missing = rows[:, self._numbers], rows.isnan()
        filled = torch.where(missing[:, self._numbers], self.medians, numbers)
        scaled = ((filled - self.means) / self.deviations).clamp(-FARTHEST, FARTHEST).float()
        codes = (rows[:, self._categories] + 1).nan_to_num(UNKNOWN).long()
        known = self.known[torch.arange(codes.shape[1], device=codes.device), codes]
        flags = torch.where(missing[:, self._flagged], MISSING, PRESENT)
        said: Tensor = self.model(torch.cat([known, flags], dim=1), scaled)
        return said
