"""Dense base attacks by hand, on networks whose gradient is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.attacks.sparse.dense import (
    DenseConfig,
    advance,
    dense_attack,
    project,
    runner_up,
    strongest_pixels,
)


def pixels(*values: float) -> Tensor:
    """(1, 3, 1, 1): one pixel."""
    return torch.tensor(values).view(1, 3, 1, 1)


def test_a_step_of_mi_fgsm_divides_the_gradient_by_its_l1_norm_before_it_is_added():
    config = DenseConfig(rule="mi_fgsm", budget_levels=51, stride=0.5)  # 0.2 of the range, steps of 0.1
    delta, velocity = advance(pixels(0, 0, 0), pixels(3, -1, 0), pixels(-1, 0, 0), pixels(0.5, 0.5, 0.5), config)
    torch.testing.assert_close(velocity, pixels(-0.25, -0.25, 0))  # -1 + 3/4, -1/4
    torch.testing.assert_close(delta, pixels(-0.1, -0.1, 0))


@pytest.mark.parametrize("rule", ["i_fgsm", "pgd"])
def test_i_fgsm_and_pgd_follow_the_sign_of_this_gradient_alone(rule):
    config = DenseConfig(rule=rule, budget_levels=51, stride=0.5)
    delta, velocity = advance(pixels(0.15, 0, 0), pixels(3, -1, 0), pixels(-1, 0, 0), pixels(0.5, 0.5, 0.5), config)
    torch.testing.assert_close(delta, pixels(0.2, -0.1, 0))  # 0.25 is beyond the bound
    assert torch.equal(velocity, pixels(-1, 0, 0))


def test_a_change_stays_in_the_bound_and_the_picture_in_its_range():
    found = project(pixels(0.3, -0.3, 0.3), pixels(0.5, 0.1, 0.95), 0.2)
    torch.testing.assert_close(found, pixels(0.2, -0.1, 0.05))


def test_the_loss_is_noted_when_the_network_is_first_wrong():
    network = nn.Flatten()  # logits are the pixel's channels
    image, label = pixels(0.5, 0.45, 0.1), torch.tensor([0])
    config = DenseConfig(rule="i_fgsm", steps=3, budget_levels=25.5, stride=0.4)  # steps of 0.04
    result = dense_attack(network, image, label, config, generator=torch.Generator())
    torch.testing.assert_close(result.delta, pixels(-0.1, 0.1, 0.1))
    first = torch.tensor([[0.46, 0.49, 0.14]])  # after one step
    torch.testing.assert_close(result.first_loss, nn.functional.cross_entropy(first, label, reduction="none"))
    assert result.answer.tolist() == [1]


def test_pgd_begins_with_a_random_change_that_the_generator_decides():
    network, label = nn.Flatten(), torch.tensor([0])
    config = DenseConfig(rule="pgd", steps=1, budget_levels=8, stride=0.01)

    def run(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return dense_attack(network, pixels(0.9, 0.5, 0.1), label, config, generator=generator).delta

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert run(1).abs().max() <= 8 / 255 + 1e-7


def test_the_runner_up_is_the_best_class_beside_the_label():
    assert runner_up(torch.tensor([[3.0, 1, 2], [1, 2, 3]]), torch.tensor([0, 0])).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("field", "value"),
    [("rule", "fgsm"), ("steps", 0), ("budget_levels", 0), ("budget_levels", 256), ("stride", 0), ("decay", 2)],
)
def test_a_config_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        DenseConfig(**{field: value})


class Weighted(nn.Module):
    """Two logits: 0 and the sum of the picture times fixed weights; the gradient of the loss is along the weights."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, images: Tensor) -> Tensor:
        value = (images * self.weights).flatten(1).sum(1)
        return torch.stack([torch.zeros_like(value), value], 1)


@pytest.mark.parametrize("steps", [1, 4])
def test_the_strongest_pixels_are_those_of_the_largest_gradient_over_all_channels(steps):
    weights = torch.zeros(3, 2, 3)
    weights[:, 0, 1] = torch.tensor([1.0, -1.0, 1.0])  # 3 together
    weights[1, 1, 2] = -2.5
    weights[0, 0, 0] = 1.2
    images, labels = torch.full((2, 3, 2, 3), 0.5), torch.tensor([0, 1])
    found = strongest_pixels(Weighted(weights), images, labels, 2, DenseConfig(steps=steps))
    wanted = torch.tensor([[False, True, False], [False, False, True]])
    assert torch.equal(found, wanted.expand(2, 1, 2, 3))


def test_the_strongest_pixels_are_at_most_all_of_them():
    images = torch.rand((1, 3, 2, 2), generator=torch.Generator().manual_seed(0))
    found = strongest_pixels(Weighted(torch.ones(3, 2, 2)), images, torch.tensor([0]), 64, DenseConfig(steps=1))
    assert found.all()
    assert found.shape == (1, 1, 2, 2)


@pytest.mark.parametrize(("count", "rule", "field"), [(0, "mi_fgsm", "count"), (1, "i_fgsm", "rule")])
def test_the_strongest_pixels_need_a_number_and_a_velocity(count, rule, field):
    with pytest.raises(ValueError, match=field):
        strongest_pixels(
            Weighted(torch.ones(3, 1, 1)), pixels(0, 0, 0), torch.tensor([0]), count, DenseConfig(rule=rule)
        )
