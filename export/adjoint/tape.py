"""Writing ONNX nodes: `Tape` appends operators to a graph and hands out the values they make.

All shapes are static: a gradient graph is written for one image size, and every kernel, mask and index in it
follows from that size.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from export.errors import ExportError

AttributeValue = int | float | str | Sequence[int] | Sequence[float]
STEEP = 1e30  # HardSigmoid(x; alpha=1e30, beta=0) is 0 for x <= 0 and 1 for every other x that is not vanishing


@dataclass(frozen=True)
class SmoothGates:
    """The masks of ReLU and ReLU6 as sigmoids; see export.adjoint.activation.

    `scale` is how many times as large the graph's pre-activations are as the network's own; see export.steepness.
    """

    steepness: float
    scale: float = 1.0


class Tape:
    """Appends nodes to the end of `graph`; equal constants are stored once.

    `dtype` is the type of the image and of every derivative: float32, or float64 where rules are checked. `smooth` is
    how the masks of ReLU and ReLU6 are written, None for exact ones.
    """

    def __init__(self, graph: ir.Graph, dtype: np.dtype, smooth: SmoothGates | None = None) -> None:
        self.graph = graph
        self.dtype = dtype
        self.smooth = smooth
        self._constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}
        self._taken = {value.name for node in graph for value in node.outputs} | set(graph.initializers)

    def op(
        self,
        op_type: str,
        *inputs: ir.Value | None,
        shape: Iterable[int],
        dtype: ir.DataType | None = None,
        **attributes: AttributeValue,
    ) -> ir.Value:
        """Append one operator with one output of a known shape; return that output."""
        node = ir.node(op_type, inputs, attributes)
        output = node.outputs[0]
        output.name = node.name = self._fresh_name(op_type)
        output.shape = ir.Shape(tuple(shape))
        output.type = ir.TensorType(dtype or ir.DataType.from_numpy(self.dtype))
        self.graph.append(node)
        return output

    def like(
        self,
        op_type: str,
        first: ir.Value,
        *others: ir.Value,
        dtype: ir.DataType | None = None,
        **attributes: AttributeValue,
    ) -> ir.Value:
        """Append an operator whose output has the shape of its first input (element-wise operators)."""
        return self.op(op_type, first, *others, shape=dims(first), dtype=dtype, **attributes)

    def constant(self, array: np.ndarray | Sequence[int]) -> ir.Value:
        """An initialiser; a list of ints becomes int64, as shapes, axes and indices need."""
        array = np.asarray(array, dtype=None if isinstance(array, np.ndarray) else np.int64)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self._fresh_name("constant")
            value = ir.Value(
                name=name,
                shape=ir.Shape(array.shape),
                type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
                const_value=ir.tensor(array, name=name),
            )
            self.graph.register_initializer(value)
            self._constants[key] = value
        return self._constants[key]

    def scalar(self, number: float) -> ir.Value:
        """A scalar initialiser of the graph's own float type."""
        return self.constant(np.array(number, self.dtype))

    def reshape(self, value: ir.Value, shape: Iterable[int]) -> ir.Value:
        shape = tuple(shape)
        return value if shape == dims(value) else self.op("Reshape", value, self.constant(list(shape)), shape=shape)

    def transpose(self, value: ir.Value, permutation: Sequence[int]) -> ir.Value:
        size = dims(value)
        return self.op("Transpose", value, shape=[size[axis] for axis in permutation], perm=permutation)

    def expand(self, value: ir.Value, shape: Iterable[int]) -> ir.Value:
        shape = tuple(shape)
        return value if shape == dims(value) else self.op("Expand", value, self.constant(list(shape)), shape=shape)

    def concat(self, values: Sequence[ir.Value], axis: int) -> ir.Value:
        shape = list(dims(values[0]))
        shape[axis] = sum(dims(value)[axis] for value in values)
        return self.op("Concat", *values, shape=shape, axis=axis)

    def slice(self, value: ir.Value, axis: int, start: int, stop: int, step: int = 1) -> ir.Value:
        """`value[..., start:stop:step, ...]` along one axis, with Python's meaning for positive steps.

        A stretch that was joined from one part alone is that part.
        """
        part = _joined_part(value, axis, start, stop) if step == 1 else None
        if part is not None:
            return part
        shape = list(dims(value))
        shape[axis] = len(range(*slice(start, stop, step).indices(shape[axis])))
        bounds = (self.constant([bound]) for bound in (start, stop, axis, step))
        return self.op("Slice", value, *bounds, shape=shape)

    def split(self, value: ir.Value, axis: int, count: int) -> list[ir.Value]:
        """Equal parts along one axis."""
        shape = list(dims(value))
        shape[axis] //= count
        node = ir.node("Split", [value], {"axis": axis, "num_outputs": count}, num_outputs=count)
        node.name = self._fresh_name("split")
        for output in node.outputs:
            output.name = self._fresh_name("part")
            output.shape, output.type = ir.Shape(shape), value.type
        self.graph.append(node)
        return list(node.outputs)

    def reverse(self, value: ir.Value, axes: Sequence[int]) -> ir.Value:
        """Flip `value` along `axes`."""
        lowest = -(2**31)  # below every start, so that index 0 is included
        bounds = ([-1] * len(axes), [lowest] * len(axes), list(axes), [-1] * len(axes))
        return self.op("Slice", value, *(self.constant(bound) for bound in bounds), shape=dims(value))

    def gather(self, value: ir.Value, indices: Sequence[int], axis: int) -> ir.Value:
        shape = list(dims(value))
        shape[axis] = len(indices)
        return self.op("Gather", value, self.constant(list(indices)), shape=shape, axis=axis)

    def pad(self, value: ir.Value, before: Sequence[int], after: Sequence[int]) -> ir.Value:
        """Zeros around `value`: `before[axis]` and `after[axis]` of them, none negative."""
        if not any(before) and not any(after):
            return value
        shape = [size + low + high for size, low, high in zip(dims(value), before, after, strict=True)]
        return self.op("Pad", value, self.constant([*before, *after]), shape=shape)

    def sum(self, value: ir.Value, axes: Sequence[int], *, keep: bool = True) -> ir.Value:
        """Sum over `axes`, which stay as axes of length 1 if `keep`."""
        size = dims(value)
        axes = sorted(axis % len(size) for axis in axes)
        if keep:
            shape = [1 if axis in axes else length for axis, length in enumerate(size)]
        else:
            shape = [length for axis, length in enumerate(size) if axis not in axes]
        if not axes:
            return value
        return self.op("ReduceSum", value, self.constant(axes), shape=shape, keepdims=int(keep))

    def scale(self, value: ir.Value, factor: float) -> ir.Value:
        return value if factor == 1 else self.like("Mul", value, self.scalar(factor))

    def _fresh_name(self, stem: str) -> str:
        number = len(self._taken)
        while (name := f"{stem.lower()}_{number}") in self._taken:
            number += 1
        self._taken.add(name)
        return name


