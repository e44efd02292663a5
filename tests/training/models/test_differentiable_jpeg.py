"""The differentiable JPEG beside Pillow's: tables, transform, result; and that gradients come through."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_app.core.preprocess import from_uint8
from training.data.codecs import parse_codec
from training.models import differentiable_jpeg as jpeg
from training.models.differentiable_jpeg import DifferentiableJpeg


@pytest.mark.parametrize("quality", [1, 25, 50, 75, 90, 100])
def test_tables_are_those_of_pillow(quality: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG", quality=quality)
    tables = Image.open(buffer).quantization
    assert jpeg.quantisation_table(jpeg.LUMA, quality).flatten().tolist() == list(tables[0])
    assert jpeg.quantisation_table(jpeg.CHROMA, quality).flatten().tolist() == list(tables[1])


def test_tables_by_hand() -> None:
    assert jpeg.quantisation_table(jpeg.LUMA, 50).flatten().tolist() == list(jpeg.LUMA)
    assert jpeg.quantisation_table(jpeg.LUMA, 75)[0, :3].tolist() == [8, 6, 5]  # halves of 16, 11, 10, rounded up
    assert jpeg.quantisation_table(jpeg.LUMA, 25)[0, :3].tolist() == [32, 22, 20]
    assert (jpeg.quantisation_table(jpeg.CHROMA, 100) == 1).all()


def test_dct_of_a_constant_block_is_eight_times_its_value_at_frequency_nought() -> None:
    coefficients = jpeg.blocks_dct(torch.full((1, 1, 8, 8), 5.0), jpeg.dct_basis())[0, 0, 0, 0]
    wanted = torch.zeros(8, 8)
    wanted[0, 0] = 40.0
    torch.testing.assert_close(coefficients, wanted, atol=1e-4, rtol=0)


def test_dct_keeps_energy_and_its_inverse_gives_the_plane_back() -> None:
    plane = torch.randn(2, 3, 24, 16, generator=torch.Generator().manual_seed(0))
    coefficients = jpeg.blocks_dct(plane, jpeg.dct_basis())
    assert coefficients.shape == (2, 3, 3, 2, 8, 8)
    torch.testing.assert_close(coefficients.square().sum(), plane.square().sum())
    torch.testing.assert_close(jpeg.blocks_idct(coefficients, jpeg.dct_basis()), plane)


def test_dct_tells_rows_from_columns() -> None:
    stripes = torch.tensor([1.0, -1.0]).repeat(4)[None, None, :, None].expand(1, 1, 8, 8)  # change from row to row
    coefficients = jpeg.blocks_dct(stripes, jpeg.dct_basis())[0, 0, 0, 0]
    assert coefficients[:, 1:].abs().max() < 1e-5
    assert coefficients[7, 0].abs() > 5


@pytest.mark.parametrize("rounding", ["cubic", "straight_through"])
@pytest.mark.parametrize("text", ["jpeg:90", "jpeg:75", "jpeg:50", "jpeg:50:444", "jpeg:25:444"])
def test_the_result_is_near_that_of_pillow(text: str, rounding: jpeg.Rounding, photo: np.ndarray) -> None:
    step = parse_codec(text).steps[0]
    image, wanted = (torch.from_numpy(from_uint8(pixels)) for pixels in (photo, parse_codec(text)(photo)))
    module = DifferentiableJpeg(step.strength, subsampling=":".join(step.chroma), rounding=rounding)
    error, identity = (255 * (found - wanted).abs().mean() for found in (module(image), image))
    assert error < 1.1  # levels: libjpeg rounds colours and pixels to whole numbers as well
    assert error < 0.45 * identity


def test_cubic_rounding_by_hand() -> None:
    x = torch.tensor([2.0, 2.25, 2.75, -0.4], requires_grad=True)
    y = jpeg.round_cubic(x)
    assert y.tolist() == pytest.approx([2, 2 + 0.25**3, 3 - 0.25**3, -(0.4**3)])
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([0, 3 * 0.25**2, 3 * 0.25**2, 3 * 0.4**2])


def test_straight_through_rounding_by_hand() -> None:
    x = torch.tensor([2.25, -0.6], requires_grad=True)
    y = jpeg.round_straight_through(x)
    assert y.tolist() == [2, -1]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1]


@pytest.mark.parametrize("rounding", ["cubic", "straight_through"])
def test_gradients_come_through_at_any_size(rounding: jpeg.Rounding) -> None:
    image = torch.rand(2, 3, 21, 30, generator=torch.Generator().manual_seed(0)).requires_grad_()
    returned = DifferentiableJpeg(50, rounding=rounding)(image)
    assert returned.shape == image.shape
    assert 0 <= returned.min() <= returned.max() <= 1
    (gradient,) = torch.autograd.grad(returned.square().sum(), image)
    assert (gradient != 0).float().mean() > 0.9


def test_a_grey_image_of_one_value_comes_back_as_it_was() -> None:
    image = torch.full((1, 3, 16, 16), 128 / 255)
    torch.testing.assert_close(DifferentiableJpeg(10)(image), image, atol=1e-5, rtol=0)


def test_what_is_out_of_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="quality: expected 1 to 100, got 0"):
        DifferentiableJpeg(0)
    with pytest.raises(ValueError, match="subsampling"):
        DifferentiableJpeg(50, subsampling="4:1:1")
    with pytest.raises(ValueError, match="rounding"):
        DifferentiableJpeg(50, rounding="none")  # pyright: ignore[reportArgumentType]
