"""Graphs against how phones run them: every graph of the bundle passes, and each fault is found by name."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from export.check.run import (
    LOWEST_COSINE,
    PINNED,
    READS,
    as_markdown,
    check,
    check_graph,
    lowest_cosine_of_ort,
    oldest_runtime,
    ort_agreement,
)
from export.check.tools import CORE_ML, NNAPI, moving_shapes, to_ort
from export.errors import ExportError
from mobile_app.core.bundle import load_bundle

NAMES = sorted(load_bundle().graphs)


@pytest.mark.parametrize("name", NAMES)
def test_every_graph_of_the_bundle_runs_as_phones_run_it(name: str) -> None:
    """Standard operators alone, fixed shapes, versions that the pinned runtime reads, a classifier in one part."""
    bundle = load_bundle()
    found = check_graph(bundle.path(name))
    assert found.faults == ()
    assert found.opset == bundle.entry(name).opset
    assert found.ir <= READS[PINNED][0]
    assert found.oldest is not None
    if bundle.entry(name).task == "classify":
        assert found.parts(NNAPI) == 1
        assert bundle.entry(name).precision == "int8" or found.parts(CORE_ML) == 1


def test_what_splits_a_gradient_graph_is_named() -> None:
    found = check_graph(load_bundle().path("objects.gradient"))
    left = {one.provider: set(one.left) for one in found.partitions}
    assert "SpaceToDepth" in left[NNAPI] & left[CORE_ML]
    assert "Conv" not in left[NNAPI] | left[CORE_ML]
    assert any("objects.gradient, NNAPI: " in line and "SpaceToDepth" in line for line in as_markdown([found]))


@pytest.mark.parametrize("name", ["objects", "squeezenet.gradient", "flowers.int8"])
def test_ort_file_gives_the_same_answers(name: str, tmp_path: Path) -> None:
    path = load_bundle().path(name)
    converted = to_ort(path, tmp_path / "ort")
    assert [file.name for file in (tmp_path / "ort").iterdir()] == [f"{path.stem}.ort"]
    assert ort_agreement(path, converted) >= lowest_cosine_of_ort(path)


def test_ort_file_of_another_graph_is_told_apart(tmp_path: Path) -> None:
    paths = [_saved(tmp_path / f"{name}.onnx", _model(middle=name)) for name in ("Relu", "Sqrt")]
    assert ort_agreement(paths[0], to_ort(paths[0], tmp_path)) >= LOWEST_COSINE
    assert ort_agreement(paths[0], to_ort(paths[1], tmp_path)) < 0.99


def test_what_is_no_graph_is_not_converted(tmp_path: Path) -> None:
    (tmp_path / "graph.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match=r"^graph\.onnx: expected an \.onnx file, found something else"):
        to_ort(tmp_path / "graph.onnx", tmp_path / "ort")
    with pytest.raises(ExportError, match=r"expected an \.onnx file, found none"):
        to_ort(tmp_path / "other.onnx", tmp_path / "ort")


@pytest.mark.parametrize(
    ("ir", "opset", "oldest"),
    [(9, 18, "1.17.0"), (9, 21, "1.20.0"), (10, 18, "1.20.0"), (11, 18, "1.23.0"), (13, 26, "1.28.0"), (14, 18, None)],
)
def test_oldest_runtime_by_versions(ir: int, opset: int, oldest: str | None) -> None:
    assert oldest_runtime(_model(ir=ir, opset=opset)) == oldest


def test_int8_kernel_without_a_zero_point_before_a_transpose_needs_the_pinned_runtime() -> None:
    kernel = helper.make_tensor("kernel", TensorProto.INT8, [2, 2], [1, 2, 3, 4])
    scale = helper.make_tensor("scale", TensorProto.FLOAT, [2], [1.0, 2.0])
    zero = helper.make_tensor("zero", TensorProto.INT8, [2], [0, 0])
    found = []
    for inputs in (["kernel", "scale"], ["kernel", "scale", "zero"]):
        model = _model()
        model.graph.node.append(helper.make_node("DequantizeLinear", inputs, ["wide"], axis=0))
        model.graph.node.append(helper.make_node("Transpose", ["wide"], ["turned"]))
        model.graph.initializer.extend([kernel, scale, zero])
        found.append(oldest_runtime(model))
    assert found == ["1.28.0", "1.17.0"]


def test_foreign_operators_are_a_fault(tmp_path: Path) -> None:
    model = _model()
    model.graph.node[1].op_type, model.graph.node[1].domain = "Gelu", "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    faults = check_graph(_saved(tmp_path / "graph.onnx", model)).faults
    assert any(fault.startswith("operators of com.microsoft: expected standard ones") for fault in faults)


def test_classifier_in_several_parts_is_a_fault_that_names_the_operator(tmp_path: Path) -> None:
    model = _model(middle="HardSigmoid")
    (fault,) = check_graph(_saved(tmp_path / "graph.onnx", model)).faults
    assert fault == "NNAPI cuts it into 2 parts at HardSigmoid: expected one part"


def test_shape_that_is_not_fixed_is_a_fault(tmp_path: Path) -> None:
    model = _model()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    path = _saved(tmp_path / "graph.onnx", model)
    assert moving_shapes(path) == ["image"]
    assert any("1 values without a fixed shape, image among them" in fault for fault in check_graph(path).faults)


def test_version_that_the_pinned_runtime_does_not_read_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.check.run.READS", {PINNED: (8, 18)})
    (fault,) = check_graph(_saved(tmp_path / "graph.onnx", _model(ir=9))).faults
    assert fault == "IR version 9, opset 18: expected at most 8 and 18, which onnxruntime 1.28.0 reads"


def test_command_fails_where_a_graph_has_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = _saved(tmp_path / "sound.onnx", _model())
    faulty = _saved(tmp_path / "faulty.onnx", _model(middle="HardSigmoid"))
    assert check([sound], tmp_path / "ort") == 0
    assert "sound.ort: 0.00 MB, cosine 1.000000 with sound.onnx" in capsys.readouterr().out
    assert check([sound, faulty], None) == 1
    assert "FAULT faulty: NNAPI cuts it into 2 parts" in capsys.readouterr().out


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"expected an \.onnx file, found none"):
        check_graph(tmp_path / "graph.onnx")


def _saved(path: Path, model: onnx.ModelProto) -> Path:
    onnx.save(model, path)
    return path


def _model(*, ir: int = 9, opset: int = 18, middle: str = "Relu") -> onnx.ModelProto:
    """image * 2, an operator in the middle, and that * 2."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in ("image", "logits")]
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["image", "scale"], ["x"]),
            helper.make_node(middle, ["x"], ["y"]),
            helper.make_node("Mul", ["y", "scale"], ["logits"]),
        ],
        "graph",
        ports[:1],
        ports[1:],
        [helper.make_tensor("scale", TensorProto.FLOAT, [], [2.0])],
        value_info=[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in ("x", "y")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = ir
    return model
