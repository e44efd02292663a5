"""SmoothMasks: slopes worked out by hand, a forward pass that stays, and exact masks in the limit."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.objectives.smooth import SmoothMasks

RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x * 1, inplace=True),
    "torch.relu": torch.relu,
    "method": lambda x: x.relu(),
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": lambda x: nn.ReLU(inplace=True)(x * 1),
}
RELU6S: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu6": F.relu6,
    "nn.ReLU6": nn.ReLU6(),
    "nn.ReLU6 in place": lambda x: nn.ReLU6(inplace=True)(x * 1),
    "F.hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
}
POINTS = (-3.0, -0.5, 0.0, 0.5, 3.0, 6.0, 7.0)


def slopes(function: Callable[[Tensor], Tensor], steepness: float | None) -> tuple[list[float], list[float]]:
    """(values, derivatives) at POINTS."""
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    if steepness is None:
        y = function(x)
    else:
        with SmoothMasks(steepness):
            y = function(x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    return y.tolist(), grad.tolist()


def gate(x: float) -> float:
    return 1 / (1 + math.exp(-2 * x))


def below_six(x: float) -> float:
    """The line of slope -2 / 4 through (6, 1/2), between 0 and 1."""
    return min(max(0.5 + (6 - x) / 2, 0.0), 1.0)


@pytest.mark.parametrize("name", RELUS)
def test_the_slope_of_a_relu_is_a_sigmoid_and_its_value_stays(name: str) -> None:
    values, found = slopes(RELUS[name], 2.0)
    assert values == [max(0.0, x) for x in POINTS]
    assert found == pytest.approx([gate(x) for x in POINTS])
    assert found[2] == 0.5  # at 0


@pytest.mark.parametrize("name", RELU6S)
def test_the_slope_of_a_relu6_is_a_sigmoid_that_ends_in_a_line_and_its_value_stays(name: str) -> None:
    values, found = slopes(RELU6S[name], 2.0)
    assert values == [min(max(0.0, x), 6.0) for x in POINTS]
    assert found == pytest.approx([gate(x) * below_six(x) for x in POINTS])
    assert found[2] == 0.5  # at 0
    assert found[5] == pytest.approx(0.5 / (1 + math.exp(-12)))  # at 6
    assert found[6] == 0  # at 7, where the line has ended


@pytest.mark.parametrize("name", [*RELUS, *RELU6S])
def test_exact_masks_are_the_limit(name: str) -> None:
    function = {**RELUS, **RELU6S}[name]
    exact, smooth = slopes(function, None)[1], slopes(function, 1e3)[1]
    away_from_kinks = [i for i, x in enumerate(POINTS) if x not in (0.0, 6.0)]
    assert [smooth[i] for i in away_from_kinks] == pytest.approx([exact[i] for i in away_from_kinks], abs=1e-9)


@pytest.mark.parametrize(
    "function", [F.leaky_relu, F.hardtanh, torch.sigmoid, F.hardswish, F.max_pool1d, lambda x: x.clamp(-1, 2)]
)
def test_everything_else_is_left_alone(function) -> None:
    def called(x: Tensor) -> Tensor:
        return function(x[None], 2)[0] if function is F.max_pool1d else function(x)

    assert slopes(called, 2.0) == slopes(called, None)


def test_a_chain_multiplies_the_smooth_slopes() -> None:
    # y = relu(3 relu(x) - 1) at x = 1: 3 s(2 * 2) s(2 * 1), where both masks of the exact gradient are 1.
    x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    with SmoothMasks(2.0):
        y = F.relu(3 * F.relu(x) - 1)
    (grad,) = torch.autograd.grad(y, x)
    assert float(grad) == pytest.approx(3 * gate(2) * gate(1))


def test_masks_are_smooth_inside_alone() -> None:
    x = torch.zeros(1, requires_grad=True)
    with SmoothMasks(2.0):
        inside = F.relu(x)
    outside = F.relu(x)
    assert float(torch.autograd.grad(inside, x)[0]) == 0.5  # wherever backward is called
    assert float(torch.autograd.grad(outside, x)[0]) == 0.0


def test_weights_get_a_smooth_gradient_too() -> None:
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(-1.0)
        layer.bias.zero_()
    with SmoothMasks(1.0):
        F.relu(layer(torch.ones(1, 1))).sum().backward()
    assert layer.weight.grad is not None
    assert float(layer.weight.grad) == pytest.approx(1 / (1 + math.e))  # sigmoid(-1), where the exact mask is closed


@pytest.mark.parametrize("steepness", [0, -2.0, math.nan])
def test_a_steepness_that_is_not_above_zero_is_refused(steepness: float) -> None:
    with pytest.raises(ValueError, match="steepness: expected more than 0"):
        SmoothMasks(steepness)
