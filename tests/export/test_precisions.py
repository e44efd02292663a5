"""One graph in every precision: what each stores, what it computes, and what it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn

from export.errors import ExportError
from export.forward import to_onnx
from export.gradient import clean, export_gradient
from export.parity import cosine
from export.precisions.gradient import BACKWARD_REASON, quantise_gradient
from export.precisions.half import compute_in_half
from export.precisions.variants import PRECISIONS, Variant, bytes_together, write_variant
from export.storage import save_graph
from mobile_app.core.runtime import Graph, load_graph
from training.models.calibrate import calibrate, smooth_images

pytestmark = pytest.mark.usefixtures("one_thread")
SMOOTH = 2.0


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(32)
        self.second = nn.Conv2d(32, 32, 3, padding=1)
        self.head = nn.Linear(32, 40)

    def forward(self, image: Tensor) -> Tensor:
        x = nn.functional.relu6(self.norm(self.first(image * 2 - 1)))
        x = nn.functional.relu6(x + self.second(x))
        return self.head(x.mean((2, 3)))


class _Away(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(image)
        return nn.functional.cross_entropy(logits, label), logits


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return [image[None].numpy() for image in smooth_images(20, 32, seed=5)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradient graph in float32."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = calibrate(_Network(), size_px=32)
    example = {
        "image": torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)),
        "label": torch.tensor([0]),
    }
    path = tmp_path_factory.mktemp("plain") / "graph.onnx"
    save_graph(export_gradient(_Away(network).eval(), example, smooth=SMOOTH), path)
    return path


@pytest.fixture(scope="module")
def variants(plain: Path, images: list[np.ndarray]) -> dict[str, tuple[Path, Variant]]:
    """(file, facts) by precision."""
    found = {}
    for precision in PRECISIONS:
        path = plain.parent / f"{precision.replace(' ', '-')}.onnx"
        found[precision] = path, write_variant(plain, path, precision, images=images[:12], smooth=SMOOTH)
    return found


# Lowest cosine of the gradient over four images that calibrated nothing.
@pytest.mark.parametrize(
    ("precision", "lowest"),
    [("float32", 1 - 1e-9), ("float16", 0.9999), ("int8 weights", 0.999), ("int8", 0.99)],
)
def test_gradient_keeps_its_direction(
    precision: str, lowest: float, plain: Path, variants: dict[str, tuple[Path, Variant]], images: list[np.ndarray]
) -> None:
    wanted, found = load_graph(plain, threads=1), load_graph(variants[precision][0], threads=1)
    cosines = [cosine(_run(found, image)["grad"], _run(wanted, image)["grad"]) for image in images[12:16]]
    assert min(cosines) >= lowest
    same = np.array_equal(_run(found, images[15])["grad"], _run(wanted, images[15])["grad"])
    assert same == (precision == "float32")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_variant_has_the_ports_of_its_graph_and_an_ir_version_that_old_runtimes_read(
    precision: str, plain: Path, variants: dict[str, tuple[Path, Variant]]
) -> None:
    wanted, found = load_graph(plain), load_graph(variants[precision][0])
    assert dict(found.inputs) == dict(wanted.inputs)
    assert dict(found.outputs) == dict(wanted.outputs)
    model = onnx.load(variants[precision][0])
    assert model.ir_version == 9
    assert {node.domain for node in model.graph.node} == {""}


def test_sizes_are_those_of_the_weights(variants: dict[str, tuple[Path, Variant]]) -> None:
    sizes = {precision: sum(found.tensors.values()) for precision, (_, found) in variants.items()}
    kernels = 32 * 32 * 9  # of the second convolution, above the smallest that int8 weights are worth
    assert sizes["float32"] >= 4 * (kernels + 40 * 32)
    assert 0.45 < sizes["float16"] / sizes["float32"] < 0.55
    assert sizes["int8 weights"] < 0.4 * sizes["float32"]
    for path, found in variants.values():
        assert found.bytes == path.stat().st_size == found.own_bytes + sum(found.tensors.values())


def test_float16_compute_has_no_float32_inside(plain: Path) -> None:
    model = ir.load(plain)
    compute_in_half(model)
    inner = [value for node in model.graph for value in node.outputs if value not in model.graph.outputs]
    assert all(value.dtype != ir.DataType.FLOAT for value in inner)
    assert all(value.dtype != ir.DataType.FLOAT for value in model.graph.initializers.values())
    assert [value.dtype for value in model.graph.outputs] == [ir.DataType.FLOAT] * 3


def test_number_that_float16_cannot_hold_is_refused(objective: Callable[..., nn.Module]) -> None:
    model = to_onnx(objective(lambda image: image * 1e6), {"image": torch.rand(1, 3, 4, 4)}, ["logits"])
    with pytest.raises(ExportError, match=r"1e\+06 is more than float16 holds"):
        compute_in_half(model)


def test_forward_convolutions_are_whole_numbers_and_the_backward_pass_is_float(
    plain: Path, images: list[np.ndarray]
) -> None:
    found = quantise_gradient(plain, images[:12], smooth=SMOOTH)
    readers = {name: node.op_type for node in found.model.graph.node for name in node.input}
    makers = {name: node for node in found.model.graph.node for name in node.output}
    quantised = [
        node
        for node in found.model.graph.node
        if node.op_type == "Conv" and all(makers[name].op_type == "DequantizeLinear" for name in node.input[:2])
    ]
    assert len(quantised) == 2
    assert {readers[node.output[0]] for node in quantised} == {"QuantizeLinear"}
    assert any(reason.endswith(BACKWARD_REASON) for reason in found.in_float.values())
    assert not any("_for_the_backward_pass" in name or "_bounded" in name for name in found.in_float)


def test_backward_pass_reads_pre_activations_below_zero(plain: Path, images: list[np.ndarray], tmp_path: Path) -> None:
    """What ReLU6 alone reads, the quantiser would clip at 0, and every mask of a negative number would be one half."""
    model = quantise_gradient(plain, images[:12], smooth=SMOOTH).model
    sigmoids = [node for node in model.graph.node if node.op_type == "Sigmoid"]
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None) for node in sigmoids
    )
    onnx.save(model, tmp_path / "watched.onnx")
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "watched.onnx", providers=["CPUExecutionProvider"])
    found = session.run([node.output[0] for node in sigmoids], {"image": images[15], "label": np.zeros(1, np.int64)})
    lowest = min(float(np.min(array)) for array in found)
    assert lowest < 0.01
    assert lowest == pytest.approx(1 / (1 + np.exp(6)), abs=0.004)  # the reach of a mask, 6 / steepness


def test_graph_without_logits_is_no_gradient_graph(tmp_path: Path, objective, images: list[np.ndarray]) -> None:
    model = to_onnx(objective(lambda image: image * 2), {"image": torch.rand(1, 3, 4, 4)}, ["other"])
    clean(model)
    save_graph(model, tmp_path / "graph.onnx")
    with pytest.raises(ExportError, match="expected a gradient graph with the output logits"):
        quantise_gradient(tmp_path / "graph.onnx", images)


def test_unknown_precision_is_refused(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"precision: expected one of float32, float16, .* got 'int4'"):
        write_variant(plain, tmp_path / "graph.onnx", "int4")


def test_weights_that_two_graphs_share_count_once() -> None:
    first = Variant(bytes=110, tensors={"a": 60, "b": 40})
    second = Variant(bytes=75, tensors={"a": 60, "c": 10})
    assert (first.own_bytes, second.own_bytes) == (10, 5)
    assert bytes_together([first, second]) == 10 + 5 + 60 + 40 + 10


def _run(graph: Graph, image: np.ndarray) -> dict[str, np.ndarray]:
    return graph.run({"image": image, "label": np.array([7])})
