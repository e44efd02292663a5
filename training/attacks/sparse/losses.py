"""Attack losses of AutoAdversary, one number for each image; lower is closer to a success."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

AttackLoss = Literal["target", "balanced", "margin"]
LOSSES: tuple[AttackLoss, ...] = ("target", "balanced", "margin")


def towards(logits: Tensor, target: Tensor) -> Tensor:
    """The paper's attack loss: cross-entropy with the wrong label that is wanted."""
    return F.cross_entropy(logits, target, reduction="none")


def balanced(logits: Tensor, labels: Tensor, first_loss: Tensor, eta: float) -> Tensor:
    """The paper's loss for augmentation, brought to the scale of the mask's share.

    L_classify = 1 - CE(logits, label) / first_loss is 1 for a sure right answer and 0 where a dense attack first
    succeeded; max(L_classify, eta * L_classify) damps what is below.

    Args:
        first_loss: (N,), L_init, above zero.
        eta: 0 to 1.
    """
    classify = 1 - F.cross_entropy(logits, labels, reduction="none") / first_loss
    return torch.maximum(classify, eta * classify)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The best other logit minus the label's: above zero the network is fooled (Carlini and Wagner, f6)."""
    is_label = F.one_hot(labels, logits.shape[1]).bool()
    return logits.masked_fill(is_label, -torch.inf).amax(1) - logits[is_label]
