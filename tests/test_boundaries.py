"""Who may import whom: every module is parsed, and the phone's core is imported where nothing else can be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGES = ("mobile_app", "training", "export")

# For the phone, what may be imported; the standard library always may. The longest matching package decides.
ALLOWED = {
    "mobile_app.core": ("numpy", "PIL", "mobile_app.core", "mobile_app.__version__"),
    "mobile_app.ui": ("kivy", "mobile_app.core", "mobile_app.ui", "mobile_app.__version__"),
    "mobile_app.main": ("mobile_app.ui",),
    "mobile_app": ("numpy", "PIL", "rich", "mobile_app"),
}
ALLOWED_IN_ONE_MODULE = {
    "mobile_app.core.runtime.wheel": ("onnxruntime",),
    "mobile_app.ui.platform.android": ("android", "jnius"),
    "mobile_app.ui.platform.ios": ("pyobjus",),
    "export.quantise": ("onnxruntime.quantization",),
    "export.check.tools": ("onnxruntime.tools",),
}
ALLOWED_INSIDE_A_FUNCTION = {
    "mobile_app.core.photo": ("pillow_heif",),
    "mobile_app.core.runtime.java": ("jnius", "jnius_config"),
}

# For the desk, what may not be imported.
FORBIDDEN = {
    "training": ("kivy", "mobile_app.ui", "mobile_app.__main__", "export", "onnxruntime", "coremltools"),
    "export": ("kivy", "mobile_app.ui", "mobile_app.__main__", "onnxruntime"),
}


@dataclass(frozen=True)
class Import:
    name: str  # dotted, with the imported name at its end: `from a import b` is a.b
    line: int
    is_lazy: bool  # inside a function


def test_every_module_keeps_the_import_rules(root: Path) -> None:
    faults = [
        f"{path.relative_to(root)}:{fault}"
        for path in module_paths(root)
        for fault in violations(path.read_text(encoding="utf-8"), module_name(path, root), is_package=is_package(path))
    ]
    assert not faults, "\n".join(faults)


def test_every_package_is_looked_at(root: Path) -> None:
    names = [module_name(path, root) for path in module_paths(root)]
    assert {name.partition(".")[0] for name in names} == set(PACKAGES)
    assert sum(name.startswith("mobile_app.core.") for name in names) >= 3


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mobile_app.core.step", "import torch"),
        ("mobile_app.core.step", "import scipy.ndimage as nd"),
        ("mobile_app.core.step", "def f():\n    import cv2"),
        ("mobile_app.core.step", "if TYPE_CHECKING:\n    from kivy.app import App"),
        ("mobile_app.core.step", "import onnxruntime"),
        ("mobile_app.core.runtime", "import onnxruntime"),
        ("mobile_app.core.runtime.capi", "def f():\n    import onnxruntime"),
        ("mobile_app.core.runtime.wheel", "import jnius"),
        ("mobile_app.core.runtime.java", "import jnius"),
        ("mobile_app.core.runtime.capi", "def f():\n    import jnius"),
        ("mobile_app.core.runtime.coreml", "def f():\n    import pyobjus"),
        ("mobile_app.core.step", "import importlib\nimportlib.import_module('onnx')"),
        ("mobile_app.core.step", "__import__('rich')"),
        ("mobile_app.core.step", "from mobile_app import ui"),
        ("mobile_app.core.step", "from ..ui import screen"),
        ("mobile_app.core.step", "from .. import ui"),
        ("mobile_app.core.photo", "import pillow_heif"),
        ("mobile_app.core.photo", "class A:\n    import pillow_heif"),
        ("mobile_app.core.files", "def f():\n    import pillow_heif"),
        ("mobile_app.core.numpy_like", "import numpydoc"),
        ("mobile_app.ui.cloak_screen", "import onnxruntime"),
        ("mobile_app.ui.cloak_screen", "from jnius import autoclass"),
        ("mobile_app.ui.cloak_screen", "import numpy"),
        ("mobile_app.ui.platform.desktop", "from jnius import autoclass"),
        ("mobile_app.main", "import numpy"),
        ("mobile_app.__main__", "import torch"),
        ("mobile_app.__main__", "from training import attacks"),
        ("training.attacks.fgsm", "import kivy"),
        ("training.attacks.fgsm", "from mobile_app import ui"),
        ("training.attacks.fgsm", "from export.onnx import export_module"),
        ("training.evaluate", "def f():\n    import onnxruntime as ort"),
        ("export.onnx", "from mobile_app.ui.background import in_background"),
        ("export.parity", "from onnxruntime import InferenceSession"),
        ("export.parity", "from onnxruntime.quantization import quantize_static"),
        ("export.quantise", "from onnxruntime import InferenceSession"),
        ("export.quantise", "import onnxruntime"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str) -> None:
    assert violations(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mobile_app.core.step", "import numpy as np\nfrom pathlib import Path\nfrom PIL import Image"),
        ("mobile_app.core.step", "from mobile_app.core.errors import GraphError\nfrom mobile_app import __version__"),
        ("mobile_app.core.step", "from .errors import GraphError\nfrom . import photo"),
        ("mobile_app.core.runtime.wheel", "import ctypes\nimport onnxruntime as ort"),
        ("mobile_app.core.runtime.java", "def f():\n    from jnius import autoclass\n    import jnius_config"),
        ("mobile_app.core.photo", "def f():\n    from pillow_heif import register_heif_opener"),
        ("mobile_app.core.photo", "def f():\n    importlib.import_module('pillow_heif')"),
        ("mobile_app.ui.platform.android", "from jnius import autoclass"),
        ("mobile_app.ui.platform.ios", "from pyobjus import autoclass"),
        ("mobile_app.main", "from mobile_app.ui.app import run"),
        ("mobile_app.__main__", "from rich.progress import Progress\nfrom mobile_app.core import photo"),
        ("training.attacks.fgsm", "import torch\nfrom mobile_app.core.step import step"),
        ("export.quantise", "from onnxruntime.quantization import quantize_static"),
        ("export.onnx", "import onnx\nimport torch\nfrom training.objectives import margin\nfrom export import parity"),
    ],
)
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert not violations(source, module)


def test_a_relative_import_in_a_package_counts_from_that_package() -> None:
    assert not violations("from .errors import PhotoError", "mobile_app.core", is_package=True)
    assert violations("from .ui import screen", "mobile_app.core", is_package=False)


def test_core_imports_where_only_its_own_dependencies_exist(root: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", _IMPORT_CORE_ALONE], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "mobile_app.core.errors" in result.stdout.split()


_IMPORT_CORE_ALONE = """
import importlib, pkgutil, sys

