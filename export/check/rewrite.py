"""A gradient graph in, the same function in operators that Core ML's provider takes, out: one part instead of seven.

- SpaceToDepth becomes slices with steps, which is what it is.
- OneHot becomes max(0, 1 - (index - label)^2), which is 1 where the index is the label and 0 elsewhere.
- SoftmaxCrossEntropyLoss becomes log(1 / p) of the probability p that the label has, the logarithm last, so that what
  is left to the processor is the last operator and cuts nothing. The loss of a label below 1e-38 stays at 87.
- Expand goes where the operator behind it broadcasts anyway.

HardSigmoid and Sigmoid stay: Core ML's provider takes both.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from export.errors import ExportError

_LEAST = 1e-38


def in_one_part(model: ir.Model) -> None:
    """Rewrite a graph in place; what it has none of is left as it is.

    Raises: ExportError for a loss that is no mean over all labels, or a OneHot of other values than 0 and 1.
    """
    graph = model.graph
    for node in list(graph):
        rule = _RULES.get(node.op_type)
        if rule is not None:
            rule(graph, node)


def _space_to_depth(graph: ir.Graph, node: ir.Node) -> None:
    image, output = node.inputs[0], node.outputs[0]
    assert image is not None
    block, shape = node.attributes["blocksize"].as_int(), _dims(image)
    slices = []
    for row in range(block):
        for column in range(block):
            ends = [_constant(graph, np.array(value, np.int64)) for value in (
                [row, column], [shape[2], shape[3]], [2, 3], [block, block])]  # fmt: skip
            part = ir.node("Slice", [image, *ends])
            _shape(part, (shape[0], shape[1], shape[2] // block, shape[3] // block), f"{output.name}_{row}{column}")
            slices.append(part)
    graph.insert_before(node, slices)
    readers = [use.node for use in output.uses()]
    if len(readers) == 1 and readers[0].op_type == "Split" and len(readers[0].outputs) == block * block:
        split = readers[0]
        for part, old in zip(slices, split.outputs, strict=True):
            _replace(graph, old, part.outputs[0])
        graph.remove(split, safe=True)
        graph.remove(node, safe=True)
        return
    joined = ir.node("Concat", [part.outputs[0] for part in slices], {"axis": 1})
    _shape(joined, _dims(output), f"{output.name}_joined")
    graph.insert_before(node, joined)
    _replace(graph, output, joined.outputs[0])
    graph.remove(node, safe=True)


def _one_hot(graph: ir.Graph, node: ir.Node) -> None:
    label, depth, values = node.inputs
    if depth is None or values is None or depth.const_value is None or values.const_value is None or label is None:
        raise ExportError(f"OneHot ({node.name}): expected a constant depth and constant values")
    if values.const_value.numpy().tolist() != [0, 1]:
        raise ExportError(f"OneHot ({node.name}): expected the values 0 and 1")
    _replace(graph, node.outputs[0], _hot(graph, node, label, int(depth.const_value.numpy().reshape(-1)[0])))
    graph.remove(node, safe=True)


def _loss(graph: ir.Graph, node: ir.Node) -> None:
    logits, label = node.inputs[:2]
    if len(node.inputs) != 2 or len(node.outputs) != 1 or logits is None or label is None:
        raise ExportError(f"SoftmaxCrossEntropyLoss ({node.name}): expected logits and labels alone, and one output")
    rows, classes = _dims(logits)
    if rows != 1 or ("reduction" in node.attributes and node.attributes["reduction"].as_string() != "mean"):
        raise ExportError(f"SoftmaxCrossEntropyLoss ({node.name}): expected the mean over one label")
    hot = _hot(graph, node, label, classes)
    name = node.outputs[0].name
    steps = _Chain(graph, node, f"{name}_of")
    column = steps.add("Reshape", [hot, _constant(graph, np.array([classes, 1], np.int64))], (classes, 1))
    likely = steps.add("Softmax", [logits], (1, classes), {"axis": 1})
    found = steps.add("MatMul", [likely, column], (1, 1))
    clipped = steps.add("Clip", [found, _constant(graph, np.float32(_LEAST))], (1, 1))
    scalar = steps.add("Squeeze", [clipped, _constant(graph, np.array([0, 1], np.int64))], ())
    inverse = steps.add("Div", [_constant(graph, np.float32(1)), scalar], ())
    _replace(graph, node.outputs[0], steps.add("Log", [inverse], ()))
    graph.remove(node, safe=True)


def _expand(graph: ir.Graph, node: ir.Node) -> None:
    source, output = node.inputs[0], node.outputs[0]
    assert source is not None
    for use in output.uses():
        others = [value for value in use.node.inputs if value is not None and value is not output]
        if use.node.op_type not in ("Mul", "Add") or [_dims(value) for value in others] != [_dims(output)]:
            return
    if output in graph.outputs:
        return
    output.replace_all_uses_with(source)
    graph.remove(node, safe=True)


_RULES = {
    "SpaceToDepth": _space_to_depth,
    "OneHot": _one_hot,
    "SoftmaxCrossEntropyLoss": _loss,
    "Expand": _expand,
}


class _Chain:
    """Nodes before a node, one behind the other."""

    def __init__(self, graph: ir.Graph, before: ir.Node, name: str) -> None:
        self._graph, self._before, self._name, self._count = graph, before, name, 0

    def add(
        self, operator: str, inputs: list[ir.Value], shape: tuple[int, ...], attributes: dict[str, int] | None = None
    ) -> ir.Value:
        node = ir.node(operator, inputs, attributes or {})
        self._count += 1
        _shape(node, shape, f"{self._name}_{self._count}")
        self._graph.insert_before(self._before, node)
        return node.outputs[0]


def _hot(graph: ir.Graph, before: ir.Node, label: ir.Value, classes: int) -> ir.Value:
    """(1, classes): 1 at the label and 0 elsewhere."""
    shape = (1, classes)
    steps = _Chain(graph, before, f"{before.outputs[0].name}_hot")
    whole = steps.add("Cast", [label], (1,), {"to": int(ir.DataType.FLOAT)})
    away = steps.add("Sub", [_constant(graph, np.arange(classes, dtype=np.float32)[None]), whole], shape)
    squared = steps.add("Mul", [away, away], shape)
    near = steps.add("Sub", [_constant(graph, np.ones((1, 1), np.float32)), squared], shape)
    return steps.add("Relu", [near], shape)


def _constant(graph: ir.Graph, array: np.ndarray | np.float32) -> ir.Value:
    name = f"rewritten_{len(graph.initializers)}"
    array = np.asarray(array)
    tensor = ir.tensor(array, name=name)
    value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    graph.register_initializer(value)
    return value


def _shape(node: ir.Node, shape: tuple[int, ...], name: str) -> None:
    output = node.outputs[0]
    output.name = node.name = name
    output.shape, output.type = ir.Shape(shape), ir.TensorType(ir.DataType.FLOAT)


def _replace(graph: ir.Graph, old: ir.Value, new: ir.Value) -> None:
    """Let all that read `old` read `new`; an output keeps its name."""
    for index, value in enumerate(graph.outputs):
        if value is old:
            new.name, old.name = old.name, f"{old.name}_before"
            new.shape, new.type = old.shape, old.type
            graph.outputs[index] = new
    old.replace_all_uses_with(new)


def _dims(value: ir.Value) -> tuple[int, ...]:
    dims = () if value.shape is None else tuple(value.shape)
    if not all(isinstance(size, int) for size in dims) or (value.shape is None):
        raise ExportError(f"{value.name}: expected a fixed shape, found none; export the graph anew")
    return dims  # pyright: ignore[reportReturnType]
