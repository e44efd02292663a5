"""Objectives as gradient graphs: what is refused and how it is said, what a graph looks like, and that it is right."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.errors import ExportError
from export.gradient import export_gradient, torch_gradient
from export.storage import save_graph
from mobile_app.core.runtime import Graph
from training.objectives import AwayFromLabel, FeatureDistance, MarginBelowRunnerUp, TowardsLabel

Load = Callable[[ir.Model], Graph]
Make = Callable[[Callable[..., Tensor | tuple[Tensor, ...]]], nn.Module]

IMAGE = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(1))
OTHER = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Flatten(),
        nn.Linear(160, 300),
        nn.Hardswish(),
        nn.Linear(300, 10),
    ).eval()


def test_gradient_of_a_square_is_twice_the_image_by_hand(objective: Make, in_runtime: Load) -> None:
    graph = in_runtime(export_gradient(objective(lambda x: x.square().sum()), {"image": torch.zeros(1, 1, 1, 3)}))
    outputs = graph.run({"image": np.array([[[[1, -2, 0.5]]]], np.float32)})
    assert outputs["loss"] == 5.25
    assert outputs["grad"].tolist() == [[[[2, -4, 1]]]]


def test_a_bound_at_zero_passes_on_what_reaches_it_from_inside_and_at_zero_by_hand(
    objective: Make, in_runtime: Load
) -> None:
    example = {"image": torch.zeros(1, 1, 1, 3)}
    image = {"image": np.array([[[[2, -2, 0]]]], np.float32)}
    above = in_runtime(export_gradient(objective(lambda x: (3 * x.clamp(min=0)).sum()), example)).run(image)
    assert (above["loss"], above["grad"].tolist()) == (6, [[[[3, 0, 3]]]])
    below = in_runtime(export_gradient(objective(lambda x: (3 * x.clamp(max=0)).sum()), example)).run(image)
    assert (below["loss"], below["grad"].tolist()) == (-6, [[[[0, 3, 3]]]])


def test_graph_has_named_inputs_and_outputs_of_fixed_shapes(network: nn.Module, in_runtime: Load) -> None:
    graph = in_runtime(export_gradient(AwayFromLabel(network).eval(), _labelled(IMAGE, 0)))
    assert {name: (port.dtype, port.shape) for name, port in graph.inputs.items()} == {
        "image": ("float32", (1, 3, 9, 7)),
        "label": ("int64", (1,)),
    }
    assert {name: (port.dtype, port.shape) for name, port in graph.outputs.items()} == {
        "loss": ("float32", ()),
        "logits": ("float32", (1, 10)),
        "grad": ("float32", (1, 3, 9, 7)),
    }


def test_objective_without_logits_gives_a_graph_without_logits(network: nn.Module, in_runtime: Load) -> None:
    graph = in_runtime(export_gradient(FeatureDistance(network).eval(), {"image": IMAGE, "original": OTHER}))
    assert list(graph.inputs) == ["image", "original"]
    assert list(graph.outputs) == ["loss", "grad"]


def test_operators_are_standard_ones_of_opset_18(network: nn.Module) -> None:
    model = export_gradient(AwayFromLabel(network).eval(), _labelled(IMAGE, 0))
    assert model.opset_imports == {"": 18}
    assert {node.domain for node in model.graph} == {""}
    assert not model.functions


@pytest.mark.parametrize("build", [AwayFromLabel, TowardsLabel, MarginBelowRunnerUp])
@pytest.mark.parametrize("label", [0, 7])
def test_labelled_objective_equals_autograd_at_fresh_images_and_labels(
    build: Callable[[nn.Module], nn.Module], label: int, network: nn.Module, in_runtime: Load
) -> None:
    module = build(network).eval()
    graph = in_runtime(export_gradient(module, _labelled(IMAGE, 3)))
    _assert_like_autograd(graph, module, _labelled(OTHER, label))


def test_feature_distance_equals_autograd_at_fresh_images(network: nn.Module, in_runtime: Load) -> None:
    module = FeatureDistance(network[:4]).eval()
    graph = in_runtime(export_gradient(module, {"image": IMAGE, "original": IMAGE * 0.5}))
    _assert_like_autograd(graph, module, {"image": OTHER, "original": IMAGE})


def test_label_changes_the_gradient(network: nn.Module, in_runtime: Load) -> None:
    graph = in_runtime(export_gradient(AwayFromLabel(network).eval(), _labelled(IMAGE, 0)))
    first, second = (graph.run(_arrays(_labelled(OTHER, label)))["grad"] for label in (0, 1))
    assert np.abs(first - second).max() > 0.1 * np.abs(first).max()


def test_logits_may_be_detached_since_the_loss_does_not_read_them(objective: Make, in_runtime: Load) -> None:
    module = objective(lambda x: (x.square().sum(), x.mean((2, 3)).detach()))
    _assert_like_autograd(in_runtime(export_gradient(module, {"image": IMAGE})), module, {"image": OTHER})


def test_label_may_come_from_detached_logits(objective: Make, in_runtime: Load) -> None:
    def loss(image: Tensor) -> Tensor:
        logits = image.mean(2).mean(1)
        return F.cross_entropy(logits, logits.detach().argmax(1))

    graph = in_runtime(export_gradient(objective(loss), {"image": IMAGE}))
    _assert_like_autograd(graph, objective(loss), {"image": OTHER})


def test_weights_are_stored_once_for_the_forward_and_the_backward_part(network: nn.Module) -> None:
    model = export_gradient(AwayFromLabel(network).eval(), _labelled(IMAGE, 0))
    stored = sum(value.const_value.nbytes for value in model.graph.initializers.values() if value.const_value)
    parameters = sum(4 * parameter.numel() for parameter in network.parameters())
    assert parameters <= stored + 200  # a batch norm becomes a bias
    assert stored <= parameters + 2000  # beside them shapes, axes and a few numbers


def test_file_tells_nothing_about_the_machine_that_made_it(network: nn.Module, tmp_path, root) -> None:
    save_graph(export_gradient(AwayFromLabel(network).eval(), _labelled(IMAGE, 0)), tmp_path / "graph.onnx")
    content = (tmp_path / "graph.onnx").read_bytes()
    for telltale in (
        ".py",
        "site-" + "packages",
        "File ",
        str(root),
        f"/{root.parts[1]}/",
        "/home/",
        "/usr/",
        "\\Users",
    ):
        assert telltale.encode() not in content
    assert not re.search(rf"/{getpass.getuser()}/".encode(), content)


def test_module_in_train_mode_is_refused(network: nn.Module) -> None:
    with pytest.raises(ExportError, match=r"^AwayFromLabel: the outermost module .* call \.eval\(\)"):
        export_gradient(AwayFromLabel(network), _labelled(IMAGE, 0))


def test_inner_module_in_train_mode_is_named(network: nn.Module) -> None:
    module = AwayFromLabel(network).eval()
    network[1].train()
    with pytest.raises(ExportError, match=r"`network\.1` \(BatchNorm2d\) is in train mode; call \.eval\(\)"):
        export_gradient(module, _labelled(IMAGE, 0))


def _batch_statistics(image: Tensor) -> Tensor:
    return F.batch_norm(image, torch.zeros(3), torch.ones(3), training=True).pow(3).sum()


def _dropout(image: Tensor) -> Tensor:
    return F.dropout(image, 0.5, training=True).sum()


@pytest.mark.parametrize(("function", "name"), [(_batch_statistics, "aten.batch_norm"), (_dropout, "aten.dropout")])
def test_function_called_in_train_mode_is_refused(
    function: Callable[[Tensor], Tensor], name: str, objective: Make
) -> None:
    with pytest.raises(ExportError, match=rf"^{name}.* at `return .*`: runs in train mode .* pass training=False"):
        export_gradient(objective(function), {"image": IMAGE})


def test_batch_norm_without_running_statistics_is_refused(objective: Make) -> None:
    norm = nn.BatchNorm2d(3, track_running_stats=False).eval()
    with pytest.raises(ExportError, match=r"batch_norm.* train mode .* running statistics"):
        export_gradient(objective(lambda x: norm(x).pow(3).sum()), {"image": IMAGE})


def _detached(image: Tensor) -> Tensor:
    return (image * image.detach()).sum()


def _item(image: Tensor) -> Tensor:
    return (image * image.mean().item()).sum()


def _no_grad(image: Tensor) -> Tensor:
    with torch.no_grad():
        weight = image * 2
    return (image * weight).sum()


@pytest.mark.parametrize(
    ("function", "cut"),
    [(_detached, r"\.detach\(\) at `return "), (_item, r"\.item\(\) at `return "), (_no_grad, r"torch\.no_grad\(\)")],
)
def test_frozen_part_is_refused_with_what_froze_it(
    function: Callable[[Tensor], Tensor], cut: str, objective: Make
) -> None:
    with pytest.raises(ExportError, match=rf"^{cut}.*has no gradient in torch.*; leave the cut out, or pass"):
        export_gradient(objective(function), {"image": IMAGE})


def test_module_that_works_without_gradient_is_named(objective: Make) -> None:
    class Frozen(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            with torch.no_grad():
                return image * 2

    module = nn.Sequential(Frozen(), objective(lambda x: x.square().sum())).eval()
    with pytest.raises(ExportError, match=r"^torch\.no_grad\(\) in `0`"):
        export_gradient(module, {"image": IMAGE})


def _numpy(image: Tensor) -> Tensor:
    return (image * torch.from_numpy(image.numpy())).sum()


def _float(image: Tensor) -> Tensor:
    return (image * float(image.mean())).sum()


def _branch(image: Tensor) -> Tensor:
    return image.sum() if image.mean() > 0.5 else image.square().sum()


@pytest.mark.parametrize("function", [_numpy, _float, _branch])
def test_detour_around_torch_is_refused(
    function: Callable[[Tensor], Tensor], objective: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExportError, match=r"torch\.export cannot trace it .*; keep to torch operations .* \.numpy\(\)"):
        export_gradient(objective(function), {"image": IMAGE})
    assert capfd.readouterr() == ("", "")


def test_inference_mode_is_refused(objective: Make) -> None:
    def loss(image: Tensor) -> Tensor:
        with torch.inference_mode():
            weight = image * 2
        return (image * weight).sum()

    with pytest.raises(ExportError, match=r"torch has no gradient of it .*torch\.inference_mode\(\)"):
        export_gradient(objective(loss), {"image": IMAGE})


@pytest.mark.parametrize(
    "function", [lambda x: torch.tensor(2.0) * 3, lambda x: x.round().sum(), lambda x: x.argmax().float()]
)
def test_loss_that_does_not_depend_on_the_image_is_refused(
    function: Callable[[Tensor], Tensor], objective: Make
) -> None:
    with pytest.raises(ExportError, match=r"the loss does not depend on `image`.*; look for \.detach\(\)"):
        export_gradient(objective(function), {"image": IMAGE})


def test_loss_with_several_elements_is_refused(objective: Make) -> None:
    with pytest.raises(ExportError, match=r"expected a scalar loss, found shape \(1, 3\); sum or average it"):
        export_gradient(objective(lambda x: x.sum((2, 3))), {"image": IMAGE})


@pytest.mark.parametrize(
    ("function", "found"),
    [(lambda x: (x.sum(), x, x), r"\(Tensor, Tensor, Tensor\)"), (lambda x: {"loss": x.sum()}, r"\(dict\)")],
)
def test_other_results_than_loss_and_logits_are_refused(function, found: str, objective: Make) -> None:
    with pytest.raises(
        ExportError, match=rf"expected a loss, or a loss and logits, found {found}; return \(loss, logits\)"
    ):
        export_gradient(objective(function), {"image": IMAGE})


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: x.cumsum(1), "CumSum"),
        (lambda x: torch.fft.rfft2(x).abs(), "DFT"),
        (lambda x: x.prod(1), "ReduceProd"),
    ],
)
def test_operator_without_a_rule_is_refused_by_name(function, operator: str, objective: Make) -> None:
    with pytest.raises(ExportError, match=rf"^{operator} \(.*there is no adjoint rule .* add a rule in export/adjoint"):
        export_gradient(objective(lambda x: function(x).sum()), {"image": IMAGE})


def test_module_of_an_operator_without_a_rule_is_named() -> None:
    class RunningSum(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.cumsum(1)

    class Total(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tail = nn.Sequential(nn.ReLU(), RunningSum())

        def forward(self, image: Tensor) -> Tensor:
            return self.tail(image).sum()

    with pytest.raises(ExportError, match=r"^CumSum \(in `tail\.1`\)"):
        export_gradient(Total().eval(), {"image": IMAGE})


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: x.flatten().kthvalue(3).values, "aten.kthvalue"),
        (nn.AdaptiveMaxPool2d((3, 2)), "aten.adaptive_max_pool2d"),
    ],
)
def test_operator_that_onnx_lacks_is_refused_by_name(function, operator: str, objective: Make) -> None:
    with pytest.raises(ExportError, match=rf"^{operator}.*: ONNX has no operator for it; replace it"):
        export_gradient(objective(lambda x: function(x).sum()), {"image": IMAGE})


def test_shape_that_depends_on_the_image_is_refused(objective: Make) -> None:
    with pytest.raises(ExportError, match=r"^NonZero \(.*expected an output of a fixed shape.*; multiply by a mask"):
        export_gradient(objective(lambda x: x[x > 0.5].sum()), {"image": IMAGE})


def test_scale_that_ends_between_pixels_is_refused(objective: Make) -> None:
    module = objective(lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear").pow(2).sum())
    with pytest.raises(ExportError, match=r"upsample_bilinear2d.* found \(9, 7\) times 1\.7, 1\.7; pass size="):
        export_gradient(module, {"image": IMAGE})


def test_scale_that_gives_whole_pixels_is_exported(objective: Make, in_runtime: Load) -> None:
    module = objective(lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear").pow(2).sum())
    _assert_like_autograd(in_runtime(export_gradient(module, {"image": IMAGE})), module, {"image": OTHER})


def test_input_without_the_name_of_the_image_is_refused(objective: Make) -> None:
    with pytest.raises(ExportError, match=r"expected an input named image, found picture; name the image so"):
        export_gradient(objective(lambda x: x.sum()), {"picture": IMAGE})


def test_image_of_whole_numbers_is_refused(objective: Make) -> None:
    with pytest.raises(ExportError, match=r"input image: expected float32 in \[0, 1\], found torch\.uint8; convert it"):
        export_gradient(objective(lambda x: x.float().sum()), {"image": (IMAGE * 255).to(torch.uint8)})


def _labelled(image: Tensor, label: int) -> dict[str, Tensor]:
    return {"image": image, "label": torch.tensor([label])}


def _arrays(inputs: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in inputs.items()}


def _assert_like_autograd(graph: Graph, module: nn.Module, inputs: dict[str, Tensor]) -> None:
    found = graph.run(_arrays(inputs))
    exact = {name: value.double() if value.is_floating_point() else value for name, value in inputs.items()}
    wanted = torch_gradient(module.double(), exact)
    assert found.keys() == wanted.keys()
    assert np.abs(wanted["grad"]).max() > 0
    for name, value in wanted.items():
        assert np.abs(found[name] - value).max() <= 1e-5 * np.abs(value).max(), name
