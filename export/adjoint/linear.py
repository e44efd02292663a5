"""Adjoints of matrix products and of normalisation."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from export.adjoint.tape import Tape, constant_array, dims, elements, integer, number, require_constant
from export.errors import ExportError


def gemm(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """y = alpha A B + beta C, each transposed or not: alpha g B^T for A, alpha A^T g for B, beta g for C."""
    first, second = node.inputs[:2]
    assert first is not None
    assert second is not None
    flip_first, flip_second = bool(integer(node, "transA", 0)), bool(integer(node, "transB", 0))
    grad = tape.scale(grad, number(node, "alpha", 1.0))
    # Gemm itself can transpose its inputs, so the weights are read as they are stored.
    to_first = (
        tape.op("Gemm", second, grad, shape=dims(first), transA=int(flip_second), transB=1)
        if flip_first
        else tape.op("Gemm", grad, second, shape=dims(first), transB=int(not flip_second))
    )
    to_second = None
    if constant_array(second) is None:
        to_second = (
            tape.op("Gemm", grad, first, shape=dims(second), transA=1, transB=int(flip_first))
            if flip_second
            else tape.op("Gemm", first, grad, shape=dims(second), transA=int(not flip_first))
        )
    if len(node.inputs) > 2 and node.inputs[2] is not None and constant_array(node.inputs[2]) is None:
        raise ExportError(
            f"Gemm ({node.name}): expected a constant bias, found a computed one; write it as an addition"
        )
    return [to_first, to_second, None]


def matmul(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g B^T and A^T g, summed over the batch axes along which either was repeated."""
    first, second = node.inputs
    assert first is not None
    assert second is not None
    if len(dims(first)) < 2 or len(dims(second)) < 2:
        raise ExportError(f"MatMul ({node.name}): expected matrices, found a vector; give it a second axis")
    gradients: list[ir.Value | None] = [None, None]
    if constant_array(first) is None:
        gradients[0] = _product(tape, grad, _swap_last(tape, second), dims(first))
    if constant_array(second) is None:
        gradients[1] = _product(tape, _swap_last(tape, first), grad, dims(second))
    return gradients


def batch_normalisation(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * scale / sqrt(variance + epsilon), in eval mode: the statistics are constants."""
    image = node.inputs[0]
    assert image is not None
    scale, variance = (require_constant(node.inputs[i], node, "statistics").astype(np.float64) for i in (1, 4))
    slope = scale / np.sqrt(variance + number(node, "epsilon", 1e-5))
    factor = slope.astype(tape.dtype).reshape(-1, *[1] * (len(dims(image)) - 2))
    return [tape.like("Mul", grad, tape.constant(factor)), None, None, None, None]


def layer_normalisation(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """See `_normalise`; the statistics run over the last axes, scale and bias are constants."""
    x, scale = node.inputs[:2]
    assert x is not None
    assert scale is not None
    rank = len(dims(x))
    axes = list(range(integer(node, "axis", -1) % rank, rank))
    scaled = tape.like("Mul", grad, scale)
    return [_normalise(tape, x, scaled, axes, number(node, "epsilon", 1e-5)), None, None]


def instance_normalisation(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """See `_normalise`; the statistics run over a channel's pixels, scale and bias are constants.

    GroupNorm arrives as this on a reshaped image.
    """
    x = node.inputs[0]
    assert x is not None
    rank = len(dims(x))
    scale = require_constant(node.inputs[1], node, "scale").reshape(-1, *[1] * (rank - 2))
    scaled = tape.like("Mul", grad, tape.constant(scale.astype(tape.dtype)))
    return [_normalise(tape, x, scaled, list(range(2, rank)), number(node, "epsilon", 1e-5)), None, None]


def _normalise(tape: Tape, x: ir.Value, grad: ir.Value, axes: list[int], epsilon: float) -> ir.Value:
    """With h = (x - mean) / sqrt(var + epsilon): (g - mean(g) - h mean(g h)) / sqrt(var + epsilon)."""
    share = 1 / elements(dims(x)[axis] for axis in axes)

    def mean(value: ir.Value) -> ir.Value:
        return tape.scale(tape.sum(value, axes), share)

    centred = tape.like("Sub", x, mean(x))
    variance = mean(tape.like("Mul", centred, centred))
    deviation = tape.like("Sqrt", tape.like("Add", variance, tape.scalar(epsilon)))
    h = tape.like("Div", centred, deviation)
    along_h = tape.like("Mul", h, mean(tape.like("Mul", grad, h)))
    return tape.like("Div", tape.like("Sub", tape.like("Sub", grad, mean(grad)), along_h), deviation)


def _swap_last(tape: Tape, matrix: ir.Value) -> ir.Value:
    rank = len(dims(matrix))
    return tape.transpose(matrix, [*range(rank - 2), rank - 1, rank - 2])


def _product(tape: Tape, first: ir.Value, second: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    """first @ second, summed down to `shape`."""
    batch = np.broadcast_shapes(dims(first)[:-2], dims(second)[:-2])
    full = (*batch, dims(first)[-2], dims(second)[-1])
    product = tape.op("MatMul", first, second, shape=full)
    if full == shape:
        return product
    padded = (1,) * (len(full) - len(shape)) + shape
    repeated = [axis for axis, (own, size) in enumerate(zip(padded, full, strict=True)) if own != size]
    return tape.reshape(tape.sum(product, repeated), shape)


RULES = {
    "Gemm": gemm,
    "MatMul": matmul,
    "BatchNormalization": batch_normalisation,
    "LayerNormalization": layer_normalisation,
    "InstanceNormalization": instance_normalisation,
}
