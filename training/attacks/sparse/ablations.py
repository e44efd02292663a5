"""What AutoAdversary's parts are worth: the other rows of the paper's table 3-7.

The row "l1 on m + binarisation" is `auto_adversary` with encoder="none".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from training.attacks.sparse.dense import DenseConfig, dense_attack, project
from training.attacks.sparse.losses import towards
from training.attacks.sparse.result import is_fooled

LEVEL = 1 / 255


@dataclass(frozen=True, kw_only=True)
class ShrinkConfig:
    """A dense change with an l1 penalty of its own, and no mask."""

    base: DenseConfig = field(default_factory=DenseConfig)
    steps: int = 150
    learning_rate: float = 0.02  # of Adam, as a share of the budget
    weight: float = 30.0  # of ||delta / budget||_1 / N

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 10_000:
            raise ValueError(f"steps: expected 1 to 10000, got {self.steps}")
        if not 0 < self.learning_rate <= 1:
            raise ValueError(f"learning_rate: expected 0 < learning_rate <= 1, got {self.learning_rate}")
        if not 0 <= self.weight <= 1e6:
            raise ValueError(f"weight: expected 0 to 1e6, got {self.weight}")


def random_mask(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: DenseConfig,
    share: float,
    *,
    generator: torch.Generator,
) -> Tensor:
    """The dense attack on a random `share` of the elements, the paper's being 0.264. Returns: adversarial images."""
    delta = dense_attack(network, images, labels, config, generator=generator).delta
    return images + torch.where(torch.rand(images.shape, generator=generator) < share, delta, 0)


def shrunk_delta(
    network: nn.Module, images: Tensor, labels: Tensor, config: ShrinkConfig, *, generator: torch.Generator
) -> Tensor:
    """Lower CE(f(x + delta), y*) + weight * ||delta / budget||_1 / N from the dense attack on.

    A subgradient leaves small changes about zero, so those under half a level are cut and the rest is checked again.
    Returns: adversarial images; for each the success with the fewest elements seen at every fifth step, else the last.
    """
    base = dense_attack(network, images, labels, config.base, generator=generator)
    budget = config.base.budget
    relative = (base.delta / budget).requires_grad_()
    optimiser = torch.optim.Adam([relative], lr=config.learning_rate)
    best, best_count = base.delta, (base.delta != 0).flatten(1).sum(1)
    for step in range(config.steps):
        loss = towards(network(images + relative * budget), base.answer)
        loss = loss + config.weight * relative.abs().flatten(1).mean(1)
        optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        optimiser.step()
        with torch.no_grad():
            relative.copy_(project(relative * budget, images, budget) / budget)
            if (step + 1) % 5 == 0 or step + 1 == config.steps:
                delta = relative * budget
                cut = torch.where(delta.abs() < LEVEL / 2, 0, delta)
                count = (cut != 0).flatten(1).sum(1)
                is_better = is_fooled(network, images + cut, labels) & (count < best_count)
                best = torch.where(is_better.view(-1, 1, 1, 1), cut, best)
                best_count = torch.where(is_better, count, best_count)
    return images + best
