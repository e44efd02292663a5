"""A module in, the same module with a smoother gradient out: the masks of ReLU and ReLU6 become sigmoids.

    with SmoothMasks(2.0):
        loss, _ = objective(image, label)
    loss.backward()

What is computed stays as it is; only what flows back is changed. A ReLU passes all or nothing of a gradient, and which
it is hangs on kinks that no other network shares. Sigmoids in their place give directions that deceive networks which
the gradient never met more often: Zhang et al. 2021, "Backpropagating smoothly improves transferability of adversarial
examples", CVPR workshops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_RELU = (F.relu, torch.relu, Tensor.relu)


class SmoothMasks(TorchFunctionMode):
    """While it is entered, dy/dx of ReLU is sigmoid(s x), and of ReLU6 that times an upper gate.

    That gate is the line through (6, 1/2) with a sigmoid's slope, clip(1/2 + s (6 - x) / 4, 0, 1): it deceives as many
    networks as a second sigmoid, and a phone computes it sooner (docs/gradient-graphs.md).

    Args:
        steepness: s; the exact masks are its limit. Raises: ValueError unless it is above 0.
    """

    def __init__(self, steepness: float) -> None:
        super().__init__()
        if not steepness > 0:
            raise ValueError(f"steepness: expected more than 0, got {steepness}")
        self.steepness = steepness

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _RELU:
            return _SmoothRelu.apply(args[0], self.steepness)
        if func is F.relu6 or (func is F.hardtanh and _is_relu6(**(kwargs or {}))):  # nn.ReLU6 is a hardtanh
            return _SmoothRelu6.apply(args[0], self.steepness)
        return func(*args, **(kwargs or {}))


def _is_relu6(min_val: float = -1.0, max_val: float = 1.0, **_others: object) -> bool:
    return (min_val, max_val) == (0, 6)


class _SmoothRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, steepness: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.steepness = steepness
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grads[0] * torch.sigmoid(ctx.steepness * x), None


class _SmoothRelu6(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, steepness: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.steepness = steepness
        return x.clamp(0, 6)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        below_top = (0.5 + ctx.steepness / 4 * (6 - x)).clamp(0, 1)
        gates = torch.sigmoid(ctx.steepness * x) * below_top
        return grads[0] * gates, None
