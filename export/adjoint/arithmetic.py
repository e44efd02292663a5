"""Adjoints of arithmetic and of reductions; where an input was broadcast, its gradient is summed back."""

from __future__ import annotations

import onnx_ir as ir

from export.adjoint.tape import STEEP, Tape, constant_array, dims, elements, integer, ints, is_zero, require_constant
from export.errors import ExportError


def add(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g for every input (Add and Sum)."""
    return [_unbroadcast(tape, grad, value) for value in node.inputs]


def subtract(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g and -g."""
    first, second = node.inputs
    return [
        _unbroadcast(tape, grad, first),
        None if _is_constant(second) else _unbroadcast(tape, tape.like("Neg", grad), second),
    ]


def multiply(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * b and g * a."""
    first, second = node.inputs
    assert first is not None
    assert second is not None
    return [
        None if _is_constant(value) else _unbroadcast(tape, tape.like("Mul", grad, other), value)
        for value, other in ((first, second), (second, first))
    ]


def divide(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g / b and -g * y / b."""
    first, second = node.inputs
    assert second is not None
    quotient = tape.like("Div", grad, second)
    gradients: list[ir.Value | None] = [_unbroadcast(tape, quotient, first), None]
    if not _is_constant(second):
        gradients[1] = _unbroadcast(tape, tape.like("Neg", tape.like("Mul", quotient, node.outputs[0])), second)
    return gradients


def negate(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """-g."""
    return [tape.like("Neg", grad)]


def power(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * n * x^(n - 1) for an exponent n that is one number known at export."""
    x = node.inputs[0]
    assert x is not None
    exponent = require_constant(node.inputs[1], node, "exponent")
    if exponent.size != 1:
        raise ExportError(f"Pow ({node.name}): expected one exponent, found shape {exponent.shape}; use one number")
    n = float(exponent.reshape(()))
    slope = tape.like("Pow", x, tape.scalar(n - 1)) if n != 2 else x
    return [tape.like("Mul", grad, tape.scale(slope, n)), None]


def square_root(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g / (2 y)."""
    return [tape.like("Div", grad, tape.scale(node.outputs[0], 2))]


def exponential(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * y."""
    return [tape.like("Mul", grad, node.outputs[0])]


def logarithm(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g / x."""
    assert node.inputs[0] is not None
    return [tape.like("Div", grad, node.inputs[0])]


def reciprocal(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """-g * y^2."""
    y = node.outputs[0]
    return [tape.like("Neg", tape.like("Mul", grad, tape.like("Mul", y, y)))]


def absolute(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * sign(x), 0 at 0."""
    assert node.inputs[0] is not None
    return [tape.like("Mul", grad, tape.like("Sign", node.inputs[0]))]


def where(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g to the input that was chosen, 0 to the other; none to the condition."""
    condition, chosen, other = node.inputs
    assert condition is not None
    zero, shape = tape.scalar(0), dims(grad)
    to_chosen = tape.op("Where", condition, grad, zero, shape=shape)
    to_other = tape.op("Where", condition, zero, grad, shape=shape)
    return [None, _unbroadcast(tape, to_chosen, chosen), _unbroadcast(tape, to_other, other)]


def extreme(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g to the larger (smaller) of two inputs, half each where they are equal, as torch.maximum has it.

    Beside a constant all of it where they are equal, as torch.clamp has it with one bound.
    """
    if len(node.inputs) != 2:
        raise ExportError(f"{node.op_type} ({node.name}): expected two inputs, found {len(node.inputs)}; nest them")
    gradients: list[ir.Value | None] = []
    for value, other in (node.inputs, node.inputs[::-1]):
        assert value is not None
        assert other is not None
        if _is_constant(value):
            gradients.append(None)
            continue
        if is_zero(other) and dims(value) == dims(grad):  # a ReLU by another name, or its mirror image
            steep = STEEP if node.op_type == "Max" else -STEEP
            gate = tape.like("HardSigmoid", value, alpha=steep, beta=1.0)  # 1 at 0, where a ReLU's is 0
            gradients.append(tape.like("Mul", grad, gate))
            continue
        wins = tape.op("Equal", value, node.outputs[0], shape=dims(grad), dtype=ir.DataType.BOOL)
        share = tape.op("Where", wins, grad, tape.scalar(0), shape=dims(grad))
        if not _is_constant(other):
            ties = tape.op("Equal", value, other, shape=dims(grad), dtype=ir.DataType.BOOL)
            share = tape.op("Where", ties, tape.scale(grad, 0.5), share, shape=dims(grad))
        gradients.append(_unbroadcast(tape, share, value))
    return gradients


def reduce_sum(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g, repeated along the summed axes."""
    return [_repeat(node, grad, tape), None]


def reduce_mean(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g / n, repeated along the n averaged elements."""
    assert node.inputs[0] is not None
    count = elements(dims(node.inputs[0])) // elements(dims(node.outputs[0]))
    return [_repeat(node, tape.scale(grad, 1 / count), tape), None]


def reduce_extreme(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g to the largest (smallest) element, shared evenly where several are equal, as torch.amax has it."""
    x = node.inputs[0]
    assert x is not None
    best = _keep_axes(node, node.outputs[0], tape)
    is_best = tape.like("Equal", x, best, dtype=ir.DataType.BOOL)
    share = tape.like("Cast", is_best, to=int(ir.DataType.from_numpy(tape.dtype)))
    ties = tape.sum(share, _reduced_axes(node))
    return [tape.like("Mul", share, tape.like("Div", _keep_axes(node, grad, tape), ties)), None]


def reduce_l2(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * x / y."""
    x = node.inputs[0]
    assert x is not None
    ratio = tape.like("Div", grad, node.outputs[0])
    return [tape.like("Mul", x, _keep_axes(node, ratio, tape)), None]


def reduce_l1(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * sign(x)."""
    assert node.inputs[0] is not None
    return [tape.like("Mul", tape.like("Sign", node.inputs[0]), _keep_axes(node, grad, tape)), None]


def reduce_sum_square(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * 2 x."""
    assert node.inputs[0] is not None
    return [tape.like("Mul", tape.scale(node.inputs[0], 2), _keep_axes(node, grad, tape)), None]


def reduce_log_sum_exp(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * exp(x - y)."""
    x = node.inputs[0]
    assert x is not None
    share = tape.like("Exp", tape.like("Sub", x, _keep_axes(node, node.outputs[0], tape)))
    return [tape.like("Mul", share, _keep_axes(node, grad, tape)), None]


def _unbroadcast(tape: Tape, grad: ir.Value, value: ir.Value | None) -> ir.Value | None:
    """Sum the gradient over the axes along which `value` was repeated."""
    if value is None or _is_constant(value):
        return None
    target, size = dims(value), dims(grad)
    if target == size:
        return grad
    padded = (1,) * (len(size) - len(target)) + target
    repeated = [axis for axis, (full, own) in enumerate(zip(size, padded, strict=True)) if own == 1 and full != 1]
    return tape.reshape(tape.sum(grad, repeated), target)


def _is_constant(value: ir.Value | None) -> bool:
    return value is None or value.const_value is not None


def _reduced_axes(node: ir.Node) -> list[int]:
    assert node.inputs[0] is not None
    rank = len(dims(node.inputs[0]))
    axes = constant_array(node.inputs[1]) if len(node.inputs) > 1 else None
    listed = [int(axis) for axis in axes] if axes is not None else list(ints(node, "axes", ()))
    if not listed:
        return [] if integer(node, "noop_with_empty_axes", 0) else list(range(rank))
    return sorted(axis % rank for axis in listed)


def _keep_axes(node: ir.Node, value: ir.Value, tape: Tape) -> ir.Value:
    """A value of the reduction's output shape, with the reduced axes put back at length 1."""
    assert node.inputs[0] is not None
    axes = _reduced_axes(node)
    return tape.reshape(value, (1 if axis in axes else size for axis, size in enumerate(dims(node.inputs[0]))))


def _repeat(node: ir.Node, grad: ir.Value, tape: Tape) -> ir.Value:
    assert node.inputs[0] is not None
    return tape.expand(_keep_axes(node, grad, tape), dims(node.inputs[0]))


RULES = {
    "Add": add,
    "Sum": add,
    "Sub": subtract,
    "Mul": multiply,
    "Div": divide,
    "Neg": negate,
    "Pow": power,
    "Sqrt": square_root,
    "Exp": exponential,
    "Log": logarithm,
    "Reciprocal": reciprocal,
    "Abs": absolute,
    "Where": where,
    "Max": extreme,
    "Min": extreme,
    "ReduceSum": reduce_sum,
    "ReduceMean": reduce_mean,
    "ReduceMax": reduce_extreme,
    "ReduceMin": reduce_extreme,
    "ReduceL1": reduce_l1,
    "ReduceL2": reduce_l2,
    "ReduceSumSquare": reduce_sum_square,
    "ReduceLogSumExp": reduce_log_sum_exp,
}