def _joined_part(value: ir.Value, axis: int, start: int, stop: int) -> ir.Value | None:
    node = value.producer()
    if node is None or node.op_type != "Concat" or integer(node, "axis", 0) != axis:
        return None
    position = 0
    for part in node.inputs:
        assert part is not None
        size = dims(part)[axis]
        if (position, position + size) == (start, stop):
            return part
        position += size
    return None


def dims(value: ir.Value) -> tuple[int, ...]:
    """The static shape of a value.

    Raises: ExportError if a dimension is not a number.
    """
    if value.shape is None or not all(isinstance(size, int) for size in value.shape):
        raise ExportError(
            f"value {value.name}: expected a fixed shape, found {value.shape}; export with example inputs of one "
            "size and without dynamic axes"
        )
    return tuple(int(size) for size in value.shape)  # pyright: ignore[reportArgumentType]


def origin(node: ir.Node) -> str:
    """The torch module that an operator came from, where the exporter noted it, else the operator's name."""
    scopes = ast.literal_eval(node.metadata_props.get("pkg.torch.onnx.name_scopes", "[]"))
    modules = [scope for scope in scopes[:-1] if scope]  # the last one is the operator itself
    return f"in `{modules[-1]}`" if modules else str(node.name)


def elements(shape: Iterable[int]) -> int:
    return math.prod(shape)


def constant_array(value: ir.Value | None) -> np.ndarray | None:
    """The numbers of a value known at export, else None."""
    if value is None or value.const_value is None:
        return None
    return value.const_value.numpy()


def is_zero(value: ir.Value | None) -> bool:
    """Whether it is known at export to be 0."""
    array = constant_array(value)
    return array is not None and not np.any(array)


def is_masked(node: ir.Node, scale: float = 1.0) -> bool:
    """Whether it is a ReLU, or a ReLU6 whose input and bound are `scale` times as large."""
    if node.op_type == "Clip" and len(node.inputs) == 3:
        low, high = (constant_array(bound) for bound in node.inputs[1:])
        return low is not None and high is not None and float(low) == 0 and bool(np.isclose(float(high), 6 * scale))
    return node.op_type == "Relu"


def require_constant(value: ir.Value | None, node: ir.Node, what: str) -> np.ndarray:
    """The numbers of an input that has to be known at export.

    Raises: ExportError naming the operator if it is computed at run time.
    """
    array = constant_array(value)
    if array is None:
        raise ExportError(
            f"{node.op_type} ({node.name}): expected its {what} to be known at export, found one that is computed from "
            "the inputs; make it a constant of the module"
        )
    return array


def ints(node: ir.Node, name: str, default: Sequence[int]) -> tuple[int, ...]:
    attribute = node.attributes.get(name)
    return tuple(default) if attribute is None else tuple(attribute.as_ints())


def integer(node: ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def number(node: ir.Node, name: str, default: float) -> float:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_float()


def text(node: ir.Node, name: str, default: str) -> str:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_string()
