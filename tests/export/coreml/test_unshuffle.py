"""PixelUnshuffle, which ONNX has in six axes: found again, computed as torch does, and told from what is like it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from export.coreml.translate import to_program
from export.coreml.unshuffle import PIXEL_UNSHUFFLE, gather_unshuffles
from export.forward import to_onnx
from export.mil.evaluate import MilGraph

IMAGE = torch.arange(2 * 4 * 6, dtype=torch.float32).reshape(1, 2, 4, 6)


class Apart(nn.Module):
    """The same three operators with the phases in another order."""

    def forward(self, image: Tensor) -> Tensor:
        return image.reshape(1, 2, 2, 2, 3, 2).permute(0, 3, 5, 1, 2, 4).reshape(1, 8, 2, 3)


def test_what_core_ml_gives_is_what_torch_gives() -> None:
    module = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(8, 3, 1)).eval()
    program = to_program(to_onnx(module, {"image": IMAGE}, ["out"]))
    (found,) = MilGraph(program, "float64").run({"image": IMAGE.numpy()}).values()
    np.testing.assert_allclose(found, module(IMAGE).detach().numpy(), rtol=1e-5)


def test_three_operators_become_one() -> None:
    model = to_onnx(nn.PixelUnshuffle(2).eval(), {"image": IMAGE}, ["out"])
    gather_unshuffles(model.graph)
    assert [node.op_type for node in model.graph] == [PIXEL_UNSHUFFLE]
    assert model.graph.outputs[0].name == "out"


def test_another_order_stays_as_it_is() -> None:
    model = to_onnx(Apart().eval(), {"image": IMAGE}, ["out"])
    before = [node.op_type for node in model.graph]
    gather_unshuffles(model.graph)
    assert "Transpose" in before
    assert [node.op_type for node in model.graph] == before
