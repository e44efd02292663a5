"""Each graph against what it gave when the bundle was made: rows that can be printed, saved and tested."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mobile_app.core.bundle import Bundle, reference_image, sample
from mobile_app.core.engines import takes_steps
from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import Graph
from mobile_app.core.sensing import reference_measurements

LOWEST_COSINE = 0.999
# Of the largest value. A pre-activation near zero may change sign between two machines and flip a mask of the backward
# pass, which moves single values of a gradient and hardly its direction.
LARGEST_RELATIVE = {"grad": 0.2}
LARGEST_RELATIVE_ELSE = 0.02
# Of an int8 graph: where two machines round a sum to two neighbouring levels, all that follows moves by such levels.
LARGEST_RELATIVE_INT8 = 0.1
LOWEST_COSINE_INT8 = 0.99
# Of a graph that takes steps: each carries on what the one before rounded, and single values may end at the other end
# of their bound.
LARGEST_RELATIVE_IN_STEPS = 2.0
LOWEST_COSINE_IN_STEPS = 0.98


@dataclass(frozen=True, kw_only=True)
class Row:
    """One output of one graph; NaN where there is nothing to compare."""

    graph: str
    output: str
    cosine: float
    relative: float  # largest difference by largest value
    ok: bool
    note: str = ""


def selftest(bundle: Bundle, load: Callable[[str], Graph]) -> list[Row]:
    """Run every graph of a bundle on the reference image.

    Args:
        load: name of a graph -> the graph.
    Returns: a row for each output; a graph that does not load or run, or has nothing stored, is a row that is not ok.
    """
    stored = bundle.reference_outputs()
    rows: list[Row] = []
    for name, entry in bundle.graphs.items():
        try:
            graph = load(name)
            outputs = graph.run(reference_inputs(graph, entry.size_px))
        except GraphError as error:
            rows.append(_missing(name, "-", str(error)))
        else:
            rows += compare(name, outputs, stored, precision=entry.precision, in_steps=takes_steps(graph))
    return rows


def reference_inputs(graph: Graph, size_px: int) -> dict[str, np.ndarray]:
    """What the stored outputs were made from: the reference image and, where a graph takes them, label 0, a bound of
    8 levels, and looks at the middle; a pattern where it takes measurements."""
    if "measurements" in graph.inputs:
        return {"measurements": reference_measurements(graph.inputs["measurements"].shape)}
    inputs = {"image": reference_image(size_px)}
    if "label" in graph.inputs:
        inputs["label"] = np.zeros(1, np.int64)
    if takes_steps(graph):
        inputs["bound"] = np.full_like(inputs["image"], 8 / 255)
        inputs["visits"] = np.full(graph.inputs["visits"].shape, [size_px / 2, size_px / 2, 0], np.float32)
    return inputs


def compare(
    graph: str,
    outputs: Mapping[str, np.ndarray],
    stored: Mapping[str, np.ndarray],
    *,
    precision: str = "float16",
    in_steps: bool = False,
) -> list[Row]:
    """A row for each output of a graph, and for each stored one that it no longer has.

    Args:
        outputs: whole arrays by name.
        stored: arrays named `graph/output`, as `sample` left them.
        precision: of the graph; one in int8 may differ by more.
        in_steps: whether it takes several, and may differ by more.
    """
    rows = [
        _row(graph, name, sample(array), stored.get(f"{graph}/{name}"), precision, in_steps)
        for name, array in outputs.items()
    ]
    absent = [key.partition("/")[2] for key in stored if key.partition("/")[0] == graph]
    rows += [
        _missing(graph, name, "stored, but the graph has no such output") for name in absent if name not in outputs
    ]
    return rows


def _row(graph: str, output: str, found: np.ndarray, wanted: np.ndarray | None, precision: str, in_steps: bool) -> Row:
    if wanted is None:
        return _missing(graph, output, "nothing stored to compare with")
    if found.shape != wanted.shape:
        return _missing(graph, output, f"expected {wanted.size} values, found {found.size}")
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    cosine, relative = _cosine(a, b), _relative(a, b)
    limit, lowest = LARGEST_RELATIVE.get(output, LARGEST_RELATIVE_ELSE), LOWEST_COSINE
    if precision == "int8":
        limit, lowest = LARGEST_RELATIVE_INT8, LOWEST_COSINE_INT8
    elif in_steps:
        limit, lowest = LARGEST_RELATIVE_IN_STEPS, LOWEST_COSINE_IN_STEPS
    return Row(graph=graph, output=output, cosine=cosine, relative=relative, ok=cosine >= lowest and relative <= limit)


def _missing(graph: str, output: str, note: str) -> Row:
    return Row(graph=graph, output=output, cosine=math.nan, relative=math.nan, ok=False, note=note)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """NaN where one of the two is all zeros: a graph that gives zeros has nothing to show."""
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a @ b) / norms if norms else math.nan


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    largest = float(np.abs(b).max(initial=0))
    return float(np.abs(a - b).max(initial=0)) / largest if largest else math.nan
