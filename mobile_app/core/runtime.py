"""The one module that loads an inference runtime: `load_graph(path)` -> a graph that maps named arrays to named arrays.

ONNX Runtime sends telemetry by default from release 1.29 on. The variable below stops it for the whole process, and
it works only if it is set before the library loads, so nothing else in petalveil may import onnxruntime.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mobile_app.core.errors import GraphError

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state  # pyright: ignore[reportAttributeAccessIssue]

_ERRORS_ONLY = 3  # of ONNX Runtime's severities: its warnings are about its own optimiser


@dataclass(frozen=True)
class Port:
    """An input or output of a graph."""

    shape: tuple[int, ...]
    dtype: str  # NumPy's name: "float32", "int64"


class Graph(Protocol):
    """A loaded graph; whoever runs it needs to know nothing about the runtime behind it."""

    name: str
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        """Compute every output.

        Raises: GraphError if an input does not fit or an output is not finite.
        """
        ...


def load_graph(path: Path, *, name: str | None = None, threads: int | None = None) -> Graph:
    """Load an .onnx file; weights kept in a file beside it are found there.

    Args:
        threads: of the runtime for one operator; None lets it use one a physical core.
    Raises: GraphError if the file is missing or is not a graph that this runtime can run.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    # Spinning threads win a sixth of the time on an idle machine, but double it where another program wants the core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not path.is_file():
        raise GraphError(f"{path.name}: expected a graph at {path.parent}, found none; restore the bundle")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _RUNTIME_ERRORS as error:
        raise GraphError(f"{path.name}: the runtime cannot load this graph ({_first_line(error)})") from error
    return _OnnxRuntimeGraph(name or path.stem, session)


class _OnnxRuntimeGraph:
    def __init__(self, name: str, session: onnxruntime.InferenceSession) -> None:
        self.name = name
        self.inputs: Mapping[str, Port] = {
            value.name: Port(tuple(value.shape), _DTYPES[value.type]) for value in session.get_inputs()
        }
        self.outputs: Mapping[str, Port] = {
            value.name: Port(tuple(value.shape), _DTYPES[value.type]) for value in session.get_outputs()
        }
        self._session = session

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        for name, port in self.inputs.items():
            array = inputs.get(name)
            if array is None or array.shape != port.shape or array.dtype != port.dtype:
                found = "nothing" if array is None else f"{array.dtype} {array.shape}"
                raise GraphError(f"{self.name}: expected input {name} as {port.dtype} {port.shape}, found {found}")
        try:
            arrays = self._session.run(list(self.outputs), dict(inputs))
        except _RUNTIME_ERRORS as error:
            raise GraphError(f"{self.name}: the runtime stopped with an error ({_first_line(error)})") from error
        outputs = {name: np.asarray(array) for name, array in zip(self.outputs, arrays, strict=True)}
        for name, array in outputs.items():
            if not np.isfinite(array).all():
                raise GraphError(f"{self.name}: expected finite numbers in output {name}, found NaN or infinity")
        return outputs


# The extension module derives its errors from Exception directly, one class a status code.
_RUNTIME_ERRORS = (
    RuntimeError,
    *(
        error
        for error in vars(onnxruntime_pybind11_state).values()
        if isinstance(error, type) and issubclass(error, Exception)
    ),
)
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
