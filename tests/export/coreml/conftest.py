"""What the tests of the Core ML side share: one MIL operator, and one ONNX operator, as a program of its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.coreml.tools import coremltools, mil
from export.coreml.translate import to_program
from export.mil.evaluate import Activations, MilGraph

Arrays = Mapping[str, np.ndarray]
RunMil = Callable[..., list[np.ndarray]]
RunOnnx = Callable[..., list[np.ndarray]]


@pytest.fixture(scope="session", autouse=True)
def _needs_coremltools() -> None:
    if importlib.util.find_spec("coremltools") is None:
        pytest.skip("needs coremltools, which has no wheels for this Python: see pyproject.toml")


@pytest.fixture
def run_mil() -> RunMil:
    """Runs one MIL operator in the evaluator: run(name, {argument: array or list of arrays}, **constants)."""

    def run(name: str, tensors: Mapping[str, Any], activations: Activations = "float64", **constants: Any) -> Any:
        program, inputs = mil_program(name, tensors, **constants)
        graph = MilGraph(program, activations)
        found = graph.run(inputs)
        return [found[output] for output in graph.outputs]

    return run


def mil_program(name: str, tensors: Mapping[str, Any], **constants: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """A program of one operator, whose outputs have the shapes that coremltools infers; and its inputs."""
    kinds = mil()
    types = {"f": kinds.types.fp32, "i": kinds.types.int32, "b": kinds.types.bool}
    inputs: dict[str, np.ndarray] = {}
    for argument, given in tensors.items():
        for place, array in enumerate(given if isinstance(given, list) else [given]):
            inputs[f"{argument}_{place}"] = array
    placeholders = {
        key: kinds.Placeholder(sym_shape=array.shape, dtype=types[array.dtype.kind], name=key)
        for key, array in inputs.items()
    }
    with kinds.Function(placeholders, opset_version=coremltools().target.iOS16) as function:
        arguments = {
            argument: [function.inputs[f"{argument}_{place}"] for place in range(len(given))]
            if isinstance(given, list)
            else function.inputs[f"{argument}_0"]
            for argument, given in tensors.items()
        }
        made = getattr(kinds.Builder, name)(**arguments, **constants)
        function.set_outputs(list(made) if isinstance(made, list | tuple) else [made])
    program = kinds.Program()
    program.add_function("main", function)
    return program, inputs


@pytest.fixture
def run_onnx() -> RunOnnx:
    """Translates one ONNX operator and runs it in the evaluator, in float64."""

    def run(
        name: str, inputs: Arrays, outputs: list[np.ndarray], constants: Arrays | None = None, **attributes: Any
    ) -> list[np.ndarray]:
        model = onnx_model(name, inputs, outputs, constants or {}, **attributes)
        graph = MilGraph(to_program(model), "float64")
        narrow = {key: array.astype(np.int32) if array.dtype.kind == "i" else array for key, array in inputs.items()}
        found = graph.run(narrow)
        return [found[output] for output in graph.outputs]

    return run


def onnx_model(name: str, inputs: Arrays, outputs: list[np.ndarray], constants: Arrays, **attributes: Any) -> ir.Model:
    """A graph of one operator: inputs and constants in the order given, outputs of the shapes and types of `outputs`.

    A name that begins with _ among the constants stands for an input that is left out.
    """
    kinds = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}
    names = [f"out_{place}" for place in range(len(outputs))]
    graph = helper.make_graph(
        [helper.make_node(name, [*inputs, *("" if key[0] == "_" else key for key in constants)], names, **attributes)],
        "one",
        [helper.make_tensor_value_info(key, kinds[array.dtype.kind], array.shape) for key, array in inputs.items()],
        [
            helper.make_tensor_value_info(key, kinds[array.dtype.kind], array.shape)
            for key, array in zip(names, outputs, strict=True)
        ],
        [numpy_helper.from_array(array, key) for key, array in constants.items() if key[0] != "_"],
    )
    return ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))
