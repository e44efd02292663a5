"""Graphs through ONNX Runtime's Java API by pyjnius: the fallback on Android, should the C library not be found.

Arrays do not cross from Python to Java: pyjnius would carry them number by number. Both sides see the same memory
instead (java_memory.py), and a run copies the inputs in and the outputs out.

On the desk it is taken only where PETALVEIL_ORT_JAR names the jar. On Android a thread that Python started finds none
of the app's own classes, so `runtime_label()` has to be called once on the main thread before another loads a graph.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobile_app.core.runtime.graph import (
    ERRORS_ONLY_IN_JAVA,
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
from mobile_app.core.runtime.java_memory import SharedArrays
from mobile_app.core.runtime.java_threads import JavaThreads

VARIABLE = "PETALVEIL_ORT_JAR"
# Every class that is used or comes back from a call: all are looked up at once, on the thread that may find them.
_CLASSES = (
    "ai.onnxruntime.NodeInfo",
    "ai.onnxruntime.OnnxJavaType",
    "ai.onnxruntime.OnnxTensor",
    "ai.onnxruntime.OrtEnvironment",
    "ai.onnxruntime.OrtLoggingLevel",
    "ai.onnxruntime.OrtSession",
    "ai.onnxruntime.OrtSession$Result",
    "ai.onnxruntime.OrtSession$RunOptions",
    "ai.onnxruntime.OrtSession$SessionOptions",
    "ai.onnxruntime.TensorInfo",
    "ai.onnxruntime.ValueInfo",
    "java.io.RandomAccessFile",
    "java.nio.channels.FileChannel$MapMode",
    "java.util.HashMap",
    "java.util.HashSet",
)
_DTYPES = {
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "FLOAT16": "float16",
    "INT64": "int64",
    "INT32": "int32",
    "INT8": "int8",
    "UINT8": "uint8",
    "BOOL": "bool",
}
_JAVA_TYPES = {dtype: name for name, dtype in _DTYPES.items()}


def open_runtime() -> Runtime:
    """Starts a Java machine where there is none yet.

    Raises: RuntimeMissing if there is no Java with ONNX Runtime's classes here.
    """
    if not _is_android():
        _name_the_jar()
    try:
        import jnius  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError, RuntimeError, SystemError) as error:  # what it raises where it finds no Java
        raise RuntimeMissing(f"pyjnius does not start Java, {first_line(error)}") from error
    return _Java(jnius)


class _Java:
    """ONNX Runtime's classes and its environment, which lives as long as the process."""

    def __init__(self, jnius: Any) -> None:
        self.error: type[Exception] = jnius.JavaException
        self.cast = jnius.cast
        self.threads = JavaThreads(jnius.detach)
        self.threads.enter()
        try:
            self.classes = {name.rpartition(".")[2].rpartition("$")[2]: jnius.autoclass(name) for name in _CLASSES}
            level = getattr(self.classes["OrtLoggingLevel"], ERRORS_ONLY_IN_JAVA)
            self.environment: Any = self.classes["OrtEnvironment"].getEnvironment(level, "petalveil")
            self.label = f"onnxruntime Java API {self.environment.getVersion()}"
        except self.error as error:
            raise RuntimeMissing(f"Java has no ONNX Runtime, {first_line(error)}") from error

    def load(self, path: Path, *, name: str, threads: int | None) -> Graph:
        self.threads.enter()
        try:
            session = self._session(path, threads)
            inputs = self._ports(path.name, session.getInputInfo())
            outputs = self._ports(path.name, session.getOutputInfo())
            return _JavaGraph(name, self, session, inputs, outputs)
        except self.error as error:
            raise cannot_load(path, error) from error

    def _session(self, path: Path, threads: int | None) -> Any:
        options = self.classes["SessionOptions"]()
        try:
            options.setIntraOpNumThreads(threads or 0)
            options.addConfigEntry("session.intra_op.allow_spinning", "0")  # why not: see the wheel's
            return self.environment.createSession(str(path), options)
        finally:
            options.close()

    def _ports(self, file: str, infos: Any) -> dict[str, Port]:
        """Raises: GraphError for an output or input without numbers, or of a size that the graph leaves open."""
        ports = {}
        for node in _each(infos.values()):
            name, info = node.getName(), node.getInfo()
            shape, dtype = (), None
            if info.getClass().getName() == "ai.onnxruntime.TensorInfo":
                tensor = self.cast("ai.onnxruntime.TensorInfo", info)
                shape, dtype = tuple(tensor.getShape()), _DTYPES.get(tensor.type.toString())
            ports[name] = port(file, name, shape, dtype)
            if not ports[name].is_fixed:
                raise cannot_load(Path(file), f"the Java API is used with fixed sizes, {name} is {shape}")
        return ports


