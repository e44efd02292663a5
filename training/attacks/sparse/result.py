"""What a sparse attack hands back, and what counts as a success."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseResult:
    """Pictures after the attack, and which of their elements (pixel and channel) it may have changed."""

    adversarial: Tensor  # (N, 3, H, W) float32 in [0, 1]
    mask: Tensor  # like adversarial, bool


def is_fooled(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """(N,) bool: whether the network's first answer is another class than `labels`, (N,) int64."""
    with torch.no_grad():
        return network(images).argmax(1) != labels
