"""Adjoints of convolution with respect to its image: what comes out is again ordinary convolution where that is fast.

The kernels of the backward part are views of the forward weights, written as Transpose, Slice and Gather nodes on the
same initialisers: the file holds each weight once, and a runtime folds the views when it loads the graph.

Three forms, all exact:

- stride 1: a convolution with the kernel turned by 180 degrees and its channel axes swapped;
- a strided depthwise convolution: one small convolution a phase of the stride, then the phases interleaved. Putting
  zeros between the gradient's pixels would multiply the work by the square of the stride;
- anything else: ConvTranspose, which is a matrix product and a scatter in the runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from export.adjoint.tape import Tape, dims, integer, ints, text
from export.errors import ExportError


@dataclass(frozen=True, kw_only=True)
class Window:
    """How a kernel slides over an image; one number a spatial axis in each field."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads_before: tuple[int, ...]
    pads_after: tuple[int, ...]

    @classmethod
    def of(cls, node: ir.Node, kernel: Sequence[int]) -> Window:
        """Read a convolution's or a pooling operator's window.

        Raises: ExportError for automatic padding, which exporters of today do not write.
        """
        if (mode := text(node, "auto_pad", "NOTSET")) != "NOTSET":
            raise ExportError(
                f"{node.op_type} ({node.name}): expected explicit pads, found auto_pad={mode}; "
                "export the module again with its padding as numbers"
            )
        rank = len(kernel)
        pads = ints(node, "pads", [0] * 2 * rank)
        return cls(
            kernel=tuple(kernel),
            strides=ints(node, "strides", [1] * rank),
            dilations=ints(node, "dilations", [1] * rank),
            pads_before=pads[:rank],
            pads_after=pads[rank:],
        )

    @property
    def reach(self) -> tuple[int, ...]:
        """Distance between the first and the last tap of the kernel on each axis."""
        return tuple(dilation * (size - 1) for dilation, size in zip(self.dilations, self.kernel, strict=True))


