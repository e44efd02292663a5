"""Translating a module: what the graph computes, how adaptive pooling is written, and what is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from export.errors import ExportError
from export.forward import OPSET, quiet_exporter, to_onnx
from mobile_app.core.runtime import Graph

Load = Callable[[ir.Model], Graph]
IMAGE = torch.rand(1, 3, 10, 7, generator=torch.Generator().manual_seed(1))


def test_graph_has_the_names_it_was_given(in_runtime: Load) -> None:
    graph = in_runtime(to_onnx(nn.ReLU().eval(), {"picture": IMAGE}, ["positive"]))
    assert list(graph.inputs) == ["picture"]
    assert list(graph.outputs) == ["positive"]


def test_graph_computes_what_the_module_computes(in_runtime: Load) -> None:
    torch.manual_seed(2)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten(), nn.Linear(80, 5)
    ).eval()
    graph = in_runtime(to_onnx(module, {"image": IMAGE}, ["logits"]))
    other = IMAGE.flip(2)
    with torch.no_grad():
        wanted = module(other).numpy()
    np.testing.assert_allclose(graph.run({"image": other.numpy()})["logits"], wanted, rtol=1e-5, atol=1e-6)


def test_graph_keeps_its_weights_when_the_module_changes(in_runtime: Load) -> None:
    module = nn.Linear(7, 100).eval()
    model = to_onnx(module, {"image": IMAGE}, ["y"])
    with torch.no_grad():
        wanted = module(IMAGE).numpy()
        module.weight.zero_()
    module.double()
    np.testing.assert_allclose(in_runtime(model).run({"image": IMAGE.numpy()})["y"], wanted, rtol=1e-5, atol=1e-6)


def test_batch_norm_after_a_convolution_is_folded_into_it() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    model = to_onnx(module, {"image": IMAGE}, ["features"])
    assert [node.op_type for node in model.graph] == ["Conv"]


def test_opset_is_the_stated_one() -> None:
    assert to_onnx(nn.ReLU().eval(), {"image": IMAGE}, ["y"]).opset_imports[""] == OPSET == 18


def test_adaptive_pooling_takes_the_mean_of_overlapping_bins_by_hand(in_runtime: Load) -> None:
    graph = in_runtime(to_onnx(nn.AdaptiveAvgPool2d((1, 3)).eval(), {"image": torch.zeros(1, 1, 1, 4)}, ["means"]))
    means = graph.run({"image": np.array([[[[1, 3, 6, 8]]]], np.float32)})["means"]
    assert means.tolist() == [[[[2, 4.5, 7]]]]  # bins [0, 2), [1, 3) and [2, 4)


def test_adaptive_pooling_needs_no_gathers() -> None:
    model = to_onnx(nn.AdaptiveAvgPool2d((5, 4)).eval(), {"image": IMAGE}, ["means"])
    assert {node.op_type for node in model.graph} <= {"Slice", "ReduceMean", "Concat"}


def test_pooling_to_one_pixel_is_one_mean() -> None:
    model = to_onnx(nn.AdaptiveAvgPool2d(1).eval(), {"image": IMAGE}, ["means"])
    assert [node.op_type for node in model.graph] == ["ReduceMean"]


def test_train_mode_is_refused() -> None:
    with pytest.raises(
        ExportError, match=r"^Dropout: the outermost module \(Dropout\) is in train mode; call \.eval\(\)"
    ):
        to_onnx(nn.Dropout(), {"image": IMAGE}, ["y"])


def test_operator_that_onnx_lacks_is_refused() -> None:
    with pytest.raises(ExportError, match=r"^aten\.adaptive_max_pool2d.*: ONNX has no operator for it; replace it"):
        to_onnx(nn.AdaptiveMaxPool2d(3).eval(), {"image": IMAGE}, ["y"])


def test_loggers_have_their_levels_back_afterwards() -> None:
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    with quiet_exporter():
        assert logger.level == logging.ERROR
    assert logger.level == before
