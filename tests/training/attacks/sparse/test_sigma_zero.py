"""sigma-zero on linear networks whose smallest answer is known, and beside adv-lib."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from training.attacks.sparse.sigma_zero import SigmaZeroConfig, sigma_zero
from training.torchvision_shim import ensure_torchvision

BOUND = 8 / 255


def two_classes(weights: list[float], offset: float) -> nn.Module:
    """Logits (offset, sum of weights * element): the second wins when the sum exceeds the offset."""
    linear = nn.Linear(len(weights), 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[0.0] * len(weights), weights]))
        linear.bias.copy_(torch.tensor([offset, 0.0]))
    return nn.Sequential(nn.Flatten(), linear)


@pytest.fixture
def image() -> Tensor:
    return torch.full((1, 3, 1, 2), 0.5)


def attack(network: nn.Module, image: Tensor, **given: float) -> Tensor:
    config = SigmaZeroConfig(**{"steps": 200, **given})
    return sigma_zero(network, image, torch.zeros(len(image), dtype=torch.int64), config)


def test_the_one_element_that_suffices_is_the_one_changed(image):
    # Weights sum to 8: 4 at 0.5. The offset is half of what the weight 5 can add within the bound.
    network = two_classes([1, 0.5, 5, 0.5, 0.5, 0.5], 4 + 2.5 * BOUND)
    found = attack(network, image)
    assert (found != image).flatten().tolist() == [False, False, True, False, False, False]
    assert network(found).argmax(1).item() == 1


def test_two_elements_are_changed_where_no_one_suffices_and_one_goes_down(image):
    network = two_classes([0.1, 4, 0.1, -4, 0.1, 0.1], 0.2 + 6 * BOUND)
    change = attack(network, image) - image
    assert (change.flatten().sign()).tolist() == [0, 1, 0, -1, 0, 0]


def test_changes_stay_in_the_bound_and_in_the_range(image):
    image = torch.tensor([0.0, 1.0, 0.01, 0.99, 0.5, 0.5]).view(1, 3, 1, 2)
    network = two_classes([1, -1, 1, -1, 1, -1], -0.98 + 5 * BOUND)
    found = attack(network, image)
    assert (found - image).abs().max() <= BOUND + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1


def test_an_impossible_attack_returns_a_failure(image):
    network = two_classes([1] * 6, 1000.0)
    found = attack(network, image)
    assert torch.isfinite(found).all()
    assert (found - image).abs().max() <= BOUND + 1e-6
    assert network(found).argmax(1).item() == 0


def test_an_image_that_is_answered_wrongly_already_is_returned_to_the_bit(image):
    assert torch.equal(attack(two_classes([1] * 6, -1.0), image), image)


def test_images_of_a_batch_do_not_touch_each_other(image):
    network = two_classes([1, 0.5, 5, 0.5, 0.5, 0.5], 4 + 2.5 * BOUND)
    other = torch.full_like(image, 0.49)
    torch.testing.assert_close(attack(network, torch.cat([image, other]))[:1], attack(network, image))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("budget_levels", 0),
        ("budget_levels", math.nan),
        ("steps", 0),
        ("rate", 0),
        ("sigma", math.inf),
        ("threshold", 1.5),
        ("threshold_factor", -0.1),
        ("unit", "level"),
    ],
)
def test_a_config_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        SigmaZeroConfig(**{field: value})


def test_without_a_bound_it_is_adv_libs():
    ensure_torchvision()  # adv-lib imports it
    reference = pytest.importorskip("adv_lib.attacks.sigma_zero", reason="needs adv-lib and visdom").sigma_zero
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.Tanh(), nn.Linear(8, 3))
    random = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random)
    images = torch.rand(4, 3, 4, 4, generator=random)
    labels = network(images).argmax(1)
    wanted = reference(network, images, labels, num_steps=60)
    found = sigma_zero(network, images, labels, SigmaZeroConfig(budget_levels=255, steps=60))
    assert (wanted != images).any()
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