def convolution(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g correlated with the turned kernel; the weights are constants and get none."""
    image, weight = node.inputs[:2]
    assert image is not None
    assert weight is not None
    window = Window.of(node, dims(weight)[2:])
    return [convolution_adjoint(tape, grad, weight, window, integer(node, "group", 1), dims(image)), None, None]


def convolution_adjoint(
    tape: Tape, grad: ir.Value, weight: ir.Value, window: Window, groups: int, image_shape: tuple[int, ...]
) -> ir.Value:
    """Gradient with respect to the image of a convolution.

    Args:
        grad: (N, O, H', W'), gradient with respect to the convolution's output.
        weight: (O, C / groups, kH, kW).
        image_shape: (N, C, H, W).
    """
    if _has_unit_stride(window, dims(grad), image_shape):
        return _unit_stride(tape, grad, weight, window, groups, image_shape)
    is_depthwise = groups == image_shape[1] == dims(weight)[0]
    if is_depthwise and (phases := _phases(window, dims(grad), image_shape)) is not None:
        return _depthwise_by_phases(tape, grad, weight, window, phases, image_shape)
    return _transposed(tape, grad, weight, window, groups, image_shape)


def transposed_convolution(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """The adjoint of ConvTranspose is the convolution with the same weights."""
    image, weight = node.inputs[:2]
    assert image is not None
    assert weight is not None
    window = Window.of(node, dims(weight)[2:])
    spatial, grad_size = dims(image)[2:], dims(grad)[2:]
    pads_after = [  # what output_padding leaves over is never reached by the kernel
        (size - 1) * stride + reach + 1 - before - full
        for size, stride, reach, before, full in zip(
            spatial, window.strides, window.reach, window.pads_before, grad_size, strict=True
        )
    ]
    for axis, excess in enumerate(pads_after):
        if excess < 0:
            grad = tape.slice(grad, axis + 2, 0, dims(grad)[axis + 2] + excess)
    out = tape.op(
        "Conv",
        grad,
        weight,
        shape=dims(image),
        group=integer(node, "group", 1),
        kernel_shape=window.kernel,
        strides=window.strides,
        dilations=window.dilations,
        pads=[*window.pads_before, *(max(excess, 0) for excess in pads_after)],
    )
    return [out, None, None]


def _has_unit_stride(window: Window, grad_shape: tuple[int, ...], image_shape: tuple[int, ...]) -> bool:
    # Padding beyond the kernel's reach would need negative padding here; ConvTranspose crops instead.
    return all(stride == 1 for stride in window.strides) and all(
        before <= reach and after <= reach
        for before, after, reach in zip(window.pads_before, window.pads_after, window.reach, strict=True)
    )


def _unit_stride(
    tape: Tape, grad: ir.Value, weight: ir.Value, window: Window, groups: int, image_shape: tuple[int, ...]
) -> ir.Value:
    turned = _swap_channels(tape, weight, groups)
    if any(size > 1 for size in window.kernel):
        turned = tape.reverse(turned, range(2, 2 + len(window.kernel)))
    before = [reach - pad for reach, pad in zip(window.reach, window.pads_before, strict=True)]
    after = [reach - pad for reach, pad in zip(window.reach, window.pads_after, strict=True)]
    return _convolve(tape, grad, turned, window.kernel, window.dilations, [*before, *after], groups, image_shape)


def _swap_channels(tape: Tape, weight: ir.Value, groups: int) -> ir.Value:
    """(O, C / groups, ...) -> (C, O / groups, ...), group by group."""
    outputs, inputs_a_group, *kernel = dims(weight)
    if outputs == groups and inputs_a_group == 1:
        return weight
    spatial = range(2, 2 + len(kernel))
    if groups == 1:
        return tape.transpose(weight, [1, 0, *spatial])
    grouped = tape.reshape(weight, [groups, outputs // groups, inputs_a_group, *kernel])
    swapped = tape.transpose(grouped, [0, 2, 1, *(axis + 1 for axis in spatial)])
    return tape.reshape(swapped, [groups * inputs_a_group, outputs // groups, *kernel])


@dataclass(frozen=True)
class _Phase:
    """The pixels r, r + s, r + 2 s, ... of one axis of the image: which taps reach them, and from where."""

    taps: list[int]  # kernel indices, in the order of the pixels of the gradient that they weigh
    pad_before: int
    pad_after: int


def _phases(
    window: Window, grad_shape: tuple[int, ...], image_shape: tuple[int, ...]
) -> tuple[list[_Phase], list[_Phase]] | None:
    """Every phase of both spatial axes, or None where a phase is not a plain convolution."""
    if len(window.kernel) != 2 or any(dilation != 1 for dilation in window.dilations):
        return None
    axes = [_axis_phases(window, axis, grad_shape[axis + 2], image_shape[axis + 2]) for axis in (0, 1)]
    return None if axes[0] is None or axes[1] is None else (axes[0], axes[1])


def _axis_phases(window: Window, axis: int, grad_size: int, image_size: int) -> list[_Phase] | None:
    """Pixel s i + r of the image was read by tap k of output (s i + r + pad - k) / s, where that is whole."""
    stride, pad = window.strides[axis], window.pads_before[axis]
    pixels = -(-image_size // stride)
    phases = []
    for remainder in range(stride):
        offsets = {
            (remainder + pad - tap) // stride: tap
            for tap in range(window.kernel[axis])
            if (remainder + pad - tap) % stride == 0
        }
        if not offsets:
            return None
        first, last = min(offsets), max(offsets)
        pad_before, pad_after = -first, pixels - grad_size + last
        if pad_before < 0 or pad_after < 0:
            return None
        phases.append(_Phase([offsets[offset] for offset in range(first, last + 1)], pad_before, pad_after))
    return phases


def _depthwise_by_phases(
    tape: Tape,
    grad: ir.Value,
    weight: ir.Value,
    window: Window,
    phases: tuple[list[_Phase], list[_Phase]],
    image_shape: tuple[int, ...],
) -> ir.Value:
    batch, channels, height, width = image_shape
    rows, columns = (-(-size // stride) for size, stride in zip((height, width), window.strides, strict=True))
    parts = []
    for vertical in phases[0]:
        for horizontal in phases[1]:
            kernel = tape.gather(tape.gather(weight, vertical.taps, 2), horizontal.taps, 3)
            pads = [vertical.pad_before, horizontal.pad_before, vertical.pad_after, horizontal.pad_after]
            shape = (batch, channels, rows, columns)
            size = (len(vertical.taps), len(horizontal.taps))
            parts.append(_convolve(tape, grad, kernel, size, (1, 1), pads, channels, shape))
    whole = interleave(tape, parts, window.strides)
    for axis, size in ((2, height), (3, width)):
        if dims(whole)[axis] != size:
            whole = tape.slice(whole, axis, 0, size)
    return whole


def interleave(tape: Tape, parts: list[ir.Value], strides: tuple[int, ...]) -> ir.Value:
    """Parts (r_h, r_w) in row order, each (N, C, h, w) -> (N, C, s_h h, s_w w) with pixel (s_h i + r_h, s_w j + r_w).

    With channels last, interleaving is joining long runs of memory: the columns first, then the rows. ONNX Runtime
    merges the transpositions into the reordering that its blocked convolutions need anyway, so this is far cheaper
    than DepthToSpace in its CPU provider (docs/gradient-cost.md).
    """
    batch, channels, rows, columns = dims(parts[0])
    down, across = strides
    last = [tape.transpose(part, [0, 2, 3, 1]) for part in parts]
    lines = [tape.concat(last[across * row : across * (row + 1)], 3) for row in range(down)]
    lines = [tape.reshape(line, [batch, rows, across * columns * channels]) for line in lines]
    whole = tape.reshape(tape.concat(lines, 2), [batch, rows * down, columns * across, channels])
    return tape.transpose(whole, [0, 3, 1, 2])


def _transposed(
    tape: Tape, grad: ir.Value, weight: ir.Value, window: Window, groups: int, image_shape: tuple[int, ...]
) -> ir.Value:
    left_over = [
        size - ((count - 1) * stride - before - after + reach + 1)
        for size, count, stride, before, after, reach in zip(
            image_shape[2:],
            dims(grad)[2:],
            window.strides,
            window.pads_before,
            window.pads_after,
            window.reach,
            strict=True,
        )
    ]
    return tape.op(
        "ConvTranspose",
        grad,
        weight,
        shape=image_shape,
        group=groups,
        kernel_shape=window.kernel,
        strides=window.strides,
        dilations=window.dilations,
        pads=[*window.pads_before, *window.pads_after],
        output_padding=left_over,
    )


def _convolve(
    tape: Tape,
    image: ir.Value,
    weight: ir.Value,
    kernel: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    groups: int,
    shape: tuple[int, ...],
) -> ir.Value:
    return tape.op(
        "Conv",
        image,
        weight,
        shape=shape,
        group=groups,
        kernel_shape=kernel,
        strides=[1] * len(kernel),
        dilations=dilations,
        pads=pads,
    )


RULES = {"Conv": convolution, "ConvTranspose": transposed_convolution}
