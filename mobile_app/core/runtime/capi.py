"""Graphs through ONNX Runtime's C API by ctypes: the way in on a phone, where there is no onnxruntime wheel.

Nothing is copied on the way: the library reads the caller's arrays, and writes into arrays that are made for each run
and then belong to the caller. Only an output whose size the graph leaves open is made by the library and copied, since
its memory is gone with the value that holds it.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_app.core.runtime.capi_library import load_library
from mobile_app.core.runtime.capi_ports import ELEMENT_TYPES, dimensions, read_ports
from mobile_app.core.runtime.capi_table import OrtError, Table
from mobile_app.core.runtime.graph import (
    ERRORS_ONLY,
    Graph,
    Port,
    Runtime,
    RuntimeMissing,
    cannot_load,
    refuse_misfits,
    refuse_not_finite,
    stopped,
)

_ARENA, _DEFAULT_MEMORY = 1, 0  # OrtArenaAllocator, OrtMemTypeDefault


def open_runtime() -> Runtime:
    """Raises: RuntimeMissing if there is no library here, or one that is too old."""
    table = Table(load_library())
    try:
        env = table.make("CreateEnv", ERRORS_ONLY, b"petalveil")
        memory = table.make("CreateCpuMemoryInfo", _ARENA, _DEFAULT_MEMORY)
        table.call("CreateAndRegisterAllocator", env, memory, None)  # why: see the wheel's
    except OrtError as error:
        raise RuntimeMissing(f"ONNX Runtime {table.version} does not start, {error}") from error
    return _Library(f"onnxruntime C API {table.version}", table, env, memory)


@dataclass(frozen=True)
class _Library:
    """Lives as long as the process; so do its environment and the description of its memory."""

    label: str
    table: Table
    env: int
    memory: int

    def load(self, path: Path, *, name: str, threads: int | None) -> Graph:
        table = self.table
        try:
            with _owned(table, "SessionOptions", table.make("CreateSessionOptions")) as options:
                table.call("SetIntraOpNumThreads", options, threads or 0)
                # Why: see the wheel's.
                table.call("AddSessionConfigEntry", options, b"session.intra_op.allow_spinning", b"0")
                table.call("AddSessionConfigEntry", options, b"session.use_env_allocators", b"1")
                table.call("DisableMemPattern", options)
                session = table.make("CreateSession", self.env, os.fsencode(path), options)
            return _CApiGraph(name, self, session, path.name)
        except OrtError as error:
            raise cannot_load(path, error) from error


class _CApiGraph:
    """Takes the session over. Raises: GraphError, OrtError."""

    def __init__(self, name: str, library: _Library, session: int, file: str) -> None:
        # Not at the interpreter's end: a worker thread may still be in a run, and the process gives all back itself.
        weakref.finalize(self, library.table.release, "Session", session).atexit = False
        self.name = name
        self.runtime = library.label
        self.inputs: Mapping[str, Port] = read_ports(library.table, session, "Input", file)
        self.outputs: Mapping[str, Port] = read_ports(library.table, session, "Output", file)
        self._library = library
        self._session = session
        self._input_names = _strings(self.inputs)
        self._output_names = _strings(self.outputs)

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        refuse_misfits(self.name, self.inputs, inputs)
        given = [np.asarray(inputs[name], order="C") for name in self.inputs]  # held until the run is over
        made = [np.empty(port.shape, port.dtype) if port.is_fixed else None for port in self.outputs.values()]
        try:
            arrays = self._compute(given, made)
        except OrtError as error:
            raise stopped(self.name, error) from error
        outputs = dict(zip(self.outputs, arrays, strict=True))
        refuse_not_finite(self.name, outputs)
        return outputs

    def _compute(self, given: Sequence[np.ndarray], made: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        library, inputs, outputs = self._library, self.inputs.values(), self.outputs.values()
        with _values(library, given, inputs) as sources, _values(library, made, outputs) as targets:
            library.table.call(
                "Run",
                self._session,
                None,
                self._input_names,
                sources,
                len(given),
                self._output_names,
                len(made),
                targets,
            )
            return [
                _copied(library.table, value or 0, port) if array is None else array
                for array, value, port in zip(made, targets, outputs, strict=True)
            ]


@contextmanager
def _values(
    library: _Library, arrays: Sequence[np.ndarray | None], ports: Iterable[Port]
) -> Iterator[ctypes.Array[ctypes.c_void_p]]:
    """OrtValues over the memory of arrays, null for None; those, and what a run puts in a null's place, are released.

    Raises: OrtError.
    """
    values = (ctypes.c_void_p * len(arrays))()
    try:
        for place, (array, port) in enumerate(zip(arrays, ports, strict=True)):
            if array is not None:
                values[place] = _value(library, array, ELEMENT_TYPES[port.dtype])
        yield values
    finally:
        for value in values:
            library.table.release("Value", value or 0)


def _value(library: _Library, array: np.ndarray, element_type: int) -> int:
    return library.table.make(
        "CreateTensorWithDataAsOrtValue",
        library.memory,
        array.ctypes.data,
        array.nbytes,
        (ctypes.c_int64 * array.ndim)(*array.shape),
        array.ndim,
        element_type,
    )


def _copied(table: Table, value: int, port: Port) -> np.ndarray:
    with _owned(table, "TensorTypeAndShapeInfo", table.make("GetTensorTypeAndShape", value)) as info:
        shape = dimensions(table, info)
    array = np.empty(shape, port.dtype)
    ctypes.memmove(array.ctypes.data, table.make("GetTensorMutableData", value), array.nbytes)
    return array


@contextmanager
def _owned(table: Table, kind: str, thing: int) -> Iterator[int]:
    try:
        yield thing
    finally:
        table.release(kind, thing)


def _strings(names: Mapping[str, Port]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * len(names))(*(name.encode() for name in names))