class _JavaGraph:
    def __init__(
        self, name: str, java: _Java, session: Any, inputs: Mapping[str, Port], outputs: Mapping[str, Port]
    ) -> None:
        self.name = name
        self.runtime = java.label
        self.inputs = inputs
        self.outputs = outputs
        self._java = java
        self._session = session
        self._lock = threading.Lock()  # there is one memory for all runs
        ports = (*inputs.values(), *outputs.values())
        shared = SharedArrays(java.classes, ports)
        self._given, self._made = shared.arrays[: len(inputs)], shared.arrays[len(inputs) :]
        tensors = [self._tensor(port, buffer) for port, buffer in zip(ports, shared.buffers, strict=True)]
        self._sources = self._map(inputs, tensors[: len(inputs)])
        self._targets = self._map(outputs, tensors[len(inputs) :])
        self._no_names = java.classes["HashSet"]()  # besides the pinned outputs, which are all of them
        self._options = java.classes["RunOptions"]()
        closing = (*tensors, self._options, session)
        # Not at the interpreter's end: a worker thread may still be in a run.
        weakref.finalize(self, _close, java.threads, closing).atexit = False

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        refuse_misfits(self.name, self.inputs, inputs)
        self._java.threads.enter()
        with self._lock:
            for array, name in zip(self._given, self.inputs, strict=True):
                array[...] = inputs[name]
            try:
                # With fewer arguments pyjnius takes the method that wants a set where this one wants a map.
                self._session.run(self._sources, self._no_names, self._targets, self._options).close()
            except self._java.error as error:
                raise stopped(self.name, error) from error
            outputs = {name: array.copy() for array, name in zip(self._made, self.outputs, strict=True)}
        refuse_not_finite(self.name, outputs)
        return outputs

    def _tensor(self, port: Port, buffer: Any) -> Any:
        kind = getattr(self._java.classes["OnnxJavaType"], _JAVA_TYPES[port.dtype])
        create = self._java.classes["OnnxTensor"].createTensor
        return create(self._java.environment, buffer, list(port.shape), kind)

    def _map(self, names: Mapping[str, Port], tensors: Sequence[Any]) -> Any:
        found = self._java.classes["HashMap"]()
        for name, tensor in zip(names, tensors, strict=True):
            found.put(name, tensor)
        return found


def _name_the_jar() -> None:
    """Raises: RuntimeMissing."""
    jar = Path(os.environ.get(VARIABLE, ""))
    if not jar.name:
        raise RuntimeMissing(f"not on Android, and {VARIABLE} names no jar")
    if not jar.is_file():
        raise RuntimeMissing(f"{VARIABLE}: expected ONNX Runtime's jar at {jar}, found none")
    try:
        import jnius_config  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise RuntimeMissing(f"pyjnius does not import, {first_line(error)}") from error
    if not jnius_config.vm_running:
        jnius_config.add_classpath(str(jar))


def _close(threads: JavaThreads, things: Sequence[Any]) -> None:
    threads.enter()
    for thing in things:
        thing.close()


def _each(collection: Any) -> Iterator[Any]:
    entries = collection.iterator()
    while entries.hasNext():
        yield entries.next()


def _is_android() -> bool:
    return hasattr(sys, "getandroidapilevel") or "ANDROID_ARGUMENT" in os.environ
