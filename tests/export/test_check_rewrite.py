"""Operators that cut a graph into parts, in others: the same numbers, fewer parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from export.check.rewrite import in_one_part
from export.check.run import check, check_graph, rewritten
from export.check.tools import CORE_ML
from export.errors import ExportError
from mobile_app.core.bundle import load_bundle
from mobile_app.core.runtime import load_graph
from mobile_app.core.selftest import reference_inputs

GONE = {"SpaceToDepth", "OneHot", "SoftmaxCrossEntropyLoss", "Expand"}


@pytest.mark.parametrize("name", ["objects.gradient", "flowers.gradient"])
def test_gradient_graph_is_one_part_and_computes_the_same(name: str, tmp_path: Path) -> None:
    path = load_bundle().path(name)
    changed = rewritten(path, tmp_path)
    found = check_graph(changed)
    assert check_graph(path).parts(CORE_ML) == 7
    assert found.parts(CORE_ML) == 1
    assert found.faults == ()
    assert not GONE & {node.op_type for node in onnx.load(changed).graph.node}
    graphs = load_graph(path, threads=1), load_graph(changed, threads=1)
    inputs = {**reference_inputs(graphs[0], graphs[0].inputs["image"].shape[-1]), "label": np.array([5])}
    before, after = (graph.run(inputs) for graph in graphs)
    assert graphs[0].outputs == graphs[1].outputs
    for output, array in before.items():
        np.testing.assert_allclose(after[output], array, rtol=1e-4, atol=1e-5 * np.abs(array).max(), err_msg=output)


@pytest.mark.parametrize("label", [0, 2])
def test_loss_and_one_hot_by_hand(label: int, tmp_path: Path) -> None:
    graph = _rewritten(_loss_graph(), tmp_path)
    found = graph.run({"logits": np.log(np.array([[1, 2, 5]], np.float32)), "label": np.array([label])})
    assert found["loss"] == pytest.approx(-np.log([1 / 8, 2 / 8, 5 / 8][label]))
    assert found["hot"].tolist() == [[float(index == label) for index in range(3)]]


def test_loss_of_what_is_ruled_out_stays_finite(tmp_path: Path) -> None:
    graph = _rewritten(_loss_graph(), tmp_path)
    found = graph.run({"logits": np.array([[0, 0, 200]], np.float32), "label": np.array([0])})
    assert found["loss"] == pytest.approx(87.5, abs=0.1)


def test_space_to_depth_without_a_split_keeps_its_order(tmp_path: Path) -> None:
    ports = [_port("image", [1, 2, 4, 4]), _port("deep", [1, 8, 2, 2])]
    graph = helper.make_graph(
        [helper.make_node("SpaceToDepth", ["image"], ["deep"], blocksize=2)], "g", ports[:1], ports[1:]
    )
    image = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
    found = _rewritten(graph, tmp_path).run({"image": image})["deep"]
    assert found.shape == (1, 8, 2, 2)
    assert found[0, :2, 0, 0].tolist() == [0, 16]  # upper left of each channel, then upper right
    assert found[0, 2:4, 0, 0].tolist() == [1, 17]


def test_loss_that_is_no_mean_is_refused(tmp_path: Path) -> None:
    graph = _loss_graph()
    graph.node[0].attribute[0].s = b"sum"
    with pytest.raises(ExportError, match="expected the mean over one label"):
        _rewritten(graph, tmp_path)


def test_one_hot_of_other_values_is_refused(tmp_path: Path) -> None:
    graph = _loss_graph()
    graph.initializer[1].CopyFrom(helper.make_tensor("values", TensorProto.FLOAT, [2], [0.0, 2.0]))
    with pytest.raises(ExportError, match="expected the values 0 and 1"):
        _rewritten(graph, tmp_path)


def test_command_checks_what_it_rewrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = load_bundle().path("objects.gradient")
    assert check([path], None, tmp_path) == 0
    assert "SpaceToDepth" not in capsys.readouterr().out
    assert (tmp_path / path.name).is_file()


def _rewritten(graph: onnx.GraphProto, folder: Path):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    changed = ir.from_proto(model)
    in_one_part(changed)
    onnx.save(ir.to_proto(changed), folder / "graph.onnx")
    return load_graph(folder / "graph.onnx")


def _loss_graph() -> onnx.GraphProto:
    label = helper.make_tensor_value_info("label", TensorProto.INT64, [1])
    return helper.make_graph(
        [
            helper.make_node("SoftmaxCrossEntropyLoss", ["logits", "label"], ["loss"], reduction="mean"),
            helper.make_node("OneHot", ["label", "depth", "values"], ["hot"], axis=1),
        ],
        "graph",
        [_port("logits", [1, 3]), label],
        [_port("loss", []), _port("hot", [1, 3])],
        [
            helper.make_tensor("depth", TensorProto.INT64, [1], [3]),
            helper.make_tensor("values", TensorProto.FLOAT, [2], [0.0, 1.0]),
        ],
    )


def _port(name: str, shape: list[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
