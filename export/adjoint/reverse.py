"""The reverse sweep: a graph with a scalar loss in, the same graph with the gradient of that loss appended out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from export.adjoint import activation, arithmetic, convolution, linear, losses, pooling, shaping
from export.adjoint.tape import SmoothGates, Tape, dims, origin
from export.errors import ExportError

Rule = Callable[[ir.Node, ir.Value, Tape], list[ir.Value | None]]
RULES: dict[str, Rule] = {
    **activation.RULES,
    **arithmetic.RULES,
    **convolution.RULES,
    **linear.RULES,
    **losses.RULES,
    **pooling.RULES,
    **shaping.RULES,
}
# Piecewise constant, or whole numbers and truth values: their derivative is zero wherever it exists.
ZERO_DERIVATIVE = frozenset(
    "And ArgMax ArgMin Ceil Equal Floor Greater GreaterOrEqual Less LessOrEqual Not OneHot Or Round Shape Sign".split()
)


def append_gradient(graph: ir.Graph, loss: ir.Value, wrt: ir.Value, smooth: SmoothGates | None = None) -> ir.Value:
    """Append dloss/dwrt to `graph` and return it; following it raises the loss.

    Args:
        graph: operators in topological order, every shape static.
        loss: a scalar value of the graph.
        wrt: an input of the graph, float32 or float64.
        smooth: the masks of ReLU and ReLU6; None for the exact gradient.
    Raises:
        ExportError: for an operator without a rule, a loss that is no scalar, or one that does not depend on `wrt`.
    """
    if any(size != 1 for size in dims(loss)):
        raise ExportError(f"output {loss.name}: expected a scalar loss, found shape {dims(loss)}; sum or average it")
    assert wrt.dtype is not None
    tape = Tape(graph, np.dtype(wrt.dtype.numpy()), smooth)
    forward = list(graph)
    reached = _depending_on(wrt, forward)
    gradients = {loss: tape.constant(np.ones(dims(loss), tape.dtype))}
    for node in reversed(forward):
        received = [gradients.get(output) for output in node.outputs]
        if all(grad is None for grad in received) or not any(output in reached for output in node.outputs):
            continue
        for value, grad in zip(node.inputs, _apply_rule(node, received, tape), strict=False):
            if value is not None and grad is not None and value in reached:
                gradients[value] = tape.like("Add", gradients[value], grad) if value in gradients else grad
    if wrt not in gradients:
        raise ExportError(
            f"the loss does not depend on `{wrt.name}`: its gradient is zero or was frozen into a constant; look for "
            ".detach(), .item(), .numpy(), torch.no_grad() or rounding between the image and the loss"
        )
    return gradients[wrt]


def _depending_on(wrt: ir.Value, nodes: list[ir.Node]) -> set[ir.Value]:
    """The float values that `wrt` reaches through operators with a derivative."""
    reached = {wrt}
    for node in nodes:
        if node.op_type not in ZERO_DERIVATIVE and any(value in reached for value in node.inputs):
            reached.update(
                output for output in node.outputs if output.dtype is None or output.dtype.is_floating_point()
            )
    return reached


def _apply_rule(node: ir.Node, received: list[ir.Value | None], tape: Tape) -> list[ir.Value | None]:
    if node.domain:
        raise ExportError(f"{node.domain}.{node.op_type} ({node.name}): expected a standard ONNX operator; {_REMEDY}")
    if node.op_type == "Split":
        return shaping.split(node, received, tape)
    if node.op_type not in RULES:
        raise ExportError(f"{node.op_type} ({origin(node)}): there is no adjoint rule for this operator; {_REMEDY}")
    assert received[0] is not None
    return RULES[node.op_type](node, received[0], tape)


_REMEDY = "replace it in the module, or add a rule in export/adjoint"
