"""Flower photos, ready to train on: found, freed of wrong labels, split by content, decoded once and held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.photo import decode
from mobile_app.core.preprocess import fit_short_side
from training.data.class_folders import FLOWER_ALIASES, class_names, labelled_photos
from training.data.label_faults import read_faults, without_faults
from training.data.splits import split_by_content, thumbnail, twins
from training.progress import track

LONGEST_SIDES = 2.0  # a photo longer than this many times its short side is cut to its middle: it costs memory


@dataclass(frozen=True, kw_only=True)
class PhotoSet:
    """Photos in memory with what is known about each; `rows(split)` picks one side."""

    images: tuple[NDArray[np.uint8], ...]  # (H, W, 3), the short side as asked for
    labels: NDArray[np.int64]
    splits: tuple[str, ...]
    sha256: tuple[str, ...]
    files: tuple[str, ...]
    classes: tuple[str, ...]

    def rows(self, split: str) -> list[int]:
        """The positions of the photos of one split, in order."""
        return [row for row, name in enumerate(self.splits) if name == split]


def load_flowers(roots: Sequence[Path], short_side_px: int, *, keep_faults: bool = False) -> PhotoSet:
    """Folders of class folders in, photos in memory out; near-duplicates are on one side.

    Args:
        roots: folders with a folder a class; "roses" and "rose" are one class.
        short_side_px: to which photos are resized, by the resize of the phone.
        keep_faults: leave the labels that are known to be wrong as they are.
    Raises: TrainingError for a folder without photos, PhotoError for a file that is no photo.
    """
    found = labelled_photos(roots, FLOWER_ALIASES)
    faults = read_faults()
    images, thumbnails = [], []
    for photo in track(found, "reading photos"):
        image = _shortened(decode(photo.path).rgb_hwc)
        images.append(fit_short_side(image, short_side_px))
        thumbnails.append(thumbnail(image))  # of the photo as it came: who is a twin must not hang on short_side_px
    # Twins and splits are decided before wrong labels go, so that the list of those moves no other photo.
    splits = split_by_content([photo.sha256 for photo in found], twins(np.array(thumbnails)))
    by_hash = {photo.sha256: row for row, photo in enumerate(found)}
    kept = found if keep_faults else without_faults(found, faults)
    rows = [by_hash[photo.sha256] for photo in kept]
    classes = class_names(kept)
    return PhotoSet(
        images=tuple(images[row] for row in rows),
        labels=np.array([classes.index(photo.label) for photo in kept]),
        splits=tuple(splits[row] for row in rows),
        sha256=tuple(photo.sha256 for photo in kept),
        files=tuple(f"{photo.path.parent.name}/{photo.path.name}" for photo in kept),
        classes=classes,
    )


def load_background(paths: Sequence[Path], short_side_px: int) -> tuple[NDArray[np.uint8], ...]:
    """Photos that show none of the classes, (H, W, 3) each. Raises: PhotoError for a file that is no photo."""
    return tuple(
        fit_short_side(_shortened(decode(path).rgb_hwc), short_side_px)
        for path in track(paths, "reading photos of other things")
    )


def _shortened(rgb_hwc: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = rgb_hwc.shape[:2]
    longest = round(min(height, width) * LONGEST_SIDES)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return rgb_hwc[top : top + min(height, longest), left : left + min(width, longest)]
