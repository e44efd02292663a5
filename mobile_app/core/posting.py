"""What a site does to a photo that is posted: make it smaller, then compress it again."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def recompress(
    rgb_hwc: NDArray[np.uint8],
    *,
    quality: int,
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:2:0",
    long_side_px: int | None = None,
) -> NDArray[np.uint8]:
    """Pixels as they come back from a site: downscaled by Lanczos if they are larger, then one JPEG round trip.

    Args:
        rgb_hwc: (H, W, 3) uint8.
        quality: 1 to 100, of libjpeg's scale.
        long_side_px: what the longer side is brought down to; a smaller photo keeps its size.
    Returns: (H', W', 3) uint8, as a new array.
    Raises: ValueError if quality or long_side_px is out of range.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality: expected 1 to 100, got {quality}")
    if long_side_px is not None and long_side_px < 1:
        raise ValueError(f"long_side_px: expected 1 or more, got {long_side_px}")
    image = _shrunk(Image.fromarray(rgb_hwc), long_side_px)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(buffer, formats=["JPEG"]) as posted:
        return np.array(posted)


def size_within(size_px: tuple[int, int], long_side_px: int) -> tuple[int, int]:
    """(width, height) with the longer side brought down to long_side_px, in proportion; smaller sizes stay."""
    width, height = (max(1, round(side * min(1, long_side_px / max(size_px)))) for side in size_px)
    return width, height


def _shrunk(image: Image.Image, long_side_px: int | None) -> Image.Image:
    if long_side_px is None or max(image.size) <= long_side_px:
        return image
    return image.resize(size_within(image.size, long_side_px), Image.Resampling.LANCZOS)
