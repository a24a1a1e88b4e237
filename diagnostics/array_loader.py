"""A fastai loader over an array: it indexes the array once a batch and augments on the device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from fastai.data.core import ItemTransform
from torch import Tensor

from diagnostics.arrays import ByteArray
from diagnostics.loaders import BatchLoader
from diagnostics.task import IntArray

DEVICE_MEMORY_SHARE = 0.5

BatchFunction = Callable[[Tensor], Tensor]


class BatchItems(Protocol):
    """Items that are given a batch at a time. n_inp : inputs a batch; fastai would draw a batch to find out."""

    n_inp: ClassVar[int]

    def __len__(self) -> int: ...

    def batch(self, positions: IntArray) -> tuple[Tensor, Tensor]:
        """Inputs (n, …) and codes (n,) of the items at these positions."""


@dataclass(frozen=True)
class ArrayItems:
    """Items as rows of an array of pixels; what a loader counts and indexes.

    pixels : (n_rows, h, w, 3) uint8, a memory-mapped array or a tensor on the device
    rows : (n_items,), the row of each item
    codes : (n_items,) int64 on the CPU, -1 = no label
    n_inp : one input a batch; without it fastai draws a batch to find out, and with that random numbers
    """

    n_inp: ClassVar[int] = 1

    pixels: ByteArray | Tensor
    rows: IntArray
    codes: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        images, codes = self.batch(np.array([position]))
        return images[0], codes[0]

    def batch(self, positions: IntArray) -> tuple[Tensor, Tensor]:
        """Images (n, 3, h, w) uint8, stored channels last, and their codes (n,)."""
        rows = self.rows[positions]
        if isinstance(self.pixels, Tensor):
            images = self.pixels[torch.from_numpy(rows).to(self.pixels.device)]
        else:
            images = torch.from_numpy(self.pixels[rows])
        return images.permute(0, 3, 1, 2), self.codes[torch.from_numpy(positions)]


class ArrayLoader(BatchLoader):
    """Batches of inputs and codes, prepared on the device.

    prepare : of images uint8 → the float images that the model sees
    """

    def __init__(self, dataset: BatchItems, *, prepare: BatchFunction, **options: Any) -> None:
        self.prepare = prepare
        options.setdefault("after_batch", [_PrepareBatch(prepare)])
        super().__init__(dataset, **options)

    def new(self, dataset: BatchItems | None = None, cls: type | None = None, **options: Any) -> Any:
        return super().new(dataset, cls, prepare=self.prepare, **options)

    def shuffle_fn(self, positions: list[int]) -> list[int]:
        if self.draw is None:
            return list(self.order_rng.permutation(np.asarray(positions)).tolist())
        return list(self.draw(self.order_rng).tolist())

    def create_batch(self, positions: list[int]) -> tuple[Tensor, Tensor]:
        items: BatchItems = self.dataset
        self.batch_positions = np.asarray(positions, dtype=np.int64)
        return items.batch(self.batch_positions)


class _PrepareBatch(ItemTransform):  # type: ignore[misc]
    def __init__(self, prepare: BatchFunction) -> None:
        super().__init__()
        self.prepare = prepare

    def encodes(self, batch: Any) -> Any:
        images, codes = batch
        return self.prepare(images), codes


def pixels_on_device(pixels: ByteArray, device: torch.device) -> ByteArray | Tensor:
    """The whole array on the GPU if it fills at most half of the memory that is free there; as it is otherwise."""
    if device.type != "cuda":
        return pixels
    free_bytes, _ = torch.cuda.mem_get_info(device)
    if pixels.nbytes > DEVICE_MEMORY_SHARE * free_bytes:
        return pixels
    return torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
