"""JSMA under an linf bound, untargeted: the most salient element, or pair, moves to its bound until the answer changes.

Papernot et al., "The Limitations of Deep Learning in Adversarial Settings", EuroS&P 2016, arXiv:1511.07528. The
original leads to a class that is given and moves elements one way across the whole range. The adaptation: the class
aimed at is the most likely one other than the label, looked up anew at each step; an element moves up or down,
whichever raises that class, to its bound and no further; derivatives are multiplied by the room that the element has,
so that an element next to black or white is not taken for nothing. No element moves twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class JsmaConfig:
    """`max_share` is the paper's Upsilon: .145 there, with moves over the whole range; small moves need more."""

    budget_levels: float = 8.0  # linf bound in 8-bit levels
    per_step: int = 1  # elements moved at a step: 1, or 2 as in the paper's pairs
    max_share: float = 0.5  # of all elements that may change
    candidates: int = 128  # elements from which a pair is chosen; all pairs of a photo would not fit in memory

    def __post_init__(self) -> None:
        if not 0 < self.budget_levels <= 255:
            raise ValueError(f"budget_levels: expected 0 < x <= 255, got {self.budget_levels}")
        if self.per_step not in (1, 2):
            raise ValueError(f"per_step: expected 1 or 2, got {self.per_step}")
        if not 0 < self.max_share <= 1:
            raise ValueError(f"max_share: expected 0 < x <= 1, got {self.max_share}")
        if not 2 <= self.candidates <= 4096:
            raise ValueError(f"candidates: expected 2 to 4096, got {self.candidates}")


def jsma(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: JsmaConfig | None = None,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Move salient elements to their bounds, one step at a time, until the network no longer answers the label.

    Args:
        images: (N, 3, H, W) float32 in [0, 1].
        labels: (N,) int64, the answers to lead away from.
        generator: unused, nothing is drawn; all rivals are called alike.
    Returns: like images; where the share was used up or no element was salient, the last attempt, which fails.
    """
    config = config or JsmaConfig()
    bound = config.budget_levels / 255
    clean = images.flatten(1)
    low, high = (clean - bound).clamp(min=0), (clean + bound).clamp(max=1)
    moved = clean.clone()
    free = torch.ones_like(clean, dtype=torch.bool)
    active = torch.arange(len(images), device=images.device)
    for _ in range(math.floor(config.max_share * clean.shape[1]) // config.per_step):
        towards, others, fooled = _derivatives(network, moved[active].view(-1, *images.shape[1:]), labels[active])
        active, towards, others = active[~fooled], towards[~fooled], others[~fooled]
        if not len(active):
            break
        goal = torch.where(towards > 0, high[active], low[active])
        room = goal - clean[active]  # has the sign of `towards`, so gain >= 0
        chosen, salient = most_salient(towards * room, others * room, free[active], config)
        active, chosen, goal = active[salient], chosen[salient], goal[salient]
        moved[active] = moved[active].scatter(1, chosen, goal.gather(1, chosen))
        free[active] = free[active].scatter(1, chosen, False)
    return moved.view_as(images)


def most_salient(gain: Tensor, others: Tensor, free: Tensor, config: JsmaConfig) -> tuple[Tensor, Tensor]:
    """Choose by the saliency map, equation (8) of the paper, or by its pairs, algorithm 3.

    S = gain * |others| where gain > 0 and others < 0, else 0; for a pair both are sums over its two elements.

    Args:
        gain, others: (n, E), what the element's move adds to the class aimed at and to the sum of all others.
        free: (n, E), elements that may be chosen.
    Returns: (n, per_step) int64 indices, and (n,) whether their saliency is above 0.
    """
    if config.per_step == 1:
        score = torch.where(free & (gain > 0) & (others < 0), -gain * others, 0.0)
        value, index = score.max(1)
        return index[:, None], value > 0
    usable = torch.where(free, gain - others, -math.inf)
    near = usable.topk(min(config.candidates, usable.shape[1]), 1).indices
    gain, others, free = gain.gather(1, near), others.gather(1, near), free.gather(1, near)
    gain, others = gain[:, :, None] + gain[:, None], others[:, :, None] + others[:, None]
    allowed = free[:, :, None] & free[:, None] & ~torch.eye(near.shape[1], dtype=torch.bool, device=near.device)
    score = torch.where(allowed & (gain > 0) & (others < 0), -gain * others, 0.0)
    value, index = score.flatten(1).max(1)
    pair = torch.stack([index // near.shape[1], index % near.shape[1]], 1)
    return near.gather(1, pair), value > 0


def _derivatives(network: nn.Module, pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(n, E) gradients of the logit of the class aimed at and of the sum of all others, (n,) whether fooled already."""
    pictures = pictures.detach().requires_grad_()
    logits = network(pictures)
    is_label = F.one_hot(labels, logits.shape[1]).bool()
    aimed = logits.detach().masked_fill(is_label, -math.inf).argmax(1)
    wanted = logits.gather(1, aimed[:, None]).sum()
    (towards,) = torch.autograd.grad(wanted, pictures, retain_graph=True)
    (others,) = torch.autograd.grad(logits.sum() - wanted, pictures)
    return towards.flatten(1), others.flatten(1), logits.detach().argmax(1) != labels
