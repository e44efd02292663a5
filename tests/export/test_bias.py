"""What rounding weights does on average, by hand, and that a corrected graph no longer does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from export.bias import correct_biases, mean_error, rounded
from export.forward import to_onnx
from export.gradient import clean
from export.storage import save_graph
from mobile_app.core.runtime import load_graph


def test_rounding_by_hand() -> None:
    # two levels each side: multiples of 0.5 in the first channel, of 2 in the second, nothing in the third
    weights = np.float32([[1, 0.6, -0.2], [4, 2.9, -3.1], [0, 0, 0]])
    np.testing.assert_allclose(rounded(weights, 2), [[1, 0.5, 0], [4, 2, -4], [0, 0, 0]])


def test_mean_error_by_hand() -> None:
    # channel 0: weights 1 and 0.6 -> 0.5 of inputs with means 2 and 3: -0.1 * 3; channel 1: 4 and -3.1 -> -4: -0.9 * 3
    weights = np.float32([[1, 0.6], [4, -3.1]]).reshape(2, 2, 1, 1)
    np.testing.assert_allclose(mean_error(weights, np.float64([2, 3]), 2), [-0.3, -2.7], rtol=1e-6)


def test_mean_error_of_a_depthwise_convolution_takes_each_channels_own_mean() -> None:
    # kernel 1, 0.6 -> 0.5 in both channels: -0.1 times the channel's mean
    weights = np.float32([[1, 0.6], [1, 0.6]]).reshape(2, 1, 1, 2)
    np.testing.assert_allclose(mean_error(weights, np.float64([2, 3]), 2), [-0.2, -0.3], rtol=1e-6)


@pytest.fixture
def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 6, 1), nn.ReLU6(), nn.Conv2d(6, 4, 3)).eval()


def test_corrected_graph_with_rounded_weights_has_the_mean_of_the_exact_one(
    network: nn.Sequential, tmp_path: Path, rng: np.random.Generator
) -> None:
    model = to_onnx(network, {"image": torch.rand(1, 3, 16, 16)}, ["logits"])
    clean(model)
    save_graph(model, tmp_path / "exact.onnx")
    images = [rng.random((1, 3, 16, 16), dtype=np.float32) for _ in range(8)]
    names = [node.name for node in model.graph if node.op_type == "Conv"]
    keep = [name for name in names[:1] if name]  # the first layer stays exact, so that all error is the second one's
    correct_biases(tmp_path / "exact.onnx", tmp_path / "corrected.onnx", images, keep=keep, levels=2)
    for name in ("exact", "corrected"):
        _round_last_weights(tmp_path / f"{name}.onnx", tmp_path / f"{name}.rounded.onnx")

    def mean(file: str) -> np.ndarray:
        graph = load_graph(tmp_path / file)
        return np.mean([graph.run({"image": image})["logits"].mean((0, 2, 3)) for image in images], 0)

    wanted = mean("exact.onnx")
    assert np.abs(mean("exact.rounded.onnx") - wanted).max() > 0.05
    assert np.abs(mean("corrected.rounded.onnx") - wanted).max() < 0.01


def _round_last_weights(path: Path, out: Path) -> None:
    model = ir.load(path)
    last = [node for node in model.graph if node.op_type == "Conv"][-1].inputs[1]
    assert last is not None
    assert last.const_value is not None
    last.const_value = ir.tensor(rounded(last.const_value.numpy(), 2).astype(np.float32), name=last.name)
    save_graph(model, out)
