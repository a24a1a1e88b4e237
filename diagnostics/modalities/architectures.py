"""Find an image architecture by name and build its network through fastai."""

import difflib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision.models
from fastai.vision.learner import default_split, model_meta, vision_learner
from torch import nn

from diagnostics.errors import ConfigError, WeightsError
from diagnostics.training.small_net import NAME as SMALL_CNN
from diagnostics.training.small_net import small_body, small_head
from diagnostics.training.weights import WeightsFile, find_timm_weights, find_torchvision_weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

SMALLEST_FILLED_SHARE = 0.5

LearnerBuilder = Callable[..., Any]


@dataclass(frozen=True)
class Architecture:
    """A named network.

    library : "winnow", "torchvision" or "timm"
    name : as the library calls it
    """

    library: str
    name: str


def find_architecture(name: str) -> Architecture:
    """Look a name up: small_cnn, then torchvision's classification models, then timm's; "timm/name" means timm.

    raises : ConfigError naming near names
    """
    library, _, plain = name.rpartition("/")
    if library not in ("", "timm", "torchvision"):
        raise ConfigError(f"Unknown architecture {name!r}: before the / only timm or torchvision can stand.")
    if name == SMALL_CNN:
        return Architecture("winnow", name)
    in_torchvision = plain in torchvision.models.list_models(module=torchvision.models)
    if library != "timm" and in_torchvision and (library or _fastai_knows(plain) or not timm.is_model(plain)):
        return Architecture("torchvision", plain)
    if library != "torchvision" and timm.is_model(plain):
        return Architecture("timm", plain)
    names = [SMALL_CNN, *torchvision.models.list_models(module=torchvision.models), *timm.list_models()]
    near = difflib.get_close_matches(plain, names, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "Names are those of torchvision and timm."
    raise ConfigError(f"Unknown architecture {name!r}. {hint}")


def architecture_stats(
    architecture: Architecture,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Channel means and deviations, in [0, 1], with which the pretrained weights were trained."""
    if architecture.library == "timm":
        config = timm.get_pretrained_cfg(architecture.name)
        return tuple(config.mean), tuple(config.std)
    return IMAGENET_MEAN, IMAGENET_STD


def learner_for(
    architecture: Architecture,
    loaders: Any,
    *,
    n_classes: int,
    image_size_px: int,
    pretrained: bool,
    weights_file: Path | None,
    **learner_options: Any,
) -> Any:
    """A fastai `vision_learner` for the architecture, frozen if pretrained.

    raises : WeightsError if pretrained weights cannot be had, ConfigError if the network cannot be built so
    """
    build = partial(vision_learner, loaders, n_out=n_classes, normalize=False, **learner_options)
    return BUILDERS[architecture.library](
        build, architecture, n_classes, image_size_px, pretrained, weights_file
    )


def _build_small(
    build: LearnerBuilder,
    architecture: Architecture,
    n_classes: int,
    image_size_px: int,
    pretrained: bool,
    weights_file: Path | None,
) -> Any:
    def small_cnn(pretrained: bool) -> nn.Sequential:
        return _cut_by_fastai(small_body(image_size_px))

    return build(small_cnn, pretrained=False, custom_head=small_head(image_size_px, n_classes), init=None)


def _build_torchvision(
    build: LearnerBuilder,
    architecture: Architecture,
    n_classes: int,
    image_size_px: int,
    pretrained: bool,
    weights_file: Path | None,
) -> Any:
    builder = getattr(torchvision.models, architecture.name)
    found = find_torchvision_weights(architecture.name, weights_file) if pretrained else None

    def network(pretrained: bool) -> nn.Module:
        model: nn.Module = builder(weights=None)
        if found is not None:
            _load_file(model, found)
        return model if meta["cut"] is None else _cut_by_fastai(list(model.children())[: meta["cut"]])

    meta = model_meta.get(builder, {"cut": None, "split": default_split})
    try:
        return build(network, pretrained=pretrained, splitter=meta["split"])
    except (StopIteration, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{architecture.name} of torchvision has no body that fastai can cut its head from ({error!r}). "
            f"Choose another architecture, or timm/{architecture.name}."
        ) from error


def _build_timm(
    build: LearnerBuilder,
    architecture: Architecture,
    n_classes: int,
    image_size_px: int,
    pretrained: bool,
    weights_file: Path | None,
) -> Any:
    options: dict[str, Any] = {}
    if "img_size" in inspect.signature(timm.model_entrypoint(architecture.name)).parameters or (
        timm.get_pretrained_cfg(architecture.name).fixed_input_size
    ):
        options["img_size"] = image_size_px
    if not pretrained:
        return build(architecture.name, pretrained=False, **options)
    found = find_timm_weights(architecture.name, weights_file)
    if found.path is not None:
        options["pretrained_cfg_overlay"] = {"file": str(found.path)}
    try:
        learner = build(architecture.name, pretrained=True, **options)
    except (RuntimeError, KeyError) as error:
        raise WeightsError(
            f"{found.path or found.url} does not hold weights of {architecture.name}: {error}"
        ) from error
    _check_filled(learner.model[0], found, architecture.name)
    return learner


def local_weights(architecture: Architecture, weights_file: Path | None = None) -> Path:
    """The file with the pretrained weights, looked for on this machine alone.

    raises : WeightsError if it is not here
    """
    find = find_timm_weights if architecture.library == "timm" else find_torchvision_weights
    found = find(architecture.name, weights_file, probe=_stay_here)
    if found.path is None:
        raise WeightsError(f"The pretrained weights of {architecture.name} are not on this machine.")
    return found.path


def pretrained_network(architecture: Architecture, weights: Path) -> nn.Module:
    """The whole network with the weights of this file and the head that they were trained with.

    raises : WeightsError if the file holds other weights
    """
    found = WeightsFile(weights, url="")
    if architecture.library != "timm":
        model: nn.Module = getattr(torchvision.models, architecture.name)(weights=None)
        _load_file(model, found)
        return model
    overlay = {"file": str(weights)}
    try:
        network: nn.Module = timm.create_model(
            architecture.name, pretrained=True, pretrained_cfg_overlay=overlay
        )
    except (RuntimeError, KeyError) as error:
        raise WeightsError(f"{weights} does not hold weights of {architecture.name}: {error}") from error
    _check_filled(network, found, architecture.name)
    return network


def _stay_here(url: str) -> bool:
    return False


BUILDERS = {"winnow": _build_small, "torchvision": _build_torchvision, "timm": _build_timm}


def _check_filled(body: nn.Module, found: WeightsFile, name: str) -> None:
    """timm leaves weights that a file lacks at random values without a word; names may differ, values may not."""
    if found.path is None:
        return
    stored = {_print_of(tensor) for tensor in found.read().values()}
    own = [_print_of(tensor) for tensor in body.parameters()]
    n_filled = sum(one in stored for one in own)
    if n_filled < SMALLEST_FILLED_SHARE * len(own):
        raise WeightsError(
            f"{found.path} does not hold weights of {name}: {n_filled} of its {len(own)} tensors are in it. "
            "Give the file that belongs to this architecture with weights_file."
        )


def _print_of(tensor: torch.Tensor) -> tuple[int, float]:
    return tensor.numel(), float(tensor.detach().double().sum())


def _cut_by_fastai(body: Iterable[nn.Module]) -> nn.Sequential:
    """A body from which `vision_learner`, which ignores its argument `cut`, cuts off just the pooling added here."""
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1))


def _fastai_knows(name: str) -> bool:
    return getattr(torchvision.models, name, None) in model_meta


def _load_file(model: nn.Module, found: WeightsFile) -> None:
    try:
        model.load_state_dict(found.read())
    except RuntimeError as error:
        raise WeightsError(
            f"{found.path} does not hold weights of {type(model).__name__}: {str(error).splitlines()[0]} "
            "Give the file that belongs to this architecture with weights_file."
        ) from error


def to_channels_last(model: nn.Module) -> nn.Module:
    """The memory layout in which convolutions are fastest, the one of the pixels too."""
    return model.to(memory_format=torch.channels_last)
