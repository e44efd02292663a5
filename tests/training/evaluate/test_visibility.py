"""MS-SSIM and GMSD against values worked out by hand, and all measures of one photo together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluate.visibility import gmsd, measure, ms_ssim

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def _flat(level: int, size: tuple[int, int] = (176, 180)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)


def test_equal_photos_are_equal_by_every_measure(chelsea: np.ndarray) -> None:
    found = measure(chelsea, chelsea.copy())
    assert found.psnr_db == math.inf
    assert (found.ssim, found.ms_ssim) == (pytest.approx(1), pytest.approx(1))
    assert (found.gmsd, found.largest_change_levels, found.mean_change_levels) == (0, 0, 0)


def test_ms_ssim_of_flat_photos_is_the_luminance_term_of_the_coarsest_scale() -> None:
    expected = ((2 * 100 * 120 + C1) / (100**2 + 120**2 + C1)) ** 0.1333
    assert ms_ssim(_flat(100), _flat(120)) == pytest.approx(expected, rel=1e-9)


def test_ms_ssim_of_a_fading_checkerboard_is_the_contrast_term_of_the_finest_scale() -> None:
    """2 x 2 pixels of it have one mean, so from the second scale on both photos are flat and alike."""
    signs = (-1) ** np.add.outer(np.arange(176), np.arange(176))
    x = np.repeat((128 + 40 * signs)[..., None], 3, axis=2).astype(np.uint8)
    y = np.repeat((128 + 10 * signs)[..., None], 3, axis=2).astype(np.uint8)
    weights = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    left_over = (weights / weights.sum() @ (-1.0) ** np.arange(11)) ** 2  # of the signs, in the mean of a window
    spread = 1 - left_over**2
    expected = (2 * 40 * 10 * spread + C2) / ((40**2 + 10**2) * spread + C2)
    assert ms_ssim(x, y) == pytest.approx(expected**0.0448, rel=1e-6)


def test_an_inverted_photo_counts_as_0_rather_than_as_a_complex_number(chelsea: np.ndarray) -> None:
    assert ms_ssim(chelsea, 255 - chelsea) == 0


def test_gmsd_of_one_edge_by_hand() -> None:
    """After halving 12 columns there are 6, and 4 windows a row: two of them touch the edge of 51 levels."""
    edge = _flat(100, (16, 12))
    edge[:, 6:] = 151
    similar = 170 / (51**2 + 170)  # the other photo is flat: mx = 0, my = 51
    assert gmsd(_flat(100, (16, 12)), edge) == pytest.approx((1 - similar) * 0.5, rel=1e-9)


def test_gmsd_does_not_mind_brightness() -> None:
    assert gmsd(_flat(100), _flat(140)) == 0


def test_more_noise_is_more_visible(chelsea: np.ndarray, rng: np.random.Generator) -> None:
    noise = rng.choice([-1, 1], chelsea.shape)
    weak, strong = (measure(chelsea, np.clip(chelsea + levels * noise, 0, 255).astype(np.uint8)) for levels in (4, 12))
    assert weak.psnr_db == pytest.approx(20 * math.log10(255 / 4), abs=0.05)  # a few values clip
    assert (weak.largest_change_levels, strong.largest_change_levels) == (4, 12)
    assert weak.mean_change_levels == pytest.approx(4, abs=0.05)
    assert weak.ms_ssim > strong.ms_ssim
    assert weak.gmsd < strong.gmsd


def test_a_photo_too_small_for_ms_ssim_has_the_rest() -> None:
    found = measure(_flat(10, (175, 300)), _flat(12, (175, 300)))
    assert math.isnan(found.ms_ssim)
    assert found.gmsd == 0
    with pytest.raises(ValueError, match="176 pixels"):
        ms_ssim(_flat(10, (175, 300)), _flat(12, (175, 300)))


def test_photos_of_two_sizes_are_refused() -> None:
    for of in (ms_ssim, gmsd):
        with pytest.raises(ValueError, match="expected two uint8 photos"):
            of(_flat(1), _flat(1, (180, 176)))
