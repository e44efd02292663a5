"""Convolutions and matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from export.adjoint.convolution import Window
from export.adjoint.tape import constant_array, dims, integer, ints, number
from export.coreml.translate import Rule, Translation


def convolution(node: ir.Node, to: Translation) -> Any:
    assert node.inputs[1] is not None
    window = Window.of(node, dims(node.inputs[1])[2:])
    return to.mb.conv(
        x=to[node.inputs[0]],
        weight=to[node.inputs[1]],
        strides=list(window.strides),
        dilations=list(window.dilations),
        groups=integer(node, "group", 1),
        pad_type="custom",
        pad=_pairs(window.pads_before, window.pads_after),
        **_bias(node, to),
    )


def transposed_convolution(node: ir.Node, to: Translation) -> Any:
    """Output padding is cropped less, and where nothing is cropped, it is zeros: no tap reaches it."""
    assert node.inputs[1] is not None
    window = Window.of(node, dims(node.inputs[1])[2:])
    left_over = ints(node, "output_padding", [0] * len(window.kernel))
    after = [pad - more for pad, more in zip(window.pads_after, left_over, strict=True)]
    made = to.mb.conv_transpose(
        x=to[node.inputs[0]],
        weight=to[node.inputs[1]],
        strides=list(window.strides),
        dilations=list(window.dilations),
        groups=integer(node, "group", 1),
        pad_type="custom",
        pad=_pairs(window.pads_before, [max(0, pad) for pad in after]),
        **_bias(node, to),
    )
    missing = [max(0, -pad) for pad in after]
    if not any(missing):
        return made
    return to.mb.pad(x=made, pad=[0, 0, 0, 0, *_pairs([0] * len(missing), missing)])


def gemm(node: ir.Node, to: Translation) -> Any:
    """alpha A B + beta C, each of A and B transposed or not."""
    made = to.mb.matmul(
        x=to[node.inputs[0]],
        y=to[node.inputs[1]],
        transpose_x=bool(integer(node, "transA", 0)),
        transpose_y=bool(integer(node, "transB", 0)),
    )
    if (alpha := number(node, "alpha", 1.0)) != 1:
        made = to.mb.mul(x=made, y=np.float32(alpha))
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return made
    bias, beta = to[node.inputs[2]], number(node, "beta", 1.0)
    return to.mb.add(x=made, y=bias if beta == 1 else to.mb.mul(x=bias, y=np.float32(beta)))


def matmul(node: ir.Node, to: Translation) -> Any:
    return to.mb.matmul(x=to[node.inputs[0]], y=to[node.inputs[1]])


def batch_normalisation(node: ir.Node, to: Translation) -> Any:
    x, gamma, beta, mean, variance = node.inputs
    arrays = {"gamma": gamma, "beta": beta, "mean": mean, "variance": variance}
    constants = {name: np.asarray(constant_array(value), np.float32) for name, value in arrays.items()}
    return to.mb.batch_norm(x=to[x], epsilon=np.float32(number(node, "epsilon", 1e-5)), **constants)


def _bias(node: ir.Node, to: Translation) -> dict[str, Any]:
    return {"bias": to[node.inputs[2]]} if len(node.inputs) > 2 and node.inputs[2] is not None else {}


def _pairs(before: Any, after: Any) -> list[int]:
    """Core ML has before and after of each axis side by side."""
    return [int(pad) for pair in zip(before, after, strict=True) for pad in pair]


RULES: dict[str, Rule] = {
    "BatchNormalization": batch_normalisation,
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "Gemm": gemm,
    "MatMul": matmul,
}
