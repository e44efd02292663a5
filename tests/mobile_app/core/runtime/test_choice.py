"""Which runtime is taken: the order, who may force one, and what is said where there is none."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import BACKENDS, available_backends, load_graph, runtime_label
from mobile_app.core.runtime.capi_library import load_library

WITHOUT_THE_WHEEL = """
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Block())
"""
RUN = """
from pathlib import Path
import numpy as np
from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import available_backends, load_graph, runtime_label
try:
    graph = load_graph(Path(sys.argv[1]))
    print(graph.runtime)
    print(graph.run({"x": np.float32([[1, 1]])})["y"].tolist())
except GraphError as error:
    print(error)
"""


@pytest.fixture(autouse=True)
def nothing_forced(monkeypatch):
    for name in ("PETALVEIL_RUNTIME", "PETALVEIL_ORT_LIBRARY", "PETALVEIL_ORT_JAR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def library() -> Path:
    """ONNX Runtime's own library, which lies inside the wheel."""
    if "capi" not in available_backends():
        pytest.skip("this machine's wheel has no library beside it")
    return Path(load_library()._name)


def test_the_wheel_comes_first_where_there_is_one(write):
    assert BACKENDS[0] == "wheel"
    assert load_graph(write()).runtime == f"onnxruntime {version('onnxruntime')}"
    assert runtime_label() == f"onnxruntime {version('onnxruntime')}"


def test_the_runtimes_of_this_machine_are_named_in_their_order(library):
    assert list(available_backends().items())[:2] == [
        ("wheel", f"onnxruntime {version('onnxruntime')}"),
        ("capi", f"onnxruntime C API {version('onnxruntime')}"),
    ]
    assert "java" not in available_backends()  # no Java machine is started unless someone names a jar


def test_the_variable_forces_one(write, library, monkeypatch):
    monkeypatch.setenv("PETALVEIL_RUNTIME", "capi")
    assert load_graph(write()).runtime.startswith("onnxruntime C API")
    assert runtime_label().startswith("onnxruntime C API")
    assert load_graph(write(), backend="wheel").runtime == f"onnxruntime {version('onnxruntime')}"  # the caller's first


def test_an_empty_variable_forces_nothing(write, monkeypatch):
    monkeypatch.setenv("PETALVEIL_RUNTIME", "")
    assert load_graph(write()).runtime == f"onnxruntime {version('onnxruntime')}"


def test_an_unknown_runtime_is_one_sentence_that_says_where_it_was_asked_for(write, monkeypatch):
    with pytest.raises(GraphError, match=r"^backend: expected one of wheel, capi, java, coreml, found 'tflite'$"):
        load_graph(write(), backend="tflite")
    monkeypatch.setenv("PETALVEIL_RUNTIME", "onnx")
    with pytest.raises(GraphError, match=r"^PETALVEIL_RUNTIME: expected one of wheel, .* found 'onnx'$"):
        load_graph(write())


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML is here")
def test_a_runtime_that_is_not_here_says_why(write):
    with pytest.raises(GraphError, match=r"^runtime coreml: not on iOS or macOS$"):
        load_graph(write(), backend="coreml")
    with pytest.raises(GraphError, match=r"^runtime java: not on Android, and PETALVEIL_ORT_JAR names no jar$"):
        load_graph(write(), backend="java")


def test_a_jar_that_is_not_there_is_named(write, monkeypatch):
    monkeypatch.setenv("PETALVEIL_ORT_JAR", "/nowhere/onnxruntime.jar")
    with pytest.raises(GraphError, match=r"PETALVEIL_ORT_JAR: expected ONNX Runtime's jar at /nowhere/onnxruntime.jar"):
        load_graph(write(), backend="java")
    assert "java" not in available_backends()


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML is here")
def test_a_core_ml_model_goes_to_core_ml_alone(tmp_path):
    (tmp_path / "objects.mlpackage").mkdir()
    with pytest.raises(GraphError, match=r"^runtime coreml: not on iOS or macOS$"):
        load_graph(tmp_path / "objects.mlpackage")


