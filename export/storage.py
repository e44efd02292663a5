"""Writing graphs: large weights go to a file of their own, once, rounded, and any number of graphs read them there.

A forward graph and its gradient graph have the same weights, so a bundle holds them once. Each becomes a Cast of a
float16 or int8 tensor, which a runtime folds when it loads the graph; what runs is float32 throughout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from mobile_app.core.files import write_whole

SMALLEST_SHARED_BYTES = 256  # smaller constants stay in the graph, where they can be read
SMALLEST_BYTES_KERNEL = 4096  # of float32, from which a kernel is worth the scales of int8
IR_VERSION = 9  # nothing of a later one is used, and ONNX Runtime 1.17 reads no later one
_ALIGNMENT = 64  # of each tensor in the file, for runtimes that map it


def round_to_half(model: ir.Model) -> None:
    """Store the large float32 weights as float16, each followed by a Cast back to float32.

    Every number that then enters a computation is one that float16 can hold, so the graph computes the function of the
    rounded network exactly. A weight that float16 cannot hold (above 65504) stays as it is.
    """
    graph = model.graph
    for name, value in list(graph.initializers.items()):
        tensor = value.const_value
        if tensor is None or value.dtype != ir.DataType.FLOAT or tensor.nbytes < SMALLEST_SHARED_BYTES:
            continue
        weights = tensor.numpy()
        with np.errstate(over="ignore"):
            half = weights.astype(np.float16)
        if not np.isfinite(half).all():
            continue
        stored = _constant(graph, f"{name}_half", half)
        _replace(graph, value, ir.node("Cast", [stored], {"to": int(ir.DataType.FLOAT)}))


def round_to_bytes(model: ir.Model, *, spared: str = "") -> None:
    """Store the large float32 kernels as int8, each followed by a Cast and a Mul with a scale a row.

    A row is what belongs to one index of the first axis: the kernel of one channel. What runs is float32 throughout, as
    with `round_to_half`, at half its size and with eight bits a weight: enough for a gradient that is followed; a
    classifier names another class on one photo in seventy. A runtime folds both operators when it loads the graph; a
    DequantizeLinear it would run anew at every call, which takes 1.1 to 2.3 times as long (docs/precisions.md).

    Args:
        spared: kernels whose names begin with it stay as they are; none for an empty one.
    """
    graph = model.graph
    for name, value in list(graph.initializers.items()):
        tensor = value.const_value
        if tensor is None or value.dtype != ir.DataType.FLOAT or tensor.nbytes < SMALLEST_BYTES_KERNEL:
            continue
        weights = tensor.numpy()
        if weights.ndim < 2 or (spared and name.startswith(spared)):
            continue
        rows = weights.reshape(len(weights), -1)
        scale = np.maximum(np.abs(rows).max(1) / 127, np.finfo(np.float32).tiny).astype(np.float32)
        levels = np.rint(rows / scale[:, None]).astype(np.int8).reshape(weights.shape)
        column = scale.reshape(-1, *[1] * (weights.ndim - 1))
        stored, scales = _constant(graph, f"{name}_int8", levels), _constant(graph, f"{name}_scale", column)
        cast = ir.node("Cast", [stored], {"to": int(ir.DataType.FLOAT)})
        _replace(graph, value, cast, ir.node("Mul", [cast.outputs[0], scales]))


def _replace(graph: ir.Graph, weights: ir.Value, *nodes: ir.Node) -> None:
    """Let all that read the weights read what the last of `nodes` makes of their stored form."""
    name = weights.name or ""
    for number, node in enumerate(nodes, 1):
        output = node.outputs[0]
        output.shape, output.type = weights.shape, weights.type
        output.name = node.name = f"{name}_single" if number == len(nodes) else f"{name}_step{number}"
    graph.insert_before(graph[0], nodes)
    weights.replace_all_uses_with(nodes[-1].outputs[0])
    del graph.initializers[name]


def _constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    value = ir.Value(
        name=name,
        shape=ir.Shape(array.shape),
        type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        const_value=ir.tensor(array, name=name),
    )
    graph.register_initializer(value)
    return value


class WeightStore:
    """The weights of several graphs, each different tensor once."""

    def __init__(self) -> None:
        self._offsets: dict[bytes, int] = {}
        self._content = bytearray()

    def add(self, tensor: ir.TensorProtocol) -> int:
        """Returns: where the tensor starts in the file."""
        raw = tensor.tobytes()
        key = hashlib.sha256(str(tensor.dtype).encode() + raw).digest()
        if key not in self._offsets:
            self._content.extend(bytes(-len(self._content) % _ALIGNMENT))
            self._offsets[key] = len(self._content)
            self._content.extend(raw)
        return self._offsets[key]

    def write(self, path: Path) -> None:
        write_whole(path, bytes(self._content), force=True)


def save_graph(model: ir.Model, path: Path, store: WeightStore | None = None, weights_name: str = "") -> None:
    """Write an .onnx file whole or not at all; with a store, its large weights go there, into a file of that name."""
    model.ir_version = IR_VERSION
    if store is not None:
        for value in model.graph.initializers.values():
            tensor = value.const_value
            if tensor is not None and tensor.nbytes >= SMALLEST_SHARED_BYTES:
                offset = store.add(tensor)
                value.const_value = _external(tensor, path.parent / weights_name, offset, value.name or "")
    write_whole(path, ir.to_proto(model).SerializeToString(), force=True)


def read_where_they_lie(model: ir.Model, files: Sequence[Path]) -> None:
    """Let a graph read its weights inside other files, graphs as well, which hold the same ones already.

    External data may be any stretch of any file in a graph's folder. A tensor of two or four bytes a number that starts
    at an odd place of each stays in the graph, since some processors read it there slowly or not at all. That the files
    stay as they are, the manifest's hashes see to.
    """
    contents = {path: path.read_bytes() for path in files}
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is None or tensor.nbytes < SMALLEST_SHARED_BYTES:
            continue
        raw = tensor.tobytes()
        found = ((path, content.find(raw)) for path, content in contents.items())
        path, offset = next((one for one in found if one[1] >= 0 and not one[1] % tensor.dtype.itemsize), (None, 0))
        if path is not None:
            value.const_value = _external(tensor, path, offset, value.name or "")


def _external(tensor: ir.TensorProtocol, path: Path, offset: int, name: str) -> ir.ExternalTensor:
    shape = ir.Shape(tensor.numpy().shape)
    return ir.ExternalTensor(
        path.name, offset, tensor.nbytes, tensor.dtype, shape=shape, name=name, base_dir=path.parent
    )
