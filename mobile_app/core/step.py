"""Update rules: a gradient in, the next perturbation out. All climb the loss and stay inside the budget.

Arrays are float32 (1, 3, H, W) in units of the pixel range [0, 1]; a level is 1/255 of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Rule = Literal["fgsm", "bim", "mi_fgsm"]


@dataclass(frozen=True, kw_only=True)
class StepConfig:
    """How to follow a gradient."""

    rule: Rule = "mi_fgsm"
    steps: int = 19  # with the one look at what the photo shows, 20 calls of a graph
    budget_levels: float = 8.0  # largest change of a pixel, in 8-bit levels
    decay: float = 1.0  # of the velocity, mu of MI-FGSM
    stride: float = 0.15  # of a step, as a share of the budget; FGSM always takes the whole of it
    smoothing_px: float = 1.0  # deviation of the Gaussian that a gradient is blurred by; 0 leaves it as it is

    def __post_init__(self) -> None:
        if self.rule not in ("fgsm", "bim", "mi_fgsm"):
            raise ValueError(f"rule: expected fgsm, bim or mi_fgsm, got {self.rule!r}")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps: expected 1 to 1000, got {self.steps}")
        if self.rule == "fgsm" and self.steps != 1:
            raise ValueError(f"steps: expected 1 for fgsm, got {self.steps}")
        if not 0 < self.budget_levels <= 255:
            raise ValueError(f"budget_levels: expected 0 < budget_levels <= 255, got {self.budget_levels}")
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay: expected 0 to 1, got {self.decay}")
        if not 0 < self.stride <= 1:
            raise ValueError(f"stride: expected 0 < stride <= 1, got {self.stride}")
        if not 0 <= self.smoothing_px <= 10:
            raise ValueError(f"smoothing_px: expected 0 to 10, got {self.smoothing_px}")


def with_steps(config: StepConfig, steps: int) -> StepConfig:
    """The same way in `steps` steps: fewer ones go farther each, so that they still use the whole budget."""
    reach = config.stride * config.steps / steps
    return replace(config, steps=steps, stride=min(1.0, max(config.stride, reach)))


def take_step(
    delta: Array, grad: Array, velocity: Array, *, image: Array, bound: Array, config: StepConfig
) -> tuple[Array, Array]:
    """One ascent step by the rule of the config.

    Args:
        delta: change of the image so far.
        grad: like delta, dLoss/dImage at image + delta; following it raises the loss.
        velocity: like delta, zeros at the first step; FGSM and BIM leave it alone.
        image: the unchanged image in [0, 1].
        bound: (1, 1, H, W), largest change of each pixel.
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
    if config.rule == "mi_fgsm":
        velocity = momentum(velocity, grad, config.decay)
        direction = velocity
    else:
        direction = grad
    stride = np.float32(1 if config.rule == "fgsm" else config.stride)
    moved = delta + stride * bound * np.sign(direction)
    return project(moved.astype(np.float32, copy=False), image=image, bound=bound), velocity


def momentum(velocity: Array, grad: Array, decay: float) -> Array:
    """velocity <- decay * velocity + grad / ||grad||_1: Dong et al. 2018, arXiv:1710.06081, equation 6.

    A gradient of zeros adds nothing.
    """
    norm = float(np.abs(grad).sum(dtype=np.float64))
    scaled = grad / np.float32(norm) if norm > 0 else grad
    return np.float32(decay) * velocity + scaled


def smoothed(grad: Array, deviation_px: float) -> Array:
    """A gradient blurred by a Gaussian, the rim mirrored: Dong et al. 2019, arXiv:1904.02884, equation 8.

    It is the mean gradient over small shifts of the image. Coarser changes deceive more networks, and survive
    recompression; from 2 px on they are too coarse.
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
