"""What pictures are worth: numbers by hand, and the way of an image through the half of a codec that is asked."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.compare.quality import Pictures, made_pictures, quality
from export.compare.table import Row, objection
from export.contract import GraphSpec
from export.forward import to_onnx
from export.precisions.half import compute_in_half
from export.quantise import quantise
from export.shipped import inputs_of
from export.storage import save_graph
from mobile_app.core.preprocess import from_uint8
from mobile_app.core.runtime import load_graph
from training.data.codecs import parse_codec
from training.evaluate.judges import Judge

SIDE_PX = 16
SPEC = GraphSpec(name="one", task="shield", network="none", size_px=SIDE_PX, source="here", licence="none",
                 one_pass=nn.Identity(), outputs=("shielded",))  # fmt: skip


class _Encoder(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return 4 * nn.functional.avg_pool2d(image, 2)


class _Decoder(nn.Module):
    """Nearest neighbours of what it is given, through two convolutions that change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(3, 3, 1) for _ in range(2))
        with torch.no_grad():
            for layer in (self.first, self.second):
                layer.weight.copy_(torch.eye(3)[..., None, None])
                nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, measurements: Tensor) -> Tensor:
        hidden = torch.relu(self.first(measurements / 4))
        return nn.functional.interpolate(self.second(hidden), scale_factor=2, mode="nearest")


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> tuple[GraphSpec, Path]:
    module = _Decoder().eval()
    spec = replace(
        SPEC, task="reconstruct", one_pass=module, input="measurements", before=_Encoder(), outputs=("image",)
    )
    path = tmp_path_factory.mktemp("decoder") / "plain.onnx"
    model = to_onnx(module, {"measurements": torch.rand(1, 3, 8, 8)}, ["image"])
    save_graph(model, path)
    return spec, path


@pytest.fixture
def images(rng: np.random.Generator) -> list[np.ndarray]:
    """Smooth enough for a codec."""
    coarse = rng.integers(0, 256, (12, 2, 2, 3), dtype=np.uint8)
    return [from_uint8(np.kron(one, np.ones((8, 8, 1), np.uint8))) for one in coarse]


def test_a_decoder_is_given_what_its_encoder_makes_of_an_image(
    decoder: tuple[GraphSpec, Path], images: list[np.ndarray]
) -> None:
    spec, path = decoder
    assert inputs_of(spec, images[0])["measurements"].shape == (1, 3, 8, 8)
    (found,) = made_pictures(spec, load_graph(path), images[:1])
    np.testing.assert_allclose(found, images[0], atol=1e-6)  # squares of eight pixels survive halves


def test_an_encoder_is_judged_by_the_picture_that_its_decoder_makes(images: list[np.ndarray], tmp_path: Path) -> None:
    spec = replace(SPEC, task="measure", one_pass=_Encoder(), after=_Decoder().eval(), outputs=("measurements",))
    save_graph(to_onnx(_Encoder().eval(), {"image": torch.rand(1, 3, 16, 16)}, ["measurements"]), tmp_path / "a.onnx")
    (found,) = made_pictures(spec, load_graph(tmp_path / "a.onnx"), images[:1])
    np.testing.assert_allclose(found, images[0], atol=1e-6)


def test_int8_of_a_decoder_is_calibrated_on_measurements(
    decoder: tuple[GraphSpec, Path], images: list[np.ndarray], tmp_path: Path
) -> None:
    """They reach up to 4: calibrated on images, which end at 1, all brighter ones would be clipped."""
    spec, path = decoder
    made = quantise(path, [inputs_of(spec, image)["measurements"] for image in images])
    assert made.in_int8 == 2  # a convolution and its ReLU: the last one makes the picture
    assert {reason.partition(":")[0] for reason in made.in_float.values()} == {"Div", "Conv", "Resize"}
    (tmp_path / "int8.onnx").write_bytes(made.model.SerializeToString())
    (found,) = made_pictures(spec, load_graph(tmp_path / "int8.onnx"), images[:1])
    assert np.abs(found - images[0]).max() < 0.02


