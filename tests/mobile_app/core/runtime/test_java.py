"""The Java API on a real Java machine with the real classes of ONNX Runtime, where all of them are at hand.

    pip install pyjnius                                     and a Java of 11 or newer
    PETALVEIL_ORT_JAR=onnxruntime.jar python -m pytest tests/mobile_app/core/runtime/test_java.py

The jar has to hold the library of this machine beside the classes, as the one on Maven does. Graphs are made here, of
opset 17 and IR 8, which even ONNX Runtime 1.17 reads.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mobile_app.core.runtime import load_graph

WORKER = Path(__file__).with_name("java_worker.py")


@pytest.fixture
def folder(tmp_path: Path, write, write_network) -> Path:
    onnx = pytest.importorskip("onnx")
    helper, tensor = onnx.helper, onnx.TensorProto
    write_network("net.onnx")
    write_network("half.onnx", dtype="float16")
    write_network("parted.onnx", beside=True)
    write("log.onnx")
    write("open.onnx", shape=("n", 2))
    model = onnx.load(write("words.onnx", "Identity"))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = tensor.STRING
    onnx.save(model, tmp_path / "words.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a graph")
    gather = helper.make_graph(
        [helper.make_node("Gather", ["table", "place"], ["y"])],
        "test",
        [helper.make_tensor_value_info("place", tensor.INT64, (1,))],
        [helper.make_tensor_value_info("y", tensor.FLOAT, (1,))],
        [onnx.numpy_helper.from_array(np.float32([1, 2]), "table")],
    )
    model = helper.make_model(gather, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "label.onnx")
    return tmp_path


@pytest.mark.slow
def test_java_gives_what_the_wheel_gives(folder, root):
    if not find_spec("jnius"):
        pytest.skip("needs pyjnius")
    if not shutil.which("java"):
        pytest.skip("needs a Java machine")
    if not Path(os.environ.get("PETALVEIL_ORT_JAR", "")).is_file():
        pytest.skip("needs ONNX Runtime's jar at PETALVEIL_ORT_JAR")
    found = _run(root, folder)
    assert found["label"] == found["runtime"]
    assert found["label"].startswith("onnxruntime Java API 1.")
    assert found["ports"] == {"image": [[1, 3, 32, 32], "float32"], "out": [[1, 3, 32, 32], "float32"]}
    for name, atol in (("net", 1e-6), ("half", 1e-3), ("parted", 1e-6)):
        graph = load_graph(folder / f"{name}.onnx", threads=1)
        image = np.random.default_rng(5).random((1, 3, 32, 32)).astype(graph.inputs["image"].dtype)
        array = np.load(folder / f"java-{name}.npy")
        assert array.dtype == graph.outputs["out"].dtype
        # Of another release than the wheel's: the same numbers up to the order of its sums.
        np.testing.assert_allclose(array, graph.run({"image": image})["out"], rtol=0, atol=atol, err_msg=name)
    assert (found["gathered"], found["gathered after"]) == ([2.0], [1.0])
    assert found["while running"].startswith("label: the runtime stopped with an error")
    assert "the type of x is not one of numbers" in found["words"]
    assert found["broken"].startswith("broken.onnx: the runtime cannot load this graph")
    assert "the Java API is used with fixed sizes, x is (-1, 2)" in found["open"]
    assert found["nan"] == "log: expected finite numbers in output y, found NaN or infinity"
    assert found["misfit"].startswith("net: expected input image as float32 (1, 3, 32, 32)")
    assert found["owned"] is True
    assert found["threads agree"] is True
    assert found["threads during"] == found["threads before"] + 1  # the worker is known to Java while it lives
    assert found["threads after"] == found["threads before"]
    assert found["grown_mb"] < 16  # Java grows by itself; a leak of the outputs alone would be 12 MB


def test_without_a_jar_java_is_missing_in_one_sentence(folder, root):
    found = _run(root, folder, PETALVEIL_ORT_JAR="/nowhere/ort.jar")
    assert found == {
        "missing": "runtime java: PETALVEIL_ORT_JAR: expected ONNX Runtime's jar at /nowhere/ort.jar, found none"
    }


def _run(root: Path, folder: Path, **environment: str) -> dict:
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = subprocess.run(
        [sys.executable, str(WORKER), str(folder)],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])
