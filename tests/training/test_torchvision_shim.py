"""Each case runs in a process of its own: what torch has registered cannot be taken back in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

USE_TORCHVISION = """
from training.torchvision_shim import ensure_torchvision
ensure_torchvision()
ensure_torchvision()
import torch, torchvision
network = torchvision.models.mobilenet_v3_small(weights=None).eval()
print(tuple(network(torch.zeros(1, 3, 64, 64)).shape))
"""

SHOW_WHAT_IS_DECLARED = """
from training.torchvision_shim import ensure_torchvision
ensure_torchvision()
import torch, torchvision
print(torchvision.__version__, hasattr(torch.ops.torchvision, "nms"), hasattr(torch.ops.torchvision, "qnms"))
"""

ASKS_FOR_AN_OPERATOR = """
import torch
from . import part
if not hasattr(torch.ops.torchvision, "nms"):
    raise RuntimeError("operator torchvision::nms does not exist")
__version__ = "broken"
"""


def test_torchvision_imports_and_its_networks_run(root: Path) -> None:
    result = _run(USE_TORCHVISION, root)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "(1, 1000)"
    assert result.stderr == ""


def test_nothing_is_declared_where_torchvision_is_whole(root: Path, tmp_path: Path) -> None:
    _make_torchvision(tmp_path, '__version__ = "whole"')
    assert _run(SHOW_WHAT_IS_DECLARED, root, tmp_path).stdout.split() == ["whole", "False", "False"]


def test_both_operators_are_declared_where_the_compiled_part_is_missing(root: Path, tmp_path: Path) -> None:
    _make_torchvision(tmp_path, ASKS_FOR_AN_OPERATOR)
    result = _run(SHOW_WHAT_IS_DECLARED, root, tmp_path)
    assert result.stdout.split() == ["broken", "True", "True"], result.stderr


def test_the_import_starts_afresh_after_the_declarations(root: Path, tmp_path: Path) -> None:
    _make_torchvision(tmp_path, ASKS_FOR_AN_OPERATOR, part='print("part")')
    assert _run(SHOW_WHAT_IS_DECLARED, root, tmp_path).stdout.split()[:2] == ["part", "part"]


def test_any_other_fault_of_the_import_is_passed_on(root: Path, tmp_path: Path) -> None:
    _make_torchvision(tmp_path, 'raise RuntimeError("compiled with different CUDA major versions")')
    result = _run(SHOW_WHAT_IS_DECLARED, root, tmp_path)
    assert result.returncode != 0
    assert "compiled with different CUDA major versions" in result.stderr


def _make_torchvision(folder: Path, source: str, *, part: str = "") -> None:
    package = folder / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(source, encoding="utf-8")
    (package / "part.py").write_text(part, encoding="utf-8")


def _run(code: str, root: Path, *first: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in (*first, root))}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
