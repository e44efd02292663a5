"""Constants of a MIL program: as arguments of operators, and out of their compressed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def as_argument(value: Any, width: torch.dtype) -> Any:
    """Floats become tensors of the width that is computed in, whole numbers int64; truth values and text stay."""
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    if array.dtype.kind == "f":
        return torch.from_numpy(np.array(array)).to(width)
    return torch.from_numpy(np.array(array)) if array.dtype.kind == "b" else torch.from_numpy(array.astype(np.int64))


def affine(levels: np.ndarray, scale: np.ndarray, zero_point: np.ndarray, axis: int) -> np.ndarray:
    """scale (levels - zero_point), with one scale and zero point for all, or one for each index along `axis`."""
    shape = [-1 if place == axis % levels.ndim else 1 for place in range(levels.ndim)]
    scales, zeros = (array.reshape(shape) if array.ndim else array for array in (scale, zero_point.astype(np.float32)))
    return (levels.astype(np.float32) - zeros) * scales.astype(np.float32)


def palette(packed: np.ndarray, table: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers that indices name in a table; each has log2(len(table)) bits, packed from the lowest bit up."""
    bits = round(math.log2(len(table)))
    single = np.unpackbits(packed.astype(np.uint8), bitorder="little")[: math.prod(shape) * bits]
    indices = single.reshape(-1, bits) @ (1 << np.arange(bits))
    return table[indices].reshape(shape)


def _affine_of(op: Any) -> np.ndarray:
    levels, scale, zero = (np.asarray(part.val) for part in (op.quantized_data, op.scale, op.zero_point))
    return affine(levels, scale, zero, int(op.axis.val)).astype(scale.dtype)


def _palette_of(op: Any) -> np.ndarray:
    return palette(np.asarray(op.indices.val), np.asarray(op.lut.val), tuple(int(size) for size in op.shape.val))


DECOMPRESSED: dict[str, Callable[[Any], np.ndarray]] = {
    "constexpr_affine_dequantize": _affine_of,
    "constexpr_lut_to_dense": _palette_of,
}
