"""Objectives with a label, by hand on a network whose logits are the pixels: following the gradient raises the loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from training.objectives import AwayFromLabel, MarginBelowRunnerUp, TowardsLabel

LOGITS = (0.0, math.log(3), math.log(4))  # probabilities 1/8, 3/8, 4/8


def _loss_and_gradient(build: Callable[[nn.Module], nn.Module], label: int) -> tuple[float, list[float]]:
    image = torch.tensor(LOGITS).view(1, 3, 1, 1).requires_grad_()
    loss, logits = build(nn.Flatten())(image, torch.tensor([label]))
    assert torch.equal(logits, image.flatten(1))
    assert loss.shape == ()
    (gradient,) = torch.autograd.grad(loss, image)
    return loss.item(), gradient.flatten().tolist()


def test_away_from_label_is_cross_entropy_by_hand() -> None:
    loss, gradient = _loss_and_gradient(AwayFromLabel, 2)
    assert loss == pytest.approx(math.log(2))
    assert gradient == pytest.approx([1 / 8, 3 / 8, -1 / 2], rel=1e-5)  # softmax minus one-hot: away from the label


def test_towards_label_is_minus_cross_entropy_by_hand() -> None:
    loss, gradient = _loss_and_gradient(TowardsLabel, 0)
    assert loss == pytest.approx(-math.log(8))
    assert gradient == pytest.approx([7 / 8, -3 / 8, -1 / 2], rel=1e-5)  # towards the label


def test_margin_is_the_best_other_logit_minus_the_labels_by_hand() -> None:
    loss, gradient = _loss_and_gradient(MarginBelowRunnerUp, 2)
    assert loss == pytest.approx(math.log(3) - math.log(4), rel=1e-5)
    assert gradient == [0, 1, -1]


def test_margin_is_above_zero_once_the_network_is_fooled() -> None:
    loss, gradient = _loss_and_gradient(MarginBelowRunnerUp, 1)
    assert loss == pytest.approx(math.log(4) - math.log(3), rel=1e-5)
    assert gradient == [0, -1, 1]


def test_margin_keeps_its_gradient_where_cross_entropy_has_none() -> None:
    image = torch.tensor([500.0, 0.0, -5.0]).view(1, 3, 1, 1).requires_grad_()
    gradients: list[Tensor] = []
    for build in (AwayFromLabel, MarginBelowRunnerUp):
        loss, _ = build(nn.Flatten())(image, torch.tensor([0]))
        gradients += torch.autograd.grad(loss, image)
    assert gradients[0].abs().max() == 0
    assert gradients[1].flatten().tolist() == [-1, 1, 0]


@pytest.mark.parametrize("build", [AwayFromLabel, TowardsLabel, MarginBelowRunnerUp])
def test_a_step_along_the_gradient_raises_the_loss(build: Callable[[nn.Module], nn.Module]) -> None:
    torch.manual_seed(0)
    objective = build(nn.Sequential(nn.Flatten(), nn.Linear(27, 8), nn.Tanh(), nn.Linear(8, 4)))
    image, label = torch.rand(1, 3, 3, 3, requires_grad=True), torch.tensor([1])
    loss, _ = objective(image, label)
    (gradient,) = torch.autograd.grad(loss, image)
    assert objective(image + 0.01 * gradient, label)[0] > loss
    assert objective(image - 0.01 * gradient, label)[0] < loss
