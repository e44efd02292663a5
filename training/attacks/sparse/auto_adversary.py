"""AutoAdversary: a dense attack and a mask that prunes it, learnt together.

Li, Liu, Zhao, Shen, arXiv:2203.09756. A branch network reads the change delta and gives a mask
m = sigmoid(alpha * Enc(delta)); delta and the encoder together lower L = attack loss + weight * ||m||_1 / N, while
alpha grows until m is binary. Images are (N, 3, H, W) float32 in [0, 1]; a level is 1/255 of that range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from training.attacks.sparse.dense import DenseConfig, DenseResult, advance, dense_attack
from training.attacks.sparse.encoder import KINDS, EncoderKind, build_encoder, parameter_groups
from training.attacks.sparse.losses import LOSSES, AttackLoss, balanced, margin, towards
from training.attacks.sparse.result import SparseResult, is_fooled


@dataclass(frozen=True, kw_only=True)
class AutoAdversaryConfig:
    """The paper gives none of these numbers; docs/sparse.md records how they were found."""

    base: DenseConfig = field(default_factory=DenseConfig)  # the dense attack that comes first
    steps: int = 150  # of delta and mask together
    stride: float = 0.05  # of delta in those steps, as a share of the budget
    encoder: EncoderKind = "linear"
    width: int = 32
    learning_rate: float = 0.02  # of Adam, for the encoder
    weight: float = 30.0  # lambda, of the mask's share
    adapt: float = 1.0  # factor by which each image's lambda grows while it is fooled, and falls twice as fast else
    alpha_first: float = 1.0
    alpha_last: float = 100.0
    loss: AttackLoss = "target"
    eta: float = 0.1  # of the balanced loss, below zero
    check_every: int = 5  # steps between two looks at the mask cut at 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 10_000:
            raise ValueError(f"steps: expected 1 to 10000, got {self.steps}")
        if not 0 <= self.stride <= 1:
            raise ValueError(f"stride: expected 0 to 1, got {self.stride}")
        if self.encoder not in KINDS:
            raise ValueError(f"encoder: expected one of {', '.join(KINDS)}, got {self.encoder!r}")
        if not 1 <= self.width <= 1024:
            raise ValueError(f"width: expected 1 to 1024, got {self.width}")
        if not 0 < self.learning_rate <= 1:
            raise ValueError(f"learning_rate: expected 0 < learning_rate <= 1, got {self.learning_rate}")
        if not 0 <= self.weight <= 1e6:
            raise ValueError(f"weight: expected 0 to 1e6, got {self.weight}")
        if not 1 <= self.adapt <= 2:
            raise ValueError(f"adapt: expected 1 to 2, got {self.adapt}")
        if not 0 < self.alpha_first <= self.alpha_last <= 1e6:
            raise ValueError(
                f"alpha_first: expected 0 < alpha_first <= alpha_last <= 1e6, got {self.alpha_first}, {self.alpha_last}"
            )
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta: expected 0 to 1, got {self.eta}")
        if not 1 <= self.check_every:
            raise ValueError(f"check_every: expected 1 or more, got {self.check_every}")


def auto_adversary(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: AutoAdversaryConfig,
    *,
    generator: torch.Generator,
    on_step: Callable[[int], None] | None = None,
) -> SparseResult:
    """Prune a dense attack on each image of a batch; the images do not influence one another.

    Args:
        labels: (N,) int64, what the network should no longer answer.
        on_step: called with the number of steps done.
    Returns: for each image the success with the fewest changed elements that was seen, its mask cut at 0.5 and
        checked again; the dense attack counts as one. Where none was seen, the dense attack with every element.
    """
    base = dense_attack(network, images, labels, config.base, generator=generator)
    best = _Best(network, images, labels, base.delta)
    encoder = build_encoder(
        config.encoder, len(images), tuple(images.shape[1:]), width=config.width, generator=generator
    )
    optimiser = torch.optim.Adam(parameter_groups(encoder, config.learning_rate))
    joint = DenseConfig(
        rule=config.base.rule,
        budget_levels=config.base.budget_levels,
        stride=config.stride or 1.0,
        decay=config.base.decay,
    )
    delta, velocity = base.delta, torch.zeros_like(images)
    weight = torch.full((len(images),), config.weight)
    for step in range(config.steps):
        delta = delta.detach().requires_grad_()
        mask = torch.sigmoid(alpha_at(step, config) * encoder(delta / joint.budget))
        logits = network(images + delta * mask)
        share = mask.flatten(1).mean(1)
        loss = attack_loss(logits, labels, base, config) + weight * share
        optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        gradient = delta.grad
        assert gradient is not None
        if (step + 1) % config.check_every == 0 or step + 1 == config.steps:
            best.offer(delta.detach(), mask.detach() > 0.5)
        optimiser.step()
        if config.adapt > 1:
            is_wrong = logits.detach().argmax(1) != labels
            weight = torch.where(is_wrong, weight * config.adapt, weight / config.adapt**2)
        if config.stride > 0:
            delta, velocity = advance(delta.detach(), -gradient, velocity, images, joint)
        if on_step:
            on_step(step + 1)
    return best.result()


def alpha_at(step: int, config: AutoAdversaryConfig) -> float:
    """How sharp the mask is at a step from 0: alpha_first growing by a constant factor to alpha_last at the last."""
    share = step / (config.steps - 1) if config.steps > 1 else 1.0
    return config.alpha_first * (config.alpha_last / config.alpha_first) ** share


def attack_loss(logits: Tensor, labels: Tensor, base: DenseResult, config: AutoAdversaryConfig) -> Tensor:
    """(N,): the loss the config names; the wanted label of the paper's is the one the dense attack leads to."""
    if config.loss == "target":
        return towards(logits, base.answer)
    if config.loss == "balanced":
        return balanced(logits, labels, base.first_loss, config.eta)
    return -margin(logits, labels).clamp(max=0.1)


class _Best:
    """For each image the sparsest success so far."""

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor, delta: Tensor) -> None:
        self._network, self._images, self._labels = network, images, labels
        self._delta = delta.clone()
        self._count = torch.full((len(images),), delta[0].numel() + 1)
        self.offer(delta, torch.ones_like(delta, dtype=torch.bool))

    def offer(self, delta: Tensor, mask: Tensor) -> None:
        cut = torch.where(mask, delta, 0)
        count = (cut != 0).flatten(1).sum(1)
        candidates = (count < self._count).nonzero().flatten()  # only these are worth a look by the network
        if not len(candidates):
            return
        adversarial = self._images[candidates] + cut[candidates]
        kept = candidates[is_fooled(self._network, adversarial, self._labels[candidates])]
        self._delta[kept] = cut[kept]
        self._count[kept] = count[kept]

    def result(self) -> SparseResult:
        adversarial = (self._images + self._delta).clamp(0, 1)
        return SparseResult(adversarial=adversarial, mask=self._delta != 0)
