"""Operators that move elements."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from export.errors import ExportError
from export.mil.operators.arguments import Arguments, Rule


def reshape(given: Arguments) -> Tensor:
    """0 in the shape keeps the axis of that place."""
    x = given.tensor("x")
    shape = [x.shape[place] if size == 0 else size for place, size in enumerate(given.ints("shape", ()))]
    return x.reshape(shape)


def transpose(given: Arguments) -> Tensor:
    return given.tensor("x").permute(given.ints("perm", ()))


def expand_dims(given: Arguments) -> Tensor:
    x, axes = given.tensor("x"), given.ints("axes", ())
    for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
        x = x.unsqueeze(axis)
    return x


def squeeze(given: Arguments) -> Tensor:
    x = given.tensor("x")
    axes = given.ints("axes", ()) or [axis for axis, size in enumerate(x.shape) if size == 1]
    return x.squeeze(tuple(axes))


def concat(given: Arguments) -> Tensor:
    if given.flag("interleave", False):
        raise ExportError("concat: expected parts one after the other, found interleaved ones")
    return torch.cat(given.tensors("values"), given.integer("axis", 0))


def stack(given: Arguments) -> Tensor:
    return torch.stack(given.tensors("values"), given.integer("axis", 0))


def split(given: Arguments) -> list[Tensor]:
    x, axis = given.tensor("x"), given.integer("axis", 0)
    sizes = given.ints("split_sizes", ()) or [x.shape[axis] // given.integer("num_splits", 1)] * given.integer(
        "num_splits", 1
    )
    return list(x.split(sizes, axis))


def slice_by_index(given: Arguments) -> Tensor:
    """x[begin:end:stride] on each axis, an end or beginning that is masked being that of the axis."""
    x = given.tensor("x")
    begin, end = given.ints("begin", ()), given.ints("end", ())
    stride = given.ints("stride", [1] * x.ndim)
    first, last, single = (given.ints(f"{name}_mask", [0] * x.ndim) for name in ("begin", "end", "squeeze"))
    if any(single):
        raise ExportError("slice_by_index: expected slices, found single indices")
    for axis in range(x.ndim):
        bounds = slice(None if first[axis] else begin[axis], None if last[axis] else end[axis], stride[axis])
        x = x.index_select(axis, torch.tensor(list(range(x.shape[axis])[bounds]), dtype=torch.int64))
    return x


def slice_by_size(given: Arguments) -> Tensor:
    """A size of -1 goes to the end of the axis."""
    x = given.tensor("x")
    for axis, (begin, size) in enumerate(zip(given.ints("begin", ()), given.ints("size", ()), strict=True)):
        x = x.narrow(axis, begin, x.shape[axis] - begin if size == -1 else size)
    return x


def gather(given: Arguments) -> Tensor:
    """x[..., indices, ...] along one axis."""
    x, indices, axis = given.tensor("x"), given.tensor("indices"), given.integer("axis", 0)
    axis %= x.ndim
    if given.integer("batch_dims", 0):
        raise ExportError("gather: expected no batch axes")
    picked = x.index_select(axis, indices.reshape(-1) % x.shape[axis])
    return picked.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def pad(given: Arguments) -> Tensor:
    """The amounts are those of the last axes; before and after of each, the last axis at the end."""
    amounts = given.ints("pad", ())
    for_torch = [amount for place in range(len(amounts) - 2, -1, -2) for amount in amounts[place : place + 2]]
    mode = given.text("mode", "constant")
    if mode == "constant":
        return F.pad(given.tensor("x"), for_torch, value=given.number("constant_val", 0))
    used = for_torch[: 2 * (given.tensor("x").ndim - 2)]  # torch repeats along image axes alone
    if any(for_torch[len(used) :]):
        raise ExportError(f"pad: expected {mode} along image axes alone")
    return F.pad(given.tensor("x"), used, mode=mode)


def tile(given: Arguments) -> Tensor:
    return given.tensor("x").repeat(given.ints("reps", ()))


def reverse(given: Arguments) -> Tensor:
    x = given.tensor("x")
    return x.flip(given.ints("axes", range(x.ndim)))


def space_to_depth(given: Arguments) -> Tensor:
    """Channel (r_h side + r_w) C + c holds the pixels (side i + r_h, side j + r_w) of channel c."""
    x, side = given.tensor("x"), given.integer("block_size", 1)
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, channels, height // side, side, width // side, side).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(batch, side * side * channels, height // side, width // side)


def depth_to_space(given: Arguments) -> Tensor:
    """The inverse of space_to_depth."""
    x, side = given.tensor("x"), given.integer("block_size", 1)
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, side, side, channels // side**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(batch, channels // side**2, height * side, width * side)


def pixel_shuffle(given: Arguments) -> Tensor:
    return F.pixel_shuffle(given.tensor("x"), given.integer("upscale_factor", 1))


def pixel_unshuffle(given: Arguments) -> Tensor:
    return F.pixel_unshuffle(given.tensor("x"), given.integer("downscale_factor", 1))


def upsample_nearest_neighbor(given: Arguments) -> Tensor:
    down, across = given.number("scale_factor_height", 1), given.number("scale_factor_width", 1)
    if down != int(down) or across != int(across):
        raise ExportError(f"upsample_nearest_neighbor: expected whole factors, found {down} and {across}")
    return given.tensor("x").repeat_interleave(int(down), -2).repeat_interleave(int(across), -1)


RULES: dict[str, Rule] = {
    "concat": concat,
    "depth_to_space": depth_to_space,
    "expand_dims": expand_dims,
    "gather": gather,
    "pad": pad,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "reshape": reshape,
    "reverse": reverse,
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "space_to_depth": space_to_depth,
    "split": split,
    "squeeze": squeeze,
    "stack": stack,
    "tile": tile,
    "transpose": transpose,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
}
