"""What fastai loaders of all kinds of items have in common: they take a batch at a time and are told what to draw."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from fastai.data.core import DataLoaders, TfmdDL
from torch import Tensor

from diagnostics.task import IntArray
from diagnostics.training.imbalance import Shown

DrawFunction = Callable[[np.random.Generator], IntArray]


class BatchLoader(TfmdDL):  # type: ignore[misc]
    """Batches of items that are read at once; a subclass says how, in `create_batch`.

    draw : with shuffle, the items that an epoch shows, `n` of them, some perhaps several times; None = all. A loader
        made with `new` does not have it
    order_rng : what is drawn with; set it anew before each epoch for an order that does not depend on the past
    batch_positions : (n,), which items the last batch held, in its order
    """

    def __init__(self, dataset: Any, *, draw: DrawFunction | None = None, **options: Any) -> None:
        options.setdefault("num_workers", 0)
        self.draw = draw
        self.order_rng = np.random.default_rng(0)
        self.batch_positions: IntArray = np.empty(0, dtype=np.int64)
        super().__init__(dataset, **options)

    def create_item(self, position: int | None) -> int:
        return position or 0

    def do_item(self, position: int | None) -> int:
        return self.create_item(position)

    def do_batch(self, positions: list[int]) -> tuple[Tensor, Tensor]:
        batch: tuple[Tensor, Tensor] = self.create_batch(positions)
        return batch


def make_loaders(
    train: Callable[..., BatchLoader],
    held_out: Callable[..., BatchLoader],
    *,
    shown: Shown,
    batch_size: int,
    device: torch.device,
) -> DataLoaders:
    """A loader that draws what an epoch shows, in whole batches if there is one, and one of all held-out items.

    train, held_out : make a loader of their items, given the options of fastai's
    """
    return DataLoaders(
        train(
            draw=shown.draw,
            n=shown.n,
            bs=batch_size,
            shuffle=True,
            drop_last=shown.n >= batch_size,
            device=device,
        ),
        held_out(bs=2 * batch_size, device=device),
        device=device,
    )
