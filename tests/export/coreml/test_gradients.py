"""Gradient graphs in Core ML: torch's own gradient, masks and all, and the one of the ONNX graph that ships."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.coreml.convert import compress, convert, convert_float, save
from export.coreml.scaling import error_of_loss
from export.coreml.translate import to_program
from export.gradient import export_gradient, torch_gradient
from export.mil.evaluate import Activations, MilGraph, load_package, load_program
from export.parity import cosine
from mobile_app.core.runtime import Graph
from mobile_app.core.runtime.graph import Port

Load = Callable[[ir.Model], Graph]


class Tiny(nn.Module):
    """What the shipped networks are made of: padding to one side, strided and depthwise convolutions, both ReLUs, max
    pooling past the edge, a channel flip, parts that are joined, a shortcut, a mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.wide = nn.Conv2d(3, 6, 3, stride=2), nn.Conv2d(6, 48, 1)
        self.depthwise = nn.Conv2d(48, 48, 3, stride=2, groups=48)
        self.narrow, self.side = nn.Conv2d(48, 6, 1), nn.Conv2d(48, 6, 3, padding=1)
        self.last = nn.Linear(12, 5)

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(F.pad(image.flip(1) * 4 - 2, (0, 1, 0, 1)))
        x = F.relu6(self.wide(F.relu(x)) * 6 + 1)
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        x = F.relu6(self.depthwise(F.pad(x, (0, 1, 0, 1))) * 4)
        y = F.relu(self.narrow(x) * 4)
        x = torch.cat([y + F.relu(self.side(x)), y], 1)
        logits = self.last(x.mean((2, 3))) * 8
        return F.cross_entropy(logits, label), logits


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(2)
    return Tiny().eval()


def given(seed: int, label: int = 1) -> dict[str, np.ndarray]:
    image = np.random.default_rng(seed).random((1, 3, 24, 24), np.float32)
    return {"image": image, "label": np.array([label])}


def exported(network: nn.Module, smooth: float | None) -> ir.Model:
    """Anew each time, for a translation changes it."""
    return ir.from_proto(_exported(network, smooth))


@functools.cache
def _exported(network: nn.Module, smooth: float | None) -> onnx.ModelProto:
    example = {name: torch.from_numpy(array) for name, array in given(0).items()}
    return ir.to_proto(export_gradient(network, example, smooth=smooth))


@functools.cache
def _converted(network: nn.Module, in_half: bool) -> Any:
    return convert_float(exported(network, 2.0), in_half=in_half)


def by_torch(network: nn.Module, inputs: dict[str, np.ndarray], smooth: float | None) -> dict[str, np.ndarray]:
    exact = Tiny().double().eval()
    exact.load_state_dict(network.state_dict())
    tensors = {"image": torch.from_numpy(inputs["image"]).double(), "label": torch.from_numpy(inputs["label"])}
    return torch_gradient(exact, tensors, smooth=smooth)


@pytest.mark.parametrize("smooth", [None, 2.0])
def test_it_is_torchs_gradient_and_that_of_the_onnx_graph(
    network: nn.Module, smooth: float | None, in_runtime: Load
) -> None:
    model = exported(network, smooth)
    in_onnx = in_runtime(model)
    graph = MilGraph(to_program(model), "float64")
    for seed in (1, 2, 3):
        found, wanted = graph.run(given(seed)), by_torch(network, given(seed), smooth)
        assert found["loss"].shape == (1,)
        assert float(np.std(wanted["logits"])) > 0.05
        for name, value in wanted.items():
            np.testing.assert_allclose(
                found[name].reshape(value.shape), value, rtol=1e-5, atol=1e-6 * np.abs(value).max()
            )
        assert cosine(found["grad"], in_onnx.run(given(seed))["grad"]) > 1 - 1e-9


def test_smooth_masks_give_another_gradient(network: nn.Module) -> None:
    exact, smooth = (MilGraph(to_program(exported(network, steepness))).run(given(1)) for steepness in (None, 2.0))
    np.testing.assert_allclose(exact["logits"], smooth["logits"], rtol=1e-6)
    assert cosine(exact["grad"], smooth["grad"]) < 0.99


