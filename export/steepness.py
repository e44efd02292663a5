"""The steepness of smooth masks folded into a network, so that the masks need no factor of their own.

The mask sigmoid(s x) of an activation x asks for a product with a constant before the sigmoid, and for that ONNX
Runtime takes each activation out of the blocked layout of its convolutions and puts it back: a quarter of a gradient's
time. A network whose pre-activations are all s times as large computes the same answers, and its masks are sigmoid(x).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from export.adjoint.tape import SmoothGates, Tape, constant_array, is_masked, is_zero

_PASS_ON = {
    "AveragePool", "Flatten", "GlobalAveragePool", "Identity", "MaxPool", "ReduceMean", "ReduceSum", "Relu", "Reshape",
    "Slice", "SpaceToDepth", "Split", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
_PASS_ON_IF_ALL_HAVE_IT = {"Add", "Concat", "Max", "Sub", "Sum"}


def fold_in(graph: ir.Graph, steepness: float, dtype: np.dtype) -> SmoothGates:
    """Make all pre-activations `steepness` times as large: biases, bounds of clips, and kernels that read plain values.

    What passes no factor on is given what it was given before, and so are the outputs: they stay, rounding aside. A
    network with a ReLU that this would not reach is left as it is.

    Args:
        dtype: of the image.
    Returns: the gates that the backward pass of this graph has to be written with.
    """
    plan = _plan(graph)
    if plan is None:
        return SmoothGates(steepness)
    for node, position in plan.larger:
        node.replace_input_with(position, _times(graph, node.inputs[position], steepness))
    tape = Tape(graph, dtype)
    plain = {value: tape.scale(value, 1 / steepness) for value in plan.brought_back}
    for value, divided in plain.items():
        for node, position in plan.brought_back[value]:
            node.replace_input_with(position, divided)
        for number, output in enumerate(graph.outputs):
            if output is value:
                name, value.name = value.name, f"{value.name}_larger"
                divided.name = name
                graph.outputs[number] = divided
    graph.sort()
    return SmoothGates(steepness, scale=steepness)


@dataclass
class _Plan:
    scaled: set[ir.Value] = field(default_factory=set)
    larger: list[tuple[ir.Node, int]] = field(default_factory=list)  # constant inputs to multiply
    # Values to divide, and who reads them so; an output of the graph may have no such reader.
    brought_back: dict[ir.Value, list[tuple[ir.Node, int]]] = field(default_factory=dict)


def _plan(graph: ir.Graph) -> _Plan | None:
    plan = _Plan()
    for node in graph:
        larger = [position for position, value in enumerate(node.inputs) if value in plan.scaled]
        weights = [(node, position) for position, value in enumerate(node.inputs) if position and value]
        are_known = all(constant_array(node.inputs[position]) is not None for _, position in weights)
        if node.op_type == "Conv" and are_known:
            plan.larger += weights[1:] if larger else weights  # a kernel that reads larger values stays
        elif not larger and is_masked(node):
            return None
        elif larger and node.op_type == "Clip" and are_known:
            plan.larger += weights
        elif not larger or not _passes_on(node, larger):
            for position in larger:
                value = node.inputs[position]
                assert value is not None
                plan.brought_back.setdefault(value, []).append((node, position))
            continue
        plan.scaled.update(node.outputs)
    for output in graph.outputs:
        if output in plan.scaled:
            plan.brought_back.setdefault(output, [])
    return plan


def _passes_on(node: ir.Node, larger: list[int]) -> bool:
    """Whether what it gives is s times as large where these inputs are."""
    if node.op_type == "Pad":
        filling = node.inputs[2] if len(node.inputs) > 2 else None
        return filling is None or is_zero(filling)
    if node.op_type == "Max" and len(larger) == 1 and len(node.inputs) == 2 and is_zero(node.inputs[1 - larger[0]]):
        return True  # a ReLU without a gate
    if node.op_type in _PASS_ON_IF_ALL_HAVE_IT:
        return len(larger) == len(node.inputs)
    return node.op_type in _PASS_ON and larger == [0]


def _times(graph: ir.Graph, value: ir.Value | None, factor: float) -> ir.Value:
    array = constant_array(value)
    assert value is not None
    assert array is not None
    name = f"{value.name}_larger"
    if name not in graph.initializers:
        larger = ir.tensor((array * array.dtype.type(factor)).astype(array.dtype), name=name)
        graph.register_initializer(ir.Value(name=name, shape=value.shape, type=value.type, const_value=larger))
    return graph.initializers[name]
