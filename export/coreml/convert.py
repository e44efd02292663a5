"""ONNX graph -> Core ML model, in one of four precisions, with what it is and where it comes from written into it.

float32 and float16 are what is stored and computed with; int8 and 6bit are stored weights, computed with in float16:
int8 with a scale for each channel, 6bit as places in a table of 64 numbers for each layer (k-means).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from export.adjoint.tape import dims
from export.coreml.tools import coremltools, quiet
from export.coreml.translate import EXACT, to_program
from export.errors import ExportError

PRECISIONS = ("float32", "float16", "int8", "6bit")
SUFFIX = ".mlpackage"
_SMALLEST_KERNEL = 2048  # weights that a layer has to have for its compression to be worth a table or scales
_NOTES = "com.github.apple.coremltools.conversion_date"  # would make two conversions of one graph different


def convert(model: ir.Model, precision: str = "float16") -> Any:
    """Translate a graph of static shapes and float32 weights; a coremltools MLModel for iOS 16, which is not loaded.

    The model is changed. Raises: ExportError for an operator without a translation, ValueError for the precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
    return compress(convert_float(model, in_half=precision != "float32"), precision)


def convert_float(model: ir.Model, *, in_half: bool) -> Any:
    """The model in float16 or float32. What is named EXACT stays in float32."""
    tools = coremltools()
    program = to_program(model, for_half=in_half)
    half = tools.transform.FP16ComputePrecision(op_selector=lambda op: not op.name.startswith(EXACT))
    with quiet():
        made = tools.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            minimum_deployment_target=tools.target.iOS16,
            compute_precision=half if in_half else tools.precision.FLOAT32,
            skip_model_load=True,
        )
    _describe_ports(made, model.graph)
    return made


def compress(made: Any, precision: str) -> Any:
    """The same model with smaller weights, for "int8" and "6bit"; the others stay."""
    if precision in ("float32", "float16"):
        return made
    tools = importlib.import_module("coremltools.optimize.coreml")
    with quiet(), np.errstate(divide="ignore", invalid="ignore"):  # a channel of zeros, as training leaves some
        if precision == "int8":
            settings = tools.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=_SMALLEST_KERNEL)
            return tools.linear_quantize_weights(made, tools.OptimizationConfig(global_config=settings))
        settings = tools.OpPalettizerConfig(mode="kmeans", nbits=6, weight_threshold=_SMALLEST_KERNEL)
        config = tools.OptimizationConfig(global_config=settings)
        for name in _depthwise(made):
            config.set_op_name(name, None)
        return tools.palettize_weights(made, config)


def save(made: Any, path: Path, *, title: str, version: str, licence: str, facts: Mapping[str, str]) -> None:
    """Write a package with its description into a folder that is there. Raises: ExportError for another suffix."""
    if path.suffix != SUFFIX:
        raise ExportError(f"{path.name}: expected a name that ends in {SUFFIX}")
    made.short_description, made.version, made.license, made.author = title, version, licence, "petalveil"
    made.user_defined_metadata.pop(_NOTES, None)
    for name, fact in facts.items():
        made.user_defined_metadata[name] = fact
    made.save(str(path))


def _depthwise(made: Any) -> list[str]:
    """Names of the kernels of depthwise convolutions: one in thirty weights, whose sizes differ most between channels,
    so that one table for all of a layer costs more there than it saves."""
    operations = made._mil_program.functions["main"].operations
    consts = [op.outputs[0] for op in operations if op.op_type == "const" and hasattr(op.outputs[0].val, "shape")]
    return [var.op.name for var in consts if len(var.val.shape) == 4 and var.val.shape[1] == 1]


def _describe_ports(made: Any, graph: ir.Graph) -> None:
    described = {
        "image": "(1, 3, S, S): RGB in [0, 1]; mean and deviation are part of the graph",
        "label": "(1,): the class whose loss is meant, counted from 0; int32, where ONNX has int64",
        "loss": "(1,), where ONNX has a scalar",
        "grad": "of the loss with respect to the image: following it raises the loss",
    }
    for ports, values in ((made.input_description, graph.inputs), (made.output_description, graph.outputs)):
        for value in values:
            ports[value.name] = described.get(str(value.name), f"{tuple(dims(value))}")
