"""ONNX Runtime's own tools for phones: into how many parts its providers cut a graph, and .ort files.

They are used at the desk alone; only this module may import them. They count by type of operator and do not look at
attributes, so what they find is the least that a provider leaves out.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from export.errors import ExportError

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the library loads; see mobile_app/core/runtime

from onnxruntime.tools.convert_onnx_models_to_ort import OptimizationStyle, _convert
from onnxruntime.tools.mobile_helpers import usability_checker
from onnxruntime.tools.onnx_model_utils import ModelProtoWithShapeInfo, is_fixed_size_tensor, optimize_model

NNAPI, CORE_ML, CORE_ML_OLD, XNNPACK = "NNAPI", "Core ML program", "Core ML network", "XNNPACK"

# The wheel has no list for XNNPACK. These are the operators that its provider takes; Clip and Relu it takes where it
# can merge them into what stands before them.
_XNNPACK = frozenset("AveragePool Clip Conv ConvTranspose Gemm MatMul MaxPool QLinearConv Relu Resize Softmax".split())


@dataclass(frozen=True, kw_only=True)
class Partitions:
    """How a provider would cut a graph."""

    provider: str
    parts: int
    taken: int  # operators
    operators: int
    left: Mapping[str, int]  # operators that the provider leaves to the processor, and how many


def partitions(path: Path) -> list[Partitions]:
    """By ONNX Runtime's usability checker, of the graph as it is after the optimisations that suit every machine."""
    model = _with_shapes(path)
    return [_counted(name, check(model), model) for name, check in _CHECKS.items()]


def moving_shapes(path: Path) -> list[str]:
    """Names of the inputs, outputs and inner values without a fixed shape, as far as the file tells shapes."""
    graph = onnx.load(path, load_external_data=False).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return [value.name for value in values if not is_fixed_size_tensor(value)]


def to_ort(path: Path, folder: Path) -> Path:
    """Convert a graph, with weights that stand beside it, to a file in ONNX Runtime's own format.

    It is laid out for Arm, so that it runs on every machine, if more slowly on this one.

    Raises: ExportError if there is no such graph.
    """
    if not path.is_file():
        raise ExportError(f"{path}: expected an .onnx file, found none; check the path")
    try:
        onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ExportError(f"{path.name}: expected an .onnx file, found something else; name another") from error
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, contextlib.redirect_stdout(io.StringIO()):
        # What is left out of the public function is a list of operators, for whoever builds the runtime with few.
        (converted,) = _convert(
            path.resolve(),
            Path(made),
            "all",
            OptimizationStyle.Fixed,
            None,  # pyright: ignore[reportArgumentType]
            create_optimized_onnx_model=False,
            allow_conversion_failures=False,
            target_platform="arm",
            session_options_config_entries={"session.qdqisint8allowed": "1"},
        )
        return Path(shutil.copyfile(converted, folder / converted.name))


def _with_shapes(path: Path) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / path.name
        optimize_model(path, optimised, use_external_initializers=True)
        return ModelProtoWithShapeInfo(optimised).model_with_shape_info


def _core_ml(kind: str) -> Callable[[onnx.ModelProto], Any]:
    return lambda model: usability_checker.check_coreml_partitions(model, True, f"coreml_supported_{kind}_ops.md")


class _XnnpackOperators:
    """What the checker asks for, of a list that the wheel does not have."""

    def is_op_supported(self, node: onnx.NodeProto) -> bool:
        return not node.domain and node.op_type in _XNNPACK

    def get_caveats(self) -> list[str]:
        return []


_CHECKS: dict[str, Callable[[onnx.ModelProto], Any]] = {
    NNAPI: lambda model: usability_checker.check_nnapi_partitions(model, True),
    CORE_ML: _core_ml("mlprogram"),
    CORE_ML_OLD: _core_ml("neuralnetwork"),
    XNNPACK: lambda model: usability_checker.check_partitioning(
        model.graph,
        _XnnpackOperators(),  # pyright: ignore[reportArgumentType]
        True,
    ),
}


def _counted(provider: str, found: Any, model: onnx.ModelProto) -> Partitions:
    operators = Counter(node.op_type for node in model.graph.node)
    left = {name.rpartition(":")[2] for name in found.unsupported_ops} | set(found.ops_with_unsupported_rank)
    return Partitions(
        provider=provider,
        parts=found.num_partitions,
        taken=found.num_supported_nodes,
        operators=found.num_nodes,
        left={name: operators[name] for name in sorted(left)},
    )
