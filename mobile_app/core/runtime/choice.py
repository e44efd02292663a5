"""Which runtime loads a graph: the first in the order that is on this machine, unless one is asked for by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from mobile_app.core import memory
from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import capi, coreml, java, wheel
from mobile_app.core.runtime.graph import Graph, Runtime, RuntimeMissing

VARIABLE = "PETALVEIL_RUNTIME"  # forces one, like load_graph's `backend`

_OPENERS: dict[str, Callable[[], Runtime]] = {
    "wheel": wheel.open_runtime,
    "capi": capi.open_runtime,
    "java": java.open_runtime,
    "coreml": coreml.open_runtime,
}
BACKENDS = tuple(_OPENERS)  # in the order in which they are tried


def load_graph(path: Path, *, name: str | None = None, threads: int | None = None, backend: str | None = None) -> Graph:
    """Load an .onnx file, or a Core ML model; weights kept in a file beside it are found there.

    Args:
        threads: of the runtime for one operator; None lets it use one a physical core.
        backend: one of BACKENDS; None takes PETALVEIL_RUNTIME, or else the first that this machine has.
    Raises: GraphError if the file is missing or is not a graph that this runtime can run, or there is no such runtime.
    """
    if not path.exists() or (path.is_dir() and not coreml.is_model(path)):
        raise GraphError(f"{path.name}: expected a graph at {path.parent}, found none; restore the bundle")
    if coreml.is_model(path) and backend is None:
        backend = "coreml"  # the others read .onnx alone
    graph = _runtime(backend).load(path, name=name or path.stem, threads=threads)
    memory.give_back()  # preparing a graph takes twice what it holds in the end
    return graph


def runtime_label(backend: str | None = None) -> str:
    """Name and version of the runtime that `load_graph` would take, for reports: "onnxruntime 1.31.1".

    Raises: GraphError if there is none.
    """
    return _runtime(backend).label


def available_backends() -> dict[str, str]:
    """The label of each runtime that this machine has, by the name of its backend, in the order of BACKENDS."""
    labels = {}
    for name in BACKENDS:
        try:
            labels[name] = _opened(name).label
        except RuntimeMissing:
            continue
    return labels


def _runtime(backend: str | None) -> Runtime:
    forced = backend or os.environ.get(VARIABLE)
    if not forced:
        return _first()
    if forced not in BACKENDS:
        field = "backend" if backend else VARIABLE
        raise GraphError(f"{field}: expected one of {', '.join(BACKENDS)}, found {forced!r}")
    try:
        return _opened(forced)
    except RuntimeMissing as error:
        raise GraphError(f"runtime {forced}: {error}") from error


def _first() -> Runtime:
    reasons = []
    for name in BACKENDS:
        try:
            return _opened(name)
        except RuntimeMissing as error:
            reasons.append(f"{name}: {error}")
    raise GraphError(f"expected a runtime for graphs, found none ({'; '.join(reasons)}); install onnxruntime")


@cache  # a library loads once a process; one that is missing is looked for again
def _opened(name: str) -> Runtime:
    return _OPENERS[name]()
