"""A sparse success made sparser: hard thresholding with momentum and a shrinking number of elements.

Beyond the AutoAdversary paper. For a fixed number k of changed elements within a linf bound, the best ones are each at
full strength, so a candidate is a choice of k elements and their signs. The gradient of the margin (runner-up's logit
minus the label's), averaged over the steps as in MI-FGSM, ranks all elements by what they would add at full strength;
the best k are taken, whether they were in the last candidate or not. While that fools the network k falls, else it
creeps up, for each image on its own. A long memory finds what is good for many candidates, a short one what is good
near this one; changing between them leads out of corners where either would stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.attacks.sparse.losses import margin
from training.attacks.sparse.result import SparseResult


@dataclass(frozen=True, kw_only=True)
class PolishConfig:
    """How to look for fewer elements; how the numbers were found is in docs/sparse.md."""

    steps: int = 150  # gradients of the network
    budget_levels: float = 8.0  # largest change of an element, in 8-bit levels; whole levels survive an 8-bit file
    decays: tuple[float, ...] = (0.9, 0.3, 0.95, 0.5, 0.8, 0.0, 0.9, 0.6)  # of the averaged gradient, one after another
    shrink: float = 0.93  # of the smallest number of elements seen, after a success
    creep: float = 1.02  # of the number of elements, after a failure
    confidence: float = 0.0  # margin in logits above which an image counts as fooled; above 0 it survives more

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 10_000:
            raise ValueError(f"steps: expected 1 to 10000, got {self.steps}")
        if not 0 < self.budget_levels <= 255:
            raise ValueError(f"budget_levels: expected 0 < budget_levels <= 255, got {self.budget_levels}")
        if not self.decays or not all(0 <= decay < 1 for decay in self.decays):
            raise ValueError(f"decays: expected one or more, each 0 <= decay < 1, got {self.decays}")
        if not 0 < self.shrink < 1:
            raise ValueError(f"shrink: expected 0 < shrink < 1, got {self.shrink}")
        if not 1 <= self.creep <= 2:
            raise ValueError(f"creep: expected 1 to 2, got {self.creep}")
        if not 0 <= self.confidence <= 100:
            raise ValueError(f"confidence: expected 0 to 100, got {self.confidence}")


def polish(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    start: SparseResult,
    config: PolishConfig,
    *,
    on_step: Callable[[int], None] | None = None,
) -> SparseResult:
    """Look for successes with fewer elements than `start` has; there is no chance in it.

    Args:
        images: (N, 3, H, W) float32 in [0, 1].
        labels: (N,) int64.
    Returns: for each image the sparsest success seen, which is that of `start` if no other was. An image that `start`
        does not fool begins with every element and comes back unchanged from `start` if none of it fools the network.
    """
    flat, budget = images.flatten(1), config.budget_levels / 255
    delta = (start.adversarial - images).flatten(1)
    best, best_count = delta.clone(), torch.full((len(images),), flat.shape[1] + 1)
    count = (delta != 0).sum(1)
    velocity = torch.zeros_like(flat)
    allowed = count.double()
    for step in range(config.steps + 1):  # the last candidate needs a look, too
        value, gradient = _margin_and_gradient(network, images + delta.view_as(images), labels)
        count = (delta != 0).sum(1)
        is_fooled = value > config.confidence
        is_better = is_fooled & (count < best_count)
        best[is_better], best_count[is_better] = delta[is_better], count[is_better]
        if step == config.steps:
            break
        norm = gradient.abs().sum(1, keepdim=True)
        decay = config.decays[step * len(config.decays) // config.steps]
        velocity = decay * velocity + torch.where(norm > 0, gradient / norm, gradient)
        full = full_strength(flat, velocity, budget)
        allowed = _next_count(allowed, best_count, is_fooled, config)
        delta = keep_largest(full, velocity * full, allowed.long())
        if on_step:
            on_step(step + 1)
    adversarial = (images + best.view_as(images)).clamp(0, 1)
    return SparseResult(adversarial=adversarial, mask=(best != 0).view_as(images))


def full_strength(flat: Tensor, direction: Tensor, budget: float) -> Tensor:
    """The largest change of each element along the sign of `direction` within the budget and the pixel range."""
    return torch.where(direction > 0, (1 - flat).clamp(max=budget), -flat.clamp(max=budget))


def keep_largest(values: Tensor, score: Tensor, count: Tensor) -> Tensor:
    """(N, E) `values`, with zero outside the count[i] elements of row i with the largest `score`.

    Of equal scores the element that comes first in the picture is kept.
    """
    order = score.argsort(dim=1, descending=True, stable=True)
    is_kept = torch.zeros_like(values, dtype=torch.bool)
    is_kept.scatter_(1, order, torch.arange(values.shape[1]) < count[:, None])
    return torch.where(is_kept, values, 0)


def _next_count(allowed: Tensor, best_count: Tensor, is_fooled: Tensor, config: PolishConfig) -> Tensor:
    shrunk = torch.minimum(best_count * config.shrink, best_count - 1.0)
    grown = torch.minimum(allowed * config.creep, best_count - 1.0)  # as many as the best has would be no gain
    return torch.where(is_fooled, shrunk, grown).clamp(min=1)


def _margin_and_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    images = images.detach().requires_grad_()
    value = margin(network(images), labels)
    (gradient,) = torch.autograd.grad(value.sum(), images)
    return value.detach(), gradient.flatten(1)
