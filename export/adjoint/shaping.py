"""Adjoints of operators that move elements without changing them, and of resizing."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx import helper
from onnx.reference import ReferenceEvaluator

from export.adjoint.convolution import interleave
from export.adjoint.tape import (
    Tape,
    constant_array,
    dims,
    elements,
    integer,
    ints,
    number,
    require_constant,
    text,
)
from export.errors import ExportError


def reshape(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g in the shape of x: Reshape, Flatten, Squeeze, Unsqueeze, Identity."""
    assert node.inputs[0] is not None
    return [tape.reshape(grad, dims(node.inputs[0])), *[None] * (len(node.inputs) - 1)]


def transpose(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g with the axes put back."""
    permutation = ints(node, "perm", range(len(dims(grad)))[::-1])
    return [tape.transpose(grad, [permutation.index(axis) for axis in range(len(permutation))])]


def expand(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g summed over the axes that were repeated."""
    assert node.inputs[0] is not None
    own, size = dims(node.inputs[0]), dims(grad)
    padded = (1,) * (len(size) - len(own)) + own
    repeated = [axis for axis, (full, length) in enumerate(zip(size, padded, strict=True)) if full != length]
    return [tape.reshape(tape.sum(grad, repeated), own), None]


def concat(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """Each input its own stretch of g."""
    axis = integer(node, "axis", 0) % len(dims(grad))
    gradients: list[ir.Value | None] = []
    start = 0
    for value in node.inputs:
        assert value is not None
        stop = start + dims(value)[axis]
        gradients.append(tape.slice(grad, axis, start, stop))
        start = stop
    return gradients


def split(node: ir.Node, grads: list[ir.Value | None], tape: Tape) -> list[ir.Value | None]:
    """The gradients of the pieces, joined; zeros for a piece that nothing reads."""
    axis = integer(node, "axis", 0)
    pieces = [
        tape.constant(np.zeros(dims(output), tape.dtype)) if grad is None else grad
        for grad, output in zip(grads, node.outputs, strict=True)
    ]
    return [tape.concat(pieces, axis % len(dims(pieces[0]))), None]


def slice_(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g at the places that were read, zeros elsewhere."""
    assert node.inputs[0] is not None
    shape = dims(node.inputs[0])
    starts, ends = (require_constant(node.inputs[i], node, "bounds") for i in (1, 2))
    axes = constant_array(node.inputs[3]) if len(node.inputs) > 3 else None
    steps = constant_array(node.inputs[4]) if len(node.inputs) > 4 else None
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        axis = int(axis) % len(shape)
        places = range(*slice(int(start), int(end), int(step)).indices(shape[axis]))
        grad = _put_back(tape, grad, axis, list(places), shape[axis])
    return [grad, *[None] * (len(node.inputs) - 1)]


def gather(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g added up at the places that were read; the indices have to be known at export."""
    assert node.inputs[0] is not None
    shape = dims(node.inputs[0])
    axis = integer(node, "axis", 0) % len(shape)
    indices = require_constant(node.inputs[1], node, "indices") % shape[axis]
    flat = tape.reshape(grad, [*shape[:axis], indices.size, *shape[axis + 1 :]])
    return [_put_back(tape, flat, axis, indices.reshape(-1).tolist(), shape[axis]), None]


def gather_nd(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g added up at the places that were read: fancy indexing."""
    value, indices = node.inputs
    assert value is not None
    if integer(node, "batch_dims", 0):
        raise ExportError(f"GatherND ({node.name}): expected batch_dims 0; index with torch.gather instead")
    zeros = tape.constant(np.zeros(dims(value), tape.dtype))
    return [tape.op("ScatterND", zeros, indices, grad, shape=dims(value), reduction="add"), None]


def gather_elements(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g added up at the places that were read; the indices may come from the label."""
    value, indices = node.inputs
    assert value is not None
    zeros = tape.constant(np.zeros(dims(value), tape.dtype))
    axis = integer(node, "axis", 0)
    return [
        tape.op("ScatterElements", zeros, indices, grad, shape=dims(value), axis=axis, reduction="add"),
        None,
    ]


def scatter_elements(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """Without a reduction: zeros at the places that were overwritten, and to the updates what lies there."""
    value, indices, updates = node.inputs
    assert value is not None
    assert updates is not None
    if (reduction := text(node, "reduction", "none")) != "none":
        raise ExportError(f"ScatterElements ({node.name}): expected no reduction, found {reduction}; write it as sums")
    axis = integer(node, "axis", 0)
    zeros = tape.constant(np.zeros(dims(updates), tape.dtype))
    kept = tape.op("ScatterElements", grad, indices, zeros, shape=dims(value), axis=axis)
    return [kept, None, tape.op("GatherElements", grad, indices, shape=dims(updates), axis=axis)]


def pad(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g without its rim (constant), or with its rim added to what was repeated there (reflect, edge, wrap)."""
    assert node.inputs[0] is not None
    shape = dims(node.inputs[0])
    pads = require_constant(node.inputs[1], node, "pads")
    axes = constant_array(node.inputs[3]) if len(node.inputs) > 3 else None
    axes = list(range(len(shape))) if axes is None else [int(axis) % len(shape) for axis in axes]
    mode = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}[
        text(node, "mode", "constant")
    ]
    for position, axis in enumerate(axes):
        before, after = int(pads[position]), int(pads[position + len(axes)])
        if not before and not after:
            continue
        size = shape[axis]
        kept = np.arange(size)[max(-before, 0) : size - max(-after, 0)]
        rim = (max(before, 0), max(after, 0))
        sources = _padded_places(kept, rim, mode)
        grad = _put_back(tape, grad, axis, sources, size)
    return [grad, *[None] * (len(node.inputs) - 1)]


def depth_to_space(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """Pixels back to channels; PixelShuffle is the CRD mode."""
    assert node.inputs[0] is not None
    block = integer(node, "blocksize", 1)
    batch, channels, rows, columns = dims(node.inputs[0])
    depth = channels // block**2
    blocks = tape.reshape(grad, [batch, depth, rows, block, columns, block])
    order = [0, 3, 5, 1, 2, 4] if text(node, "mode", "DCR") == "DCR" else [0, 1, 3, 5, 2, 4]
    return [tape.reshape(tape.transpose(blocks, order), (batch, channels, rows, columns))]


def space_to_depth(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """Channels back to pixels."""
    block = integer(node, "blocksize", 1)
    depth = dims(grad)[1] // block**2
    parts = [tape.slice(grad, 1, part * depth, (part + 1) * depth) for part in range(block**2)]
    return [interleave(tape, parts, (block, block))]


def resize(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """A^T g B, where resizing is A x B^T: one matrix a spatial axis.

    The matrices come from ONNX's reference implementation, applied to the unit vectors, so that every mode and
    coordinate convention of Resize is covered, antialiasing too.
    """
    image = node.inputs[0]
    assert image is not None
    shape, size = dims(image), dims(grad)
    if len(shape) != 4 or shape[:2] != size[:2]:
        raise ExportError(
            f"Resize ({node.name}): expected (N, C, H, W) resized along H and W, found {shape} to {size}; "
            "resize images only"
        )
    rows, columns = (_resize_matrix(node, shape[axis], size[axis]).astype(tape.dtype) for axis in (2, 3))
    if shape[2] != size[2]:
        grad = tape.op("MatMul", tape.constant(np.ascontiguousarray(rows.T)), grad, shape=(*shape[:3], size[3]))
    if shape[3] != size[3]:
        grad = tape.op("MatMul", grad, tape.constant(columns), shape=shape)
    return [grad, None, None, None]


def _put_back(tape: Tape, grad: ir.Value, axis: int, places: list[int], size: int) -> ir.Value:
    """(..., len(places), ...) -> (..., size, ...): the gradient of reading `places` along `axis`, -1 for a constant.

    Consecutive places need a slice and a pad, distinct ones a gather of g beside one zero, repeated ones a product
    with the matrix of places.
    """
    real = [place for place in places if place >= 0]
    first = next((i for i, place in enumerate(places) if place >= 0), 0)
    if real == list(range(real[0], real[0] + len(real))) and places[first : first + len(real)] == real:
        kept = grad if len(real) == len(places) else tape.slice(grad, axis, first, first + len(real))
        rank = len(dims(grad))
        before = [real[0] if i == axis else 0 for i in range(rank)]
        after = [size - real[0] - len(real) if i == axis else 0 for i in range(rank)]
        return tape.pad(kept, before, after)
    if len(set(real)) == len(real):
        zero = [int(i == axis) for i in range(len(dims(grad)))]
        padded = tape.pad(grad, [0] * len(zero), zero)
        where = {place: position for position, place in enumerate(places)}
        return tape.gather(padded, [where.get(place, len(places)) for place in range(size)], axis)
    return _multiply_axis(tape, grad, axis, places, size)


def _padded_places(kept: np.ndarray, rim: tuple[int, int], mode: str) -> list[int]:
    """Which element each element of the padded axis repeats, -1 for a constant."""
    match mode:
        case "constant":
            return np.pad(kept, rim, constant_values=-1).tolist()
        case "reflect":
            return np.pad(kept, rim, mode="reflect").tolist()
        case "edge":
            return np.pad(kept, rim, mode="edge").tolist()
        case _:
            return np.pad(kept, rim, mode="wrap").tolist()


def _multiply_axis(tape: Tape, grad: ir.Value, axis: int, places: list[int], size: int) -> ir.Value:
    shape = dims(grad)
    matrix = np.zeros((size, len(places)), tape.dtype)
    for position, place in enumerate(places):
        if place >= 0:
            matrix[place, position] = 1
    outer, inner = elements(shape[:axis]), elements(shape[axis + 1 :])
    flat = tape.reshape(grad, [outer, len(places), inner])
    product = tape.op("MatMul", tape.constant(matrix), flat, shape=(outer, size, inner))
    return tape.reshape(product, [*shape[:axis], size, *shape[axis + 1 :]])


def _resize_matrix(node: ir.Node, size: int, resized: int) -> np.ndarray:
    """(resized, size): what Resize does to one axis, as a matrix in float64."""
    attributes = {
        name: text(node, name, default)
        for name, default in (
            ("mode", "nearest"),
            ("coordinate_transformation_mode", "half_pixel"),
            ("nearest_mode", "round_prefer_floor"),
        )
    }
    operator = helper.make_node(
        "Resize",
        ["x", "", "", "sizes"],
        ["y"],
        antialias=integer(node, "antialias", 0),
        exclude_outside=integer(node, "exclude_outside", 0),
        cubic_coeff_a=number(node, "cubic_coeff_a", -0.75),
        **attributes,
    )
    double, long = (helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in ("float64", "int64"))
    graph = helper.make_graph(
        [operator],
        "one_axis",
        [
            helper.make_tensor_value_info("x", double, [size, size]),
            helper.make_tensor_value_info("sizes", long, [2]),
        ],
        [helper.make_tensor_value_info("y", double, [size, resized])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    sizes = np.array([size, resized])
    (columns,) = ReferenceEvaluator(model).run(None, {"x": np.eye(size), "sizes": sizes})  # pyright: ignore
    return np.asarray(columns).T


RULES = {
    "Reshape": reshape,
    "Flatten": reshape,
    "Squeeze": reshape,
    "Unsqueeze": reshape,
    "Identity": reshape,
    "Transpose": transpose,
    "Expand": expand,
    "Concat": concat,
    "Slice": slice_,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "ScatterElements": scatter_elements,
    "Pad": pad,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Resize": resize,
}
