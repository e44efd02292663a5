"""Smoothed masks in a gradient graph: values by hand, the same as torch with SmoothMasks, and a forward pass as before.

In float64 by ONNX's reference implementation, where nothing but the rules can differ; in float32 by the runtime.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn
from torch.nn import functional as F

from export.errors import ExportError
from export.gradient import export_gradient, torch_gradient
from mobile_app.core.runtime import Graph

Load = Callable[[ir.Model], Graph]
Make = Callable[[Callable[..., Tensor | tuple[Tensor, ...]]], nn.Module]

STEEPNESS = 2.0


class Tiny(nn.Module):
    """Every way of writing a ReLU or a ReLU6 that networks here have, with values on each of their pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.third, self.last = nn.Linear(36, 12), nn.Linear(12, 5)
        self.relu, self.relu6 = nn.ReLU(inplace=True), nn.ReLU6()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.relu(self.first(image * 8 - 4))
        x = F.relu6(self.second(x) * 8 + 2)
        x = self.relu6(self.third(x.flatten(1)) * 4)
        logits = self.last(torch.relu(x - 1))
        return logits.logsumexp(1).sum() - logits[0, 2], logits


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return Tiny().double().eval()


@pytest.fixture(scope="module")
def smooth_graph(network: nn.Module) -> ir.Model:
    """The network's gradient graph in float64."""
    return export_gradient(network, image(1), smooth=STEEPNESS)


def image(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"image": torch.rand((1, 3, 6, 5), generator=generator, dtype=torch.float64)}


def in_float64(model: ir.Model, given: dict[str, Tensor]) -> dict[str, np.ndarray]:
    arrays = ReferenceEvaluator(ir.to_proto(model)).run(None, {name: value.numpy() for name, value in given.items()})
    return {str(value.name): np.asarray(array) for value, array in zip(model.graph.outputs, arrays, strict=True)}


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.vdot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_smoothed_gradients_by_hand(objective: Make, in_runtime: Load) -> None:
    points = (-1, 0, 0.5, 3, 6, 8)
    values = np.array([[[points], [points]]], np.float32)

    def gate(x: float) -> float:
        return 1 / (1 + math.exp(-2 * x))

    def below_six(x: float) -> float:
        return min(max(0.5 + (6 - x) / 2, 0.0), 1.0)

    module = objective(lambda x: F.relu(x[:, 0]).sum() + F.relu6(x[:, 1]).sum())
    graph = in_runtime(export_gradient(module, {"image": torch.zeros(1, 2, 1, 6)}, smooth=2.0))
    found = graph.run({"image": values})
    assert found["loss"] == (0.5 + 3 + 6 + 8) + (0.5 + 3 + 6 + 6)  # the forward pass is exact
    of_relu, of_relu6 = found["grad"][0, :, 0]
    np.testing.assert_allclose(of_relu, [gate(x) for x in points], rtol=1e-5)
    np.testing.assert_allclose(of_relu6, [gate(x) * below_six(x) for x in points], rtol=1e-5)
    assert of_relu[1] == 0.5
    np.testing.assert_allclose(of_relu6[[1, 4, 5]], [0.5, 0.5, 0], atol=1e-5)


def test_the_exported_graph_is_torchs_own_in_float64(network: nn.Module, smooth_graph: ir.Model) -> None:
    found, wanted = in_float64(smooth_graph, image(2)), torch_gradient(network, image(2), smooth=STEEPNESS)
    assert found.keys() == wanted.keys()
    assert found["grad"].dtype == np.float64
    assert cosine(found["grad"], wanted["grad"]) > 1 - 1e-9
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-9 * np.abs(value).max(), err_msg=name)


def test_what_is_computed_stays_and_what_flows_back_does_not(network: nn.Module, smooth_graph: ir.Model) -> None:
    found, exact = in_float64(smooth_graph, image(2)), torch_gradient(network, image(2))
    for name in ("loss", "logits"):
        np.testing.assert_allclose(found[name], exact[name], rtol=1e-12, err_msg=name)
    assert cosine(found["grad"], exact["grad"]) < 0.99


def test_the_runtime_gives_it_in_float32(network: nn.Module, in_runtime: Load) -> None:
    single = {name: value.float() for name, value in image(2).items()}
    found = in_runtime(export_gradient(network.float(), single, smooth=STEEPNESS)).run(
        {name: value.numpy() for name, value in single.items()}
    )
    wanted = torch_gradient(network.double(), image(2), smooth=STEEPNESS)
    assert cosine(found["grad"], wanted["grad"]) > 1 - 1e-9
    np.testing.assert_allclose(found["logits"], wanted["logits"], atol=1e-4)


def test_what_is_no_relu_keeps_its_exact_gradient(objective: Make, in_runtime: Load) -> None:
    module = objective(lambda x: (x * 4 - 1).clamp(0, 1).square().sum() + F.hardtanh(x * 4 - 2).sigmoid().sum())
    single = {name: value.float() for name, value in image(1).items()}
    graph = in_runtime(export_gradient(module, single, smooth=STEEPNESS))
    found = graph.run({name: value.numpy() for name, value in single.items()})
    exact, smooth = (torch_gradient(module, single, smooth=value)["grad"] for value in (None, STEEPNESS))
    np.testing.assert_allclose(found["grad"], exact, atol=1e-5)
    np.testing.assert_array_equal(smooth, exact)


@pytest.mark.parametrize("steepness", [0.0, -1.0, math.nan])
def test_a_steepness_that_is_not_above_zero_is_refused(network: nn.Module, steepness: float) -> None:
    with pytest.raises(ExportError, match="smooth: expected a steepness above 0, or None"):
        export_gradient(network, image(1), smooth=steepness)
