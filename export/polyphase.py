"""A rewrite of the forward graph before it is differentiated: strided depthwise blocks, phase by phase.

In an inverted residual with stride 2 a narrow tensor x is expanded by a 1x1 convolution to a wide one at full
resolution, which a strided depthwise convolution reads. The adjoint of that convolution has to interleave wide tensors,
the dearest move of memory in the whole backward pass. But the 1x1 convolution and its activation work pixel by pixel,
so the pixels may be dealt out into the four phases of the stride before them, where the tensor is narrow:

    y = depthwise_s2(act(W x))  =  sum over phases r of depthwise_s1_r(act(W x_r)),   x_r = x[r_h::2, r_w::2]

with the taps of the depthwise kernel dealt out likewise. Backwards, x instead of the wide tensor is interleaved. The
sum is the same but for the order of its terms.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from export.adjoint.convolution import Window
from export.adjoint.tape import Tape, dims, integer

SMALLEST_SIDE_PX = 28  # below it four small convolutions cost more than interleaving saves
_STRIDE = 2


def deal_out_strided_blocks(graph: ir.Graph, dtype: np.dtype) -> int:
    """Rewrite every block of the form above in place; returns how many there were."""
    tape = Tape(graph, dtype)
    blocks = [node for node in graph if _is_strided_block(node)]
    for depthwise in blocks:
        _rewrite(tape, depthwise)
    graph.sort()
    return len(blocks)


def _is_strided_block(node: ir.Node) -> bool:
    if node.op_type != "Conv" or node.inputs[0] is None or node.inputs[1] is None:
        return False
    wide = node.inputs[0]
    channels, rows, columns = dims(wide)[1:] if len(dims(wide)) == 4 else (0, 0, 0)
    window = Window.of(node, dims(node.inputs[1])[2:])
    is_depthwise = integer(node, "group", 1) == channels == dims(node.inputs[1])[0] > 0
    if not is_depthwise or window.strides != (_STRIDE, _STRIDE) or window.dilations != (1, 1):
        return False
    if rows % _STRIDE or columns % _STRIDE or min(rows, columns) < SMALLEST_SIDE_PX or min(window.kernel) < _STRIDE:
        return False
    phases = np.ndindex(_STRIDE, _STRIDE)
    if any(pad < 0 for phase in phases for pad in _pads(window, phase, dims(wide), dims(node.outputs[0]))):
        return False
    activation = wide.producer()
    if activation is None or activation.op_type not in ("Clip", "Relu") or len(wide.uses()) != 1:
        return False
    expansion = activation.inputs[0].producer() if activation.inputs[0] is not None else None
    if expansion is None or expansion.op_type != "Conv" or len(expansion.outputs[0].uses()) != 1:
        return False
    assert expansion.inputs[0] is not None
    assert expansion.inputs[1] is not None
    narrow = dims(expansion.inputs[0])
    return dims(expansion.inputs[1])[2:] == (1, 1) and narrow[2:] == (rows, columns) and narrow[1] * 2 <= channels


def _rewrite(tape: Tape, depthwise: ir.Node) -> None:
    wide, kernel = depthwise.inputs[:2]
    assert wide is not None
    assert kernel is not None
    activation = wide.producer()
    assert activation is not None
    assert activation.inputs[0] is not None
    expansion = activation.inputs[0].producer()
    assert expansion is not None
    bias = depthwise.inputs[2] if len(depthwise.inputs) > 2 else None
    output = depthwise.outputs[0]
    size, wide_size = dims(output), (dims(wide)[0], dims(wide)[1], dims(wide)[2] // 2, dims(wide)[3] // 2)
    window = Window.of(depthwise, dims(kernel)[2:])
    total: ir.Value | None = None
    for phase, part in zip(np.ndindex(_STRIDE, _STRIDE), _phases_of(tape, expansion.inputs[0]), strict=True):
        expanded = _copy(tape, expansion, [part, *expansion.inputs[1:]], wide_size)
        active = _copy(tape, activation, [expanded, *activation.inputs[1:]], wide_size)
        down, across = ([tap for _, tap in _taps(window, axis, phase[axis])] for axis in (0, 1))
        term = tape.op(
            "Conv",
            active,
            tape.gather(tape.gather(kernel, down, 2), across, 3),
            *([bias] if total is None and bias is not None else []),
            shape=size,
            group=size[1],
            kernel_shape=[len(down), len(across)],
            strides=[1, 1],
            dilations=[1, 1],
            pads=_pads(window, phase, dims(wide), size),
        )
        total = term if total is None else tape.like("Add", term, total)
    assert total is not None
    output.replace_all_uses_with(total)
    for node in (depthwise, activation, expansion):
        tape.graph.remove(node, safe=True)


def _phases_of(tape: Tape, narrow: ir.Value | None) -> list[ir.Value]:
    assert narrow is not None
    batch, channels, rows, columns = dims(narrow)
    size = (batch, channels, rows // _STRIDE, columns // _STRIDE)
    stacked = tape.op("SpaceToDepth", narrow, shape=(batch, channels * _STRIDE**2, *size[2:]), blocksize=_STRIDE)
    return tape.split(stacked, 1, _STRIDE**2)


def _taps(window: Window, axis: int, phase: int) -> list[tuple[int, int]]:
    """(offset, tap) pairs of one phase: tap k reads pixel 2 i + k - pad, pixel i + offset of phase (k - pad) mod 2."""
    distances = [tap - window.pads_before[axis] for tap in range(window.kernel[axis])]
    return [(distance // _STRIDE, tap) for tap, distance in enumerate(distances) if distance % _STRIDE == phase]


def _pads(window: Window, phase: tuple[int, ...], image: tuple[int, ...], output: tuple[int, ...]) -> list[int]:
    """Zeros around one phase of an image (N, C, H, W), before both axes and then after both."""
    before, after = [], []
    for axis in (0, 1):
        offsets = [offset for offset, _ in _taps(window, axis, phase[axis])]
        before.append(-offsets[0])
        after.append(offsets[-1] + output[axis + 2] - image[axis + 2] // _STRIDE)
    return [*before, *after]


def _copy(tape: Tape, node: ir.Node, inputs: list[ir.Value | None], shape: tuple[int, ...]) -> ir.Value:
    """The same operator on other inputs."""
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    return tape.op(node.op_type, *inputs, shape=shape, **attributes)
