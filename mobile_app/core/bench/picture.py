"""A picture of any size that is to a codec and to the budget map what a photo is: sky, texture, edges and grain."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DRAWN_PX = 1024  # longer side at which it is drawn; enlarged from there on
_GRAIN_PX = 512  # side of the tile of grain
_GRAIN_LEVELS = 3.0
_STRIP_ROWS = 256
_QUALITY = 90  # of a phone's own JPEG


def size_of(megapixels: float) -> tuple[int, int]:
    """(width, height) of that many million pixels, 4 to 3, both multiples of 8. Raises: ValueError."""
    if not 0.01 <= megapixels <= 200:
        raise ValueError(f"megapixels: expected 0.01 to 200, got {megapixels}")
    width = math.sqrt(megapixels * 1e6 * 4 / 3)
    return round(width / 8) * 8, round(width * 3 / 4 / 8) * 8


def photo_like(size_px: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: a sky above hills that are rougher and rougher, and grain over all; one a seed."""
    rng = np.random.default_rng(seed)
    width, height = size_px
    scale = min(1.0, _DRAWN_PX / max(size_px))
    small = _drawn(max(2, round(width * scale)), max(2, round(height * scale)), rng)
    rgb_hwc = np.array(Image.fromarray(small).resize(size_px, Image.Resampling.BICUBIC))
    tile = np.rint(rng.normal(0, _GRAIN_LEVELS, (_GRAIN_PX, _GRAIN_PX, 1))).astype(np.int16)
    columns = np.arange(width) % _GRAIN_PX
    for top in range(0, height, _STRIP_ROWS):  # 48 megapixels in 16 bits would be 300 MB
        strip = rgb_hwc[top : top + _STRIP_ROWS]
        grain = tile[(top + np.arange(len(strip))) % _GRAIN_PX][:, columns]
        rgb_hwc[top : top + _STRIP_ROWS] = np.clip(strip + grain, 0, 255)
    return rgb_hwc


def photo_file(megapixels: float, seed: int = 0) -> bytes:
    """A JPEG of it, as a phone writes one: quality 90, colours halved."""
    file = io.BytesIO()
    Image.fromarray(photo_like(size_of(megapixels), seed)).save(file, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return file.getvalue()


def _drawn(width: int, height: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(max(width, height))
    picture = np.stack([150 - 90 * rows, 190 - 70 * rows, 235 - 30 * rows], axis=-1)
    for hill in range(4):
        phase = rng.uniform(0, 2 * np.pi, 3)
        ridge = (
            0.2
            + 0.13 * hill
            + sum(0.05 / (wave + 1) * np.sin((2 * wave + 1.5) * 4 * columns + phase[wave]) for wave in range(3))
        )
        colour = np.array([90, 110, 60]) * rng.uniform(0.5, 1.3, 3)
        texture = _noise(width, height, rng, finest_px=2 ** (4 - hill)) * (12 + 14 * hill)
        picture = np.where((rows > ridge)[..., None], colour + texture[..., None], picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _noise(width: int, height: int, rng: np.random.Generator, *, finest_px: int) -> NDArray[np.float32]:
    """(H, W), deviation about 1: noise whose octaves end at a grain of `finest_px`."""
    total = np.zeros((height, width), np.float32)
    cell = 64
    while cell >= finest_px:
        shape = (max(2, height // cell), max(2, width // cell))
        octave = Image.fromarray(rng.normal(0, 1, shape).astype(np.float32))
        total += np.asarray(octave.resize((width, height), Image.Resampling.BICUBIC)) * math.sqrt(cell / 64)
        cell //= 2
    return total / max(1e-6, float(total.std()))
