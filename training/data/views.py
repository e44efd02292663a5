"""Photos in memory in, training views out: crop, flip, colour, augmentation, all drawn from (seed, epoch, photo).

A view therefore depends on nothing that happened before it, so a run that was stopped goes on as if it had not been,
with any number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

Augment = Callable[[Tensor, NDArray[np.floating] | None, np.random.Generator], Tensor]


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """How a photo is shown to a network in training."""

    size_px: int = 160
    smallest_area: float = 0.35  # of the photo, that a crop may show
    largest_aspect: float = 4 / 3
    jitter: float = 0.15  # largest change of brightness, contrast and saturation
    # Instead of a resized crop: the picture as it is, moved by whole pixels up to this share of its side, black beside
    # it, as networks for CIFAR are trained (He et al. 2015, arXiv:1512.03385, 4.2).
    shift: float | None = None

    def __post_init__(self) -> None:
        if self.size_px < 16:
            raise ValueError(f"size_px: expected 16 or more, got {self.size_px}")
        if not 0 < self.smallest_area <= 1:
            raise ValueError(f"smallest_area: expected 0 < smallest_area <= 1, got {self.smallest_area}")
        if not 1 <= self.largest_aspect <= 4:
            raise ValueError(f"largest_aspect: expected 1 to 4, got {self.largest_aspect}")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter: expected 0 <= jitter < 1, got {self.jitter}")
        if self.shift is not None and not 0 <= self.shift < 1:
            raise ValueError(f"shift: expected None or 0 <= shift < 1, got {self.shift}")


class TrainingViews(Dataset[tuple[Tensor, int]]):
    """A view of each photo for one epoch: ((3, S, S) float32 in [0, 1], label). Call `set_epoch` before each epoch."""

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8]],
        labels: Sequence[int],
        config: ViewConfig,
        *,
        seed: int,
        augment: Augment | None = None,
        points: Sequence[NDArray[np.floating] | None] | None = None,
    ) -> None:
        """Args: images: (H, W, 3) each. points: (K, 2) a photo, (row, column) as shares of its sides, for `augment`."""
        self.images, self.labels, self.config = images, labels, config
        self.seed, self.augment, self.points = seed, augment, points
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        image = self.images[index]
        if self.config.shift is None:
            box = crop_box(image.shape[0], image.shape[1], self.config, rng)
            view = resized_crop(image, box, self.config.size_px)
        else:
            view, box = moved(image, self.config, rng)
        points = None if self.points is None or self.points[index] is None else points_in(self.points[index], box)
        if rng.random() < 0.5:
            view = view[:, ::-1]
            points = None if points is None else np.stack([points[:, 0], 1 - points[:, 1]], axis=1)
        pixels = jittered(view.astype(np.float32) / 255, self.config.jitter, rng)
        tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        if self.augment is not None:
            tensor = self.augment(tensor, points, rng)
        return tensor, self.labels[index]


@dataclass(frozen=True)
class Box:
    """A part of a photo, all as shares of its sides."""

    top: float
    left: float
    height: float
    width: float


def crop_box(height: int, width: int, config: ViewConfig, rng: np.random.Generator) -> Box:
    """A crop of random area and aspect (Szegedy et al. 2015); where it does not fit, it is cut to the photo."""
    area = height * width * rng.uniform(config.smallest_area, 1)
    aspect = math.exp(rng.uniform(-1, 1) * math.log(config.largest_aspect))
    high, wide = min(1.0, math.sqrt(area / aspect) / height), min(1.0, math.sqrt(area * aspect) / width)
    return Box(rng.uniform(0, 1 - high), rng.uniform(0, 1 - wide), high, wide)


def resized_crop(rgb_hwc: NDArray[np.uint8], box: Box, size_px: int) -> NDArray[np.uint8]:
    """(H, W, 3) -> (S, S, 3) uint8: Pillow's antialiased bicubic, as on the phone."""
    height, width = rgb_hwc.shape[:2]
    edges = (box.left * width, box.top * height, (box.left + box.width) * width, (box.top + box.height) * height)
    edges = (edges[0], edges[1], min(edges[2], width), min(edges[3], height))
    return np.asarray(Image.fromarray(rgb_hwc).resize((size_px, size_px), Image.Resampling.BICUBIC, box=edges))


def moved(rgb_hwc: NDArray[np.uint8], config: ViewConfig, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Box]:
    """(S, S, 3) moved by whole pixels, and the part of the picture that this is, beyond its rim too.

    Raises: ValueError if the picture's sides are not config.size_px.
    """
    side = config.size_px
    if rgb_hwc.shape[:2] != (side, side):
        raise ValueError(f"size_px: expected {rgb_hwc.shape[0]}, the side of the pictures, got {side}")
    farthest = round((config.shift or 0) * side)
    top, left = (int(rng.integers(2 * farthest, endpoint=True)) for _ in range(2))
    padded = np.pad(rgb_hwc, ((farthest, farthest), (farthest, farthest), (0, 0)))
    box = Box((top - farthest) / side, (left - farthest) / side, 1, 1)
    return padded[top : top + side, left : left + side], box


def points_in(points: NDArray[np.floating], box: Box) -> NDArray[np.floating]:
    """Where points of the photo lie in a crop of it; those outside are left out."""
    inside = (points - [box.top, box.left]) / [box.height, box.width]
    return inside[((inside >= 0) & (inside < 1)).all(axis=1)]


def jittered(pixels: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W, 3) in [0, 1]; brightness, contrast and saturation change by a factor in 1 - strength .. 1 + strength."""
    brightness, contrast, saturation = (np.float32(1 + rng.uniform(-strength, strength)) for _ in range(3))
    pixels = pixels * brightness
    pixels = pixels.mean() + contrast * (pixels - pixels.mean())
    grey = pixels.mean(axis=2, keepdims=True)
    return np.clip(grey + saturation * (pixels - grey), 0, 1)
