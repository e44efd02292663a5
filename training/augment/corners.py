"""A picture in; its strongest corners as points out: what the ablation "Corner + Mask" masks around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LUMA = np.float32([0.299, 0.587, 0.114])  # ITU-R BT.601


def corner_points(image_chw: NDArray[np.floating], most: int = 64) -> NDArray[np.float32]:
    """The `most` strongest corners: Shi and Tomasi, "Good features to track", CVPR 1994.

    The strength is the smaller eigenvalue of the gradients' second moments over 3 x 3 pixels; a corner is stronger than
    its eight neighbours or as strong, and above 1 % of the strongest.

    Args:
        image_chw: (3, H, W), any range.
    Returns: (K, 2) row and column of the pixels' centres, as shares of height and width, the strongest first; none in
        a picture of one colour.
    """
    grey = np.tensordot(_LUMA, np.asarray(image_chw, np.float32), axes=1)
    strength = _smaller_eigenvalue(grey)
    highest = float(strength.max())
    if not highest > 1e-12 * max(1.0, float(np.square(grey).max())):
        return np.zeros((0, 2), np.float32)
    is_corner = (strength >= _over_neighbours(strength, np.maximum)) & (strength > 0.01 * highest)
    rows, columns = np.nonzero(is_corner)
    order = np.argsort(-strength[rows, columns], kind="stable")[:most]
    return np.stack([(rows[order] + 0.5) / grey.shape[0], (columns[order] + 0.5) / grey.shape[1]], 1).astype(np.float32)


def _smaller_eigenvalue(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    by_row, by_column = np.gradient(grey)
    rr, cc, rc = (_over_neighbours(product, np.add) for product in (by_row**2, by_column**2, by_row * by_column))
    return (rr + cc) / 2 - np.sqrt(((rr - cc) / 2) ** 2 + rc**2)


def _over_neighbours(values: NDArray[np.float32], combine: np.ufunc) -> NDArray[np.float32]:
    """Combine the 3 x 3 pixels around each; the edge repeats its own."""
    padded = np.pad(values, 1, mode="edge")
    rows = combine(combine(padded[:-2], padded[1:-1]), padded[2:])
    return combine(combine(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
