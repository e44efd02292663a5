"""A photo of any size in, what a network sees out: the one resize that training, export and the phone all use.

Photos are uint8 (H, W, 3); a network takes float32 (1, 3, S, S) in [0, 1], its mean and deviation being its own affair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

CROP = 0.875  # of the short side, the usual share for ImageNet networks
_LARGE_PIXELS = 4_000_000  # from here on a photo is averaged down before it is resized ...
_GAP = 3  # ... by the largest whole factor that leaves it this many times the size that is wanted


def to_network_input(rgb_hwc: Pixels, size_px: int, crop: float = CROP) -> NDArray[np.float32]:
    """The middle of a photo at the network's size: short side to size / crop, then a centre crop.

    Args:
        rgb_hwc: (H, W, 3) uint8.
        size_px: S, the network's side.
        crop: share of the short side that is seen, in (0, 1].
    Returns: (1, 3, S, S) float32 in [0, 1].
    Raises: ValueError if size_px or crop is out of range, or rgb_hwc is no photo.
    """
    if not 0 < crop <= 1:
        raise ValueError(f"crop: expected 0 < crop <= 1, got {crop}")
    seen = centre_crop(fit_short_side(rgb_hwc, round(size_px / crop)), size_px)
    return from_uint8(seen)


def from_uint8(rgb_hwc: Pixels) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (1, 3, H, W) float32 in [0, 1]."""
    return np.ascontiguousarray(rgb_hwc.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def to_uint8(image_nchw: NDArray[np.float32]) -> Pixels:
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) uint8, rounded to the nearest level; what is outside is clipped.

    Raises: ValueError if the shape differs or a value is not finite.
    """
    if image_nchw.ndim != 4 or image_nchw.shape[:2] != (1, 3) or not np.isfinite(image_nchw).all():
        raise ValueError(f"expected finite values of shape (1, 3, H, W), got shape {image_nchw.shape}")
    levels = np.rint(np.clip(image_nchw[0], 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))


def fit_short_side(rgb_hwc: Pixels, short_side_px: int) -> Pixels:
    """Resize by Pillow's antialiased bicubic so that the shorter side gets short_side_px; the shape stays.

    A photo of 4 megapixels or more that is 6 times too large is first averaged down by a whole factor, strip by strip:
    several times faster, without a copy of the photo, and different by a level or so.

    Args:
        rgb_hwc: (H, W, 3) uint8.
    Returns: (H', W', 3) uint8 with min(H', W') = short_side_px.
    Raises: ValueError if short_side_px < 1 or rgb_hwc is no photo.
    """
    if rgb_hwc.dtype != np.uint8 or rgb_hwc.ndim != 3 or rgb_hwc.shape[2] != 3 or 0 in rgb_hwc.shape:
        raise ValueError(f"expected a uint8 photo (H, W, 3), got {rgb_hwc.dtype} {rgb_hwc.shape}")
    if short_side_px < 1:
        raise ValueError(f"short_side_px: expected 1 or more, got {short_side_px}")
    height, width = rgb_hwc.shape[:2]
    scale = short_side_px / min(width, height)
    size = (max(short_side_px, round(width * scale)), max(short_side_px, round(height * scale)))
    factor = max(1, int(1 / scale / _GAP)) if width * height >= _LARGE_PIXELS else 1
    whole = (0, 0, width / factor, height / factor)  # the last averaged row and column may stand for less
    return np.asarray(averaged_down(rgb_hwc, factor).resize(size, Image.Resampling.BICUBIC, box=whole))


def centre_crop(rgb_hwc: Pixels, size_px: int) -> Pixels:
    """The middle (size_px, size_px, 3) of a photo, as a view. Raises: ValueError if the photo is smaller."""
    height, width = rgb_hwc.shape[:2]
    if not 1 <= size_px <= min(height, width):
        raise ValueError(f"size_px: expected 1 to {min(height, width)}, got {size_px}")
    top, left = (height - size_px) // 2, (width - size_px) // 2
    return rgb_hwc[top : top + size_px, left : left + size_px]


def averaged_down(rgb_hwc: Pixels, factor: int) -> Image.Image:
    """The photo with each factor x factor block averaged into one pixel."""
    if factor == 1:
        return Image.fromarray(rgb_hwc)
    height, width = rgb_hwc.shape[:2]
    small = np.empty((-(-height // factor), -(-width // factor), 3), np.uint8)
    rows = factor * max(1, (1 << 20) // (width * factor))
    for top in range(0, height, rows):
        strip = np.asarray(Image.fromarray(rgb_hwc[top : top + rows]).reduce(factor))
        small[top // factor : top // factor + len(strip)] = strip
    return Image.fromarray(small)
