"""Looks at a photo: small differences in size, place and side, as recognisers that nobody knows will have them.

A gradient that was found under many looks deceives networks that it never met (input diversity: Xie et al. 2019,
arXiv:1803.06978; scale invariance: Lin et al. 2020, arXiv:1908.06281). Here every step has one look of its own, which
costs no call of a graph: two products with thin matrices there, and two back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.step import Array

_ZOOM = (0.7, 1.2)  # pixels of the network for one of the working image
_SHIFT = 0.05  # of the network's side, either way


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """A linear map from the working image to what a network is shown, and its adjoint."""

    rows: Array  # (S, H)
    columns: Array  # (S, W)

    def at(self, image: Array) -> Array:
        """(1, C, H, W) -> (1, C, S, S)."""
        return np.ascontiguousarray(self.rows @ image @ self.columns.T, np.float32)

    def back(self, grad: Array) -> Array:
        """(1, C, S, S) -> (1, C, H, W): the gradient with respect to what was looked at."""
        return (self.rows.T @ grad @ self.columns).astype(np.float32, copy=False)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a network looks from: everything that a look is drawn by."""

    zoom: float  # pixels of the network for one of the working image
    centre: tuple[float, float]  # row and column, in pixels from the upper left corner
    mirrored: bool


def plain_look(size: tuple[int, ...], side_px: int) -> Look:
    """The middle square of an image (H, W) with min(H, W) = side_px, as it is."""
    return look_from(Place(zoom=1.0, centre=(size[0] / 2, size[1] / 2), mirrored=False), size, side_px)


def draw_look(size: tuple[int, ...], side_px: int, centre: tuple[float, float], rng: np.random.Generator) -> Look:
    """A look around a centre, in pixels from the upper left corner: zoomed, shifted and perhaps mirrored at random.

    What lies beyond the image repeats its rim.
    """
    return look_from(draw_place(side_px, centre, rng), size, side_px)


def draw_place(side_px: int, centre: tuple[float, float], rng: np.random.Generator) -> Place:
    zoom = rng.uniform(*_ZOOM)
    shifted = (centre[0] + side_px * rng.uniform(-_SHIFT, _SHIFT), centre[1] + side_px * rng.uniform(-_SHIFT, _SHIFT))
    return Place(zoom=zoom, centre=shifted, mirrored=bool(rng.random() < 0.5))


def look_from(place: Place, size: tuple[int, ...], side_px: int) -> Look:
    rows, columns = (sampling(size[axis], side_px, place.zoom, place.centre[axis]) for axis in (0, 1))
    return Look(rows=rows, columns=columns[::-1] if place.mirrored else columns)


def sampling(length: int, side_px: int, zoom: float, centre: float) -> NDArray[np.float32]:
    """(side_px, length): bilinear resampling along one axis; row i reads around centre + (i - side / 2) / zoom."""
    position = np.clip((np.arange(side_px) + 0.5 - side_px / 2) / zoom + centre - 0.5, 0, length - 1)
    low = np.minimum(position.astype(int), length - 2)
    share = position - low
    matrix = np.zeros((side_px, length), np.float32)
    matrix[np.arange(side_px), low] = 1 - share
    matrix[np.arange(side_px), low + 1] += share
    return matrix
