"""From a configuration and the data's facts to losses, optimizers and a schedule."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from fastai.losses import CrossEntropyLossFlat, FocalLossFlat
from fastai.optimizer import Adam

from diagnostics.modalities import Machine
from diagnostics.task import IntArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import FOCAL_LOSS, NO_REMEDY, WEIGHTED_LOSS, inverse_root_weights
from diagnostics.training.small_net import NAME as SMALL_CNN

PRETRAINED_ARCH = "resnet18"
SCRATCH_SIZES_PX = (16, 64)
PRETRAINED_SIZES_PX = (64, 224)
SCRATCH_IMAGES_SEEN = 115_000
SCRATCH_EPOCHS = (10, 30)
PRETRAINED_IMAGES_SEEN = 20_000
PRETRAINED_EPOCHS = (4, 12)
BATCH_SIZES = ((4000, 128), (400, 64), (0, 32))


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What the defaults depend on.

    n_train : items that an epoch shows to one model: the labelled train items that it sees, repeated ones as often
    median_short_side_px : of all images
    is_grey : the images have no colour
    """

    n_train: int
    median_short_side_px: float
    is_grey: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """Some epochs with one one-cycle schedule.

    lr : the largest, or a slice from the first to the last layers
    freeze_to : the layer groups before this one are frozen, as fastai counts them: 0 = none, -1 = all but the last
    moms : of the momentum, as fastai's one-cycle takes them
    """

    name: str
    n_epochs: int
    lr: float | slice
    freeze_to: int = 0
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95)

    @property
    def frozen(self) -> bool:
        """Whether some layers keep their weights."""
        return self.freeze_to != 0


def resolve_config(config: TrainConfig, facts: DataFacts, *, n_threads: int, precision: str) -> TrainConfig:
    """The configuration with everything that was left to the data filled in, except `lr`.

    Without pretrained weights: small_cnn at the images' own size, at most 64 px; as many epochs as show a model
    115,000 images, between 10 and 30. With them: resnet18 at the images' own size, at most 224 px, one frozen epoch
    and then as many as show 20,000 images, between 4 and 12.
    """
    low, high = PRETRAINED_SIZES_PX if config.pretrained else SCRATCH_SIZES_PX
    own_px = -(-int(facts.median_short_side_px) // 8) * 8
    frozen_epochs = config.frozen_epochs if config.frozen_epochs is not None else int(config.pretrained)
    epochs = config.epochs or _epochs(facts.n_train, config.pretrained, frozen_epochs)
    return replace(
        config,
        arch=(PRETRAINED_ARCH if config.pretrained else SMALL_CNN) if config.arch == "auto" else config.arch,
        image_size_px=config.image_size_px or min(high, max(low, own_px)),
        epochs=epochs,
        frozen_epochs=min(frozen_epochs, epochs),
        batch_size=config.batch_size or _batch_size(facts.n_train),
        label_smoothing=config.smoothing,
        flip=(not facts.is_grey) if config.flip is None else config.flip,
        mixed_precision=precision,
        n_threads=n_threads,
    )


def settled_network(
    config: TrainConfig, n_train: int, machine: Machine, *, shown: int, epochs: tuple[int, int]
) -> TrainConfig:
    """The configuration with batch size and epochs filled in: as many as show a model `shown` items, within bounds."""
    least, most = epochs
    return replace(
        config,
        epochs=config.epochs or min(most, max(least, round(shown / max(1, n_train)))),
        batch_size=config.batch_size or _batch_size(n_train),
        label_smoothing=config.smoothing,
        mixed_precision=machine.precision,
        n_threads=machine.n_threads,
    )


def _batch_size(n_train: int) -> int:
    return next(size for fewest, size in BATCH_SIZES if n_train >= fewest)


def _epochs(n_train: int, pretrained: bool, frozen_epochs: int) -> int:
    seen = PRETRAINED_IMAGES_SEEN if pretrained else SCRATCH_IMAGES_SEEN
    least, most = PRETRAINED_EPOCHS if pretrained else SCRATCH_EPOCHS
    return frozen_epochs + min(most, max(least, round(seen / max(1, n_train))))


def phases_of(config: TrainConfig, lr: float) -> list[Phase]:
    """The schedule: from scratch one cycle at `lr`; pretrained a frozen cycle at `lr`, then all layers at
    slice(lr / 200, lr / 2)."""
    epochs, frozen_epochs = config.epochs or 1, config.frozen_epochs or 0
    if not config.pretrained and not frozen_epochs:
        return [Phase("from scratch", epochs, lr)]
    phases = [
        Phase("frozen", frozen_epochs, lr, freeze_to=-1),
        Phase("unfrozen", epochs - frozen_epochs, slice(lr / 200, lr / 2)),
    ]
    return [phase for phase in phases if phase.n_epochs]


def _cross_entropy(config: TrainConfig, counts: IntArray, device: torch.device) -> Any:
    return CrossEntropyLossFlat(label_smoothing=config.smoothing)


def _weighted_cross_entropy(config: TrainConfig, counts: IntArray, device: torch.device) -> Any:
    weights = torch.from_numpy(inverse_root_weights(counts)).float().to(device)
    return CrossEntropyLossFlat(label_smoothing=config.smoothing, weight=weights)


def _focal_loss(config: TrainConfig, counts: IntArray, device: torch.device) -> Any:
    return FocalLossFlat(gamma=config.focal_gamma)


LOSSES: dict[str, Callable[[TrainConfig, IntArray, torch.device], Any]] = {
    NO_REMEDY: _cross_entropy,
    "oversample": _cross_entropy,
    WEIGHTED_LOSS: _weighted_cross_entropy,
    "weighted_sampling": _cross_entropy,
    FOCAL_LOSS: _focal_loss,
}


def loss_of(config: TrainConfig, counts: IntArray, device: torch.device) -> Any:
    """The loss that goes with the configured remedy for imbalance.

    counts : (n_classes,), how many items of each class the model is trained on

    Cross-entropy with the configured label smoothing, a mean weighted by class for weighted_loss; the focal loss of Lin
    et al. (Focal Loss for Dense Object Detection, 2017), without class weights.
    """
    return LOSSES[config.imbalance](config, counts, device)


def optimizer_of(config: TrainConfig) -> Callable[..., Any]:
    """Adam with decoupled weight decay; biases and normalisation layers are not decayed."""
    optimizer: Callable[..., Any] = partial(Adam, wd=config.weight_decay, sqr_mom=0.99)
    return optimizer
