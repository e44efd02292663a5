"""Weights on disk: rounded to float16 where that can hold them, shared between graphs, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from export.storage import WeightStore, read_where_they_lie, round_to_bytes, round_to_half, save_graph
from mobile_app.core.errors import GraphError, OutputError
from mobile_app.core.runtime import load_graph


def _adds(weights: np.ndarray) -> ir.Model:
    """image + weights, as a graph."""
    kind = ir.TensorType(ir.DataType.from_numpy(weights.dtype))
    image = ir.Value(name="image", shape=ir.Shape(weights.shape), type=kind)
    stored = ir.Value(name="w", shape=ir.Shape(weights.shape), type=kind, const_value=ir.tensor(weights, name="w"))
    node = ir.node("Add", [image, stored])
    node.outputs[0].name, node.outputs[0].shape, node.outputs[0].type = "sum", image.shape, kind
    graph = ir.Graph([image], node.outputs, nodes=[node], initializers=[stored], opset_imports={"": 18}, name="adds")
    return ir.Model(graph, ir_version=10)


def _weights_of(path: Path, size: int) -> np.ndarray:
    return load_graph(path).run({"image": np.zeros(size, np.float32)})["sum"]


def test_weights_are_rounded_to_the_nearest_half_by_hand(tmp_path: Path) -> None:
    # float16 has steps of 2^-10 between 1 and 2
    weights = np.full(100, 1 + 2**-10 * 0.75, np.float32)
    model = _adds(weights)
    round_to_half(model)
    save_graph(model, tmp_path / "graph.onnx")
    assert set(_weights_of(tmp_path / "graph.onnx", 100)) == {np.float32(1 + 2**-10)}
    (stored,) = model.graph.initializers.values()
    assert stored.dtype == ir.DataType.FLOAT16


def test_weight_beyond_the_range_of_half_stays_single() -> None:
    weights = np.ones(100, np.float32)
    weights[3] = 65520  # the first number that rounds to infinity
    model = _adds(weights)
    round_to_half(model)
    (stored,) = model.graph.initializers.values()
    assert stored.dtype == ir.DataType.FLOAT
    assert stored.const_value is not None
    assert np.array_equal(stored.const_value.numpy(), weights)


@pytest.mark.parametrize(
    ("spared", "kind"), [("", ir.DataType.INT8), ("w", ir.DataType.FLOAT), ("v", ir.DataType.INT8)]
)
def test_kernels_are_stored_in_eight_bits_but_for_those_that_are_spared(spared: str, kind: ir.DataType) -> None:
    model = _adds(np.ones((64, 64), np.float32))
    round_to_bytes(model, spared=spared)
    assert kind in {value.dtype for value in model.graph.initializers.values()}
    assert (len(model.graph.initializers) == 1) == (kind == ir.DataType.FLOAT)


def test_largest_half_is_still_rounded() -> None:
    weights = np.ones(100, np.float32)
    weights[3] = 65504
    model = _adds(weights)
    round_to_half(model)
    (stored,) = model.graph.initializers.values()
    assert stored.dtype == ir.DataType.FLOAT16


def test_small_constant_stays_single() -> None:
    model = _adds(np.full(4, 0.1, np.float32))
    round_to_half(model)
    assert model.graph.initializers["w"].dtype == ir.DataType.FLOAT


def test_whole_numbers_stay_as_they_are() -> None:
    model = _adds(np.arange(100, dtype=np.int64))
    round_to_half(model)
    assert model.graph.initializers["w"].dtype == ir.DataType.INT64


def test_store_holds_equal_tensors_once(tmp_path: Path) -> None:
    store = WeightStore()
    weights = np.arange(100, dtype=np.float32)
    for name in ("first", "second"):
        save_graph(_adds(weights), tmp_path / f"{name}.onnx", store, "shared.weights")
    store.write(tmp_path / "shared.weights")
    assert (tmp_path / "shared.weights").stat().st_size == 400
    for name in ("first", "second"):
        assert np.array_equal(_weights_of(tmp_path / f"{name}.onnx", 100), weights)


def test_store_keeps_equal_bytes_of_different_types_apart() -> None:
    store = WeightStore()
    zeros = [ir.tensor(np.zeros(100, dtype)) for dtype in (np.float32, np.int32)]
    assert store.add(zeros[0]) == 0
    assert store.add(zeros[1]) == 448  # the next multiple of 64
    assert store.add(zeros[0]) == 0


def test_graph_whose_weights_are_missing_is_refused_by_name(tmp_path: Path) -> None:
    save_graph(_adds(np.arange(100, dtype=np.float32)), tmp_path / "graph.onnx", WeightStore(), "shared.weights")
    with pytest.raises(GraphError, match=r"^graph\.onnx: the runtime cannot load this graph .*shared\.weights"):
        load_graph(tmp_path / "graph.onnx")


def test_graph_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist; create it"):
        save_graph(_adds(np.zeros(4, np.float32)), tmp_path / "missing" / "graph.onnx")
    assert list(tmp_path.iterdir()) == []


def test_nothing_but_the_graph_is_left_beside_it(tmp_path: Path) -> None:
    save_graph(_adds(np.zeros(4, np.float32)), tmp_path / "graph.onnx")
    save_graph(_adds(np.ones(4, np.float32)), tmp_path / "graph.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["graph.onnx"]
    assert _weights_of(tmp_path / "graph.onnx", 4).tolist() == [1, 1, 1, 1]


def test_weights_that_another_file_holds_are_read_there(tmp_path: Path) -> None:
    weights = np.arange(1000, dtype=np.int8)
    holder = tmp_path / "holder.onnx"
    holder.write_bytes(b"odd" + weights.tobytes() + b"more")
    model = _adds(weights)
    read_where_they_lie(model, [holder])
    save_graph(model, tmp_path / "graph.onnx")
    assert (tmp_path / "graph.onnx").stat().st_size < 500
    found = load_graph(tmp_path / "graph.onnx").run({"image": np.ones(1000, np.int8)})["sum"]
    np.testing.assert_array_equal(found, weights + 1)


@pytest.mark.parametrize(("before", "stays"), [(b"odd", True), (b"even", False)])
def test_numbers_of_several_bytes_are_read_elsewhere_only_where_they_are_aligned(
    tmp_path: Path, before: bytes, stays: bool
) -> None:
    weights = np.arange(500, dtype=np.float32)
    (tmp_path / "holder").write_bytes(before + weights.tobytes())
    model = _adds(weights)
    read_where_they_lie(model, [tmp_path / "holder"])
    (stored,) = model.graph.initializers.values()
    assert isinstance(stored.const_value, ir.ExternalTensor) != stays


def test_weights_that_no_file_holds_stay_in_the_graph(tmp_path: Path) -> None:
    (tmp_path / "holder").write_bytes(bytes(5000))
    model = _adds(np.arange(1, 1001, dtype=np.float32))
    read_where_they_lie(model, [tmp_path / "holder"])
    save_graph(model, tmp_path / "graph.onnx")
    assert (tmp_path / "graph.onnx").stat().st_size > 4000
