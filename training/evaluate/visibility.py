"""A photo and its cloaked version in, how visible the difference is out.

PSNR, SSIM and the change in levels are the app's own (mobile_app.core.quality); MS-SSIM and GMSD stand here, written
from their papers, both on brightness alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.quality import largest_change_levels, mean_change_levels, psnr_db, ssim

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float64]

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the five scales of MS-SSIM, fine to coarse
_WINDOW_PX, _SIGMA_PX = 11, 1.5
SMALLEST_MS_SSIM_PX = _WINDOW_PX * 2 ** (len(_WEIGHTS) - 1)
SMALLEST_GMSD_PX = 6  # one 3 x 3 window after halving
_T = 170.0  # of GMSD, for levels from 0 to 255


@dataclass(frozen=True, kw_only=True)
class Visibility:
    """Of one saved photo; NaN where it is too small for a measure."""

    psnr_db: float  # infinite for equal photos
    ssim: float
    ms_ssim: float
    gmsd: float  # 0 for photos with equal edges, larger is worse
    largest_change_levels: float
    mean_change_levels: float


def measure(before: Pixels, after: Pixels) -> Visibility:
    """All measures of two uint8 photos (H, W, 3) of one size. Raises: ValueError if they are not."""
    shortest = min(before.shape[:2])
    return Visibility(
        psnr_db=psnr_db(before, after),
        ssim=ssim(before, after),
        ms_ssim=ms_ssim(before, after) if shortest >= SMALLEST_MS_SSIM_PX else math.nan,
        gmsd=gmsd(before, after),
        largest_change_levels=largest_change_levels(before, after),
        mean_change_levels=mean_change_levels(before, after),
    )


def ms_ssim(a: Pixels, b: Pixels) -> float:
    """Multi-scale structural similarity, 1 for equal photos: Wang, Simoncelli and Bovik 2003, equation 7.

    MS-SSIM = l_5^w5 * prod_j cs_j^wj  with  l = (2 mx my + C1) / (mx^2 + my^2 + C1),
    cs = (2 sxy + C2) / (sx^2 + sy^2 + C2),
    each the mean over every 11 x 11 Gaussian window (1.5 px) inside the photo; between scales 2 x 2 pixels become one.
    A cs below 0 counts as 0.

    Args:
        a, b: (H, W, 3) uint8, sides of 176 pixels or more.
    Raises: ValueError if they are not.
    """
    x, y = _two_planes(a, b, SMALLEST_MS_SSIM_PX)
    product = 1.0
    for scale, weight in enumerate(_WEIGHTS):
        luminance, contrast = _ssim_parts(x, y)
        product *= max(contrast, 0.0) ** weight
        if scale == len(_WEIGHTS) - 1:
            product *= luminance**weight
        x, y = _halved(x), _halved(y)
    return float(product)


def gmsd(a: Pixels, b: Pixels) -> float:
    """Gradient magnitude similarity deviation, 0 for equal photos: Xue et al. 2014, arXiv:1308.3052, equations 4 to 6.

    GMS = (2 mx my + T) / (mx^2 + my^2 + T) of Prewitt gradients after 2 x 2 pixels became one; GMSD is its standard
    deviation over the photo. Only windows inside the photo count, where the authors' code pads with black.

    Args:
        a, b: (H, W, 3) uint8, sides of 6 pixels or more.
    Raises: ValueError if they are not.
    """
    x, y = _two_planes(a, b, SMALLEST_GMSD_PX)
    mx, my = _gradient_magnitude(_halved(x)), _gradient_magnitude(_halved(y))
    return float(((2 * mx * my + _T) / (mx**2 + my**2 + _T)).std())


def _two_planes(a: Pixels, b: Pixels, smallest_px: int) -> tuple[Plane, Plane]:
    if a.dtype != np.uint8 or b.dtype != np.uint8 or a.shape != b.shape or a.ndim != 3 or a.shape[2] != 3:
        raise ValueError(f"expected two uint8 photos (H, W, 3), got {a.dtype} {a.shape} and {b.dtype} {b.shape}")
    if min(a.shape[:2]) < smallest_px:
        raise ValueError(f"expected sides of {smallest_px} pixels or more, got {a.shape[0]} x {a.shape[1]}")
    brightness = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as both papers' code takes it
    return a @ brightness, b @ brightness


def _ssim_parts(x: Plane, y: Plane) -> tuple[float, float]:
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = _smoothed(x), _smoothed(y)
    variances = _smoothed(x * x + y * y) - mx * mx - my * my
    covariance = _smoothed(x * y) - mx * my
    luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
    contrast = (2 * covariance + c2) / (variances + c2)
    return float(luminance.mean()), float(contrast.mean())


def _smoothed(plane: Plane) -> Plane:
    """Gaussian weights over every window inside the plane: (H, W) -> (H - 10, W - 10)."""
    offsets = np.arange(_WINDOW_PX) - _WINDOW_PX // 2
    weights = np.exp(-(offsets**2) / (2 * _SIGMA_PX**2))
    weights /= weights.sum()
    for _ in range(2):
        rows = len(plane) - _WINDOW_PX + 1
        plane = sum(weight * plane[start : start + rows] for start, weight in enumerate(weights)).T
    return plane


def _halved(plane: Plane) -> Plane:
    """2 x 2 pixels become their mean; an odd last row or column is left out."""
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    return plane[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))


def _gradient_magnitude(plane: Plane) -> Plane:
    rows, columns = (plane[:-2] + plane[1:-1] + plane[2:]) / 3, (plane[:, :-2] + plane[:, 1:-1] + plane[:, 2:]) / 3
    return np.hypot(rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2])
