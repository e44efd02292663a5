"""How well a heat map ranks the pixels that matter: network, photos and maps in; deletion and insertion scores out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@torch.no_grad()
def deletion_insertion(
    network: nn.Module,
    images: Tensor,
    maps: Tensor,
    classes: Tensor,
    *,
    steps: int = 16,
    grey: tuple[float, float, float] = (0.485, 0.456, 0.406),
    batch: int = 64,
) -> tuple[Tensor, Tensor]:
    """The areas under two curves of the class's probability, Petsiuk et al. 2018 (RISE), arXiv:1806.07421.

    Deletion paints the pixels grey, the highest of the map first: a low score says that those pixels mattered.
    Insertion brings them back into a blurred photo: a high score says the same. Both start and end at the same photos
    for every map, so only scores of one network on the same photos can be compared.

    Args:
        network: in eval mode; images in [0, 1] -> logits.
        images: (N, 3, H, W).
        maps: (N, H, W); where values are equal, the upper and left pixel goes first.
        classes: (N,) whose probability is followed.
        steps: equal parts of the picture's area; each curve has steps + 1 points.
        grey: colour of deleted pixels, by default ImageNet's mean.
        batch: images at once.
    Returns: (deletion, insertion), each (N,) in [0, 1].
    Raises: ValueError if the shapes differ, steps < 1 or the network is in training mode.
    """
    if network.training:
        raise ValueError("network: expected eval mode, got training mode, in which images change each other's logits")
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    if maps.shape != (len(images), *images.shape[2:]) or len(classes) != len(images):
        raise ValueError(
            f"maps, classes: expected shapes {(len(images), *images.shape[2:])} and {(len(images),)}, "
            f"got {tuple(maps.shape)} and {tuple(classes.shape)}"
        )
    rank = _rank(maps)
    empty = torch.tensor(grey, dtype=images.dtype, device=images.device)[:, None, None].expand_as(images)
    blurred = blur(images)
    pixels = maps[0].numel() if len(maps) else 0
    deletion, insertion = [], []
    for step in range(steps + 1):
        is_first = (rank < round(pixels * step / steps))[:, None]
        deletion.append(_probability(network, torch.where(is_first, empty, images), classes, batch))
        insertion.append(_probability(network, torch.where(is_first, images, blurred), classes, batch))
    return _area(torch.stack(deletion)), _area(torch.stack(insertion))


def blur(images: Tensor, sigma: float = 1 / 20) -> Tensor:
    """A Gaussian with `sigma` of the short side, cut at two of them; the edge repeats its last pixel.

    RISE takes 11 px of a Gaussian of 5 px on 224; that leaves a flower's petals readable, so this one is wider.
    """
    sigma_px = sigma * min(images.shape[2:])
    reach = max(1, round(2 * sigma_px))
    offsets = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-(offsets**2) / (2 * max(sigma_px, 1e-6) ** 2))
    kernel = (weights / weights.sum()).repeat(images.shape[1], 1, 1, 1)  # (3, 1, 1, 2 * reach + 1)
    padded = F.pad(images, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel, groups=images.shape[1])
    return F.conv2d(across, kernel.transpose(2, 3), groups=images.shape[1])


def _rank(maps: Tensor) -> Tensor:
    """(N, H, W) place of each pixel in its map's order, 0 for the highest."""
    flat = maps.flatten(1)
    order = flat.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(flat.shape[1], device=maps.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places).view(maps.shape)


def _probability(network: nn.Module, images: Tensor, classes: Tensor, batch: int) -> Tensor:
    logits = torch.cat([network(part) for part in images.split(batch)])
    return logits.softmax(1).gather(1, classes[:, None])[:, 0]


def _area(curve: Tensor) -> Tensor:
    """The mean height of a curve over equal steps, by trapezoids: (points, N) -> (N,)."""
    return (curve[:-1] + curve[1:]).mean(0) / 2