def test_of_equal_elements_the_first_gets_the_gradient_of_a_max_pool(objective: Callable[..., nn.Module]) -> None:
    """Two rows of 1 1 2 2 1: windows of three at columns 0, 2 and, past the edge, 4."""
    module = objective(lambda x: (F.max_pool2d(x, 3, 2, ceil_mode=True) * torch.tensor([3.0, 5, 7])).sum())
    image = torch.tensor([[[[1.0, 1, 2, 2, 1, 1], [1, 1, 2, 2, 1, 1]]]])
    program = to_program(export_gradient(module, {"image": image}))
    found = MilGraph(program, "float64").run({"image": image.numpy()})["grad"]
    wanted = torch_gradient(module, {"image": image})["grad"]
    assert wanted[0, 0].tolist() == [[0, 0, 3 + 5, 0, 7, 0], [0, 0, 0, 0, 0, 0]]
    assert found.tolist() == wanted.tolist()


def test_float16_keeps_a_gradient_where_the_network_is_sure(network: nn.Module, tmp_path: Path) -> None:
    """A thousandfold logits leave 1 - p at float32's own limit: without scaling nothing would be left in float16."""
    sure = Tiny().eval()
    sure.load_state_dict(network.state_dict())
    logits = by_torch(network, given(1), 2.0)["logits"][0]
    best, second = np.argsort(logits)[::-1][:2]
    with torch.no_grad():
        sure.last.bias[best] += (11.5 - float(logits[best] - logits[second])) / 8
    inputs = given(1, int(best))
    wanted = by_torch(sure, inputs, 2.0)
    assert 1e-6 < wanted["loss"] < 1e-4
    path = saved(convert(exported(sure, 2.0)), tmp_path)
    found = load_package(path).run(inputs)["grad"]
    assert cosine(found, wanted["grad"]) > 0.99
    assert 0.9 < np.linalg.norm(found) / np.linalg.norm(wanted["grad"]) < 1.1
    model = exported(sure, 2.0)
    model.graph.outputs[0].name = "another"  # then the way back is not scaled
    plain = load_package(saved(convert(model), tmp_path, "plain")).run(inputs)["grad"]
    assert cosine(plain, wanted["grad"]) < 0.99 or np.linalg.norm(plain) == 0


def test_a_loss_of_several_parts_is_not_scaled(network: nn.Module, objective: Callable[..., nn.Module]) -> None:
    def both(image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        logits = image.mean((2, 3)) * 3
        return F.cross_entropy(logits, label) + image.square().sum(), logits

    example = {name: torch.from_numpy(array) for name, array in given(0).items()}
    assert error_of_loss(export_gradient(objective(both), example).graph) is None
    assert error_of_loss(exported(network, 2.0).graph) is not None


@pytest.mark.parametrize(
    ("precision", "lowest"), [("float32", 0.999999), ("float16", 0.999), ("int8", 0.99), ("6bit", 0.98)]
)
def test_a_package_keeps_names_shapes_and_gradient(
    network: nn.Module, precision: str, lowest: float, tmp_path: Path
) -> None:
    floats = _converted(network, precision != "float32")
    path = saved(compress(floats, precision), tmp_path)
    compressed = [op for op in load_program(path).functions["main"].operations if "constexpr" in op.op_type]
    assert bool(compressed) == (precision in ("int8", "6bit"))
    graph = load_package(path)
    assert graph.inputs == {"image": Port((1, 3, 24, 24), "float32"), "label": Port((1,), "int32")}
    assert {name: port.shape for name, port in graph.outputs.items()} == {
        "loss": (1,),
        "logits": (1, 5),
        "grad": (1, 3, 24, 24),
    }
    found, wanted = graph.run(given(4)), by_torch(network, given(4), 2.0)
    assert cosine(found["grad"], wanted["grad"]) > lowest
    widths: tuple[Activations, ...] = ("float32", "float64")
    assert all(cosine(load_package(path, width).run(given(4))["grad"], wanted["grad"]) > lowest for width in widths)


def saved(made: Any, folder: Path, name: str = "tiny") -> Path:
    path = folder / f"{name}.mlpackage"
    save(made, path, title="tiny", version="0", licence="none", facts={})
    return path
