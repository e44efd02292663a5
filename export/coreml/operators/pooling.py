"""Pooling, and the adjoint of max pooling, for which Core ML has no indices of the largest elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir

from export.adjoint.convolution import Window
from export.adjoint.tape import dims, elements, integer, ints, origin, text
from export.coreml.translate import Rule, Translation
from export.errors import ExportError

_LOWEST = np.float32(-65504)  # float16's; pads what a largest element is looked for in


def max_pool(node: ir.Node, to: Translation) -> Any:
    """A last window that reaches past the edge is padded for, which Core ML does with minus infinity."""
    window = _window(node)
    return to.mb.max_pool(
        x=to[node.inputs[0]],
        kernel_sizes=list(window.kernel),
        strides=list(window.strides),
        pad_type="custom",
        pad=_pads(window),
    )


def average_pool(node: ir.Node, to: Translation) -> Any:
    window = _window(node)
    if window.pads_after != ints(node, "pads", [0] * 4)[2:]:
        raise ExportError(
            f"AveragePool ({origin(node)}): expected windows inside the image, found ceil_mode; pad first"
        )
    return to.mb.avg_pool(
        x=to[node.inputs[0]],
        kernel_sizes=list(window.kernel),
        strides=list(window.strides),
        pad_type="custom",
        pad=_pads(window),
        exclude_padding_from_average=not integer(node, "count_include_pad", 0),
    )


def global_average_pool(node: ir.Node, to: Translation) -> Any:
    return to.mb.reduce_mean(x=to[node.inputs[0]], axes=[2, 3], keep_dims=True)


def scatter_elements(node: ir.Node, to: Translation) -> Any:
    """The adjoint of max pooling, which is the one scatter that export.adjoint writes: (N C H W,), flat.

    For each tap of the window, whether its element is the first that equals the largest; the gradients of the taps then
    go back by one transposed convolution, whose kernels are each 1 at their own tap.
    """
    pool = _pool_of_indices(node)
    image, largest = (pool.inputs[0], pool.outputs[0]) if pool is not None else (None, None)
    if pool is None or image is None or largest is None:
        raise ExportError(
            f"ScatterElements ({origin(node)}): expected the adjoint of max pooling, found another scatter, for which "
            "there is no translation to Core ML"
        )
    window = _window(pool)
    grad = to.mb.reshape(x=to[node.inputs[2]], shape=list(dims(largest)))
    padded = to[image]
    if any(_pads(window)):
        padded = to.mb.pad(x=padded, pad=[0, 0, 0, 0, *_pads(window)], constant_val=_LOWEST)
    free, shares = None, []
    for down, across in np.ndindex(*window.kernel):
        tap = _strided(to, padded, (down, across), window.strides, dims(largest)[2:])
        is_largest = to.mb.equal(x=tap, y=to[largest])
        is_first = is_largest if free is None else to.mb.logical_and(x=is_largest, y=free)
        shares.append(to.mb.select(cond=is_first, a=grad, b=np.float32(0)))
        still_free = to.mb.logical_not(x=is_largest)
        free = still_free if free is None else to.mb.logical_and(x=free, y=still_free)
    return to.mb.reshape(x=_spread(to, shares, window, dims(image)), shape=[elements(dims(image))])


def _spread(to: Translation, shares: list[Any], window: Window, shape: tuple[int, ...]) -> Any:
    """The gradient of each tap to where that tap read: (N, C, H, W)."""
    batch, channels, *size = shape
    taps, counts = len(shares), shares[0].shape[2:]
    stacked = to.mb.reshape(x=to.mb.stack(values=shares, axis=2), shape=[batch, channels * taps, *counts])
    kernels = np.tile(np.eye(taps, dtype=np.float32).reshape(taps, 1, *window.kernel), (channels, 1, 1, 1))
    reached = _reached(window, counts)
    excess = [far - before - side for far, before, side in zip(reached, window.pads_before, size, strict=True)]
    made = to.mb.conv_transpose(
        x=stacked,
        weight=kernels,
        strides=list(window.strides),
        groups=channels,
        pad_type="custom",
        pad=_pairs(window.pads_before, [max(0, more) for more in excess]),
    )
    missing = [max(0, -more) for more in excess]
    return to.mb.pad(x=made, pad=[0, 0, 0, 0, *_pairs([0, 0], missing)]) if any(missing) else made


def _strided(
    to: Translation, padded: Any, start: tuple[int, ...], strides: tuple[int, ...], counts: tuple[int, ...]
) -> Any:
    """What one tap of the window reads: (N, C, rows, columns)."""
    ends = [first + (count - 1) * step + 1 for first, count, step in zip(start, counts, strides, strict=True)]
    return to.mb.slice_by_index(
        x=padded,
        begin=[0, 0, *start],
        end=[*padded.shape[:2], *ends],
        stride=[1, 1, *strides],
    )


def _pool_of_indices(node: ir.Node) -> ir.Node | None:
    """The MaxPool whose indices a scatter writes to, or None."""
    indices = node.inputs[1]
    flat = indices.producer() if indices is not None else None
    source = flat.inputs[0] if flat is not None and flat.op_type == "Reshape" else None
    pool = source.producer() if source is not None else None
    is_adjoint = pool is not None and pool.op_type == "MaxPool" and source is pool.outputs[1]
    return pool if is_adjoint and text(node, "reduction", "none") == "add" else None


def _window(node: ir.Node) -> Window:
    """With as much padding at the end as the last window needs."""
    image, output = node.inputs[0], node.outputs[0]
    assert image is not None
    window = Window.of(node, ints(node, "kernel_shape", ()))
    if any(dilation != 1 for dilation in window.dilations):
        raise ExportError(f"{node.op_type} ({origin(node)}): Core ML has no dilated pooling; use slices in the module")
    ends = _reached(window, dims(output)[2:])
    needed = [end - size - before for end, size, before in zip(ends, dims(image)[2:], window.pads_before, strict=True)]
    after = tuple(max(pad, more) for pad, more in zip(window.pads_after, needed, strict=True))
    return replace(window, pads_after=after)


def _reached(window: Window, counts: Sequence[int]) -> list[int]:
    """How far so many windows reach along each axis, from the first padded element."""
    sizes = zip(counts, window.strides, window.kernel, strict=True)
    return [(count - 1) * step + side for count, step, side in sizes]


def _pads(window: Window) -> list[int]:
    return _pairs(window.pads_before, window.pads_after)


def _pairs(before: Sequence[int], after: Sequence[int]) -> list[int]:
    return [int(pad) for pair in zip(before, after, strict=True) for pad in pair]


RULES: dict[str, Rule] = {
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "MaxPool": max_pool,
    "ScatterElements": scatter_elements,
}
