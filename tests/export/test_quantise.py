"""Eight bits: what they hold of a network, what stays float, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from export.errors import ExportError
from export.forward import to_onnx
from export.gradient import clean
from export.parity import agreement, cosine
from export.quantise import FLOAT_REASONS, Quantised, quantise
from export.storage import save_graph
from mobile_app.core.runtime import load_graph
from training.models.calibrate import calibrate, smooth_images


class _Small(nn.Module):
    """Shifts the image, two convolutions with ReLU6, a shortcut, and a head with maps."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.head = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor] | Tensor:
        x = nn.functional.relu6(self.norm(self.first(image * 2 - 1)))
        x = nn.functional.relu6(x + self.second(x))
        evidence = nn.functional.conv2d(x, self.head.weight[:, :, None, None])
        logits = evidence.mean((2, 3)) + self.head.bias
        return (logits, evidence) if self.exported else logits

    exported = False


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return [image[None].numpy() for image in smooth_images(24, 32, seed=5)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph in float32."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = calibrate(_Small(), size_px=32)
    network.exported = True  # pyright: ignore[reportAttributeAccessIssue]
    model = to_onnx(network, {"image": torch.rand(1, 3, 32, 32)}, ["logits", "evidence"])
    clean(model)
    path = tmp_path_factory.mktemp("plain") / "graph.onnx"
    save_graph(model, path)
    return path


@pytest.fixture(scope="module")
def small(plain: Path, images: list[np.ndarray]) -> Quantised:
    return quantise(plain, images[:16])


def test_quantised_graph_says_nearly_the_same(plain: Path, small: Quantised, images: list[np.ndarray], tmp_path: Path):
    onnx.save(small.model, tmp_path / "int8.onnx")
    graphs = load_graph(plain), load_graph(tmp_path / "int8.onnx")
    for image in images[16:]:
        wanted, found = (graph.run({"image": image}) for graph in graphs)
        assert found.keys() == wanted.keys()
        assert cosine(found["logits"], wanted["logits"]) > 0.99
        assert not np.array_equal(found["logits"], wanted["logits"])


def test_weights_have_seven_bits_and_a_scale_for_each_channel(small: Quantised) -> None:
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in small.model.graph.initializer}
    weights = [array for array in tensors.values() if array.dtype == np.int8 and array.ndim == 4]
    assert len(weights) == 2
    for array in weights:
        assert np.abs(array.reshape(len(array), -1).astype(int)).max(1).tolist() == [64] * len(array)


def test_every_operator_is_a_standard_one(small: Quantised) -> None:
    assert {node.domain for node in small.model.graph.node} == {""}
    assert [(entry.domain, entry.version) for entry in small.model.opset_import] == [("", 18)]
    assert small.model.producer_name == "petalveil"
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in small.model.graph.node}


def test_head_and_the_scaling_of_the_image_stay_float_each_with_a_reason(small: Quantised) -> None:
    operators = sorted(reason.partition(":")[0] for reason in small.in_float.values())
    assert operators == ["Add", "Conv", "Mul", "ReduceMean", "Sub"]
    assert all(FLOAT_REASONS[operator] for operator in operators)
    assert small.in_int8 == 5  # two convolutions, two ReLU6 and the shortcut
    assert small.photos == 16


def test_operator_without_a_rule_is_refused_by_name(images: list[np.ndarray], tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.Sigmoid()).eval()
    save_graph(to_onnx(network, {"image": torch.rand(1, 3, 32, 32)}, ["logits"]), tmp_path / "graph.onnx")
    with pytest.raises(ExportError, match=r"^Sigmoid .*no rule says whether it is quantised"):
        quantise(tmp_path / "graph.onnx", images)


def test_too_few_photos_are_refused(plain: Path, images: list[np.ndarray]) -> None:
    with pytest.raises(ExportError, match="calibration: expected 8 photos or more, found 7"):
        quantise(plain, images[:7])


def test_agreement_by_hand() -> None:
    # softmax of (0, ln 3) is (1/4, 3/4), of (ln 3, 0) the other way round
    wanted = np.log([[1.0, 3.0], [3.0, 1.0], [1.0, 1.0], [9.0, 1.0]])
    found = np.log([[1.0, 3.0], [1.0, 3.0], [3.0, 1.0], [9.0, 1.0]])
    row = agreement(found, wanted)
    assert (row.photos, row.top1) == (4, 0.75)
    assert row.mean_difference == pytest.approx((0 + 0.5 + 0.25 + 0) / 4)
    assert row.largest_difference == pytest.approx(0.5)
