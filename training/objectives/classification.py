"""Objectives that know what the recogniser should no longer, or from now on, see."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AwayFromLabel(nn.Module):
    """Cross-entropy with the label that the network gives: raising it leads away from that label.

    The untargeted loss of FGSM (Goodfellow et al., arXiv:1412.6572).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(image)
        return F.cross_entropy(logits, label), logits


class TowardsLabel(nn.Module):
    """Minus the cross-entropy with a label that is wanted: raising it leads towards that label."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(image)
        return -F.cross_entropy(logits, label), logits


class MarginBelowRunnerUp(nn.Module):
    """The best other logit minus the label's: above zero the network is fooled.

    The loss of Carlini and Wagner (arXiv:1608.04644), equation f6 without its floor; unlike cross-entropy it keeps its
    gradient where the network is certain.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(image)
        is_label = F.one_hot(label, logits.shape[1]).to(logits.dtype)
        of_label = (logits * is_label).sum(1)
        runner_up = torch.amax(logits - is_label * _BEYOND_ANY_LOGIT, 1)
        return (runner_up - of_label).sum(), logits


_BEYOND_ANY_LOGIT = 1e4
