"""The size of a picture and points in; which of its pixels are kept out. Geometry alone, in NumPy.

A mask `keep` is (H, W) bool, True where the picture stays. Lengths are shares of the picture's short side, so that a
rule that was published for 32 px holds at any size. Points are (K, 2), (row, column) as shares of height and width in
[0, 1). Every function draws from the generator it is given and from nothing else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.augment.settings import AdvMaskConfig, GridMaskConfig

Mask = NDArray[np.bool_]
Points = NDArray[np.floating]
SizeHW = tuple[int, int]


def advmask(size_hw: SizeHW, points_rc: Points, config: AdvMaskConfig, rng: np.random.Generator) -> Mask:
    """Squares around points in a random order, shifted; GridMask where there is no point or too little is cleared.

    Squares reach over the edge of the picture; the shift can bring that part in.

    Raises: ValueError if points_rc is not (K, 2) in [0, 1).
    """
    pixels = pixels_of(points_rc, size_hw)
    if len(pixels) == 0:
        return grid_mask(size_hw, config.grid, rng)
    length, shift_rows, shift_columns = _draw_square_and_shift(size_hw, config, rng)
    canvas, pad = _clear_squares(size_hw, rng.permutation(pixels), length, config, rng)
    height, width = size_hw
    top, left = pad + shift_rows, pad + shift_columns
    keep = canvas[top : top + height, left : left + width].copy()
    # a share of the area that is a whole number of pixels must not miss by rounding: 100 px of 32 x 32 are enough
    if (~keep).sum() < config.least * keep.size - 1e-6:
        return grid_mask(size_hw, config.grid, rng)
    return keep


def grid_mask(size_hw: SizeHW, config: GridMaskConfig, rng: np.random.Generator) -> Mask:
    """A grid of cleared squares with a random period and phase: Chen et al. 2020 in the public code's mode 1.

    bar = ceil(config.bar * period); a square has (period - bar) px a side.
    """
    shortest, longest = (max(2, _to_px(share, size_hw)) for share in (config.shortest_period, config.longest_period))
    period = int(rng.integers(shortest, longest, endpoint=True))
    bar = int(np.ceil(config.bar * period - 1e-9))
    is_bar = [(np.arange(size) - rng.integers(period)) % period < bar for size in size_hw]
    return is_bar[0][:, None] | is_bar[1][None, :]


def cutout(size_hw: SizeHW, length: float, rng: np.random.Generator) -> Mask:
    """One cleared square around a random pixel, cut at the border: DeVries and Taylor 2017, arXiv:1708.04552."""
    half = _to_px(length, size_hw) // 2
    keep = np.ones(size_hw, bool)
    row, column = (int(rng.integers(size)) for size in size_hw)
    keep[max(0, row - half) : row + half, max(0, column - half) : column + half] = False
    return keep


HIDE_AND_SEEK_CELLS = (0.0, 16 / 224, 32 / 224, 44 / 224, 56 / 224)  # published for 224 px; 0 hides nothing


def hide_and_seek(size_hw: SizeHW, rng: np.random.Generator, hidden: float = 0.5) -> Mask:
    """A grid of cells, each hidden with probability `hidden`: Singh and Lee, ICCV 2017. The cell's size is drawn."""
    share = float(rng.choice(HIDE_AND_SEEK_CELLS))
    if share == 0:
        return np.ones(size_hw, bool)
    cell = max(1, _to_px(share, size_hw))
    rows, columns = (-(-size // cell) for size in size_hw)
    kept_cells = rng.random((rows, columns)) >= hidden
    return kept_cells.repeat(cell, 0).repeat(cell, 1)[: size_hw[0], : size_hw[1]]


def random_erasing(
    size_hw: SizeHW,
    rng: np.random.Generator,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
) -> Mask:
    """One cleared rectangle of random area and aspect (height / width): Zhong et al. 2020, arXiv:1708.04896.

    Nothing is cleared if none of a hundred draws fits into the picture.
    """
    keep = np.ones(size_hw, bool)
    for _ in range(100):
        wanted, ratio = rng.uniform(*area) * keep.size, rng.uniform(*aspect)
        height, width = round(np.sqrt(wanted * ratio)), round(np.sqrt(wanted / ratio))
        if height < size_hw[0] and width < size_hw[1]:
            top, left = (
                rng.integers(size_hw[0] - height, endpoint=True),
                rng.integers(size_hw[1] - width, endpoint=True),
            )
            keep[top : top + height, left : left + width] = False
            return keep
    return keep


def point_mask(size_hw: SizeHW, points_rc: Points) -> Mask:
    """The points themselves cleared, one pixel each: the ablation "Adv" of AdvMask's table 4-4."""
    keep = np.ones(size_hw, bool)
    rows, columns = pixels_of(points_rc, size_hw).T
    keep[rows, columns] = False
    return keep


def pixels_of(points_rc: Points, size_hw: SizeHW) -> NDArray[np.intp]:
    """(K, 2) row and column of the pixel that each point lies in.

    A 1, as a mirrored 0 can be, lies in the last pixel.

    Raises: ValueError if points_rc is not (K, 2) in [0, 1].
    """
    points = np.asarray(points_rc, np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points_rc: expected shape (K, 2), got {points.shape}")
    if not ((points >= 0) & (points <= 1)).all():
        raise ValueError("points_rc: expected (row, column) as shares in [0, 1], got a number outside")
    return np.minimum((points * size_hw).astype(np.intp), np.asarray(size_hw) - 1)


def _draw_square_and_shift(size_hw: SizeHW, config: AdvMaskConfig, rng: np.random.Generator) -> tuple[int, int, int]:
    shortest, longest = (max(1, _to_px(share, size_hw)) for share in (config.shortest, config.longest))
    farthest = _to_px(config.farthest_shift, size_hw)
    length = int(rng.integers(shortest, longest, endpoint=True))
    # size and direction apart, as the public code draws them: no shift is twice as likely as any other
    rows, columns = (int(rng.integers(farthest, endpoint=True) * rng.choice((-1, 1))) for _ in range(2))
    return length, rows, columns


def _clear_squares(
    size_hw: SizeHW, pixels: NDArray[np.intp], length: int, config: AdvMaskConfig, rng: np.random.Generator
) -> tuple[Mask, int]:
    """Returns: the kept pixels of a canvas with `pad` px around the picture, and pad."""
    margin = _to_px(config.margin, size_hw)
    pad = length + margin + _to_px(config.farthest_shift, size_hw)
    canvas = np.ones((size_hw[0] + 2 * pad, size_hw[1] + 2 * pad), bool)
    picture = canvas[pad : pad + size_hw[0], pad : pad + size_hw[1]]
    half = (length - 1) // 2
    side = 2 * half if config.is_narrowed else length
    for row, column in pixels + pad - half:
        around = canvas[row - margin : row + length + margin, column - margin : column + length + margin]
        if (~around).sum() > int(length**2 * config.most_overlap):
            continue
        canvas[row : row + side, column : column + side] = False
        cleared = 1 - picture.mean()
        if cleared >= config.most or (cleared >= config.enough and rng.random() >= config.go_on):
            break
    return canvas, pad


def _to_px(share: float, size_hw: SizeHW) -> int:
    return round(share * min(size_hw))
