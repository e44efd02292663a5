"""Whole programs in the evaluator: reading them, rounding, and sentences for what it cannot do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.errors import ExportError
from export.mil import evaluate
from export.mil.evaluate import MilGraph, load_package
from mobile_app.core.runtime import Graph
from tests.export.coreml.conftest import RunMil, mil_program


def test_an_operator_without_a_rule_is_named() -> None:
    program, _ = mil_program("cumsum", {"x": np.ones(3, np.float32)}, axis=0)
    with pytest.raises(ExportError, match=r"^cumsum \(cumsum_\d+\): the MIL evaluator has no rule for this operator; "):
        MilGraph(program)


def test_inputs_of_another_shape_are_refused() -> None:
    program, _ = mil_program("relu", {"x": np.ones(3, np.float32)})
    with pytest.raises(ExportError, match=r"program: expected inputs of \{'x_0': \(3,\)\}, found \{'x_0': \(2,\)\}"):
        MilGraph(program).run({"x_0": np.ones(2, np.float32)})


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="expected a Core ML package, found none; make one with"):
        load_package(tmp_path / "nothing.mlpackage")


def test_a_constant_may_be_among_several_inputs(run_mil: RunMil) -> None:
    x = np.array([1, 2], np.float32)
    assert run_mil("maximum", {"x": x}, y=np.array([3, 0], np.float32))[0].tolist() == [3, 2]


def test_rounding_to_float16_is_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """float16 has 11 bits: between 2048 and 4096 it has even numbers alone, and nothing beyond 65504."""
    program, inputs = mil_program("add", {"x": np.array([2047, 2048, 65000], np.float32)}, y=np.float32(1))
    assert only_output(MilGraph(program), inputs) == [2048, 2049, 65001]
    monkeypatch.setattr(evaluate, "_is_half", lambda _var: True)
    assert only_output(MilGraph(program), inputs) == [2048, 2048, 64992]
    assert only_output(MilGraph(program, "float32"), inputs) == [2048, 2049, 65001]
    large = {"x_0": np.array([0, 1, 65536], np.float32)}
    assert only_output(MilGraph(program), large) == [1, 2, np.inf]


def test_an_engine_follows_a_program_as_any_other_graph() -> None:
    """Its protocol is that of the app's runtimes."""
    program, _ = mil_program("relu", {"x": np.ones(3, np.float32)})
    graph: Graph = MilGraph(program, name="objects")
    assert (graph.name, graph.inputs["x_0"].shape) == ("objects", (3,))
    assert [port.dtype for port in graph.outputs.values()] == ["float32"]
    assert graph.runtime == "MIL evaluator, activations as stored"


def only_output(graph: MilGraph, inputs: dict[str, np.ndarray]) -> list[float]:
    (array,) = graph.run(inputs).values()
    return array.tolist()
