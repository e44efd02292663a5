"""A float32 gradient graph and photos in, the same graph with its forward pass in 8-bit whole numbers out.

The backward pass stays float. Its numbers have no range to calibrate: they shrink with the probability that is left to
lose, by orders of magnitude from one photo to the next and from one step of a cloak to the next. It reads what the
8-bit forward pass computed, and kernels that are the rounded ones, widened once, when the graph is loaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from export.errors import ExportError
from export.quantise import Quantised, quantise

BACKWARD_REASON = "the backward pass: its numbers have no range that photos could tell"
_ROUNDED, _SCALE = "_quantized", "_scale"  # how ONNX Runtime's quantiser names the parts of a kernel
_COPY, _BOUNDED = "_for_the_backward_pass", "_bounded"
_REACH_BELOW = 6.0  # a mask sigmoid(x) is below 0.003 from x = -6 on, and need not be told from 0 there
_REACH_ABOVE = 2.0  # the upper gate of ReLU6 has ended, at a steepness of 1


def quantise_gradient(path: Path, images: Sequence[np.ndarray], *, smooth: float | None = None) -> Quantised:
    """Quantise the forward pass of a gradient graph: all that `logits` depends on.

    Args:
        path: .onnx file with float32 weights inside, as export_gradient makes it.
        images: (1, 3, S, S) float32 in [0, 1], as the phone would give them to the graph.
        smooth: steepness of the masks, as the graph was exported with; folded into it or not (export.steepness).
    Raises: ExportError as `quantise` does, and for a graph without logits.
    """
    whole = onnx.load(path)
    forward = _ancestors(whole.graph, "logits")
    backward = [node for node in whole.graph.node if node.name not in forward]
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "forward.onnx"
        model = _forward(whole, forward, backward, smooth)
        onnx.save(model, part)
        found = quantise(part, images)
    added = sum(node.name.endswith(_BOUNDED) for node in model.graph.node)
    in_float = {name: reason for name, reason in found.in_float.items() if not name.endswith(_COPY)}
    in_float |= {node.name: f"{node.op_type}: {BACKWARD_REASON}" for node in backward}
    joined = _joined(whole, found.model, backward)
    return replace(found, model=joined, in_int8=found.in_int8 - added, in_float=in_float)


def _ancestors(graph: onnx.GraphProto, output: str) -> set[str]:
    """Names of the nodes that a value is computed by."""
    makers = {name: node for node in graph.node for name in node.output}
    if output not in makers:
        raise ExportError(f"expected a gradient graph with the output {output}, found none; export one with logits")
    found: set[str] = set()
    waiting = [output]
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.name not in found:
            found.add(node.name)
            waiting += node.input
    return found


def _forward(
    whole: onnx.ModelProto, forward: set[str], backward: list[onnx.NodeProto], smooth: float | None
) -> onnx.ModelProto:
    """The forward pass alone, with a copy of each value that the backward pass reads as an output.

    A copy is one more reader: of a value that ReLU alone reads, the quantiser would keep what lies above zero.
    """
    nodes = [node for node in whole.graph.node if node.name in forward]
    made = {name for node in nodes for name in node.output}
    wanted = sorted({name for node in backward for name in node.input if name in made} - {"logits"})
    read = {name for node in nodes for name in node.input}
    shapes = {value.name: value for value in (*whole.graph.value_info, *whole.graph.output)}
    bounds: list[onnx.TensorProto] = []
    if smooth is not None:
        folded = {node.input[0] for node in backward if node.op_type == "Sigmoid"}
        nodes, bounds = _bounded(nodes, {name: 1.0 if name in folded else smooth for name in wanted}, whole.graph)
    model = helper.make_model(
        helper.make_graph(
            [*nodes, *(helper.make_node("Identity", [name], [name + _COPY], name + _COPY) for name in wanted)],
            whole.graph.name,
            [value for value in whole.graph.input if value.name in read],
            [shapes["logits"], *(_renamed(shapes[name], name + _COPY) for name in wanted)],
            [*bounds, *(tensor for tensor in whole.graph.initializer if tensor.name in read)],
        ),
        opset_imports=list(whole.opset_import),
    )
    model.ir_version = whole.ir_version
    return model


def _bounded(
    nodes: list[onnx.NodeProto], steepness: dict[str, float], graph: onnx.GraphProto
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Clip each pre-activation that a smooth mask is made of, of this steepness, to where the mask still changes.

    Eight bits for all that a convolution gives would leave a few levels for what ReLU6 lets through. The quantiser
    merges the Clip into the convolution.
    """
    numbers = {tensor.name: tensor for tensor in graph.initializer}
    activated = {
        node.input[0]: float(numpy_helper.to_array(numbers[node.input[2]])) if node.op_type == "Clip" else None
        for node in nodes
        if (node.op_type == "Relu" or (node.op_type == "Clip" and len(node.input) == 3)) and node.input[0] in steepness
    }
    found: list[onnx.NodeProto] = []
    tensors: dict[str, onnx.TensorProto] = {}
    for node in nodes:
        found.append(node)
        name = node.output[0]
        if name in activated:
            inputs = [_unbounded(name)]
            sharp, top = steepness[name], activated[name]
            for end in (-_REACH_BELOW / sharp, None if top is None else top + _REACH_ABOVE / sharp):
                if end is not None:
                    key = f"reach_{end:g}"
                    tensors[key] = numpy_helper.from_array(np.asarray(end, np.float32), key)
                    inputs.append(key)
            found[-1] = _with(node, outputs=[_unbounded(name), *node.output[1:]])
            found.append(helper.make_node("Clip", inputs, [name], f"{name}{_BOUNDED}"))
    return found, list(tensors.values())


