"""A photo in, the same photo with a shorter long side out."""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import ExifTags, Image

from mobile_app.core.metadata import Metadata
from mobile_app.core.photo import Photo
from mobile_app.core.pixels import Pixels
from mobile_app.core.posting import size_within
from mobile_app.core.preprocess import averaged_down

_GAP = 3  # what is more than this many times too large is first averaged down, with no copy of the whole photo
_SIZE_TAGS = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)


def brought_down(photo: Photo, long_side_px: int) -> Photo:
    """The photo with its longer side brought down to long_side_px by Lanczos; one that is no longer stays as it is.

    Alpha goes with the pixels, and EXIF states the new size where it stated the old one.

    Raises: ValueError if long_side_px < 1.
    """
    if long_side_px < 1:
        raise ValueError(f"long_side_px: expected 1 or more, got {long_side_px}")
    if max(photo.size_px) <= long_side_px:
        return photo
    size_px = size_within(photo.size_px, long_side_px)
    return dataclasses.replace(
        photo,
        rgb_hwc=_resized(photo.rgb_hwc, size_px),
        alpha_hw=None if photo.alpha_hw is None else _resized_alpha(photo.alpha_hw, size_px),
        metadata=_with_size(photo.metadata, size_px),
    )


def _resized(rgb_hwc: Pixels, size_px: tuple[int, int]) -> Pixels:
    height, width = rgb_hwc.shape[:2]
    factor = max(1, int(max(width, height) / max(size_px) / _GAP))
    whole = (0, 0, width / factor, height / factor)  # the last averaged row and column may stand for less
    return np.asarray(averaged_down(rgb_hwc, factor).resize(size_px, Image.Resampling.LANCZOS, box=whole))


def _resized_alpha(alpha_hw: Pixels, size_px: tuple[int, int]) -> Pixels:
    return np.asarray(Image.fromarray(alpha_hw).resize(size_px, Image.Resampling.LANCZOS))


def _with_size(metadata: Metadata, size_px: tuple[int, int]) -> Metadata:
    if metadata.exif is None:
        return metadata
    exif = Image.Exif()
    exif.load(metadata.exif)
    details = exif.get_ifd(ExifTags.IFD.Exif)
    for tag, value in zip(_SIZE_TAGS, size_px, strict=True):
        if tag in details:
            details[tag] = value
    return dataclasses.replace(metadata, exif=exif.tobytes())
