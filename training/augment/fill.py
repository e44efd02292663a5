"""A picture and a mask in; the picture with its cleared pixels filled out."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from training.augment.settings import IMAGENET_MEAN

Fill = Literal["zero", "mean", "blur", "noise"]
FILLS: tuple[str, ...] = get_args(Fill)


def fill_cleared(
    image_chw: Tensor,
    keep: NDArray[np.bool_],
    fill: Fill,
    rng: np.random.Generator,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
) -> Tensor:
    """Replace what is not kept.

    "mean" is what the published methods do: they write zeros after the normalisation. "zero" is black. "blur" leaves
    the coarse colours (a sixteenth of the short side) and takes the detail; "noise" is uniform over the range.

    Args:
        image_chw: (3, H, W) float in [0, 1] or uint8.
        keep: (H, W) bool.
    Returns: a new tensor of the same shape, type and device.
    """
    is_whole = image_chw.dtype == torch.uint8
    image = image_chw.float() / 255 if is_whole else image_chw
    filling = _filling(image, fill, rng, mean)
    if is_whole:
        filling = (filling * 255).round().to(torch.uint8)
    return torch.where(torch.from_numpy(keep).to(image_chw.device), image_chw, filling.to(image_chw.dtype))


def _filling(image: Tensor, fill: Fill, rng: np.random.Generator, mean: tuple[float, float, float]) -> Tensor:
    if fill == "noise":
        return torch.from_numpy(rng.random(tuple(image.shape), dtype=np.float32)).to(image.device)
    if fill == "blur":
        return _coarse(image)
    colour = mean if fill == "mean" else (0.0, 0.0, 0.0)
    return torch.tensor(colour, dtype=image.dtype, device=image.device)[:, None, None]


def _coarse(image: Tensor, cells: int = 16) -> Tensor:
    """Averages of cells of a sixteenth of the short side, joined smoothly."""
    size = image.shape[-2:]
    cell = max(2, round(min(size) / cells))
    cells_hw = [max(1, side // cell) for side in size]
    small = F.adaptive_avg_pool2d(image[None], cells_hw)
    return F.interpolate(small, size=size, mode="bilinear", align_corners=False)[0].clamp(0, 1)
