"""A float32 graph and photos in, the same graph in 8-bit whole numbers out (QDQ), with what stayed float and why.

Weights become signed 8-bit numbers with a scale for each output channel, activations unsigned 8-bit numbers with the
range that they had on the photos (Jacob et al. 2018, arXiv:1712.05877; Krishnamoorthi 2018, arXiv:1806.08342), after
the biases were corrected (see export/bias.py). Scales and ranges are ONNX Runtime's; its quantiser is used at the desk
alone, and only this module may import it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from export.bias import correct_biases
from export.errors import ExportError
from export.storage import IR_VERSION

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the library loads; see mobile_app/core/runtime

from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

QUANTISED = ("Conv", "Clip", "Relu", "Add", "MaxPool", "Concat")
_ACTIVATIONS = ("Clip", "Relu")
FEWEST_PHOTOS = 8
WEIGHT_LEVELS = 64  # on each side of zero: 7 bits, see `reduce_range` below

# Why an operator is not among the above; an operator that stands in neither list is refused.
FLOAT_REASONS = {
    "Mul": "scales the image before it is quantised: one multiplication a pixel",
    "Sub": "shifts the image before it is quantised: one subtraction a pixel",
    "ReduceMean": "an average of the head's output, in which 8 bits would be the resolution of the answer itself",
    "Conv": "the head: 8 bits for its output would be the resolution of the answer itself, at 0.4 % of the work",
    "Gemm": "the head: 8 bits for its output would be the resolution of the answer itself, at 0.4 % of the work",
    "Add": "the head's bias, a number a class",
    "Relu": "the head's, on numbers that are float already",
    "Clip": "the head's, on numbers that are float already",
    **dict.fromkeys(
        (
            "Concat",
            "Gather",
            "Identity",
            "Reshape",
            "Slice",
            "SpaceToDepth",
            "Split",
            "Squeeze",
            "Transpose",
            "Unsqueeze",
        ),
        "moves numbers and computes none",
    ),
}
# The same of a graph that makes a picture, or what a picture is made of.
_LAST = "makes the picture: 8 bits would be the resolution of the answer itself"
PICTURE_REASONS = {
    **dict.fromkeys(("Add", "Clip", "Conv", "ConvTranspose", "ReduceSum", "Relu", "Sigmoid", "Tanh"), _LAST),
    **dict.fromkeys(("Div", "Mul", "Sub"), "scales or shifts: one operation a number"),
    **dict.fromkeys(
        ("AveragePool", "Gemm", "ReduceMean", "Resize"), "averages, or one number a channel: hardly any work"
    ),
    **dict.fromkeys(("Cast", "Greater"), "makes the bits of the code"),
    "DepthToSpace": "moves numbers and computes none",
    "Max": "bends the curves of a stand-in for a codec: 8 bits would be steps like those that it stands in for",
}
# Before a classifier there may be a network that does what a codec does.
_STAND_IN = {name: PICTURE_REASONS[name] for name in ("ConvTranspose", "Max", "ReduceSum")}
_MADE_KERNEL = "Conv: its kernel is a view that another operator makes, not a constant to be rounded"


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """A graph in 8 bits."""

    model: onnx.ModelProto
    photos: int  # that it was calibrated on
    in_int8: int  # operators
    in_float: dict[str, str]  # node -> "operator: reason"


def quantise(path: Path, images: Sequence[np.ndarray]) -> Quantised:
    """Quantise a graph of one input; whatever comes after the head's input, the last activation, stays float.

    Args:
        path: .onnx file with float32 weights inside.
        images: (1, 3, S, S) float32 in [0, 1], as the phone would give them to the graph; of a decoder, its codes.
    Raises: ExportError for fewer than eight images, or an operator of which it is not known whether it may stay float.
    """
    if len(images) < FEWEST_PHOTOS:
        raise ExportError(f"calibration: expected {FEWEST_PHOTOS} photos or more, found {len(images)}; add some")
    nodes = ir.load(path).graph
    kept = _in_float(nodes)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        corrected, out = Path(folder) / "corrected.onnx", Path(folder) / "int8.onnx"
        correct_biases(path, corrected, images, keep=kept, levels=WEIGHT_LEVELS)
        quantize_static(
            str(corrected),
            str(out),
            _Reader(nodes.inputs[0].name or "", images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=list(kept),
            per_channel=True,
            # Without VNNI, x86 adds two products of 8-bit numbers in 16 bits and clips the sum; with 7 bits for the
            # weights that sum always fits, and every machine gives the same.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},  # one odd photo does not stretch the range of all
        )
        model = onnx.load(out)
    return Quantised(model=_cleaned(model), photos=len(images), in_int8=len(nodes) - len(kept), in_float=kept)


class _Reader(CalibrationDataReader):
    def __init__(self, name: str, images: Sequence[np.ndarray]) -> None:
        self._name, self._images = name, iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        image = next(self._images, None)
        return None if image is None else {self._name: image}


def _in_float(graph: ir.Graph) -> dict[str, str]:
    """Nodes that stay float, with the reason of each: all but QUANTISED, and all that comes after the body."""
    end = _end_of_body(graph)
    classifies = "logits" in {value.name for value in graph.outputs}
    reasons = FLOAT_REASONS | (_STAND_IN if classifies else PICTURE_REASONS)
    kept = {}
    for index, node in enumerate(graph):
        if node.op_type in QUANTISED and index <= end:
            if node.op_type == "Conv" and not _is_constant(node.inputs[1]):
                kept[node.name or ""] = _MADE_KERNEL
            continue
        reason = reasons.get(node.op_type)
        if reason is None:
            raise ExportError(
                f"{node.op_type} ({node.name}): no rule says whether it is quantised; add it to export/quantise.py"
            )
        kept[node.name or ""] = f"{node.op_type}: {reason}"
    return kept


def _end_of_body(graph: ir.Graph) -> int:
    """Index of the last activation before the head, which is the last operator that has weights."""
    operators = [node.op_type for node in graph]
    activations = [index for index, name in enumerate(operators) if name in _ACTIVATIONS]
    head = max((index for index, name in enumerate(operators) if name in ("Conv", "Gemm")), default=0)
    before = [index for index in activations if index < head]
    return max(before or activations, default=len(operators))


def _is_constant(value: ir.Value | None) -> bool:
    return value is not None and value.const_value is not None


def _cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without what tells where it was made, and without imports of operator sets that it does not use."""
    used = {node.domain for node in model.graph.node}
    opsets = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    del model.metadata_props[:]
    model.producer_name, model.producer_version, model.ir_version = "petalveil", "", IR_VERSION
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser's advice to run its own optimiser first: the graph is clean already."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
