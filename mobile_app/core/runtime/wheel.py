"""Graphs through the onnxruntime wheel. The one module, the export's quantiser apart, that imports onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from mobile_app.core.runtime.graph import (
    ANY_LENGTH,
    ERRORS_ONLY,
    Graph,
    Port,
    Runtime,
    RuntimeMissing,
    cannot_load,
    first_line,
    port,
    refuse_misfits,
    refuse_not_finite,
    stopped,
)

if TYPE_CHECKING:
    import onnxruntime

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


def open_runtime() -> Runtime:
    """Raises: RuntimeMissing if the wheel is not installed or does not load here."""
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state  # pyright: ignore[reportAttributeAccessIssue]
    except ImportError as error:
        raise RuntimeMissing(f"the onnxruntime wheel does not import, {first_line(error)}") from error
    return _Wheel(onnxruntime, _errors(onnxruntime_pybind11_state))


class _Wheel:
    def __init__(self, library: ModuleType, errors: tuple[type[Exception], ...]) -> None:
        self.label = f"onnxruntime {library.__version__}"
        self._library: Any = library
        self._errors = errors
        # One store of memory for the runs of all graphs, which take turns: with one each, three gradient graphs hold
        # on to twice as much.
        kinds, purposes = library.OrtAllocatorType, library.OrtMemType
        memory = library.OrtMemoryInfo("Cpu", kinds.ORT_ARENA_ALLOCATOR, 0, purposes.DEFAULT)
        library.create_and_register_allocator(memory, None)

    def load(self, path: Path, *, name: str, threads: int | None) -> Graph:
        options = self._library.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = threads or 0
        # Spinning threads win a sixth of the time on an idle machine, but double it where another program wants the
        # core.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.enable_mem_pattern = False  # a plan of one block a graph takes more memory, and no less time
        try:
            session = self._library.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except self._errors as error:
            raise cannot_load(path, error) from error
        ports = [_ports(path.name, values) for values in (session.get_inputs(), session.get_outputs())]
        return _WheelGraph(name, self.label, session, ports[0], ports[1], self._errors)


class _WheelGraph:
    def __init__(
        self,
        name: str,
        runtime: str,
        session: onnxruntime.InferenceSession,
        inputs: Mapping[str, Port],
        outputs: Mapping[str, Port],
        errors: tuple[type[Exception], ...],
    ) -> None:
        self.name = name
        self.runtime = runtime
        self.inputs = inputs
        self.outputs = outputs
        self._session = session
        self._errors = errors

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        refuse_misfits(self.name, self.inputs, inputs)
        try:
            arrays = self._session.run(list(self.outputs), dict(inputs))
        except self._errors as error:
            raise stopped(self.name, error) from error
        outputs = {name: np.asarray(array) for name, array in zip(self.outputs, arrays, strict=True)}
        refuse_not_finite(self.name, outputs)
        return outputs


def _ports(file: str, values: list[Any]) -> dict[str, Port]:
    return {value.name: port(file, value.name, _shape(value.shape), _DTYPES.get(value.type)) for value in values}


def _shape(lengths: list[int | str | None]) -> tuple[int, ...]:
    return tuple(length if isinstance(length, int) else ANY_LENGTH for length in lengths)


def _errors(state: ModuleType) -> tuple[type[Exception], ...]:
    """The extension module derives its errors from Exception directly, one class a status code."""
    found = (value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception))
    return (RuntimeError, *found)
