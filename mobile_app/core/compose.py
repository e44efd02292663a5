"""How much each pixel may change, and the change at the network's size laid over the photo at its own size.

The budget map is small where the eye sees noise (sky, skin, plain walls) and whole where texture hides it, each
channel by its own: in red wool the red one alone has texture. Composition works in strips: a 12-megapixel photo needs a
few megabytes beyond itself, and no pixel leaves the budget.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_app.core.preprocess import averaged_down

Pixels = NDArray[np.uint8]

PLAIN_LEVELS = 1.4  # what a plain area bears
TEXTURE_LEVELS = 5.5  # levels more for each C2 / 2 of variance around a pixel, C2 being SSIM's constant
_MAP_LEVELS = 8.0  # the budget at which these two hold
_C2 = np.float32((0.03 * 255) ** 2)
_MAP_SIDE_PX = 768  # longest side at which texture is measured
_WINDOW_PX = 7
_PIXELS_A_STRIP = 1 << 18


def budget_map(rgb_hwc: Pixels, budget_levels: float) -> NDArray[np.float32]:
    """Largest change of each value in levels, (3, H', W') float32 with max(H', W') <= 768, of the photo's proportions.

    A small change of variance d^2 costs a window of variance s^2 about d^2 / (2 s^2 + C2) of its structural similarity
    (Wang et al. 2004, doi:10.1109/TIP.2003.819861), and a pixel bears in proportion to the inverse: 1.4 levels where
    all is plain. What it costs is a mean over the 7 x 7 windows that hold it, of the fourth power, so that beside an
    edge the plainer side counts, where a change would be seen. The three channels are looked at one by one.

    A ceiling over 8 levels raises the whole map in proportion. One under 8 cuts it off, and gives texture back what it
    saves there: the ceiling is reached sooner, by the square of 8 / ceiling. Plain areas, where people look first, bear
    no more than at 8 levels (docs/cloaks.md).

    Args:
        rgb_hwc: (H, W, 3) uint8.
        budget_levels: the ceiling.
    """
    factor = -(-max(rgb_hwc.shape) // _MAP_SIDE_PX)
    pixels = np.asarray(averaged_down(rgb_hwc, factor))
    plain, texture = _scaled(budget_levels / _MAP_LEVELS)
    bounds = [plain + texture * (1 / _cost(pixels[..., channel].astype(np.float32)) - 1) for channel in range(3)]
    return np.minimum(np.stack(bounds), budget_levels).astype(np.float32, copy=False)


def compose(
    rgb_hwc: Pixels, unit_chw: NDArray[np.float32], bound_levels: NDArray[np.float32], budget_levels: float
) -> Pixels:
    """The photo with a change laid over it: resized to its size, scaled by the budget map, rounded once.

    With less than 8 levels to spend, more pixels spend all of theirs: shares are raised, to 1.5 times at 4 levels.

    Args:
        rgb_hwc: (H, W, 3) uint8.
        unit_chw: (3, h, w) or, for all channels alike, (1, h, w) float32 in [-1, 1]: the change as a share of each
            value's bound.
        bound_levels: (3, h', w') float32, see budget_map.
        budget_levels: no pixel changes by more whole levels than fit into this.
    Returns: (H, W, 3) uint8, as a new array.
    """
    limit = int(budget_levels)  # floor first: rint(7.6) is 8, over the budget
    raised = np.float32(_raise(budget_levels / _MAP_LEVELS))
    # A bilinear resize would take a fifth of the fine changes away.
    unit_chw = resized(unit_chw, bound_levels.shape[1:], Image.Resampling.BICUBIC)
    shares = np.clip(raised * unit_chw, -1, 1) * np.minimum(bound_levels / max(limit, 1), 1)
    steps = np.rint(shares * 127 + 128).astype(np.uint8)  # 1..255, 128 is no change
    image = Image.fromarray(np.ascontiguousarray(steps.transpose(1, 2, 0)))
    levels = [128 + max(-limit, round((step - 128) * limit / 127)) for step in range(256)]
    out = np.empty_like(rgb_hwc)
    height, width = rgb_hwc.shape[:2]
    rows = max(1, _PIXELS_A_STRIP // width)

    def fill(top: int) -> None:
        bottom = min(top + rows, height)
        box = (0, top / height * image.height, image.width, bottom / height * image.height)
        strip = image.resize((width, bottom - top), Image.Resampling.BILINEAR, box=box).point(levels * 3)
        changed = np.add(rgb_hwc[top:bottom], np.asarray(strip), dtype=np.int16)
        changed -= 128
        np.clip(changed, 0, 255, out=changed)
        out[top:bottom] = changed

    with ThreadPoolExecutor(max_workers=2) as pool:  # NumPy and Pillow both let go of the interpreter here
        list(pool.map(fill, range(0, height, rows)))
    return out


def resized(
    values_chw: NDArray[np.float32], size: tuple[int, ...], resampling: Image.Resampling
) -> NDArray[np.float32]:
    """(C, h, w) float32 -> (C, *size), each channel by Pillow."""
    height, width = size
    channels = (Image.fromarray(channel) for channel in np.ascontiguousarray(values_chw))
    return np.stack([np.asarray(image.resize((width, height), resampling)) for image in channels])


def _scaled(share: float) -> tuple[float, float]:
    """PLAIN_LEVELS and TEXTURE_LEVELS at a budget that is this share of _MAP_LEVELS."""
    if share >= 1:
        return PLAIN_LEVELS * share, TEXTURE_LEVELS * share
    return PLAIN_LEVELS, TEXTURE_LEVELS / share**2


def _raise(share: float) -> float:
    """By what a change is raised, up to each pixel's bound, at a budget that is this share of _MAP_LEVELS."""
    return 2 - min(share, 1)


def _cost(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) of one channel -> what a change costs there, 1 where all is plain.

    Of the windows the mean of the fourth power counts: the first is that of SSIM, a high one sees the plainest alone.
    """
    mean, mean_square = (_over_window(part) / _WINDOW_PX**2 for part in (values, np.square(values)))
    variance = np.maximum(mean_square - np.square(mean), 0)
    fourth_powers = np.square(np.square(_C2 / (2 * variance + _C2)))
    return np.sqrt(np.sqrt(_over_window(fourth_powers) / _WINDOW_PX**2))


def _over_window(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums over the 7 x 7 window around each pixel, the rim repeated."""
    values = np.pad(values, _WINDOW_PX // 2, mode="edge")
    for _ in range(2):
        windows = len(values) - _WINDOW_PX + 1
        total = values[:windows].copy()
        for offset in range(1, _WINDOW_PX):
            total += values[offset : offset + windows]  # in place: fresh memory costs more than the sum
        values = np.ascontiguousarray(total.T)
    return values
