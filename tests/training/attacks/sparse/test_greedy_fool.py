"""GreedyFool on linear networks: what it adds, what it takes back."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from training.attacks.sparse.greedy_fool import GreedyFoolConfig, distortion_weight, greedy_fool

BOUND = 8 / 255


def two_classes(weights: list[float], offset: float) -> nn.Module:
    """Logits (offset, sum of weights * (element - 0.5))."""
    linear = nn.Linear(len(weights), 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[0.0] * len(weights), weights]))
        linear.bias.copy_(torch.tensor([offset, -0.5 * sum(weights)]))
    return nn.Sequential(nn.Flatten(), linear)


@pytest.fixture
def image() -> Tensor:
    return torch.full((1, 3, 1, 2), 0.5)


def attack(network: nn.Module, image: Tensor, **given: object) -> Tensor:
    return greedy_fool(network, image, torch.zeros(len(image), dtype=torch.int64), GreedyFoolConfig(**given))


def test_growing_moves_the_strongest_pixel_by_half_the_bound_in_proportion_to_its_gradient(image):
    # Columns are pixels: weights (4, 2, 1) in the first, 0.5 in the second. One step adds half the bound * 5.25.
    network = two_classes([4, 0.5, -2, 0.5, 1, 0.5], 5 * BOUND / 2)
    change = (attack(network, image, reduce_tries=0) - image).view(3, 2)
    torch.testing.assert_close(change[:, 0], BOUND / 2 * torch.tensor([1, -0.5, 0.25]))
    assert change[:, 1].tolist() == [0, 0, 0]


def test_reducing_takes_back_elements_that_are_not_needed(image):
    network = two_classes([4, 0.5, -2, 0.5, 1, 0.5], 3.9 * BOUND)  # the weight 4 alone suffices, at its bound
    grown = attack(network, image, unit="element", reduce_tries=0)
    reduced = attack(network, image, unit="element")
    assert (grown != image).sum() > 1
    assert (reduced - image).flatten().sign().tolist() == [1, 0, 0, 0, 0, 0]
    assert network(reduced).argmax(1).item() == 1


def test_reducing_ends_at_the_least_amplitude_that_fools(image):
    # All six elements are needed at 5 levels or more: 6 * 5 > 29 > 6 * 4 and 5 * 5 < 29 <= 5 * 8.
    network = two_classes([1] * 6, 29 / 255)
    change = (attack(network, image, unit="element") - image) * 255
    assert (change != 0).sum() == 4  # 4 * 8 > 29 > 3 * 8
    torch.testing.assert_close(change[change != 0], torch.full((4,), 8.0), atol=1e-3, rtol=0)


def test_an_impossible_attack_returns_a_failure(image):
    network = two_classes([1] * 6, 1000.0)
    found = attack(network, image, steps=5)
    assert network(found).argmax(1).item() == 0
    assert (found - image).abs().max() <= BOUND + 1e-6


def test_changes_stay_in_the_range():
    image = torch.tensor([0.0, 1.0, 0.01, 0.99, 0.5, 0.5]).view(1, 3, 1, 2)
    found = attack(two_classes([1, -1, 1, -1, 1, -1], -1.48 + 4 * BOUND), image, steps=50)
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found - image).abs().max() <= BOUND + 1e-6


@pytest.mark.parametrize("budget_levels", [0.5, 8, 200])
def test_any_bound_is_kept(image, budget_levels):
    network = two_classes([4, 0.5, -2, 0.5, 1, 0.5], 3 * budget_levels / 255)
    found = attack(network, image, budget_levels=budget_levels, steps=50)
    assert network(found).argmax(1).item() == 1
    assert (found - image).abs().max() <= budget_levels / 255 + 1e-6


def test_an_image_that_is_answered_wrongly_already_is_returned_to_the_bit(image):
    assert torch.equal(attack(two_classes([1] * 6, -1.0), image), image)


def test_contrast_carries_the_weight():
    image = torch.full((1, 3, 8, 8), 0.5)
    image[..., :4] = torch.rand(3, 8, 4, generator=torch.Generator().manual_seed(0))
    weight = distortion_weight(image)
    assert weight.shape == (1, 1, 8, 8)
    assert weight[..., 6:].max() == 0
    assert 0.2 < weight[..., :4].mean() <= 1


def test_weighted_growing_leaves_the_smooth_part_alone():
    image = torch.full((1, 3, 8, 8), 0.5)
    image[..., :4] = torch.rand(3, 8, 4, generator=torch.Generator().manual_seed(0))
    network = two_classes([1] * 192, (image - 0.5).sum().item() + 3 * BOUND)
    found = attack(network, image, distortion="variance")
    assert network(found).argmax(1).item() == 1
    assert torch.equal(found[..., 6:], image[..., 6:])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("budget_levels", math.nan),
        ("steps", 0),
        ("reduce_tries", -1),
        ("distortion", "map"),
        ("unit", "channel"),
    ],
)
def test_a_config_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        GreedyFoolConfig(**{field: value})
