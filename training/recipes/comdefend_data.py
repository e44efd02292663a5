"""Folders of photos and a CIFAR-10 file in, 32 x 32 crops of clean pictures out: what ComDefend learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.cifar10 import Cifar10
from training.data.natural import read_views
from training.errors import TrainingError

PATCH_PX = 32
_VIEW_PX = 160
_VIEWS_A_PHOTO = 8
_HELD_BACK = 64  # patches of each source for validation


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchSource:
    """Pictures of one kind, (N, S, S, 3) uint8, S >= 32, the last of which are for validation."""

    name: str
    pixels: NDArray[np.uint8]
    held_back: int  # pictures at the end that no step sees


@dataclass(frozen=True, kw_only=True, eq=False)
class Patches:
    """All sources; each gives the same share of a batch."""

    sources: tuple[PatchSource, ...]
    sha256: str

    def batch(self, count: int, rng: np.random.Generator) -> Tensor:
        """(count, 3, 32, 32) in [0, 1]: random crops, half of them mirrored, sources in turn."""
        crops = []
        for number in range(count):
            source = self.sources[number % len(self.sources)]
            picture = source.pixels[rng.integers(len(source.pixels) - source.held_back)]
            top, left = rng.integers(0, picture.shape[0] - PATCH_PX + 1, 2)
            crop = picture[top : top + PATCH_PX, left : left + PATCH_PX]
            crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
        return _tensor(np.stack(crops))

    def validation(self) -> dict[str, Tensor]:
        """(64, 3, 32, 32) by source: the middles of pictures that were held back."""
        found = {}
        for source in self.sources:
            pixels = source.pixels[len(source.pixels) - source.held_back :]
            pixels = pixels[:: -(-len(pixels) // _HELD_BACK)]
            start = (pixels.shape[1] - PATCH_PX) // 2
            found[source.name] = _tensor(pixels[:, start : start + PATCH_PX, start : start + PATCH_PX])
        return found


def read_patches(data: Sequence[str], *, seed: int) -> Patches:
    """Read folders of photos (`FOLDER` or `FOLDER:BYTE`, see training.data.natural) and CIFAR-10 files (.npz).

    Of a photo come 8 squares of 0.4 to all of its short side, at 160 px; those of every tenth photo or so, the last in
    order, are held back. Of CIFAR-10 comes the training part; the last 1 % is held back.
    Raises: TrainingError if there is nothing to read, or too little to hold any back.
    """
    folders = [name for name in data if not name.endswith(".npz")]
    sources = []
    sha = hashlib.sha256()
    if folders:
        rng = np.random.default_rng([seed, 1])
        views = read_views(folders, views_a_photo=_VIEWS_A_PHOTO, side_px=_VIEW_PX, rng=rng)
        photos = len(views.pixels) // _VIEWS_A_PHOTO
        sources.append(PatchSource(name="photos", pixels=views.pixels, held_back=_VIEWS_A_PHOTO * _some(photos, 10)))
        sha.update(views.sha256.encode())
    for path in (Path(name) for name in data if name.endswith(".npz")):
        cifar = Cifar10(path, "train")
        pixels = cifar.images(range(len(cifar)))
        sources.append(PatchSource(name="cifar10", pixels=pixels, held_back=_some(len(pixels), 100)))
        sha.update(hashlib.sha256(pixels.tobytes()).digest())
    if not sources:
        raise TrainingError("data: expected folders of photos or a CIFAR-10 file, found none; name some with --data")
    return Patches(sources=tuple(sources), sha256=sha.hexdigest())


def _some(count: int, part: int) -> int:
    """One in `part`, at least one, of `count` that have to be two or more."""
    if count < 2:
        raise TrainingError(f"data: expected two pictures or more of a kind, found {count}; name more with --data")
    return max(1, count // part)


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)
