"""An objective that needs no label: move the features of the image away from what they were."""

from __future__ import annotations

from torch import Tensor, nn


class FeatureDistance(nn.Module):
    """Mean squared distance between the features of `image` and those of `original`.

    Both are inputs, (1, 3, S, S) in [0, 1]. At `image == original` the distance and its gradient are zero, so the first
    step has to start from a random change (as PGD does, Madry et al., arXiv:1706.06083).

    Args:
        features: image -> features of any shape.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, image: Tensor, original: Tensor) -> Tensor:
        return (self.features(image) - self.features(original)).square().mean()
