"""Normalise and augment a whole batch of uint8 images on its device."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone knows it by
from torch import Tensor

MAX_SHIFT = 1 / 8
MAX_TURN_RAD = 0.17
MAX_ZOOM = 0.15
MAX_LIGHT = 0.2


@dataclass(frozen=True, slots=True)
class Normalise:
    """uint8 images (n, 3, h, w) → float images with these channel means and deviations, given in [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, images: Tensor) -> Tensor:
        mean = torch.tensor(self.mean, device=images.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(1, 3, 1, 1)
        return images.float().mul_(1 / (255 * std)).sub_(mean / std)


@dataclass(frozen=True, slots=True)
class Augment:
    """Normalise, then change each image at random; draws from torch's global generator.

    augment : "none"; "light" moves the image by up to 1/8 of its side, filling the border by reflection; "standard"
        also turns it by up to 10 degrees, zooms by up to 15 % and changes brightness and contrast by up to 20 %
    flip : mirror half of the images
    """

    normalise: Normalise
    augment: str
    flip: bool

    def __call__(self, images: Tensor) -> Tensor:
        if self.flip:
            images = flip_some(images)
        return AUGMENTATIONS[self.augment](images, self.normalise)


def flip_some(images: Tensor) -> Tensor:
    """Mirror each image with probability 1/2; images : (n, 3, h, w) of any type"""
    chosen = torch.rand(len(images)).to(images.device) < 0.5
    return torch.where(chosen.view(-1, 1, 1, 1), images.flip(3), images)


def shift_some(images: Tensor) -> Tensor:
    """Move each image by whole pixels, up to 1/8 of its side, reflected at the border; images : (n, 3, h, w)"""
    n_images, _, height, width = images.shape
    rows = _moved_indices(n_images, height).to(images.device)
    columns = _moved_indices(n_images, width).to(images.device)
    numbers = torch.arange(n_images, device=images.device).view(-1, 1, 1)
    moved = images.permute(0, 2, 3, 1)[numbers, rows.unsqueeze(2), columns.unsqueeze(1)]
    return moved.permute(0, 3, 1, 2)


def _moved_indices(n_images: int, side: int) -> Tensor:
    """(n_images, side) source indices of a random move of each image."""
    most = max(1, round(side * MAX_SHIFT))
    moved = torch.arange(side) + torch.randint(-most, most + 1, (n_images, 1))
    return (side - 1) - ((side - 1) - moved.abs()).abs()


def warp_some(images: Tensor) -> Tensor:
    """Turn, zoom and move each float image, (n, 3, h, w), in one interpolation, reflected at the border."""
    n_images = len(images)
    turn = (torch.rand(n_images) * 2 - 1) * MAX_TURN_RAD
    zoom = 1 + (torch.rand(n_images) * 2 - 1) * MAX_ZOOM
    move = (torch.rand(n_images, 2) * 2 - 1) * 2 * MAX_SHIFT
    cos, sin = turn.cos() * zoom, turn.sin() * zoom
    affine = torch.stack(
        (torch.stack((cos, -sin, move[:, 0]), dim=1), torch.stack((sin, cos, move[:, 1]), dim=1)), dim=1
    ).to(images.device)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def light_some(images: Tensor) -> Tensor:
    """Change contrast and brightness of each normalised image, (n, 3, h, w)."""
    contrast = 1 + (torch.rand(len(images), 1, 1, 1) * 2 - 1) * MAX_LIGHT
    brightness = (torch.rand(len(images), 1, 1, 1) * 2 - 1) * MAX_LIGHT
    return images * contrast.to(images.device) + brightness.to(images.device)


def _none(images: Tensor, normalise: Normalise) -> Tensor:
    return normalise(images)


def _light(images: Tensor, normalise: Normalise) -> Tensor:
    return normalise(shift_some(images))


def _standard(images: Tensor, normalise: Normalise) -> Tensor:
    return light_some(warp_some(normalise(images)))


AUGMENTATIONS = {"none": _none, "light": _light, "standard": _standard}
