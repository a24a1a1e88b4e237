"""Texts as numbers of tokens, and a fastai loader over them: batches of texts of about the same length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from diagnostics.loaders import BatchLoader
from diagnostics.task import IntArray

SORTED_BATCHES = 50


@dataclass(frozen=True)
class TokenItems:
    """Texts as token numbers; what a loader counts and indexes.

    tokens : (n_items,), of each text its numbers, at least one
    codes : (n_items,) int64, -1 = no label
    pad : the number that fills up a batch
    n_inp : one input a batch; without it fastai draws a batch to find out, and with that random numbers
    """

    n_inp: ClassVar[int] = 1

    tokens: Sequence[IntArray]
    codes: Tensor
    pad: int

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.tokens[position]), self.codes[position]

    def lengths(self) -> IntArray:
        return np.array([len(tokens) for tokens in self.tokens], dtype=np.int64)

    def part(self, positions: IntArray, codes: Tensor) -> "TokenItems":
        """Some of the texts with other codes, (n_items,) of all."""
        chosen = [self.tokens[position] for position in positions]
        return TokenItems(chosen, codes[torch.from_numpy(positions)], self.pad)


def padded(tokens: Sequence[IntArray], pad: int) -> Tensor:
    """(n, longest), filled up at the end."""
    batch = np.full((len(tokens), max(map(len, tokens))), pad, dtype=np.int64)
    for row, numbers in enumerate(tokens):
        batch[row, : len(numbers)] = numbers
    return torch.from_numpy(batch)


def longest_first(lengths: IntArray) -> IntArray:
    """(n,) places, the longest text first; of equal ones the first. Recurrent networks need batches in this order.

    lengths : (n,)
    """
    return np.argsort(-lengths, kind="stable")


class TokenLoader(BatchLoader):
    """Batches of tokens, the longest text of a batch first, and codes from TokenItems.

    Without `draw`, for evaluation, all texts come in the same batches every time.
    """

    def __init__(self, dataset: TokenItems, **options: Any) -> None:
        self.lengths = dataset.lengths()
        super().__init__(dataset, **options)

    def new(self, dataset: TokenItems | None = None, cls: type | None = None, **options: Any) -> Any:
        return super().new(dataset, cls, **options)

    def get_idxs(self) -> list[int]:
        if self.draw is None:
            return list(longest_first(self.lengths).tolist())
        return list(super().get_idxs())

    def shuffle_fn(self, positions: list[int]) -> list[int]:
        """In random order, sorted by length within every SORTED_BATCHES batches, these then in random order."""
        draw = self.draw or (lambda rng: rng.permutation(len(self.lengths)))
        drawn = draw(self.order_rng)
        pool = SORTED_BATCHES * self.bs
        parts = [drawn[start : start + pool] for start in range(0, len(drawn), pool)]
        ordered = np.concatenate([part[longest_first(self.lengths[part])] for part in parts])
        n_whole = len(ordered) // self.bs * self.bs
        whole = ordered[:n_whole].reshape(-1, self.bs)
        shuffled = self.order_rng.permutation(whole).ravel()
        return [*shuffled.tolist(), *ordered[n_whole:].tolist()]

    def create_batch(self, positions: list[int]) -> tuple[Tensor, Tensor]:
        items: TokenItems = self.dataset
        held = np.asarray(positions, dtype=np.int64)
        self.batch_positions = held[longest_first(self.lengths[held])]
        tokens = padded([items.tokens[position] for position in self.batch_positions], items.pad)
        return tokens, items.codes[torch.from_numpy(self.batch_positions)]
