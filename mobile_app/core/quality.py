"""Two photos of one size in, how far apart they are out: PSNR, SSIM, largest and mean change.

All work in strips, so that a 12-megapixel pair needs a few megabytes beyond itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_WINDOW = 7  # side of the SSIM window in pixels
_VALUES_A_STRIP = 1 << 16  # of SSIM, so that its maps stay in the processor's cache


def psnr_db(a: Pixels, b: Pixels) -> float:
    """Peak signal-to-noise ratio, 10 log10(255^2 / mean((a - b)^2)); infinite for equal photos.

    Args:
        a, b: uint8 arrays of one shape, (H, W, 3) or (H, W).
    Raises: ValueError if they are not.
    """
    counts = change_histogram(a, b)
    mean_square = float(counts @ np.arange(256) ** 2) / a.size
    return 10 * math.log10(255**2 / mean_square) if mean_square else math.inf


def largest_change_levels(a: Pixels, b: Pixels) -> int:
    """max |a - b| in 8-bit levels; arguments and errors as in psnr_db."""
    return int(np.flatnonzero(change_histogram(a, b))[-1])


def mean_change_levels(a: Pixels, b: Pixels) -> float:
    """mean |a - b| in 8-bit levels; arguments and errors as in psnr_db."""
    return float(change_histogram(a, b) @ np.arange(256)) / a.size


def change_histogram(a: Pixels, b: Pixels) -> NDArray[np.int64]:
    """(256,) how many values differ by 0, 1, ... 255 levels; arguments and errors as in psnr_db."""
    _check(a, b)
    counts = np.zeros(256, np.int64)
    for x, y in _strips(a, b, rows=max(1, (1 << 20) // a[0].size), overlap=0):
        change = np.maximum(x, y) - np.minimum(x, y)
        counts += np.bincount(change.ravel(), minlength=256)
    return counts


def ssim(a: Pixels, b: Pixels) -> float:
    """Mean structural similarity of two photos, 1 for equal ones: Wang et al. 2004, doi:10.1109/TIP.2003.819861.

    SSIM = (2 mx my + C1) (2 sxy + C2) / ((mx^2 + my^2 + C1) (sx^2 + sy^2 + C2)),  C1 = (0.01 * 255)^2,
    C2 = (0.03 * 255)^2, over every 7 x 7 window that lies inside the photo, uniform weights, sample covariance, mean of
    the channels: what scikit-image computes by default. The sums are exact, in integers.

    Args:
        a, b: (H, W, 3) uint8, sides of 7 pixels or more.
    Raises: ValueError if they are not.
    """
    _check(a, b)
    if a.ndim != 3 or min(a.shape[:2]) < _WINDOW:
        raise ValueError(f"expected (H, W, 3) with sides of {_WINDOW} or more, got {a.shape}")
    rows = max(_WINDOW, _VALUES_A_STRIP // a[0].size)
    total = sum(float(_ssim_map(x, y).sum(dtype=np.float64)) for x, y in _strips(a, b, rows, overlap=_WINDOW - 1))
    height, width, channels = a.shape
    return total / ((height - _WINDOW + 1) * (width - _WINDOW + 1) * channels)


def _check(a: Pixels, b: Pixels) -> None:
    if a.dtype != np.uint8 or b.dtype != np.uint8 or a.shape != b.shape or a.size == 0:
        raise ValueError(f"expected two uint8 photos of one shape, got {a.dtype} {a.shape} and {b.dtype} {b.shape}")


def _strips(a: Pixels, b: Pixels, rows: int, overlap: int) -> Iterator[tuple[Pixels, Pixels]]:
    for top in range(0, a.shape[0] - overlap, rows):
        bottom = top + rows + overlap
        yield a[top:bottom], b[top:bottom]


def _ssim_map(x: Pixels, y: Pixels) -> NDArray[np.floating]:
    """(h, W, 3) -> (h - 6, W - 6, 3). With n = 49 values a window, n^2 m^2 = (sum)^2 and n (n - 1) s^2 = n sum(x^2) -
    (sum)^2, so both factors are scaled by n^2 and nothing is rounded before the division; all fits into int32."""
    n = _WINDOW**2
    c1, c2 = (0.01 * 255) ** 2 * n * n, (0.03 * 255) ** 2 * n * (n - 1)
    x32, y32 = x.astype(np.int32), y.astype(np.int32)
    sum_x, sum_y = _window_sums(x32), _window_sums(y32)
    product = sum_x * sum_y
    squares = sum_x * sum_x + sum_y * sum_y
    covariance = n * _window_sums(x32 * y32) - product
    variances = n * _window_sums(x32 * x32 + y32 * y32) - squares
    above = _plus(2 * product, c1) * _plus(2 * covariance, c2)
    return above / (_plus(squares, c1) * _plus(variances, c2))


def _plus(exact: NDArray[np.int32], constant: float) -> NDArray[np.float32]:
    return exact.astype(np.float32) + np.float32(constant)


def _window_sums(values: NDArray[np.int32]) -> NDArray[np.int32]:
    return _sums_of_seven(_sums_of_seven(values).swapaxes(0, 1)).swapaxes(0, 1)


def _sums_of_seven(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Along the first axis, in four additions: pairs, fours, then 4 + 2 + 1."""
    pairs = values[:-1] + values[1:]
    fours = pairs[:-2] + pairs[2:]
    return fours[:-3] + pairs[4:-1] + values[6:]
