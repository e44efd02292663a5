"""PSNR, SSIM and change in levels, against values done by hand and against scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mobile_app.core.quality import change_histogram, largest_change_levels, mean_change_levels, psnr_db, ssim

data = pytest.importorskip("skimage.data")
metrics = pytest.importorskip("skimage.metrics")


@pytest.fixture(scope="module", params=["chelsea", "astronaut", "coffee"])
def photo(request) -> np.ndarray:
    return getattr(data, request.param)()


@pytest.fixture(scope="module")
def noisy(photo) -> np.ndarray:
    noise = np.random.default_rng(0).integers(-12, 13, photo.shape)
    return np.clip(photo.astype(int) + noise, 0, 255).astype(np.uint8)


def reference_ssim(a: np.ndarray, b: np.ndarray) -> float:
    return metrics.structural_similarity(a, b, channel_axis=2, data_range=255)


def test_psnr_of_one_level_everywhere_is_48_decibels():
    a = np.full((8, 8, 3), 100, np.uint8)
    assert psnr_db(a, a + 1) == pytest.approx(20 * math.log10(255))


def test_psnr_is_that_of_scikit_image(photo, noisy):
    assert psnr_db(photo, noisy) == pytest.approx(metrics.peak_signal_noise_ratio(photo, noisy), abs=1e-9)


def test_psnr_of_equal_photos_is_infinite(photo):
    assert psnr_db(photo, photo) == math.inf


def test_change_is_the_same_in_either_direction():
    dark, light = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert largest_change_levels(dark, light) == largest_change_levels(light, dark) == 255
    assert psnr_db(dark, light) == 0


def test_largest_and_mean_change_count_levels():
    a = np.zeros((2, 2, 3), np.uint8)
    b = a.copy()
    b[0, 0] = [3, 0, 9]
    assert largest_change_levels(a, b) == 9
    assert mean_change_levels(a, b) == 1.0


def test_change_of_equal_photos_is_nothing(photo):
    assert largest_change_levels(photo, photo) == 0
    assert mean_change_levels(photo, photo) == 0


def test_histogram_counts_every_value_of_a_photo_larger_than_a_strip():
    a = np.zeros((700, 900, 3), np.uint8)
    b = a.copy()
    b[650:] = 7
    counts = change_histogram(a, b)
    assert counts[7] == 50 * 900 * 3
    assert counts.sum() == a.size


def test_ssim_is_that_of_scikit_image(photo, noisy):
    assert ssim(photo, noisy) == pytest.approx(reference_ssim(photo, noisy), abs=1e-6)


def test_ssim_of_equal_photos_is_one(photo):
    assert ssim(photo, photo) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(7, 7, 3), (7, 90, 3), (61, 8, 3), (1, 1, 3), (3000, 9, 3)])
def test_ssim_holds_at_awkward_shapes(shape):
    a, b = np.random.default_rng(1).integers(0, 256, (2, *shape), dtype=np.uint8)
    if min(shape[:2]) < 7:
        with pytest.raises(ValueError, match="sides of 7 or more"):
            ssim(a, b)
    else:
        assert ssim(a, b) == pytest.approx(reference_ssim(a, b), abs=1e-6)


def test_ssim_holds_at_the_ends_of_the_range():
    a = np.zeros((40, 40, 3), np.uint8)
    b = np.full_like(a, 255)
    b[::2] = 0
    assert ssim(a, b) == pytest.approx(reference_ssim(a, b), abs=1e-6)


@pytest.mark.parametrize("measure", [psnr_db, ssim, largest_change_levels, mean_change_levels])
def test_photos_that_do_not_match_are_refused(measure):
    a = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="two uint8 photos of one shape"):
        measure(a, a[1:])
    with pytest.raises(ValueError, match="two uint8 photos of one shape"):
        measure(a, a.astype(np.float32))
