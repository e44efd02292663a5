"""sigma-zero: few changed elements by a smooth l0 and a threshold that adapts, held within an linf bound.

Cinà et al., "sigma-zero: Gradient-based Optimization of l0-norm Adversarial Examples", ICLR 2025, arXiv:2402.01879.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.objectives.classification import MarginBelowRunnerUp


@dataclass(frozen=True, kw_only=True)
class SigmaZeroConfig:
    """The paper's constants; the bound and its unit are ours, for the paper has none.

    `unit` says what 1 means to `rate`, `sigma` and `threshold`. In the paper it is a pixel's range ("pixel"). Under
    a bound below the threshold of 0.3 nothing would survive the first steps and later ones would be too coarse, so
    "budget" takes the bound in that place: the attack is then the paper's with the range of a pixel replaced by the
    bound. At 255 levels both are the paper's.
    """

    budget_levels: float = 8.0  # linf bound in 8-bit levels; 255 leaves only the range of a pixel
    steps: int = 1000
    rate: float = 1.0  # eta_0, of Adam; falls to a tenth along a cosine
    sigma: float = 1e-3  # in x^2 / (x^2 + sigma)
    threshold: float = 0.3  # tau_0, below which a change becomes 0
    threshold_factor: float = 0.01  # tau moves by this times the rate
    unit: str = "budget"

    def __post_init__(self) -> None:
        if not 0 < self.budget_levels <= 255:
            raise ValueError(f"budget_levels: expected 0 < x <= 255, got {self.budget_levels}")
        if not 1 <= self.steps <= 100_000:
            raise ValueError(f"steps: expected 1 to 100000, got {self.steps}")
        for name in ("rate", "sigma"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected a number above 0, got {getattr(self, name)}")
        for name in ("threshold", "threshold_factor"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        if self.unit not in ("budget", "pixel"):
            raise ValueError(f"unit: expected budget or pixel, got {self.unit}")


def sigma_zero(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: SigmaZeroConfig | None = None,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Minimise max(margin, 0) + l0'(u) / n, where u is the change in units and l0'(u) = sum u^2 / (u^2 + sigma).

    Each step (algorithm 1): the gradient divided by its largest magnitude, an Adam step, the clip to the box, tau up
    where the network was fooled and down where not, and changes below tau set to 0.

    Args:
        images: (N, 3, H, W) float32 in [0, 1].
        labels: (N,) int64, the answers to lead away from.
        generator: unused, nothing is drawn; all rivals are called alike.
    Returns: like images; of each image the success with the fewest changed elements, else the last attempt.
    """
    config = config or SigmaZeroConfig()
    bound = config.budget_levels / 255
    scale = bound if config.unit == "budget" else 1.0
    low, high = ((images - bound).clamp(min=0) - images) / scale, ((images + bound).clamp(max=1) - images) / scale
    objective = MarginBelowRunnerUp(network)

    change, mean, square = (torch.zeros_like(images) for _ in range(3))
    tau = images.new_full((len(images), 1, 1, 1), config.threshold)
    best, fewest = images, images.new_full((len(images),), math.inf)
    rate = config.rate
    for step in range(config.steps):
        adversarial = _moved(images, change, scale, bound)
        slope, fooled = _margin_slope(objective, adversarial, labels)
        count = (adversarial != images).flatten(1).sum(1)
        better = fooled & (count < fewest)
        best = torch.where(_wide(better), adversarial, best)
        fewest = torch.where(better, count, fewest)

        slope = torch.where(_wide(fooled), 0.0, -scale * slope)  # max(margin, 0) is flat once the network is fooled
        slope = slope + _l0_slope(change, config.sigma) / images[0].numel()
        slope = slope / slope.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12)
        mean, square = mean.lerp(slope, 1 - _BETA_1), square.lerp(slope.square(), 1 - _BETA_2)
        spread = (square / (1 - _BETA_2 ** (step + 1))).sqrt() + 1e-8
        change = change - rate / (1 - _BETA_1 ** (step + 1)) * mean / spread
        change = change.clamp(low, high)

        rate = config.rate * (0.1 + 0.9 * (1 + math.cos(math.pi * step / config.steps)) / 2)
        tau = (tau + config.threshold_factor * rate * (2 * _wide(fooled).float() - 1)).clamp(0, 1)
        change = change.masked_fill(change.abs() < tau, 0.0)
    return torch.where(_wide(fewest.isfinite()), best, _moved(images, change, scale, bound))


_BETA_1, _BETA_2 = 0.9, 0.999  # Adam's own


def _margin_slope(objective: MarginBelowRunnerUp, adversarial: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient that leads away from the label, and (N,) whether the network is fooled already."""
    adversarial = adversarial.detach().requires_grad_()
    value, logits = objective(adversarial, labels)
    (slope,) = torch.autograd.grad(value, adversarial)
    return slope, logits.detach().argmax(1) != labels


def _l0_slope(change: Tensor, sigma: float) -> Tensor:
    """d/du of u^2 / (u^2 + sigma)."""
    return 2 * sigma * change / (change.square() + sigma).square()


def _moved(images: Tensor, change: Tensor, scale: float, bound: float) -> Tensor:
    """The image with its change, an unchanged element to the bit."""
    return (images + (change * scale).clamp(-bound, bound)).clamp(0, 1)


def _wide(flags: Tensor) -> Tensor:
    return flags[:, None, None, None]
