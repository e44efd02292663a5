"""How much each pixel may change, and the change at the network's size laid over the photo at its own size.

The budget map is small where the eye sees noise (sky, skin, plain walls) and whole where texture hides it. Composition
works in strips and in integers: a 12-megapixel photo needs a few megabytes beyond itself, and no pixel leaves the
budget.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]

LOWEST_SSIM = 0.83  # of a patch that is changed by its whole budget of 8 levels; see budget_map
_MAP_SIDE_PX = 768  # longest side at which texture is measured
_WINDOW_PX = 7
_C2 = (0.03 * 255) ** 2  # SSIM's constant for contrast
_PIXELS_A_STRIP = 1 << 18


def budget_map(rgb_hwc: Pixels, budget_levels: float) -> NDArray[np.float32]:
    """Largest change of each pixel in levels, (H', W') float32 with max(H', W') <= 768, of the photo's proportions.

    Noise of variance n on a patch of variance v leaves it an SSIM of (2 v + C2) / (2 v + n + C2) (Wang et al. 2004,
    equation 13, at equal means and uncorrelated noise). Solved for n, a patch that has to keep an SSIM of s bears noise
    of deviation sqrt((1/s - 1) (2 v + C2)). Beside an edge the plainer side counts, where the noise would be seen.

    Args:
        rgb_hwc: (H, W, 3) uint8.
        budget_levels: the ceiling; strengths other than 8 levels scale the whole map.
    """
    luminance = _luminance(rgb_hwc)
    variance = np.maximum(_window_mean(luminance**2) - _window_mean(luminance) ** 2, 0)
    deviation = Image.fromarray(np.minimum(np.sqrt(variance), 255).astype(np.uint8))
    plainer = np.asarray(deviation.filter(ImageFilter.MinFilter(_WINDOW_PX)), np.float32)
    bearable = np.sqrt((1 / LOWEST_SSIM - 1) * (2 * plainer**2 + _C2)) * (budget_levels / 8)
    return np.minimum(bearable, budget_levels).astype(np.float32)


def compose(
    rgb_hwc: Pixels, unit_chw: NDArray[np.float32], bound_levels: NDArray[np.float32], budget_levels: float
) -> Pixels:
    """The photo with a change laid over it: resized to its size, scaled by the budget map, rounded once.

    Args:
        rgb_hwc: (H, W, 3) uint8.
        unit_chw: (3, h, w) float32 in [-1, 1], the change as a share of each pixel's bound.
        bound_levels: (h', w') float32, see budget_map.
        budget_levels: no pixel changes by more whole levels than fit into this.
    Returns: (H, W, 3) uint8, as a new array.
    """
    limit = int(budget_levels)  # floor first: rint(7.6) is 8, over the budget
    shift = int(np.log2(32767 / (limit + 0.5)))  # the largest that keeps unit * bound inside int16
    units = np.rint(np.clip(unit_chw, -1, 1) * 127).astype(np.int8).view(np.uint8) ^ 0x80  # -127..127 -> 1..255
    bounds = np.floor(np.minimum(bound_levels, limit) * (2**shift / 127 / _bound_scale(limit, shift)))
    unit_image = Image.fromarray(np.ascontiguousarray(units.transpose(1, 2, 0)))
    bound_image = Image.fromarray(bounds.astype(np.uint8))
    out = np.empty_like(rgb_hwc)
    height, width = rgb_hwc.shape[:2]
    rows = max(1, _PIXELS_A_STRIP // width)

    def fill(top: int) -> None:
        bottom = min(top + rows, height)
        share = (top / height, bottom / height)
        unit = _strip(unit_image, (width, bottom - top), share).astype(np.int16) - 128
        bound = _strip(bound_image, (width, bottom - top), share).astype(np.int16) * _bound_scale(limit, shift)
        unit *= bound[..., None]
        unit += 1 << (shift - 1)
        unit >>= shift
        np.clip(unit, -limit, limit, out=unit)
        unit += rgb_hwc[top:bottom]
        np.clip(unit, 0, 255, out=unit)
        out[top:bottom] = unit

    with ThreadPoolExecutor(max_workers=2) as pool:  # NumPy and Pillow both let go of the interpreter here
        list(pool.map(fill, range(0, height, rows)))
    return out


def _bound_scale(limit: int, shift: int) -> int:
    """What one step of the 8-bit bound image stands for, so that its 255 steps cover the limit."""
    return max(1, -(-(limit << shift) // 127 // 255))


def _luminance(rgb_hwc: Pixels) -> NDArray[np.float32]:
    image = Image.fromarray(rgb_hwc)
    factor = -(-max(image.size) // _MAP_SIDE_PX)
    if factor > 1:
        image = image.reduce(factor)
    return np.asarray(image.convert("L"), np.float32)


def _window_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over a 7 x 7 window around each pixel, the rim repeated."""
    padded = np.pad(values, _WINDOW_PX // 2, mode="edge")
    for axis in (0, 1):
        sums = np.cumsum(padded, axis=axis, dtype=np.float64)
        first = np.zeros_like(np.take(sums, [0], axis))
        sums = np.concatenate([first, sums], axis)
        upper = np.take(sums, range(_WINDOW_PX, sums.shape[axis]), axis)
        lower = np.take(sums, range(sums.shape[axis] - _WINDOW_PX), axis)
        padded = (upper - lower) / _WINDOW_PX
    return padded.astype(np.float32)


def _strip(image: Image.Image, size: tuple[int, int], share: tuple[float, float]) -> Pixels:
    """Rows from share[0] to share[1] of an image, resized to `size` as the whole image would be."""
    box = (0, share[0] * image.height, image.width, share[1] * image.height)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box))
