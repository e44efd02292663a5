"""A loaded Pillow image in, plain arrays out, strip by strip: turned upright, in RGB, with alpha beside it.

Pillow converts and turns whole images, a copy each time. Here each strip is converted alone and written where it
belongs, so the arrays that are returned are the only copy.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

Pixels = NDArray[np.uint8]
StripReader = Callable[[Image.Image], Pixels]  # a strip -> (h, W), (h, W, 2), (h, W, 3) or (h, W, 4)

_COLOUR_MODES = {"P", "PA", "RGB", "RGBX", "RGBA", "RGBa", "YCbCr", "CMYK"}
_GREY_MODES = {"1", "L", "LA", "La"}
_PIXELS_A_STRIP = 1 << 20


def is_supported(mode: str) -> bool:
    """Whether `read_pixels` takes images of this Pillow mode."""
    return mode in _COLOUR_MODES or is_grey(mode)


def is_grey(mode: str) -> bool:
    return mode in _GREY_MODES or mode.startswith("I;16")


def read_pixels(image: Image.Image, orientation: int) -> tuple[Pixels, Pixels | None, list[str]]:
    """The pixels of a loaded image, the right way up.

    Args:
        image: of a mode for which `is_supported` holds.
        orientation: how it is stored, 1 to 8 as in EXIF.
    Returns: (rgb_hwc, alpha_hw, notes), uint8 (H, W, 3) and (H, W) or None, and what had to be changed, a phrase each.
    """
    to_array, notes = _strip_reader(image)
    width, height = image.size
    shape = (width, height) if orientation >= 5 else (height, width)
    rgb_hwc = np.empty((*shape, 3), np.uint8)
    rgb_stored = _as_stored(rgb_hwc, orientation)
    alpha_hw = alpha_stored = None
    rows = max(1, _PIXELS_A_STRIP // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        values = to_array(image.crop((0, top, width, bottom)))
        values = values[..., None] if values.ndim == 2 else values
        channels = values.shape[2]
        rgb_stored[top:bottom] = values[..., :3] if channels >= 3 else values[..., :1]
        if channels in (2, 4):
            if alpha_hw is None or alpha_stored is None:
                alpha_hw = np.empty(shape, np.uint8)
                alpha_stored = _as_stored(alpha_hw, orientation)
            alpha_stored[top:bottom] = values[..., -1]
    return rgb_hwc, alpha_hw, notes


def _as_stored(upright: Pixels, orientation: int) -> Pixels:
    """A view of upright pixels in the order in which the file stores them (EXIF 2.32, tag 274)."""
    views: dict[int, Callable[[Pixels], Pixels]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: np.rot90(a, -1),
    }
    return views[orientation](upright)


def _strip_reader(image: Image.Image) -> tuple[StripReader, list[str]]:
    if image.mode == "CMYK":
        return _cmyk_reader(image.info.get("icc_profile"))
    if image.mode.startswith("I;16"):
        return _sixteen_bit_reader(image.info.get("transparency")), ["16 bits a channel became 8"]
    has_alpha = image.mode in ("PA", "LA", "La", "RGBA", "RGBa") or "transparency" in image.info
    target = ("L" if is_grey(image.mode) else "RGB") + ("A" if has_alpha else "")
    return lambda strip: np.asarray(strip if strip.mode == target else strip.convert(target)), []


def _cmyk_reader(profile: bytes | None) -> tuple[StripReader, list[str]]:
    if profile and features.check("littlecms2"):
        from PIL import ImageCms

        try:
            to_srgb = ImageCms.buildTransform(
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                "CMYK",
                "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError):
            return _plain_cmyk, ["CMYK became RGB without its colour profile, which is damaged"]
        note = "CMYK became sRGB by its colour profile, which was left out"
        return lambda strip: np.asarray(ImageCms.applyTransform(strip, to_srgb)), [note]
    return _plain_cmyk, ["CMYK became RGB without a colour profile"]


def _plain_cmyk(strip: Image.Image) -> Pixels:
    return np.asarray(strip.convert("RGB"))


def _sixteen_bit_reader(transparent: int | None) -> StripReader:
    def read(strip: Image.Image) -> Pixels:
        values = np.asarray(strip).astype(np.uint32)
        grey = ((values + 128) // 257).astype(np.uint8)  # 65535 / 255 = 257, rounded
        if transparent is None:
            return grey
        return np.dstack([grey, np.where(values == transparent, 0, 255).astype(np.uint8)])

    return read
