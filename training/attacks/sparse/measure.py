"""The columns of the paper's tables: attack success rate, l0, l1, l2 and linf of the change."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.attacks.sparse.result import is_fooled


@dataclass(frozen=True, kw_only=True)
class SparseRow:
    """Means over the images on which the attack succeeded, NaN where there is none; in units of the pixel range."""

    images: int
    asr_percent: float
    l0: float  # changed tensor elements: a pixel counts up to three times
    pixels: float  # changed pixels
    l1: float
    l2: float
    linf: float  # the mean of each image's largest change
    elements: int  # N, elements of one image


def measure(network: nn.Module, images: Tensor, adversarial: Tensor, labels: Tensor) -> SparseRow:
    """Measure an attack on images that the network has right; a success is another answer than the label.

    Raises: ValueError if the shapes differ or there is no image.
    """
    fooled = torch.cat(
        [is_fooled(network, *part) for part in zip(adversarial.split(50), labels.split(50), strict=True)]
    )
    return summarise(images, adversarial, fooled)


def summarise(images: Tensor, adversarial: Tensor, fooled: Tensor) -> SparseRow:
    """Like `measure` where it is known which images are fooled: (N,) bool."""
    if images.shape != adversarial.shape or not len(images):
        raise ValueError(
            f"expected images and adversarial of one shape, at least one image; got {tuple(images.shape)} and "
            f"{tuple(adversarial.shape)}"
        )
    delta = (adversarial - images)[fooled].double()
    size, flat = delta.abs(), delta.abs().flatten(1)

    def mean(values: Tensor) -> float:
        return values.double().mean().item() if len(values) else math.nan

    return SparseRow(
        images=len(images),
        asr_percent=100 * fooled.double().mean().item(),
        l0=mean((flat > 0).sum(1)),
        pixels=mean((size.amax(1) > 0).flatten(1).sum(1)),
        l1=mean(flat.sum(1)),
        l2=mean(flat.square().sum(1).sqrt()),
        linf=mean(flat.amax(1)) if len(flat) else math.nan,
        elements=images[0].numel(),
    )