def _unbounded(name: str) -> str:
    return f"{name}_unbounded"


def _joined(whole: onnx.ModelProto, quantised: onnx.ModelProto, backward: list[onnx.NodeProto]) -> onnx.ModelProto:
    """The quantised forward pass with the backward pass behind it."""
    copies = {node.name: node for node in quantised.graph.node if node.name.endswith(_COPY)}
    forward = [node for node in quantised.graph.node if node.name not in copies]
    sources = {name.removesuffix(_COPY): node.input[0] for name, node in copies.items()}
    backward = [_with(node, inputs=[sources.get(name, name) for name in node.input]) for node in backward]
    constants = {tensor.name: tensor for tensor in quantised.graph.initializer}
    read = {name for node in backward for name in node.input}
    own, widened, scales = [], [], []
    for tensor in whole.graph.initializer:
        if tensor.name in read and tensor.name not in constants:
            if tensor.name + _ROUNDED in constants:
                nodes, scale = _widen(tensor.name, constants)
                widened += nodes
                scales.append(scale)
            else:
                own.append(tensor)
    model = helper.make_model(
        helper.make_graph(
            [*forward, *widened, *backward],
            whole.graph.name,
            list(whole.graph.input),
            list(whole.graph.output),
            [*_still_read(quantised, read), *own, *scales],
        ),
        opset_imports=list(quantised.opset_import),
    )
    model.ir_version = quantised.ir_version
    model.producer_name = quantised.producer_name
    return model


def _with(
    node: onnx.NodeProto, *, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> onnx.NodeProto:
    """The node with other inputs or outputs."""
    changed = onnx.NodeProto()
    changed.CopyFrom(node)
    for field, names in ((changed.input, inputs), (changed.output, outputs)):
        if names is not None:
            del field[:]
            field.extend(names)
    return changed


def _renamed(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    changed = onnx.ValueInfoProto()
    changed.CopyFrom(value)
    changed.name = name
    return changed


def _widen(name: str, constants: dict[str, onnx.TensorProto]) -> tuple[list[onnx.NodeProto], onnx.TensorProto]:
    """Two nodes that make the float kernel of its whole numbers: a runtime folds these, and no DequantizeLinear."""
    rank = len(constants[name + _ROUNDED].dims)
    scale = numpy_helper.to_array(constants[name + _SCALE]).reshape(-1, *[1] * (rank - 1))
    column = numpy_helper.from_array(scale, f"{name}_column")
    return [
        helper.make_node("Cast", [name + _ROUNDED], [f"{name}_whole"], f"{name}_whole", to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}_whole", column.name], [name], f"{name}_widened"),
    ], column


def _still_read(model: onnx.ModelProto, also: set[str]) -> Iterator[onnx.TensorProto]:
    """The constants that are read: the quantiser leaves some behind."""
    read = {name for node in model.graph.node for name in node.input} | also
    return (tensor for tensor in model.graph.initializer if tensor.name in read)
