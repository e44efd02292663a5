"""Update rules: a gradient in, the next perturbation out. All climb the loss and stay inside the budget.

Arrays are float32 (1, 3, H, W) in units of the pixel range [0, 1]; a level is 1/255 of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Rule = Literal["fgsm", "bim", "mi_fgsm", "proportional"]

_LEAST_WHOLE_AT = 0.5  # a single step at 0.16 was nearly one by signs, at an SSIM of 0.938


@dataclass(frozen=True, kw_only=True)
class StepConfig:
    """How to follow a gradient: the defaults are a round of what ships, and docs/cloaks.md says how they were found."""

    rule: Rule = "proportional"
    steps: int = 19  # of a round; with the one look at what the photo shows, 20 calls of a graph
    rounds: int = 1  # at most: a further one is for photos in which the networks still see what they show
    budget_levels: float = 8.0  # largest change of a pixel, in 8-bit levels
    decay: float = 0.4  # of the velocity, mu of MI-FGSM
    stride: float = 0.8  # of the first step, as a share of the budget; FGSM always takes the whole of it
    last_stride: float = 0.1  # of the last step; those between go down evenly
    whole_at: float = 3.0  # proportional: times the mean velocity at which a pixel takes the whole stride
    smoothing_px: float = 0.7  # deviation of the Gaussian that a gradient is blurred by; 0 leaves it as it is

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise ValueError(f"rule: expected fgsm, bim, mi_fgsm or proportional, got {self.rule!r}")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps: expected 1 to 1000, got {self.steps}")
        if self.rule == "fgsm" and self.steps != 1:
            raise ValueError(f"steps: expected 1 for fgsm, got {self.steps}")
        if self.rule == "fgsm" and self.rounds != 1:
            raise ValueError(f"rounds: expected 1 for fgsm, got {self.rounds}")
        if not 1 <= self.rounds <= 100:
            raise ValueError(f"rounds: expected 1 to 100, got {self.rounds}")
        if not 0 < self.budget_levels <= 255:
            raise ValueError(f"budget_levels: expected 0 < budget_levels <= 255, got {self.budget_levels}")
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay: expected 0 to 1, got {self.decay}")
        if not 0 < self.stride <= 1:
            raise ValueError(f"stride: expected 0 < stride <= 1, got {self.stride}")
        if not 0 < self.last_stride <= 1:
            raise ValueError(f"last_stride: expected 0 < last_stride <= 1, got {self.last_stride}")
        if not 0 < self.whole_at <= 100:
            raise ValueError(f"whole_at: expected 0 < whole_at <= 100, got {self.whole_at}")
        if not 0 <= self.smoothing_px <= 10:
            raise ValueError(f"smoothing_px: expected 0 to 10, got {self.smoothing_px}")


def with_steps(config: StepConfig, steps: int) -> StepConfig:
    """The same way in `steps` steps, one round: fewer ones move more pixels by the whole stride, to use the budget.

    However few there are, a pixel takes the whole stride from half the mean velocity on: signs alone would be seen.
    """
    fewer = config.whole_at * min(1.0, steps / config.steps)
    return replace(config, steps=steps, rounds=1, whole_at=max(fewer, min(config.whole_at, _LEAST_WHOLE_AT)))


def of_round(config: StepConfig, number: int) -> StepConfig:
    """How a round, from 0, is walked: a later one begins with half the stride, since the change is found by then."""
    return config if number == 0 else replace(config, stride=max(config.stride / 2, config.last_stride))


def take_step(
    delta: Array, grad: Array, velocity: Array, *, image: Array, bound: Array, config: StepConfig, progress: float = 0.0
) -> tuple[Array, Array]:
    """One ascent step by the rule of the config.

    `fgsm`, `bim` and `mi_fgsm` move each pixel by the sign of the gradient or velocity. `proportional` is MI-FGSM
    without the sign: each pixel moves as its velocity does, up to `whole_at` times the mean. A pixel that the networks
    hardly mind then costs no visible change.

    Args:
        delta: change of the image so far.
        grad: like delta, dLoss/dImage at image + delta; following it raises the loss.
        velocity: like delta, zeros at the first step; FGSM and BIM leave it alone.
        image: the unchanged image in [0, 1].
        bound: (1, 3, H, W) or, for all channels alike, (1, 1, H, W): largest change of each value.
        progress: 0 at the first step, 1 at the last; the stride goes from config.stride to config.last_stride.
    Returns: (delta, velocity) after the step, as new arrays; |delta| <= bound and image + delta in [0, 1].
    Raises: ValueError if the shapes differ or grad is not finite.
    """
    if not delta.shape == grad.shape == velocity.shape == image.shape:
        raise ValueError(
            "expected delta, grad, velocity and image of one shape, got "
            f"{delta.shape}, {grad.shape}, {velocity.shape} and {image.shape}"
        )
    if not np.isfinite(grad).all():
        raise ValueError("grad: expected finite numbers, got NaN or infinity")
    if config.rule in ("mi_fgsm", "proportional"):
        velocity = momentum(velocity, grad, config.decay)
        move = np.sign(velocity) if config.rule == "mi_fgsm" else _in_proportion(velocity, config.whole_at)
    else:
        move = np.sign(grad)
    stride = 1 if config.rule == "fgsm" else config.stride + (config.last_stride - config.stride) * progress
    moved = delta + np.float32(stride) * bound * move
    return project(moved.astype(np.float32, copy=False), image=image, bound=bound), velocity


def _in_proportion(velocity: Array, whole_at: float) -> Array:
    """In [-1, 1]: 1 where the velocity is at least `whole_at` times its mean size; zeros stay zeros."""
    whole = whole_at * float(np.abs(velocity).mean(dtype=np.float64))
    return np.clip(velocity / np.float32(whole), -1, 1) if whole > 0 else velocity


def momentum(velocity: Array, grad: Array, decay: float) -> Array:
    """velocity <- decay * velocity + grad / ||grad||_1: Dong et al. 2018, arXiv:1710.06081, equation 6.

    A gradient of zeros adds nothing.
    """
    norm = float(np.abs(grad).sum(dtype=np.float64))
    scaled = grad / np.float32(norm) if norm > 0 else grad
    return np.float32(decay) * velocity + scaled


def smoothed(grad: Array, deviation_px: float) -> Array:
    """A gradient blurred by a Gaussian, the rim mirrored: Dong et al. 2019, arXiv:1904.02884, equation 8.

    It is the mean gradient over small shifts of the image. Somewhat coarser changes deceive more networks, and survive
    recompression.
    """
    if deviation_px == 0:
        return grad
    radius = round(3 * deviation_px)
    kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * deviation_px**2))
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (-2, -1):
        width = [(0, 0)] * grad.ndim
        width[axis] = (radius, radius)
        padded = np.pad(grad, width, mode="symmetric")
        length = grad.shape[axis]
        parts = (weight * _part(padded, axis, start, length) for start, weight in enumerate(kernel))
        grad = np.add.reduce(list(parts))
    return grad


def _part(array: Array, axis: int, start: int, length: int) -> Array:
    index = [slice(None)] * array.ndim
    index[axis] = slice(start, start + length)
    return array[tuple(index)]


def project(delta: Array, *, image: Array, bound: Array) -> Array:
    """The nearest delta with |delta| <= bound and image + delta in [0, 1]."""
    return np.clip(np.clip(delta, -bound, bound), -image, 1 - image)
