"""Small graphs in a few precisions, and a graph through each runtime that a desk has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from mobile_app.core.runtime import Graph, available_backends, load_graph

Write = Callable[..., Path]


@pytest.fixture(params=["wheel", "capi"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each runtime that the onnxruntime wheel brings."""
    if request.param not in available_backends():
        pytest.skip(f"this machine's wheel has no library for {request.param}")
    return request.param


@pytest.fixture
def load(backend: str) -> Callable[..., Graph]:
    """load_graph with one of the runtimes."""
    return lambda path, **options: load_graph(path, backend=backend, **options)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes y = operator(x), with what is needed to make it of some type."""
    onnx = pytest.importorskip("onnx", reason="needs the desk tools, which `make test` installs")

    def write(
        name: str = "log.onnx",
        operator: str = "Log",
        *,
        shape: tuple[int | str, ...] = (1, 2),
        dtype: str = "float32",
        out: tuple[int | str, ...] | None = None,
    ) -> Path:
        helper, element = onnx.helper, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        graph = helper.make_graph(
            [helper.make_node(operator, ["x"], ["y"])],
            "test",
            [helper.make_tensor_value_info("x", element, shape)],
            [helper.make_tensor_value_info("y", element, shape if out is None else out)],
        )
        return save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), name)

    def save(model, name: str) -> Path:
        (tmp_path / name).write_bytes(model.SerializeToString())
        return tmp_path / name

    return write


@pytest.fixture
def write_network(tmp_path: Path) -> Write:
    """Writes Conv, Relu, Conv, Sigmoid from `image` (1, 3, S, S) to `out`, like it."""
    onnx = pytest.importorskip("onnx", reason="needs the desk tools, which `make test` installs")

    def write_network(name: str = "net.onnx", *, side: int = 32, dtype: str = "float32", beside: bool = False) -> Path:
        helper, element = onnx.helper, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        rng = np.random.default_rng(0)
        weights = {
            "first": rng.normal(size=(8, 3, 3, 3)).astype(dtype) / np.dtype(dtype).type(5),
            "second": rng.normal(size=(3, 8, 3, 3)).astype(dtype) / np.dtype(dtype).type(8),
        }
        nodes = [
            helper.make_node("Conv", ["image", "first"], ["a"], pads=[1] * 4),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "second"], ["c"], pads=[1] * 4),
            helper.make_node("Sigmoid", ["c"], ["out"]),
        ]
        ports = [helper.make_tensor_value_info(port, element, (1, 3, side, side)) for port in ("image", "out")]
        stored = [onnx.numpy_helper.from_array(array, key) for key, array in weights.items()]
        graph = helper.make_graph(nodes, "test", ports[:1], ports[1:], stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = {"save_as_external_data": True, "location": f"{name}.weights", "size_threshold": 0} if beside else {}
        onnx.save(model, tmp_path / name, **options)
        return tmp_path / name

    return write_network


@pytest.fixture
def python(root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs code in a Python of its own, from the repo, with these variables of the environment on top."""

    def python(code: str, environment: Mapping[str, str | None] = {}, *arguments: str):
        import os

        merged = {key: value for key, value in {**os.environ, **environment}.items() if value is not None}
        command = [sys.executable, "-W", "error", "-c", "import sys; sys.path.insert(0, '.')\n" + code, *arguments]
        return subprocess.run(command, cwd=root, env=merged, capture_output=True, text=True, check=False, timeout=120)

    return python