def test_a_folder_is_no_graph(tmp_path):
    with pytest.raises(GraphError, match="expected a graph at"):
        load_graph(tmp_path)


def test_without_the_wheel_the_c_library_is_taken(python, write, library):
    result = python(WITHOUT_THE_WHEEL + RUN, {"PETALVEIL_ORT_LIBRARY": str(library)}, str(write()))
    assert result.stdout.splitlines() == [f"onnxruntime C API {version('onnxruntime')}", "[[0.0, 0.0]]"], result.stderr


def test_the_c_library_is_found_by_its_name_as_on_android(python, write, library, tmp_path):
    (tmp_path / "libonnxruntime.so").symlink_to(library)
    result = python(WITHOUT_THE_WHEEL + RUN, {"LD_LIBRARY_PATH": str(tmp_path)}, str(write()))
    assert result.stdout.splitlines() == [f"onnxruntime C API {version('onnxruntime')}", "[[0.0, 0.0]]"], result.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD is Linux's")
def test_the_c_library_is_found_in_the_program_itself_as_on_ios(python, write, library):
    result = python(WITHOUT_THE_WHEEL + RUN, {"LD_PRELOAD": str(library)}, str(write()))
    assert result.stdout.splitlines() == [f"onnxruntime C API {version('onnxruntime')}", "[[0.0, 0.0]]"], result.stderr


def test_without_any_runtime_there_is_one_sentence(python, write):
    result = python(WITHOUT_THE_WHEEL + RUN, {"PETALVEIL_ORT_LIBRARY": None, "LD_LIBRARY_PATH": None}, str(write()))
    (sentence,) = result.stdout.splitlines()
    assert sentence.startswith(
        "expected a runtime for graphs, found none (wheel: the onnxruntime wheel does not import"
    )
    assert "capi: no libonnxruntime here, name its path in PETALVEIL_ORT_LIBRARY" in sentence
    assert sentence.endswith("; install onnxruntime")
    assert not result.stderr


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "expected a library at"),
        (lambda path: path.write_bytes(b"no library"), "expected a library at"),
        (lambda path: path.symlink_to(_some_other_library()), "expected ONNX Runtime's library, found another at"),
    ],
)
def test_a_named_path_that_is_no_onnxruntime_is_not_passed_over(write, tmp_path, monkeypatch, make, said):
    path = tmp_path / "libother.so"
    make(path)
    monkeypatch.setenv("PETALVEIL_ORT_LIBRARY", str(path))
    with pytest.raises(GraphError, match=rf"PETALVEIL_ORT_LIBRARY: {said} {path}"):
        _opened_anew(write())


def test_the_whole_core_imports_without_the_wheel(python):
    code = """
import importlib, pkgutil
import mobile_app.core
for module in pkgutil.walk_packages(mobile_app.core.__path__, "mobile_app.core."):
    importlib.import_module(module.name)
    print(module.name)
assert not {"onnxruntime", "jnius", "jnius_config", "pyobjus"} & set(sys.modules)
"""
    result = python(WITHOUT_THE_WHEEL + code)
    assert result.returncode == 0, result.stderr
    assert {"mobile_app.core.engines", "mobile_app.core.runtime.capi"} <= set(result.stdout.split())


def test_importing_the_runtimes_loads_none_of_them(python):
    code = (
        "import mobile_app.core.runtime\nassert 'onnxruntime' not in sys.modules\nprint(open('/proc/self/maps').read())"
    )
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs /proc")
    result = python(code)
    assert result.returncode == 0, result.stderr
    assert "libonnxruntime" not in result.stdout


def _opened_anew(path: Path) -> np.ndarray:
    """As load_graph, without the library that an earlier test has loaded."""
    from mobile_app.core.runtime.capi import open_runtime

    return open_runtime().load(path, name="log", threads=None)


def _some_other_library() -> Path:
    for line in Path("/proc/self/maps").read_text().splitlines() if Path("/proc/self/maps").exists() else []:
        place = line.split()[-1]
        if os.path.basename(place).startswith("libm.so"):
            return Path(place)
    pytest.skip("found no other library to name")
