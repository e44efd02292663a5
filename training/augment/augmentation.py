"""A name in; an augmentation out that drops part of a picture: AdvMask, its rivals and its ablations.

augment = build_augmentation("advmask", epochs=30, seed=0)
augment.set_epoch(epoch)
image_chw = augment(image_chw, points_rc, rng)
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.augment import masks
from training.augment.corners import corner_points
from training.augment.fill import FILLS, Fill, fill_cleared
from training.augment.names import MASKS_POINTS, NAMES, full_names
from training.augment.settings import PRESETS, Preset

NEEDS_POINTS = full_names(MASKS_POINTS)
_SHARES_AT_ALL_TIMES = {"none": 0.0, "cutout": 1.0, "hide_and_seek": 1.0, "random_erasing": 0.5}  # of the papers


def build_augmentation(
    name: str,
    *,
    epochs: int,
    seed: int,
    preset: str | Preset = "photo",
    fill: Fill = "mean",
    final_share: float = 0.8,
    points: int = 64,
) -> Augmentation:
    """Build one augmentation.

    Args:
        name: of a method alone; a full name is taken apart by `training.augment.names`.
        epochs: length of the training, over which the share of masked pictures grows.
        seed: of the generator that stands in where a call passes none.
        preset: "photo", "cifar10", "cifar100" or settings of one's own.
        fill: what stands in the cleared pixels.
        final_share: of masked pictures in the last epoch, for the names whose share grows.
        points: drawn or detected for random_mask and corner_mask, where a call passes no points to match in number.
    Raises: ValueError for an unknown name, preset or fill, or a number out of its bounds.
    """
    if name not in NAMES:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}, got {name!r}")
    if isinstance(preset, str) and preset not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    if fill not in FILLS:
        raise ValueError(f"fill: expected one of {', '.join(FILLS)}, got {fill!r}")
    if epochs < 1 or points < 1 or not 0 <= final_share <= 1:
        raise ValueError(
            "epochs, points, final_share: expected at least 1, at least 1 and 0 to 1, "
            f"got {epochs}, {points} and {final_share}"
        )
    settings = PRESETS[preset] if isinstance(preset, str) else preset
    return Augmentation(name, settings, fill, epochs, final_share, points, np.random.default_rng(seed))


def masked_share(name: str, epoch: int, epochs: int, final_share: float = 0.8) -> float:
    """The probability that a picture is masked in an epoch (the first is 0).

    For advmask, its ablations and grid_mask: 1 - sample_ratio, where sample_ratio starts at 1 and falls by
    final_share / epochs before each epoch, so that the last epoch has final_share. The rest keep theirs.
    """
    if name in _SHARES_AT_ALL_TIMES:
        return _SHARES_AT_ALL_TIMES[name]
    return final_share * min(epoch + 1, epochs) / epochs


class Augmentation:
    """Masks a share of the pictures that it is called on; `set_epoch` moves the share on, in every process."""

    def __init__(
        self,
        name: str,
        preset: Preset,
        fill: Fill,
        epochs: int,
        final_share: float,
        points: int,
        rng: np.random.Generator,
    ) -> None:
        self.name, self.preset, self.fill = name, preset, fill
        self.epochs, self.final_share, self.points = epochs, final_share, points
        self._rng = rng
        # in shared memory, so that a DataLoader's workers, persistent ones too, see a new epoch
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins; the first is 0. Raises: ValueError below 0."""
        if epoch < 0:
            raise ValueError(f"epoch: expected at least 0, got {epoch}")
        self._epoch.fill_(epoch)

    @property
    def share(self) -> float:
        """The probability that a picture is masked now."""
        return masked_share(self.name, int(self._epoch), self.epochs, self.final_share)

    def __call__(
        self, image_chw: Tensor, points_rc: NDArray[np.floating] | None = None, rng: np.random.Generator | None = None
    ) -> Tensor:
        """Mask the picture, or return it as it is.

        Args:
            image_chw: (3, H, W) float in [0, 1] or uint8.
            points_rc: (K, 2) row and column as shares; advmask and adv need them, random_mask takes their number.
            rng: what to draw from; the augmentation's own generator if None.
        Raises: ValueError for another shape, or if advmask or adv get no points (an empty (0, 2) is an answer).
        """
        if image_chw.ndim != 3 or image_chw.shape[0] != 3:
            raise ValueError(f"image_chw: expected shape (3, H, W), got {tuple(image_chw.shape)}")
        if self.name in NEEDS_POINTS and points_rc is None:
            raise ValueError(
                f"points_rc: {self.name} needs the sensitive points, got None; see training.augment.points"
            )
        rng = self._rng if rng is None else rng
        if not rng.random() >= 1 - self.share:
            return image_chw
        keep = self.draw_mask(image_chw, points_rc, rng)
        return fill_cleared(image_chw, keep, self.fill, rng, self.preset.mean)

    def draw_mask(
        self, image_chw: Tensor, points_rc: NDArray[np.floating] | None, rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        """The mask of a picture that is to be masked: (H, W) bool, True where it is kept."""
        size_hw = (int(image_chw.shape[-2]), int(image_chw.shape[-1]))
        if self.name == "none":
            return np.ones(size_hw, bool)
        if self.name == "cutout":
            return masks.cutout(size_hw, self.preset.cutout, rng)
        if self.name == "random_erasing":
            return masks.random_erasing(size_hw, rng)
        if self.name == "hide_and_seek":
            return masks.hide_and_seek(size_hw, rng)
        if self.name == "grid_mask":
            return masks.grid_mask(size_hw, self.preset.grid, rng)
        points = self._points(image_chw, points_rc, rng)
        if self.name == "adv":
            return masks.point_mask(size_hw, points)
        return masks.advmask(size_hw, points, self.preset.advmask, rng)

    def _points(
        self, image_chw: Tensor, points_rc: NDArray[np.floating] | None, rng: np.random.Generator
    ) -> NDArray[np.floating]:
        number = self.points if points_rc is None else len(points_rc)
        if self.name == "random_mask":
            return rng.random((number, 2))
        if self.name == "corner_mask":
            return corner_points(image_chw.detach().cpu().numpy(), number)
        assert points_rc is not None  # __call__ has looked
        return points_rc
