"""Nothing leaves the machine: the runtime's reports are off before it loads, and no app of ours may use the network."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MANIFEST_SUFFIXES = {".spec", ".xml", ".plist", ".toml", ".json"}
NETWORK = re.compile(r"\bINTERNET\b|NSAllowsArbitraryLoads|com\.apple\.security\.network")


IMPORTERS = ("mobile_app.core.runtime", "mobile_app.core.runtime.wheel", "export.quantise", "export.check.tools")


@pytest.mark.parametrize("module", IMPORTERS)
@pytest.mark.parametrize("before", [None, "", "0"])
def test_telemetry_is_off_before_onnxruntime_loads(root: Path, before: str | None, module: str) -> None:
    if module.startswith("export"):
        pytest.importorskip("onnx_ir", reason="needs the desk tools, which `make test` installs")
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    if before is not None:
        environment["ORT_DISABLE_TELEMETRY"] = before
    result = subprocess.run(
        [sys.executable, "-c", _RECORD_WHAT_ONNXRUNTIME_SEES.format(module=module)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["1"]


# The hook sees onnxruntime's first import, whether the runtime module does it at its top or in a function later.
_RECORD_WHAT_ONNXRUNTIME_SEES = """
import os, sys

class Record:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))

sys.meta_path.insert(0, Record())
sys.path.insert(0, ".")
import {module}
import onnxruntime
"""


@pytest.mark.parametrize("backend", ["wheel", "capi", "java"])
def test_telemetry_is_off_before_any_runtime_loads_its_library(root: Path, tmp_path: Path, backend: str) -> None:
    (tmp_path / "any.jar").write_bytes(b"")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "PETALVEIL_"))}
    result = subprocess.run(
        [sys.executable, "-c", _RECORD_WHAT_A_LIBRARY_SEES, backend],
        cwd=root,
        env={**environment, "PETALVEIL_ORT_JAR": str(tmp_path / "any.jar")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert set(result.stdout.split()) == {"1"}


# What C's getenv says, as the library asks it, whenever something that may bring one is looked for. No Java is needed:
# pyjnius is looked for and not found.
_RECORD_WHAT_A_LIBRARY_SEES = """
import ctypes, sys, types
sys.path.insert(0, ".")
getenv = ctypes.CDLL(None).getenv
getenv.restype, getenv.argtypes = ctypes.c_char_p, [ctypes.c_char_p]
CDLL = ctypes.CDLL

def record():
    print((getenv(b"ORT_DISABLE_TELEMETRY") or b"unset").decode())

class Recorded(CDLL):
    def __init__(self, name, *rest, **options):
        record()
        super().__init__(name, *rest, **options)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in ("onnxruntime", "jnius", "jnius_config"):
            record()
        if name in ("jnius", "jnius_config"):
            raise ModuleNotFoundError(name)

ctypes.CDLL = Recorded
sys.meta_path.insert(0, Finder())
from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import runtime_label
try:
    runtime_label(sys.argv[1])
except GraphError:
    pass
"""


@pytest.mark.parametrize("backend", ["wheel", "capi"])
def test_no_runtime_leaves_an_identifier_or_a_list_of_events_behind(root: Path, tmp_path: Path, backend: str) -> None:
    """Without the variable ONNX Runtime 1.31 writes both within a second, to .cache/Microsoft in the home folder."""
    drop = ("ORT_", "PETALVEIL_", "XDG_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(drop)}
    result = subprocess.run(
        [sys.executable, "-c", _RUN_A_GRAPH, backend],
        cwd=root,
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    if result.stdout.startswith("missing"):
        pytest.skip(f"the wheel here has no library for {backend}")
    assert not list(tmp_path.rglob("*"))


_RUN_A_GRAPH = """
import sys, time
sys.dont_write_bytecode = True
sys.path.insert(0, ".")
from mobile_app.core.bundle import load_bundle, reference_image
from mobile_app.core.runtime import available_backends, load_graph
if sys.argv[1] not in available_backends():
    print("missing")
else:
    graph = load_graph(load_bundle().path("objects"), backend=sys.argv[1])
    graph.run({"image": reference_image(224)})
    time.sleep(1)
"""


def test_onnxruntime_is_imported_by_one_runtime_and_two_desk_tools_alone(root: Path) -> None:
    importers = {
        path.relative_to(root).as_posix()
        for package in ("mobile_app", "training", "export")
        for path in (root / package).rglob("*.py")
        if names_onnxruntime(path.read_text(encoding="utf-8"))
    }
    assert importers == {"mobile_app/core/runtime/wheel.py", "export/quantise.py", "export/check/tools.py"}


@pytest.mark.parametrize(
    "source",
    [
        "import onnxruntime",
        "def f():\n    import onnxruntime.quantization as q",
        "from onnxruntime import InferenceSession",
        "importlib.import_module('onnxruntime')",
    ],
)
def test_each_way_to_import_onnxruntime_is_seen(source: str) -> None:
    assert names_onnxruntime(source)


@pytest.mark.parametrize("source", ["import onnx", "'onnxruntime is the engine'", "from . import onnxruntime_like"])
def test_other_mentions_of_onnxruntime_are_no_import(source: str) -> None:
    assert not names_onnxruntime(source)


def test_no_manifest_asks_for_the_network(project_files: list[Path]) -> None:
    faults = [
        str(path)
        for path in project_files
        if path.suffix in MANIFEST_SUFFIXES and NETWORK.search(path.read_text(encoding="utf-8"))
    ]
    assert not faults


@pytest.mark.parametrize(
    "line",
    [
        '<uses-permission android:name="android.permission.INTERNET"/>',
        "android.permissions = CAMERA,INTERNET",
        "<key>NSAllowsArbitraryLoads</key>",
    ],
)
def test_each_way_to_ask_for_the_network_is_seen(line: str) -> None:
    assert NETWORK.search(line)


def names_onnxruntime(source: str) -> bool:
    """Whether `source` imports onnxruntime: by a statement, or by a call with its name as the first argument."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = getattr(node.func, "attr", getattr(node.func, "id", ""))
            names += [str(node.args[0].value)] if function in ("import_module", "__import__") else []
    return any(name.partition(".")[0] == "onnxruntime" for name in names)
