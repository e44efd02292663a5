"""The feature distance by hand, and that following it leads away from the original."""

from __future__ import annotations

import torch
from torch import nn

from training.objectives import FeatureDistance

ORIGINAL = torch.tensor([1.0, 2.0]).view(1, 1, 1, 2)


def test_distance_is_the_mean_square_by_hand() -> None:
    image = torch.tensor([2.0, 5.0]).view(1, 1, 1, 2).requires_grad_()
    loss = FeatureDistance(nn.Identity())(image, ORIGINAL)
    (gradient,) = torch.autograd.grad(loss, image)
    assert loss.item() == 5  # (1 + 9) / 2
    assert gradient.flatten().tolist() == [1, 3]  # away from the original


def test_distance_is_between_features_and_not_pixels() -> None:
    features = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(features.weight, 2.0)
    assert FeatureDistance(features)(ORIGINAL + 1, ORIGINAL).item() == 4


def test_distance_and_gradient_are_zero_at_the_original() -> None:
    image = ORIGINAL.clone().requires_grad_()
    loss = FeatureDistance(nn.Identity())(image, ORIGINAL)
    (gradient,) = torch.autograd.grad(loss, image)
    assert loss.item() == 0
    assert gradient.abs().max() == 0


def test_gradient_counts_the_image_and_not_the_original() -> None:
    image, original = ORIGINAL.clone().requires_grad_(), (ORIGINAL * 2).requires_grad_()
    loss = FeatureDistance(nn.Identity())(image, original)
    to_image, to_original = torch.autograd.grad(loss, (image, original))
    assert torch.equal(to_image, -to_original)
    assert to_image.flatten().tolist() == [-1, -2]
