"""Steps of the engine `gradient` unrolled into one graph: what it gives is what the engine gives, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import nn

from export.forward import to_onnx
from export.gradient import export_gradient
from export.storage import save_graph
from export.unroll import unrolled
from mobile_app.core.engines import Engine, GradientEngine, UnrolledEngine
from mobile_app.core.runtime import load_graph
from mobile_app.core.step import StepConfig, with_steps
from training.objectives import AwayFromLabel

SIDE_PX = 12
IMAGE = torch.rand(1, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(0))
Parts = tuple[Path, Path, Path]  # a recogniser, and the gradient graphs of two networks


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("parts")
    paths = folder / "seen.onnx", folder / "a.onnx", folder / "b.onnx"
    save_graph(to_onnx(_network(1), {"image": IMAGE}, ("logits",)), paths[0])
    for seed, path in enumerate(paths[1:], 2):
        objective = AwayFromLabel(_network(seed)).eval()
        save_graph(export_gradient(objective, {"image": IMAGE, "label": torch.tensor([0])}, smooth=2.0), path)
    return paths


@pytest.mark.parametrize(
    ("size", "rounds"), [((12, 12), 1), ((12, 12), 3), ((12, 17), 2), ((12, 17), 4), ((40, 12), 4)]
)
def test_it_gives_what_the_engine_gives_step_by_step(parts: Parts, tmp_path: Path, size, rounds: int) -> None:
    image, bound = _photo(size)
    wanted = _perturb(_step_by_step(parts), image, bound, rounds * 2)
    found = _perturb(_in_one_call(parts, tmp_path, rounds=rounds), image, bound, rounds * 2)
    assert found.shape == (1, 1, *size)
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    assert np.abs(wanted).max() > 0.2


def test_more_rounds_give_another_change(parts: Parts, tmp_path: Path) -> None:
    image, bound = _photo((12, 12))
    one, two = (_perturb(_in_one_call(parts, tmp_path, rounds=rounds), image, bound) for rounds in (1, 2))
    assert np.abs(one - two).max() > 0.1


def test_white_and_black_stay_inside_the_range_and_each_channel_inside_its_bound(parts: Parts, tmp_path: Path) -> None:
    image, bound = _photo((12, 12))
    image[..., :6] = (image[..., :6] > 0.5).astype(np.float32)
    unit = _perturb(_in_one_call(parts, tmp_path, rounds=3), image, bound)
    assert np.abs(unit).max() <= 1
    held = image[..., :6].min(1) == image[..., :6].max(1)  # all channels black, or all white
    assert held.any()
    outwards = np.where(image[:, :1, :, :6] > 0.5, unit[..., :6], -unit[..., :6])
    assert outwards[0][held].max() <= 1e-6


def test_a_gradient_of_zeros_moves_nothing(parts: Parts, tmp_path: Path) -> None:
    """As where a network says the same of all photos: its norm is zero, and nothing is divided by that."""
    blind = _network(4)
    with torch.no_grad():
        blind[0].weight.zero_()  # pyright: ignore
    objective = AwayFromLabel(blind).eval()
    flat = export_gradient(objective, {"image": IMAGE, "label": torch.tensor([0])})
    save_graph(unrolled(ir.load(parts[0]), [flat], rounds=2), tmp_path / "flat.onnx")
    unit = _perturb(UnrolledEngine(load_graph(tmp_path / "flat.onnx"), size_px=SIDE_PX), *_photo((12, 20)))
    assert not unit.any()


def test_a_network_is_in_the_graph_once_however_many_rounds_there_are(parts: Parts, tmp_path: Path) -> None:
    sizes = []
    for rounds in (1, 9):
        _in_one_call(parts, tmp_path, rounds=rounds)
        sizes.append((tmp_path / "unrolled.onnx").stat().st_size)
    assert sizes[1] < 1.05 * sizes[0]


def test_its_operators_are_standard_ones_and_only_height_and_width_are_open(parts: Parts, tmp_path: Path) -> None:
    graph = _in_one_call(parts, tmp_path, rounds=2)._graph
    assert {name: port.shape for name, port in graph.inputs.items()} == {
        "image": (1, 3, -1, -1),
        "bound": (1, 3, -1, -1),
        "visits": (2, 2, 3),
    }
    assert {name: port.shape for name, port in graph.outputs.items()} == {"unit": (1, 1, -1, -1)}
    model = onnx.load(tmp_path / "unrolled.onnx")
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize(
    ("networks", "rounds", "config", "message"),
    [
        (0, 3, None, "expected networks and rounds, got 0 and 3"),
        (1, 0, None, "expected networks and rounds, got 1 and 0"),
        (1, 1, StepConfig(rule="mi_fgsm", steps=1), "rule: expected proportional, got mi_fgsm"),
    ],
)
def test_what_cannot_be_unrolled_is_refused(parts: Parts, networks, rounds, config, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unrolled(ir.load(parts[0]), [ir.load(parts[1])] * networks, rounds=rounds, config=config)


def _network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.ReLU6(),
        nn.Flatten(),
        nn.Linear(12 * 36, 5),
    ).eval()


def _photo(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.random((1, 3, *size), np.float32), rng.uniform(0.01, 0.06, (1, 3, *size)).astype(np.float32)


def _step_by_step(parts: Parts) -> GradientEngine:
    seen, *networks = (load_graph(path) for path in parts)
    return GradientEngine(networks, recogniser=seen, posting_quality=None)


def _in_one_call(parts: Parts, folder: Path, *, rounds: int) -> UnrolledEngine:
    seen, *networks = (ir.load(path) for path in parts)
    save_graph(unrolled(seen, networks, rounds=rounds), folder / "unrolled.onnx")
    return UnrolledEngine(load_graph(folder / "unrolled.onnx"), size_px=SIDE_PX)


def _perturb(engine: Engine, image: np.ndarray, bound: np.ndarray, steps: int = 1) -> np.ndarray:
    quiet: dict[str, Any] = {"on_step": lambda _done, _steps: None, "should_stop": lambda: False}
    return engine.perturb(image, bound, with_steps(StepConfig(), steps), **quiet)
