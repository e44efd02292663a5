"""A classifier seen through a ComModel is one gradient graph, and it gives what autograd gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn

from export.gradient import export_gradient, torch_gradient
from mobile_app.core.runtime import Graph
from training.data.codecs import CONDITION_VALUES, parse_codec
from training.models.commodel import AtCondition, ComModelConfig, build_commodel
from training.objectives import AwayFromLabel
from training.objectives.smooth import SmoothMasks

Load = Callable[[ir.Model], Graph]


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
    ).eval()


def _stand_in(
    condition_values: int, transforms: tuple[int, ...] = (), widths: tuple[int, ...] = (4, 6, 8)
) -> nn.Module:
    """A ComModel with random weights where a new one has zeros, at a condition if it takes one."""
    model = build_commodel(
        ComModelConfig(widths=widths, blocks=2, condition_values=condition_values, transforms=transforms, kinks=4)
    )
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    if not condition_values:
        return model
    return AtCondition(model, torch.from_numpy(parse_codec("jpeg:30").condition())).eval()


@pytest.mark.parametrize("size", [(32, 32), (27, 21)])
@pytest.mark.parametrize("condition_values", [0, CONDITION_VALUES])
@pytest.mark.parametrize("transforms", [(), (8, 4)])
@pytest.mark.parametrize("smooth", [None, 2.0])
def test_gradient_through_a_commodel_equals_autograd(
    size: tuple[int, int],
    condition_values: int,
    transforms: tuple[int, ...],
    smooth: float | None,
    network: nn.Module,
    in_runtime: Load,
) -> None:
    stand_in = _stand_in(condition_values, transforms)
    objective = AwayFromLabel(nn.Sequential(stand_in, network)).eval()
    first, fresh = torch.rand(2, 1, 3, *size, generator=torch.Generator().manual_seed(5))
    assert (stand_in(fresh) - fresh).abs().max() > 0.01
    graph = in_runtime(export_gradient(objective, _labelled(first, 3), smooth=smooth))
    found = graph.run({name: value.numpy() for name, value in _labelled(fresh, 7).items()})
    inputs = {**_labelled(fresh, 7), "image": fresh.double()}
    wanted = torch_gradient(objective.double(), inputs, smooth=smooth)
    through_nothing = torch_gradient(AwayFromLabel(network).double().eval(), inputs, smooth=smooth)
    assert np.abs(wanted["grad"] - through_nothing["grad"]).max() > 0.01 * np.abs(wanted["grad"]).max()
    for name, value in wanted.items():
        assert np.abs(found[name] - value).max() <= 1e-5 * np.abs(value).max(), name


def test_smooth_masks_leave_the_curves_of_a_transform_as_they_are() -> None:
    stand_in = _stand_in(0, transforms=(8,), widths=()).eval()
    image = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(6)).requires_grad_()
    (exact,) = torch.autograd.grad(stand_in(image).square().sum(), image)
    with SmoothMasks(0.5):
        loss = stand_in(image).square().sum()
    (found,) = torch.autograd.grad(loss, image)
    torch.testing.assert_close(found, exact, rtol=0, atol=0)


def test_the_graph_holds_plain_operators_alone(network: nn.Module) -> None:
    objective = AwayFromLabel(nn.Sequential(_stand_in(0), network)).eval()
    model = export_gradient(objective, _labelled(torch.rand(1, 3, 32, 32), 0))
    used = {node.op_type for node in model.graph}
    assert {"Conv", "ConvTranspose"} <= used
    assert not used & {"Loop", "If", "Scan", "Resize"}


def _labelled(image: Tensor, label: int) -> dict[str, Tensor]:
    return {"image": image, "label": torch.tensor([label])}
