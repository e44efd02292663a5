"""A float32 graph in, one that computes in float16 out: for runtimes that have such kernels.

ONNX Runtime's CPU provider has few on x86: it puts a Cast before and after what it cannot run in float16. Inputs and
outputs stay float32, so that whoever runs the graph need not know.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from export.errors import ExportError

_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16


def compute_in_half(model: ir.Model) -> None:
    """Turn every float32 number of a graph into a float16 one, in place.

    Raises: ExportError for a constant that float16 cannot hold, or a subgraph.
    """
    graph = model.graph
    first = next(iter(graph))
    sizes = {value for node in graph if node.op_type == "Resize" for value in node.inputs[1:]}  # float32 by definition
    for name, value in list(graph.initializers.items()):
        if value.dtype == _FLOAT and value.const_value is not None and value not in sizes:
            value.const_value = ir.tensor(_as_half(value.const_value.numpy(), name), name=name)
            value.type = ir.TensorType(_HALF)
    for node in list(graph):
        for attribute in node.attributes.values():
            if attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS):
                raise ExportError(f"{node.op_type} ({node.name}): has a graph inside, which stays float; inline it")
        if node.op_type == "Cast" and node.attributes["to"].as_int() == _FLOAT:
            node.attributes["to"] = ir.AttrInt64("to", int(_HALF))
        for value in node.outputs:
            if value.dtype == _FLOAT:
                value.type = ir.TensorType(_HALF)
    for value in graph.inputs:
        if value.dtype == _FLOAT:
            narrow = _cast(value, _HALF, f"{value.name}_half")
            value.replace_all_uses_with(narrow.outputs[0])
            narrow.replace_input_with(0, value)
            graph.insert_before(first, narrow)
    for index, value in enumerate(graph.outputs):
        if value.dtype == _HALF:
            name = value.name or ""
            value.name = f"{name}_half"
            wide = _cast(value, _FLOAT, name)
            graph.append(wide)
            graph.outputs[index] = wide.outputs[0]


def _cast(value: ir.Value, to: ir.DataType, name: str) -> ir.Node:
    node = ir.node("Cast", [value], {"to": int(to)}, name=f"{name}_cast")
    node.outputs[0].name, node.outputs[0].shape, node.outputs[0].type = name, value.shape, ir.TensorType(to)
    return node


def _as_half(array: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.isfinite(half).all():
        raise ExportError(
            f"{name}: {np.abs(array).max():.3g} is more than float16 holds (65504); keep this graph float32"
        )
    return half
