"""ComReAdv: the base attacks of `dense` through a stand-in for compression, so that their change outlives the real one.

    maximise J(f(C(x + delta)), y)  or  minimise J(f(C(x + delta)), target),  |delta| <= eps

with C a ComModel (Wang et al., MobiHoc 2020), a differentiable JPEG (Shin and Song 2017), a real codec whose gradient
is taken to be that of doing nothing, or nothing. The update rules are those of FGSM, BIM and MI-FGSM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_app.core.preprocess import from_uint8, to_uint8
from training.attacks.sparse.dense import DenseConfig, advance
from training.data.codecs import Codec, Pixels, back_to_size

BaseAttack = Literal["fgsm", "bim", "mi_fgsm"]
BASE_ATTACKS: tuple[BaseAttack, ...] = ("fgsm", "bim", "mi_fgsm")


def base_attack(name: BaseAttack, *, budget_levels: float, steps: int = 10, stride: float = 0.25) -> DenseConfig:
    """The settings of a base attack; FGSM is one step of the whole budget, whatever steps and stride are.

    Raises: ValueError for another name or a number out of its bounds.
    """
    if name not in BASE_ATTACKS:
        raise ValueError(f"attack: expected one of {', '.join(BASE_ATTACKS)}, got {name!r}")
    config = DenseConfig(rule="i_fgsm", budget_levels=budget_levels, steps=steps, stride=stride)
    if name == "fgsm":
        return replace(config, steps=1, stride=1.0)
    return replace(config, rule="mi_fgsm") if name == "mi_fgsm" else config


def comreadv(
    network: nn.Module,
    compressions: Sequence[nn.Module],
    images: Tensor,
    labels: Tensor,
    config: DenseConfig,
    *,
    targeted: bool = False,
    in_turn: bool = False,
    until_reached: bool = False,
) -> Tensor:
    """Attack through every one of the compressions: the direction of a step is the mean of their gradients.

    Args:
        compressions: images in [0, 1] -> images in [0, 1]; nn.Identity() is the plain attack.
        images: (N, 3, H, W) in [0, 1], of whole levels.
        labels: (N,) int64: the classes to lead away from, or, if targeted, towards.
        config: what `base_attack` gives.
        in_turn: each step goes through the next compression alone, so that many cost no more than one.
        until_reached: an image that the network takes for what is wanted, once saved and after all compressions, is
            left as it is: the least that does it, as minimal attacks stop. The rest of the steps change it no more.
    Returns: images + delta in whole levels, as `whole_levels` makes them: what a file can hold, inside the budget.
    Raises: ValueError if there is no compression, or the rule is PGD, whose random start is not part of ComReAdv.
    """
    if not compressions:
        raise ValueError("compressions: expected one or more, got none")
    if config.rule == "pgd":
        raise ValueError(f"rule: expected that of {', '.join(BASE_ATTACKS)}, got pgd")
    delta, velocity = torch.zeros_like(images), torch.zeros_like(images)
    dither = _dither(images) if until_reached or config.budget_levels % 1 else None
    is_done = torch.zeros(len(images), dtype=torch.bool)
    for step in range(config.steps):
        if until_reached:
            saved = whole_levels(images, delta, dither=dither)
            is_done |= _is_reached(network, compressions, saved, labels, targeted)
            if is_done.all():
                break
        seen = [compressions[step % len(compressions)]] if in_turn else compressions
        gradient = sum_of_gradients(network, seen, images + delta, labels) / len(seen)
        moved, velocity = advance(delta, -gradient if targeted else gradient, velocity, images, config)
        delta = torch.where(is_done[:, None, None, None], delta, moved)
    return whole_levels(images, delta, dither=dither)


def sum_of_gradients(network: nn.Module, compressions: Sequence[nn.Module], images: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the cross-entropy with `labels` with respect to the images, summed over the compressions."""
    leaf = images.detach().requires_grad_()
    total = torch.zeros_like(images)
    for compression in compressions:
        loss = F.cross_entropy(network(compression(leaf)), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, leaf)
        total += gradient
    return total


def whole_levels(images: Tensor, delta: Tensor, *, dither: Tensor | None = None) -> Tensor:
    """images + delta in whole levels of 1/255; a fraction of a level is given up, so no change grows.

    Args:
        dither: (1, 3, H, W) in [0, 1): where the fraction reaches over 1 with it, it counts as a level. Half a level
            everywhere is then a level at half of the places, and no change grows over the next whole level.
    """
    magnitude = (delta * 255).abs() + 1e-3  # float32 has 8 / 255 * 255 under 8
    levels = magnitude.floor() + (0 if dither is None else (magnitude % 1 - 2e-3 + dither >= 1))
    return ((images * 255).round() + (delta * 255).sign() * levels).clamp(0, 255) / 255


def _dither(images: Tensor) -> Tensor:
    """The same for every image of a size, so that no result depends on the rest of the batch."""
    return torch.rand(1, *images.shape[1:], generator=torch.Generator().manual_seed(0))


def _is_reached(
    network: nn.Module, compressions: Sequence[nn.Module], images: Tensor, labels: Tensor, targeted: bool
) -> Tensor:
    """(N,) bool: after every one of the compressions the answer is the target, or no longer the label."""
    with torch.no_grad():
        answers = torch.stack([network(compression(images)).argmax(1) for compression in compressions])
    return ((answers == labels) if targeted else (answers != labels)).all(0)


class StraightThrough(nn.Module):
    """A real codec on images in [0, 1]: forwards what comes back, at the size it went in, backwards the identity."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, image: Tensor) -> Tensor:
        return image + (recompressed(image.detach(), self.codec) - image).detach()


def recompressed(images: Tensor, codec: Callable[[Pixels], Pixels]) -> Tensor:
    """What a network sees of images after a real codec: (N, 3, H, W) in [0, 1] -> the same shape, whole levels.

    Images are rounded to levels first, as a file would; one that comes back smaller is resized to its old size.
    """
    height, width = images.shape[2:]
    returned = [from_uint8(back_to_size(codec(to_uint8(image[None].cpu().numpy())), height, width)) for image in images]
    return torch.from_numpy(np.concatenate(returned)).to(images.device)
