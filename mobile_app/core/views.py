"""Photos as a screen shows them: smaller, a part of one, or the difference of two, amplified. All (H, W, 3) uint8."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mobile_app.core.preprocess import Pixels, averaged_down

AMPLIFY = 10  # of the difference, around mid grey

Part = tuple[float, float, float, float]  # left, top, right, bottom, as shares of the sides


def shrunk(rgb_hwc: Pixels, longest_px: int) -> Pixels:
    """A photo whose longer side is `longest_px`, or the photo itself if it is no longer than that.

    Raises: ValueError if longest_px < 1.
    """
    if longest_px < 1:
        raise ValueError(f"longest_px: expected 1 or more, got {longest_px}")
    height, width = rgb_hwc.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return rgb_hwc
    # By whole factors first, strip by strip: no step of it holds up the other threads for long.
    image = averaged_down(rgb_hwc, max(1, int(1 / scale / 2)))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def part_of(rgb_hwc: Pixels, part: Part) -> tuple[Pixels, Part]:
    """The pixels of a part of a photo, and the part that they are exactly, whole pixels being taken.

    Raises: ValueError if the part is empty or reaches outside.
    """
    left, top, right, bottom = part
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"part: expected 0 <= left < right <= 1 and 0 <= top < bottom <= 1, got {part}")
    height, width = rgb_hwc.shape[:2]
    x0, x1 = _whole(left, right, width)
    y0, y1 = _whole(top, bottom, height)
    return rgb_hwc[y0:y1, x0:x1], (x0 / width, y0 / height, x1 / width, y1 / height)


def amplified(before: Pixels, after: Pixels, times: int = AMPLIFY) -> Pixels:
    """128 + times * (after - before), clipped: grey where nothing changed. Raises: ValueError if the shapes differ."""
    if before.shape != after.shape:
        raise ValueError(f"expected two photos of one shape, got {before.shape} and {after.shape}")
    out = np.empty_like(before)
    rows = max(1, (1 << 20) // before[0].size)
    for top in range(0, len(before), rows):  # in strips: int16 of a whole photo would be two more copies of it
        strip = slice(top, top + rows)
        out[strip] = np.clip(128 + times * (after[strip].astype(np.int16) - before[strip]), 0, 255)
    return out


def _whole(low: float, high: float, length: int) -> tuple[int, int]:
    first = min(int(low * length), length - 1)
    return first, max(first + 1, min(length, int(np.ceil(high * length))))
