"""Operators that work element by element."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from export.errors import ExportError
from export.mil.operators.arguments import Arguments, Rule


def _of_x(function: Callable[[Tensor], Tensor]) -> Rule:
    return lambda given: function(given.tensor("x"))


def _of_both(function: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    return lambda given: function(given.tensor("x"), given.tensor("y"))


def cast(given: Arguments) -> Tensor:
    kinds = {"fp16": given.width, "fp32": given.width, "int32": torch.int64, "bool": torch.bool}
    if (wanted := given.text("dtype", "fp32")) not in kinds:
        raise ExportError(f"cast: expected one of {', '.join(kinds)}, found {wanted}")
    return given.tensor("x").to(kinds[wanted])  # rounding to float16 is for whoever asked for it


def clip(given: Arguments) -> Tensor:
    return given.tensor("x").clamp(given.number("alpha", 0), given.number("beta", 0))


def log(given: Arguments) -> Tensor:
    return (given.tensor("x") + given.number("epsilon", 1e-45)).log()


def rsqrt(given: Arguments) -> Tensor:
    return (given.tensor("x") + given.number("epsilon", 1e-12)).rsqrt()


def inverse(given: Arguments) -> Tensor:
    return (given.tensor("x") + given.number("epsilon", 1e-4)).reciprocal()


def leaky_relu(given: Arguments) -> Tensor:
    return F.leaky_relu(given.tensor("x"), given.number("alpha", 0.01))


def sigmoid_hard(given: Arguments) -> Tensor:
    return (given.tensor("x") * given.number("alpha", 0.2) + given.number("beta", 0.5)).clamp(0, 1)


def linear_activation(given: Arguments) -> Tensor:
    return given.tensor("x") * given.number("alpha", 1) + given.number("beta", 0)


def gelu(given: Arguments) -> Tensor:
    mode = given.text("mode", "EXACT")
    if mode == "SIGMOID_APPROXIMATION":
        return given.tensor("x") * torch.sigmoid(1.702 * given.tensor("x"))
    return F.gelu(given.tensor("x"), approximate="none" if mode == "EXACT" else "tanh")


def select(given: Arguments) -> Tensor:
    return torch.where(given.tensor("cond"), given.tensor("a"), given.tensor("b"))


def real_div(given: Arguments) -> Tensor:
    """Of whole numbers a whole one, rounded towards zero."""
    x, y = given.tensor("x"), given.tensor("y")
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "ceil": torch.ceil,
    "erf": torch.erf,
    "exp": torch.exp,
    "floor": torch.floor,
    "identity": torch.clone,
    "logical_not": torch.logical_not,
    "relu": torch.relu,
    "relu6": F.relu6,
    "round": torch.round,
    "sigmoid": torch.sigmoid,
    "sign": torch.sign,
    "silu": F.silu,
    "softplus": F.softplus,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tanh": torch.tanh,
}
_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "equal": torch.eq,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mul": torch.mul,
    "not_equal": torch.ne,
    "pow": torch.pow,
    "sub": torch.sub,
}
RULES: dict[str, Rule] = {
    **{name: _of_x(function) for name, function in _UNARY.items()},
    **{name: _of_both(function) for name, function in _BINARY.items()},
    "cast": cast,
    "clip": clip,
    "gelu": gelu,
    "inverse": inverse,
    "leaky_relu": leaky_relu,
    "linear_activation": linear_activation,
    "log": log,
    "real_div": real_div,
    "rsqrt": rsqrt,
    "select": select,
    "sigmoid_hard": sigmoid_hard,
}