BLOCKED = {"torch", "torchvision", "kivy", "onnx", "scipy", "skimage", "sklearn", "cv2", "rich", "pillow_heif",
           "training", "export"}

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} does not exist on the phone", name=name)

sys.meta_path.insert(0, Block())
sys.path.insert(0, ".")
import mobile_app.core
for module in pkgutil.walk_packages(mobile_app.core.__path__, "mobile_app.core."):
    importlib.import_module(module.name)
    print(module.name)
"""


def module_paths(root: Path) -> list[Path]:
    return [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if is_package(path) else parts)


def is_package(path: Path) -> bool:
    return path.name == "__init__.py"


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What `source`, the text of `module`, imports against the rules, as `line: sentence`."""
    package = module if is_package else module.rpartition(".")[0]
    return [
        f"{found.line}: {module} must not import {found.name}{' here' if found.is_lazy else ''}"
        for found in imports(ast.parse(source), package)
        if not _is_allowed(found, module)
    ]


def imports(tree: ast.AST, package: str, *, is_lazy: bool = False) -> Iterator[Import]:
    """Every import under `tree`, those by importlib.import_module and __import__ with a fixed name included."""
    for node in ast.iter_child_nodes(tree):
        lazy = is_lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield from (Import(f"{base}.{alias.name}", node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.Call) and (name := _name_in_import_call(node)):
            yield Import(name, node.lineno, lazy)
        yield from imports(node, package, is_lazy=lazy)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        return node.module or ""
    parents = package.split(".")
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def _name_in_import_call(node: ast.Call) -> str | None:
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    if function not in ("import_module", "__import__") or not node.args:
        return None
    name = node.args[0]
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None


def _is_allowed(found: Import, module: str) -> bool:
    top = found.name.partition(".")[0]
    if top == "__future__" or top in sys.stdlib_module_names:
        return True
    if _is_under(found.name, ALLOWED_IN_ONE_MODULE.get(module, ())):
        return True
    if found.is_lazy and _is_under(found.name, ALLOWED_INSIDE_A_FUNCTION.get(module, ())):
        return True
    for package, allowed in sorted(ALLOWED.items(), key=lambda item: -len(item[0])):
        if _is_under(module, (package,)):
            return _is_under(found.name, allowed)
    return not _is_under(found.name, FORBIDDEN[module.partition(".")[0]])


def _is_under(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
