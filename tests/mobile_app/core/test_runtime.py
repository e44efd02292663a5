"""Graphs that load and run, and the sentences for those that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import Port, load_graph

onnx = pytest.importorskip("onnx")

ONE = np.float32([[1, 2]])


def write_graph(path: Path, operator: str = "Log", shape: tuple[int, ...] = (1, 2)) -> Path:
    """y = operator(x)."""
    tensor, helper = onnx.TensorProto.FLOAT, onnx.helper
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"])],
        "test",
        [helper.make_tensor_value_info("x", tensor, shape)],
        [helper.make_tensor_value_info("y", tensor, shape)],
    )
    opset = helper.make_opsetid("", 18)
    path.write_bytes(helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString())
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_graph(tmp_path / "log.onnx")


def test_a_graph_says_its_ports_and_computes(path):
    graph = load_graph(path)
    assert graph.name == "log"
    assert graph.inputs == {"x": Port((1, 2), "float32")}
    assert graph.outputs == {"y": Port((1, 2), "float32")}
    np.testing.assert_allclose(graph.run({"x": ONE})["y"], np.log(ONE), rtol=1e-6)


def test_a_graph_can_be_given_a_name_and_threads(path):
    graph = load_graph(path, name="objects", threads=1)
    assert graph.name == "objects"
    assert graph.run({"x": ONE})["y"].shape == (1, 2)


@pytest.mark.parametrize(("value", "what"), [(-1.0, "NaN"), (0.0, "infinity")])
def test_nan_or_infinity_from_a_graph_is_refused_by_the_output(path, value, what):
    with pytest.raises(GraphError, match="log: expected finite numbers in output y"):
        load_graph(path).run({"x": np.float32([[1, value]])})


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ({}, "nothing"),
        ({"x": np.zeros((1, 3), np.float32)}, r"float32 \(1, 3\)"),
        ({"x": np.zeros((1, 2))}, r"float64 \(1, 2\)"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_by_name(path, inputs, found):
    with pytest.raises(GraphError, match=rf"log: expected input x as float32 \(1, 2\), found {found}"):
        load_graph(path).run(inputs)


def test_an_input_that_the_graph_does_not_have_is_refused(path):
    with pytest.raises(GraphError, match="log: "):
        load_graph(path).run({"x": ONE, "label": ONE})


def test_a_missing_graph_is_refused_by_name(tmp_path):
    with pytest.raises(GraphError, match=r"none\.onnx: expected a graph .* found none"):
        load_graph(tmp_path / "none.onnx")


@pytest.mark.parametrize("data", [b"", b"not a graph", b"\x08\x09" * 50])
def test_a_file_that_is_no_graph_is_refused_by_name(tmp_path, data):
    (tmp_path / "broken.onnx").write_bytes(data)
    with pytest.raises(GraphError, match=r"broken\.onnx: the runtime cannot load this graph"):
        load_graph(tmp_path / "broken.onnx")


def test_a_graph_cut_short_is_refused_by_name(path):
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(GraphError, match=r"log\.onnx"):
        load_graph(path)


def test_an_operator_that_the_runtime_lacks_is_refused(tmp_path):
    with pytest.raises(GraphError, match="NoSuchOperator"):
        load_graph(write_graph(tmp_path / "new.onnx", "NoSuchOperator"))
