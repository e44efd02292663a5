"""Operators that work element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from export.adjoint.tape import constant_array, integer, number
from export.coreml.translate import Rule, Translation

_STEP = 1e20  # a hard sigmoid as steep as this is a step, which is what export.adjoint means by it


def _unary(name: str) -> Rule:
    return lambda node, to: getattr(to.mb, name)(x=to[node.inputs[0]])


def _binary(name: str) -> Rule:
    return lambda node, to: getattr(to.mb, name)(x=to[node.inputs[0]], y=to[node.inputs[1]])


def identity(node: ir.Node, to: Translation) -> Any:
    return to[node.inputs[0]]


def cast(node: ir.Node, to: Translation) -> Any:
    """To float32, int32 or bool, whatever the width in ONNX."""
    wanted = ir.DataType(integer(node, "to", 1))
    name = "bool" if wanted == ir.DataType.BOOL else "fp32" if wanted.is_floating_point() else "int32"
    return to.mb.cast(x=to[node.inputs[0]], dtype=name)


def negative(node: ir.Node, to: Translation) -> Any:
    return to.mb.mul(x=to[node.inputs[0]], y=np.float32(-1))


def reciprocal(node: ir.Node, to: Translation) -> Any:
    return to.mb.real_div(x=np.float32(1), y=to[node.inputs[0]])


def logarithm(node: ir.Node, to: Translation) -> Any:
    """Without the small number that MIL adds by itself."""
    return to.mb.log(x=to[node.inputs[0]], epsilon=np.float32(0))


def clip(node: ir.Node, to: Translation) -> Any:
    """Either bound may be missing."""
    x = to[node.inputs[0]]
    low, high = (_bound(node, index) for index in (1, 2))
    if (low, high) == (0.0, 6.0):
        return to.mb.relu6(x=x)
    if low is not None and high is not None:
        return to.mb.clip(x=x, alpha=np.float32(low), beta=np.float32(high))
    if low is not None:
        return to.mb.relu(x=x) if low == 0 else to.mb.maximum(x=x, y=np.float32(low))
    return x if high is None else to.mb.minimum(x=x, y=np.float32(high))


def hard_sigmoid(node: ir.Node, to: Translation) -> Any:
    """clip(alpha x + beta, 0, 1), as alpha (x + beta / alpha): in float16 it is then 0 and 1 where it has to be.

    One that is a step is made of the sign of a ReLU: float16 has no number as large as its alpha. At 0 it has beta.
    """
    alpha, beta = number(node, "alpha", 0.2), number(node, "beta", 0.5)
    x = to[node.inputs[0]]
    if abs(alpha) >= _STEP and beta in (0, 1):
        above = (alpha > 0) == (beta == 0)  # what it has to be told of: numbers above 0, or those below
        beyond = to.mb.sign(x=to.mb.relu(x=x if above else to.mb.mul(x=x, y=np.float32(-1))))
        return beyond if beta == 0 else to.mb.sub(x=np.float32(1), y=beyond)
    moved = to.mb.add(x=x, y=np.float32(beta / alpha)) if beta else x
    return to.mb.clip(x=to.mb.mul(x=moved, y=np.float32(alpha)), alpha=np.float32(0), beta=np.float32(1))


def hard_swish(node: ir.Node, to: Translation) -> Any:
    """x ReLU6(x + 3) / 6."""
    x = to[node.inputs[0]]
    ramp = to.mb.relu6(x=to.mb.add(x=x, y=np.float32(3)))
    return to.mb.mul(x=x, y=to.mb.mul(x=ramp, y=np.float32(1 / 6)))


def leaky_relu(node: ir.Node, to: Translation) -> Any:
    return to.mb.leaky_relu(x=to[node.inputs[0]], alpha=np.float32(number(node, "alpha", 0.01)))


def where(node: ir.Node, to: Translation) -> Any:
    condition, a, b = (to[value] for value in node.inputs)
    return to.mb.select(cond=condition, a=a, b=b)


def _bound(node: ir.Node, index: int) -> float | None:
    array = constant_array(node.inputs[index]) if len(node.inputs) > index else None
    return None if array is None else float(array)


_UNARY = {
    "Abs": "abs",
    "Erf": "erf",
    "Exp": "exp",
    "Not": "logical_not",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Softplus": "softplus",
    "Sqrt": "sqrt",
    "Tanh": "tanh",
}
_BINARY = {
    "Add": "add",
    "And": "logical_and",
    "Div": "real_div",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Max": "maximum",
    "Min": "minimum",
    "Mul": "mul",
    "Or": "logical_or",
    "Pow": "pow",
    "Sub": "sub",
}
_OWN: dict[str, Callable[[ir.Node, Translation], Any]] = {
    "Cast": cast,
    "Clip": clip,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish,
    "Identity": identity,
    "LeakyRelu": leaky_relu,
    "Log": logarithm,
    "Neg": negative,
    "Reciprocal": reciprocal,
    "Where": where,
}
RULES: dict[str, Rule] = {
    **{name: _unary(mil) for name, mil in _UNARY.items()},
    **{name: _binary(mil) for name, mil in _BINARY.items()},
    **_OWN,
}
