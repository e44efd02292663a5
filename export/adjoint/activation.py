"""Adjoints of element-wise functions and of softmax.

A rule takes the forward node, the gradient of the loss with respect to the node's output, and the tape; it returns
the gradient with respect to each input, None where there is none.

The masks of ReLU, ReLU6 and hard sigmoid are written with Mul and HardSigmoid alone. ONNX Runtime keeps those two in
the blocked layout of its convolutions; comparisons and Where make it reorder every activation there and back.

With `tape.smooth` of steepness s, ReLU's is no step but sigmoid(s x), ReLU6's this times a line through
(6, 1/2) of the same slope, clip(1/2 + s (6 - x) / 4, 0, 1). The forward pass stays as it is. What such a gradient finds
deceives networks that it never met more often: a step passes on what this network's own kinks happen to let through
(Zhang et al. 2021, "Backpropagating smoothly improves transferability of adversarial examples"; measured in
docs/cloaks.md).
"""

from __future__ import annotations

import math

import onnx_ir as ir

from export.adjoint.tape import STEEP, SmoothGates, Tape, dims, integer, is_masked, number


def relu(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g where y > 0, else 0; smoothly, g sigmoid(s x)."""
    if tape.smooth is not None:
        x = node.inputs[0]
        assert x is not None
        return [tape.like("Mul", grad, _gate(tape, x, tape.smooth))]
    return [tape.like("Mul", grad, _is_positive(tape, node.outputs[0]))]


def clip(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """ReLU6: g where 0 < y < 6; smoothly, g sigmoid(s x) clip(1/2 + s (6 - x) / 4, 0, 1).

    Any other clip: g where low <= x <= high, as torch.clamp has it. The two conventions differ at the bounds alone; a
    clip to [0, 6] is taken for a ReLU6.
    """
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    if is_masked(node, 1.0 if tape.smooth is None else tape.smooth.scale):
        if tape.smooth is None:
            return [tape.like("Mul", grad, _is_between(tape, y, 6.0))]
        slope = tape.smooth.steepness / 4
        below_top = tape.like("HardSigmoid", x, alpha=-slope / tape.smooth.scale, beta=0.5 + 6 * slope)
        return [tape.like("Mul", grad, tape.like("Mul", _gate(tape, x, tape.smooth), below_top))]
    inside: ir.Value | None = None
    for bound, comparison in zip(node.inputs[1:], ("GreaterOrEqual", "LessOrEqual"), strict=False):
        if bound is not None:
            holds = tape.like(comparison, x, bound, dtype=ir.DataType.BOOL)
            inside = holds if inside is None else tape.like("And", inside, holds, dtype=ir.DataType.BOOL)
    return [grad if inside is None else _where(tape, inside, grad)]


def leaky_relu(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g where x > 0, else slope * g."""
    assert node.inputs[0] is not None
    slope = number(node, "alpha", 0.01)
    positive = _is_positive(tape, node.inputs[0])
    factor = tape.like("Add", tape.scale(positive, 1 - slope), tape.scalar(slope))
    return [tape.like("Mul", grad, factor)]


def prelu(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g where x > 0, else slope * g, with a slope a channel; the slope itself is a weight and gets none."""
    x, slope = node.inputs
    assert x is not None
    assert slope is not None
    positive = tape.like("Greater", x, tape.scalar(0), dtype=ir.DataType.BOOL)
    return [tape.op("Where", positive, grad, tape.like("Mul", grad, slope), shape=dims(x)), None]


def elu(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g where x > 0, else g * (y + alpha)."""
    y = node.outputs[0]
    slope = tape.like("Add", y, tape.scalar(number(node, "alpha", 1.0)))
    positive = tape.like("Greater", y, tape.scalar(0), dtype=ir.DataType.BOOL)
    return [tape.op("Where", positive, grad, tape.like("Mul", grad, slope), shape=dims(y))]


def hard_sigmoid(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """slope * g where 0 < y < 1."""
    inside = _is_between(tape, node.outputs[0], 1.0)
    return [tape.like("Mul", grad, tape.scale(inside, number(node, "alpha", 0.2)))]


def hard_swish(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """y = x h with h = clip(x / 6 + 1/2, 0, 1): g * (h + x / 6 where 0 < h < 1)."""
    x = node.inputs[0]
    assert x is not None
    gate = tape.like("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    ramp = tape.like("Mul", tape.scale(x, 1 / 6), _is_between(tape, gate, 1.0))
    return [tape.like("Mul", grad, tape.like("Add", gate, ramp))]


def sigmoid(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * y * (1 - y)."""
    y = node.outputs[0]
    complement = tape.op("Sub", tape.scalar(1), y, shape=dims(y))
    return [tape.like("Mul", grad, tape.like("Mul", y, complement))]


def tanh(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * (1 - y^2)."""
    y = node.outputs[0]
    return [tape.like("Mul", grad, tape.op("Sub", tape.scalar(1), tape.like("Mul", y, y), shape=dims(y)))]


def softplus(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * sigmoid(x)."""
    assert node.inputs[0] is not None
    return [tape.like("Mul", grad, tape.like("Sigmoid", node.inputs[0]))]


def mish(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """y = x t with t = tanh(softplus(x)): g * (t + x * (1 - t^2) * sigmoid(x))."""
    x = node.inputs[0]
    assert x is not None
    t = tape.like("Tanh", tape.like("Softplus", x))
    rest = tape.op("Sub", tape.scalar(1), tape.like("Mul", t, t), shape=dims(x))
    slope = tape.like("Mul", tape.like("Mul", x, rest), tape.like("Sigmoid", x))
    return [tape.like("Mul", grad, tape.like("Add", t, slope))]


def erf(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * 2 / sqrt(pi) * exp(-x^2); GELU is made of this, Mul and Add."""
    x = node.inputs[0]
    assert x is not None
    bell = tape.like("Exp", tape.like("Neg", tape.like("Mul", x, x)))
    return [tape.like("Mul", grad, tape.scale(bell, 2 / math.sqrt(math.pi)))]


def softmax(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """y * (g - sum(g * y)), the sum along the softmax's axis."""
    y = node.outputs[0]
    axis = integer(node, "axis", -1)
    mean = tape.sum(tape.like("Mul", grad, y), [axis])
    return [tape.like("Mul", y, tape.like("Sub", grad, mean))]


def log_softmax(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g - softmax(x) * sum(g), the sum along the softmax's axis."""
    y = node.outputs[0]
    total = tape.sum(grad, [integer(node, "axis", -1)])
    return [tape.like("Sub", grad, tape.like("Mul", tape.like("Exp", y), total))]


def _is_positive(tape: Tape, value: ir.Value) -> ir.Value:
    """1 where value > 0, else 0, as floats."""
    return tape.like("HardSigmoid", value, alpha=STEEP, beta=0.0)


def _gate(tape: Tape, value: ir.Value, smooth: SmoothGates) -> ir.Value:
    return tape.like("Sigmoid", tape.scale(value, smooth.steepness / smooth.scale))


def _is_between(tape: Tape, value: ir.Value, top: float) -> ir.Value:
    """1 where 0 < value < top, else 0, for a value that lies in [0, top]: its product with (1 - value / top) > 0."""
    to_top = tape.like("HardSigmoid", value, alpha=-1 / top, beta=1.0)
    return _is_positive(tape, tape.like("Mul", value, to_top))


def _where(tape: Tape, condition: ir.Value, grad: ir.Value) -> ir.Value:
    return tape.op("Where", condition, grad, tape.scalar(0), shape=dims(grad))


RULES = {
    "Relu": relu,
    "Clip": clip,
    "LeakyRelu": leaky_relu,
    "PRelu": prelu,
    "Elu": elu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish,
    "Sigmoid": sigmoid,
    "Tanh": tanh,
    "Softplus": softplus,
    "Mish": mish,
    "Erf": erf,
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
}
