"""The steepness folded into a network: the same answers and the same gradient, by masks without a factor."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.adjoint.tape import SmoothGates, is_masked
from export.forward import to_onnx
from export.gradient import export_gradient, torch_gradient
from export.steepness import fold_in
from mobile_app.core.runtime import Graph

FLOAT32 = np.dtype(np.float32)
STEEPNESS = 2.5


class Network(nn.Module):
    """The parts that the networks here are made of; `tail` makes logits of its features, (1, 6, H, W)."""

    def __init__(self, tail: Callable[[Network, Tensor], Tensor]) -> None:
        super().__init__()
        self.stem, self.wide = nn.Conv2d(3, 6, 3, stride=2), nn.Conv2d(6, 24, 1)
        self.depthwise = nn.Conv2d(24, 24, 3, stride=2, padding=1, groups=24)
        self.narrow, self.side = nn.Conv2d(24, 6, 1, bias=False), nn.Conv2d(6, 6, 3, padding=1)
        self.last, self.tail = nn.Linear(6, 5), tail

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu6(self.stem(F.pad(image.flip(1) * 8 - 4, (0, 1, 0, 1))))
        x = F.max_pool2d(F.relu6(self.wide(x)), 3, 1, padding=1)
        x = self.narrow(F.relu6(self.depthwise(F.pad(x, (0, 1, 0, 1)))))
        x = torch.cat([x, x + F.relu(self.side(x))], 1)[:, 3:9]
        logits = self.tail(self, x)
        return logits.logsumexp(1).sum() - logits[0, 1], logits


TAILS: dict[str, Callable[[Network, Tensor], Tensor]] = {
    "a linear layer on means": lambda of, x: of.last(x.mean((2, 3))),
    "means alone": lambda _, x: F.relu(x).mean((2, 3)),
    "a factor of features": lambda of, x: F.relu(of.side(x * x.mean(1).sigmoid())).amax((2, 3)),
    "a constant added": lambda of, x: F.relu(of.side(x + 3)).sum((2, 3)),
    "a clip of its own": lambda of, x: F.relu(of.side(x.clamp(-0.125, 0.25))).mean((2, 3)),
    "a bend without a gate": lambda of, x: F.relu(of.side(of.side(x).clamp(min=0))).mean((2, 3)),
    "a border of ones": lambda of, x: F.relu(of.side(F.pad(x, (1, 1, 1, 1), value=1.0))).mean((2, 3)),
    "a difference": lambda of, x: (x - of.side(x)).square().mean((2, 3)),
}


Load = Callable[[ir.Model], Graph]


@pytest.fixture(scope="module", params=TAILS)
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(3)
    return Network(TAILS[request.param]).eval()


@pytest.fixture(scope="module")
def exported(network: Network) -> ir.Model:
    """The network's gradient graph."""
    return export_gradient(network, image(1), smooth=STEEPNESS)


def image(seed: int) -> dict[str, Tensor]:
    return {"image": torch.rand((1, 3, 16, 12), generator=torch.Generator().manual_seed(seed))}


def test_answers_and_gradient_are_torchs_own(network: Network, exported: ir.Model, in_runtime: Load) -> None:
    found = in_runtime(exported).run({name: value.numpy() for name, value in image(2).items()})
    in_double = {name: value.double() for name, value in image(2).items()}
    wanted = torch_gradient(copy.deepcopy(network).double(), in_double, smooth=STEEPNESS)
    assert found.keys() == wanted.keys() == {"loss", "logits", "grad"}
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=2e-6 * np.abs(value).max(), err_msg=name)


def test_its_masks_read_what_a_convolution_gives(exported: ir.Model) -> None:
    masked = [node for node in exported.graph if node.op_type == "Relu" or is_masked(node, STEEPNESS)]
    assert len(masked) >= 4
    for node in masked:
        assert node.inputs[0] is not None
        assert "Sigmoid" in {reader.op_type for reader in node.inputs[0].consumers()}


def test_only_small_numbers_change(network: Network) -> None:
    """Biases, bounds, and kernels that read plain values: all others stay, and a forward graph may share them."""
    plain = to_onnx(network, image(1), ["loss", "logits"])
    assert fold_in(plain.graph, STEEPNESS, FLOAT32) == SmoothGates(STEEPNESS, scale=STEEPNESS)
    kernels = [node.inputs[1] for node in plain.graph if node.op_type == "Conv"]
    read_plain = {"stem.weight_larger"}
    if network.tail in (TAILS[name] for name in ("a factor of features", "a constant added", "a border of ones")):
        read_plain.add("side.weight_larger")
    assert {value.name for value in kernels if value and str(value.name).endswith("_larger")} == read_plain


def test_a_network_with_a_relu_out_of_reach_stays_as_it_is() -> None:
    torch.manual_seed(3)
    network = Network(lambda of, x: F.relu(of.side(x) * 8 - 2).mean((2, 3))).eval()
    plain = to_onnx(network, image(1), ["loss", "logits"])
    before = ir.to_proto(plain).SerializeToString()
    assert fold_in(plain.graph, STEEPNESS, FLOAT32) == SmoothGates(STEEPNESS)
    assert ir.to_proto(plain).SerializeToString() == before
