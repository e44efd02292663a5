"""JSMA on linear networks whose most salient elements are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from training.attacks.sparse.jsma import JsmaConfig, jsma, most_salient

BOUND = 8 / 255


def two_classes(weights: list[float], offset: float) -> nn.Module:
    """Logits (offset - sum, sum) with the sum of weights * (element - 0.5): the second wins above offset / 2."""
    linear = nn.Linear(len(weights), 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[-w for w in weights], weights]))
        linear.bias.copy_(torch.tensor([offset + 0.5 * sum(weights), -0.5 * sum(weights)]))
    return nn.Sequential(nn.Flatten(), linear)


@pytest.fixture
def image() -> Tensor:
    return torch.full((1, 3, 1, 2), 0.5)


def attack(network: nn.Module, image: Tensor, **given: float) -> Tensor:
    config = JsmaConfig(**{"max_share": 1.0, **given})
    return jsma(network, image, torch.zeros(len(image), dtype=torch.int64), config)


def test_the_largest_derivatives_move_to_their_bounds_until_the_answer_changes(image):
    # 3 + 2 steps of the bound reach 4.5 of them; 3 alone does not.
    network = two_classes([1, -2, 3, 1, 0.5, 0.5], 9 * BOUND)
    change = attack(network, image) - image
    torch.testing.assert_close(change.flatten(), torch.tensor([0, -BOUND, BOUND, 0, 0, 0]))
    assert ((change != 0).sum()) == 2


def test_a_pair_is_taken_at_once(image):
    network = two_classes([1, -2, 3, 1, 0.5, 0.5], 1 * BOUND)  # one element would do
    change = attack(network, image, per_step=2) - image
    assert change.flatten().sign().tolist() == [0, -1, 1, 0, 0, 0]


def test_an_element_without_room_is_left_alone(image):
    image.view(-1)[2] = 1.0
    network = two_classes([1, -2, 3, 1, 0.5, 0.5], 2 * (1.5 + 1.5 * BOUND))
    change = attack(network, image) - image
    assert change.flatten().sign().tolist() == [0, -1, 0, 0, 0, 0]


def test_saliency_needs_the_other_classes_to_fall():
    gain, others = torch.tensor([[5.0, 1.0, 2.0]]), torch.tensor([[1.0, -1.0, -1.0]])
    index, salient = most_salient(gain, others, torch.ones(1, 3, dtype=torch.bool), JsmaConfig())
    assert index.item() == 2
    assert salient.item()
    # Pairs: (0, 1): sum of others 0; (0, 2): 0; (1, 2): 3 * 2.
    index, _ = most_salient(gain, others, torch.ones(1, 3, dtype=torch.bool), JsmaConfig(per_step=2))
    assert sorted(index[0].tolist()) == [1, 2]


@pytest.mark.parametrize("per_step", [1, 2])
def test_an_impossible_attack_returns_a_failure_within_its_share(image, per_step):
    network = two_classes([1] * 6, 1000.0)
    found = attack(network, image, per_step=per_step, max_share=0.7)
    assert network(found).argmax(1).item() == 0
    assert (found != image).sum() == 4
    assert (found - image).abs().max() <= BOUND + 1e-6


def test_an_image_that_is_answered_wrongly_already_is_returned_to_the_bit(image):
    assert torch.equal(attack(two_classes([1] * 6, -1.0), image), image)


def test_images_of_a_batch_do_not_touch_each_other(image):
    network = two_classes([1, -2, 3, 1, 0.5, 0.5], 9 * BOUND)
    other = torch.full_like(image, 0.4)
    both = attack(network, torch.cat([image, other]))
    assert torch.equal(both[:1], attack(network, image))
    assert torch.equal(both[1:], attack(network, other))


@pytest.mark.parametrize(
    ("field", "value"), [("budget_levels", math.nan), ("per_step", 3), ("max_share", 0), ("candidates", 1)]
)
def test_a_config_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        JsmaConfig(**{field: value})
