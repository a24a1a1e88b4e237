"""Images: the decoded array, its loaders and the fastai learner over it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.data.core import DataLoaders

from diagnostics.array_loader import ArrayItems, ArrayLoader, pixels_on_device
from diagnostics.arrays import ByteArray, build_image_array
from diagnostics.image_files import ImageRoot, decode_image
from diagnostics.loaders import make_loaders
from diagnostics.modalities import Machine, OpenInputs, ToExplain
from diagnostics.modalities.architectures import (
    Architecture,
    architecture_stats,
    find_architecture,
    learner_for,
    to_channels_last,
)
from diagnostics.progress import ProgressCallback
from diagnostics.task import NO_LABEL, FloatArray, IntArray
from diagnostics.training.augment import Augment, Normalise
from diagnostics.training.checkpoint import load_weights
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import Shown
from diagnostics.training.network import NetworkWay
from diagnostics.training.recipe import DataFacts, Phase, optimizer_of, phases_of, resolve_config

N_LOOKED_AT = 100
N_SAMPLED = 512
GREY_SHARE = 0.9
SMALLEST_STD = 0.02


class ImageItems:
    """The images of a run as one array; see `diagnostics.modalities.NetworkItems`."""

    features: FloatArray | None = None
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        items: ArrayItems,
        config: TrainConfig,
        classes: tuple[str, ...],
        machine: Machine,
        normalise: Normalise | None = None,
    ) -> None:
        self.config = config
        self.work = float((config.image_size_px or 1) ** 2)
        self._items = items
        self._classes = classes
        self._machine = machine
        self._architecture: Architecture = find_architecture(config.arch)
        self._normalise = normalise or _normalisation(items, self._architecture, pretrained=config.pretrained)

    @property
    def way(self) -> NetworkWay:
        return NetworkWay(self)

    def prepare(
        self, folder: Path, *, on_progress: ProgressCallback, should_stop: Callable[[], bool]
    ) -> None:
        """Nothing: what is done once a run is done when its images are taken in."""

    def phases(self, lr: float) -> list[Phase]:
        return phases_of(self.config, lr)

    def learner(
        self,
        train: IntArray,
        held_out: IntArray,
        *,
        learnt_codes: IntArray,
        shown: Shown,
        loss_func: Any,
        path: Path,
    ) -> Any:
        """A fastai Learner with fresh weights; its model's layout is channels last."""
        config = self.config
        learner = learner_for(
            self._architecture,
            self._loaders(train, held_out, learnt_codes, shown),
            n_classes=len(self._classes),
            image_size_px=config.image_size_px or 0,
            pretrained=config.pretrained,
            weights_file=Path(config.weights_file) if config.weights_file else None,
            loss_func=loss_func,
            opt_func=optimizer_of(config),
            path=path,
        )
        to_channels_last(learner.model.to(self._machine.device))
        return learner

    def load_network(self, weights: Path) -> Any:
        """A network of the learner's kind with these weights, on the device."""
        codes, one = self._items.codes.numpy(), np.arange(1)
        network = self.learner(
            one,
            one,
            learnt_codes=codes,
            shown=Shown(1, lambda rng: one),
            loss_func=torch.nn.Identity(),
            path=weights.parent,
        ).model
        load_weights(weights, network)
        return network

    def in_order(self, positions: IntArray) -> IntArray:
        """As they are: all images have one size."""
        return np.arange(len(positions))

    def logits(self, network: Any, view: torch.Tensor) -> torch.Tensor:
        said: torch.Tensor = network(view)
        return said

    def explain(
        self,
        network: Any,
        asked: ToExplain,
        *,
        probabilities: Callable[[torch.Tensor], torch.Tensor],
        should_stop: Callable[[], bool],
    ) -> None:
        """Images have no parts with names."""

    def views(self, positions: IntArray) -> list[torch.Tensor]:
        """The images and, where training flips, their mirror images."""
        images, _ = self._items.batch(positions)
        view = self._normalise(images.to(self._machine.device))
        return [view, view.flip(3)] if self.config.flip else [view]

    def describe_model(self) -> Mapping[str, Any]:
        return {
            "arch": self.config.arch,
            "image_size_px": self.config.image_size_px,
            "resize": self.config.resize,
            "flip": self.config.flip,
            "mean": list(self._normalise.mean),
            "std": list(self._normalise.std),
            "classes": list(self._classes),
        }

    def _loaders(
        self, train: IntArray, held_out: IntArray, learnt_codes: IntArray, shown: Shown
    ) -> DataLoaders:
        config = self.config
        augmented = Augment(self._normalise, config.augment, flip=bool(config.flip))
        return make_loaders(
            partial(ArrayLoader, self._part(train, torch.from_numpy(learnt_codes)), prepare=augmented),
            partial(ArrayLoader, self._part(held_out, self._items.codes), prepare=self._normalise),
            shown=shown,
            batch_size=config.batch_size or 1,
            device=self._machine.device,
        )

    def _part(self, positions: IntArray, codes: torch.Tensor) -> ArrayItems:
        return ArrayItems(self._items.pixels, self._items.rows[positions], codes[torch.from_numpy(positions)])