def test_a_resize_keeps_its_factors_in_float32_where_all_else_is_half(
    decoder: tuple[GraphSpec, Path], images: list[np.ndarray], tmp_path: Path
) -> None:
    import onnx_ir as ir

    spec, path = decoder
    model = ir.load(path)
    compute_in_half(model)
    save_graph(model, tmp_path / "half.onnx")
    (found,) = made_pictures(spec, load_graph(tmp_path / "half.onnx"), images[:1])
    np.testing.assert_allclose(found, images[0], atol=2e-3)


def test_distances_by_hand() -> None:
    images = [np.zeros((1, 3, 4, 4), np.float32)] * 2
    found = [images[0] + np.float32(0.1), images[0]]  # 20 dB, and nothing at all
    values = quality(SPEC, found, images, Pictures(images=images, labels=None, judge=None))
    assert values["lowest_psnr_db"] == pytest.approx(20, abs=1e-4)
    assert values["psnr_db"] == pytest.approx((20 + 99) / 2, abs=1e-4)
    assert set(values) == {"photos", "psnr_db", "lowest_psnr_db"}
    rebuilt = quality(
        replace(SPEC, task="reconstruct"), found[:1], images[:1], Pictures(images=images[:1], labels=None, judge=None)
    )
    assert rebuilt["rebuilt_db"] == pytest.approx(-20 * math.log10(26 / 255))  # 25.5 levels round to 26


def test_recognition_counts_photos_that_were_right_before() -> None:
    """A judge that names the brightness: 0 dark, 1 bright."""

    def scores(images: np.ndarray) -> np.ndarray:
        bright = images.mean((1, 2, 3)) > 0.5
        return np.eye(5)[bright.astype(int)]

    judge = Judge(name="light", size_px=4, scores=scores, digest="x")
    images = [np.full((1, 3, 4, 4), value, np.float32) for value in (0.1, 0.2, 0.9, 0.9)]
    found = [np.full((1, 3, 4, 4), value, np.float32) for value in (0.1, 0.8, 0.9, 0.9)]
    given = Pictures(images=images, labels=[0, 0, 1, 0], judge=judge)  # the last is wrong as it is
    assert quality(SPEC, found, found, given)["right"] == 2 / 4
    assert quality(replace(SPEC, task="reconstruct"), found, found, given)["read"] == 2 / 3


def test_a_stand_in_is_held_against_its_codec(images: list[np.ndarray]) -> None:
    photo = (images[0][0].transpose(1, 2, 0) * 255).round().astype(np.uint8)
    perfect = from_uint8(parse_codec("jpeg:50")(photo))
    given = Pictures(images=images[:1], labels=None, judge=None)
    spec = replace(SPEC, task="compress", trained_on={"codecs": ["jpeg:50"]})
    assert quality(spec, [perfect], [perfect], given)["error_levels"] == pytest.approx(0, abs=1e-4)
    off = [perfect + np.float32(2 / 255)]
    assert quality(spec, off, off, given)["error_levels"] == pytest.approx(2, abs=1e-4)
    assert "error_levels" not in quality(replace(spec, trained_on={}), off, off, given)


@pytest.mark.parametrize(
    ("name", "in_float32", "found", "said"),
    [
        ("rebuilt_db", 30.0, 29.8, "rebuilds photos at 29.80 dB, against 30.00 in float32"),
        ("rebuilt_db", 30.0, 29.95, ""),
        ("right", 0.8, 0.78, "78.0% right through it, against 80.0% in float32"),
        ("read", 0.2, 0.4, "40.0% can be read, against 20.0% in float32"),
        ("read", 0.2, 0.1, ""),
        ("error_levels", 1.5, 1.6, "1.60 levels off, against 1.50 in float32"),
        ("error_levels", 1.5, math.nan, "nan levels off, against 1.50 in float32"),
    ],
)
def test_worse_pictures_do_not_ship(name: str, in_float32: float, found: float, said: str) -> None:
    row = Row(graph="one", task="shield", precision="float32", ships_now=False, variant=None, lowest_cosine=0.9,
              lowest_agreement=0.9, parity={"shielded": {"cosine": 1.0}}, quality={name: in_float32})  # fmt: skip
    assert objection(replace(row, precision="int8", quality={name: found}), row) == said
