"""What every runtime gives: a graph with named ports. And the checks that are the same whoever computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mobile_app.core.errors import GraphError

ANY_LENGTH = -1  # in a shape: the graph leaves this length open
# Of ONNX Runtime's severities: its warnings are about its own optimiser. Java has a name for the number.
ERRORS_ONLY, ERRORS_ONLY_IN_JAVA = 3, "ORT_LOGGING_LEVEL_ERROR"


@dataclass(frozen=True)
class Port:
    """An input or output of a graph."""

    shape: tuple[int, ...]
    dtype: str  # NumPy's name: "float32", "int64"

    @property
    def is_fixed(self) -> bool:
        """Whether the size is known before anything runs."""
        return ANY_LENGTH not in self.shape


class Graph(Protocol):
    """A loaded graph; whoever runs it needs to know nothing about the runtime behind it."""

    name: str
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    runtime: str  # which library computes, and its version, for reports: "onnxruntime 1.31.1"

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        """Compute every output; several threads may do so at once.

        Returns: arrays that are the caller's own: no later run changes them.
        Raises: GraphError if an input does not fit or an output is not finite.
        """
        ...


class Runtime(Protocol):
    """A library that is loaded and ready to read graphs."""

    @property
    def label(self) -> str:
        """Name and version, for reports."""
        ...

    def load(self, path: Path, *, name: str, threads: int | None) -> Graph:
        """Raises: GraphError if the file is not a graph that this runtime can run."""
        ...


class RuntimeMissing(GraphError):
    """A runtime that is not on this machine; the text says why in a few words."""


def port(file: str, name: str, shape: tuple[int, ...], dtype: str | None) -> Port:
    """Raises: GraphError for a type of element that no graph of ours has."""
    if dtype is None:
        raise GraphError(f"{file}: the runtime cannot load this graph (the type of {name} is not one of numbers)")
    return Port(shape, dtype)


def refuse_misfits(graph: str, ports: Mapping[str, Port], inputs: Mapping[str, np.ndarray]) -> None:
    """Raises: GraphError naming the input that is missing, unknown, or of another type or shape."""
    for name, wanted in ports.items():
        array = inputs.get(name)
        if array is None or array.dtype != wanted.dtype or not _fits(array.shape, wanted.shape):
            found = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise GraphError(f"{graph}: expected input {name} as {wanted.dtype} {wanted.shape}, found {found}")
    if len(inputs) > len(ports):
        unknown = ", ".join(sorted(set(inputs) - set(ports)))
        raise GraphError(f"{graph}: expected the inputs {', '.join(ports) or 'none'}, found {unknown} as well")


def refuse_not_finite(graph: str, outputs: Mapping[str, np.ndarray]) -> None:
    """Raises: GraphError naming the output with a NaN or an infinity in it."""
    for name, array in outputs.items():
        if not np.isfinite(array).all():
            raise GraphError(f"{graph}: expected finite numbers in output {name}, found NaN or infinity")


def cannot_load(path: Path, error: object) -> GraphError:
    """The error for a file that a runtime refuses, with the first line of the runtime's own words."""
    return GraphError(f"{path.name}: the runtime cannot load this graph ({first_line(error)})")


def stopped(graph: str, error: object) -> GraphError:
    """The error for a run that a runtime breaks off."""
    return GraphError(f"{graph}: the runtime stopped with an error ({first_line(error)})")


def first_line(error: object) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(b in (a, ANY_LENGTH) for a, b in zip(shape, wanted, strict=True))
