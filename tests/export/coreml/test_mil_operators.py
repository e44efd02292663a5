"""Each operator of the MIL evaluator alone, against values worked out by hand.

The programs are built by coremltools, so that names and types of the arguments are MIL's own, and the shapes that come
out have to be those that it infers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from export.errors import ExportError
from export.mil.operators import RULES
from tests.export.coreml.conftest import RunMil, mil_program


def row(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def grid(*rows: tuple[float, ...]) -> np.ndarray:
    """(1, 1, H, W)."""
    return np.array(rows, np.float32)[None, None]


@dataclass(frozen=True)
class Case:
    name: str
    tensors: dict[str, Any]
    wanted: Any  # array, or a list of arrays
    constants: dict[str, Any] = field(default_factory=dict)


X = row(-2, 0, 0.5, 3)
COUNT = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)  # 0 to 15, row by row
LEFT, RIGHT = row(1, 2, 3), row(3, 2, 1)
TRUE_FALSE = np.array([True, True, False, False]), np.array([True, False, True, False])


def of_both(name: str, wanted: np.ndarray) -> Case:
    return Case(name, {"x": LEFT, "y": RIGHT}, wanted)


def logical(name: str, *wanted: bool) -> Case:
    return Case(name, {"x": TRUE_FALSE[0], "y": TRUE_FALSE[1]}, np.array(wanted))


CASES = [
    # Element by element
    Case("abs", {"x": X}, row(2, 0, 0.5, 3)),
    Case("ceil", {"x": X}, row(-2, 0, 1, 3)),
    Case("floor", {"x": X}, row(-2, 0, 0, 3)),
    Case("round", {"x": row(-1.6, 0.4, 2.6)}, row(-2, 0, 3)),
    Case("sign", {"x": X}, row(-1, 0, 1, 1)),
    Case("square", {"x": X}, row(4, 0, 0.25, 9)),
    Case("identity", {"x": X}, X),
    Case("relu", {"x": X}, row(0, 0, 0.5, 3)),
    Case("relu6", {"x": row(-1, 5, 7)}, row(0, 5, 6)),
    Case("exp", {"x": row(0, 1)}, np.array([1, math.e])),
    Case("erf", {"x": row(0, 1)}, np.array([0, math.erf(1)])),
    Case("log", {"x": row(1, 4)}, np.array([0, math.log(4)]), {"epsilon": np.float32(0)}),
    Case("sqrt", {"x": row(0, 9)}, row(0, 3)),
    Case("rsqrt", {"x": row(0, 3)}, row(1, 0.5), {"epsilon": np.float32(1)}),
    Case("inverse", {"x": row(0, 3)}, row(1, 0.25), {"epsilon": np.float32(1)}),
    Case("sigmoid", {"x": row(0, 2)}, np.array([0.5, 1 / (1 + math.exp(-2))])),
    Case("silu", {"x": row(0, 2)}, np.array([0, 2 / (1 + math.exp(-2))])),
    Case("softplus", {"x": row(0, 2)}, np.array([math.log(2), math.log(1 + math.exp(2))])),
    Case("tanh", {"x": row(0, 1)}, np.array([0, math.tanh(1)])),
    Case("gelu", {"x": row(0, 1)}, np.array([0, 0.5 * (1 + math.erf(1 / math.sqrt(2)))]), {"mode": "EXACT"}),
    Case("clip", {"x": X}, row(-1, 0, 0.5, 2), {"alpha": np.float32(-1), "beta": np.float32(2)}),
    Case("leaky_relu", {"x": X}, row(-0.5, 0, 0.5, 3), {"alpha": np.float32(0.25)}),
    Case("linear_activation", {"x": X}, row(-3, 1, 2, 7), {"alpha": np.float32(2), "beta": np.float32(1)}),
    Case("sigmoid_hard", {"x": X}, row(0, 0.5, 0.75, 1), {"alpha": np.float32(0.5), "beta": np.float32(0.5)}),
    Case("cast", {"x": row(-1.5, 0, 2.5)}, np.array([-1, 0, 2]), {"dtype": "int32"}),
    of_both("add", row(4, 4, 4)),
    of_both("sub", row(-2, 0, 2)),
    of_both("mul", row(3, 4, 3)),
    of_both("real_div", np.array([1 / 3, 1, 3])),
    of_both("pow", row(1, 4, 3)),
    of_both("maximum", row(3, 2, 3)),
    of_both("minimum", row(1, 2, 1)),
    of_both("equal", np.array([False, True, False])),
    of_both("not_equal", np.array([True, False, True])),
    of_both("greater", np.array([False, False, True])),
    of_both("greater_equal", np.array([False, True, True])),
    of_both("less", np.array([True, False, False])),
    of_both("less_equal", np.array([True, True, False])),
    logical("logical_and", True, False, False, False),
    logical("logical_or", True, True, True, False),
    Case("logical_not", {"x": TRUE_FALSE[1]}, np.array([False, True, False, True])),
    Case("select", {"cond": TRUE_FALSE[1], "a": X, "b": -X}, row(-2, 0, 0.5, -3)),
    # Layers: the kernel's tap at row 0, column 1 alone, so that what comes out is the pixel to the upper right
    Case(
        "conv",
        {"x": COUNT},
        grid((2, 4), (10, 12)) - grid((1, 1), (1, 1)),
        {"weight": grid((0, 1), (0, 0)), "strides": [2, 2], "pad_type": "valid"},
    ),
    Case(
        "conv_transpose",
        {"x": grid((1, 2), (3, 4))},
        grid((0, 1, 0), (30, 0, 40), (0, 3, 0)),  # of 4 x 4: each pixel v is 10 v and, down to the right, v
        {"weight": grid((10, 0), (0, 1)), "strides": [2, 2], "pad_type": "custom", "pad": [1, 0, 0, 1]},
    ),
    Case(
        "linear",
        {"x": np.array([[1, 2]], np.float32)},
        np.array([[15, 26]], np.float32),
        {"weight": np.array([[1, 2], [2, 2]], np.float32), "bias": row(10, 20)},
    ),
    Case(
        "matmul",
        {"x": np.array([[1, 2]], np.float32), "y": np.array([[1, 2], [3, 4]], np.float32)},
        np.array([[5, 11]], np.float32),
        {"transpose_y": True},
    ),
    Case(
        "batch_norm",
        {"x": grid((1, 3))},
        grid((8, 14)),
        {"mean": row(1), "variance": row(3), "gamma": row(6), "beta": row(8), "epsilon": np.float32(1)},
    ),
    Case("softmax", {"x": row(0, math.log(3))}, np.array([0.25, 0.75]), {"axis": 0}),
    Case(
        "one_hot",
        {"indices": np.array([1, 3], np.int32)},
        np.array([[5, 7, 5], [5, 5, 5]], np.float32),
        {"one_hot_vector_size": 3, "on_value": np.float32(7), "off_value": np.float32(5)},
    ),
    # Pooling and sums
    Case(
        "max_pool",
        {"x": -COUNT},
        grid((0, -1), (-4, -5)),
        {"kernel_sizes": [3, 3], "strides": [2, 2], "pad_type": "custom", "pad": [1, 0, 1, 0]},
    ),
    Case(
        "avg_pool",
        {"x": COUNT},
        grid((0 / 1, 3 / 2), (12 / 2, 30 / 4)),
        {
            "kernel_sizes": [2, 2],
            "strides": [2, 2],
            "pad_type": "custom",
            "pad": [1, 0, 1, 0],
            "exclude_padding_from_average": True,
        },
    ),
    Case("reduce_sum", {"x": COUNT}, grid((6,), (22,), (38,), (54,)), {"axes": [3], "keep_dims": True}),
    Case("reduce_mean", {"x": COUNT}, np.array([[[6, 7, 8, 9]]]), {"axes": [2], "keep_dims": False}),
    Case("reduce_max", {"x": COUNT}, np.array([[[12, 13, 14, 15]]]), {"axes": [2]}),
    Case("reduce_min", {"x": COUNT}, np.array([[[0, 4, 8, 12]]]), {"axes": [-1]}),
    Case("reduce_log_sum_exp", {"x": row(0, math.log(3))}, np.array([math.log(4)]), {"axes": [0], "keep_dims": True}),
    # Moving elements
    Case("reshape", {"x": COUNT}, COUNT.reshape(2, 8), {"shape": [2, -1]}),
    Case("transpose", {"x": np.array([[1, 2], [3, 4]], np.float32)}, np.array([[1, 3], [2, 4]]), {"perm": [1, 0]}),
    Case("expand_dims", {"x": LEFT}, LEFT.reshape(1, 3, 1), {"axes": [0, 2]}),
    Case("squeeze", {"x": LEFT.reshape(1, 3, 1)}, LEFT.reshape(3, 1), {"axes": [0]}),
    Case("concat", {"values": [LEFT, RIGHT]}, row(1, 2, 3, 3, 2, 1), {"axis": 0}),
    Case("stack", {"values": [LEFT, RIGHT]}, np.array([[1, 3], [2, 2], [3, 1]]), {"axis": 1}),
    Case("split", {"x": row(1, 2, 3, 4)}, [row(1), row(2, 3, 4)], {"split_sizes": [1, 3], "axis": 0}),
    Case("slice_by_index", {"x": row(0, 1, 2, 3, 4)}, row(1, 3), {"begin": [1], "end": [5], "stride": [2]}),
    Case("slice_by_size", {"x": row(0, 1, 2, 3, 4)}, row(1, 2, 3), {"begin": [1], "size": [3]}),
    Case("gather", {"x": COUNT}, COUNT[:, :, :, [3, 0]], {"indices": np.array([3, 0], np.int32), "axis": 3}),
    Case(
        "pad",
        {"x": grid((1, 2))},
        grid((9, 9, 9, 9), (9, 1, 2, 9)),
        {"pad": [0, 0, 0, 0, 1, 0, 1, 1], "constant_val": np.float32(9)},
    ),
    Case("tile", {"x": LEFT}, row(1, 2, 3, 1, 2, 3), {"reps": [2]}),
    Case("reverse", {"x": LEFT}, RIGHT, {"axes": [0]}),
    Case(
        "space_to_depth",
        {"x": COUNT},
        np.stack([grid((0, 2), (8, 10))[0, 0] + more for more in (0, 1, 4, 5)])[None],
        {"block_size": 2},
    ),
    Case(
        "depth_to_space",
        {"x": np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)},
        grid((0, 1), (2, 3)),
        {"block_size": 2},
    ),
    Case(
        "pixel_shuffle",
        {"x": np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)},
        grid((0, 1), (2, 3)),
        {"upscale_factor": 2},
    ),
    Case(
        "pixel_unshuffle",
        {"x": grid((0, 1), (2, 3))},
        np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1),
        {"downscale_factor": np.uint32(2)},
    ),
    Case(
        "upsample_nearest_neighbor",
        {"x": grid((1, 2))},
        grid((1, 1, 1, 2, 2, 2), (1, 1, 1, 2, 2, 2)),
        {"scale_factor_height": 2, "scale_factor_width": 3},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_operator_gives_what_was_worked_out_by_hand(case: Case, run_mil: RunMil) -> None:
    found = run_mil(case.name, case.tensors, **case.constants)
    wanted = case.wanted if isinstance(case.wanted, list) else [case.wanted]
    inferred = [
        tuple(var.shape) for var in mil_program(case.name, case.tensors, **case.constants)[0].functions["main"].outputs
    ]
    assert [array.shape for array in found] == inferred
    for have, want in zip(found, wanted, strict=True):
        assert have.shape == want.shape
        np.testing.assert_allclose(have, want, rtol=1e-6, atol=1e-7)


def test_every_operator_has_a_case() -> None:
    assert RULES.keys() == {case.name for case in CASES}


def test_channels_of_several_kinds_tell_the_two_orders_of_depth_apart(run_mil: RunMil) -> None:
    """Two channels in blocks of two: space_to_depth has the channels innermost, pixel_unshuffle outermost."""
    image = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    (depth,) = run_mil("space_to_depth", {"x": image}, block_size=2)
    assert depth.ravel().tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert (
        run_mil("depth_to_space", {"x": depth.astype(np.float32)}, block_size=2)[0].ravel().tolist()
        == image.ravel().tolist()
    )
    (folded,) = run_mil("pixel_unshuffle", {"x": image}, downscale_factor=np.uint32(2))
    assert folded.ravel().tolist() == list(range(8))
    assert run_mil("pixel_shuffle", {"x": folded.astype(np.float32)}, upscale_factor=2)[0].ravel().tolist() == list(
        range(8)
    )


def test_masks_of_a_slice_mean_the_ends_of_the_axis(run_mil: RunMil) -> None:
    (found,) = run_mil("slice_by_index", {"x": row(0, 1, 2, 3)}, begin=[3], end=[0], stride=[-2], end_mask=[True])
    assert found.tolist() == [3, 1]


def test_padding_can_repeat_the_rim(run_mil: RunMil) -> None:
    image = grid((1, 2, 3))
    amounts = [0, 0, 0, 0, 0, 0, 1, 1]
    assert run_mil("pad", {"x": image}, pad=amounts, mode="reflect")[0].ravel().tolist() == [2, 1, 2, 3, 2]
    assert run_mil("pad", {"x": image}, pad=amounts, mode="replicate")[0].ravel().tolist() == [1, 1, 2, 3, 3]


def test_groups_and_dilation_of_a_convolution(run_mil: RunMil) -> None:
    image = np.stack([COUNT[0, 0], 100 * COUNT[0, 0]])[None]
    kernel = np.zeros((2, 1, 2, 2), np.float32)
    kernel[0, 0, 0, 0], kernel[1, 0, 1, 1] = 1, 2
    (found,) = run_mil(
        "conv", {"x": image}, weight=kernel, dilations=[3, 3], groups=2, pad_type="valid", bias=row(5, 0)
    )
    assert found.ravel().tolist() == [0 + 5, 2 * 1500]


@pytest.mark.parametrize(
    ("name", "tensors", "constants", "message"),
    [
        ("conv", {"x": COUNT}, {"weight": grid((1, 1), (1, 1)), "pad_type": "same"}, "expected valid or custom"),
        (
            "max_pool",
            {"x": COUNT},
            {"kernel_sizes": [3, 3], "strides": [2, 2], "pad_type": "valid", "ceil_mode": True},
            "ceil",
        ),
        ("upsample_nearest_neighbor", {"x": COUNT}, {"scale_factor_height": np.float32(1.5)}, "whole factors"),
        ("concat", {"values": [LEFT, RIGHT]}, {"axis": 0, "interleave": True}, "one after the other"),
    ],
)
def test_what_a_rule_does_not_cover_is_refused(
    name: str, tensors: dict[str, Any], constants: dict[str, Any], message: str, run_mil: RunMil
) -> None:
    with pytest.raises(ExportError, match=message):
        run_mil(name, tensors, **constants)
