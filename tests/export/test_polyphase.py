"""Dealing out strided blocks changes how a graph computes, not what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn

from export.forward import to_onnx
from export.gradient import export_gradient, torch_gradient
from export.polyphase import deal_out_strided_blocks
from mobile_app.core.runtime import load_graph

FLOAT32 = np.dtype(np.float32)


class Block(nn.Module):
    """The expansion, activation and strided depthwise convolution of an inverted residual; the loss is the mean."""

    def __init__(self, kernel: int = 3, padding: int = 1, activation: type[nn.Module] = nn.ReLU6) -> None:
        super().__init__()
        self.expand = nn.Conv2d(3, 12, 1)
        self.activation = activation()
        self.depthwise = nn.Conv2d(12, 12, kernel, stride=2, padding=padding, groups=12)

    def forward(self, image: Tensor) -> Tensor:
        return (self.depthwise(self.activation(self.expand(image) * 4)) ** 2).mean()


class PlainBlock(Block):
    """Without a factor between the expansion and the activation, as networks have it."""

    def forward(self, image: Tensor) -> Tensor:
        return (self.depthwise(self.activation(self.expand(image))) ** 2).mean()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(1, 3, 32, 36, generator=torch.Generator().manual_seed(0)) * 8 - 4


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (5, 2), (2, 0)])
@pytest.mark.parametrize("activation", [nn.ReLU6, nn.ReLU])
def test_dealt_out_block_has_the_gradient_of_autograd(
    image: Tensor, kernel: int, padding: int, activation: type[nn.Module], tmp_path: Path
) -> None:
    torch.manual_seed(1)
    block = PlainBlock(kernel, padding, activation).eval()
    model = export_gradient(block, {"image": image.flip(3)})
    ir.save(model, tmp_path / "graph.onnx")
    assert "SpaceToDepth" in {node.op_type for node in model.graph}
    wanted = torch_gradient(block.double(), {"image": image.double()})
    found = load_graph(tmp_path / "graph.onnx").run({"image": image.numpy()})
    np.testing.assert_allclose(found["loss"], wanted["loss"], rtol=1e-5)
    np.testing.assert_allclose(found["grad"], wanted["grad"], atol=1e-5 * np.abs(wanted["grad"]).max())


def test_dealing_out_adds_no_weights(image: Tensor) -> None:
    block = PlainBlock().eval()
    plain = to_onnx(block, {"image": image}, ["loss"])
    before = sum(value.const_value.nbytes for value in plain.graph.initializers.values() if value.const_value)
    assert deal_out_strided_blocks(plain.graph, FLOAT32) == 1
    large = [
        value for value in plain.graph.initializers.values() if value.const_value and value.const_value.nbytes > 64
    ]
    assert sum(value.const_value.nbytes for value in large if value.const_value) <= before


@pytest.mark.parametrize(
    ("module", "size"),
    [
        (PlainBlock(), (1, 3, 33, 32)),  # an odd side cannot be dealt out into two halves
        (PlainBlock(padding=0), (1, 3, 32, 32)),  # a phase would need negative padding
        (PlainBlock(), (1, 3, 16, 16)),  # too small to gain by it
        (Block(), (1, 3, 32, 32)),  # something else stands between the convolution and the activation
    ],
)
def test_what_is_no_such_block_is_left_alone(module: nn.Module, size: tuple[int, ...]) -> None:
    model = to_onnx(module.eval(), {"image": torch.rand(size)}, ["loss"])
    operators = [node.op_type for node in model.graph]
    assert deal_out_strided_blocks(model.graph, FLOAT32) == 0
    assert [node.op_type for node in model.graph] == operators


def test_a_wide_tensor_that_is_read_twice_is_left_alone(image: Tensor) -> None:
    class Branching(PlainBlock):
        def forward(self, image: Tensor) -> Tensor:
            wide = self.activation(self.expand(image))
            return self.depthwise(wide).mean() + wide.mean()

    model = to_onnx(Branching().eval(), {"image": image}, ["loss"])
    assert deal_out_strided_blocks(model.graph, FLOAT32) == 0
