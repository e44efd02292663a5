"""What the app shows of a recognised flower: the answer of a network and its photo in, a Recognition out."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_app.core.classify import Classification
from mobile_app.core.explain import heated
from mobile_app.core.views import shrunk

SHOWN_PX = 960  # long side of the photo and of the heat map on the screen
THUMBNAIL_PX = 256

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recognition:
    """What a photo was taken for."""

    guesses: tuple[tuple[str, float], ...]  # (id of a species, probability), best first
    is_unsure: bool  # even the best is too unlikely to be said
    none_of_them: float  # probability that it is no flower of those known
    shown: Pixels  # (H, W, 3), the photo as small as a screen needs it
    heat: Pixels | None  # like shown: the evidence for the best guess; None if the graph has none
    thumbnail: bytes  # JPEG

    @property
    def best(self) -> tuple[str, float]:
        return self.guesses[0]


def as_recognition(rgb_hwc: Pixels, found: Classification, crop: float) -> Recognition:
    """What is shown of an answer.

    Args:
        rgb_hwc: (H, W, 3), the photo that was asked about.
        crop: share of its short side that the network saw.
    """
    shown = np.ascontiguousarray(shrunk(rgb_hwc, SHOWN_PX))
    return Recognition(
        guesses=tuple((guess.label, guess.probability) for guess in found.top),
        is_unsure=found.unsure,
        none_of_them=found.none_of_them,
        shown=shown,
        heat=None if found.evidence is None else looked_at(shown, found.evidence, crop),
        thumbnail=thumbnail(shown),
    )


def looked_at(rgb_hwc: Pixels, evidence: NDArray[np.float32], crop: float) -> Pixels:
    """A photo under its evidence; what lies outside the square that the network saw is pale."""
    side = max(1, round(min(rgb_hwc.shape[:2]) * crop))
    top, left = ((length - side) // 2 for length in rgb_hwc.shape[:2])
    square = (slice(top, top + side), slice(left, left + side))
    picture = rgb_hwc * np.float32(0.35) + np.float32(255 * 0.65 * 0.9)
    picture[square] = heated(rgb_hwc[square], evidence)
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def thumbnail(rgb_hwc: Pixels) -> bytes:
    """The middle square of a photo as a small JPEG."""
    side = min(rgb_hwc.shape[:2])
    top, left = ((length - side) // 2 for length in rgb_hwc.shape[:2])
    image = Image.fromarray(rgb_hwc[top : top + side, left : left + side])
    image = image.resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def pixels_of(
    data: bytes, ratio: float | None = None, *, lift: float = 0.5, longest_px: int | None = None
) -> Pixels | None:
    """The pixels of a small JPEG, cropped to a ratio of height to width as `cropped` does; None if it is damaged.

    Args:
        longest_px: what the longer side is brought down to.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            if longest_px is not None:
                image.draft("RGB", (longest_px, longest_px))  # decodes no more than is needed
            rgb_hwc = np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError):
        return None
    if ratio is not None:
        rgb_hwc = cropped(rgb_hwc, ratio, lift=lift)
    return rgb_hwc if longest_px is None else np.ascontiguousarray(shrunk(rgb_hwc, longest_px))


def cropped(rgb_hwc: Pixels, ratio: float, *, lift: float = 0.5) -> Pixels:
    """The largest part (H', W', 3) of a photo with H' / W' = ratio, to the pixel.

    Args:
        lift: where it is taken from: 0.5 is the middle, 0 the upper edge.
    Raises: ValueError unless ratio > 0.
    """
    if not ratio > 0:
        raise ValueError(f"ratio: expected more than 0, got {ratio}")
    height, width = rgb_hwc.shape[:2]
    rows = max(1, min(height, round(width * ratio)))
    columns = max(1, min(width, round(height / ratio)))
    top, left = round((height - rows) * lift), (width - columns) // 2
    return np.ascontiguousarray(rgb_hwc[top : top + rows, left : left + columns])
