"""Squares of a longer image: where they lie, in which order they are visited, and how what they bring is joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobile_app.core.step import Array


@dataclass(frozen=True, kw_only=True)
class Square:
    """side_px x side_px pixels of an image (1, C, H, W)."""

    top: int
    left: int
    side_px: int

    @property
    def view(self) -> tuple[slice, slice, slice, slice]:
        rows, columns = slice(self.top, self.top + self.side_px), slice(self.left, self.left + self.side_px)
        return slice(None), slice(None), rows, columns

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of its middle, in pixels from the upper left corner of the image."""
        return self.top + self.side_px / 2, self.left + self.side_px / 2


def square_views(size: tuple[int, ...], side_px: int) -> list[Square]:
    """Squares of side_px that cover an image (H, W) with min(H, W) = side_px: an odd number, the middle one centred.

    Neighbours overlap by half or more.
    """
    spare = max(size) - side_px
    return _along(size, side_px, 1 if spare == 0 else 2 * -(-spare // side_px) + 1)


def spread(size: tuple[int, ...], side_px: int) -> list[Square]:
    """As few squares as cover the image, an odd number, so that one is centred."""
    count = -(-max(size) // side_px)
    return _along(size, side_px, count + 1 - count % 2)


def visiting_order(step: int, count: int) -> int:
    """From the middle outwards and again: the centre is what most recognisers look at."""
    middle, position = count // 2, step % count
    return middle + (position + 1) // 2 * (1 if position % 2 else -1)


def laid_over(size: tuple[int, ...], squares: Sequence[Square], parts: Sequence[Array]) -> Array:
    """Parts (1, C, S, S), one a square, joined to (1, C, H, W); where squares overlap they fade into each other."""
    total = np.zeros((1, parts[0].shape[1], *size), np.float32)
    weight = np.zeros((1, 1, *size), np.float32)
    for square, part in zip(squares, parts, strict=True):
        fade = _fade(size, square)
        total[square.view] += part * fade
        weight[square.view] += fade
    return total / weight


def _along(size: tuple[int, ...], side_px: int, count: int) -> list[Square]:
    height, width = size
    spare = max(height, width) - side_px
    starts = [0] if count == 1 else [round(spare * i / (count - 1)) for i in range(count)]
    if width >= height:
        return [Square(top=0, left=start, side_px=side_px) for start in starts]
    return [Square(top=start, left=0, side_px=side_px) for start in starts]


def _fade(size: tuple[int, ...], square: Square) -> Array:
    """(1, 1, S, S), or a row or column of it: highest in the middle, along the longer side of the image."""
    ramp = 1 - np.abs((np.arange(square.side_px) + 0.5) / square.side_px * 2 - 1)
    ramp = ramp.astype(np.float32)
    return ramp[None, None, None, :] if size[1] >= size[0] else ramp[None, None, :, None]
