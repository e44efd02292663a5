"""Each ONNX operator alone, translated and run by the MIL evaluator, against ONNX's reference implementation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

from export.coreml.operators import RULES
from export.coreml.translate import to_program
from export.coreml.unshuffle import PIXEL_UNSHUFFLE
from export.errors import ExportError
from tests.export.coreml.conftest import RunOnnx, onnx_model

RNG = np.random.default_rng(0)
X = np.array([[-2, -0.25, 0, 0.5, 3, 7]], np.float32)
POSITIVE = np.abs(X) + 1
IMAGE = RNG.normal(size=(1, 4, 6, 5)).astype(np.float32)
HOLDS = np.array([[True, True, False, False]]), np.array([[True, False, True, False]])
ONE = np.float32(1)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@dataclass(frozen=True)
class Case:
    name: str
    inputs: dict[str, np.ndarray]
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1


def one(name: str, x: np.ndarray = X, **attributes: Any) -> Case:
    return Case(name, {"x": x}, {}, attributes)


def two(name: str) -> Case:
    return Case(name, {"x": POSITIVE, "y": np.array([[2], [3]], np.float32)})


def compared(name: str) -> Case:
    return Case(name, {"x": X, "y": np.full_like(X, 0.5)})


def with_constants(name: str, x: np.ndarray = IMAGE, /, outputs: int = 1, **given: Any) -> Case:
    constants = {key: value for key, value in given.items() if isinstance(value, np.ndarray | np.float32)}
    arrays = {key: np.asarray(value) for key, value in constants.items()}
    return Case(name, {"x": x}, arrays, {key: value for key, value in given.items() if key not in arrays}, outputs)


CASES = [
    *(one(name) for name in "Abs Erf Exp Identity Neg Relu Sigmoid Sign Softplus Tanh HardSwish".split()),
    *(one(name, POSITIVE) for name in "Log Sqrt Reciprocal".split()),
    *(two(name) for name in "Add Sub Mul Div Pow Max Min".split()),
    *(compared(name) for name in "Equal Greater GreaterOrEqual Less LessOrEqual".split()),
    *(Case(name, {"x": HOLDS[0], "y": HOLDS[1]}) for name in ("And", "Or")),
    Case("Not", {"x": HOLDS[1]}),
    Case("Where", {"c": X > 0, "x": X, "y": -X}),
    one("Cast", to=6),  # int32
    one("LeakyRelu", alpha=0.1),
    one("HardSigmoid", alpha=0.2, beta=0.5),
    one("HardSigmoid", alpha=-1 / 6, beta=1.0),
    with_constants("Clip", X, low=np.float32(0), high=np.float32(6)),
    with_constants("Clip", X, low=np.float32(-1), high=ONE),
    with_constants("Clip", X, low=np.float32(0)),
    with_constants("Clip", X, low=np.float32(-1)),
    Case("Clip", {"x": X}, {"_low": ONE, "high": ONE}),
    # Layers
    with_constants("Conv", w=normal(8, 4, 3, 3), b=normal(8), pads=[1, 0, 2, 1], strides=[2, 1]),
    with_constants("Conv", w=normal(4, 1, 3, 2), group=4, dilations=[2, 1]),
    with_constants("ConvTranspose", w=normal(4, 2, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 0]),
    with_constants("ConvTranspose", w=normal(4, 1, 3, 3), group=4, strides=[2, 2], output_padding=[0, 1]),
    with_constants("Gemm", X, b=normal(4, 6), c=normal(4), transB=1, alpha=2.0, beta=0.5),
    with_constants("Gemm", X.T.copy(), b=normal(6, 4), transA=1),
    with_constants("MatMul", normal(2, 3, 4), b=normal(4, 5)),
    with_constants("BatchNormalization", s=normal(4), b=normal(4), m=normal(4), v=np.abs(normal(4)), epsilon=1e-3),
    # Losses
    one("Softmax", axis=1),
    one("LogSoftmax", axis=1),
    Case("OneHot", {"x": ints(2)}, {"depth": np.array(4), "values": np.array([0, 1], np.float32)}, {"axis": 1}),
    Case("SoftmaxCrossEntropyLoss", {"x": X, "label": ints(3)}),
    # Pooling
    one("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    one("MaxPool", IMAGE, kernel_shape=[2, 3], strides=[2, 1], pads=[1, 1, 0, 1]),
    one("AveragePool", IMAGE, kernel_shape=[2, 2], strides=[2, 2], pads=[1, 0, 0, 1]),
    one("AveragePool", IMAGE, kernel_shape=[2, 2], pads=[1, 0, 0, 1], count_include_pad=1),
    one("GlobalAveragePool", IMAGE),
    # Moving elements, and sums
    with_constants("Reshape", s=ints(2, -1)),
    with_constants("Squeeze", X[:, None], a=ints(1)),
    with_constants("Unsqueeze", X, a=ints(0, 3)),
    one("Flatten", IMAGE),
    one("Transpose", IMAGE, perm=[0, 2, 3, 1]),
    one("Transpose", X),
    Case("Concat", {"x": X, "y": -X}, {}, {"axis": 1}),
    one("Split", IMAGE, axis=1, num_outputs=2),
    with_constants("Expand", X, s=ints(2, 3, 6)),
    with_constants("Slice", starts=ints(1, -2), ends=ints(3, 100), axes=ints(1, 3)),
    with_constants("Slice", starts=ints(-1), ends=ints(-(2**31)), axes=ints(2), steps=ints(-2)),
    with_constants("Slice", starts=ints(4), ends=ints(1), axes=ints(2), steps=ints(-1)),
    with_constants("Gather", i=ints(2, 0, -1), axis=1),
    with_constants("Gather", i=ints(3, 2, 1, 0), axis=1),
    with_constants("Pad", p=ints(0, 0, 1, 2, 0, 0, 0, 1), v=np.float32(3)),
    with_constants("Pad", p=ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect"),
    with_constants("Pad", p=ints(0, 0, 1, 1, 0, 0, 1, 1), mode="edge"),
    one("SpaceToDepth", IMAGE[..., :4], blocksize=2),
    one("DepthToSpace", IMAGE, blocksize=2),
    one("DepthToSpace", IMAGE, blocksize=2, mode="CRD"),
    Case(
        "Resize",
        {"x": IMAGE},
        {"_roi": ONE, "scales": np.array([1, 1, 2, 3], np.float32)},
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    *(with_constants(name, a=ints(2, 3), keepdims=0) for name in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")),
    with_constants("ReduceMean", a=ints(-1)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_operator_computes_what_onnx_says(case: Case, run_onnx: RunOnnx) -> None:
    wanted = by_reference(case)
    found = run_onnx(case.name, case.inputs, wanted, case.constants, **case.attributes)
    for have, want in zip(found, wanted, strict=True):
        assert have.shape == (want.shape or (1,))
        np.testing.assert_allclose(have, want.reshape(have.shape), rtol=2e-6, atol=2e-6)


def test_every_operator_has_a_case() -> None:
    assert RULES.keys() == {case.name for case in CASES} | {
        "ScatterElements",
        PIXEL_UNSHUFFLE,
    }  # see test_gradients, test_unshuffle


def test_the_whole_sum_is_a_vector_of_one(run_onnx: RunOnnx) -> None:
    (found,) = run_onnx("ReduceSum", {"x": X}, [np.array(8.25, np.float32)], {"a": ints(0, 1)}, keepdims=0)
    assert found.tolist() == [8.25]


def test_negative_padding_cuts_off(run_onnx: RunOnnx) -> None:
    x = np.array([[1, 2, 3]], np.float32)
    (found,) = run_onnx("Pad", {"x": x}, [np.zeros((2, 2), np.float32)], {"p": ints(1, -1, 0, 0)})
    assert found.tolist() == [[0, 0], [2, 3]]


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [
        (1e30, 0.0, [0, 0, 0, 1, 1, 1]),
        (1e30, 1.0, [0, 0, 1, 1, 1, 1]),
        (-1e30, 0.0, [1, 1, 0, 0, 0, 0]),
        (-1e30, 1.0, [1, 1, 1, 0, 0, 0]),
    ],
)
def test_a_step_has_no_number_that_float16_lacks(
    run_onnx: RunOnnx, alpha: float, beta: float, expected: list[int]
) -> None:
    (found,) = run_onnx("HardSigmoid", {"x": X}, [X], alpha=alpha, beta=beta)
    assert found.tolist() == [expected]


def test_an_operator_without_translation_is_named() -> None:
    model = onnx_model("Det", {"x": np.eye(2, dtype=np.float32)}, [np.array(1, np.float32)], {})
    with pytest.raises(ExportError, match=r"^Det .*: there is no translation to Core ML for this operator; "):
        to_program(model)


def test_a_sixth_axis_is_refused() -> None:
    model = onnx_model("Reshape", {"x": X}, [X.reshape(1, 1, 1, 2, 3, 1)], {"s": ints(1, 1, 1, 2, 3, 1)})
    with pytest.raises(ExportError, match="expected 5 axes at most, which is what Core ML has, found 6"):
        to_program(model)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (Case("Resize", {"x": IMAGE}, {"_": ONE, "s": np.float32([1, 1, 2, 2])}, {"mode": "linear"}), "nearest"),
        (one("AveragePool", IMAGE, kernel_shape=[4, 4], strides=[3, 3], ceil_mode=1), "found ceil_mode"),
        (one("MaxPool", IMAGE, kernel_shape=[2, 2], dilations=[2, 2]), "dilated pooling"),
        (Case("SoftmaxCrossEntropyLoss", {"x": X, "label": ints(3)}, {}, {"reduction": "none"}), "one image"),
        (Case("ScatterElements", {"x": X, "i": np.zeros((1, 6), int), "u": X}, {}, {"axis": 1}), "another scatter"),
    ],
)  # fmt: skip
def test_what_core_ml_lacks_is_said_in_a_sentence(case: Case, message: str) -> None:
    model = onnx_model(case.name, case.inputs, by_reference(case), case.constants, **case.attributes)
    with pytest.raises(ExportError, match=message):
        to_program(model)


def by_reference(case: Case) -> list[np.ndarray]:
    outputs = [X] * (2 if case.name == "Split" else 1)
    model = onnx_model(case.name, case.inputs, outputs, case.constants, **case.attributes)
    return [np.asarray(array) for array in ReferenceEvaluator(ir.to_proto(model)).run(None, dict(case.inputs))]
