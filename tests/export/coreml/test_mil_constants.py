"""Compressed weights, out of their forms by hand and as coremltools does it."""

from __future__ import annotations

import numpy as np
import pytest

from export.coreml.tools import coremltools, mil
from export.mil.constants import DECOMPRESSED, affine, palette


def test_affine_by_hand() -> None:
    levels = np.array([[1, -2], [3, 4]], np.int8)
    scale, zero = np.array([0.5, 10], np.float32), np.array([1, 2], np.int8)
    assert affine(levels, scale, zero, axis=0).tolist() == [[0, -1.5], [10, 20]]
    assert affine(levels, scale, zero, axis=1).tolist() == [[0, -40], [1, 20]]
    assert affine(levels, np.array(2, np.float32), np.array(1, np.int8), axis=0).tolist() == [[0, -6], [4, 6]]


def test_zero_points_do_not_overflow() -> None:
    levels = np.array([-128, 127], np.int8)
    assert affine(levels, np.array(1, np.float32), np.array(127, np.int8), axis=0).tolist() == [-255, 0]


def test_palette_by_hand() -> None:
    """Five indices of two bits, from the lowest up: the example of MIL's own documents."""
    packed = np.array([0b01_10_11_00, 0b00_00_00_11], np.uint8)
    table = np.array([10, 11, 12, 13], np.float16)
    assert palette(packed, table, (5,)).tolist() == [10, 13, 12, 11, 13]


def test_six_bits_go_over_the_edges_of_bytes() -> None:
    """37, 2 and 63 in six bits each: 100101 is the low part, 10 of 000010 fills the byte."""
    packed = np.array([0b10_100101, 0b1111_0000, 0b000000_11], np.uint8)
    assert palette(packed, np.arange(64, dtype=np.float16), (3,)).tolist() == [37, 2, 63]


@pytest.mark.parametrize("kind", ["constexpr_affine_dequantize", "constexpr_lut_to_dense"])
def test_it_is_what_coremltools_itself_makes_of_them(kind: str) -> None:
    rng = np.random.default_rng(0)
    kinds, given = mil(), {}
    if kind == "constexpr_affine_dequantize":
        levels = rng.integers(-128, 128, (4, 3, 2)).astype(np.int8)
        scale, zero = rng.random(3).astype(np.float16), rng.integers(-9, 9, 3).astype(np.int8)
        given = {"quantized_data": levels, "scale": scale, "zero_point": zero, "axis": np.int32(1)}
    else:
        table = rng.normal(size=64).astype(np.float16)
        packed = rng.integers(0, 256, 18).astype(np.uint8)  # 24 indices of six bits
        given = {"indices": packed, "lut": table, "shape": np.array([4, 3, 2], np.uint32)}
    with kinds.Function({}, opset_version=coremltools().target.iOS16) as function:
        made = getattr(kinds.Builder, kind)(**given)
        function.set_outputs([made])
    wanted = made.op.materialized_val_inference()
    np.testing.assert_allclose(DECOMPRESSED[kind](made.op), wanted, rtol=1e-3)
    assert wanted.shape == (4, 3, 2)
    assert float(np.std(wanted.astype(np.float32))) > 0.1
