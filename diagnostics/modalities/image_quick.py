"""Features of images for quick rounds: those of a pretrained network whose weights are on this machine."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from diagnostics.modalities import EmbedInputs, NetworkItems
from diagnostics.model_choices.image import IMAGENET_WEIGHTS
from diagnostics.predictions import SharedEmbeddings
from diagnostics.run_folder import Run
from diagnostics.training.config import TrainConfig
from diagnostics.training.embeddings import FOLDER, FeatureStore

BACKBONE_SIZE_PX = 224


@dataclass(frozen=True, slots=True)
class Backbone:
    """A frozen pretrained network whose weights are on this machine; see `diagnostics.modalities.QuickFeatures`."""

    arch: str
    weights: Path
    size_px: int
    resize: str
    pretrained: bool = True

    @property
    def source(self) -> str:
        return f"the pretrained network {self.arch} ({self.size_px} px), not trained further"

    def embed(self, inputs: EmbedInputs) -> SharedEmbeddings:
        """(1, n_rows, n_features)"""
        from diagnostics.modalities.architectures import (
            architecture_stats,
            find_architecture,
            pretrained_network,
            to_channels_last,
        )

        architecture = find_architecture(self.arch)
        mean, std = architecture_stats(architecture)
        about = {
            "arch": self.arch,
            "image_size_px": self.size_px,
            "resize": self.resize,
            "flip": False,
            "mean": mean,
            "std": std,
            "classes": (),
        }

        def networks(opened: NetworkItems) -> list[Callable[[], Any]]:
            def load() -> torch.nn.Module:
                network = pretrained_network(architecture, self.weights)
                return to_channels_last(network.to(inputs.machine.device))

            return [load]

        with self.weights.open("rb") as file:
            print_of_weights = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        name = f"{architecture.name}-{self.size_px}px-{self.resize}-{print_of_weights}"
        store = FeatureStore(inputs.cache_dir / FOLDER / name)
        store.add_missing(inputs, about, networks)
        return store.shared(inputs.items)


def find_quick_features(config: TrainConfig, base: Run | None) -> Backbone | None:
    """The network asked for with `arch` and `pretrained`, else the first of IMAGENET_WEIGHTS that is here.

    Only local files and caches are looked at, never the network. Looking for IMAGENET_WEIGHTS loads none of the
    libraries that the networks come from: most rounds need none.
    returns : None if none of IMAGENET_WEIGHTS is here, or an architecture without pretrained weights is asked for
    raises : WeightsError if the one that is asked for is not here
    """
    size_px = config.image_size_px or BACKBONE_SIZE_PX
    if config.arch == "auto":
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        here = [name for name, file_name in IMAGENET_WEIGHTS.items() if (folder / file_name).is_file()]
        return Backbone(here[0], folder / IMAGENET_WEIGHTS[here[0]], size_px, config.resize) if here else None
    if not config.pretrained:
        return None
    from diagnostics.modalities.architectures import find_architecture, local_weights

    given = Path(config.weights_file) if config.weights_file else None
    return Backbone(config.arch, local_weights(find_architecture(config.arch), given), size_px, config.resize)
