"""`python -m export gradient`: what it writes, objectives of the user's own, and refusals that leave nothing behind."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from export.__main__ import main
from mobile_app.core.runtime import load_graph

FACTORIES = """
import torch
from torch import nn


class Objective(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, image):
        return self.function(image)


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(context, image):
        return image * 2

    @staticmethod
    def backward(context, grad):
        return -grad


def _with(function):
    return Objective(function).eval(), {"image": torch.rand(1, 3, 6, 5)}


def energy():
    return _with(lambda x: x.square().sum())


def weighted():
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(90, 40), nn.Tanh(), nn.Linear(40, 1)).eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return module, {"image": torch.rand(1, 3, 6, 5)}


def unregistered():
    module = nn.Linear(5, 1)
    return _with(lambda x: module(x).square().sum())


def unsupported():
    return _with(lambda x: x.cumsum(1).sum())


def backward_of_its_own():
    return _with(lambda x: StraightThrough.apply(x).square().sum() + x.sum())


def no_module():
    return "energy"
"""


@pytest.fixture
def module_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of objectives in the folder where the command runs."""
    name = "objectives_of_a_user"
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / f"{name}.py").write_text(FACTORIES, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "desk")
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "graph.onnx"


def _export(out: Path, factory: str, *more: str) -> int:
    return main(["gradient", "-o", str(out), "--factory", factory, *more])


def test_objective_of_a_user_becomes_a_graph_that_runs(
    module_name: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _export(out, f"{module_name}:energy") == 0
    image = np.linspace(0, 1, 90, dtype=np.float32).reshape(1, 3, 6, 5)
    outputs = load_graph(out).run({"image": image})
    np.testing.assert_allclose(outputs["grad"], 2 * image, rtol=1e-6)
    np.testing.assert_allclose(outputs["loss"], np.square(image).sum(), rtol=1e-5)
    printed = capsys.readouterr().out
    assert "operators: " in printed
    assert "grad: cosine 1.000000 with torch float64, on 3 images it never saw" in printed
    assert "opset 18" in printed
    assert [path.name for path in out.parent.iterdir()] == ["graph.onnx"]


def test_weights_are_halves_unless_float32_is_wanted(module_name: str, out: Path, tmp_path: Path) -> None:
    assert _export(out, f"{module_name}:weighted") == 0
    assert _export(tmp_path / "single.onnx", f"{module_name}:weighted", "--precision", "float32") == 0
    saved = (tmp_path / "single.onnx").stat().st_size - out.stat().st_size
    assert saved == pytest.approx(2 * 90 * 40, abs=200)  # two bytes a weight, give or take a few names


@pytest.mark.slow
def test_named_network_and_objective_become_a_graph(out: Path) -> None:
    names = ["--network", "squeezenet1_1", "--weights", "calibrated", "--size", "64"]
    assert main(["gradient", "-o", str(out), *names, "--objective", "MarginBelowRunnerUp"]) == 0
    graph = load_graph(out)
    assert graph.inputs["image"].shape == (1, 3, 64, 64)
    assert graph.inputs["label"].dtype == "int64"
    assert graph.outputs["logits"].shape == (1, 1000)


@pytest.mark.slow
def test_feature_distance_takes_the_original_as_its_second_input(out: Path) -> None:
    names = ["--network", "squeezenet1_1", "--weights", "calibrated", "--size", "64"]
    assert main(["gradient", "-o", str(out), *names, "--objective", "FeatureDistance"]) == 0
    graph = load_graph(out)
    assert list(graph.inputs) == ["image", "original"]
    assert list(graph.outputs) == ["loss", "grad"]


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        ("{}:missing", "expected MODULE:FUNCTION that can be imported"),
        ("no_such_module:energy", "expected MODULE:FUNCTION that can be imported"),
        ("{}", "expected MODULE:FUNCTION that can be imported"),
        ("{}:unregistered", "make every network and tensor in it a submodule, parameter or buffer"),
        ("{}:no_module", "expected (module, {name: tensor}), found str"),
        ("{}:unsupported", "CumSum (node_cumsum): there is no adjoint rule"),
        ("{}:backward_of_its_own", "part of it was frozen while tracing"),
    ],
)
def test_refused_objective_is_explained_and_leaves_nothing_behind(
    factory: str, sentence: str, module_name: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _export(out, factory.format(module_name)) == 1
    error = capsys.readouterr().err
    assert error.startswith("export: ")
    assert error.count("\n") == 1
    assert sentence in error
    assert list(out.parent.iterdir()) == []


def test_file_that_is_there_is_left_as_it_is(module_name: str, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out.write_bytes(b"mine")
    assert _export(out, f"{module_name}:energy") == 1
    assert "already exists and was left as it is; use --force" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"
    assert [path.name for path in out.parent.iterdir()] == ["graph.onnx"]


def test_force_replaces_a_file(module_name: str, out: Path) -> None:
    out.write_bytes(b"mine")
    assert _export(out, f"{module_name}:energy", "--force") == 0
    assert list(load_graph(out).outputs) == ["loss", "grad"]


def test_missing_folder_is_named(module_name: str, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _export(out.parent / "missing" / "graph.onnx", f"{module_name}:energy") == 1
    assert "missing does not exist; create it" in capsys.readouterr().err


def test_unknown_network_is_refused(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradient", "-o", str(out), "--network", "alexnet"]) == 1
    assert "network: expected one of efficientnet_lite0" in capsys.readouterr().err


def test_size_without_pixels_is_refused(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradient", "-o", str(out), "--size", "0"]) == 1
    assert "size: expected 1 or more pixels, got 0" in capsys.readouterr().err
