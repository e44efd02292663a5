"""Folders of photos in, random crops of them out, for training without labels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_app.core.photo import decode
from training.data.natural import brought_down, chosen_photos
from training.errors import TrainingError
from training.progress import track

_AREA = (0.25, 1.0)  # share of a photo that a crop shows
_ASPECT = 0.25  # of the natural logarithm of width / height, to either side
_RECOLOURED = 0.3  # share of the crops whose channels are dealt out anew


@dataclass(frozen=True, kw_only=True)
class Photos:
    """Photos by folder, none of them empty, reduced to one short side."""

    folders: tuple[tuple[NDArray[np.uint8], ...], ...] = field(repr=False)
    sha256: str  # of the photos' hashes

    @property
    def count(self) -> int:
        """How many photos there are."""
        return sum(len(folder) for folder in self.folders)

    def crop(self, side_px: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """(side, side, 3) of a photo of any folder, each as likely as the others, large or small.

        A rectangle of a quarter to all of the photo's area, stretched a little, mirrored in half of the cases.
        """
        folder = self.folders[rng.integers(len(self.folders))]
        photo = folder[rng.integers(len(folder))]
        height, width = photo.shape[:2]
        area, aspect = height * width * rng.uniform(*_AREA), math.exp(rng.uniform(-_ASPECT, _ASPECT))
        across, down = min(width, int(math.sqrt(area * aspect))), min(height, int(math.sqrt(area / aspect)))
        left, top = rng.integers(width - across + 1), rng.integers(height - down + 1)
        part = Image.fromarray(photo[top : top + down, left : left + across])
        pixels = np.asarray(part.resize((side_px, side_px), Image.Resampling.BICUBIC))
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        return pixels[:, :, rng.permutation(3)] if rng.random() < _RECOLOURED else pixels


def read_photos(folders: Sequence[str], *, short_side_px: int) -> Photos:
    """Read the photos of folders, `FOLDER` or `FOLDER:BYTE` as in training.data.natural; small ones stay as they are.

    Raises: TrainingError if a folder is missing, the byte is none, or a folder holds no photo.
    """
    sha = hashlib.sha256()
    read = []
    for name in folders:
        paths = chosen_photos(name)
        if not paths:
            raise TrainingError(f"photos: expected some in {name}, found none; name another folder")
        reduced = []
        for path in track(paths, f"reading {name}"):
            data = path.read_bytes()
            sha.update(hashlib.sha256(data).digest())
            reduced.append(brought_down(decode(data, name=path.name).rgb_hwc, short_side_px))
        read.append(tuple(reduced))
    return Photos(folders=tuple(read), sha256=sha.hexdigest())
