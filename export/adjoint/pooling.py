"""Adjoints of pooling."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from export.adjoint.convolution import Window, convolution_adjoint
from export.adjoint.tape import Tape, dims, elements, integer, ints


def max_pool(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g to the element that was the largest of its window, the first one where several are equal.

    The indices come from the operator's own second output, so the forward pool is not computed twice.
    """
    image = node.inputs[0]
    assert image is not None
    shape = dims(image)
    flat = tape.op(
        "ScatterElements",
        tape.expand(tape.scalar(0), [elements(shape)]),  # as a constant it would be most of the file
        tape.op("Reshape", _indices(node), tape.constant([-1]), shape=[elements(dims(grad))], dtype=ir.DataType.INT64),
        tape.reshape(grad, [elements(dims(grad))]),
        shape=[elements(shape)],
        axis=0,
        reduction="add",
    )
    return [tape.reshape(flat, shape)]


def average_pool(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g / n spread over the n elements of its window: a depthwise convolution of ones, transposed."""
    image = node.inputs[0]
    assert image is not None
    shape = dims(image)
    window = _pooling_window(node, shape, dims(grad))
    counts = _window_counts(window, shape[2:], dims(grad)[2:], bool(integer(node, "count_include_pad", 0)))
    share = tape.like("Mul", grad, tape.constant((1 / counts).astype(tape.dtype)))
    ones = tape.constant(np.ones((shape[1], 1, *window.kernel), tape.dtype))
    return [convolution_adjoint(tape, share, ones, window, shape[1], shape)]


def global_average_pool(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g / n, repeated over the n pixels of a channel."""
    image = node.inputs[0]
    assert image is not None
    shape = dims(image)
    return [tape.expand(tape.scale(grad, 1 / elements(shape[2:])), shape)]


def _indices(node: ir.Node) -> ir.Value:
    if len(node.outputs) == 1:
        node.resize_outputs(2)
    indices = node.outputs[1]
    if indices.shape is None:
        indices.name = f"{node.outputs[0].name}_indices"
        indices.shape, indices.type = node.outputs[0].shape, ir.TensorType(ir.DataType.INT64)
    return indices


def _pooling_window(node: ir.Node, image_shape: tuple[int, ...], grad_shape: tuple[int, ...]) -> Window:
    """The window with its end padding widened where ceil_mode let the last one reach past the edge."""
    window = Window.of(node, ints(node, "kernel_shape", ()))
    needed = tuple(
        max(after, (count - 1) * stride + reach + 1 - size - before)
        for after, count, stride, reach, size, before in zip(
            window.pads_after,
            grad_shape[2:],
            window.strides,
            window.reach,
            image_shape[2:],
            window.pads_before,
            strict=True,
        )
    )
    return Window(
        kernel=window.kernel,
        strides=window.strides,
        dilations=window.dilations,
        pads_before=window.pads_before,
        pads_after=needed,
    )


def _window_counts(
    window: Window, image_size: tuple[int, ...], output_size: tuple[int, ...], include_pad: bool
) -> np.ndarray:
    """(1, 1, H', W'): the number by which each window's sum was divided.

    With `include_pad` the padding counts, but not what ceil_mode adds beyond it.
    """
    counts = np.ones((1, 1))
    for axis, (size, windows) in enumerate(zip(image_size, output_size, strict=True)):
        before = window.pads_before[axis]
        lowest, highest = (-before, size + before) if include_pad else (0, size)
        starts = np.arange(windows) * window.strides[axis] - before
        taps = starts[:, None] + np.arange(window.kernel[axis]) * window.dilations[axis]
        along = ((taps >= lowest) & (taps < highest)).sum(1)
        counts = counts[..., None] * along
    return counts.reshape(1, 1, *output_size).astype(np.float64)


RULES = {"MaxPool": max_pool, "AveragePool": average_pool, "GlobalAveragePool": global_average_pool}
