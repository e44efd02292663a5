"""Folders of photos in, square views of them out: what perturbations are trained on, with no labels needed.

A folder may be followed by a colon and a number, `nips17:48`: then only photos whose sha256 begins with a byte below it
are read, which keeps those apart on which cloaks are judged (training.evaluate.protocol).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobile_app.core.compose import budget_map, resized
from mobile_app.core.photo import EXTENSIONS, decode
from mobile_app.core.preprocess import fit_short_side
from training.errors import TrainingError
from training.progress import track

BUDGET_LEVELS = 8.0
_SMALLEST_SHARE = 0.4  # of a photo's short side that a view shows


@dataclass(frozen=True, kw_only=True, eq=False)
class Views:
    """(V, side, side, 3) uint8 squares of photos, and what each value of them may change by at medium strength."""

    pixels: NDArray[np.uint8]
    bound_levels: NDArray[np.float16]  # (V, 3, side, side)
    sha256: str  # of the photos' hashes


def read_views(folders: Sequence[str], *, views_a_photo: int, side_px: int, rng: np.random.Generator) -> Views:
    """Draw `views_a_photo` squares, of 0.4 to all of its short side, from each photo.

    Raises: TrainingError if a folder is missing, the byte is none, or no photo is left.
    """
    paths = [path for folder in folders for path in chosen_photos(folder)]
    if not paths:
        raise TrainingError(f"photos: expected some in {', '.join(folders)}, found none; name other folders")
    sha = hashlib.sha256()
    pixels, bounds = [], []
    for path in track(paths, "reading photos"):
        data = path.read_bytes()
        sha.update(hashlib.sha256(data).digest())
        image = Image.fromarray(decode(data, name=path.name).rgb_hwc)
        for _ in range(views_a_photo):
            view = _square(image, side_px, rng)
            pixels.append(view)
            bound = resized(budget_map(view, BUDGET_LEVELS), (side_px, side_px), Image.Resampling.BILINEAR)
            bounds.append(bound.astype(np.float16))
    return Views(pixels=np.stack(pixels), bound_levels=np.stack(bounds), sha256=sha.hexdigest())


def chosen_photos(text: str) -> list[Path]:
    """The photos of `FOLDER` or `FOLDER:BYTE`, sorted by name.

    Raises: TrainingError if the folder is missing or the byte is none.
    """
    name, colon, byte = text.rpartition(":")
    # A folder's own name may hold a colon, that of a Windows drive at least.
    folder, below = (Path(name), byte) if colon and not Path(text).is_dir() else (Path(text), "256")
    if not below.isdigit() or not 1 <= int(below) <= 256:
        raise TrainingError(f"photos: {text}: expected a folder, or FOLDER:BYTE with a byte of 1 to 256")
    if not folder.is_dir():
        raise TrainingError(f"{folder}: no such folder of photos; check the path")
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in EXTENSIONS and path.is_file()]
    return [path for path in found if hashlib.sha256(path.read_bytes()).digest()[0] < int(below)]


def brought_down(rgb_hwc: NDArray[np.uint8], short_side_px: int) -> NDArray[np.uint8]:
    """The photo with that short side; one that is smaller stays as it is."""
    return rgb_hwc if min(rgb_hwc.shape[:2]) <= short_side_px else fit_short_side(rgb_hwc, short_side_px)


def _square(image: Image.Image, side_px: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    side = min(image.size) * rng.uniform(_SMALLEST_SHARE, 1)
    left, top = (rng.uniform(0, length - side) for length in image.size)
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((side_px, side_px), Image.Resampling.BICUBIC, box=box))
