"""Operators that move elements, and sums over axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from export.adjoint.tape import constant_array, dims, integer, ints, origin, require_constant, text
from export.coreml.translate import Rule, Translation
from export.coreml.unshuffle import PIXEL_UNSHUFFLE
from export.errors import ExportError


def reshape(node: ir.Node, to: Translation) -> Any:
    """Reshape, Flatten, Squeeze and Unsqueeze: the shape is known. A scalar is a vector of one.

    The indices of a max pool, which Core ML does not give, are left out: `scatter_elements` does without.
    """
    assert node.inputs[0] is not None
    pool = node.inputs[0].producer()
    if pool is not None and pool.op_type == "MaxPool" and node.inputs[0] is not pool.outputs[0]:
        return None
    return to.mb.reshape(x=to[node.inputs[0]], shape=list(dims(node.outputs[0])) or [1])


def transpose(node: ir.Node, to: Translation) -> Any:
    assert node.inputs[0] is not None
    backwards = list(reversed(range(len(dims(node.inputs[0])))))
    return to.mb.transpose(x=to[node.inputs[0]], perm=list(ints(node, "perm", backwards)))


def concat(node: ir.Node, to: Translation) -> Any:
    return to.mb.concat(values=[to[value] for value in node.inputs], axis=integer(node, "axis", 0))


def split(node: ir.Node, to: Translation) -> Any:
    axis = integer(node, "axis", 0)
    sizes = [dims(output)[axis] for output in node.outputs]
    made = to.mb.split(x=to[node.inputs[0]], split_sizes=sizes, axis=axis)
    return list(made) if isinstance(made, list | tuple) else [made]


def expand(node: ir.Node, to: Translation) -> Any:
    """Repeat along axes of length 1; new axes come first."""
    assert node.inputs[0] is not None
    shape, wanted = dims(node.inputs[0]) or (1,), dims(node.outputs[0])
    x = to[node.inputs[0]]
    if len(shape) < len(wanted):
        shape = (*[1] * (len(wanted) - len(shape)), *shape)
        x = to.mb.reshape(x=x, shape=list(shape))
    return to.mb.tile(x=x, reps=[new // old for new, old in zip(wanted, shape, strict=True)])


def slice_(node: ir.Node, to: Translation) -> Any:
    assert node.inputs[0] is not None
    shape = dims(node.inputs[0])
    starts, stops, axes, steps = (_numbers(node, index) for index in (1, 2, 3, 4))
    assert starts is not None
    assert stops is not None
    axes = list(range(len(starts))) if axes is None else [axis % len(shape) for axis in axes]
    begin, end, stride, end_mask = [0] * len(shape), list(shape), [1] * len(shape), [False] * len(shape)
    for axis, start, stop, step in zip(axes, starts, stops, steps or [1] * len(axes), strict=True):
        begin[axis], end[axis], stride[axis] = _bounds(start, stop, step, shape[axis])
        end_mask[axis] = end[axis] < 0  # the step goes down to the first element, and one before it has no number
        end[axis] = max(end[axis], 0)
    return to.mb.slice_by_index(x=to[node.inputs[0]], begin=begin, end=end, stride=stride, end_mask=end_mask)


def gather(node: ir.Node, to: Translation) -> Any:
    axis = integer(node, "axis", 0)
    indices = constant_array(node.inputs[1])
    if indices is not None:
        assert node.inputs[0] is not None
        indices = (indices % dims(node.inputs[0])[axis]).astype(np.int32)
        if list(indices.ravel()) == list(range(dims(node.inputs[0])[axis]))[::-1] and indices.ndim == 1:
            return to.mb.reverse(x=to[node.inputs[0]], axes=[axis])
    return to.mb.gather(x=to[node.inputs[0]], indices=to[node.inputs[1]] if indices is None else indices, axis=axis)


def pad(node: ir.Node, to: Translation) -> Any:
    """Zeros or another constant around; what is negative cuts off, for which Core ML has slices."""
    assert node.inputs[0] is not None
    if (mode := text(node, "mode", "constant")) not in ("constant", "edge", "reflect"):
        raise ExportError(f"Pad ({origin(node)}): expected constant, edge or reflect, found {mode}")
    shape, pads = dims(node.inputs[0]), _numbers(node, 1)
    assert pads is not None
    axes = _numbers(node, 3) or list(range(len(shape)))
    before, after = [0] * len(shape), [0] * len(shape)
    for place, axis in enumerate(axes):
        before[axis], after[axis] = pads[place], pads[place + len(axes)]
    x = to[node.inputs[0]]
    if min(*before, *after) < 0:
        begin = [max(0, -low) for low in before]
        end = [size - max(0, -high) for size, high in zip(shape, after, strict=True)]
        x = to.mb.slice_by_index(x=x, begin=begin, end=end)
    amounts = [max(0, amount) for pair in zip(before, after, strict=True) for amount in pair]
    if not any(amounts):
        return x
    value = constant_array(node.inputs[2]) if len(node.inputs) > 2 else None
    kinds = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}
    fill = np.float32(0 if value is None else value.item())
    return to.mb.pad(x=x, pad=amounts, mode=kinds[mode], constant_val=fill)


def space_to_depth(node: ir.Node, to: Translation) -> Any:
    return to.mb.space_to_depth(x=to[node.inputs[0]], block_size=integer(node, "blocksize", 1))


def depth_to_space(node: ir.Node, to: Translation) -> Any:
    side = integer(node, "blocksize", 1)
    if text(node, "mode", "DCR") == "CRD":
        return to.mb.pixel_shuffle(x=to[node.inputs[0]], upscale_factor=side)
    return to.mb.depth_to_space(x=to[node.inputs[0]], block_size=side)


def pixel_unshuffle(node: ir.Node, to: Translation) -> Any:
    # This operator of Core ML takes its factor as an unsigned number alone.
    return to.mb.pixel_unshuffle(x=to[node.inputs[0]], downscale_factor=np.uint32(integer(node, "downscale_factor", 1)))


def resize(node: ir.Node, to: Translation) -> Any:
    """Nearest neighbours at a whole multiple, which repeats each pixel."""
    assert node.inputs[0] is not None
    sizes = list(zip(dims(node.inputs[0]), dims(node.outputs[0]), strict=True))
    repeats = all(new % old == 0 for old, new in sizes) and [new // old for old, new in sizes][:2] == [1, 1]
    plain = text(node, "coordinate_transformation_mode", "half_pixel") in ("asymmetric", "half_pixel")
    if text(node, "mode", "nearest") != "nearest" or not repeats or not plain or len(sizes) != 4:
        raise ExportError(f"Resize ({origin(node)}): expected nearest neighbours at a whole multiple of the size")
    (rows, new_rows), (columns, new_columns) = sizes[2:]
    return to.mb.upsample_nearest_neighbor(
        x=to[node.inputs[0]], scale_factor_height=new_rows // rows, scale_factor_width=new_columns // columns
    )


def _reduction(name: str) -> Rule:
    def reduce(node: ir.Node, to: Translation) -> Any:
        assert node.inputs[0] is not None
        axes = _numbers(node, 1) or list(ints(node, "axes", ())) or list(range(len(dims(node.inputs[0]))))
        keep = bool(integer(node, "keepdims", 1))
        is_scalar = not keep and len(axes) == len(dims(node.inputs[0]))
        made = getattr(to.mb, name)(x=to[node.inputs[0]], axes=axes, keep_dims=keep or is_scalar)
        return to.mb.reshape(x=made, shape=[1]) if is_scalar else made

    return reduce


def _numbers(node: ir.Node, index: int) -> list[int] | None:
    if len(node.inputs) <= index or node.inputs[index] is None:
        return None
    return [int(value) for value in require_constant(node.inputs[index], node, "bounds or axes").ravel()]


def _bounds(start: int, stop: int, step: int, size: int) -> tuple[int, int, int]:
    """As Python reads them, with numbers inside the axis; the end of a downward slice may be -1."""
    found = range(size)[slice(start, stop if stop > -(2**30) else None, step)]
    return found.start, found.stop, step


RULES: dict[str, Rule] = {
    "Concat": concat,
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Flatten": reshape,
    "Gather": gather,
    "Pad": pad,
    PIXEL_UNSHUFFLE: pixel_unshuffle,
    "ReduceMax": _reduction("reduce_max"),
    "ReduceMean": _reduction("reduce_mean"),
    "ReduceMin": _reduction("reduce_min"),
    "ReduceSum": _reduction("reduce_sum"),
    "Reshape": reshape,
    "Resize": resize,
    "Slice": slice_,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": reshape,
    "Transpose": transpose,
    "Unsqueeze": reshape,
}
