"""Dense base attacks on a batch: I-FGSM, PGD and MI-FGSM. All climb the loss and keep the bound.

A level is 1/255 of the pixel range. Images are (N, 3, H, W) float32 in [0, 1], delta is their change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Rule = Literal["i_fgsm", "pgd", "mi_fgsm"]
RULES: tuple[Rule, ...] = ("i_fgsm", "pgd", "mi_fgsm")


@dataclass(frozen=True, kw_only=True)
class DenseConfig:
    """How a dense attack follows the gradient of the cross-entropy with the true label."""

    rule: Rule = "mi_fgsm"
    steps: int = 10
    budget_levels: float = 8.0  # largest change of an element, in 8-bit levels
    stride: float = 0.25  # of a step, as a share of the budget
    decay: float = 1.0  # of the velocity, mu of MI-FGSM

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"rule: expected one of {', '.join(RULES)}, got {self.rule!r}")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps: expected 1 to 1000, got {self.steps}")
        if not 0 < self.budget_levels <= 255:
            raise ValueError(f"budget_levels: expected 0 < budget_levels <= 255, got {self.budget_levels}")
        if not 0 < self.stride <= 1:
            raise ValueError(f"stride: expected 0 < stride <= 1, got {self.stride}")
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay: expected 0 to 1, got {self.decay}")

    @property
    def budget(self) -> float:
        """The largest change in units of the pixel range."""
        return self.budget_levels / 255


@dataclass(frozen=True, kw_only=True, eq=False)
class DenseResult:
    """The change a dense attack ends with."""

    delta: Tensor  # like images
    first_loss: Tensor  # (N,), cross-entropy when the network was first wrong; the last one where it never was
    answer: Tensor  # (N,) int64, best class other than the label at the end


def dense_attack(
    network: nn.Module, images: Tensor, labels: Tensor, config: DenseConfig, *, generator: torch.Generator
) -> DenseResult:
    """Run a base attack: Kurakin et al. (arXiv:1607.02533), Madry et al. (arXiv:1706.06083), Dong et al. (1710.06081).

    PGD starts from one random change, the same for every image, so that no result depends on the rest of the batch.
    """
    delta = torch.zeros_like(images)
    if config.rule == "pgd":
        start = torch.rand(images.shape[1:], generator=generator).mul(2).sub(1) * config.budget
        delta = project(delta + start, images, config.budget)
    velocity = torch.zeros_like(images)
    first_loss = torch.full((len(images),), float("nan"))
    for _ in range(config.steps):
        loss, gradient, logits = _loss_and_gradient(network, images + delta, labels)
        first_loss = _note_first(first_loss, loss, logits, labels)
        delta, velocity = advance(delta, gradient, velocity, images, config)
    with torch.no_grad():
        logits = network(images + delta)
        loss = F.cross_entropy(logits, labels, reduction="none")
    first_loss = _note_first(first_loss, loss, logits, labels)
    return DenseResult(
        delta=delta, first_loss=torch.where(first_loss.isnan(), loss, first_loss), answer=runner_up(logits, labels)
    )


def strongest_pixels(network: nn.Module, images: Tensor, labels: Tensor, count: int, config: DenseConfig) -> Tensor:
    """The pixels that MI-FGSM leans on most: the largest sums over channels of |velocity| after its last step.

    One step is the saliency map of the cross-entropy, at the price of one gradient.

    Returns: (N, 1, H, W) bool, `count` pixels of each image, or all if it has fewer.
    Raises: ValueError for a rule without a velocity, or a count below 1.
    """
    if config.rule != "mi_fgsm":
        raise ValueError(f"rule: expected mi_fgsm, whose velocity ranks the pixels, got {config.rule!r}")
    if count < 1:
        raise ValueError(f"count: expected 1 or more, got {count}")
    delta, velocity = torch.zeros_like(images), torch.zeros_like(images)
    for _ in range(config.steps):
        _, gradient, _ = _loss_and_gradient(network, images + delta, labels)
        delta, velocity = advance(delta, gradient, velocity, images, config)
    strength = velocity.abs().sum(1).flatten(1)
    chosen = strength.topk(min(count, strength.shape[1]), dim=1).indices
    return torch.zeros_like(strength, dtype=torch.bool).scatter_(1, chosen, True).view_as(images[:, :1])


def advance(
    delta: Tensor, gradient: Tensor, velocity: Tensor, images: Tensor, config: DenseConfig
) -> tuple[Tensor, Tensor]:
    """One step up along `gradient`: delta + stride * budget * sign(direction), inside the bound and the pixel range.

    The direction is the gradient, or for MI-FGSM velocity <- decay * velocity + gradient / ||gradient||_1.
    Returns: (delta, velocity), new tensors.
    """
    direction = gradient
    if config.rule == "mi_fgsm":
        norm = gradient.abs().flatten(1).sum(1).view(-1, 1, 1, 1)
        velocity = config.decay * velocity + torch.where(norm > 0, gradient / norm, gradient)
        direction = velocity
    return project(delta + config.stride * config.budget * direction.sign(), images, config.budget), velocity


def project(delta: Tensor, images: Tensor, budget: float) -> Tensor:
    """The nearest delta with |delta| <= budget and images + delta in [0, 1]."""
    return torch.minimum(torch.maximum(delta.clamp(-budget, budget), -images), 1 - images)


def runner_up(logits: Tensor, labels: Tensor) -> Tensor:
    """(N,) int64: the best class other than the label."""
    return logits.scatter(1, labels[:, None], -torch.inf).argmax(1)


def _loss_and_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    images = images.detach().requires_grad_()
    logits = network(images)
    loss = F.cross_entropy(logits, labels, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), images)
    return loss.detach(), gradient, logits.detach()


def _note_first(first_loss: Tensor, loss: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    is_first = first_loss.isnan() & (logits.argmax(1) != labels)
    return torch.where(is_first, loss, first_loss)