def open_items(inputs: OpenInputs) -> ImageItems:
    """Decode all images once and fill in the configuration; of the items count path, root and content_hash."""
    machine = inputs.machine
    facts = _facts(inputs.items, inputs.roots, n_train=inputs.n_train)
    settled = resolve_config(inputs.config, facts, n_threads=machine.n_threads, precision=machine.precision)
    find_architecture(settled.arch)
    array = build_image_array(
        inputs.items,
        roots=inputs.roots,
        cache_dir=inputs.cache_dir,
        size_px=settled.image_size_px or 0,
        resize=settled.resize,
        n_workers=machine.n_threads,
        on_progress=inputs.on_progress,
    )
    rows = array.rows_of(inputs.items["content_hash"])
    pixels = pixels_on_device(array.pixels, machine.device)
    items = ArrayItems(pixels, rows, torch.from_numpy(inputs.codes))
    return ImageItems(items, settled, inputs.task.classes, machine)


def open_trained(
    items: pd.DataFrame,
    *,
    about: Mapping[str, Any],
    roots: Sequence[ImageRoot],
    cache_dir: Path,
    machine: Machine,
    on_progress: ProgressCallback,
) -> ImageItems:
    """Decode images for a network that is trained already, which sees them as it did in training.

    items : columns path, root, content_hash
    about : what `ImageItems.describe_model` said of the network
    """
    config = TrainConfig(
        arch=about["arch"], image_size_px=about["image_size_px"], resize=about["resize"], flip=about["flip"]
    )
    array = build_image_array(
        items,
        roots=roots,
        cache_dir=cache_dir,
        size_px=about["image_size_px"],
        resize=about["resize"],
        n_workers=machine.n_threads,
        on_progress=on_progress,
    )
    pixels = pixels_on_device(array.pixels, machine.device)
    opened = ArrayItems(pixels, array.rows_of(items["content_hash"]), torch.full((len(items),), NO_LABEL))
    normalise = Normalise(tuple(about["mean"]), tuple(about["std"]))
    return ImageItems(opened, config, tuple(about["classes"]), machine, normalise)


def _facts(items: pd.DataFrame, roots: Sequence[ImageRoot], *, n_train: int) -> DataFacts:
    """Size and colour, judged by a sample that depends on the images' contents alone."""
    distinct = items.drop_duplicates("content_hash").sort_values("content_hash")
    sample = distinct.iloc[:: max(1, len(distinct) // N_LOOKED_AT)].head(N_LOOKED_AT)
    images = [
        decode_image(roots[root].read(path), size_px=None)
        for root, path in zip(sample["root"], sample["path"], strict=True)
    ]
    grey = [_is_grey(np.asarray(image)) for image in images]
    return DataFacts(
        n_train=n_train,
        median_short_side_px=float(np.median([min(image.size) for image in images])),
        is_grey=bool(np.mean(grey) >= GREY_SHARE),
    )


def _is_grey(pixels: ByteArray) -> bool:
    return bool((pixels == pixels[..., :1]).all())


def _normalisation(items: ArrayItems, architecture: Architecture, *, pretrained: bool) -> Normalise:
    """The pretrained weights' own, else the mean and deviation of the channels over a sample of the items' images.

    The array may hold more images than the items have, from an earlier round; they must not count.
    """
    if pretrained:
        mean, std = architecture_stats(architecture)
        return Normalise(mean, std)
    rows = np.unique(items.rows)
    sample = items.pixels[rows[:: max(1, len(rows) // N_SAMPLED)][:N_SAMPLED]]
    values = sample.cpu().numpy() if isinstance(sample, torch.Tensor) else sample
    flat = values.reshape(-1, 3).astype(np.float64) / 255
    red, green, blue = (float(value) for value in flat.mean(axis=0))
    deviations = (max(SMALLEST_STD, float(value)) for value in flat.std(axis=0))
    r_std, g_std, b_std = deviations
    return Normalise((red, green, blue), (r_std, g_std, b_std))
