"""PGD-l0+linf: the projection by hand, and the search for k on a linear network."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from training.attacks.sparse.pgd_l0 import PgdL0Config, pgd_l0_linf, project

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


def attack(network: nn.Module, image: Tensor, seed: int = 0, **given: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.zeros(len(image), dtype=torch.int64)
    return pgd_l0_linf(network, image, labels, PgdL0Config(**given), generator=generator)


def test_projection_keeps_what_saves_most_and_clips_it():
    # Saved: 9 - 4 = 5, 4 - 1 = 3, 0.25 - 0, 4 - 2.25 (low is -0.5) = 1.75, 0, 0.
    change = torch.tensor([3.0, -2.0, 0.5, -2.0, 0.0, 0.0]).view(1, 3, 1, 2)
    low = torch.tensor([-1.0, -1, -1, -0.5, -1, -1]).view(1, 3, 1, 2)
    found = project(change, torch.tensor([3]), low, torch.ones_like(low))
    assert found.flatten().tolist() == [1.0, -1.0, 0.0, -0.5, 0.0, 0.0]


def test_projection_onto_pixels_sums_their_channels():
    # Two pixels: channels (1, 1, 1) save 3, channels (0, 0, 1.2) save 1.44 - 0.04.
    change = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 1.2]]).view(1, 3, 1, 2)
    ones = torch.ones_like(change)
    found = project(change, torch.tensor([1]), -ones, ones, "pixel")
    assert found.flatten().tolist() == [1, 0, 1, 0, 1, 0]


def test_projection_takes_each_images_own_k():
    change = torch.tensor([0.3, 0.2, 0.1, 0, 0, 0]).view(1, 3, 1, 2).repeat(3, 1, 1, 1)
    ones = torch.ones_like(change)
    assert (project(change, torch.tensor([0, 1, 3]), -ones, ones) != 0).flatten(1).sum(1).tolist() == [0, 1, 3]


def test_the_search_finds_the_smallest_k(image):
    # 3 + 2 steps of the bound reach 4.5 of them, no other two do. A stride of 1 can keep the first elements it drew:
    # one at its bound saves more than one that starts from 0, even where that one counts twice as much.
    network = two_classes([1, -2, 3, 1, 0.5, 0.5], 4.5 * BOUND)
    change = attack(network, image, steps=30, stride=4) - image
    assert change.flatten().sign().tolist() == [0, -1, 1, 0, 0, 0]


def test_an_impossible_attack_returns_a_failure(image):
    network = two_classes([1] * 6, 1000.0)
    found = attack(network, image, restarts=2)
    assert network(found).argmax(1).item() == 0
    assert (found - image).abs().max() <= BOUND + 1e-6


def test_one_generator_seed_gives_one_answer(image):
    network = two_classes([1, 1, 1, 1, 1, 1], 2.2 * BOUND)
    assert torch.equal(attack(network, image, seed=3), attack(network, image, seed=3))
    assert not torch.equal(attack(network, image, seed=3), attack(network, image, seed=4))


def test_changes_stay_in_the_range():
    image = torch.tensor([0.0, 1.0, 0.01, 0.99, 0.5, 0.5]).view(1, 3, 1, 2)
    found = attack(two_classes([1, -1, 1, -1, 1, -1], -1.48 + 4 * BOUND), image)
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found - image).abs().max() <= BOUND + 1e-6


def test_an_image_that_is_answered_wrongly_already_is_returned_to_the_bit(image):
    assert torch.equal(attack(two_classes([1] * 6, -1.0), image), image)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("budget_levels", math.nan),
        ("steps", 0),
        ("restarts", 0),
        ("rounds", 65),
        ("stride", math.inf),
        ("unit", "channel"),
    ],
)
def test_a_config_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        PgdL0Config(**{field: value})
