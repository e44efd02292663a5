"""Pooling, and sums over axes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from export.errors import ExportError
from export.mil.operators.arguments import Arguments, Rule
from export.mil.operators.layers import pads_for_torch


def max_pool(given: Arguments) -> Tensor:
    """What is padded is minus infinity."""
    kernel, strides, pads = _window(given)
    return F.max_pool2d(F.pad(given.tensor("x"), pads, value=-math.inf), kernel, strides)


def avg_pool(given: Arguments) -> Tensor:
    """What is padded counts as zeros, or is left out of the mean."""
    kernel, strides, pads = _window(given)
    x = given.tensor("x")
    sums = F.avg_pool2d(F.pad(x, pads), kernel, strides, divisor_override=1)
    if not given.flag("exclude_padding_from_average", False):
        return sums / math.prod(kernel)
    return sums / F.avg_pool2d(F.pad(torch.ones_like(x), pads), kernel, strides, divisor_override=1)


def _window(given: Arguments) -> tuple[list[int], list[int], list[int]]:
    if given.flag("ceil_mode", False) or given.tensor("x").ndim != 4:
        raise ExportError("pooling: expected images and whole windows, found ceil_mode or other axes")
    kernel, strides = given.ints("kernel_sizes", ()), given.ints("strides", (1, 1))
    return kernel, strides, pads_for_torch(given)


def _over_axes(function: Callable[[Tensor, list[int], bool], Tensor]) -> Rule:
    def rule(given: Arguments) -> Tensor:
        x = given.tensor("x")
        axes = given.ints("axes", range(x.ndim)) if given.optional("axes") is not None else list(range(x.ndim))
        return function(x, axes, given.flag("keep_dims", False))

    return rule


RULES: dict[str, Rule] = {
    "avg_pool": avg_pool,
    "max_pool": max_pool,
    "reduce_log_sum_exp": _over_axes(torch.logsumexp),
    "reduce_max": _over_axes(torch.amax),
    "reduce_mean": _over_axes(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "reduce_min": _over_axes(torch.amin),
    "reduce_sum": _over_axes(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
}
