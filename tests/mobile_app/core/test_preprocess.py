"""The resize that training, export and the phone share."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mobile_app.core.preprocess import centre_crop, fit_short_side, to_network_input, to_uint8

data = pytest.importorskip("skimage.data")


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return data.chelsea()  # 300 x 451


def usual_input(rgb_hwc: np.ndarray, size: int, crop: float) -> np.ndarray:
    """How ImageNet classifiers are judged, written with Pillow alone."""
    image = Image.fromarray(rgb_hwc)
    w, h = image.size
    scale = round(size / crop) / min(w, h)
    image = image.resize((max(size, round(w * scale)), max(size, round(h * scale))), Image.Resampling.BICUBIC)
    w, h = image.size
    left, top = (w - size) // 2, (h - size) // 2
    cropped = image.crop((left, top, left + size, top + size))
    return np.asarray(cropped, np.float32).transpose(2, 0, 1)[None] / 255.0


def large_photo(height: int, width: int) -> np.ndarray:
    image = Image.fromarray(data.coffee()).resize((width, height), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).integers(-20, 21, (height, width, 3))
    return np.clip(np.asarray(image).astype(int) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("crop", [0.875, 1.0])
@pytest.mark.parametrize("size", [32, 224, 240, 331])
def test_network_input_is_exactly_the_usual_one(photo, size, crop):
    np.testing.assert_array_equal(to_network_input(photo, size, crop), usual_input(photo, size, crop))


@pytest.mark.parametrize("shape", [(16, 16), (299, 299), (17, 1000), (1001, 333)])
def test_network_input_is_the_usual_one_at_awkward_shapes(shape):
    rgb_hwc = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_network_input(rgb_hwc, 64), usual_input(rgb_hwc, 64, 0.875))


def test_network_input_is_contiguous_float32_in_unit_range(photo):
    image = to_network_input(photo, 224)
    assert image.shape == (1, 3, 224, 224)
    assert image.dtype == np.float32
    assert image.flags.c_contiguous
    assert 0 <= image.min() < image.max() <= 1


@pytest.mark.parametrize(("height", "width"), [(2001, 2399), (2500, 1700), (3000, 4000)])
def test_large_photo_differs_from_the_usual_input_by_little(height, width):
    rgb_hwc = large_photo(height, width)
    change_levels = np.abs(to_network_input(rgb_hwc, 224) - usual_input(rgb_hwc, 224, 0.875)) * 255
    assert change_levels.max() <= 3
    assert change_levels.mean() <= 0.5


@pytest.mark.parametrize(
    ("shape", "expected"), [((300, 451), (100, 150)), ((451, 300), (150, 100)), ((50, 50), (100, 100))]
)
def test_short_side_is_fitted_and_the_shape_stays(shape, expected):
    assert fit_short_side(np.zeros((*shape, 3), np.uint8), 100).shape == (*expected, 3)


def test_photo_of_the_wanted_size_is_unchanged(photo):
    np.testing.assert_array_equal(fit_short_side(photo, 300), photo)


def test_resize_takes_a_view_of_a_photo(photo):
    turned = np.rot90(photo)
    np.testing.assert_array_equal(fit_short_side(turned, 90), fit_short_side(turned.copy(), 90))


def test_crop_is_the_middle():
    rgb_hwc = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)
    np.testing.assert_array_equal(centre_crop(rgb_hwc, 3), rgb_hwc[1:4, 2:5])


def test_crop_larger_than_the_photo_is_refused():
    with pytest.raises(ValueError, match="expected 1 to 5, got 6"):
        centre_crop(np.zeros((5, 8, 3), np.uint8), 6)


def test_pixels_come_back_from_the_network_input(photo):
    image = to_network_input(photo, 300, crop=1.0)
    np.testing.assert_array_equal(to_uint8(image), centre_crop(photo, 300))


def test_levels_are_rounded_and_clipped():
    image = np.array([-0.5, 0.5 / 255, 1.4 / 255, 1.6 / 255, 1.0, 2.0], np.float32).reshape(1, 3, 1, 2)
    np.testing.assert_array_equal(to_uint8(image).transpose(2, 0, 1).ravel(), [0, 0, 1, 2, 255, 255])


@pytest.mark.parametrize("image", [np.full((1, 3, 2, 2), np.nan, np.float32), np.zeros((2, 3, 2, 2), np.float32)])
def test_image_that_is_not_finite_or_not_single_is_refused(image):
    with pytest.raises(ValueError, match="expected finite values of shape"):
        to_uint8(image)


@pytest.mark.parametrize(
    "rgb_hwc", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((0, 9, 3), np.uint8)]
)
def test_something_else_than_a_photo_is_refused(rgb_hwc):
    with pytest.raises(ValueError, match="expected a uint8 photo"):
        fit_short_side(rgb_hwc, 4)


def test_sizes_out_of_range_are_refused(photo):
    with pytest.raises(ValueError, match="expected 1 or more"):
        fit_short_side(photo, 0)
    with pytest.raises(ValueError, match="expected 0 < crop <= 1"):
        to_network_input(photo, 224, crop=1.5)
