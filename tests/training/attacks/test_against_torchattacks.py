"""FGSM, BIM and MI-FGSM of the core beside torchattacks, on one small network: the same signs after every step.

torchattacks divides MI-FGSM's gradient by its mean magnitude where the paper, and the core, divide by its sum. The two
velocities differ by one constant factor, the number of elements, from the first step to the last, so their signs agree
for every decay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_app.core.step import StepConfig, momentum, take_step

torchattacks = pytest.importorskip("torchattacks", reason="needs torchattacks, which `make test` installs")

BUDGET = 8 / 255
STRIDE = 0.25  # of the budget: alpha = 2 / 255
STEPS = 6


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.SiLU(), nn.Conv2d(8, 8, 3), nn.SiLU(), nn.Flatten(), nn.Linear(8 * 25, 10)
    ).eval()


@pytest.fixture
def image() -> Tensor:
    """With a black and a white corner, where the range cuts steps off."""
    image = torch.rand(1, 3, 15, 15, generator=torch.Generator().manual_seed(2))
    image[..., :4, :4], image[..., -4:, -4:] = 0, 1
    return image


def test_fgsm_moves_as_torchattacks_does(network: nn.Module, image: Tensor) -> None:
    label = network(image).argmax(1)
    wanted = torchattacks.FGSM(network, eps=BUDGET)(image, label) - image
    (delta,) = _follow(network, image, label, StepConfig(rule="fgsm", steps=1))
    _assert_same(delta, wanted)


@pytest.mark.parametrize("steps", range(1, STEPS + 1))
def test_bim_moves_as_torchattacks_does_at_every_step(network: nn.Module, image: Tensor, steps: int) -> None:
    label = network(image).argmax(1)
    *_, delta = _follow(network, image, label, StepConfig(rule="bim", steps=steps, stride=STRIDE))
    for attack in (
        torchattacks.BIM(network, eps=BUDGET, alpha=STRIDE * BUDGET, steps=steps),
        torchattacks.PGD(network, eps=BUDGET, alpha=STRIDE * BUDGET, steps=steps, random_start=False),
    ):
        _assert_same(delta, attack(image, label) - image)


@pytest.mark.parametrize("decay", [1.0, 0.5])
@pytest.mark.parametrize("steps", range(1, STEPS + 1))
def test_mi_fgsm_moves_as_torchattacks_does_at_every_step(
    network: nn.Module, image: Tensor, steps: int, decay: float
) -> None:
    label = network(image).argmax(1)
    attack = torchattacks.MIFGSM(network, eps=BUDGET, alpha=STRIDE * BUDGET, steps=steps, decay=decay)
    *_, delta = _follow(network, image, label, StepConfig(rule="mi_fgsm", steps=steps, stride=STRIDE, decay=decay))
    _assert_same(delta, attack(image, label) - image)


def test_accumulated_signs_in_place_of_gradients_would_be_found(network: nn.Module, image: Tensor) -> None:
    label = network(image).argmax(1)
    attack = torchattacks.MIFGSM(network, eps=BUDGET, alpha=STRIDE * BUDGET, steps=STEPS, decay=1.0)
    *_, delta = _follow(
        network, image, label, StepConfig(rule="mi_fgsm", steps=STEPS, stride=STRIDE, decay=1.0), of_gradient=np.sign
    )
    with pytest.raises(AssertionError):
        _assert_same(delta, attack(image, label) - image)


def test_two_steps_of_mi_fgsm_by_hand() -> None:
    config = StepConfig(rule="mi_fgsm", steps=2, budget_levels=8, stride=0.25, decay=0.5)
    image, bound = _array(0.5, 0.5, 0.5), np.full((1, 1, 1, 3), BUDGET, np.float32)
    delta, velocity = np.zeros_like(image), np.zeros_like(image)
    delta, velocity = take_step(delta, _array(3, -1, 0), velocity, image=image, bound=bound, config=config)
    assert velocity.flatten().tolist() == [0.75, -0.25, 0]
    assert (delta.flatten() * 255).tolist() == pytest.approx([2, -2, 0])
    # 0.5 * (0.75, -0.25, 0) + (-1, 1, 2) / 4: the first pixel goes on although its gradient turned, the second turns
    delta, velocity = take_step(delta, _array(-1, 1, 2), velocity, image=image, bound=bound, config=config)
    assert velocity.flatten().tolist() == [0.125, 0.125, 0.5]
    assert (delta.flatten() * 255).tolist() == pytest.approx([4, 0, 2], abs=1e-5)


def test_velocity_is_that_of_torchattacks_divided_by_the_number_of_elements() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = np.zeros((1, 3, 5, 5), np.float32), np.zeros((1, 3, 5, 5), np.float32)
    for _ in range(3):
        grad = rng.normal(size=ours.shape).astype(np.float32)
        ours = momentum(ours, grad, 0.9)
        theirs = grad / np.abs(grad).mean() + theirs * np.float32(0.9)
    np.testing.assert_allclose(ours * 75, theirs, rtol=1e-4, atol=1e-5)


def _follow(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    config: StepConfig,
    of_gradient: Callable[[np.ndarray], np.ndarray] = lambda grad: grad,
) -> list[np.ndarray]:
    """The perturbation after each step of the core, with torch's gradient of the cross-entropy."""
    pixels = image.numpy()
    bound = np.full((1, 1, *pixels.shape[2:]), config.budget_levels / 255, np.float32)
    delta, velocity = np.zeros_like(pixels), np.zeros_like(pixels)
    deltas = []
    for _ in range(config.steps):
        moved = torch.from_numpy(pixels + delta).requires_grad_()
        (grad,) = torch.autograd.grad(F.cross_entropy(network(moved), label), moved)
        delta, velocity = take_step(
            delta, of_gradient(grad.numpy()), velocity, image=pixels, bound=bound, config=config
        )
        deltas.append(delta)
    return deltas


def _assert_same(delta: np.ndarray, wanted: Tensor) -> None:
    assert np.abs(delta).max() > 0.9 * STRIDE * BUDGET
    np.testing.assert_allclose(delta, wanted.numpy(), atol=1e-6)
    settled = np.abs(delta) > 1e-6
    assert np.array_equal(np.sign(delta[settled]), np.sign(wanted.numpy()[settled]))


def _array(*pixels: float) -> np.ndarray:
    return np.array(pixels, np.float32).reshape(1, 1, 1, -1)
